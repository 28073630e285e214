"""Whether a corpus fits an experiment: whether its clips have the classes that the experiment asks for."""

from collections.abc import Mapping

from mien.corpora.schemes import EMOTIONS
from mien.data.dataset import Dataset
from mien.data.settings import OwnScheme
from mien.data.targets import ways_to_emotions
from mien.errors import ConfigError, unknown

WORDS = 8  # names that a sentence lists
MOST = 0.5  # share of the clips with an emotion that have a class; with fewer a corpus does not fit


def refuse_misfit(dataset: Dataset, experiment: str, reader: str | None, *, own_classes: bool = False) -> str:
    """All that is refused here, in the order in which a cause is named best; see `refuse_other_corpus`.

    Raises:
        ConfigError: a class or a merged value of the settings has no clip, the corpus is another one that does not fit,
            or fewer than two classes have clips.
    """
    _refuse_classes_of_no_clip(dataset)
    note = refuse_other_corpus(dataset, experiment, reader, own_classes=own_classes)
    _refuse_fewer_than_two(dataset)
    return note


def refuse_other_corpus(dataset: Dataset, experiment: str, reader: str | None, *, own_classes: bool = False) -> str:
    """A note where an experiment is trained on another corpus than that which it is made for; empty on its own.

    Args:
        dataset: the clips with their classes.
        experiment: its name.
        reader: of the corpus that the experiment is made for; None is any.
        own_classes: whether the classes are those that the corpus itself has, or were chosen for this training.

    Raises:
        ConfigError: the other corpus lacks a class, or most of its clips have none.
    """
    others = sorted({str(part.card["reader"]) for part in dataset.prepared.parts.values()} - {reader})
    if reader is None or not others:
        return ""
    made = f"{experiment} is made for the corpus {reader}, and {dataset.prepared.place} holds {' and '.join(others)}"
    if dataset.main.kind == "classes" and not own_classes:
        there = set(dataset.labelled["label"])
        lost = [name for name in dataset.classes if name not in there]
        strange = dataset.main.unmapped(dataset.prepared.table)
        without, every = sum(strange.values()), int(dataset.clips["label"].notna().sum()) + sum(strange.values())
        if lost or without > (1 - MOST) * every:
            empty = f"no clip has the class{'es' if len(lost) > 1 else ''} {', '.join(lost)}" if lost else ""
            left_out = f"{without} of {every} clips have none of the classes: {listed(strange)}" if without else ""
            raise ConfigError(f"{made}: {' and '.join(filter(None, [empty, left_out]))}; {_ways(dataset, corpus=True)}")
    return f"{made}: the scores that it expects are of {reader}"


def _refuse_classes_of_no_clip(dataset: Dataset) -> None:
    """Raise ConfigError for a class or a merged value that no clip has: most likely it is misspelt."""
    scheme = dataset.settings.scheme
    if not isinstance(scheme, OwnScheme):
        return
    values = dataset.main.values_of(dataset.prepared.table)
    merged = {name for value, name in scheme.merge.items() if value in values}
    if lost := [value for value in scheme.merge if value not in values]:
        raise ConfigError(f"data.scheme.merge: {unknown('value', lost[0], values)} No clip has it.")
    if lost := [name for name in scheme.classes if name not in values | merged]:
        raise ConfigError(f"data.scheme.classes: {unknown('class', lost[0], values)} No clip has it.")


def _refuse_fewer_than_two(dataset: Dataset) -> None:
    """Raise ConfigError where the clips have fewer than two of the classes: most likely the scheme has other words."""
    if dataset.main.kind != "classes" or len(there := dataset.labelled["label"].unique()) > 1:
        return
    has = f"{there[0]} alone" if len(there) else "none"
    if dataset.main.derived:
        factor, levels = dataset.main.factor, ", ".join(dataset.classes)
        raise ConfigError(
            f"{dataset.prepared.place}: of the levels {levels} of '{factor}' its clips have {has}; give other limits, "
            f"data.targets.{factor}.limits"
        )
    raise ConfigError(
        f"{dataset.prepared.place}: of the classes {', '.join(dataset.classes)} its clips have {has}; without a class: "
        f"{listed(dataset.left_out)}; {_ways(dataset)}"
    )


def _ways(dataset: Dataset, *, corpus: bool = False) -> str:
    """What to do about a corpus that does not fit, of all ways those that lead somewhere, one clause.

    Args:
        dataset: the clips.
        corpus: whether corpus=null is a way, where its classes have clips.
    """
    table, main, scheme = dataset.prepared.table, dataset.main, dataset.settings.scheme
    values, emotion = main.values_of(table), main.columns == ("emotion",)
    if emotion and not values:
        return ways_to_emotions(table, scheme=True)
    ways = []
    if len(values) > 1:
        ways += ["train the experiment voice, which takes the classes that a corpus has"] * emotion
        ways.append("give data.scheme=null for the corpus's own classes")
    if corpus and dataset.labelled["label"].nunique() > 1 and not isinstance(scheme, OwnScheme):
        ways.append("corpus=null to train with these classes all the same")
    if emotion and values - set(EMOTIONS):
        ways.append("say what the words mean when you prepare it, --option emotions=WORD:EMOTION,...")
    return ", or ".join(ways or ["choose a scheme that fits, data.scheme=NAME or data.scheme={classes: [...]}"])


def listed(counts: Mapping[str, int]) -> str:
    """The first of some names with the number of clips, in words."""
    names = [f"{name} ({clips})" for name, clips in counts.items()]
    return ", ".join([*names[:WORDS], *(["..."] if len(names) > WORDS else [])]) or "nothing"
