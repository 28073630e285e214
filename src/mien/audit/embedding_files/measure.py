"""The leakage of anybody's embeddings: every array of a file, every factor of its labels.

Beside what the probes read stand the same after LEACE, the floors (the most frequent class, what the label of another
factor says, a random projection of the inputs), the ceiling (the inputs themselves, where these are given), and the
emotion as utility, where the labels tell one. Of the factor speaker there is the verification view besides, of every
factor the dependence. Many clips are measured in the mode of `large`.
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
from mien.audit.leakage.leakage import COLUMNS, Asked, corrected, leakage
from mien.audit.leakage.verification import verification
from mien.audit.leakage.words import EMOTION, ERASED, SEEN
from mien.audit.probes.division import SPEAKER
from mien.audit.recognition import groups
from mien.errors import AuditError

GROUPING = ("recording", "sentence")  # columns that are kept apart where every clip has one
DRAWN = 5_000  # clips for verification and dependence
WIDEST = 50_000_000  # numbers in the table that holds another factor's label as a column a class


class Measured(NamedTuple):
    """What was measured, as rows of `leakage.csv`, and sentences on what was not, or not as asked."""

    table: pd.DataFrame
    told: tuple[str, ...]


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
        people: (n,), who speaks, where that is known and is not the factor.
        asked: what is asked of all embeddings alike.
        scaled: whether the mode of `large` is taken.
        told: sentences on clips and columns that are left out.
    """

    factor: str
    labels: NDArray[np.str_]
    places: NDArray[np.intp]
    rows: NDArray[np.intp]
    people: NDArray[np.str_] | None
    asked: Asked
    scaled: bool
    told: tuple[str, ...]


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
    """Measure every embedding for every factor, and for the emotion as utility where the labels tell one.

    Args:
        found: embeddings with labels.
        factors: columns of the labels.
        model: what to write as `model`.
        inputs: what the encoder was given, as one vector for each clip, in rows as those of `found`.
        seen: whether the encoder had seen these speakers: seen, unseen, or None where nobody knows.
        large: whether the mode of `large` is taken, however many clips there are.
        balanced: a column of the labels over which test clips are balanced, see `leakage`; its own factor is not.
        seen_speakers: whether probes are tested on people that they were fitted on, whatever the factor, as Peri et al.
            (2021) do; of the speaker they always are. Not the utility, unless it was asked for.
        seed: of everything.

    Raises:
        AuditError: a factor is unknown, or cannot be read: one class, a class a clip, nothing to divide; `balanced` or
            `seen_speakers` in the mode for many clips.
    """
    how = How(seen, large, balanced, seen_speakers, seed)
    for factor in [*factors, *([] if balanced is None else [balanced])]:
        require_factor(found.labels, factor, found.place)
    parts = [_factor(found, factor, factors, inputs, how) for factor in factors]
    told = [sentence for part in parts for sentence in part.told]
    if EMOTION in found.labels and EMOTION not in factors:
        try:
            require_factor(found.labels, EMOTION, found.place)
            utility = _factor(found, EMOTION, factors, inputs, how._replace(balanced=None, seen_speakers=False))
        except AuditError as error:
            told.append(f"no emotion as utility beside it: {error}")
        else:
            parts.append(utility)
            told += utility.told
    joined = pd.concat([part.table for part in parts], ignore_index=True)
    filled = joined.assign(speakers=seen, model=joined["model"].where(joined["role"] != "measured", model))
    return Measured(corrected(filled.reindex(columns=list(COLUMNS))), tuple(dict.fromkeys(told)))


def view_of(found: Labelled, factor: str, how: How) -> View:
    """The clips whose label of a factor is known, with what is known of all of them."""
    labels, told = found.labels, []
    kept = labels[factor].notna()
    if missing := int((~kept).sum()):
        told.append(f"{factor}: {missing} of {len(kept)} clips have no label and are left out")
    over = how.balanced if how.balanced != factor else None
    needed = dict.fromkeys(name for name in (SPEAKER, over) if name is not None and name in labels)
    for name in needed:
        if lacking := int((kept & labels[name].isna()).sum()):
            told.append(f"{factor}: {lacking} of {len(kept)} clips have no {name} and are left out")
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
                told.append(f"{factor}: {name} is not known of every clip, so it is not kept apart")
    scaled = how.large or len(places) > LARGE
    if scaled and (over is not None or how.seen_speakers):
        way = "seen people" if over is None else "balanced test clips"
        raise AuditError(f"{factor}: no {way} in the mode for many clips (over {LARGE:,}, or large); leave that out")
    people = table[SPEAKER].to_numpy(str) if factor != SPEAKER and SPEAKER in table else None
    asked: Asked = {
        **{"factor": factor, "speakers": people, "recordings": known["recording"], "sentences": known["sentence"]},
        **{"balanced": None if over is None else table[over].to_numpy(str), "seen": how.seen, "seed": how.seed},
        "apart": "clips" if how.seen_speakers and factor != SPEAKER else "auto",
    }
    if over is not None:
        told.append(f"{factor}: test clips are balanced over {over}")
    if factor == SPEAKER and how.seen == SEEN:
        told.append(f"{factor}: no verification, which is of people whom the encoder has not seen")
    if scaled:
        told.append(f"{factor}: no LEACE and no random projection of the inputs in the mode for many clips")
    rows = places if found.rows is None else found.rows[places]
    return View(factor, table[factor].to_numpy(str), places, rows, people, asked, scaled, tuple(told))


