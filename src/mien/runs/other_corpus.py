"""A run on another corpus: what the two share, and what is refused because the run knows it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from mien import features
from mien.data.dataset import NOTHING, Dataset
from mien.data.joined import NAMED_BY_CHANCE, apart
from mien.data.normalisation import fit
from mien.data.store import ColumnStore
from mien.errors import CorpusError, LeakError
from mien.runs.cell import Model
from mien.runs.run import AFFINE, Cell, Run
from mien.runs.tables import reading


def refuse_empty(dataset: Dataset) -> None:
    """Raise CorpusError where no clip has a modality of the model."""
    if dataset.clips.empty:
        why = next(reason for reason in dataset.left_out if reason in NOTHING.values())
        raise CorpusError(
            f"{dataset.prepared.place}: none of its {dataset.left_out[why]} clips has an input of the model ({why}); "
            "give another corpus"
        )


def model_for(run: Run, cell: Cell, dataset: Dataset, clips: pd.DataFrame, device: torch.device) -> Model:
    """The model of a cell for clips of another corpus; what is normalised by speaker is so by their own speakers."""
    model = Model.load(run.experiment_at(cell), cell, device)
    own = {
        what: fit("speaker", zip(clips["clip"], clips["speaker"], [dataset.stores[what]] * len(clips), strict=True))
        for what, normalise in model.normalise.items()
        if normalise.kind == "speaker" and what in dataset.stores
    }
    return replace(model, normalise=model.normalise | own)


def lacking(dataset: Dataset, clips: Sequence[str]) -> list[str]:
    """Sentences on clips that lack one of several modalities; the features have to be extracted before."""
    notes = []
    for what, store in dataset.stores.items() if len(dataset.stores) > 1 else ():
        if count := sum(not bool(store.valid(clip).any()) for clip in clips):
            visual = "vector of the columns" if isinstance(store, ColumnStore) else "usable face"
            files = not isinstance(store, ColumnStore) and features.source_of(store.name) == "files"
            words = f"vector of {what}" if files else "sound" if what == "audio" else visual
            notes.append(f"{count} of {len(clips)} clips have no {words}, and are scored without it")
    return notes


def refuse_known_files(run: Run, dataset: Dataset) -> None:
    """Raise LeakError where a corpus has files of the run's own corpus."""
    known = set(run.certificate["files"].values())
    same = dataset.clips[dataset.clips["sha256"].isin(known)]
    if len(same):
        what = "images" if same["file"].isna().all() else "files"
        raise LeakError(
            f"{dataset.prepared.place}: {len(same)} of its {len(dataset.clips)} clips are {what} of this run's "
            f"own corpus, such as {same['file'].fillna(same['clip']).iloc[0]}; evaluate on another corpus"
        )


def shared_speakers(run: Run, dataset: Dataset) -> list[str]:
    """Names shared with training speakers; raises LeakError in the same corpus, where they are the same people."""
    card = dataset.prepared.card
    trained = {speaker for fold in run.splits for speaker in fold["train"]["speakers"]}
    if joined := run.certificate.get("corpora"):
        named = (apart(speaker) for speaker in trained)
        trained = {own for name, own in named if joined[name]["reader"] == card["name"]}
    else:
        trained = trained if run.certificate["corpus"] == card["name"] else set()
    shared = sorted(trained & set(dataset.clips["speaker"].dropna()))
    if shared and card["name"] not in NAMED_BY_CHANCE:
        raise LeakError(
            f"{dataset.prepared.place}: {len(shared)} of its speakers are training speakers of this run "
            f"({', '.join(shared[:5])}{', ...' if len(shared) > 5 else ''}); evaluate on another corpus"
        )
    return shared


def shared_classes(run: Run, dataset: Dataset, clips: pd.DataFrame, on: Path | str) -> list[str]:
    """The classes that a corpus shares with the run: all levels or clusters, and none where the target is a number.

    Raises:
        CorpusError: it shares fewer than two classes, or has no clip with a known number.
    """
    soft = dataset.main.kind == "soft"
    values = dataset.clips["label" if soft else dataset.main.columns[0]].dropna()
    if dataset.main.kind == "numbers" or dataset.main.derived:
        if clips.empty:
            raise CorpusError(f"{on}: none of its clips has a known '{run.target}'")
        return list(run.classes)
    present = {name for label in clips["label"] for name in label.split("+")}
    shared = [name for name in run.classes if name in present]
    if len(shared) < 2:
        known = ", ".join(sorted(map(str, values.unique()))) or "none"
        raise CorpusError(
            f"{on}: shares {len(shared)} classes with the run; it has {run.target}: {known}; the run "
            f"({run.experiment.scheme_name}) has: {', '.join(run.classes)}"
        )
    return shared


def folder_name(run: Run, dataset: Dataset, kind: str = "evaluations", before: str = "") -> str:
    """The corpus's name, followed by its hash where another corpus of that name was evaluated before.

    Args:
        run: that is evaluated.
        dataset: of the other corpus.
        kind: the folder in the run where evaluations are.
        before: what the name begins with.
    """
    name, known = before + dataset.prepared.card["name"], dataset.prepared.card["hash"]
    for file in ("metrics.json", AFFINE):
        if run.files.whole(f"{kind}/{name}/{file}"):  # one that is damaged is written anew
            path = run.folder / kind / name / file
            with reading(path):
                there = json.loads(path.read_text(encoding="utf-8"))["corpus_hash"]
            if there != known:
                return f"{name}-{known}"
    return str(name)
