"""How the joined answer of voice and face does where the emotion is known: RAVDESS, unseen actors.

    python benchmarks/show_fusion.py RUN --logits action_unit_bilstm_logits.csv [--model voice]

RUN is of `voice-small`: its test predictions are those of members to which the actor is unseen. The logits are of a
model of faces (action units of the films of the same performances), to which the actor is unseen as well. Both are
calibrated by one temperature, fitted for each fold on the clips of the actors that this fold does not test. Intervals
are over actors. Rules: `runs.late_fusion` (a product); the geometric mean in its place, which has the same order; the
mean of probabilities. Answers are those of a probability of .77 and more. `calm` and `neutral` of the faces count as
neutral; clips of calm and of surprise are left out, as the voices have no such class; the faces may answer surprise.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from mien.audit.statistics import scores
from mien.runs.late_fusion import fused
from mien.runs.run import Run

NAMES = {"angry": "anger", "fearful": "fear", "fear": "fear", "happy": "happiness", "sad": "sadness"}
HELD = ("voice", "face", "joined", "geometric mean", "mean of probabilities")
SURE = 0.77  # the threshold of voice-small and face-small together


def main() -> None:
    """Print a line for each rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--model", default="voice")
    given = parser.parse_args()
    run = Run.open(given.run)
    voices = _voices(run, given.model)
    logits, faces = _faces(given.logits)
    clips = voices.index.intersection(logits.index)
    voices, logits = voices.loc[clips], logits.loc[clips]
    truth, actor, fold = voices["truth"], voices["speaker"], voices["fold"]
    classes = run.classes
    voice = _calibrated(np.log(voices[list(classes)].clip(lower=1e-9).to_numpy()), truth, fold, classes)
    face = _calibrated(logits.to_numpy(), truth, fold, faces)
    every = tuple(sorted({*classes, *faces}))
    joined = fused(voice, face, classes, faces, every)
    wide = {"voice": _wide(voice, classes, every), "face": _wide(face, faces, every)}
    answers = {
        **wide,
        "joined": joined,
        "mean of probabilities": (wide["voice"] + wide["face"]) / 2,
        "geometric mean": softmax(np.log(joined) / 2, axis=1),
    }
    print(
        f"{len(clips)} clips of {actor.nunique()} actors, {len(classes)} emotions; chance of UAR {1 / len(classes):.3f}"
    )
    for name in HELD:
        rows = pd.DataFrame(
            {
                "clip": clips,
                "speaker": actor.to_numpy(),
                "emotion": truth.to_numpy(),
                "truth": truth.to_numpy(),
                "predicted": [every[best] for best in answers[name].argmax(axis=1)],
                "model": name,
                "split": "test",
                "fold": fold.to_numpy(),
                "seed": 0,
            }
        )
        found = scores.summary(rows, every).iloc[0]
        sure = answers[name].max(axis=1)
        right = (rows["predicted"] == rows["truth"]).to_numpy()
        known = answers[name][np.arange(len(clips)), [every.index(one) for one in truth]]
        print(
            f"{name}: UAR {found['uar']:.3f} [{found['uar_low']:.3f}, {found['uar_high']:.3f}], accuracy "
            f"{right.mean():.3f}, mean confidence {sure.mean():.3f}, negative log likelihood "
            f"{-np.log(np.maximum(known, 1e-9)).mean():.3f}; answers {(sure >= SURE).mean():.3f}, of these "
            f"{right[sure >= SURE].mean():.3f} right"
        )


def _voices(run: Run, model: str) -> pd.DataFrame:
    """The test predictions for RAVDESS, one row a performance (without the modality's number), seeds averaged."""
    rows = run.predictions.query("split == 'test' and model == @model")
    rows = rows[rows["clip"].str.contains("03-01-")]
    rows = rows.assign(clip=rows["clip"].str.extract(r"(\d\d(?:-\d\d){6})$")[0].str[3:])
    numbers = rows.groupby("clip")[list(run.classes)].mean()
    return rows.groupby("clip")[["truth", "speaker", "fold"]].first().join(numbers)


def _faces(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Logits by performance and emotion; calm and neutral are one, with the sum of their probabilities."""
    table = pd.read_csv(path)
    table = table.set_index(table["clip"].str[3:]).drop(columns=["clip", "fold"]).rename(columns=NAMES)
    merged = np.logaddexp(table.pop("calm"), table["neutral"])
    table = table.assign(neutral=merged)
    return table, tuple(table.columns)


def _calibrated(logits: np.ndarray, truth: pd.Series, fold: pd.Series, classes: tuple[str, ...]) -> np.ndarray:
    """Probabilities, with a temperature for each fold that was fitted on the clips of the others."""
    number = np.array([classes.index(one) for one in truth])
    result = np.zeros_like(logits)
    for held in sorted(set(fold)):
        own = (fold == held).to_numpy()

        def loss(logarithm: float, keep: np.ndarray = ~own) -> float:
            scaled = log_softmax(logits[keep] / np.exp(logarithm), axis=1)
            return float(-scaled[np.arange(keep.sum()), number[keep]].mean())

        best = minimize_scalar(loss, bounds=(-3, 4), method="bounded").x
        result[own] = softmax(logits[own] / np.exp(best), axis=1)
    return result


def _wide(probabilities: np.ndarray, known: tuple[str, ...], every: tuple[str, ...]) -> np.ndarray:
    wide = np.zeros((len(probabilities), len(every)))
    wide[:, [every.index(name) for name in known]] = probabilities
    return wide


if __name__ == "__main__":
    main()
