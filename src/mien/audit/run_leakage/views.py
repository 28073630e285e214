"""Which clips of a training its embedding is probed on: of each factor, people that it seen and people it did not.

- speaker, seen: the training clips. speaker, unseen: the clips of validation and test whose speakers trained nothing.
- the main target, unseen: probes are fitted on the training clips and tested on the test clips, as the model itself
  was; where it is a number it has no view.
- a factor that groups speakers (gender, age, corpus, ...), seen: across the training speakers; unseen: fitted on the
  training clips, tested on the test clips, where these have two classes or more.

Where all people who are tested were seen in training (Peri et al. 2021), speaker and main target, seen, are fitted on
the training clips and tested on the test clips, other clips of the same people.

Where an experiment leaves test clips alone, validation stands in their place.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mien.audit.leakage.leakage import Asked
from mien.audit.leakage.words import BALANCED, SEEN, UNSEEN
from mien.audit.probes.division import SPEAKER, Division, divide, given
from mien.audit.recognition import groups
from mien.errors import AuditError
from mien.runs.run import Run

Texts = NDArray[np.str_]


class View(NamedTuple):
    """Clips of a cell from which a factor is read.

    Attributes:
        factor: its name.
        seen: seen or unseen by the encoder.
        rows: (n,), of the cell's embeddings.
        labels: (n,), the factor.
        speakers: (n,).
        others: name -> (n,), labels of other factors, for the identity floor.
        known: `recordings`, `sentences`: (n,), where they are known of all clips.
        division: how probes are fitted and tested.
        main: whether the factor is the main target of the run.
    """

    factor: str
    seen: str
    rows: NDArray[np.intp]
    labels: Texts
    speakers: Texts
    others: dict[str, ArrayLike]
    known: dict[str, Texts]
    division: Division
    main: bool = False


def views(
    clips: pd.DataFrame, target: str, *, thorough: bool, always: bool = False, own: Sequence[str] = (), seed: int = 0
) -> Iterator[View]:
    """The views of a cell; what cannot be divided is none.

    Args:
        clips: of a cell, as `Run.embeddings` has them, with `split, speaker, label`.
        target: the name of the main target, whose classes are the column `label`.
        thorough: of all factors, not of the speaker alone.
        always: of the main target in any case.
        own: the columns that the main target is read from; none of them is a factor of its own.
        seed: of the divisions.
    """
    trained = clips["split"] == "train"
    asked = clips["split"] == ("test" if (clips["split"] == "test").any() else "validation")
    strangers = ~trained & ~clips["speaker"].isin(clips.loc[trained, "speaker"])
    people = clips.loc[asked, "speaker"].nunique()
    known = asked & (people > 1 and not (asked & strangers).any())
    if known.any():
        yield from _across(clips, clips["speaker"], SPEAKER, target, trained, known, seen=SEEN)
    else:
        yield from _within(clips, clips["speaker"], SPEAKER, target, SEEN, trained, seed)
    yield from _within(clips, clips["speaker"], SPEAKER, target, UNSEEN, strangers, seed)
    judged = asked & strangers
    if (thorough or always) and not pd.api.types.is_float_dtype(clips["label"]):
        told = clips["label"].where(~clips["label"].str.contains("+", regex=False, na=False))
        for test, seen in ((judged, UNSEEN), (known, SEEN)):
            for view in _across(clips, told, target, target, trained, test, seen=seen):
                yield view._replace(main=True)
    if not thorough:
        return
    for factor, group in groups.factors(clips.drop(columns=[*own], errors="ignore")).items():
        labels = clips["speaker"].astype(str).map(group)
        yield from _within(clips, labels, factor, target, SEEN, trained, seed)
        if len(labels[judged].dropna().unique()) > 1:
            yield from _across(clips, labels, factor, target, trained, judged)


def views_of(run: Run, clips: pd.DataFrame, *, thorough: bool, always: bool, seed: int) -> Iterator[View]:
    """The `views` of a cell of a run."""
    own = run.experiment.columns
    return views(clips, run.target, thorough=thorough, always=always, own=own, seed=seed)


def question(view: View, seed: int) -> Asked:
    """How a view is scored."""
    return {
        **{"factor": view.factor, "speakers": None if view.factor == SPEAKER else view.speakers},
        **{"recordings": view.known.get("recordings"), "division": view.division, "seen": view.seen, "seed": seed},
    }


def balanced(view: View, seed: int) -> Asked:
    """How the main target is scored on as many test clips of each class, so that what is frequent says nothing."""
    return {**question(view, seed), "factor": f"{view.factor}{BALANCED}", "balanced": np.zeros(len(view.rows))}


def _within(
    clips: pd.DataFrame,
    labels: "pd.Series[str]",
    factor: str,
    target: str,
    seen: str,
    inside: "pd.Series[bool]",
    seed: int,
) -> Iterator[View]:
    """Fitted and tested on parts of the same clips."""
    rows = np.flatnonzero(inside & labels.notna()).astype(np.intp)
    table = clips.iloc[rows]
    people, told = table["speaker"].to_numpy(str), labels.iloc[rows].to_numpy(str)
    known = {
        f"{name}s": table[name].to_numpy(str)
        for name in ("recording", "sentence")
        if name in table and len(table) and bool(table[name].notna().all())
    }
    try:
        division = divide(
            told,
            factor=factor,
            speakers=people,
            recordings=known.get("recordings"),
            sentences=known.get("sentences"),
            seed=seed,
        )
    except AuditError:  # such as one speaker
        return
    yield View(factor, seen, rows, told, people, _others(table, factor, target), known, division)


def _across(
    clips: pd.DataFrame,
    labels: "pd.Series[str]",
    factor: str,
    target: str,
    train: "pd.Series[bool]",
    test: "pd.Series[bool]",
    *,
    seen: str = UNSEEN,
) -> Iterator[View]:
    """Fitted on the training clips, tested on others: of people who were not seen, or of the same people."""
    rows = np.flatnonzero((train | test) & labels.notna()).astype(np.intp)
    table = clips.iloc[rows]
    fitted, asked = train.to_numpy()[rows], test.to_numpy()[rows]
    people, told = table["speaker"].to_numpy(str), labels.iloc[rows].to_numpy(str)
    if not asked.any() or len(np.unique(told[fitted])) < 2 or not np.isin(told[asked], told[fitted]).any():
        return
    apart = "disjoint speakers" if seen == UNSEEN else "the same speakers"
    words = f"fitted on training clips, tested on {table.loc[asked, 'split'].iloc[0]} clips; {apart}"
    division = given([(fitted, asked)], len(rows), words, people if seen == UNSEEN else None)
    yield View(factor, seen, rows, told, people, _others(table, factor, target, seen), {}, division)


def _others(table: pd.DataFrame, factor: str, target: str, seen: str = UNSEEN) -> dict[str, ArrayLike]:
    """What else is known of the clips and may say something of the factor: the main target, and of it the gender.

    Of the main target of people who were seen it is the person, who tells of gender too. A person's gender says
    something of who it is by being part of who it is: that is no floor under the speaker.
    """
    other = ("gender", "gender") if factor == target else (target, "label")
    if factor == target and seen == SEEN:
        other = (SPEAKER, SPEAKER)
    name, column = other
    told = column in table and not pd.api.types.is_float_dtype(table[column])
    known = told and len(table[column].dropna().unique()) > 1
    return {name: table[column].to_numpy(object)} if known else {}
