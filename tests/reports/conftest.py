"""A run folder as training writes it, with planted scores and leaks, in place of a training."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from mien.audit import results
from mien.common.leakage_tables import LEAKAGE
from mien.common.settings import parse
from mien.experiments.experiment import Experiment
from mien.runs.run import Run
from sealing import reseal, reseal_cell

SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
CLASSES = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")
PARTS = ("train", "validation", "test")
KNOWN = {"emotion_only": 0.35, "multitask": 0.36, "gradient_reversal": 0.12, "MEnAN": 0.38}  # the rest is guessed
MEN = ("03", "10", "11", "12", "15")
LEAK = {"emotion_only": 1.5, "multitask": 3.0, "gradient_reversal": 0.6, "MEnAN": 0.0}  # size of a speaker's direction


def experiment(models: tuple[str, ...], seeds: tuple[int, ...]) -> Experiment:
    raw = {
        "title": "Speaker-invariant speech emotion by a maximum-entropy adversary, on EmoDB",
        "paper": "Li et al. 2020",
        "command": "mien train li2020-emodb data.prepared=PREPARED --out RUN",
        "cost": "two core-hours",
        "expected": "test UAR .43 to .49",
        "recipe": "disentangle",
        "encoder": {"name": "cnn_gru"},
        "models": {model: {"embeddings": {"main": {"tasks": {"emotion": 0.5}}}} for model in models},
        "data": {"prepared": "prepared/emodb", "scheme": "emodb", "audio": {"name": "mfb43"}},
        "protocol": {"name": "leave_one_speaker_out"},
        "training": {"epochs": 30},
        "seeds": list(seeds),
        "provenance": {"models": "paper", "models.MEnAN": "assumed", "training.epochs": "ours", "seeds": "assumed"},
        "reference": {"MEnAN": {"UA test": 59.91, "WA test": 58.62}, "emotion_only": {"UA test": 57.45}},
    }
    found: Experiment = parse(Experiment, raw, "test")
    return found


def write_run(
    folder: Path,
    *,
    models: tuple[str, ...] = tuple(KNOWN),
    seeds: tuple[int, ...] = (0, 1),
    clips: int = 53,
    epochs: int = 30,
    leakage: bool = True,
    shown: bool = True,
) -> Run:
    """Leave one speaker out, the next one validates; speaker 08 has no disgust. `shown`: with results, for its page."""
    random = np.random.default_rng(0)
    run = Run.start(folder, experiment(models, seeds))
    table = clip_table(clips, random)
    run.write_table("clips.csv", table)
    splits = folds_of(table)
    run.write_json("splits.json", {"protocol": {"name": "leave_one_speaker_out"}, "folds": splits})
    run.write_json(
        "environment.json", {"python": "3.11.9", "packages": {"torch": "2.13.0"}, "device": "cpu", "commit": None}
    )
    certificate = {
        "corpus": "emodb",
        "corpus_hash": "abc123",
        "files": dict.fromkeys(table["clip"], "0" * 64),
        "split": "5f1d",
        "examined": ["shared-speaker"],
        "findings": [],
        "left_out": {"no emotion of the scheme": 3},
        "notes": ["note: disgust: no test clip in fold 1"],
    }
    run.write_json("certificate.json", certificate)
    predictions: list[dict[str, Any]] = []
    directions = random.normal(size=(len(SPEAKERS), 24))
    for model in models:
        for fold in splits:
            for seed in seeds:
                cell = run.cell(model, fold["fold"], seed)
                cell.folder.mkdir(parents=True)
                members = {part: table.set_index("clip").loc[fold[part]["clips"]] for part in PARTS}
                for split in ("validation", "test"):
                    predictions += predict(members[split], model, fold["fold"], seed, split, random)
                everyone = pd.concat(members.values())
                numbers = [SPEAKERS.index(speaker) for speaker in everyone["speaker"]]
                feeling = np.eye(24)[[CLASSES.index(label) for label in everyone["label"]]]
                values = random.normal(size=(len(everyone), 24)) + LEAK[model] * directions[numbers] + 3 * feeling
                parts = [part for part in PARTS for _ in range(len(members[part]))]
                run.write_embeddings(cell, list(everyone.index), parts, {"main": values.astype(np.float32)})
                history = "".join(json.dumps(record(epoch, random)) + "\n" for epoch in range(1, epochs + 1))
                (cell.folder / "history.jsonl").write_text(history)
                (cell.folder / "predictions.csv").touch()
                save_file({}, cell.weights)
                reseal_cell(cell.folder)
    run.write_table("predictions.csv", pd.DataFrame(predictions))
    if leakage:
        run.write_table("leakage.csv", planted_leakage(run))
    if shown:
        write_results(run)
    reseal(run.folder)
    return run


def write_results(run: Run) -> None:
    """Write the results as training does, but answer no claims."""
    results.write(replace(run, experiment=run.experiment.model_copy(update={"claims": {}})))


def clip_table(clips: int, random: np.random.Generator) -> pd.DataFrame:
    rows = []
    for speaker in SPEAKERS:
        for number in range(clips):
            label = CLASSES[random.integers(7)]
            label = "anger" if (speaker, label) == ("08", "disgust") else label
            gender = "male" if speaker in MEN else "female"
            clip = f"{speaker}-{number}"
            rows.append((clip, f"wav/{clip}.wav", speaker, gender, f"a{number % 10}", label, label))
    table = pd.DataFrame(rows, columns=["clip", "file", "speaker", "gender", "sentence", "emotion", "label"])
    return table.assign(recognised=np.where(table["label"] == "anger", 0.95, 0.85))


def folds_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    members = {speaker: list(part["clip"]) for speaker, part in table.groupby("speaker")}
    folds = []
    for number, test in enumerate(SPEAKERS):
        validation = SPEAKERS[(number + 1) % len(SPEAKERS)]
        others = [speaker for speaker in SPEAKERS if speaker not in (test, validation)]
        sides = {"train": others, "validation": [validation], "test": [test]}
        parts = {
            part: {"speakers": names, "clips": [clip for speaker in names for clip in members[speaker]]}
            for part, names in sides.items()
        }
        folds.append({"fold": number, **parts})
    return folds


def predict(
    clips: pd.DataFrame, model: str, fold: int, seed: int, split: str, random: np.random.Generator
) -> list[dict[str, Any]]:
    rows = []
    for clip, speaker, label in zip(clips.index, clips["speaker"], clips["label"], strict=True):
        guess = label if random.random() < KNOWN[model] else CLASSES[random.integers(7)]
        head = {"clip": clip, "speaker": speaker, "model": model, "fold": fold, "seed": seed, "split": split}
        shares = dict.fromkeys(CLASSES, 0.1) | {guess: 0.4}
        rows.append({**head, "emotion": label, "predicted": guess, **shares, "scheme": "emodb"})
    return rows


def record(epoch: int, random: np.random.Generator) -> dict[str, float]:
    loss, score = 2 * np.exp(-epoch / 12), 0.5 - 0.35 * np.exp(-epoch / 6)
    return {
        "epoch": epoch,
        "lr": 1e-3,
        "main: adversary on speaker": 2.0,
        "main: emotion": float(loss + 0.1 * random.random()),
        "validation uar": float(score + 0.1 * random.random()),
        "seconds": 1.0,
    }


def planted_leakage(run: Run, *, thorough: bool = False) -> pd.DataFrame:
    """Probes whose score above chance follows `LEAK`.

    Args:
        run: the run of the cells.
        thorough: with LEACE, other factors, verification, dependence, floors and ceilings.
    """
    random = np.random.default_rng(1)
    rows = []

    def row(place: dict[str, Any], factor: str, chance: float, excess: float, **more: Any) -> dict[str, Any]:
        score = chance + (1 - chance) * min(1, excess + 0.05 * random.random())
        return {
            **place,
            **{
                "factor": factor,
                "balanced": "",
                "probe": "mlp",
                "role": "measured",
                "split": "disjoint clips and sentences",
            },
            **{"measure": "uar", "score": score, "chance": chance, "shuffled": chance + 0.01, "low": score - 0.05},
            **{"high": min(1, score + 0.05), "n": 424, "classes": round(1 / chance), "p": 0.01, "p_corrected": 0.02},
            **more,
        }

    for cell in run.cells:
        place: dict[str, Any] = {
            "embedding": "main",
            "eraser": "",
            "model": cell.model,
            "fold": cell.fold,
            "seed": cell.seed,
        }
        for speakers, chance in (("seen", 1 / 8), ("unseen", 1 / 2)):
            excess, side = LEAK[cell.model] / 4, {"speakers": speakers}
            rows.append(row(place, "speaker", chance, excess - 0.1, **side, probe="linear"))
            rows.append(row(place, "speaker", chance, excess, **side))
            rows.append(rows[-1] | {"probe": "strongest"})
            if thorough:
                erased = place | {"eraser": "leace"}
                rows.append(row(erased, "speaker", chance, 0.0, **side, probe="strongest"))
                rows.append(row(place, "speaker", chance, 0, **side, probe="kernel", measure="hsic"))
        if thorough:
            unseen = {"speakers": "unseen", "probe": "strongest"}
            rows.append(row(place, "emotion", 1 / 7, KNOWN[cell.model], **unseen))
            rows.append(row(erased, "emotion", 1 / 7, 0.1, **unseen))
            rows.append(row(place, "gender", 1 / 2, 0.4, **unseen))
            rows.append(row(place, "speaker", 1 / 2, -0.3, speakers="unseen", probe="cosine", measure="eer"))
            floor = {"embedding": "emotion label", "eraser": "", "model": "baseline", "fold": cell.fold, "seed": None}
            level = {"speakers": "seen", "probe": "strongest", "role": "floor"}
            rows.append(row(floor, "speaker", 1 / 8, 0.02, **level))
            rows.append(row(floor | {"embedding": "inputs"}, "speaker", 1 / 8, 0.7, **level | {"role": "ceiling"}))
    return pd.DataFrame(rows).reindex(columns=list(LEAKAGE))


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Write a run of the given size; every call makes another one."""
    return lambda **size: write_run(tmp_path_factory.mktemp("run") / "run", **size)


