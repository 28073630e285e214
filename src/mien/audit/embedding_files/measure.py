"""The leakage of a user's own embeddings: every array of a file, every factor of its labels.

For each factor: the scores of the probes, the same after LEACE, the floors (the most frequent class, the labels of
other factors, a random projection of the inputs), the ceiling (the inputs, where they are given) and the dependence;
for the factor speaker also verification. The emotion is added as utility where the labels have it. Many clips are
measured in the mode of `large`.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mien.audit.embedding_files.read import Labelled, Matrix, require_factor
from mien.audit.leakage import floors
from mien.audit.leakage.dependence import dependence
from mien.audit.leakage.large import LARGE, leakage_large
from mien.audit.leakage.leakage import Asked, corrected, leakage
from mien.audit.leakage.verification import verification
from mien.audit.probes.division import SPEAKER
from mien.audit.recognition import groups
from mien.common.leakage_tables import CEILING, FLOOR, LEACE, LEAKAGE, MEASURED, SEEN
from mien.errors import AuditError

EMOTION = "emotion"  # the column that is measured as utility
GROUPING = ("recording", "sentence")  # columns that are kept apart where every clip has them
SAMPLE = 5_000  # clips for verification and dependence, of many
WIDEST = 50_000_000  # numbers in the one-hot labels of an identity floor


class Measured(NamedTuple):
    """Rows of `leakage.csv`, and notes: sentences on what was left out or measured differently."""

    table: pd.DataFrame
    notes: tuple[str, ...]


class How(NamedTuple):
    """How all factors are measured; see `measure`."""

    seen: str | None = None
    large: bool = False
    balanced: str | None = None
    seen_speakers: bool = False
    seed: int = 0


class View(NamedTuple):
    """The clips whose label of a factor is known.

    Attributes:
        factor: its name.
        labels: (n,), its classes.
        places: (n,), rows of the table of labels.
        rows: (n,), rows of the arrays.
        speakers: (n,), the speaker of each clip, where known and not the factor.
        asked: arguments of `leakage` that are the same for all embeddings.
        scaled: whether the mode of `large` is used.
        notes: sentences on clips and columns that are left out.
    """

    factor: str
    labels: NDArray[np.str_]
    places: NDArray[np.intp]
    rows: NDArray[np.intp]
    speakers: NDArray[np.str_] | None
    asked: Asked
    scaled: bool
    notes: tuple[str, ...]


def measure(
    found: Labelled,
    factors: Sequence[str],
    *,
    model: str = "",
    inputs: Labelled | None = None,
    seen: str | None = None,
    large: bool = False,
    balanced: str | None = None,
    seen_speakers: bool = False,
    seed: int = 0,
) -> Measured:
    """Measure every embedding for every factor, and for the emotion as utility where the labels have it.

    Args:
        found: embeddings with labels.
        factors: columns of the labels.
        model: what to write as `model`.
        inputs: the inputs of the encoder, one vector for each clip, in the same rows as `found`.
        seen: whether the encoder had seen these speakers: seen, unseen, or None where unknown.
        large: whether to use the mode of `large`, however many clips there are.
        balanced: a column of the labels over which test clips are balanced, see `leakage`; not for that factor itself.
        seen_speakers: whether probes are tested on speakers that they were fitted on, whatever the factor, as Peri et
            al. (2021) do; for the factor speaker they always are. The utility only where the emotion is in `factors`.
        seed: of all random numbers.

    Raises:
        AuditError: a factor is unknown, has one class, has a different class in every clip, or cannot be divided;
            `balanced` or `seen_speakers` in the mode for many clips.
    """
    how = How(seen, large, balanced, seen_speakers, seed)
    for factor in [*factors, *([] if balanced is None else [balanced])]:
        require_factor(found.labels, factor, found.place)
    parts = [_factor(found, factor, factors, inputs, how) for factor in factors]
    notes = [sentence for part in parts for sentence in part.notes]
    if EMOTION in found.labels and EMOTION not in factors:
        try:
            require_factor(found.labels, EMOTION, found.place)
            utility = _factor(found, EMOTION, factors, inputs, how._replace(balanced=None, seen_speakers=False))
        except AuditError as error:
            notes.append(f"the emotion is not measured as utility: {error}")
        else:
            parts.append(utility)
            notes += utility.notes
    joined = pd.concat([part.table for part in parts], ignore_index=True)
    filled = joined.assign(speakers=seen, model=joined["model"].where(joined["role"] != MEASURED, model))
    return Measured(corrected(filled.reindex(columns=list(LEAKAGE))), tuple(dict.fromkeys(notes)))


def view_of(found: Labelled, factor: str, how: How) -> View:
    """The clips whose label of a factor is known, with their other columns."""
    labels, notes = found.labels, []
    kept = labels[factor].notna()
    if missing := int((~kept).sum()):
        notes.append(f"{factor}: {missing} of {len(kept)} clips have no label and are left out")
    over = how.balanced if how.balanced != factor else None
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
        if name in table and factor != name:
            if table[name].notna().all():
                known[name] = table[name].to_numpy(str)
            else:
                notes.append(f"{factor}: some clips have no {name}, so it is not kept apart")
    scaled = how.large or len(places) > LARGE
    if scaled and (over is not None or how.seen_speakers):
        way = "seen speakers" if over is None else "balanced test clips"
        raise AuditError(
            f"{factor}: no {way} in the mode for many clips (over {LARGE:,}, or --large); leave this option out"
        )
    speakers = table[SPEAKER].to_numpy(str) if factor != SPEAKER and SPEAKER in table else None
    asked: Asked = {
        **{"factor": factor, "speakers": speakers, "recordings": known["recording"], "sentences": known["sentence"]},
        **{"balanced": None if over is None else table[over].to_numpy(str), "over": over or ""},
        **{"seen": how.seen, "seed": how.seed},
        "apart": "clips" if how.seen_speakers and factor != SPEAKER else "auto",
    }
    if over is not None:
        notes.append(f"{factor}: test clips are balanced over {over}")
    if factor == SPEAKER and how.seen == SEEN:
        notes.append(f"{factor}: no verification, since the encoder has seen these speakers")
    if scaled:
        notes.append(f"{factor}: no LEACE and no random projection of the inputs in the mode for many clips")
    rows = places if found.rows is None else found.rows[places]
    return View(factor, table[factor].to_numpy(str), places, rows, speakers, asked, scaled, tuple(notes))


def _factor(found: Labelled, factor: str, factors: Sequence[str], inputs: Labelled | None, how: How) -> Measured:
    """All rows of one factor."""
    view = view_of(found, factor, how)
    others = _others(found, view, factors, how)
    wide = [name for name, labels in others.items() if pd.Series(labels).nunique() * len(labels) > WIDEST]
    notes = [f"{factor}: no identity floor of {name}, which has too many classes for so many clips" for name in wide]
    kept = {name: labels for name, labels in others.items() if name not in wide}
    tables = [table for name, values in found.arrays.items() for table in _measured(name, values, view)]
    tables += _beside(found, view, kept, inputs)
    table = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return Measured(table, (*view.notes, *notes))


def _measured(name: str, values: Matrix, view: View) -> Iterator[pd.DataFrame]:
    """The rows of one embedding. For the factor emotion LEACE erases the speaker, else the factor itself."""
    yield _read(values, view).assign(embedding=name, eraser="")
    erase = view.speakers if view.factor == EMOTION else view.labels
    if not view.scaled and erase is not None:
        yield _read(values, view, erase).assign(embedding=name, eraser=LEACE)
    few, seed = np.arange(len(view.rows)), view.asked["seed"]
    if view.scaled and len(few) > SAMPLE:
        few = np.sort(np.random.default_rng([seed, 14]).choice(len(few), SAMPLE, replace=False))
    sample, labels = np.asarray(values[view.rows[few]]), view.labels[few]
    if view.factor == SPEAKER and view.asked["seen"] != SEEN:
        where = view.asked["recordings"]
        pairs = verification(sample, labels, recordings=None if where is None else np.asarray(where)[few], seed=seed)
        if len(pairs):
            yield pairs.assign(embedding=name, eraser="", split=pairs["split"] + "; not centred")
    clusters = None if view.speakers is None else view.speakers[few]
    found = dependence(sample, labels, factor=view.factor, clusters=clusters, seed=seed)
    yield found.assign(embedding=name, eraser="")


def _read(values: Matrix | None, view: View, erase: ArrayLike | None = None) -> pd.DataFrame:
    """The scores of the probes, in the mode for many clips or not."""
    if not view.scaled and values is not None:
        return leakage(values[view.rows], view.labels, erase=erase, **view.asked)
    recordings, sentences = view.asked["recordings"], view.asked["sentences"]
    return leakage_large(
        values,
        view.labels,
        rows=view.rows,
        factor=view.factor,
        speakers=view.speakers,
        recordings=None if recordings is None else np.asarray(recordings),
        sentences=None if sentences is None else np.asarray(sentences),
        seen=view.asked["seen"],
        seed=view.asked["seed"],
    )


def _others(found: Labelled, view: View, factors: Sequence[str], how: How) -> dict[str, NDArray[np.object_]]:
    """Labels of other factors, for identity floors: the given factors, the emotion, and for it groups of speakers.

    A factor that is constant for each speaker, such as gender, is no floor of the factor speaker: it is part of the
    identity. The speaker is a floor where the same speakers fit and test.
    """
    table = found.labels.iloc[view.places]
    names = [*factors, EMOTION, *([] if how.balanced is None else [how.balanced])]
    names = [name for name in dict.fromkeys(names) if name in table and name not in (view.factor, SPEAKER)]
    if view.factor == SPEAKER:
        names = [name for name in names if table.groupby(SPEAKER)[name].nunique().max() > 1]
    others = {name: table[name].to_numpy(object) for name in names if 1 < table[name].nunique() < len(table)}
    if view.speakers is not None and view.factor == EMOTION:
        who = table[SPEAKER].astype(str)
        for name, group in groups.factors(table.assign(speaker=who)).items():
            others.setdefault(name, who.map(group).to_numpy(object))
    if view.speakers is not None and how.seen_speakers:
        others[SPEAKER] = view.speakers.astype(object)
    return others


def _beside(
    found: Labelled, view: View, others: dict[str, NDArray[np.object_]], inputs: Labelled | None
) -> Iterator[pd.DataFrame]:
    """Floors and ceilings of a factor."""
    vectors = None if inputs is None else next(iter(inputs.arrays.values()))
    rows = view.places if inputs is None or inputs.rows is None else inputs.rows[view.places]
    if not view.scaled:
        widths = {values.shape[1] for values in found.arrays.values()}
        kept = None if vectors is None else vectors[rows]
        yield floors.floors(view.labels, others=others, inputs=kept, dimension=widths, **view.asked)
        return
    yield _read(None, view).assign(embedding=floors.MAJORITY, eraser="", model=floors.MODEL, role=FLOOR)
    for name, labels in others.items():
        columns = floors.one_hot(labels).astype(np.float32)
        table = _read(columns, view._replace(rows=np.arange(len(columns))))
        yield table.assign(embedding=floors.IDENTITY.format(name), eraser="", model=floors.MODEL, role=FLOOR)
    if vectors is not None:
        table = _read(vectors, view._replace(rows=rows))
        yield table.assign(embedding=floors.INPUTS, eraser="", model=floors.MODEL, role=CEILING)
