"""Predictions and runs of simulated models of known accuracy, shared by the tests of the audit."""

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from mien import experiments
from mien.audit.leakage import floors, leakage
from mien.audit.run_leakage import measure
from mien.audit.statistics import scores
from mien.common.leakage_tables import LEAKAGE
from mien.common.settings import parse
from mien.experiments.claims import without
from mien.experiments.experiment import Experiment
from mien.runs.run import Run
from sealing import reseal, reseal_cell

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
    """Predictions that are right with the accuracy of a model, otherwise random; every speaker is in each split."""
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
    """Write a run with leave one speaker out, without weights.

    Args:
        folder: where it is written.
        models: model -> accuracy.
        leaks: model -> UAR of its speaker probe; without it there is no `leakage.csv`.
        speakers: number of speakers.
        clips: number of clips of each speaker.
        seeds: of the training runs.
        hold_test: whether there are predictions of validation clips only.
        seed: of the simulation.
        certified: keys of `certificate.json`.
    """
    random = np.random.default_rng(seed)
    raw = dict.fromkeys(("title", "paper", "command", "cost", "expected"), "none")
    raw |= {"recipe": "disentangle", "encoder": {"name": "cnn_gru"}, "training": {"epochs": 1}, "seeds": list(seeds)}
    raw |= {"models": {name: {"embeddings": {"main": {"tasks": {"emotion": 1.0}}}} for name in models}}
    raw |= {"data": {"prepared": "p", "scheme": "emodb", "audio": {"name": "mfb43"}}, "hold_test": hold_test}
    raw |= {"protocol": {"name": "leave_one_speaker_out"}, "reference": {next(iter(models)): {"UA test": 57.5}}}
    run = Run.start(folder, parse(Experiment, raw, "test"))
    names = [f"s{number}" for number in range(speakers)]
    clips_of = {who: [f"{who}c{number}" for number in range(clips)] for who in names}
    folds = []
    for number, who in enumerate(names):
        parts = {"validation": [names[number - 1]], "test": [who]}
        parts = {"train": [other for other in names if other not in (who, names[number - 1])], **parts}
        sides = {
            part: {"speakers": members, "clips": [clip for one in members for clip in clips_of[one]]}
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
                probabilities = {name: sure if name == guess else (1 - sure) / 6 for name in run.classes}
                head = {"clip": clip, "speaker": fold[part]["speakers"][0], "model": model, "fold": fold["fold"]}
                head |= {"seed": run_seed, "split": part, "emotion": truth, "predicted": guess}
                rows.append({**head, **probabilities})
    run.write_table("predictions.csv", pd.DataFrame(rows))
    keys = ("corpus", "corpus_hash", "files", "split", "findings", "left_out", "notes")
    certificate = {
        **dict.fromkeys(keys, ""),
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
        same = {
            "embedding": "main",
            "eraser": "",
            "balanced": "",
            "factor": "speaker",
            "probe": "strongest",
            "role": "measured",
            "speakers": "seen",
        }
        numbers = {"measure": "uar", "chance": 1 / 6, "shuffled": 0.2, "low": 0.1, "high": 0.9, "n": 99, "classes": 6}
        table = pd.DataFrame(probed).assign(**same, **numbers, split="disjoint clips")
        run.write_table("leakage.csv", table.reindex(columns=list(LEAKAGE)))
    reseal(run.folder)
    return run


@pytest.fixture(scope="session")
def make_compared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """See `write_compared`; the name of the run comes first, and each call writes another one."""
    return lambda name, *given, **size: write_compared(tmp_path_factory.mktemp("runs") / name, *given, **size)


KINDS = ("anger", "happiness", "neutral", "sadness")  # of the scheme iemocap


def write_two(
    folder: Path,
    leaks: dict[str, float],
    *,
    people: int = 8,
    each: tuple[int, int] = (12, 8),
    own: float = 0.0,
    seeds: tuple[int, ...] = (0,),
    felt: dict[str, float] | None = None,
    knows: float = 0.0,
    named: float = 0.9,
) -> Run:
    """Write a run whose test speakers are seen in training, with an emotion and a speaker embedding.

    Args:
        folder: where it is written.
        leaks: model -> distance of emotions in its speaker embedding.
        people: number of speakers.
        each: numbers of training and test clips of each speaker.
        own: share of clips with an emotion that depends on the speaker; the others have random emotions.
        seeds: of the training runs.
        felt: model -> share of clips whose emotion its head predicts rightly, .7 by default; the rest is guessed.
        knows: distance of speakers in the emotion embedding.
        named: share of clips whose speaker is predicted rightly; the rest is guessed.
    """
    random = np.random.default_rng(0)
    both = {"emotion": {"tasks": {"emotion": 0.5}}, "speaker": {"tasks": {"speaker": 0.5}}}
    sides = {"emotion_only": ("emotion",), "person_only": ("speaker",)}
    raw: dict[str, object] = dict.fromkeys(("title", "command", "cost", "expected"), "none")
    raw |= {"paper": "Peri et al. 2021", "recipe": "disentangle", "encoder": {"name": "cnn_gru"}}
    embedded = {name: {side: both[side] for side in sides.get(name, both)} for name in leaks}
    raw |= {"models": {name: {"embeddings": parts} for name, parts in embedded.items()}, "seeds": list(seeds)}
    raw |= {"training": {"epochs": 1}, "protocol": {"name": "given"}, "seen_speakers": True}
    raw |= {"data": {"prepared": "p", "scheme": "iemocap", "audio": {"name": "mfb43"}}}
    raw |= {"reference": {name: {"EmoVox-Test": {"person accuracy": 90.5}} for name in leaks if name.endswith("64")}}
    paper = experiments.load("peri2021")
    claimed = {name: paper.model_dump(mode="json")[name] for name in ("axes", "claims")}
    raw |= {name: without({**claimed, "models": leaks}, set(paper.models) - set(leaks))[name] for name in claimed}
    run = Run.start(folder, parse(Experiment, raw, "test"))
    rows = []
    for who, (part, count) in product(range(people), zip(("train", "test"), each, strict=True)):
        for number in range(count):
            kind = who % 4 if random.random() < own else random.integers(4)
            rows.append((f"s{who}{part}{number}", part, f"s{who}", KINDS[kind], KINDS[kind]))
    table = pd.DataFrame(rows, columns=["clip", "split", "speaker", "emotion", "label"])
    table.loc[table.groupby("speaker").head(2).index, "split"] = "validation"
    run.write_table("clips.csv", table.drop(columns="split").assign(file="f.wav", gender="female"))
    parts = {
        part: {"speakers": sorted(rows["speaker"].unique()), "clips": rows["clip"].tolist()}
        for part, rows in table.groupby("split")
    }
    run.write_json("splits.json", {"folds": [{"fold": 0, **parts}]})
    names = ("corpus", "corpus_hash", "split")
    run.write_json(
        "certificate.json", {**dict.fromkeys(names, "toy"), "files": {}, "findings": [], "left_out": {}, "notes": []}
    )
    who = table["speaker"].str[1:].astype(int).to_numpy()
    kind = np.array([KINDS.index(label) for label in table["label"]])
    predictions, named_speakers = [], []
    for (model, leak), seed in product(leaks.items(), seeds):
        cell = run.cell(model, 0, seed)
        cell.folder.mkdir(parents=True)
        shape = (len(table), 12)
        values = {
            "emotion": random.normal(size=shape) + 4 * np.eye(12)[kind] + knows * np.eye(12)[4 + who % 8],
            "speaker": random.normal(size=shape) + 4 * np.eye(12)[4 + who % 8] + leak * np.eye(12)[kind],
        }
        kept = {name: values[name].astype(np.float32) for name in embedded[model]}
        run.write_embeddings(cell, table["clip"].tolist(), table["split"].tolist(), kept)
        (cell.folder / "predictions.csv").touch()
        save_file({}, cell.weights)
        reseal_cell(cell.folder)
        for row, person, label in zip(table.to_dict("records"), who, kind, strict=True):
            head = {"clip": row["clip"], "speaker": row["speaker"], "model": model, "fold": 0, "seed": seed}
            head["split"] = row["split"]
            if row["split"] != "train":
                guess = label if random.random() < (felt or {}).get(model, 0.7) else random.integers(4)
                probabilities = dict.fromkeys(KINDS, 0.1) | {KINDS[guess]: 0.7}
                predictions.append({**head, "emotion": row["label"], "predicted": KINDS[guess], **probabilities})
                guess = person if random.random() < named else random.integers(people)
                task = {"factor": "speaker", "truth": row["speaker"], "predicted": f"s{guess}", "probability": 0.8}
                named_speakers.append({**head, **task})
    run.write_table("predictions.csv", pd.DataFrame(predictions))
    run.write_table("tasks.csv", pd.DataFrame(named_speakers))
    reseal(run.folder)
    return run


@pytest.fixture(scope="session")
def make_two(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """See `write_two`; each call writes another one."""
    return lambda *given, **size: write_two(tmp_path_factory.mktemp("two") / "run", *given, **size)


@pytest.fixture(scope="session")
def two(make_two: Callable[..., Run]) -> Run:
    """A run of three models and two probes: emotions depend on the speaker, and one model leaks them more."""
    run = make_two({"person_only": 0.0, "multitask_64": 3.5, "alternating_64": 0.0}, each=(12, 8), own=0.6)
    few = {"probes": ("nearest_mean", "mlp")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "predict", partial(leakage.predict, **few))
        patch.setattr(floors, "leakage", partial(leakage.leakage, **few))
        run.write_table("leakage.csv", measure.run_leakage(run).table)
    reseal(run.folder)
    return run
