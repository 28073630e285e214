"""Readers: a folder on disk in, the table of its clips out. The name of a file here is the reader's name.

A reader module has five constants: `SOURCE` (where to get the corpus), `LICENCE`, `SPEECH` (kind and language of the
speech), `EXPECTED` (how many clips the complete corpus has, or None) and `SCHEME` (a name in `schemes`); and one
function `read(root) -> Corpus`, which raises CorpusError if the folder is not that corpus. It may have `OPTIONS`
(option -> its help line; `read` takes them by name, as text), `PLACES` (those of its options that are folders), `ALSO`
(those of `COMMON` that its `read` takes, too), `LABELLED`: scheme -> how many clips of the complete corpus have each
class, and how many have any (`all`), `LACKS`: the columns of `corpus.REQUIRED` that the corpus does not have, and
`MAY_LACK`: those that may be missing, of single clips or of all.
Readers decode nothing; one whose clips are images written out in a table gives their pixels (`Corpus.images`), and one
whose corpus holds frames of its clips a way to read them (`Corpus.frames`). To add a reader, add a file.
Every reader has the options of `COMMON`, which are applied here.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, ModuleType

import pandas as pd

from mien.common import registry
from mien.common.escapes import NOT_UTF8, is_text, written
from mien.corpora import columns, folders, schemes
from mien.corpora.corpus import COLUMNS, Corpus, Problem, problem_table
from mien.corpora.corpus import places as corpus_places
from mien.errors import ConfigError, CorpusError, nearest, unknown

COMMON = MappingProxyType(
    {
        "leave_out": "names of clips to leave out, separated by commas; they are listed",
        "emotions": "WORD:EMOTION,...: the emotions that words of one's own mean, such as freude:happiness",
    }
)
RELABELS = frozenset({"emotions"})  # options that change labels alone, and neither the clips nor their files
LEFT_OUT = "left out by the option leave_out"  # how the problem of such a clip ends


def names() -> tuple[str, ...]:
    """The names of all readers, sorted."""
    return registry.names(__name__)


def reader(name: str) -> ModuleType:
    """The module of a reader; raises ConfigError with the nearest name."""
    return registry.module(__name__, name, "reader")


def options(name: str) -> Mapping[str, str]:
    """The options of a reader and their help lines: its own, then those that every reader has."""
    own: Mapping[str, str] = getattr(reader(name), "OPTIONS", {})
    return {**own, **COMMON}


def places(name: str) -> frozenset[str]:
    """The options of a reader that are folders: they say where a corpus lies, and not what is read from it."""
    return frozenset(getattr(reader(name), "PLACES", ()))


def lacks(name: str) -> tuple[str, ...]:
    """The columns of `corpus.REQUIRED` that a reader's corpus does not have; with `file`, its clips are images."""
    return tuple(getattr(reader(name), "LACKS", ()))


def read(name: str, root: Path, given: Mapping[str, str] = MappingProxyType({})) -> Corpus:
    """Read a corpus.

    Args:
        name: of the reader.
        root: the folder that holds the corpus (for `table` also the CSV file itself).
        given: values of the reader's options, and of those in `COMMON`.

    Raises:
        ConfigError: there is no such reader, it has no such option, or no clip has a name of `leave_out` or a word of
            `emotions`.
        CorpusError: the folder is missing or is not that corpus, or no clip is left.
    """
    if strange := [option for option in given if option not in options(name)]:
        raise ConfigError(unknown(f"option of reader '{name}'", strange[0], options(name)))
    also = getattr(reader(name), "ALSO", ())
    own = {option: value for option, value in given.items() if option not in COMMON or option in also}
    for place in (root.absolute(), *(given[option] for option in places(name) if option in given)):
        if not is_text(place):
            raise CorpusError(f"{place}: {NOT_UTF8}")
    corpus: Corpus = reader(name).read(root, **own)
    if not places(name) and (unnamed := _not_utf8(root)):
        corpus = replace(corpus, problems=problem_table([*_problems(corpus), *unnamed]))
    corpus = _renamed(corpus, given["emotions"]) if "emotions" in given else corpus
    return _without(corpus, given["leave_out"]) if "leave_out" in given else corpus


def _problems(corpus: Corpus) -> list[Problem]:
    return [Problem(file, problem) for file, problem in corpus.problems.itertuples(index=False)]


