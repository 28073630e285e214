"""Corpora: a folder on disk in, the table of its clips out. The name of a file here is the reader's name.

A reader module has five constants: `SOURCE` (where to get the corpus), `LICENCE`, `SPEECH` (what kind, in which
language), `EXPECTED` (how many clips the complete corpus has, or None) and `SCHEME` (a name in `schemes`); and one
function `read(root) -> Corpus`, which raises CorpusError where the folder is not that corpus. It may have `OPTIONS`
(option -> what it says; `read` takes them by name, as text), and `LABELLED`: scheme -> how many clips of the complete
corpus have each class, and `all` of them together. Readers decode nothing. Adding one is adding a file.
Every reader has the options of `COMMON`, which are dealt with here.
"""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType, ModuleType

import pandas as pd

from mien.common import registry
from mien.corpora import schemes
from mien.corpora.corpus import Corpus, Problem, problem_table
from mien.errors import ConfigError, CorpusError, unknown

COMMON = MappingProxyType({"leave_out": "names of clips, with commas between them, that are left out and listed"})


def names() -> tuple[str, ...]:
    """The names of all readers, sorted."""
    return registry.names(__name__)


def reader(name: str) -> ModuleType:
    """The module of a reader; raises ConfigError with the nearest name."""
    return registry.module(__name__, name, "reader")


def options(name: str) -> Mapping[str, str]:
    """The options of a reader -> what they say: its own ones, then those of every reader."""
    own: Mapping[str, str] = getattr(reader(name), "OPTIONS", {})
    return {**own, **COMMON}


def read(name: str, root: Path, told: Mapping[str, str] = MappingProxyType({})) -> Corpus:
    """Read a corpus.

    Args:
        name: of the reader.
        root: the folder that holds the corpus (for `table` also the CSV file itself).
        told: options of the reader, or of `COMMON`.

    Raises:
        ConfigError: there is no such reader, it has no such option, or no such clip is there to be left out.
        CorpusError: the folder is missing, or is not that corpus, or nothing is left of it.
    """
    if strange := [option for option in told if option not in options(name)]:
        raise ConfigError(unknown(f"option of reader '{name}'", strange[0], options(name)))
    own = {option: value for option, value in told.items() if option not in COMMON}
    corpus: Corpus = reader(name).read(root, **own)
    return _without(corpus, told["leave_out"]) if "leave_out" in told else corpus


def _without(corpus: Corpus, told: str) -> Corpus:
    """The corpus without the clips that the option `leave_out` names; each of them is a problem."""
    names = [name.strip() for name in told.split(",") if name.strip()]
    if not names:
        raise ConfigError("leave_out: names no clip; write leave_out=CLIP or leave_out=CLIP,CLIP")
    table = corpus.table
    clips = set(table["clip"])
    if strange := [name for name in names if name not in clips]:
        near = get_close_matches(strange[0], sorted(clips), n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConfigError(f"leave_out: {corpus.root} has no clip '{strange[0]}'.{hint}")
    out = table["clip"].isin(names)
    if out.all():
        raise CorpusError(f"{corpus.root}: leave_out names all of its {len(table)} clips; leave some in")
    listed = [Problem(file, problem) for file, problem in corpus.problems.itertuples(index=False)]
    shared = table["file"].duplicated(keep=False)
    for clip, file, several in zip(table["clip"][out], table["file"][out], shared[out], strict=True):
        listed.append(Problem(file, f"{clip}: left out as asked" if several else "left out as asked"))
    return replace(corpus, table=table[~out].reset_index(drop=True), problems=problem_table(listed))


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
