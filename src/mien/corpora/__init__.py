"""Corpora: a folder on disk in, the table of its clips out. The name of a file here is the reader's name.

A reader module has four constants: `SOURCE` (where to get the corpus), `LICENCE`, `EXPECTED` (how many clips the
complete corpus has, or None) and `SCHEME` (a name in `schemes`); and one function `read(root) -> Corpus`, which raises
CorpusError where the folder is not that corpus. Readers decode nothing. Adding one: a file, and a line in `READERS`.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from mien.corpora.corpus import Corpus
from mien.errors import ConfigError, unknown

READERS = (
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


def read(name: str, root: Path) -> Corpus:
    """Read a corpus.

    Args:
        name: one of `READERS`.
        root: the folder that holds the corpus (for `table` also the CSV file itself).

    Raises:
        ConfigError: there is no such reader.
        CorpusError: the folder is missing, or is not that corpus.
    """
    corpus: Corpus = reader(name).read(root)
    return corpus
