"""Measured leakage against planted leakage: toy speakers whose emotion reveals more and more of their identity.

    python benchmarks/show_toy_leakage.py [--entanglement 0 .5 .9] [--people 12] [--clips 288] [--folder DIR]

In a toy corpus of entanglement e each speaker has an own emotion, and P(own emotion) = e + (1 - e) / 6. So the leakage
of an embedding of emotion, and nothing else, is known: from the emotion, one of S speakers is predicted with a UAR of
(1 + 5 e) / S, and from the speaker, the emotion is predicted in e + (1 - e) / 6 of the clips, where each emotion is the
own one of equally many speakers.

Three inputs are probed for the speaker, on other sentences than the probe was fitted on:

- the emotion label itself (the identity floor), which must show the planted leakage;
- a recogniser: the six log odds of a logistic regression on the functionals of the voice, fitted on other toy speakers
  at entanglement 0, so that only the corpus under test is entangled. Its leakage above the floor is that of the voice;
- the functionals themselves (the ceiling): the voice reveals the speaker, entangled or not.

Emotion is predicted from the speaker's label and from the functionals, both with the same speakers on either side.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mien.audit.leakage.floors import one_hot
from mien.audit.leakage.leakage import leakage
from mien.audit.options import LeakageOptions
from mien.audit.probes.task import ProbingTask
from mien.corpora import toy
from mien.corpora.toy.people import EMOTIONS
from mien.features import extract, parse
from mien.media.audio import read_audio

Array = NDArray[np.float64]


def law(entanglement: float, people: int) -> tuple[float, float]:
    """What is planted: the UAR of the speaker from the emotion, and of the emotion from the speaker."""
    own, emotions = entanglement + (1 - entanglement) / len(EMOTIONS), len(EMOTIONS)
    return emotions * own / people, own


def voices(folder: Path, config: toy.ToyConfig) -> tuple[pd.DataFrame, Array]:
    """The clips of a toy corpus, made where it is not there, and the functionals of their sound, (n, D)."""
    toy.generate(folder, config)
    table = toy.read(folder).table
    settings = parse("functionals", {})
    sounds = [read_audio(folder / file) for file in table["file"]]
    return table, np.concatenate([extract("functionals", [sound], settings)[0] for sound in sounds]).astype(float)


def read(X: Array, table: pd.DataFrame, factor: str) -> "pd.Series[float]":
    """The UAR row of the strongest probe; the same speakers on either side, other sentences for the speaker."""
    seen = LeakageOptions(seen_speakers=True)
    groups = {"speakers": table["speaker"], "sentences": table["sentence"]}
    found = leakage(X, ProbingTask(table[factor], factor, **groups, options=seen))
    return found[(found["probe"] == "strongest") & (found["measure"] == "uar")].iloc[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entanglement", type=float, nargs="+", default=[0.0, 0.5, 0.9])
    parser.add_argument(
        "--people", type=int, default=12, help="a multiple of 12, so that each emotion is the own one of equally many"
    )
    parser.add_argument("--clips", type=int, default=288)
    parser.add_argument("--folder", type=Path, help="keep the corpora here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        show(options, options.folder or Path(temporary))


def show(options: argparse.Namespace, folder: Path) -> None:
    size = {"people": options.people, "clips": options.clips, "size": 32, "frame_rate": 5}
    table, X = voices(folder / "others", toy.ToyConfig(**size, seed=1))
    recogniser = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1_000)).fit(X, table["emotion"])
    head = ("e", "planted", "emotion label", "recogniser", "95 %", "functionals", "planted", "speaker label", "voice")
    print(f"{options.people} people, {options.clips} clips each corpus; UAR; left: speaker, right: emotion")
    print(("{:>4} {:>8} {:>14} {:>11} {:>15} {:>12} | {:>8} {:>14} {:>7}").format(*head))
    for entanglement in options.entanglement:
        config = toy.ToyConfig(**size, entanglement=entanglement)
        table, X = voices(folder / f"e{entanglement:g}", config)
        speaker, emotion = law(entanglement, options.people)
        floor, leak = (
            read(values, table, "speaker") for values in (one_hot(table["emotion"]), recogniser.decision_function(X))
        )
        print(
            f"{entanglement:4.2f} {speaker:8.3f} {floor['score']:14.3f} {leak['score']:11.3f} "
            f"{leak['low']:7.3f}-{leak['high']:.3f}  {read(X, table, 'speaker')['score']:12.3f} | {emotion:8.3f} "
            f"{read(one_hot(table['speaker']), table, 'emotion')['score']:14.3f} "
            f"{read(X, table, 'emotion')['score']:7.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
