"""The leakage of a user's own embeddings: every array of a file, every factor of its labels.

For each factor: the scores of the probes, the same after LEACE, the floors (the most frequent class, the labels of
other factors, a random projection of the inputs), the ceiling (the inputs, where they are given) and the dependence;
for the factor speaker also verification. The emotion is added as utility where the labels have it. Many clips are
measured in the mode of `large`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mien.audit.embedding_files.read import Labelled, Matrix, require_factor
from mien.audit.leakage import floors
from mien.audit.leakage.dependence import dependence
from mien.audit.leakage.large import LARGE, leakage_large
from mien.audit.leakage.leakage import corrected, leakage
from mien.audit.leakage.verification import verification
from mien.audit.options import DEFAULT, LeakageOptions
from mien.audit.probes.task import ProbingTask
from mien.audit.recognition import groups
from mien.common.leakage_tables import CEILING, FLOOR, LEACE, LEAKAGE, MEASURED, SEEN, SPEAKER
from mien.corpora.corpus import fractions
from mien.corpora.recordings import recording_of_all
from mien.errors import AuditError

EMOTION = "emotion"  # the column that is measured as utility
GROUPING = ("recording", "sentence")  # what is kept apart where every clip has it
SAMPLE = 5_000  # clips for verification and dependence, of many
WIDEST = 50_000_000  # numbers in the one-hot labels of an identity floor


class Measured(NamedTuple):
    """Rows of `leakage.csv`, and notes: sentences on what was left out or measured differently."""

    table: pd.DataFrame
    notes: tuple[str, ...]


class View(NamedTuple):
    """The clips whose label of a factor is known.

    Attributes:
        task: what is probed, the same for all embeddings; its `speakers` are known where they are not the factor.
        places: (n,), rows of the table of labels.
        rows: (n,), rows of the arrays.
        scaled: whether the mode of `large` is used.
        notes: sentences on clips and columns that are left out.
    """

    task: ProbingTask
    places: NDArray[np.intp]
    rows: NDArray[np.intp]
    scaled: bool
    notes: tuple[str, ...]


def measure(
    found: Labelled, options: LeakageOptions = DEFAULT, *, model: str = "", inputs: Labelled | None = None
) -> Measured:
    """Measure every embedding for every factor, and for the emotion as utility where the labels have it.

    The utility is that of all clips and of unseen speakers, unless the emotion is one of the given factors.

    Args:
        found: embeddings with labels.
        options: the factors, and how they are measured. `balanced` does not apply to that factor itself,
            `seen_speakers` changes nothing for the factor speaker.
        model: what to write as `model`.
        inputs: the inputs of the encoder, one vector for each clip, in the same rows as `found`.

    Raises:
        AuditError: a factor is unknown, has one class, has a different class in every clip, or cannot be divided;
            `balanced` or `seen_speakers` in the mode for many clips.
    """
    factors = options.factors
    for factor in [*factors, *([] if options.balanced is None else [options.balanced])]:
        require_factor(found.labels, factor, found.place)
    parts = [_factor(found, factor, inputs, options) for factor in factors]
    notes = [sentence for part in parts for sentence in part.notes]
    if EMOTION in found.labels and EMOTION not in factors:
        try:
            require_factor(found.labels, EMOTION, found.place)
            utility = _factor(found, EMOTION, inputs, replace(options, balanced=None, seen_speakers=False))
        except AuditError as error:
            notes.append(f"the emotion is not measured as utility: {error}")
        else:
            parts.append(utility)
            notes += utility.notes
    joined = pd.concat([part.table for part in parts], ignore_index=True).reindex(columns=list(LEAKAGE))
    filled = joined.assign(speakers=options.speakers, model=joined["model"].where(joined["role"] != MEASURED, model))
    return Measured(corrected(filled.astype({"classes": "Int64"})), tuple(dict.fromkeys(notes)))


def view_of(found: Labelled, factor: str, options: LeakageOptions) -> View:
    """The clips whose label of a factor is known, with their other columns."""
    labels, notes = found.labels, []
    kept = labels[factor].notna()
    if missing := int((~kept).sum()):
        notes.append(f"{factor}: {missing} of {len(kept)} clips have no label and are left out")
    over = options.balanced if options.balanced != factor else None
    needed = dict.fromkeys(name for name in (SPEAKER, over) if name is not None and name in labels)
    for name in needed:
        if lacking := int((kept & labels[name].isna()).sum()):
            notes.append(f"{factor}: {lacking} of {len(kept)} clips have no {name} and are left out")
            kept &= labels[name].notna()
    table = labels[kept]
    places = np.flatnonzero(kept.to_numpy()).astype(np.intp)
    if not len(places):
        raise AuditError(f"{found.place}: no clip has both a label of '{factor}' and its {' and '.join(needed)}")
    known: dict[str, NDArray[np.str_] | None] = dict.fromkeys(GROUPING)
    for name in GROUPING:
        if factor == name:
            continue
        values = recording_of_all(table) if name == "recording" else table.get(name)
        if values is not None and values.notna().all():
            known[name] = values.to_numpy(str)
        elif name in table:
            notes.append(f"{factor}: some clips have no {name}, so it is not kept apart")
    scaled = options.large or len(places) > LARGE
    if scaled and (over is not None or options.seen_speakers):
        way = "seen speakers" if over is None else "balanced test clips"
        raise AuditError(
            f"{factor}: no {way} in the mode for many clips (over {LARGE:,}, or --large); leave this option out"
        )
    numbers = pd.to_numeric(table[factor]).to_numpy(float) if is_number(table, factor) else None
    if numbers is not None:
        if scaled or over is not None:
            way = "are not probed in the mode for many clips" if scaled else "have no classes that could be balanced"
            raise AuditError(f"{factor}: its numbers {way}; give classes, such as age groups instead of years")
        notes.append(f"{factor}: numbers, which probes predict (CCC); no LEACE and no dependence")
    task = ProbingTask(
        table[factor].to_numpy(str),
        factor,
        speakers=table[SPEAKER].to_numpy(str) if factor != SPEAKER and SPEAKER in table else None,
        recordings=known["recording"],
        sentences=known["sentence"],
        balanced=None if over is None else table[over].to_numpy(str),
        over=over or "",
        numbers=numbers,
        options=options,
    )
    if known["recording"] is not None and ("recording" not in table or table["recording"].isna().any()):
        notes.append(f"{factor}: clips of one file are taken as one recording")
    if over is not None:
        notes.append(f"{factor}: test clips are balanced over {over}")
    if factor == SPEAKER and options.speakers == SEEN:
        notes.append(f"{factor}: no verification, since the encoder has seen these speakers")
    if scaled:
        notes.append(f"{factor}: no LEACE and no random projection of the inputs in the mode for many clips")
    rows = places if found.rows is None else found.rows[places]
    return View(task, places, rows, scaled, tuple(notes))


def is_number(labels: pd.DataFrame, factor: str) -> bool:
    """Whether a factor is a number and no class: its column holds numbers with fractions. A speaker is a class."""
    return factor != SPEAKER and fractions(labels[factor])


def _factor(found: Labelled, factor: str, inputs: Labelled | None, options: LeakageOptions) -> Measured:
    """All rows of one factor."""
    view = view_of(found, factor, options)
    others = _others(found, view, options)
    wide = [name for name, labels in others.items() if pd.Series(labels).nunique() * len(labels) > WIDEST]
    notes = [f"{factor}: no identity floor of {name}, which has too many classes for so many clips" for name in wide]
    kept = {name: labels for name, labels in others.items() if name not in wide}
    tables = [table for name, values in found.arrays.items() for table in _measured(name, values, view)]
    tables += _beside(found, view, kept, inputs)
    table = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return Measured(table, (*view.notes, *notes))


def _measured(name: str, values: Matrix, view: View) -> Iterator[pd.DataFrame]:
    """The rows of one embedding. For the factor emotion LEACE erases the speaker, else the factor itself."""
    task = view.task
    yield _read(values, view).assign(embedding=name, eraser="")
    if task.numbers is not None:
        return
    erase = task.speakers if task.factor == EMOTION else task.labels
    if not view.scaled and erase is not None:
        yield _read(values, view, erase).assign(embedding=name, eraser=LEACE)
    few, seed = np.arange(len(view.rows)), task.options.seed
    if view.scaled and len(few) > SAMPLE:
        few = np.sort(np.random.default_rng([seed, 14]).choice(len(few), SAMPLE, replace=False))
    sample, labels = np.asarray(values[view.rows[few]]), np.asarray(task.labels)[few]
    clusters, recordings = (
        None if known is None else np.asarray(known)[few] for known in (task.speakers, task.recordings)
    )
    if task.factor == SPEAKER and task.options.speakers != SEEN:
        pairs = verification(_standardised(sample), labels, recordings=recordings, seed=seed)
        if len(pairs):
            yield pairs.assign(embedding=name, eraser="", split=pairs["split"] + "; columns standardised")
    found = dependence(sample, labels, factor=task.factor, clusters=clusters, seed=seed)
    yield found.assign(embedding=name, eraser="")


def _standardised(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Columns of mean 0 and deviation 1, constant ones 0: else the cosine is that of columns of the largest unit."""
    columns = np.asarray(values, np.float64)
    columns = columns - columns.mean(axis=0)
    deviation = columns.std(axis=0)
    return np.asarray(np.divide(columns, deviation, out=np.zeros_like(columns), where=deviation > 0))


