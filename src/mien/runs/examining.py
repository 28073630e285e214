"""The answers of a run's models under conditions: with frames missing, noise, other voices, or sound that is late.

Where frames are missing they are marked as not valid (`data.hidden`). What changes the sound is extracted again
(`runs.changed_sound`). Conditions of the same inputs are answered once, under the one that stands for them
(`Condition.same`).
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from mien import features
from mien.common.progress import progress
from mien.common.settings import digest
from mien.data.batch import Modality
from mien.data.batches import Examples, Frames
from mien.data.dataset import Dataset
from mien.data.hidden import Hidden
from mien.errors import RunError
from mien.experiments.conditions import MASKS, NOTHING, OF_SOUND, Condition, Conditions, Series
from mien.media.perturbations import Mask, missing
from mien.runs import changed_sound
from mien.runs.cell import Model
from mien.runs.other_corpus import model_for
from mien.runs.run import Cell, Run

WORDS = {"audio": "sound", "video": "pictures"}


@dataclass(frozen=True)
class Tested:
    """A cell, and the clips that it answers.

    Attributes:
        cell: a finished one.
        dataset: of the clips, with their features.
        clips: their table.
        classes: those that the model chooses among; None takes all of its own.
    """

    cell: Cell
    dataset: Dataset
    clips: pd.DataFrame
    classes: tuple[str, ...] | None = None


class Answer(NamedTuple):
    """The answers to R clips: R names of classes and R x K probabilities; or R numbers, and None."""

    predicted: NDArray[Any]
    probabilities: NDArray[np.float32] | None


class Answered(NamedTuple):
    """The answers of all cells of one model.

    Attributes:
        model: its name.
        rows: `clip, speaker, model, fold, seed, split, truth`, R rows, cell after cell.
        answers: condition, one that stands for all of the same inputs -> the answers to the rows.
        examined: the series that were examined.
        lacking: series -> why it was not examined, one clause.
    """

    model: str
    rows: pd.DataFrame
    answers: dict[Condition, Answer]
    examined: tuple[Series, ...]
    lacking: dict[Series, str]


def examine(
    run: Run,
    tested: Sequence[Tested],
    grid: Conditions,
    *,
    device: torch.device,
    folder: Path,
    split: str = "test",
    workers: int = 1,
) -> Iterator[Answered]:
    """Answer clips under all conditions that apply, model after model.

    Args:
        run: of the cells.
        tested: the cells with their clips, in the order of models; their features are extracted.
        grid: the conditions.
        device: of the models.
        folder: a new one for the frames of changed sound, needed while models answer.
        split: what the clips are called in the rows.
        workers: number of processes that change the sound.

    Raises:
        RunError: an answer is not finite.
    """
    conditions = list(grid.all())
    changed = _changed(tested, conditions, grid, folder, workers)
    models: dict[str, list[Tested]] = {}
    for one in tested:
        models.setdefault(one.cell.model, []).append(one)
    with progress(len(tested), "answering under all conditions", "cells") as advance:
        for name, own in models.items():
            lacking = _lacking(own, conditions, changed, lambda one: run.experiment_at(one.cell).inputs(one.cell.model))
            left = [one for one in conditions if one.series not in lacking]
            asked = list(dict.fromkeys([NOTHING, *(one.same for one in left)]))
            rows, parts = [], []
            for one in own:
                table, answers = _of_cell(run, one, asked, changed, grid.seed, device)
                place: dict[str, Any] = one.cell.place(split)
                rows.append(table.assign(**place))
                parts.append(answers)
                advance()
            examined = tuple(dict.fromkeys(one.series for one in left))
            yield Answered(name, pd.concat(rows, ignore_index=True), _together(asked, parts), examined, lacking)


def _lacking(
    tested: Sequence[Tested],
    conditions: Sequence[Condition],
    changed: Mapping[str, changed_sound.Changed],
    taken: Callable[[Tested], Collection[str]],
) -> dict[Series, str]:
    """Series -> why it is not examined, of those that do not apply to a dataset, or of which no sound can be made."""
    found: dict[Series, str] = {}
    for one in tested:
        own = taken(one)
        for condition in conditions:
            why = applies(one.dataset, condition, own) or changed[_sound(one.dataset)].lacking.get(condition, "")
            if why:
                found.setdefault(condition.series, why)
    return found


def applies(dataset: Dataset, condition: Condition, taken: Collection[str] | None = None) -> str:
    """Why a condition does not apply to models of these features, one clause; empty where it does.

    Args:
        dataset: of the clips.
        condition: what is missing.
        taken: the modalities that the models take; None where they take all that there are.
    """
    for modality in filter(None, condition.modality.split("+")):
        if modality not in dataset.stores or (taken is not None and modality not in taken):
            return f"the models take no {WORDS[modality]}"
        name, _ = dataset.settings.features[modality]
        source, single = features.source_of(name), math.isinf(_hop(dataset, modality))
        if single and condition.pattern in MASKS and condition.pattern != "whole":
            what = "an image" if source == "images" else "one vector"
            return f"a clip's {WORDS[modality]} are {what} ({name}), of which no part can be missing"
        if single and condition.pattern == "shift":
            return f"a clip's {WORDS[modality]} are one vector ({name}), which has no time"
        if modality == "audio" and source != "media" and condition.pattern in OF_SOUND:
            where = "files of vectors" if source == "files" else "the corpus's table"
            return f"the models' sound comes from {where} ({name})"
    return ""


def _hop(dataset: Dataset, modality: str) -> float:
    name, config = dataset.settings.features[modality]  # type: ignore[index]
    return float(features.feature(name).hop(config))


def _sound(dataset: Dataset) -> str:
    """What datasets whose sound gives the same frames have in common."""
    if "audio" not in dataset.stores:
        return ""
    name, config = dataset.settings.features["audio"]
    return digest([name, config.model_dump(mode="json")])


def _changed(
    tested: Sequence[Tested], conditions: Sequence[Condition], grid: Conditions, folder: Path, workers: int
) -> dict[str, changed_sound.Changed]:
    """The frames of changed sound, by the audio feature of the datasets."""
    voices = grid.babble.voices if grid.babble is not None else 0
    found: dict[str, changed_sound.Changed] = {}
    for key in dict.fromkeys(_sound(one.dataset) for one in tested):
        same = [one for one in tested if _sound(one.dataset) == key]
        dataset = max(
            (one.dataset for one in same), key=lambda own: len(own.clips)
        )  # of all, or the most, of the clips
        asked = [one for one in conditions if one.pattern in OF_SOUND and one.same == one]
        asked = [one for one in asked if not all(applies(own.dataset, one) for own in same)]
        found[key] = changed_sound.Changed({}, {})
        if asked:
            clips = {clip for one in same for clip in one.clips["clip"]}
            settings = {"seed": grid.seed, "voices": voices, "workers": workers}
            found[key] = changed_sound.extract(dataset, clips, asked, folder=folder / key, **settings)
    return found


def _of_cell(
    run: Run,
    tested: Tested,
    conditions: Sequence[Condition],
    changed: Mapping[str, changed_sound.Changed],
    seed: int,
    device: torch.device,
) -> tuple[pd.DataFrame, list[Answer]]:
    """The truth of a cell's clips, and its answers under each condition."""
    model, clips, dataset = _model(run, tested, device), tested.clips, tested.dataset
    main = dataset.main if model.main.kind == "soft" and tested.classes is not None else model.main
    places = list(range(len(main.classes)))
    if tested.classes:  # the models choose among the classes that both have
        places = [main.classes.index(name) for name in tested.classes]
        main = main.only(places)
    rows = clips[["clip", "speaker"]].assign(truth=main.truth(clips).to_numpy())
    examples = dataset.examples(list(clips["clip"]), {})
    answers = []
    for condition in conditions:
        sources = _sources(dataset, condition, changed[_sound(dataset)], seed)
        inference = model.infer(_with(examples, sources), embed=False)
        outputs = inference.outputs[main.factor]
        if not np.isfinite(outputs).all():
            clip = inference.clips[int((~np.isfinite(outputs)).reshape(len(outputs), -1).any(axis=1).argmax())]
            raise RunError(
                f"{tested.cell.folder}: its answer to '{clip}' under {' '.join(map(str, condition))} is not finite"
            )
        if main.kind == "numbers":
            answers.append(Answer(main.values(outputs)[:, 0], None))
            continue
        probabilities = replace(inference, outputs={main.factor: outputs[:, places]}).probabilities(main.factor)
        names = np.array(main.classes, dtype=object)
        answers.append(Answer(names[probabilities.argmax(axis=1)], probabilities.astype(np.float32)))
    return rows.reset_index(drop=True), answers


