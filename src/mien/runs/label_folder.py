"""How `mien label` writes its folder: part by part, so that it can be interrupted, and then as a whole.

A part is some files (`PART`), or one that is large. It leaves a shard of frames and, after it, a record in `parts/`
named by the files, their sizes and times: a part that has its record is done. When all have one, the segments are
pooled from the frames that are kept, and the tables and the card are written. Nothing that is written depends on the
number of processes, nor on how often the work was interrupted. See `corpora.label_folder` for what others read.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import softmax

from mien.common import manifests
from mien.common.cells import write_table
from mien.common.escapes import NOT_UTF8, is_text, written
from mien.common.files import contents, require_folder, sha256, write_json
from mien.common.progress import progress, say
from mien.common.settings import digest
from mien.common.workers import Lost, spread
from mien.corpora.corpus import Problem, problem_table
from mien.corpora.label_folder import CARD, COLUMNS, FORMAT, FRAMES, LOGIT, PROBLEMS, SEGMENTS, read_card
from mien.data import shards
from mien.data.prepared import key
from mien.errors import ConfigError, CorpusError, MediaError
from mien.media import activity
from mien.media.limits import carried, given, of_process
from mien.runs import labelling
from mien.runs.labelling import Stretch, label
from mien.runs.pooling import Pooled, Pooling, pool
from mien.runs.teacher import EVERY, Teacher, open_teacher

PARTS = "parts"
LOST, UNREADABLE, LIMITS = "lost", "unreadable", "limits"  # keys of a record
PART, LARGE = 16, 2**26  # files of a part, and bytes of them: a film of more is a part of its own
SAME = {  # keys of the card that a folder keeps -> what a sentence calls them
    "teacher": "another teacher",
    "classes": "a teacher of other classes",
    "faces": "other settings of faces",
    "voice_activity": "another voice activity detector",
}


class Asked(NamedTuple):
    """What is labelled, and how, for the processes that do it.

    Attributes:
        out: the label folder.
        root: the folder that the names of files are relative to.
        teacher: the folder of the model.
        faces: the face detector; None for that of the teacher's training.
        voice_activity: finds silence.
        device: to compute on.
        threads: of torch, in each process.
        call: another text in each call.
    """

    out: Path
    root: Path
    teacher: Path
    faces: str | None
    voice_activity: activity.Kind
    device: str
    threads: int
    call: str


class Done(NamedTuple):
    """What a finished folder holds.

    Attributes:
        card: as in `card.json`.
        segments: as in `segments.csv`.
        problems: file and problem of what was not labelled.
    """

    card: dict[str, Any]
    segments: pd.DataFrame
    problems: list[Problem]


def common_root(given: Sequence[Path]) -> Path:
    """The folder below which all given files and folders lie, absolute."""
    places = [place if place.is_dir() else place.parent for place in map(_absolute, given)]
    return Path(os.path.commonpath(places))


def names(files: Sequence[Path], root: Path) -> tuple[list[str], list[Problem]]:
    """The names of files in the tables: relative to the root, with `/`, sorted; and those that no table can hold.

    Raises:
        ConfigError: the root is such a name.
        MediaError: all files have such names.
    """
    if not is_text(root):
        raise ConfigError(f"{root}: {NOT_UTF8}")
    found = sorted(_absolute(file).relative_to(root).as_posix() for file in files)
    unnamed = [Problem(written(file), f"{NOT_UTF8}; not labelled") for file in found if not is_text(file)]
    if len(unnamed) == len(found):
        more = f" (and {len(unnamed) - 1} more files)" if len(unnamed) > 1 else ""
        raise MediaError(root / found[0], f"{NOT_UTF8}{more}")
    return [file for file in found if is_text(file)], unnamed


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow links out of the folder that is given


def begin(asked: Asked, teacher: Teacher, files: Sequence[str]) -> None:
    """Mark the folder as being written, or go on with it.

    Raises:
        ConfigError: it cannot be written to, a class of the teacher has the name of a column, or the folder has labels
            of another teacher, of other settings, or of files that are not given.
        CorpusError: it holds something else.
    """
    out = asked.out
    require_folder(out)
    if taken := [name for name in teacher.classes if name in COLUMNS or name.startswith(LOGIT)]:
        raise ConfigError(f"--teacher {asked.teacher}: its class '{taken[0]}' is called like a column of {SEGMENTS}")
    before, now = read_card(out), _identity(asked, teacher)
    if before is None:
        if contents(out):
            raise CorpusError(f"{out}: is not empty and holds no labels; choose a new folder for --out")
    else:
        _refuse_other(out, before, now)
        known = {file for part in _records(out) for file in part["files"]}
        if lost := sorted(known - set(files)):
            raise ConfigError(f"{out}: has labels of {lost[0]}, which is not given; give it too, or choose a new --out")
    write_json(out / CARD, (before or now) | {"unfinished": True})


def _refuse_other(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if before["classes"] != now["classes"]:
        own, other = (", ".join(card["classes"]) for card in (before, now))
        raise ConfigError(f"{out}: has labels of the classes {own}, and this teacher's are {other}; choose a new --out")
    for name, what in SAME.items():
        if before[name] != now[name]:
            was = before[name]["name"] if name == "teacher" else before[name]
            raise ConfigError(f"{out}: was labelled by {what}, {was}; give the same, or choose a new folder for --out")
    if before["root"] != now["root"]:
        raise ConfigError(
            f"{out}: has labels of files below {before['root']}, and {now['root']} is given; choose a new --out"
        )


def _identity(asked: Asked, teacher: Teacher) -> dict[str, Any]:
    """The part of the card that stays."""
    return {
        "format": FORMAT,
        "teacher": {
            "name": teacher.model.name,
            "sha256": teacher.sha256,
            "scheme": teacher.model.scheme,
            "limits": list(teacher.model.limits),
            "licences": list(teacher.licences),
            "single_images": teacher.model.of_images,
        },
        "classes": list(teacher.classes),
        "every": EVERY,
        "window": round(labelling.WINDOW * EVERY, 2),
        "longest": labelling.LONGEST,
        "shortest": labelling.SHORT,
        "faces": teacher.faces.model_dump(mode="json"),
        "voice_activity": asked.voice_activity,
        "root": str(asked.root),
        "mien": version("mien"),
    }


def label_all(asked: Asked, files: Sequence[str], workers: int) -> None:
    """Label the files that are not labelled yet, in worker processes; finished parts stay when it is interrupted."""
    shards.mend(asked.out / FRAMES)
    waiting = [todo for part in _parts(asked.root, files) for todo in _waiting(asked, part)]
    with progress(sum(map(len, waiting)), "labelling", "files") as advance:
        work = carried(partial(_label, asked=asked))
        for part, result in spread(work, waiting, workers=workers, limits=of_process()):
            if isinstance(result, Lost):
                problem = [result.item, result.problem]
                _write(asked, part, {"files": list(part), "rows": [], "problems": [problem], "shard": None, LOST: True})
            advance(len(part))


def _parts(root: Path, files: Sequence[str]) -> list[list[str]]:
    """Files that are labelled together, and recorded at once."""
    parts: list[list[str]] = []
    room = size = 0
    for file in files:
        size = _about(root / file)[0]
        if not parts or len(parts[-1]) == PART or size > room:
            parts.append([])
            room = LARGE
        parts[-1].append(file)
        room -= size
    return parts


def _about(file: Path) -> tuple[int, int]:
    """The size of a file and when it was written; zeros where it is gone, which is found when it is read."""
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _record(asked: Asked, part: Sequence[str]) -> Path:
    about = [[file, *_about(asked.root / file)] for file in part]
    return asked.out / PARTS / f"{digest(about)}.json"


def _waiting(asked: Asked, part: Sequence[str]) -> list[list[str]]:
    """What is to be labelled of a part: all of it, nothing, or of a part that was divided the files that are not done.

    Files that ended their process are tried again, as memory may have been short, and those that could not be opened
    once they can be, and all with a problem under other limits. Others stay problems: they are what they are.
    """
    if (whole := _record(asked, part)).is_file():
        return [] if _is_done(asked, whole) else [list(part)]
    alone = {file: _record(asked, [file]) for file in part}
    if not all(path.is_file() for path in alone.values()):
        return [list(part)]
    return [[file] for file, path in alone.items() if not _is_done(asked, path)]


def _is_done(asked: Asked, path: Path) -> bool:
    """Whether a record holds, and the frames that it tells of are there."""
    try:
        record = _read(path)
    except ValueError as error:
        say(f"{path}: damaged ({error}); its files are labelled again")
        return False
    if record.get(LOST) or _readable_now(asked, record) or (record["problems"] and record.get(LIMITS, {}) != given()):
        return False
    return record["shard"] is None or (asked.out / FRAMES / record["shard"]).is_file()


def _readable_now(asked: Asked, record: Mapping[str, Any]) -> bool:
    """Whether a file can be read that could not be when this record was made."""
    return any(os.access(asked.root / file, os.R_OK) for file in record.get(UNREADABLE, ()))


def _records(out: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((out / PARTS).glob("*.json")):
        with suppress(ValueError):  # one that is damaged is made again, see `_is_done`
            yield _read(path)


def _read(path: Path) -> dict[str, Any]:
    """A record; raises ValueError, with one clause, where it is damaged."""
    return manifests.unsealed(path.read_bytes())


@lru_cache(maxsize=1)  # in a worker; not across calls, between which a model may change
def _opened(folder: Path, device: str, threads: int, faces: str | None, call: str) -> Teacher:
    return open_teacher(folder, device, threads, faces)


def _label(part: Sequence[str], *, asked: Asked) -> None:
    """Label the files of a part in this process, and write its shard and its record."""
    teacher = _opened(asked.teacher, asked.device, asked.threads, asked.faces, asked.call)
    rows: list[dict[str, Any]] = []
    problems: list[list[str]] = []
    unreadable: list[str] = []
    kept: list[shards.Frames] = []
    for file in part:
        path = asked.root / file
        try:
            identity = sha256(path)
            found = label(path, teacher, activity.detector(asked.voice_activity))
        except MediaError as error:
            problems.append([file, error.cause])
            continue
        except OSError as error:
            problems.append([file, f"cannot be read ({error.strerror})"])
            unreadable.append(file)
            continue
        for one in found:
            clip, place = f"{file}:{one.person}:{one.start:.2f}-{one.end:.2f}", key(identity, one.start, one.end)
            kept.append(shards.Frames(clip, place, round(one.end - one.start, 3), one.logits, one.reasons))
            if one.speaking is not None:
                rows.append(_row(clip, file, one))
    shard = shards.write(asked.out / FRAMES, kept).name if kept else None
    record = {"files": list(part), "rows": rows, "problems": problems, "shard": shard}
    more = {UNREADABLE: unreadable, LIMITS: given() if problems else {}}
    _write(asked, part, record | {name: value for name, value in more.items() if value})


def _row(clip: str, file: str, one: Stretch) -> dict[str, Any]:
    place = {"start": one.start, "end": one.end, "person": one.person, "speaking": one.speaking}
    seen = round(float((one.reasons == 0).mean()), 4)
    return {"clip": clip, "file": file, **place, "seen": seen, "frames": len(one.reasons)}


def _write(asked: Asked, part: Sequence[str], record: Mapping[str, Any]) -> None:
    write_json(_record(asked, part), manifests.sealed(record))


def finish(asked: Asked, files: Sequence[str], unnamed: Sequence[Problem], pooling: Pooling, pooled: Pooled) -> Done:
    """Pool the frames of each segment, and write the tables and the card.

    Args:
        asked: what is labelled.
        files: as `names` gives them.
        unnamed: those that cannot be named.
        pooling: see `ways`.
        pooled: see `ways`.

    Raises:
        MediaError: no file could be labelled; what was written is taken back.
        CorpusError: a shard is damaged.
    """
    out, records = asked.out, list(_finished(asked, files))
    problems = [*unnamed, *(Problem(file, text) for record in records for file, text in record["problems"])]
    if not any(record["rows"] for record in records):
        _take_back(out)
        first, *others = sorted(problems)
        more = f" (and {len(others)} more files that cannot be labelled)" if others else ""
        raise MediaError(asked.root / first.file, first.problem + more)
    card = {name: value for name, value in (read_card(out) or {}).items() if name != "unfinished"}
    classes, counts = card["classes"], _Counts(card["classes"])
    rows = [row for record in records for row in _pooled(out, record, classes, pooling, pooled, counts)]
    table = pd.DataFrame(rows).sort_values(["file", "start", "person"], kind="stable", ignore_index=True)
    card |= {
        "pooling": pooling,
        "pooled": pooled,
        **counts.plain,
        **_totals(table, len(files) + len(unnamed), problems),
    }
    for name, rows_of in ((PROBLEMS, problem_table(problems)), (SEGMENTS, table)):
        write_table(out / name, rows_of)
    _forget(out, records, {_record(asked, record["files"]).name for record in records})
    write_json(out / CARD, card)
    return Done(card, table, problems)


def _finished(asked: Asked, files: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The records of all parts, in the order of the files."""
    for part in _parts(asked.root, files):
        whole = _record(asked, part)
        for path in [whole] if whole.is_file() else [_record(asked, [file]) for file in part]:
            yield _read(path)