def _factor(found: Labelled, factor: str, factors: Sequence[str], inputs: Labelled | None, how: How) -> Measured:
    """All that is read of a factor."""
    view = view_of(found, factor, how)
    others = _others(found, view, factors, how)
    wide = [name for name, labels in others.items() if pd.Series(labels).nunique() * len(labels) > WIDEST]
    told = [f"{factor}: no identity floor of {name}, which has too many classes for so many clips" for name in wide]
    kept = {name: labels for name, labels in others.items() if name not in wide}
    tables = [table for name, values in found.arrays.items() for table in _measured(name, values, view)]
    tables += _beside(found, view, kept, inputs)
    table = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return Measured(table, (*view.told, *told))


def _measured(name: str, values: Matrix, view: View) -> Iterator[pd.DataFrame]:
    """What is read from one embedding; after LEACE too, of the speaker where the factor is the emotion."""
    yield _read(values, view).assign(embedding=name)
    erase = view.people if view.factor == EMOTION else view.labels
    if not view.scaled and erase is not None:
        yield _read(values, view, erase).assign(embedding=f"{name}+{ERASED}")
    few, seed = np.arange(len(view.rows)), view.asked["seed"]
    if view.scaled and len(few) > DRAWN:
        few = np.sort(np.random.default_rng([seed, 14]).choice(len(few), DRAWN, replace=False))
    drawn, labels = np.asarray(values[view.rows[few]]), view.labels[few]
    if view.factor == SPEAKER and view.asked["seen"] != SEEN:
        where = view.asked["recordings"]
        pairs = verification(drawn, labels, recordings=None if where is None else np.asarray(where)[few], seed=seed)
        if len(pairs):
            yield pairs.assign(embedding=name, split=pairs["split"] + "; not centred")
    clusters = None if view.people is None else view.people[few]
    yield dependence(drawn, labels, factor=view.factor, clusters=clusters, seed=seed).assign(embedding=name)


def _read(values: Matrix | None, view: View, erase: ArrayLike | None = None) -> pd.DataFrame:
    """What the probes read, in the mode for many clips or not."""
    if not view.scaled and values is not None:
        return leakage(values[view.rows], view.labels, erase=erase, **view.asked)
    where, said = view.asked["recordings"], view.asked["sentences"]
    return leakage_large(
        values,
        view.labels,
        rows=view.rows,
        factor=view.factor,
        speakers=view.people,
        recordings=None if where is None else np.asarray(where),
        sentences=None if said is None else np.asarray(said),
        seen=view.asked["seen"],
        seed=view.asked["seed"],
    )


def _others(found: Labelled, view: View, factors: Sequence[str], how: How) -> dict[str, NDArray[np.object_]]:
    """Labels of other factors, as identity floors: those asked for, the emotion, and of the emotion groups of people.

    What all clips of a person share says who it is by being part of who it is: that is no floor under the speaker. The
    person is a floor where the same people fit and test.
    """
    table = found.labels.iloc[view.places]
    names = [*factors, EMOTION, *([] if how.balanced is None else [how.balanced])]
    names = [name for name in dict.fromkeys(names) if name in table and name not in (view.factor, SPEAKER)]
    if view.factor == SPEAKER:
        names = [name for name in names if table.groupby(SPEAKER)[name].nunique().max() > 1]
    others = {name: table[name].to_numpy(object) for name in names if 1 < table[name].nunique() < len(table)}
    if view.people is not None and view.factor == EMOTION:
        who = table[SPEAKER].astype(str)
        for name, group in groups.factors(table.assign(speaker=who)).items():
            others.setdefault(name, who.map(group).to_numpy(object))
    if view.people is not None and how.seen_speakers:
        others[SPEAKER] = view.people.astype(object)
    return others


def _beside(
    found: Labelled, view: View, others: dict[str, NDArray[np.object_]], inputs: Labelled | None
) -> Iterator[pd.DataFrame]:
    """Floors and ceilings of a factor."""
    given = None if inputs is None else next(iter(inputs.arrays.values()))
    rows = view.places if inputs is None or inputs.rows is None else inputs.rows[view.places]
    if not view.scaled:
        widths = {values.shape[1] for values in found.arrays.values()}
        vectors = None if given is None else given[rows]
        yield floors.floors(view.labels, others=others, inputs=vectors, dimension=widths, **view.asked)
        return
    yield _read(None, view).assign(embedding=floors.MAJORITY, model=floors.MODEL, role="floor")
    for name, labels in others.items():
        told = floors.one_hot(labels).astype(np.float32)
        table = _read(told, view._replace(rows=np.arange(len(told))))
        yield table.assign(embedding=floors.IDENTITY.format(name), model=floors.MODEL, role="floor")
    if given is not None:
        table = _read(given, view._replace(rows=rows))
        yield table.assign(embedding=floors.INPUTS, model=floors.MODEL, role="ceiling")