@pytest.fixture(scope="session")
def computed() -> Callable[[Run], None]:
    """The function `write_results`."""
    return write_results


@pytest.fixture(scope="session")
def small(make_run: Callable[..., Run]) -> Run:
    return make_run(models=("emotion_only", "MEnAN", "gradient_reversal"), seeds=(0,), clips=14, epochs=5)


@pytest.fixture(scope="session")
def audited(make_run: Callable[..., Run]) -> Run:
    """A run after a thorough audit, whose split leaks, and was accepted."""
    run = make_run(models=("emotion_only", "MEnAN"), seeds=(0,), clips=14, epochs=2, shown=False)
    run.write_table("leakage.csv", planted_leakage(run, thorough=True))
    write_results(run)
    rows = [{"fold": fold, "clip": f"03-{fold} & co", "splits": "train, test"} for fold in range(300)]
    leak = {"finding": "same-sentence", "severity": "leak", "rows": rows, "text": "300 clips are said again."}
    note = {"finding": "missing-class", "severity": "note", "rows": [], "text": "Fold 1 has no disgust."}
    marks = [
        "accepted leak, seen speakers: 1 of 1 speakers (fold 0)",
        "accepted leak, same-sentence: 300 sentences (fold 0)",
    ]
    examined = {"not_examined": {"near-duplicate": "no media"}, "accepted": ["same-sentence"], "marks": marks}
    source = {"licence": "free for research", "source": "https://example.org (somewhere)"}
    run.write_json("certificate.json", run.certificate | examined | source | {"findings": [leak, note]})
    reseal(run.folder)
    return run
