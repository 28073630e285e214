"""Separated clusters score near 1, shuffled ones near 0, and only unseen speakers are used."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from mien.audit.leakage import silhouettes as module
from mien.audit.leakage.silhouettes import SUMMARY, silhouette, silhouette_summary, silhouettes
from mien.common.leakage_tables import SILHOUETTES
from mien.errors import RunError
from mien.runs.run import Cell, Run

EMOTION = np.tile(["anger", "fear", "sadness"], 60)
SPEAKER = np.repeat(["s0", "s1", "s2"], 60)


def clusters(groups: np.ndarray, *, size: float = 30.0, seed: int = 0) -> np.ndarray:
    """Groups of points, each around its own centre."""
    random = np.random.default_rng(seed)
    kinds, which = np.unique(groups, return_inverse=True)
    places = np.random.default_rng(7).normal(size=(len(kinds), 8))
    return (random.normal(size=(len(groups), 8)) + size * places[which]).astype(np.float32)


def test_separated_groups_score_high_and_shuffled_ones_near_zero() -> None:
    values = clusters(EMOTION)
    assert silhouette(values, EMOTION.tolist()) > 0.9
    shuffled = np.random.default_rng(0).permutation(EMOTION)
    assert silhouette(values, shuffled.tolist()) == pytest.approx(0, abs=0.1)
    assert silhouette(clusters(EMOTION, size=0), EMOTION.tolist()) == pytest.approx(0, abs=0.1)


def test_it_is_the_definition_on_standardised_values() -> None:
    values = clusters(EMOTION, size=2.0).astype(np.float64)
    standard = (values - values.mean(0)) / values.std(0)
    distance = cdist(standard, standard)
    scores = []
    for place, group in enumerate(EMOTION):
        others = {kind: distance[place, kind == EMOTION].sum() for kind in set(EMOTION)}
        a = others.pop(group) / ((group == EMOTION).sum() - 1)
        b = min(total / (kind == EMOTION).sum() for kind, total in others.items())
        scores.append((b - a) / max(a, b))
    assert silhouette(values, EMOTION.tolist()) == pytest.approx(np.mean(scores))
    assert silhouette(1000 * values + 7, EMOTION.tolist()) == pytest.approx(np.mean(scores))


def test_without_groups_it_is_nan_and_many_clips_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    values = clusters(EMOTION)
    assert np.isnan(silhouette(values, ["one"] * len(values)))
    assert np.isnan(silhouette(values[:3], ["a", "b", "c"]))
    whole = silhouette(values, EMOTION.tolist())
    monkeypatch.setattr(module, "MOST", 60)
    assert silhouette(values, EMOTION.tolist()) == pytest.approx(whole, abs=0.1)
    assert silhouette(values, EMOTION.tolist()) == silhouette(values, EMOTION.tolist())


@dataclass
class Cells:
    """A run of which only the embeddings matter; the last sixty clips trained the encoder."""

    values: dict[int, np.ndarray]
    label: np.ndarray
    split: np.ndarray

    target, classes = "emotion", ("anger", "fear", "sadness")

    @property
    def cells(self) -> list[Cell]:
        return [Cell("m", fold, 0, Path(f"fold-{fold}")) for fold in self.values]

    def embeddings(self, cell: Cell) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
        clips = pd.DataFrame({"clip": range(180), "split": self.split, "speaker": SPEAKER, "label": self.label})
        return clips, {"main": self.values[cell.fold]}


def run_of(values: dict[int, np.ndarray], label: np.ndarray = EMOTION, split: np.ndarray | None = None) -> Run:
    parts = np.repeat(["validation", "test", "train"], 60) if split is None else split
    return cast(Run, Cells(values, label, parts))


def test_only_unseen_speakers_are_used() -> None:
    by_emotion, by_speaker = clusters(EMOTION), clusters(SPEAKER)
    by_emotion[120:] = np.random.default_rng(9).normal(size=(60, 8))  # the training clips have no structure
    table = silhouettes(run_of({0: by_emotion, 1: by_speaker}))
    assert tuple(table.columns) == SILHOUETTES
    scores = table.set_index(["fold", "by"])
    assert scores.loc[(0, "emotion"), "score"] > 0.7
    assert scores.loc[(0, "speaker"), "score"] == pytest.approx(0, abs=0.1)
    assert scores.loc[(1, "speaker"), "score"] > 0.7
    assert scores.loc[(1, "emotion"), "score"] == pytest.approx(0, abs=0.1)
    assert scores["shuffled"].to_numpy() == pytest.approx(np.zeros(4), abs=0.1)
    assert set(scores["clips"]) == {120}
    assert (scores.loc[(0, "emotion"), "groups"], scores.loc[(0, "speaker"), "groups"]) == (3, 2)
    summary = silhouette_summary(table, {0: 0, 1: 1}).set_index("by")
    assert tuple(silhouette_summary(table, {0: 0, 1: 1}).columns) == SUMMARY
    folds = scores.xs("emotion", level="by")["score"]
    assert summary.loc["emotion", "score"] == pytest.approx(folds.mean())
    assert (summary.loc["emotion", "low"], summary.loc["emotion", "high"]) == (folds.min(), folds.max())
    assert (summary.loc["emotion", "folds"], summary.loc["emotion", "units"]) == (2, 2)
    assert set(silhouette_summary(table, {0: 0, 1: 0})["units"]) == {1}, "both have the same unseen speakers"


def test_clips_without_one_emotion_are_left_out_and_one_speaker_too() -> None:
    label = EMOTION.astype(object)
    label[:10], label[10:20] = None, "anger+fear"
    table = silhouettes(run_of({0: clusters(EMOTION)}, label))
    assert set(table["clips"]) == {100}
    alone = silhouettes(run_of({0: clusters(EMOTION)}, split=np.repeat(["validation", "train", "train"], 60)))
    assert list(alone["by"]) == ["emotion"]


def test_an_embedding_that_is_not_finite_names_its_cell() -> None:
    broken = clusters(EMOTION)
    broken[3, 3] = np.nan
    with pytest.raises(RunError, match=r"^fold-0: the embedding 'main' is not finite; train this cell again$"):
        silhouettes(run_of({0: broken}))
