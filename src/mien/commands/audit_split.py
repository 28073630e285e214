"""`mien audit --split`: look for leaks in a published split, by its table and, where it is given, its audio."""

import json
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mien.audit.splits import certificate as splits
from mien.audit.splits import manifests, sounds
from mien.audit.splits.findings import Finding, counted, examine
from mien.audit.splits.manifest_clips import without_endings
from mien.audit.splits.manifests import Manifest
from mien.audit.splits.sounds import Sounds
from mien.commands import Outcome
from mien.common.cells import write_table
from mien.common.files import require_folder, sha256, write_json
from mien.common.locks import writing
from mien.common.settings import digest
from mien.corpora.readers import _files
from mien.corpora.recordings import several
from mien.data.protocols import LEAKS, PARTS
from mien.errors import CorpusError, LeakError
from mien.reports import split_page

COLUMNS = ("finding", "severity", "rows")


def audit_split(
    manifest: Path | str,
    *,
    root: Path | str | None = None,
    reader: str | None = None,
    out: Path | str | None = None,
    workers: int = 1,
) -> Outcome:
    """Look for speakers, sentences and recordings that the parts of a split share; nothing is trained.

    Args:
        manifest: our `splits.json`, a CSV file with a column `split`, EmoBox's or HiCMAE's lists, or a folder of them;
            see `mien.audit.splits.manifests`.
        root: the folder of the recordings. Without it the audio is not compared.
        reader: the corpus whose file names give the speaker where the manifest does not; by default it is recognised
            from the names.
        out: a folder for certificate.json (everything), findings.csv (finding, severity, rows as JSON) and split.html.
        workers: number of processes that decode.

    Returns:
        `data` is the certificate. The exit code is 3 where a finding is a leak, else 0. Missing files are one problem,
        unreadable files another; the certificate lists them.

    Raises:
        ConfigError: nothing can be written to `out`, or mien has no rule for file names of a corpus called `reader`.
        CorpusError: the manifest is none or damaged, `root` holds none of its recordings, or its file names are not
            those of `reader`.
    """
    if out is not None:
        require_folder(Path(out))
    read = manifests.read(Path(manifest), reader, None if root is None else Path(root))
    rows, audio, missing = (read.rows, None, []) if root is None else _decoded(read.rows, Path(root), workers)
    found, lacking, partly = examine(rows, None if audio is None else audio.twins)
    lacking["test-statistics"] = "a manifest does not say how features are normalised"
    if not read.named:
        lacking["validation-overlap"] = "clips have no names"
    if audio is None:
        why = "the recordings are not given (--root)"
        lacking["near-duplicate"] = why
        if read.named:
            splits.limit(partly, lacking, splits.BY_NAME, f"names only: {why}")
        else:
            lacking |= dict.fromkeys(splits.BY_NAME, f"clips have no names, and {why}")
    elif missing or audio.problems:
        clips = counted(read.rows["clip"].nunique(), "clip")
        why = f"the audio of {len(audio.hashes):,} of {clips} was compared: {_why(missing, audio)}"
        splits.limit(partly, lacking, splits.SOUND, why)
    certificate = _certificate(Path(manifest), read, audio, missing) | splits.reported(found, lacking, partly)
    certificate |= {"accepted": [], "marks": [], "notes": [*read.notes, *_mute(audio)]}
    counts = list(_counts(read.rows))
    if out is not None:
        with writing(out, "mien audit"):
            _write(Path(out), certificate, found)
            split_page.write(Path(out), certificate, counts)
    leaky = any(one.severity == "leak" for one in found)
    return Outcome(
        data=certificate,
        text=_text(counts, certificate, found, out),
        problems=_problems(root, audio, missing),
        exit_code=LeakError.exit_code if leaky else 0,
    )


def _decoded(rows: pd.DataFrame, root: Path, workers: int) -> tuple[pd.DataFrame, Sounds, list[str]]:
    """The rows with the `sha256` of their files, the decoded recordings below a folder, and the missing files."""
    media: dict[str, list[str]] = {}
    for path in _files.media(root):
        media.setdefault(PurePosixPath(path).stem, []).append(path)
    files: dict[str, tuple[Path, float, float]] = {}
    missing = []
    clips = rows.drop_duplicates("clip")
    paths = clips["file"].fillna(clips["clip"])
    stems = without_endings(paths)
    for clip, file, stem, start, end in zip(clips["clip"], paths, stems, clips["start"], clips["end"], strict=True):
        if (there := _nearest(str(file), str(stem), media, root)) is None:
            missing.append(str(file))
        else:
            files[clip] = (root / there, float(start), float(end))
    if not files:
        raise CorpusError(f"{root}: holds none of the {len(clips):,} clips of the split, such as {missing[0]}")
    audio = sounds.of_files(files, workers=workers)
    places = {clip: os.path.realpath(place) for clip, (place, *_) in files.items()}
    return _with_contents(rows, places, audio), audio, missing


def _with_contents(rows: pd.DataFrame, places: Mapping[str, str], audio: Sounds) -> pd.DataFrame:
    """The rows with `sha256`; files that were not decoded and are the same by a link have one name."""
    contents = {places[clip]: found for clip, found in audio.hashes.items()}
    place = rows["clip"].map(places).astype("str")
    content = place.map(contents).astype("str")
    unread = place.notna() & content.isna() & rows["file"].notna()
    first = rows["file"].groupby(place).transform("min")
    return rows.assign(sha256=content, file=rows["file"].mask(unread, first))