class _Counts:
    """How often each class is the dominant one of a frame, and why frames cannot be used."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._dominant: Counter[int] = Counter()
        self._unusable = 0

    def add(self, logits: np.ndarray[Any, Any], usable: np.ndarray[Any, Any]) -> None:
        self._dominant.update(logits[usable].argmax(axis=1).tolist())
        self._unusable += int((~usable).sum())

    @property
    def plain(self) -> dict[str, Any]:
        by_class = {name: self._dominant[number] for number, name in enumerate(self._classes)}
        return {"frames": sum(by_class.values()), "frames_unusable": self._unusable, "frames_by_emotion": by_class}


def _pooled(
    out: Path, record: Mapping[str, Any], classes: Sequence[str], pooling: Pooling, pooled: Pooled, counts: _Counts
) -> Iterator[dict[str, Any]]:
    """The rows of a part's segments with their pooled logits; all its frames are counted."""
    if record["shard"] is None:
        return
    path = out / FRAMES / record["shard"]
    places = {entry.clip: slice(entry.begin, entry.end) for entry in shards.entries_of(path)}
    frames, reasons = shards.frames(path).numpy(), shards.reasons(path)
    usable = np.ones(len(frames), np.bool_) if reasons is None else reasons.numpy() == 0
    counts.add(frames, usable)
    for row in record["rows"]:
        place = places[row["clip"]]
        logits = pool(frames[place][usable[place]], pooling, pooled)
        shares = softmax(logits, axis=-1)
        named = {f"{LOGIT}{name}": round(float(value), 5) for name, value in zip(classes, logits, strict=True)}
        shown = {name: round(float(value), 6) for name, value in zip(classes, shares, strict=True)}
        row = {**row, "emotion": classes[int(logits.argmax())]}
        yield {**{name: row[name] for name in COLUMNS}, **named, **shown}