def _read(values: Matrix | None, view: View, erase: ArrayLike | None = None) -> pd.DataFrame:
    """The scores of the probes, in the mode for many clips or not."""
    if not view.scaled and values is not None:
        return leakage(values[view.rows], view.task, erase=erase)
    return leakage_large(values, view.task, rows=view.rows)


def _others(found: Labelled, view: View, options: LeakageOptions) -> dict[str, NDArray[np.object_]]:
    """Labels of other factors, for identity floors: the given factors, the emotion, and for it groups of speakers.

    A factor that is constant for each speaker, such as gender, is no floor of the factor speaker: it is part of the
    identity. The speaker is a floor where the same speakers fit and test.
    """
    table, factor = found.labels.iloc[view.places], view.task.factor
    names = [*options.factors, EMOTION, *([] if options.balanced is None else [options.balanced])]
    names = [name for name in dict.fromkeys(names) if name in table and name not in (factor, SPEAKER)]
    names = [name for name in names if not is_number(table, name)]
    if factor == SPEAKER:
        names = [name for name in names if table.groupby(SPEAKER)[name].nunique().max() > 1]
    others = {name: table[name].to_numpy(object) for name in names if 1 < table[name].nunique() < len(table)}
    if factor == SPEAKER or SPEAKER not in table:
        return others
    who = table[SPEAKER].astype(str)
    if factor == EMOTION:
        for name, group in groups.factors(table.assign(speaker=who)).items():
            others.setdefault(name, who.map(group).to_numpy(object))
    return others | ({SPEAKER: who.to_numpy(object)} if options.seen_speakers else {})


def _beside(
    found: Labelled, view: View, others: dict[str, NDArray[np.object_]], inputs: Labelled | None
) -> Iterator[pd.DataFrame]:
    """Floors and ceilings of a factor."""
    vectors = None if inputs is None else next(iter(inputs.arrays.values()))
    rows = view.places if inputs is None or inputs.rows is None else inputs.rows[view.places]
    if not view.scaled:
        widths = {values.shape[1] for values in found.arrays.values()}
        kept = None if vectors is None else vectors[rows]
        yield floors.floors(view.task, others=others, inputs=kept, dimension=widths)
        return
    yield _read(None, view).assign(embedding=floors.MAJORITY, eraser="", model=floors.MODEL, role=FLOOR)
    for name, labels in others.items():
        columns = floors.one_hot(labels).astype(np.float32)
        table = _read(columns, view._replace(rows=np.arange(len(columns))))
        yield table.assign(embedding=floors.IDENTITY.format(name), eraser="", model=floors.MODEL, role=FLOOR)
    if vectors is not None:
        table = _read(vectors, view._replace(rows=rows))
        yield table.assign(embedding=floors.INPUTS, eraser="", model=floors.MODEL, role=CEILING)