def _nearest(file: str, stem: str, media: Mapping[str, Sequence[str]], root: Path) -> str | None:
    """The path whose name is the same and whose folders agree longest from the end; None where two files agree as long.

    Two paths of one file, by a link, are one.
    """
    parts = PurePosixPath(file.replace("\\", "/")).parts
    name = PurePosixPath(parts[-1])
    paths = media.get(name.name) or media.get(PurePosixPath(stem.replace("\\", "/")).name) or ()
    if file in paths:
        return file

    def agreeing(path: str) -> tuple[int, bool]:
        pairs = zip(reversed(parts[:-1]), reversed(PurePosixPath(path).parts[:-1]), strict=False)
        agree = [one == other for one, other in pairs]
        return (agree.index(False) if False in agree else len(agree)), PurePosixPath(path).suffix == name.suffix

    ranked = sorted(paths, key=agreeing, reverse=True)
    first = [path for path in ranked if agreeing(path) == agreeing(ranked[0])]
    return first[0] if len({os.path.realpath(root / path) for path in first}) == 1 else None


def _why(missing: Sequence[str], audio: Sounds) -> str:
    """Why the audio of some clips was not compared."""
    is_missing = f"{counted(len(missing), 'file')} {'is' if len(missing) == 1 else 'are'} missing"
    return "; ".join([*([is_missing] if missing else []), *filter(None, [splits.unread(audio)])])


def _problems(root: Path | str | None, audio: Sounds | None, missing: Sequence[str]) -> list[str]:
    """One sentence on the files that are missing, and one on those that cannot be read."""
    problems = [splits.unread(audio)] if audio and audio.problems else []
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        files = f"{counted(len(missing), 'file')} {verb}"
        problems.insert(0, f"{files} not found below {root}, or found in two places, such as {missing[0]}")
    return problems


def _certificate(manifest: Path, read: Manifest, audio: Sounds | None, missing: Sequence[str]) -> dict[str, Any]:
    """What was examined: the manifest, its folds, and the files."""
    rows = read.rows
    place = manifest if manifest.is_dir() else manifest.parent
    placed = rows[["fold", "split", "clip"]].drop_duplicates().sort_values(["fold", "split", "clip"])
    return {
        "manifest": manifest.name or str(manifest.resolve().name),
        "manifest_files": {path.relative_to(place).as_posix(): sha256(path) for path in read.files},
        "folds": int(rows["fold"].nunique()),
        "clips": {part: int(rows["clip"][rows["split"] == part].nunique()) for part in PARTS},
        "speakers": {part: int(rows["speaker"][rows["split"] == part].nunique()) for part in PARTS},
        "files": {} if audio is None else audio.hashes,
        "missing": list(missing),
        "unread": [] if audio is None else audio.problems,
        "split": digest(placed.to_numpy().tolist()),
    }


def _mute(audio: Sounds | None) -> list[str]:
    if audio is None or not audio.mute:
        return []
    return [f"{counted(len(audio.mute), 'clip')} too short or too even for a fingerprint, such as {audio.mute[0]}"]


def _write(out: Path, certificate: Mapping[str, Any], found: Sequence[Finding]) -> None:
    write_json(out / "certificate.json", certificate)
    rows = [(one.finding, one.severity, json.dumps(one.rows, ensure_ascii=False)) for one in found]
    write_table(out / "findings.csv", pd.DataFrame(rows, columns=list(COLUMNS)))


def _text(
    counts: Sequence[str], certificate: Mapping[str, Any], found: Sequence[Finding], out: Path | str | None
) -> str:
    """The findings as text, at most 80 characters a line."""
    lines = [split_page.answer(certificate)[0], *counts]
    lines += [f"{one.severity}  {one.finding:18} {one.text}" for one in found]
    for_notes = [name for name in certificate["examined"] if name not in LEAKS]
    lines.append(
        f"examined: {', '.join(name for name in certificate['examined'] if name in LEAKS) or 'nothing in full'}"
    )
    lines += [f"examined, for notes: {', '.join(for_notes)}"] if for_notes else []
    lines += [f"examined in part: {line}" for line in _by_reason(certificate["examined_in_part"])]
    lines += [f"not examined: {line}" for line in _by_reason(certificate["not_examined"])]
    lines += certificate["notes"]
    if out is not None:
        lines += [f"certificate: {Path(out) / 'certificate.json'}", f"page: {Path(out) / split_page.PAGE}"]
    return "\n".join(
        textwrap.fill(line, 80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        for line in lines
    )


def _by_reason(reasons: Mapping[str, str]) -> list[str]:
    """A line for each reason: the names of the checks, and the reason."""
    names: dict[str, list[str]] = {}
    for name, why in reasons.items():
        names.setdefault(why, []).append(name)
    return [f"{', '.join(checked)}: {why}" for why, checked in names.items()]


def _counts(rows: pd.DataFrame) -> Iterator[str]:
    """A line for each corpus: its folds, and the numbers of clips and speakers in each part."""
    apart = several(rows)
    for corpus, part in rows.fillna({"corpus": ""}).groupby("corpus", sort=True) if apart else [("", rows)]:
        sizes = part.groupby(["fold", "split"])[["clip", "speaker"]].nunique().reset_index()
        sides = []
        for name in PARTS:
            if len(size := sizes[sizes["split"] == name]):
                speakers = _range(size["speaker"], "speaker") if size["speaker"].any() else "unknown speakers"
                sides.append(f"{name} {_range(size['clip'], 'clip')} of {speakers}")
        prefix = f"{corpus!s}, " if corpus else ""
        yield f"{prefix}{counted(part['fold'].nunique(), 'fold')}: {', '.join(sides)}"


def _range(counts: "pd.Series[int]", thing: str) -> str:
    low, high = int(counts.min()), int(counts.max())
    return counted(high, thing) if low == high else f"{low:,} to {counted(high, thing)}"
