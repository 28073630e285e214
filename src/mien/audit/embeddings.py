"""The leakage of anybody's embeddings: every array of a file, every factor of its labels.

Beside what the probes read stand the floors (the most frequent class, what the label of another factor says, a random
projection of the inputs) and the ceiling (the inputs themselves), where these are given. Of the factor speaker there is
the verification view besides, of every factor the dependence. Many clips are measured in the mode of `large`.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit import floors
from mien.audit.dependence import dependence
from mien.audit.division import SPEAKER
from mien.audit.inputs import Labelled, Matrix, require_factor
from mien.audit.large import LARGE, leakage_large
from mien.audit.leakage import COLUMNS, Asked, corrected, leakage
from mien.audit.verification import verification
from mien.errors import AuditError

GROUPING = ("recording", "sentence")  # columns that are kept apart where every clip has one
DRAWN = 5_000  # clips for verification and dependence
WIDEST = 100  # classes of another factor whose label is looked at as a floor where clips are many


class Measured(NamedTuple):
    """What was measured, as rows of `leakage.csv`, and sentences on what was not, or not as asked."""

    table: pd.DataFrame
    told: tuple[str, ...]


class View(NamedTuple):
    """The clips whose label of a factor is known.

    Attributes:
        factor: its name.
        labels: (n,), its classes.
        places: (n,), rows of the table of labels.
        rows: (n,), rows of the arrays.
        known: `speakers`, `recordings`, `sentences`: (n,), those that are known of every clip.
        told: sentences on clips and columns that are left out.
    """

    factor: str
    labels: NDArray[np.str_]
    places: NDArray[np.intp]
    rows: NDArray[np.intp]
    known: dict[str, NDArray[np.str_]]
    told: tuple[str, ...]


def measure(
    found: Labelled,
    factors: Sequence[str],
    *,
    model: str = "",
    inputs: Labelled | None = None,
    heard: str | None = None,
    large: bool = False,
    seed: int = 0,
) -> Measured:
    """Measure every embedding for every factor.

    Args:
        found: embeddings with labels.
        factors: columns of the labels.
        model: what to write as `model`.
        inputs: what the encoder was given, as one vector for each clip, in rows as those of `found`.
        heard: whether the encoder had heard these speakers: heard, unheard, or None where nobody knows.
        large: whether the mode of `large` is taken, however many clips there are.
        seed: of everything.

    Raises:
        AuditError: a factor is unknown, or cannot be read: one class, a class a clip, nothing to divide.
    """
    tables: list[pd.DataFrame] = []
    told: list[str] = []
    for factor in factors:
        require_factor(found.labels, factor, found.place)
    for factor in factors:
        view = view_of(found, factor)
        told += view.told
        scaled = large or len(view.rows) > LARGE
        for name, values in found.arrays.items():
            rows = _measured(values, view, heard, scaled, seed)
            tables += [table.assign(embedding=name, model=model) for table in rows]
        tables += _beside(found, view, [name for name in factors if name != factor], inputs, heard, scaled, seed)
        if scaled and inputs is not None:
            told.append(f"{factor}: no random projection of the inputs in the mode for many clips")
    joined = pd.concat([table for table in tables if len(table)]) if tables else pd.DataFrame()
    filled = joined.reindex(columns=list(COLUMNS)).assign(speakers=heard).reset_index(drop=True)
    return Measured(corrected(filled), tuple(dict.fromkeys(told)))


def view_of(found: Labelled, factor: str) -> View:
    """The clips whose label of a factor is known, with what is known of all of them."""
    labels, told = found.labels, []
    kept = labels[factor].notna()
    if missing := int((~kept).sum()):
        told.append(f"{factor}: {missing} of {len(kept)} clips have no label and are left out")
    if factor != SPEAKER and SPEAKER in labels and bool((nobody := kept & labels[SPEAKER].isna()).any()):
        told.append(f"{factor}: {int(nobody.sum())} clips have no speaker and are left out")
        kept &= labels[SPEAKER].notna()
    table, known = labels[kept], {}
    if factor != SPEAKER and SPEAKER in table:
        known["speakers"] = table[SPEAKER].to_numpy(str)
    for name in GROUPING:
        if name in table and factor != name:
            if table[name].notna().all():
                known[f"{name}s"] = table[name].to_numpy(str)
            else:
                told.append(f"{factor}: {name} is not known of every clip, so it is not kept apart")
    places = np.flatnonzero(kept.to_numpy()).astype(np.intp)
    if not len(places):
        raise AuditError(f"{found.place}: no clip has both a speaker and a label of '{factor}'; give some")
    rows = places if found.rows is None else found.rows[places]
    return View(factor, table[factor].to_numpy(str), places, rows, known, tuple(told))


def _measured(values: Matrix, view: View, heard: str | None, scaled: bool, seed: int) -> Iterator[pd.DataFrame]:
    """What is read from one embedding."""
    yield _read(values, view, heard, scaled, seed)
    few = np.arange(len(view.rows))
    if scaled and len(few) > DRAWN:
        few = np.sort(np.random.default_rng([seed, 14]).choice(len(few), DRAWN, replace=False))
    drawn, labels = np.asarray(values[view.rows[few]]), view.labels[few]
    if view.factor == SPEAKER:
        recordings = view.known.get("recordings")
        yield verification(drawn, labels, recordings=None if recordings is None else recordings[few], seed=seed)
    people = view.known.get("speakers")
    yield dependence(drawn, labels, factor=view.factor, clusters=None if people is None else people[few], seed=seed)


def _read(values: Matrix | None, view: View, heard: str | None, scaled: bool, seed: int) -> pd.DataFrame:
    """What the probes read, in the mode for many clips or not."""
    if not scaled and values is not None:
        return leakage(values[view.rows], view.labels, **_asked(view, heard, seed))
    return leakage_large(
        values,
        view.labels,
        rows=view.rows,
        factor=view.factor,
        speakers=view.known.get("speakers"),
        recordings=view.known.get("recordings"),
        heard=heard,
        seed=seed,
    )


def _asked(view: View, heard: str | None, seed: int) -> Asked:
    known = view.known
    return {
        **{"factor": view.factor, "speakers": known.get("speakers"), "recordings": known.get("recordings")},
        **{"sentences": known.get("sentences"), "heard": heard, "seed": seed},
    }


def _beside(
    found: Labelled,
    view: View,
    factors: Sequence[str],
    inputs: Labelled | None,
    heard: str | None,
    scaled: bool,
    seed: int,
) -> Iterator[pd.DataFrame]:
    """Floors and ceilings of a factor; the other factors that were asked for are identity floors."""
    others = {name: found.labels[name].iloc[view.places].to_numpy(object) for name in factors if name != SPEAKER}
    given = None if inputs is None else next(iter(inputs.arrays.values()))
    rows = view.places if inputs is None or inputs.rows is None else inputs.rows[view.places]
    if not scaled:
        width = next(iter(found.arrays.values())).shape[1]
        asked = _asked(view, heard, seed)
        yield floors.floors(
            view.labels, others=others, inputs=None if given is None else given[rows], dimension=width, **asked
        )
        return
    table = _read(None, view, heard, scaled, seed)
    yield table.assign(embedding=floors.MAJORITY, model=floors.MODEL, role="floor")
    for name, labels in others.items():
        if pd.Series(labels).nunique() <= WIDEST:
            told = floors.one_hot(labels).astype(np.float32)
            own = view._replace(rows=np.arange(len(told)))
            table = _read(told, own, heard, scaled, seed)
            yield table.assign(embedding=floors.IDENTITY.format(name), model=floors.MODEL, role="floor")
    if given is not None:
        table = _read(given, view._replace(rows=rows), heard, scaled, seed)
        yield table.assign(embedding=floors.INPUTS, model=floors.MODEL, role="ceiling")