def _not_utf8(root: Path) -> list[Problem]:
    """A problem for each recording below the folder of a corpus that no reader is given."""
    found = folders.files(root, *folders.MEDIA, every=True) if root.is_dir() else []
    return [Problem(written(file), f"{NOT_UTF8}; left out") for file in found if not is_text(file)]


def _renamed(corpus: Corpus, pairs: str) -> Corpus:
    """The corpus with the emotions that the option `emotions` gives for words of its own."""
    words = set(corpus.table["emotion"].dropna().str.split("+").explode())
    words |= {word for own in columns.unread_emotions(corpus.table).values() for word in own}
    meant: dict[str, str] = {}
    for pair in filter(None, (pair.strip() for pair in pairs.split(","))):
        word, _, emotion = (part.strip().lower() for part in pair.partition(":"))
        if not word or not emotion:
            raise ConfigError(f"emotions: '{pair}' is no pair; write WORD:EMOTION, such as freude:happiness")
        if not words:
            others = ", ".join(columns.as_given(str(name)) for name in corpus.table if name not in COLUMNS)
            raise ConfigError(
                f"emotions: no column is read as the emotion, so none has the word '{word}'; call the one that holds "
                f"it 'emotion'; other columns are: {others or 'none'}"
            )
        if word not in words:
            raise ConfigError(f"emotions: {unknown('word', word, words)}")
        if (meant_by := schemes.canonical(emotion)) not in schemes.EMOTIONS:
            raise ConfigError(f"emotions: {unknown('emotion', emotion, schemes.EMOTIONS)}")
        meant[word] = meant_by

    def renamed(emotion: str) -> str:
        return "+".join(sorted({meant.get(part, part) for part in emotion.split("+")}))

    emotions = corpus.table["emotion"].map(renamed, na_action="ignore").astype("str")
    return replace(corpus, table=corpus.table.assign(emotion=emotions))


def strange_words(table: pd.DataFrame) -> dict[str, int]:
    """The words of a table's column `emotion` that are none of `schemes.EMOTIONS`, with the number of their clips."""
    words = table["emotion"].dropna().str.split("+").explode().value_counts().sort_index()
    return {str(word): int(count) for word, count in words.items() if word not in schemes.EMOTIONS}


def _without(corpus: Corpus, clips_out: str) -> Corpus:
    """The corpus without the clips that the option `leave_out` names; each of them is listed with `LEFT_OUT`."""
    names = [name.strip() for name in clips_out.split(",") if name.strip()]
    if not names:
        raise ConfigError("leave_out names no clip; write leave_out=CLIP or leave_out=CLIP,CLIP")
    table = corpus.table
    clips = set(table["clip"])
    if strange := [name for name in names if name not in clips]:
        raise ConfigError(f"leave_out: {corpus.root} has no clip '{strange[0]}'.{nearest(strange[0], clips)}")
    out = table["clip"].isin(names)
    if out.all():
        raise CorpusError(f"{corpus.root}: leave_out names all of its {len(table)} clips; leave some in")
    listed = _problems(corpus)
    files = corpus_places(table)
    shared = files.duplicated(keep=False)
    for clip, file, several in zip(table["clip"][out], files[out], shared[out], strict=True):
        listed.append(Problem(file, f"{clip}: {LEFT_OUT}" if several else LEFT_OUT))
    return replace(corpus, table=table[~out].reset_index(drop=True), problems=problem_table(listed))


def miscounts(name: str, table: pd.DataFrame, scheme: str | None = None) -> list[str]:
    """One sentence for each class of which a corpus has more or fewer clips than are published of the complete corpus.

    Args:
        name: the reader.
        table: the usable clips, with `emotion`; if there is a column `seconds`, clips without sound are not counted.
        scheme: the scheme of the classes; None is every scheme with published counts.
    """
    published: Mapping[str, Mapping[str, int]] = getattr(reader(name), "LABELLED", {})
    with_sound = table[table["seconds"] > 0] if "seconds" in table else table
    notes = []
    for known, counts in published.items():
        if scheme not in (None, known):
            continue
        labels, _ = schemes.apply(schemes.scheme(known), with_sound["emotion"])
        counted = {"all": int(labels.notna().sum()), **labels.value_counts().to_dict()}
        notes += [
            f"note: {name}: {counted.get(what, 0):,} clips of {'all classes' if what == 'all' else what} "
            f"under the scheme '{known}', the complete corpus has {count:,}"
            for what, count in counts.items()
            if counted.get(what, 0) != count
        ]
    return notes