def _totals(table: pd.DataFrame, files: int, problems: Sequence[Problem]) -> dict[str, Any]:
    seconds = table["end"] - table["start"]
    emotions = table["emotion"].value_counts().sort_index()
    return {
        "files": files,
        "files_labelled": int(table["file"].nunique()),
        "problems": len(problems),
        "people": len(table[["file", "person"]].drop_duplicates()),
        "segments": len(table),
        "segments_speaking": int(table["speaking"].sum()),
        "seconds": round(float(seconds.sum()), 3),
        "seconds_speaking": round(float(seconds[table["speaking"]].sum()), 3),
        "segments_by_emotion": {str(name): int(count) for name, count in emotions.items()},
    }


def _forget(out: Path, records: Sequence[Mapping[str, Any]], known: set[str]) -> None:
    """Remove what an interruption or a changed file has left behind."""
    wanted = {record["shard"] for record in records}
    for path in [*(out / PARTS).glob("*.json"), *(out / FRAMES).glob("shard-*")]:
        if path.name not in known | wanted:
            path.unlink()


def _take_back(out: Path) -> None:
    """Remove what was written to a folder in which nothing could be labelled."""
    for name in (PARTS, FRAMES):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in (CARD, SEGMENTS, PROBLEMS):
        (out / name).unlink(missing_ok=True)
    with suppress(OSError):
        out.rmdir()
