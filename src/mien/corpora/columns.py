"""Columns of tables that others have written: how they are called, what their words mean, and what is not known.

Names are compared without regard to case, spaces, points and hyphens, so that `Speaker ID` and `speaker_id` are one.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mien.corpora.corpus import MISSING
from mien.corpora.schemes import EMOTIONS, SYNONYMS
from mien.errors import CorpusError

PARTS_OR_CORPORA = ("dataset", "database")  # the split where their words are train, test and the like
SPELT = {  # column -> its names in other tables, the most likely first
    "file": (
        "file",
        "wav",
        "path",
        "audio",
        "filename",
        "file_name",
        "filepath",
        "file_path",
        "wav_path",
        "audio_path",
        "audio_filepath",
        "audio_file",
    ),
    "split": ("split", "split_set", "partition", "subset", "set", *PARTS_OR_CORPORA),
    "fold": ("fold", "fold_id"),
    "speaker": (
        *("speaker", "speaker_id", "speakerid", "spkrid", "spkr_id", "spkr", "spk", "spk_id", "spkid"),
        *("actor", "actor_id", "subject", "subject_id", "participant", "participant_id"),
    ),
    "gender": ("gender", "sex"),
    "emotion": ("emotion", "emo", "emotion_label", "emoclass", "emo_class", "label"),
    "corpus": ("corpus", "dataset", "database"),
    "sentence": ("sentence", "sentence_id", "statement"),
    "session": ("session", "session_id"),
    "recording": ("recording", "recording_id", "dialog", "dialogue", "video", "video_id"),
}
SPLITS = {
    **dict.fromkeys(("train", "training", "trn", "tr"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val", "development", "devel", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "evaluation", "eval"), "test"),
}
NOBODY = frozenset({"unknown", "unk", "none", "na", "n/a", "nan", "null", "?", "-", "not known", "unknown speaker"})
FLAGS = ("video", "audio")  # names of recordings, unless they say whether there is one
YES_NO = frozenset({"yes", "no", "y", "n", "true", "false"})
GIVEN = "_given"  # the ending of a user's column that has the name of one of mien's own
SHARED = "shared/"  # before the name of a recording or session that several speakers have in common
SEPARATORS = (",", "\t", ";")


def separator(header: str) -> str | None:
    """The most likely separator of the columns of a table, by its first line; None if there is none."""
    best = max(SEPARATORS, key=header.count)
    return best if best in header else None


def separator_of(path: Path) -> str | None:
    """The separator of the columns of a file; None if it has none, or its first line is no text in UTF-8."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            return separator(file.readline())
    except UnicodeDecodeError:
        return None


def plain(name: object) -> str:
    """A name as it is compared."""
    return re.sub(r"[\s.\-]+", "_", str(name).strip().lower())


def fitting(table: pd.DataFrame, column: str, emotions: Collection[str] = ()) -> list[str]:
    """The columns that may be a column of ours: that of its own name, and all spellings whose words can mean it.

    Args:
        table: cells of text.
        column: what is looked for.
        emotions: words in small letters that are known to be emotions, beside the usual ones.
    """
    names = [str(name) for name in table]
    spellings = [
        name
        for spelling in dict.fromkeys((plain(column), *SPELT.get(column, ())))
        for name in names
        if plain(name) == spelling and name != column
    ]
    own = [column] if column in names else []
    return own + [name for name in spellings if _means(column, plain(name), table[name], emotions)]


