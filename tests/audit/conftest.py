"""Predictions of models whose skill is known, shared by the tests of what reads predictions."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mien import config
from mien.audit import scores
from mien.audit.leakage import COLUMNS
from mien.config import Experiment
from mien.run import Run

CLASSES = ("anger", "happiness", "sadness")


def predict_some(
    accuracy: dict[str, float],
    *,
    speakers: int = 8,
    clips: int = 30,
    seeds: int = 2,
    splits=("validation", "test"),
    seed=0,
) -> pd.DataFrame:
    """Predictions that are right with a model's probability, else any class; every speaker is in each split."""
    random = np.random.default_rng(seed)
    rows = []
    for (model, share), split, speaker, run in product(accuracy.items(), splits, range(speakers), range(seeds)):
        for clip in range(clips):
            truth = CLASSES[(clip * 7 + speaker) % 5 % 3]  # unbalanced: classes are not equally frequent
            guess = truth if random.random() < share else CLASSES[random.integers(3)]
            rows.append((f"s{speaker}c{clip}", f"s{speaker}", model, speaker, run, split, truth, guess))
    return pd.DataFrame(rows, columns=list(scores.NEEDED))


def only_row(table: pd.DataFrame, **where: object) -> pd.Series:
    for key, value in where.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


@pytest.fixture(scope="session")
def predicted() -> Callable[..., pd.DataFrame]:
    """See `predict_some`."""
    return predict_some


@pytest.fixture(scope="session")
def row() -> Callable[..., "pd.Series[object]"]:
    """See `only_row`."""
    return only_row


def write_compared(
    folder: Path,
    models: dict[str, float],
    *,
    leaks: dict[str, float] | None = None,
    speakers: int = 8,
    clips: int = 24,
    seeds: tuple[int, ...] = (0, 1),
    hold_test: bool = False,
    seed: int = 0,
    **certified: object,
) -> Run:
    """A run folder, leave one speaker out, without weights: model -> accuracy, and the UAR of its speaker probe."""
    random = np.random.default_rng(seed)
    raw = dict.fromkeys(("title", "paper", "command", "cost", "expected"), "none")
    raw |= {"recipe": "disentangle", "encoder": {"name": "cnn_gru"}, "training": {"epochs": 1}, "seeds": list(seeds)}
    raw |= {"models": {name: {"embeddings": {"main": {"tasks": {"emotion": 1.0}}}} for name in models}}
    raw |= {"data": {"prepared": "p", "scheme": "emodb", "audio": {"name": "mfb43"}}, "hold_test": hold_test}
    raw |= {"protocol": {"name": "leave_one_speaker_out"}, "reference": {next(iter(models)): {"UA test": 57.5}}}
    run = Run.start(folder, config.parse(Experiment, raw, "test"))
    people = [f"s{number}" for number in range(speakers)]
    said = {who: [f"{who}c{number}" for number in range(clips)] for who in people}
    folds = []
    for number, who in enumerate(people):
        parts = {"validation": [people[number - 1]], "test": [who]}
        parts = {"train": [other for other in people if other not in (who, people[number - 1])], **parts}
        sides = {
            part: {"speakers": members, "clips": [clip for one in members for clip in said[one]]}
            for part, members in parts.items()
        }
        folds.append({"fold": number, **sides})
    run.write_json("splits.json", {"folds": folds})
    rows = []
    for (model, share), fold, run_seed in product(models.items(), folds, seeds):
        for part in ("validation",) if hold_test else ("validation", "test"):
            for number, clip in enumerate(fold[part]["clips"]):
                truth = CLASSES[(number * 7 + fold["fold"]) % 5 % 3]
                guess = truth if random.random() < share else CLASSES[random.integers(3)]
                sure = 0.5 + 0.4 * random.random()
                told = {name: sure if name == guess else (1 - sure) / 6 for name in run.classes}
                head = {"clip": clip, "speaker": fold[part]["speakers"][0], "model": model, "fold": fold["fold"]}
                rows.append({**head, "seed": run_seed, "split": part, "emotion": truth, "predicted": guess, **told})
    run.write_table("predictions.csv", pd.DataFrame(rows))
    names = ("corpus", "corpus_hash", "files", "split", "findings", "left_out", "notes")
    certificate = {
        **dict.fromkeys(names, ""),
        "corpus": "toy",
        "files": {},
        "findings": [],
        "left_out": {},
        "notes": [],
    }
    run.write_json("certificate.json", {**certificate, **certified})
    if leaks:
        probed = [
            {"model": model, "fold": fold["fold"], "seed": run_seed, "score": leak + random.normal(0, 0.02)}
            for (model, leak), fold, run_seed in product(leaks.items(), folds, seeds)
        ]
        same = {"embedding": "main", "factor": "speaker", "probe": "strongest", "role": "measured", "speakers": "heard"}
        numbers = {"measure": "uar", "chance": 1 / 6, "shuffled": 0.2, "low": 0.1, "high": 0.9, "n": 99, "classes": 6}
        table = pd.DataFrame(probed).assign(**same, **numbers, split="disjoint clips")
        run.write_table("leakage.csv", table.reindex(columns=list(COLUMNS)))
    return run


@pytest.fixture(scope="session")
def make_compared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """See `write_compared`; the run's name comes first, and each call writes another one."""
    return lambda name, *told, **size: write_compared(tmp_path_factory.mktemp("runs") / name, *told, **size)
