"""From recordings to a prediction in Python: a toy corpus, two models, their scores, and emotion over time.

    python examples/toy_to_prediction.py FOLDER

About a minute on one core. With `mien.prepare("table", "corpus.csv", out=...)` in its place the corpus is your own.
"""

import sys
from pathlib import Path

import mien
from mien.corpora import toy

EXPERIMENT = """\
extends: demo
title: emotion only and MEnAN on a small toy corpus
models: {multitask: null}
protocol: {name: leave_one_speaker_out, folds: [0, 1]}
training: {epochs: 30}
"""


def main(folder: Path) -> None:
    """Make a corpus, prepare it, train on it, and predict one of its recordings."""
    recordings, prepared, run = folder / "recordings", folder / "prepared", folder / "run"
    toy.generate(recordings, toy.ToyConfig(people=6, clips=96, size=32, difficulty=0.0))
    experiment = folder / "experiment.yaml"
    experiment.write_text(EXPERIMENT, encoding="utf-8")
    mien.prepare("toy", recordings, out=prepared, experiment=experiment)

    done = mien.train(experiment, [f"data.prepared={prepared}"], out=run)
    for model, scores in done.data["models"].items():
        test = scores["test"]
        print(f"{model}: test UAR {test['uar']:.3f}, 95 % {test['uar_low']:.3f} to {test['uar_high']:.3f}")
    print(f"report: {done.data['report']}")

    recording = next(recordings.rglob("*.mp4"))
    for row in mien.predict([recording], model=run, window=1.0, hop=0.5).data["rows"]:
        print(f"{row['start']:5.2f} - {row['end']:5.2f} s  {row['emotion']}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/toy_to_prediction.py FOLDER")
    main(Path(sys.argv[1]))
