"""Read a run in Python: scores of each speaker, and a probe of your own on its embeddings.

    python examples/read_a_run.py RUN

The probe predicts gender: it is fitted on the embeddings of a fold's training speakers and scored on the speakers that
neither the encoder nor the probe has seen. Chance is one half.
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
    """Print the speaker with the lowest score of each model, then how well gender is predicted from its embeddings."""
    run = mien.load(folder)

    test = run.predictions[run.predictions["split"] == "test"]
    test = test.assign(correct=test["truth"] == test["predicted"])
    for model, rows in test.groupby("model", sort=False):
        by_speaker = rows.groupby("speaker")["correct"].mean()
        print(f"{model}: lowest score for speaker {by_speaker.idxmin()}, {by_speaker.min():.0%} of the clips correct")

    tables = []
    for cell in run.cells:
        clips, embeddings = run.embeddings(cell)
        known, seen = clips["gender"].notna(), clips["split"] == "train"
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        probe.fit(embeddings["main"][known & seen], clips["gender"][known & seen])
        unseen = known & ~seen
        guess = probe.predict(embeddings["main"][unseen])
        tables.append(pd.DataFrame({"model": cell.model, "gender": clips["gender"][unseen], "guess": guess}))
    for model, rows in pd.concat(tables).groupby("model", sort=False):
        print(f"{model}: gender, UAR {balanced_accuracy_score(rows['gender'], rows['guess']):.0%}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/read_a_run.py RUN")
    main(Path(sys.argv[1]))
