"""Split manifests of anybody, read into one table: a row for each time that a clip is put into a part of a fold.

- our `splits.json`, with the `clips.csv` beside it; a folder that holds it;
- a table (commas, tabs or semicolons) with a column `split`, and perhaps `fold`;
- files of one part each, which their names tell (`train.csv`, `emodb_test_fold_1.jsonl`): EmoBox's lines of JSON
  (`key`, `dataset`, `wav`, `emo`), tables with a header, HiCMAE's lists (`frames-folder wav label`, no header). The
  fold is told by name (`fold_1`, `split01`, `cv3`) and folder; a single file is read with those beside it that are
  named so but for the part.

Every value is text; what nobody tells is missing. Columns: `COLUMNS`.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.audit.splits import checks, manifest_tables
from mien.audit.splits.findings import counted
from mien.audit.splits.manifest_files import places
from mien.corpora import names
from mien.errors import CorpusError

COLUMNS = (
    "fold", "split", "clip", "file", "start", "end", "corpus", "speaker", "emotion", "sentence", "session", "recording",
    "listed", "named", "folder",
)  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """A split as it was published.

    Attributes:
        rows: `COLUMNS`; `speaker` is told by the table, else by the file's name, else by a folder; `listed`, `named`
            and `folder` are what each of the three says itself.
        files: the files that it was read from.
        said: sentences on what was passed over or could not be told.
    """

    rows: pd.DataFrame
    files: tuple[Path, ...]
    said: tuple[str, ...]


def read(manifest: Path, reader: str | None = None) -> Manifest:
    """Read a manifest.

    Args:
        manifest: a file, or a folder of files.
        reader: the corpus whose rule for file names tells what the table does not; recognised where it is None.

    Raises:
        ConfigError: no corpus of that name has a rule.
        CorpusError: it is missing, no manifest, damaged, has other words in its column `split`, has only one part, or
            `reader` reads fewer than half of its names.
    """
    rule = None if reader is None else names.rule(reader)
    if not manifest.exists():
        raise CorpusError(f"{manifest}: no such split manifest, neither a file nor a folder")
    said: list[str] = []
    tables, files = [], []
    for path, fold, part in places(manifest, said):
        tables.append(manifest_tables.table(path, fold, part, said))
        files.append(path)
    rows = pd.concat(tables, ignore_index=True).reindex(columns=list(COLUMNS)).astype("str")
    if unused := int(rows["split"].isna().sum()):
        said.append(f"{counted(unused, 'row')} without a split, not examined")
        rows = rows[rows["split"].notna()].reset_index(drop=True)
    if len(found := sorted(set(rows["split"]))) < 2:
        raise CorpusError(
            f"{manifest}: holds {found[0] if found else 'no clip of any split'} only; a split has two parts at least, "
            "such as train and test, in files that are named alike but for the part"
        )
    if reader is not None:
        _refuse_foreign(manifest, rows, reader)
    rows = _told_by_names(rows, rule, said)
    again = rows.duplicated(["fold", "split", "clip", "start", "end", "emotion"])
    if again.any():
        first = rows["clip"][again].iloc[0]
        said.append(f"{counted(int(again.sum()), 'row')} told twice, such as {first}; each counts once")
    return Manifest(rows[~again].reset_index(drop=True), tuple(files), tuple(said))


def _refuse_foreign(manifest: Path, rows: pd.DataFrame, reader: str) -> None:
    """Raise CorpusError where the rule of a corpus reads fewer than half of the names."""
    pairs = pd.DataFrame({"path": _paths(rows), "corpus": rows["corpus"].fillna("")}).drop_duplicates()
    stems = [_stem(path, corpus) for path, corpus in pairs.itertuples(index=False)]
    read = sum(names.rule(reader).parse(stem) is not None for stem in stems)
    if 2 * read >= len(stems):
        return
    better = names.recognise(stems)
    way = f"they are those of {better}: give --reader {better}, or leave it out" if better else "leave --reader out"
    raise CorpusError(
        f"{manifest}: {read:,} of {counted(len(stems), 'name')} can be read as those of {reader}, unlike {stems[0]}; "
        f"{way}"
    )


def _told_by_names(rows: pd.DataFrame, rule: names.Rule | None, said: list[str]) -> pd.DataFrame:
    """The rows with what file names tell: `named`, `folder`, and speaker, sentence, recording where they lack."""
    paths = _paths(rows)
    told: dict[tuple[str, str], dict[str, str]] = {}
    pairs = pd.DataFrame({"path": paths, "corpus": rows["corpus"].fillna("")}).drop_duplicates()
    for corpus in sorted(set(pairs["corpus"])):
        stems = {path: _stem(path, corpus) for path in pairs["path"][pairs["corpus"] == corpus]}
        found = names.find(corpus) if corpus else names.recognise(stems.values())
        using = rule or (names.RULES[found] if found else None)
        if using is None:
            continue
        read = {path: using.parse(stem) for path, stem in stems.items()}
        if strange := [path for path, parts in read.items() if parts is None]:
            of = f"of {counted(len(read), 'name')} {'is not one' if len(strange) == 1 else 'are not those'}"
            said.append(f"{len(strange):,} {of} of the corpus{f' {corpus}' if corpus else ''}, such as {strange[0]}")
        for path, parts in read.items():
            by_folder = using.folder_speaker(path)
            told[path, corpus] = (parts or {}) | ({"folder": by_folder} if by_folder else {})
    keys = list(zip(paths, rows["corpus"].fillna(""), strict=True))
    added = pd.DataFrame([told.get(key, {}) for key in keys], index=rows.index, dtype="str")
    columns = ["speaker", "sentence", "emotion", "session", "recording", "folder"]
    added = added.reindex(columns=columns).astype("str")
    result = rows.assign(listed=rows["speaker"], named=added["speaker"], folder=added["folder"])
    result["speaker"] = rows["speaker"].fillna(_called(result)).fillna(added["speaker"]).fillna(added["folder"])
    for column in ("sentence", "session", "recording", "emotion"):
        if result[column].isna().all():
            result[column] = added[column]
    return result


def _called(rows: pd.DataFrame) -> "pd.Series[str]":
    """What the table mostly calls the speaker whom a name tells, so that who is told here and there is not two."""
    keys = rows["corpus"].fillna("") + "\n" + rows["named"]
    known = rows[keys.notna() & rows["listed"].notna()]
    return keys.map(known.groupby(keys[known.index])["listed"].agg(checks.usual)).astype("str")


def _paths(rows: pd.DataFrame) -> "pd.Series[str]":
    return rows["file"].fillna(rows["clip"]).str.replace("\\", "/", regex=False)


def _stem(path: str, corpus: str) -> str:
    """The name without its folder and ending, and without the corpus that keys of EmoBox begin with."""
    name = PurePosixPath(path).name
    name = PurePosixPath(name).stem if re.search(r"\.\w{1,5}$", name) else name
    return name.removeprefix(f"{corpus}-") if corpus else name