def _model(run: Run, tested: Tested, device: torch.device) -> Model:
    """The cell's model; of another corpus, features that are normalised by speaker are so by its own speakers."""
    if tested.classes is None:
        return Model.load(run.experiment_at(tested.cell), tested.cell, device)
    return model_for(run, tested.cell, tested.dataset, tested.clips, device)


def _sources(
    dataset: Dataset, condition: Condition, changed: changed_sound.Changed, seed: int
) -> dict[Modality, Frames]:
    """Modality -> where its frames come from under a condition, of those that it changes."""
    if condition == NOTHING:
        return {}
    if condition.pattern in OF_SOUND:
        return {"audio": changed.sources[condition]}
    return {
        modality: Hidden(store, partial(_missing, condition, _hop(dataset, modality), seed))
        for modality, store in dataset.stores.items()
        if modality in condition.modality.split("+")
    }


def _missing(condition: Condition, hop: float, seed: int, clip: str, frames: int) -> Mask:
    return missing(condition.pattern, condition.level, frames, hop, seed=seed, clip=clip)  # type: ignore[arg-type]


def _with(examples: Examples, sources: Mapping[Modality, Frames]) -> Examples:
    """The examples with other sources of frames."""
    count = len(examples)
    audio = (sources["audio"],) * count if "audio" in sources else examples.audio
    video = (sources["video"],) * count if "video" in sources else examples.video
    return replace(examples, audio=audio, video=video)


def _together(conditions: Sequence[Condition], parts: Sequence[Sequence[Answer]]) -> dict[Condition, Answer]:
    """The answers of all cells, condition by condition."""
    found = {}
    for condition, answers in zip(conditions, zip(*parts, strict=True), strict=True):
        probabilities = [one.probabilities for one in answers if one.probabilities is not None]
        predicted = np.concatenate([one.predicted for one in answers])
        found[condition] = Answer(predicted, np.concatenate(probabilities) if probabilities else None)
    return found
