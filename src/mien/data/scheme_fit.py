"""Whether the clips of a corpus have the classes that an experiment asks for."""

from collections.abc import Mapping

from mien.data.dataset import Dataset
from mien.data.settings import OwnScheme
from mien.errors import ConfigError, unknown

WORDS = 8  # names that a sentence lists


def refuse_misfit(dataset: Dataset) -> None:
    """Raise ConfigError where a class or a merged value has no clip, or fewer than two classes have any."""
    _refuse_classes_of_no_clip(dataset)
    _refuse_fewer_than_two(dataset)


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
    raise ConfigError(
        f"{dataset.prepared.place}: of the classes {', '.join(dataset.classes)} its clips have {has}; without a class: "
        f"{listed(dataset.left_out)}; choose a scheme that fits, data.scheme=NAME or data.scheme={{classes: [...]}}, "
        "or say what the words mean when you prepare it: --option emotions=WORD:EMOTION,..."
    )


def listed(counts: Mapping[str, int]) -> str:
    """The first of some names with the number of clips, in words."""
    names = [f"{name} ({clips})" for name, clips in counts.items()]
    return ", ".join([*names[:WORDS], *(["..."] if len(names) > WORDS else [])]) or "nothing"
