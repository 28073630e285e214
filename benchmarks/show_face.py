"""How a model of single images does on the test part, by seed: accuracy with and without copies, recall by class.

    python benchmarks/show_face.py RUN --prepared PREPARED

Copies are test images whose pixels stand in the training part, or in all of Training (training and validation parts).
Intervals are over images, by a bootstrap of which the seeds are averaged first; the corpus names no persons.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from mien.audit.statistics import calibration
from mien.data.prepared import Prepared
from mien.runs.run import Run


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--prepared", required=True)
    given = parser.parse_args()
    run, table = Run.open(given.run), Prepared.open(given.prepared).table.set_index("clip")
    rows = run.predictions.query("split == 'test'")
    for model, own in rows.groupby("model"):
        print(
            f"\n## {model}\n\n| images | count | " + " | ".join(f"seed {seed}" for seed in run.experiment.seeds), end=""
        )
        print(
            " | mean | 95 % over images | recall, mean over classes |\n|" + " --- |" * (len(run.experiment.seeds) + 5)
        )
        hashes = table["sha256"].reindex(own["clip"]).to_numpy()
        parts = {part: set(table["sha256"][table["split"] == part]) for part in ("train", "validation")}
        copied = {name: np.isin(hashes, list(known)) for name, known in _known(parts).items()}
        kept = {"all of the test part": np.ones(len(own), bool)}
        kept |= {f"without copies in {name}": ~copy for name, copy in copied.items()}
        for name, keep in kept.items():
            print(_line(name, own[keep], run.experiment.seeds))
        print("\n| class | images | recall | 95 % over images | " + "most often taken for |\n|" + " --- |" * 5)
        for emotion in run.classes:
            print(_recall(emotion, own[own["truth"] == emotion]))
        for seed, seeded in own.groupby("seed"):
            members = calibration.member_predictions(seeded, run.classes)
            error = calibration.expected_calibration_error(members.probabilities(1.0), members.truth)
            print(f"\nseed {seed}: expected calibration error {error:.4f}, without a temperature")


def _known(parts: dict[str, set[str]]) -> dict[str, set[str]]:
    return {"training": parts["train"], "training and validation": parts["train"] | parts["validation"]}


def _line(name: str, rows: pd.DataFrame, seeds: tuple[int, ...]) -> str:
    right = rows["predicted"] == rows["truth"]
    each = [f"{right[rows['seed'] == seed].mean():.4f}" for seed in seeds]
    clips = right.groupby(rows["clip"]).mean()
    recall = right.groupby(rows["truth"]).mean().mean()
    return f"| {name} | {len(clips)} | {' | '.join(each)} | {right.mean():.4f} | {_interval(clips)} | {recall:.3f} |"


def _recall(emotion: str, rows: pd.DataFrame) -> str:
    right = (rows["predicted"] == rows["truth"]).groupby(rows["clip"]).mean()
    wrong = rows["predicted"][rows["predicted"] != emotion].value_counts()
    other = f"{wrong.index[0]} ({wrong.iloc[0] / len(rows):.3f})" if len(wrong) else ""
    return f"| {emotion} | {len(right)} | {right.mean():.3f} | {_interval(right)} | {other} |"


def _interval(values: "pd.Series[float]") -> str:
    generator = np.random.default_rng(0)
    means = [values.sample(frac=1, replace=True, random_state=generator).mean() for _ in range(2000)]
    low, high = np.percentile(means, [2.5, 97.5])
    return f"[{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