def unread_emotions(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Columns that are called like the emotion and hold none -> their words, with the number of clips, sorted.

    Args:
        table: of a corpus, as its reader gives it. Empty where it has any emotion.
    """
    if table["emotion"].notna().any():
        return {}
    names = [str(name) for name in table if name != "emotion" and plain(as_given(str(name))) in SPELT["emotion"]]
    counts = {name: table[name].dropna().astype("str").str.strip().str.lower().value_counts() for name in names}
    return {
        name: {str(word): int(clips) for word, clips in own.sort_index().items()}
        for name, own in counts.items()
        if len(own)
    }


def as_given(name: str) -> str:
    """The name that a column of a prepared table has in the user's own."""
    return name.removesuffix(GIVEN)


def _means(column: str, name: str, values: "pd.Series[Any]", emotions: Collection[str]) -> bool:
    """Whether the words of a column can be what its name says: `dataset` may be the split or the corpus."""
    if (column, name) == ("emotion", "label"):
        return _says_emotions(values) or bool(_words(values).isin(list(emotions)).any())
    if name in PARTS_OR_CORPORA:
        return _says_splits(values) == (column == "split")
    return name not in FLAGS or not _says_yes_or_no(values)


def renamed(
    table: pd.DataFrame,
    wanted: Collection[str],
    place: object,
    *,
    kept: Collection[str] = (),
    emotions: Collection[str] = (),
) -> tuple[pd.DataFrame, list[str]]:
    """A table with columns named as here, and a sentence for each column that was read under another name.

    Args:
        table: cells of text.
        wanted: the columns that are looked for, of `SPELT`.
        place: the file, for sentences.
        kept: names of columns that are read under no other name.
        emotions: words in small letters that are known to be emotions, beside the usual ones.

    Raises:
        CorpusError: two columns may be meant.
    """
    names: dict[str, str] = {}
    notes: list[str] = []
    for column in wanted:
        several = fitting(table[[name for name in table if name == column or name not in kept]], column, emotions)
        if column == "split":
            several = [name for name in several if name == column or _says_splits(table[name])] or several
        if column == "file":
            _refuse_numbers(table[several], place)
        name, said = chosen(column, table[several], place)
        notes += said
        if name is not None and name != column:
            names[name] = column
            notes.append(f"the column '{name}' is read as '{column}'")
    for name in map(str, table):
        if plain(name) in FLAGS and name not in (*kept, *wanted) and _says_yes_or_no(table[name]):
            notes.append(f"the column '{name}' holds yes or no, not the names of recordings")
    return table.rename(columns=names), notes


def chosen(column: str, cells: pd.DataFrame, place: object) -> tuple[str | None, list[str]]:
    """The column that is meant of those that may be, and sentences on the others.

    It is the one of the very name, else the one of all that hold the same values.

    Args:
        column: what is looked for.
        cells: the columns that may be meant, the most likely first.
        place: the file, for sentences.

    Raises:
        CorpusError: two may be meant, and say different things.
    """
    names = [str(name) for name in cells]
    if len(names) < 2:
        return (names[0] if names else None), []
    alike = [name for name in names if plain(name) == column]
    if column in names or len(alike) == 1:
        own = column if column in names else alike[0]
        rest = " and ".join(f"'{name}'" for name in names if name != own)
        return own, [f"the column '{own}' is taken for the {column}, not {rest}"]
    texts = [cells[name].astype("str").str.strip() for name in names]
    if all(texts[0].equals(other) for other in texts[1:]):
        return names[0], [f"the columns {' and '.join(map(repr, names))} hold the same values; '{names[0]}' is taken"]
    raise CorpusError(
        f"{place}: the columns {' and '.join(map(repr, names))} may both be the column '{column}'; "
        f"call the one that is meant '{column}'"
    )


def known(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A table whose cells such as NA and None are missing, with one sentence that counts them by column."""
    words = table.isin([word for word in MISSING if word])
    if not (counts := words.sum()[words.any()]).any():
        return table, []
    such = ", ".join(sorted({str(word) for name in counts.index for word in table[name][words[name]]}))
    where = ", ".join(f"{int(count)} of '{name}'" for name, count in counts.items())
    return table.mask(words), [f"cells with {such} are taken as not known: {where}"]


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """A table without the `.0` of names that are numbers: pandas writes it where a cell of the column is missing.

    So the speaker 12 of a file without missing cells is 12.0 in another.
    """
    kept = {}
    for name in table:
        cells = table[name].dropna()
        if len(cells) and cells.str.fullmatch(r"\d+(\.0)?").all():
            kept[str(name)] = table[name].str.removesuffix(".0")
    return table.assign(**kept)


def somebody(speakers: "pd.Series[Any]") -> "pd.Series[Any]":
    """Speakers, missing where the name is a word for an unknown one, such as `Unknown` of MSP-Podcast."""
    return speakers.mask(speakers.str.strip().str.lower().isin(NOBODY))


def split_of(word: str) -> str | None:
    """train, validation or test, of a word such as `Development` or `Test1`; None for any other."""
    return SPLITS.get(re.sub(r"[\s_-]*\d+$", "", word.strip().lower()))


def own(table: pd.DataFrame, column: str) -> bool:
    """Whether names of a column such as `session` are counted anew for each speaker.

    They are where one name is of three speakers or more, and of more than half of all: everybody has a session 1. They
    are not where most speakers of a name share a file with another of them: a meeting is in one file. Names that begin
    with `SHARED` are left aside.
    """
    if column not in table or "speaker" not in table:
        return False
    rows = table[~_shared(table[column])]
    pairs = rows[["speaker", column]].dropna().drop_duplicates()
    most = int(pairs[column].value_counts().max()) if len(pairs) else 0
    return most >= 3 and 2 * most > pairs["speaker"].nunique() and not _together(rows, column)


def within_speaker(
    table: pd.DataFrame, names: Sequence[str] = ("session", "recording")
) -> tuple[pd.DataFrame, list[str]]:
    """A table in which sessions and recordings that are counted anew for each speaker have names of their own."""
    notes = []
    for column in names:
        if own(table, column):
            alone = ~_shared(table[column])
            first = table[column][alone & table["speaker"].notna() & table[column].notna()].iloc[0]
            table = table.assign(**{column: table[column].where(~alone, table["speaker"] + "/" + table[column])})
            known = "file" in table and table["file"].notna().any()
            why = (
                "in different files, so they are taken as numbered anew for each speaker and joined"
                if known
                else "and no file shows whether they share one; they are taken as numbered anew for each, and joined"
            )
            joined = table[column][alone].dropna().iloc[0]
            notes.append(
                f"the names in the column '{column}' are those of several speakers, {why} with the speaker, such as "
                f"'{joined}'; where one belongs to several speakers, write '{SHARED}{first}'"
            )
    return table, notes


def _shared(names: "pd.Series[Any]") -> "pd.Series[bool]":
    return names.astype("str").str.startswith(SHARED).eq(True)


def _together(table: pd.DataFrame, column: str) -> bool:
    """Whether most of the three speakers or more of one name are in a file with another of them."""
    if "file" not in table:
        return False
    rows = table[["speaker", column, "file"]].dropna().drop_duplicates()
    shared = rows[rows.duplicated([column, "file"], keep=False)].groupby(column)["speaker"].nunique()
    everybody = rows.groupby(column)["speaker"].nunique()
    everybody = everybody[everybody >= 3]
    return bool((2 * shared.reindex(everybody.index, fill_value=0) > everybody).any())


def _words(values: "pd.Series[Any]") -> "pd.Series[str]":
    """The different words of a column, in small letters, without those for a missing cell."""
    texts = values.dropna().astype("str").str.strip()
    return texts[~texts.isin(MISSING)].str.lower().drop_duplicates()


def _says_splits(values: "pd.Series[Any]") -> bool:
    """Whether all words of a column are names of parts of a split."""
    words = _words(values)
    return len(words) > 0 and all(split_of(word) is not None for word in words)


def _says_yes_or_no(values: "pd.Series[Any]") -> bool:
    """Whether a column of at most two words answers a question, such as whether there is a video."""
    words = _words(values)
    return 0 < len(words) <= 2 and bool(words.isin(YES_NO).all())


def _refuse_numbers(files: pd.DataFrame, place: object) -> None:
    """Raise CorpusError if a column `file` counts files, and another column names them."""
    texts = {str(name): files[name].dropna().astype("str").str.strip() for name in files}
    counts = [name for name, cells in texts.items() if len(cells) and cells.str.fullmatch(r"\d+").all()]
    paths = [name for name, cells in texts.items() if len(cells) and cells.str.contains(r"\.[A-Za-z]\w*$|[/\\]").all()]
    if counts and paths:
        raise CorpusError(
            f"{place}: the columns '{counts[0]}', of numbers, and '{paths[0]}' may both be the column 'file'; rename "
            f"'{counts[0]}', and call the other 'file'"
        )


def _says_emotions(values: "pd.Series[Any]") -> bool:
    """Whether most words of a column are names of emotions."""
    words = _words(values)
    return len(words) > 0 and 2 * int(words.isin([*EMOTIONS, *SYNONYMS]).sum()) > len(words)
