"""Experiments that come with mien: a YAML file each, with its provenance, its cost and the score to expect.

What li2020 assumes where the paper is silent: the weights of the multitask model's two tasks; the factor on the
reversed gradient, and that it has no schedule; that a copy at another speed has another pitch too; of the features the
sample rate, the band edges, pre-emphasis and taper, the range of f0 (its method's other settings are those of
Ghahremani et al. 2014), and that energy is a logarithm. The paper normalises neither by speaker nor by clip and does
not mention statistics of the training set: nothing is normalised. li2020 departs in how a clip is brought to 14 s: the
paper cuts and repeats the utterance and extracts features of that; here frames of the whole utterance are cut and
repeated, so those near a seam differ.
"""

import re
from collections.abc import Collection
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from mien.common.settings import Loader, Named
from mien.errors import ConfigError, unknown
from mien.experiments.claims import spelt
from mien.experiments.provenance import merged, traced
from mien.experiments.spelling import doubts, refuse_nothing

EXTENDS = "extends"  # the key of a file that names the experiment whose settings it takes first
SUFFIXES = frozenset({".yaml", ".yml"})


def names() -> list[str]:
    """The experiments that come with mien."""
    return sorted(file.name[:-5] for file in resources.files(__name__).iterdir() if file.name[-5:] == ".yaml")


def read(experiment: str | Path, above: tuple[str, ...] = ()) -> tuple[Named, set[str]]:
    """The plain values of an experiment and what it extends, and the entries of its provenance without a setting.

    Raises:
        ConfigError: there is none of this name, or it is no mapping in YAML.
    """
    raw = _own(experiment)
    base = raw.pop(EXTENDS, None)
    if base is None:
        return raw, set()
    if base in above:
        raise ConfigError(f"{experiment}: extends itself by way of {' -> '.join(above)}")
    below, loose = read(_beside(experiment, base), (*above, str(base)))
    refuse_nothing(below, raw, str(experiment))
    both, more = traced(below, {**merged(below, raw), "provenance": raw.get("provenance", {})})
    return both, loose | more


def headings(name: str, keys: Collection[str]) -> dict[str, Any]:
    """Values of an experiment that comes with mien, and of what it extends: single ones at the top of its file.

    What else the file holds is passed over, which takes a tenth of the time of `read`.

    Args:
        name: of the experiment.
        keys: what is wanted, of values that are no mappings; one that the experiment does not have is left out.
    """
    text = resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    parts = re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE)  # a key in the first column, and all below it
    wanted = "".join(part for part in parts if part.partition(":")[0] in {EXTENDS, *keys})
    own: dict[str, Any] = yaml.load(wanted, Loader)  # noqa: S506 - Loader is a SafeLoader
    base = own.pop(EXTENDS, None)
    return own if base is None else headings(base, keys) | own


def questions(experiment: str | Path) -> dict[str, str]:
    """Dotted key -> a question on a new name that may be misspelt, in a file and the files that it extends."""
    if str(experiment) in names() or EXTENDS not in (raw := _own(experiment)):
        return {}
    base = _beside(experiment, raw.pop(EXTENDS))
    return questions(base) | dict(doubts(read(base)[0], raw))


def _beside(experiment: str | Path, base: object) -> str | Path:
    """What an experiment extends: a file beside it, or an experiment that comes with mien."""
    local = Path(experiment).parent / str(base)
    return local if local.suffix in SUFFIXES else str(base)


def _own(experiment: str | Path) -> Named:
    """The plain values of an experiment as they are written."""
    path = Path(experiment)
    if path.suffix in SUFFIXES:
        if not path.is_file():
            raise ConfigError(f"{path}: no such experiment file; known names: {', '.join(names())}")
        text = path.read_bytes()
    elif str(experiment) in names():
        text = resources.files(__name__).joinpath(f"{experiment}.yaml").read_bytes()
    else:
        raise ConfigError(unknown("experiment", str(experiment), names()) + " A file of yours ends in .yaml.")
    try:
        raw = yaml.load(text.decode(), Loader)  # noqa: S506 - Loader is a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{experiment}: not YAML in UTF-8: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{experiment}: an experiment is a mapping of settings, not {type(raw).__name__}")
    return spelt(raw)
