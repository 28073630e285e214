"""Read a run in Python: scores of each person, and a question of your own to its embeddings.

    python examples/read_a_run.py RUN

The question here is gender: a probe is fitted on the embeddings of a fold's training people and asked about the people
that neither the encoder nor the probe has heard. Chance is one half.
"""

import sys
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mien


def main(folder: Path) -> None:
    """Print the person that each model hears worst, then what its embeddings tell of gender."""
    run = mien.load(folder)

    test = run.predictions[run.predictions["split"] == "test"]
    test = test.assign(right=test["truth"] == test["predicted"])
    for model, rows in test.groupby("model", sort=False):
        by_person = rows.groupby("speaker")["right"].mean()
        print(f"{model}: worst person {by_person.idxmin()}, {by_person.min():.0%} of the clips right")

    told = []
    for cell in run.cells:
        clips, embeddings = run.embeddings(cell)
        known, heard = clips["gender"].notna(), clips["split"] == "train"
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        probe.fit(embeddings["main"][known & heard], clips["gender"][known & heard])
        asked = known & ~heard
        guess = probe.predict(embeddings["main"][asked])
        told.append(pd.DataFrame({"model": cell.model, "gender": clips["gender"][asked], "guess": guess}))
    for model, rows in pd.concat(told).groupby("model", sort=False):
        print(f"{model}: gender told rightly {balanced_accuracy_score(rows['gender'], rows['guess']):.0%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
