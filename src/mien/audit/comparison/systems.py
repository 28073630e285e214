"""Systems that are compared: trained models of one run or of several, tested on the very same clips.

A system is called by its model, or RUN/MODEL where several runs are compared. Systems that were tested on other clips,
or whose clips have other speakers, labels or classes, are refused: a difference between them would be one of the test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mien.audit.statistics.scores import judged
from mien.data.protocols import PARTS
from mien.errors import RunError, unknown
from mien.runs.run import Run

SHOWN = 3  # clips that a sentence names
TOLD = ("speaker", "truth")


class System(NamedTuple):
    """One model of a run.

    Attributes:
        name: what it is called here.
        model: its name in the run.
        run: the run.
        of: what the run is called here.
    """

    name: str
    model: str
    run: Run
    of: str


@dataclass(frozen=True)
class Together:
    """Systems with their predictions of the same clips.

    Attributes:
        systems: at least two.
        split: the part of each fold that is compared: test, or validation where one of them has not looked at test.
        classes: the K classes, in order.
        predictions: the rows of `predictions.csv` of that part whose emotion is known; `model` is the system's name.
        marks: what every table must say, such as that speakers were heard in training; a sentence each.
        notes: what a reader must know of how they were paired, a sentence each.
    """

    systems: tuple[System, ...]
    split: str
    classes: tuple[str, ...]
    predictions: pd.DataFrame
    marks: tuple[str, ...]
    notes: tuple[str, ...]

    @cached_property
    def trainings(self) -> dict[str, frozenset[tuple[int, int]]]:
        """System -> the fold and seed of each of its trainings."""
        rows = self.predictions[["model", "fold", "seed"]].drop_duplicates()
        found: dict[str, set[tuple[int, int]]] = {system.name: set() for system in self.systems}
        for name, fold, seed in rows.itertuples(index=False):
            found[name].add((int(fold), int(seed)))
        return {name: frozenset(pairs) for name, pairs in found.items()}

    def unpaired(self, first: System, second: System) -> str:
        """Why the trainings of two systems are no pairs, as a clause; empty where they are."""
        if not same_folds(first.run, second.run):
            return "their folds differ"
        one, two = self.trainings[first.name], self.trainings[second.name]
        if one == two:
            return ""
        seeds = [sorted({seed for _, seed in pairs}) for pairs in (one, two)]
        if seeds[0] != seeds[1]:
            return f"their seeds differ ({_numbers(seeds[0])} against {_numbers(seeds[1])})"
        return f"they have {len(one)} and {len(two)} trainings, not the same folds with the same seeds"


def gather(places: Sequence[Path | str]) -> Together:
    """Open the systems at RUN (all its models as they stand) or RUN/models/MODEL, and check that they can be compared.

    Raises:
        RunError: a place is no run or model, there is but one system, or their clips, labels or classes differ.
    """
    systems = _systems(places)
    tables = {system.of: system.run.predictions for system in systems}
    split = "validation" if any(judged(table) == "validation" for table in tables.values()) else "test"
    parts = []
    for system in systems:
        table = tables[system.of]
        rows = table[(table["model"] == system.model) & (table["split"] == split) & table["truth"].notna()]
        if rows.empty:
            raise RunError(
                f"{system.run.folder}: '{system.model}' has no {split} predictions; run the same 'mien train' again to "
                "go on, or name the models to compare as RUN/models/MODEL"
            )
        parts.append(rows.assign(model=system.name))
    for system, part in zip(systems[1:], parts[1:], strict=True):
        _refuse_other_clips(systems[0], parts[0], system, part)
    runs = {system.of: system.run for system in systems}
    marks = tuple(f"{name}: {mark}" if len(runs) > 1 else mark for name, run in runs.items() for mark in run.marks)
    together = Together(tuple(systems), split, systems[0].run.classes, pd.concat(parts, ignore_index=True), marks, ())
    return Together(**{**vars(together), "notes": tuple(_notes(together, runs, tables))})


def same_folds(first: Run, second: Run) -> bool:
    """Whether two runs train, validate and test on the same clips in each fold."""
    return first is second or _folds(first) == _folds(second)


def _folds(run: Run) -> dict[int, tuple[frozenset[str], ...]]:
    return {fold["fold"]: tuple(frozenset(fold[part]["clips"]) for part in PARTS) for fold in run.splits}


def _systems(places: Sequence[Path | str]) -> list[System]:
    runs: dict[Path, Run] = {}
    models: dict[Path, list[str]] = {}
    for place in places:
        folder, model = _place(Path(place))
        run = runs.setdefault(folder.resolve(), Run.open(folder))
        if model and model not in run.experiment.trained:
            raise RunError(f"{place}: {unknown('model', model, run.experiment.trained)}")
        models.setdefault(folder.resolve(), []).extend([model] if model else run.experiment.models)
    labels = _labels(list(runs))
    found = [
        System(f"{labels[folder]}/{model}" if len(runs) > 1 else model, model, run, labels[folder])
        for folder, run in runs.items()
        for model in dict.fromkeys(models[folder])
    ]
    if len(found) < 2:
        only = f"there is one, {found[0].name}" if found else "there is none"
        raise RunError(f"two systems or more can be compared, {only}; name another RUN or RUN/models/MODEL")
    return found


def _place(path: Path) -> tuple[Path, str]:
    """The run folder, and the model where one is named."""
    if path.parent.name == "models" and (path.parent.parent / "experiment.yaml").is_file():
        return path.parent.parent, path.name
    return path, ""


def _labels(folders: Sequence[Path]) -> dict[Path, str]:
    """What each run is called: its folder's name, with as many of those above as tell it from the others."""
    names: list[str] = []
    for parts in range(1, max((len(folder.parts) for folder in folders), default=0) + 1):
        names = ["/".join(folder.parts[-parts:]) for folder in folders]
        if len(set(names)) == len(names):
            break
    return dict(zip(folders, names, strict=True))


