"""The rule chooses the point that leaks least of those that keep their tasks, for every base by itself."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mien.audit.comparison.claim_scores import EVENLY, SCORES
from mien.audit.comparison.least_leak import Told, chosen, least_leak
from mien.audit.statistics.scores import BySpeaker
from mien.common.settings import parse
from mien.errors import ConfigError, RunError
from mien.experiments.experiment import Experiment
from mien.runs.run import Run

PLACES = [(base, label, f"{base}-{label}") for base in ("reversal", "confusion") for label in ("0.1", "0.3", "1")]
NAMES = ("plain", *(name for _, _, name in PLACES))
PEOPLE = tuple(f"s{who:02}" for who in range(12))


def told(shares: Mapping[str, float], measure: str, even: bool = False) -> Told:
    """Counts of two classes, 12 speakers: the share that is right differs a little between speakers."""
    tables = {}
    for number, name in enumerate(NAMES):
        random = np.random.default_rng(number)
        share = np.clip(shares.get(name, shares["plain"]) + 0.01 * random.standard_normal(len(PEOPLE)), 0, 1)
        right, wrong = 100 * share, 100 * (1 - share)
        tables[name] = BySpeaker(PEOPLE, np.stack([np.stack([right, wrong], 1), np.stack([wrong, right], 1)], 1))
    return Told(tables, EVENLY[measure] if even else SCORES[measure])


def ruled(leak: Mapping[str, float], **tasks: Mapping[str, float]) -> pd.DataFrame:
    given = {"emotion": {"plain": 0.8}, "speaker": {"plain": 0.9}} | tasks
    heads = {name: told(shares, "macro_f1") for name, shares in given.items()}
    return chosen(PLACES, "plain", heads, told({"plain": 0.9} | dict(leak), "macro_f1", even=True))


def names(table: pd.DataFrame) -> list[str]:
    return table.loc[table["chosen"], "model"].tolist()


LEAK = {"reversal-0.3": 0.7, "reversal-1": 0.5, "confusion-0.1": 0.8, "confusion-0.3": 0.6, "confusion-1": 0.7}


def test_of_points_that_keep_their_tasks_the_one_that_leaks_least_is_chosen() -> None:
    table = ruled(LEAK)
    assert table["kept"].all()
    assert names(table) == ["reversal-1", "confusion-0.3"]
    assert table["model"].tolist() == list(NAMES)
    row = table.set_index("model").loc["reversal-1"]
    assert row["leak"] == pytest.approx(0.5, abs=0.02)
    assert row["leak_low"] < row["leak"] < row["leak_high"]


@pytest.mark.parametrize("task", ["emotion", "speaker"])
def test_a_point_that_predicts_a_task_less_well_is_not_chosen(task: str) -> None:
    table = ruled(LEAK, **{task: {"plain": 0.8, "reversal-1": 0.6}})
    assert names(table) == ["reversal-0.3", "confusion-0.3"]
    lost = table.set_index("model").loc["reversal-1"]
    assert (lost["kept"], lost[f"{task}_separable"]) == (False, True)
    assert lost[f"{task}_difference_low"] < lost[f"{task}_difference"] == pytest.approx(-0.2, abs=0.02)
    better = ruled(LEAK, **{task: {"plain": 0.8, "reversal-1": 0.95}})
    assert names(better) == ["reversal-1", "confusion-0.3"], "better is separable, too, and kept"


def test_where_no_point_keeps_its_tasks_none_is_chosen() -> None:
    lost = {"plain": 0.9} | {name: 0.3 for name in NAMES if name.startswith("reversal")}
    assert names(ruled(LEAK, speaker=lost)) == ["confusion-0.3"]


def test_of_equal_leaks_the_first_is_chosen() -> None:
    heads = {"emotion": told({"plain": 0.8}, "macro_f1")}
    same = told({"plain": 0.9}, "macro_f1")
    same = same._replace(tables=dict.fromkeys(NAMES, same.tables["plain"]))
    assert names(chosen(PLACES, "plain", heads, same)) == ["reversal-0.1", "confusion-0.1"]


def test_a_run_that_scored_test_clips_is_refused(two: Run) -> None:
    with pytest.raises(RunError) as error:
        least_leak(two, "weight", "multitask_64", embedding="speaker")
    assert str(error.value) == f"{two.folder}: scored test clips; a choice needs a run with hold_test: true"


@pytest.mark.parametrize(
    ("group", "plain", "embedding", "sentence"),
    [
        ("wieght", "plain", "speaker", "unknown group 'wieght'. Did you mean 'weight'? Known: weight."),
        ("weight", "removal", "speaker", "unknown model without a removal 'removal'. Known: plain."),
        (
            "weight",
            "plain",
            "emotion",
            "unknown embedding that may leak the emotion 'emotion'. Known: speaker.",
        ),
    ],
)
def test_what_the_run_has_not_is_refused(swept: Run, group: str, plain: str, embedding: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        least_leak(swept, group, plain, embedding=embedding)
    assert str(error.value) == sentence


@pytest.fixture
def swept(two: Run) -> Run:
    """A run of a grid with `hold_test`, as far as its settings go."""
    both = {"emotion": {"dim": 8, "tasks": {"emotion": 1.0}}, "speaker": {"dim": 8, "tasks": {"speaker": 1.0}}}
    removed = {
        **both,
        "speaker": {**both["speaker"], "remove": {"emotion": {"how": "gradient_reversal", "weight": 0.1}}},
    }
    raw = two.experiment.model_dump(mode="json") | {
        "models": {"plain": {"embeddings": both}, "removal": {"embeddings": removed}},
        "hold_test": True,
        "axes": {},
        "claims": {},
        "reference": {},
        "provenance": {},
        "grid": {"weight": {"models.removal.embeddings.speaker.remove.emotion.weight": [0.1, 0.3]}},
    }
    return replace(two, experiment=parse(Experiment, raw, "file"))
