"""What a student knows of the emotions that people labelled, and of those that its teacher saw: unseen speakers.

    python benchmarks/show_distill.py RUN [--truth emotion]

RUN is of the recipe `distill`, on a corpus whose table has the column `--truth`, which no training used. For the test
speakers of each fold, who are unseen by the student, it prints

- the AUC of each class, one against the others, by the student's logits: against the class that the teacher finds most
  probable in the clip, and against the label; and the AUC of clips of seen speakers that did not train, if any;
- the score of an affine map and a softmax (`audit.recognition.affine`) from the logits to the labels, which is fitted
  on the validation speakers of the fold, unseen as well: of the student, of the same network untrained, and of the
  teacher's logits, with the difference of student and untrained.

Seeds are averaged within a clip. Intervals are bootstraps over speakers, p by Wilcoxon's test of the speakers' scores.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from mien.audit.recognition import affine
from mien.audit.statistics.scores import draws, interval
from mien.audit.statistics.significance import wilcoxon
from mien.common.measures import auc, uar_of
from mien.data.dataset import open_all
from mien.runs import outputs
from mien.runs.run import Cell, Run

CPU = torch.device("cpu")
LEAST = 1e-12  # of a probability whose logarithm is taken
Array = NDArray[np.float64]


def codes(values: "pd.Series[str]", classes: Sequence[str]) -> NDArray[np.int64]:
    return values.map({name: number for number, name in enumerate(classes)}).fillna(-1).to_numpy(np.int64)


def logits_of(run: Run, cells: Sequence[Cell], truth: str) -> pd.DataFrame:
    """A row for each cell and clip: part, speaker, what the teacher says, the label, and logits of both networks."""
    datasets = open_all(run.experiment.data_of, run.target, cache=run.cache)
    folds = {fold["fold"]: fold for fold in run.splits}
    tables = []
    for cell in cells:
        dataset = datasets[run.attempt(cell)]
        for part in ("validation", "seen", "test"):
            names = folds[cell.fold].get(part, {"clips": []})["clips"]
            if not names:
                continue
            clips = dataset.clips.loc[names]
            found = outputs.outputs(run, cell, dataset, clips, CPU)
            shares = dataset.target(run.target, names).labels(clips).numpy()
            own = clips[["clip", "speaker"]].reset_index(drop=True)
            own = own.assign(model=cell.model, fold=cell.fold, seed=cell.seed, part=part)
            own["teacher"], own["truth"] = clips["label"].tolist(), clips[truth].tolist()
            for name, values in (
                ("student", found.trained),
                ("untrained", found.untrained),
                ("faces", np.log(np.maximum(shares, LEAST))),
            ):
                own = own.assign(**{f"{name} {number}": values[:, number] for number in range(values.shape[1])})
            tables.append(own)
    return pd.concat(tables, ignore_index=True)


def block(table: pd.DataFrame, system: str, classes: Sequence[str]) -> Array:
    return table[[f"{system} {number}" for number in range(len(classes))]].to_numpy(float)


def over_speakers(by_speaker: Array, speakers: Sequence[str]) -> str:
    """A mean over speakers with its interval."""
    times = draws(tuple(speakers), seed=0)
    low, high = interval(times @ by_speaker / times.sum(axis=1), len(speakers))
    return f"{by_speaker.mean():.3f} [{low:.3f}, {high:.3f}]"


def aucs(table: pd.DataFrame, system: str, against: str, classes: Sequence[str]) -> tuple[Array, Array]:
    """The AUC of each class over all speakers, fold by fold and seed by seed, and the mean AUC of each speaker."""
    each, speakers = [], []
    for _, own in table.groupby(["fold", "seed"]):
        scores, right = softmax(block(own, system, classes), axis=1), codes(own[against], classes)
        each.append([_one(right == number, scores[:, number]) for number in range(len(classes))])
        for who, rows in own.groupby("speaker").indices.items():
            areas = [_one(right[rows] == number, scores[rows, number]) for number in range(len(classes))]
            speakers.append((who, np.nanmean(areas)))
    by_speaker = pd.DataFrame(speakers, columns=["speaker", "auc"]).groupby("speaker")["auc"].mean()
    return np.nanmean(np.array(each), axis=0), by_speaker.to_numpy()


def _one(right: NDArray[np.bool_], score: Array) -> float:
    if right.all() or not right.any():
        return float("nan")
    return float(auc(np.stack([~right, right], axis=1), np.stack([-score, score], axis=1)))


def mapped(table: pd.DataFrame, system: str, classes: Sequence[str], *, teachers: Sequence[str]) -> pd.DataFrame:
    """The answers for test clips by affine maps that were fitted on validation clips, the mean over seeds."""
    rows = []
    for (fold, seed), own in table.groupby(["fold", "seed"]):
        fit, test = own[own["part"] == "validation"], own[own["part"] == "test"]
        fit = fit[fit["truth"].isin(classes)]
        found = affine.fit(block(fit, system, teachers), codes(fit["truth"], classes), len(classes))
        answers = found.probabilities(block(test, system, teachers))
        rows.append(
            test[["clip", "speaker", "truth"]].assign(
                fold=fold, seed=seed, **dict(zip(classes, answers.T, strict=True))
            )
        )
    return pd.concat(rows).groupby(["clip", "speaker", "truth"])[list(classes)].mean().reset_index()


def of_speakers(answers: pd.DataFrame, classes: Sequence[str]) -> tuple[Array, float]:
    """The accuracy of each speaker, and the UAR of all."""
    right, said = codes(answers["truth"], classes), answers[list(classes)].to_numpy().argmax(axis=1)
    each = [(right[rows] == said[rows]).mean() for rows in answers.groupby("speaker").indices.values()]
    return np.array(each), uar_of(right, said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--truth", default="emotion")
    given = parser.parse_args()
    run = Run.open(given.run)
    teachers = list(run.classes)
    whole = logits_of(run, run.cells, given.truth)
    for model, table in whole.groupby("model", sort=False):
        test = table[table["part"] == "test"]
        speakers = sorted(test["speaker"].unique())
        labels = sorted(test["truth"].dropna().unique())
        cells = test[["fold", "seed"]].drop_duplicates()
        size = outputs.parameters(run, CPU)[str(model)]
        print(
            f"{model} ({size:,} parameters): {test['clip'].nunique()} clips of {len(speakers)} unseen speakers, "
            f"{cells['fold'].nunique()} folds, {cells['seed'].nunique()} seeds\n"
        )
        print("| AUC (chance .5) | mean over classes, by speaker | " + " | ".join(teachers) + " |")
        print("| --- | --- |" + " --- |" * len(teachers))
        for part, words in (("test", "unseen speakers"), ("seen", "seen speakers, other clips")):
            own = table[table["part"] == part]
            for against, whose in (("teacher", "the teacher's class"), ("truth", "the label")):
                if own.empty:
                    continue
                each, by_speaker = aucs(own, "student", against, teachers)
                names = sorted(own["speaker"].unique())
                shown = " | ".join("-" if np.isnan(area) else f"{area:.2f}" for area in each)
                print(f"| {words}, {whose} | {over_speakers(by_speaker, names)} | {shown} |")
        each, before = aucs(test, "untrained", "truth", teachers)
        _, after = aucs(test, "student", "truth", teachers)
        print(
            f"| untrained, the label | {over_speakers(before, speakers)} | "
            + " | ".join(f"{one:.2f}" for one in each)
            + " |"
        )
        print(
            f"\nAUC of the label, student - untrained: {over_speakers(after - before, speakers)}, "
            f"{(after > before).sum()} of {len(speakers)} speakers above"
            + (f", p {wilcoxon(after - before):.2g}" if len(speakers) > 5 else " (too few speakers for a p)")
        )
        found = {
            name: of_speakers(mapped(table, name, labels, teachers=teachers), labels)
            for name in ("student", "untrained", "faces")
        }
        print(f"\nAffine map to {len(labels)} labels, fitted on validation speakers; chance {1 / len(labels):.3f}\n")
        print("| logits of | UAR | accuracy, by speaker |\n| --- | --- | --- |")
        for name, (each, score) in found.items():
            print(f"| {name} | {score:.3f} | {over_speakers(each, speakers)} |")
        apart = found["student"][0] - found["untrained"][0]
        print(
            f"\naccuracy, student - untrained: {over_speakers(apart, speakers)}, {(apart > 0).sum()} of "
            f"{len(speakers)} speakers above"
            + (f", p {wilcoxon(apart):.2g}" if len(speakers) > 5 else " (too few speakers for a p)")
            + "\n"
        )


if __name__ == "__main__":
    main()
