"""Corpora: a folder on disk in, the table of its clips out. The name of a file here is the reader's name.

A reader module has five constants: `SOURCE` (where to get the corpus), `LICENCE`, `SPEECH` (what kind, in which
language), `EXPECTED` (how many clips the complete corpus has, or None) and `SCHEME` (a name in `schemes`); and one
function `read(root) -> Corpus`, which raises CorpusError where the folder is not that corpus. It may have `OPTIONS`
(option -> what it says; `read` takes them by name, as text), and `LABELLED`: scheme -> how many clips of the complete
corpus have each class, and `all` of them together. Readers decode nothing. Adding one: a file, and a line in `READERS`.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType, ModuleType

import pandas as pd

from mien.corpora import schemes
from mien.corpora.corpus import Corpus
from mien.errors import ConfigError, unknown

READERS = (
    "audformat",
    "cmu_mosei",
    "emodb",
    "iemocap",
    "librispeech",
    "ravdess",
    "table",
    "toy",
)


def reader(name: str) -> ModuleType:
    """The module of a reader; raises ConfigError with the nearest name."""
    if name not in READERS:
        raise ConfigError(unknown("reader", name, READERS))
    return import_module(f"mien.corpora.{name}")


def options(name: str) -> Mapping[str, str]:
    """The options of a reader -> what they say."""
    told: Mapping[str, str] = getattr(reader(name), "OPTIONS", {})
    return told


def read(name: str, root: Path, told: Mapping[str, str] = MappingProxyType({})) -> Corpus:
    """Read a corpus.

    Args:
        name: one of `READERS`.
        root: the folder that holds the corpus (for `table` also the CSV file itself).
        told: options of the reader.

    Raises:
        ConfigError: there is no such reader, or it has no such option.
        CorpusError: the folder is missing, or is not that corpus.
    """
    if strange := [option for option in told if option not in options(name)]:
        raise ConfigError(unknown(f"option of reader '{name}'", strange[0], options(name)))
    corpus: Corpus = reader(name).read(root, **told)
    return corpus


def miscounts(name: str, table: pd.DataFrame, scheme: str | None = None) -> list[str]:
    """Sentences on what a corpus has more or fewer clips of than is published of the complete one.

    Args:
        name: the reader.
        table: the usable clips, with `emotion`; what has no sound is not counted where `seconds` are told.
        scheme: the classes; None takes every scheme of which counts are published.
    """
    published: Mapping[str, Mapping[str, int]] = getattr(reader(name), "LABELLED", {})
    heard = table[table["seconds"] > 0] if "seconds" in table else table
    told = []
    for known, counts in published.items():
        if scheme not in (None, known):
            continue
        labels, _ = schemes.apply(schemes.scheme(known), heard["emotion"])
        found = {"all": int(labels.notna().sum()), **labels.value_counts().to_dict()}
        told += [
            f"note: {name}: {found.get(what, 0):,} clips of {'all classes' if what == 'all' else what} "
            f"under the scheme '{known}', the complete corpus has {count:,}"
            for what, count in counts.items()
            if found.get(what, 0) != count
        ]
    return told
