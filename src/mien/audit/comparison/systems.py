"""Systems to compare: trained models of one or several runs, tested on the same clips.

The name of a system is its model, or RUN/MODEL if several runs are compared. Systems that differ in their test clips,
speakers, labels or classes are refused, since a difference in score could then come from the test. Only where one run
tests speakers that were seen in training, and another does not, or where the speakers of a run are sampled
(random_splits), are they compared on the clips that all of them test.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mien.audit.comparison.readings import shared, tests_seen
from mien.audit.statistics.scores import scored_split
from mien.data.protocols import PARTS, SPLITS
from mien.errors import RunError, unknown
from mien.experiments.shares import by_share
from mien.runs.run import Run

SHOWN = 3  # clips that a sentence names
CHECKED = ("speaker", "truth")  # columns that have to be the same for all systems


class System(NamedTuple):
    """One model of a run.

    Attributes:
        name: the name of the system in the comparison.
        model: the name of the model in the run.
        run: the run.
        of: the name of the run in the comparison.
    """

    name: str
    model: str
    run: Run
    of: str


@dataclass(frozen=True)
class Together:
    """Systems with their predictions on the same clips.

    Attributes:
        systems: at least two.
        split: the part of each fold that is compared: test, or validation if a run has no predictions of test.
        classes: the K classes, in order.
        predictions: the rows of `predictions.csv` of that part with a known truth; `model` is the name of the system.
        marks: sentences that every table must show, for example that test speakers were seen in training.
        notes: sentences on how systems were paired.
        seen: name of a run -> whether it tests speakers that were seen in training.
    """

    systems: tuple[System, ...]
    split: str
    classes: tuple[str, ...]
    predictions: pd.DataFrame
    marks: tuple[str, ...]
    notes: tuple[str, ...]
    seen: Mapping[str, bool]

    @cached_property
    def cells(self) -> dict[str, frozenset[tuple[int, int]]]:
        """System -> the fold and seed of each of its training runs."""
        rows = self.predictions[["model", "fold", "seed"]].drop_duplicates()
        cells: dict[str, set[tuple[int, int]]] = {system.name: set() for system in self.systems}
        for name, fold, seed in rows.itertuples(index=False):
            cells[name].add((int(fold), int(seed)))
        return {name: frozenset(pairs) for name, pairs in cells.items()}

    def unpaired(self, first: System, second: System) -> str:
        """Why the training runs of two systems cannot be paired, as a clause; empty if they can."""
        if not same_folds(first.run, second.run):
            return "their folds differ"
        one, two = self.cells[first.name], self.cells[second.name]
        if one == two:
            return ""
        seeds = [sorted({seed for _, seed in pairs}) for pairs in (one, two)]
        if seeds[0] != seeds[1]:
            return f"their seeds differ ({_numbers(seeds[0])} against {_numbers(seeds[1])})"
        return f"they have {len(one)} and {len(two)} training runs, not the same folds with the same seeds"


def gather(places: Sequence[Path | str]) -> Together:
    """Open the systems at RUN (all models without variants) or RUN/models/MODEL, and check that they are comparable.

    Raises:
        RunError: a path is not a run or model, there are fewer than two systems, their clips, labels or classes
            differ, or their corpus names no speakers.
    """
    systems = _systems(places)
    tables = {system.of: system.run.predictions for system in systems}
    split = "validation" if any(scored_split(table) == "validation" for table in tables.values()) else "test"
    parts = []
    for system in systems:
        table = tables[system.of]
        rows = table[(table["model"] == system.model) & (table["split"] == split) & table["truth"].notna()]
        if rows.empty:
            raise RunError(
                f"{system.run.folder}: '{system.model}' has no {split} predictions; run the same 'mien train' again to "
                "go on, or name the models to compare as RUN/models/MODEL"
            )
        if rows["speaker"].isna().all():
            raise RunError(
                f"{system.run.folder}: its corpus names no speakers, and systems are compared over speakers; train "
                "them as models of one experiment, whose page compares its models over clips"
            )
        parts.append(rows.assign(model=system.name))
    runs = {system.of: system.run for system in systems}
    seen = {name: tests_seen(run, split) for name, run in runs.items()}
    tested = [part["clip"].nunique() for part in parts]
    sampled = len(runs) > 1 and any(run.experiment.protocol.name == SPLITS for run in runs.values())
    if sampled or len(set(seen.values())) > 1:
        parts = shared(parts)
    for system, part in zip(systems[1:], parts[1:], strict=True):
        _refuse_other_clips(systems[0], parts[0], system, part)
    marks = tuple(f"{name}: {mark}" if len(runs) > 1 else mark for name, run in runs.items() for mark in run.marks)
    together = Together(
        tuple(systems), split, systems[0].run.classes, pd.concat(parts, ignore_index=True), marks, (), seen
    )
    notes = (*_notes(together, runs, tables), *_readings(together, tested))
    return replace(together, notes=notes)


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
        only = f"the only system is {found[0].name}" if found else "there is none"
        raise RunError(f"a comparison needs two systems or more, {only}; name another RUN or RUN/models/MODEL")
    return found


def _place(path: Path) -> tuple[Path, str]:
    """The run folder, and the model if the path names one, otherwise ""."""
    if path.parent.name == "models" and (path.parent.parent / "experiment.yaml").is_file():
        return path.parent.parent, path.name
    return path, ""


def _labels(folders: Sequence[Path]) -> dict[Path, str]:
    """The name of each run: the name of its folder, with as many parent folders as make it unique."""
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
            f"{other.name} has other classes ({', '.join(other.run.classes)}) than {first.name} "
            f"({', '.join(first.run.classes)}); compare runs of the same data.scheme"
        )
    one, two = (rows.drop_duplicates("clip").set_index("clip")[list(CHECKED)] for rows in (of_first, of_other))
    only = {first.name: one.index.difference(two.index), other.name: two.index.difference(one.index)}
    if lost := [f"{len(clips)} only in {name} ({_some(clips)})" for name, clips in only.items() if len(clips)]:
        raise RunError(
            f"{other.name} is not tested on the clips of {first.name}: {', '.join(lost)}; compare runs that are "
            "finished, of the same corpus, protocol and scheme"
        )
    two = two.loc[one.index]
    for what in CHECKED:
        if (apart := one[what].astype(str) != two[what].astype(str)).any():
            clip = sorted(map(str, one.index[apart]))[0]
            values = [side[what].loc[clip] for side in (two, one)]
            raise RunError(
                f"{other.name} has another {what} than {first.name} for {int(apart.sum())} of {len(one)} clips: {clip} "
                f"is '{values[0]}' and '{values[1]}'; compare runs of the same data"
            )


def _notes(together: Together, runs: dict[str, Run], tables: dict[str, pd.DataFrame]) -> list[str]:
    notes = []
    if together.split == "validation":
        blind = [name for name, table in tables.items() if scored_split(table) == "validation"]
        notes.append(
            f"Compared on validation speakers, who also chose the epoch: test clips were not evaluated "
            f"({', '.join(blind) if len(runs) > 1 else 'hold_test'})."
        )
    for name, run in runs.items():
        chosen = {system.model for system in together.systems if system.of == name}
        curves = {variant for model in run.experiment.models for variant in by_share(run.experiment, model).values()}
        left = len(set(run.experiment.trained) - chosen - curves)
        if left and chosen == set(run.experiment.models):
            notes.append(f"{left} variants of {name} are not compared; name them as RUN/models/VARIANT.")
    reasons: dict[str, str] = {}
    for second in together.systems[1:]:
        for first in together.systems:
            if first is second:
                break
            if reason := together.unpaired(first, second):
                pair = f"{first.of} with {second.of}" if first.of != second.of else f"{first.name} with {second.name}"
                reasons.setdefault(pair, reason)
    for pair, reason in reasons.items():
        notes.append(f"No tests over training runs for {pair}: {reason}. Seeds are averaged within a speaker.")
    clips = set(together.predictions["clip"])
    (name_of_first, first_run), *others = runs.items()
    for name, run in others:
        one, two = (_hashes(side) for side in (first_run, run))
        if changed := sorted(clip for clip in clips & set(one) & set(two) if one[clip] != two[clip]):
            notes.append(
                f"{len(changed)} of {len(clips)} clips have the same name but another content in {name} than in "
                f"{name_of_first} ({_some(changed)})."
            )
    return notes


def _readings(together: Together, tested: Sequence[int]) -> Iterator[str]:
    """Sentences if some runs test seen speakers and others unseen ones, or if not all clips are compared.

    `tested` is the number of clips of each system.
    """
    if len(set(together.seen.values())) > 1:
        seen, unseen = ([name for name, own in together.seen.items() if own is kind] for kind in (True, False))
        yield (
            f"Tested on speakers that were seen in training: {', '.join(seen)}; on unseen speakers: "
            f"{', '.join(unseen)}. The scores of the first say nothing of other people."
        )
    clips = together.predictions["clip"].nunique()
    if max(tested) > clips:
        numbers = ", ".join(
            f"{count} in {name}" for name, count in zip([one.name for one in together.systems], tested, strict=True)
        )
        yield f"Compared on the {clips} clips that all systems test; tested are {numbers}."


def _hashes(run: Run) -> dict[str, Any]:
    files: dict[str, Any] = run.certificate["files"]
    return files


def _some(clips: Any) -> str:
    names = sorted(map(str, clips))
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _numbers(values: Sequence[int]) -> str:
    """`0 to 2` for three or more successive numbers, otherwise all of them."""
    if len(values) > 2 and values[-1] - values[0] == len(values) - 1:
        return f"{values[0]} to {values[-1]}"
    return ", ".join(map(str, values))
