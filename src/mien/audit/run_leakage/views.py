"""The views of a cell: which clips are probed for each factor, for seen and for unseen speakers.

- speaker, seen: the training clips. speaker, unseen: the validation and test clips of speakers without training clips.
- main target, unseen: probes are fitted on the training clips and tested on the test clips, as the model itself was.
- a target that is a number, of the main target and of other tasks alike: as the main target.
- a factor that groups speakers (gender, age, corpus, ...), seen: across the training speakers; unseen: fitted on the
  training clips, tested on the test clips if these have two classes or more.

If all test speakers were seen in training (Peri et al. 2021), probes of speaker and main target (both "seen") are
fitted on the training clips and tested on the test clips: other clips of the same speakers.

Where probes are fitted on the training clips and tested on the test clips, their settings and the strongest of them are
chosen on the validation clips. On training clips a removal has hidden the factor, so that a choice among them takes
probes for strong which are not. Where only training clips are probed, or only clips of unseen speakers, a part of the
clips that fit a probe chooses.

If a run has no test clips, the validation clips take their place, and a part of the training clips chooses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mien.audit.options import LeakageOptions
from mien.audit.probes.division import divide, given
from mien.audit.probes.task import Division, ProbingTask
from mien.audit.recognition import groups
from mien.common.leakage_tables import SEEN, SPEAKER, UNSEEN, Seen
from mien.common.units import units
from mien.corpora.corpus import fractions
from mien.corpora.recordings import recording_of_all
from mien.errors import AuditError
from mien.runs.run import Run

Texts = NDArray[np.str_]


class View(NamedTuple):
    """Clips of a cell on which a factor is probed.

    Attributes:
        factor: its name.
        seen: whether the speakers were "seen" or "unseen" by the encoder.
        rows: (n,), rows of the cell's embeddings.
        labels: (n,), the classes of the factor.
        speakers: (n,).
        others: name -> (n,), labels of other factors, for the identity floor.
        known: `recordings` (see `corpora.recordings`) and `sentences`, (n,) each, if known for all clips.
        division: which clips fit probes and which test them.
        main: whether the factor is the main target of the run, and has classes.
        numbers: (n,), where the factor is a number; the labels are then the same as text.
    """

    factor: str
    seen: Seen
    rows: NDArray[np.intp]
    labels: Texts
    speakers: Texts
    others: dict[str, ArrayLike]
    known: dict[str, Texts]
    division: Division
    main: bool = False
    numbers: NDArray[np.float64] | None = None


def views(
    clips: pd.DataFrame,
    target: str,
    *,
    thorough: bool,
    always: bool = False,
    own: Sequence[str] = (),
    numbers: Mapping[str, str] = MappingProxyType({}),
    seed: int = 0,
) -> Iterator[View]:
    """The views of a cell. Clips that cannot be divided have no view.

    Args:
        clips: of a cell, as in `Run.embeddings`, with `split, speaker, label`.
        target: the name of the main target, whose classes are the column `label`.
        thorough: yield views of all factors, not of the speaker alone.
        always: yield views of the main target even if not `thorough`.
        own: the columns that the main target is derived from; none of them is a factor of its own.
        numbers: factor -> column, of those that are numbers.
        seed: of the divisions.
    """
    trained = clips["split"] == "train"
    tested = clips["split"] == ("test" if (clips["split"] == "test").any() else "validation")
    unseen = ~trained & ~clips["speaker"].isin(clips.loc[trained, "speaker"])
    people = clips.loc[tested, "speaker"].nunique()
    seen_test = tested & (people > 1 and not (tested & unseen).any())
    if seen_test.any():
        yield from _across(clips, clips["speaker"], SPEAKER, target, trained, seen_test, seen=SEEN)
    else:
        yield from _within(clips, clips["speaker"], SPEAKER, target, SEEN, trained, seed)
    yield from _within(clips, clips["speaker"], SPEAKER, target, UNSEEN, unseen, seed)
    unseen_test = tested & unseen
    if (thorough or always) and not pd.api.types.is_float_dtype(clips["label"]):
        single = clips["label"].where(~clips["label"].str.contains("+", regex=False, na=False))
        sides: tuple[tuple[pd.Series[bool], Seen], ...] = ((unseen_test, UNSEEN), (seen_test, SEEN))
        for test, seen in sides:
            for view in _across(clips, single, target, target, trained, test, seen=seen):
                yield view._replace(main=True)
    if not thorough:
        return
    for factor, column in numbers.items():
        for test, seen in ((unseen_test, UNSEEN), (seen_test, SEEN)):
            yield from _of_number(clips, column, factor, target, trained, test, seen)
    for factor, group in groups.factors(clips.drop(columns=[*own], errors="ignore")).items():
        labels = clips["speaker"].astype(str).map(group)
        yield from _within(clips, labels, factor, target, SEEN, trained, seed)
        if len(labels[unseen_test].dropna().unique()) > 1:
            yield from _across(clips, labels, factor, target, trained, unseen_test)


def views_of(run: Run, clips: pd.DataFrame, *, thorough: bool, always: bool, seed: int) -> Iterator[View]:
    """The `views` of a cell of a run."""
    own = run.experiment.columns
    numbers = run.experiment.numbers
    return views(clips, run.target, thorough=thorough, always=always, own=own, numbers=numbers, seed=seed)


def tasks_of(view: View, seed: int) -> list[ProbingTask]:
    """The task of a view. The main target of seen speakers has a second one, on equally many test clips of each class,
    so that frequency is no clue.
    """
    task = ProbingTask(
        view.labels,
        view.factor,
        speakers=None if view.factor == SPEAKER else view.speakers,
        recordings=view.known.get("recordings"),
        division=view.division,
        numbers=view.numbers,
        options=LeakageOptions(speakers=view.seen, seed=seed),
    )
    if not (view.main and view.seen == SEEN):
        return [task]
    return [task, replace(task, balanced=np.zeros(len(view.rows)), over=view.factor)]


def _within(
    clips: pd.DataFrame,
    labels: "pd.Series[str]",
    factor: str,
    target: str,
    seen: Seen,
    inside: "pd.Series[bool]",
    seed: int,
) -> Iterator[View]:
    """Fitted and tested on parts of the same clips."""
    rows = np.flatnonzero(inside & labels.notna()).astype(np.intp)
    table = clips.iloc[rows]
    people, classes = table["speaker"].to_numpy(str), labels.iloc[rows].to_numpy(str)
    known = {} if (recordings := recording_of_all(table)) is None else {"recordings": recordings.to_numpy(str)}
    if "sentence" in table and len(table) and table["sentence"].notna().all():
        known["sentences"] = table["sentence"].to_numpy(str)
    task = ProbingTask(
        classes,
        factor,
        speakers=people,
        recordings=known.get("recordings"),
        sentences=known.get("sentences"),
        options=LeakageOptions(seed=seed),
    )
    try:
        division = divide(task)
    except AuditError:  # such as one speaker
        return
    yield View(factor, seen, rows, classes, people, _others(table, factor, target), known, division)


def _across(
    clips: pd.DataFrame,
    labels: "pd.Series[str]",
    factor: str,
    target: str,
    train: "pd.Series[bool]",
    test: "pd.Series[bool]",
    *,
    seen: Seen = UNSEEN,
) -> Iterator[View]:
    """Fitted on training clips, chosen on validation clips, tested on others, of unseen or the same speakers."""
    validation = _choosing(clips, labels, train, test, seen)
    rows = np.flatnonzero((train | test | validation) & labels.notna()).astype(np.intp)
    table = clips.iloc[rows]
    fitted, tested, choosing = (part.to_numpy()[rows] for part in (train, test, validation))
    people, classes = units(table).to_numpy(str), labels.iloc[rows].to_numpy(str)
    if not tested.any() or len(np.unique(classes[fitted])) < 2 or not np.isin(classes[tested], classes[fitted]).any():
        return
    words = _fitted_and_tested(table, tested, bool(choosing.any()), seen)
    groups = people if seen == UNSEEN else None
    division = given([(fitted, tested)], len(rows), words, groups, choosing if choosing.any() else None)
    yield View(factor, seen, rows, classes, people, _others(table, factor, target, seen), {}, division)


def _of_number(
    clips: pd.DataFrame,
    column: str,
    factor: str,
    target: str,
    train: "pd.Series[bool]",
    test: "pd.Series[bool]",
    seen: Seen,
) -> Iterator[View]:
    """As `_across`, of a number."""
    values = pd.to_numeric(clips[column], errors="coerce")
    validation = (clips["split"] == "validation") & ~test
    if seen == UNSEEN:
        validation &= ~clips["speaker"].isin(clips.loc[test, "speaker"])
    rows = np.flatnonzero((train | test | validation) & values.notna()).astype(np.intp)
    table, numbers = clips.iloc[rows], values.to_numpy(float)[rows]
    fitted, tested, choosing = (part.to_numpy()[rows] for part in (train, test, validation))
    if tested.sum() < 2 or len(np.unique(numbers[fitted])) < 2:
        return
    chosen = choosing if choosing.sum() > 1 else None
    people = units(table).to_numpy(str)
    words = _fitted_and_tested(table, tested, chosen is not None, seen)
    division = given([(fitted, tested)], len(rows), words, people if seen == UNSEEN else None, chosen)
    others = _others(table, factor, target, seen)
    yield View(factor, seen, rows, numbers.astype(str), people, others, {}, division, numbers=numbers)


def _fitted_and_tested(table: pd.DataFrame, tested: NDArray[np.bool_], chosen: bool, seen: Seen) -> str:
    """What was kept apart, in words."""
    apart = "disjoint speakers" if seen == UNSEEN else "the same speakers"
    by = " chosen on validation clips," if chosen else ""
    return f"fitted on training clips,{by} tested on {table.loc[tested, 'split'].iloc[0]} clips; {apart}"


def _choosing(
    clips: pd.DataFrame, labels: "pd.Series[str]", train: "pd.Series[bool]", test: "pd.Series[bool]", seen: str
) -> "pd.Series[bool]":
    """The validation clips, of other speakers than the test clips where these are unseen; none with fewer than two of
    the classes that are fitted.
    """
    validation = (clips["split"] == "validation") & ~test
    if seen == UNSEEN:
        validation &= ~clips["speaker"].isin(clips.loc[test, "speaker"])
    known = labels[validation & labels.isin(labels[train])].dropna()
    return validation & (len(known.unique()) > 1)


def _others(table: pd.DataFrame, factor: str, target: str, seen: Seen = UNSEEN) -> dict[str, ArrayLike]:
    """The labels of another factor that may predict this one: the main target, or gender if the factor is the target.

    For the main target of seen speakers it is the speaker, which includes gender. Gender is no floor for the speaker:
    it is a part of the identity.
    """
    other = ("gender", "gender") if factor == target else (target, "label")
    if factor == target and seen == SEEN:
        other = (SPEAKER, SPEAKER)
    name, column = other
    has_classes = column in table and not fractions(table[column])
    usable = has_classes and name != factor and len(table[column].dropna().unique()) > 1
    return {name: table[column].to_numpy(object)} if usable else {}