def _refuse_other_clips(first: System, of_first: pd.DataFrame, other: System, of_other: pd.DataFrame) -> None:
    if first.run.target != other.run.target:
        raise RunError(
            f"{other.name} predicts '{other.run.target}' and {first.name} '{first.run.target}'; compare runs of the "
            "same target"
        )
    if sorted(first.run.classes) != sorted(other.run.classes):
        raise RunError(
            f"{other.name} tells other classes apart ({', '.join(other.run.classes)}) than {first.name} "
            f"({', '.join(first.run.classes)}); compare runs of the same data.scheme"
        )
    one, two = (rows.drop_duplicates("clip").set_index("clip")[list(TOLD)] for rows in (of_first, of_other))
    only = {first.name: one.index.difference(two.index), other.name: two.index.difference(one.index)}
    if lost := [f"{len(clips)} only in {name} ({_some(clips)})" for name, clips in only.items() if len(clips)]:
        raise RunError(
            f"{other.name} is not tested on the clips of {first.name}: {', '.join(lost)}; compare runs that are "
            "finished, of the same corpus, protocol and scheme"
        )
    two = two.loc[one.index]
    for what in TOLD:
        if (apart := one[what].astype(str) != two[what].astype(str)).any():
            clip = sorted(map(str, one.index[apart]))[0]
            told = [side[what].loc[clip] for side in (two, one)]
            raise RunError(
                f"{other.name} has another {what} than {first.name} for {int(apart.sum())} of {len(one)} clips: {clip} "
                f"is '{told[0]}' and '{told[1]}'; compare runs of the same data"
            )


def _notes(together: Together, runs: dict[str, Run], tables: dict[str, pd.DataFrame]) -> list[str]:
    said = []
    if together.split == "validation":
        blind = [name for name, table in tables.items() if judged(table) == "validation"]
        said.append(
            f"Compared on validation speakers, who also chose the epoch: test clips were not looked at "
            f"({', '.join(blind) if len(runs) > 1 else 'hold_test'})."
        )
    for name, run in runs.items():
        chosen = {system.model for system in together.systems if system.of == name}
        if (left := len(set(run.experiment.trained) - chosen)) and chosen == set(run.experiment.models):
            said.append(f"{left} variants of {name} are not compared; name them as RUN/models/VARIANT.")
    reasons: dict[str, str] = {}
    for second in together.systems[1:]:
        for first in together.systems:
            if first is second:
                break
            if reason := together.unpaired(first, second):
                pair = f"{first.of} with {second.of}" if first.of != second.of else f"{first.name} with {second.name}"
                reasons.setdefault(pair, reason)
    for pair, reason in reasons.items():
        said.append(f"Tests over trainings are left out for {pair}: {reason}. Seeds are averaged within a speaker.")
    clips = set(together.predictions["clip"])
    (name_of_first, first_run), *others = runs.items()
    for name, run in others:
        one, two = (_hashes(side) for side in (first_run, run))
        if changed := sorted(clip for clip in clips & set(one) & set(two) if one[clip] != two[clip]):
            said.append(
                f"{len(changed)} of {len(clips)} clips are other files in {name} than in {name_of_first} "
                f"({_some(changed)}): same names, other bytes."
            )
    return said


def _hashes(run: Run) -> dict[str, Any]:
    files: dict[str, Any] = run.certificate["files"]
    return files


def _some(clips: Any) -> str:
    names = sorted(map(str, clips))
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _numbers(values: Sequence[int]) -> str:
    """`0 to 2` for what follows without a gap, else all of them."""
    if len(values) > 2 and values[-1] - values[0] == len(values) - 1:
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values))
