"""Runs of simulated models of known accuracy at several shares of the labels, without weights."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.common.settings import parse
from mien.experiments.experiment import Experiment
from mien.experiments.shares import by_share
from mien.runs.run import Run
from sealing import reseal

CLASSES = ("anger", "happiness", "sadness")
CNN = {"reconstruction": False, "regularisation": False}
MODELS: Mapping[str, dict[str, Any]] = {
    "CNN": CNN,
    "CNN_multitask": {**CNN, "auxiliary": ["gender", "speaker"]},
    "AAE": {},
    "AAE_multitask": {"auxiliary": ["gender", "speaker"]},
    "teacher": {},
}


def experiment(models: Mapping[str, dict[str, Any]], shares: Sequence[float], **changes: Any) -> Experiment:
    raw: dict[str, Any] = dict.fromkeys(("title", "paper", "command", "cost", "expected"), "none")
    raw |= {"recipe": "autoencode", "encoder": {"name": "convolutional"}, "models": dict(models)}
    raw |= {"training": {"epochs": 1}, "protocol": {"name": "leave_one_speaker_out"}, "seeds": [0, 1]}
    raw["data"] = {"prepared": "p", "scheme": "emodb", "audio": {"name": "spectrogram"}, "unlabelled": "train"}
    raw["data"] |= changes.pop("data", {})
    raw |= {"grid": {"labelled": {"data.labelled": list(shares)}} if shares else {}, **changes}
    found: Experiment = parse(Experiment, raw, "test")
    return found


def write(
    folder: Path,
    accuracy: Mapping[str, Mapping[float, float]],
    *,
    models: Mapping[str, dict[str, Any]] = MODELS,
    speakers: int = 10,
    clips: int = 24,
    more: int = 30,
    seed: int = 0,
    **changes: Any,
) -> Run:
    """Write a run with leave one speaker out.

    Args:
        folder: where it is written.
        accuracy: model -> share of the labels -> the share of clips that it predicts rightly; others are guessed.
        models: model -> its settings, of those in `accuracy` and of others.
        speakers: number of speakers.
        clips: number of clips of each speaker.
        more: number of training clips without an emotion.
        seed: of the simulation.
        changes: settings of the experiment.
    """
    random = np.random.default_rng(seed)
    shares = sorted({share for own in accuracy.values() for share in own})
    run = Run.start(folder, experiment({name: models[name] for name in accuracy}, shares, **changes))
    names = [f"s{number}" for number in range(speakers)]
    rows = [(f"{who}c{n}", who, CLASSES[(7 * n + int(who[1:])) % 5 % 3]) for who, n in product(names, range(clips))]
    rows += [(f"x{number}", "x", None) for number in range(more)]
    table = pd.DataFrame(rows, columns=["clip", "speaker", "label"]).assign(file="f.wav", gender="female")
    run.write_table("clips.csv", table)
    folds = []
    for number, who in enumerate(names):
        parts = {"validation": [names[number - 1]], "test": [who]}
        parts["train"] = [*(one for one in names if one not in (who, names[number - 1])), *(["x"] if more else [])]
        members = {part: list(table.loc[table["speaker"].isin(own), "clip"]) for part, own in parts.items()}
        known = [clip for clip in members["train"] if clip[0] != "x"]
        kept = {
            str(share): {str(one): known[: round(share * len(known))] for one in run.experiment.seeds}
            for share in shares
            if share < 1
        }
        sides = {part: {"speakers": parts[part], "clips": members[part]} for part in parts}
        folds.append({"fold": number, **sides, "labelled": kept})
    run.write_json("splits.json", {"folds": folds})
    truth = table.set_index("clip")["label"]
    variants = {model: by_share(run.experiment, model) for model in accuracy}
    predictions = []
    for (model, own), fold, one in product(accuracy.items(), folds, run.experiment.seeds):
        for share, variant in variants[model].items():
            for part in ("validation", "test"):
                for clip in fold[part]["clips"] if share in own else ():
                    guess = truth[clip] if random.random() < own[share] else CLASSES[random.integers(3)]
                    head = {"clip": clip, "speaker": clip.split("c")[0], "model": variant, "fold": fold["fold"]}
                    head |= {"seed": one, "split": part, "emotion": truth[clip], "predicted": guess}
                    predictions.append(head | {name: 0.7 if name == guess else 0.05 for name in run.classes})
    run.write_table("predictions.csv", pd.DataFrame(predictions))
    certificate: dict[str, Any] = dict.fromkeys(("corpus", "corpus_hash", "split"), "toy")
    run.write_json("certificate.json", certificate | {"files": {}, "findings": [], "left_out": {}, "notes": []})
    reseal(folder)
    return run
