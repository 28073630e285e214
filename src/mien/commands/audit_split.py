"""`mien audit --split`: what is wrong with a published split, by its table and, where it is there, its sound."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mien.audit.splits import certificate as splits
from mien.audit.splits import checks, manifests, sounds
from mien.audit.splits.findings import Finding, counted, examine
from mien.audit.splits.manifests import Manifest
from mien.audit.splits.sounds import Sounds
from mien.commands import Outcome
from mien.common.files import atomic, sha256, write_json
from mien.common.settings import digest
from mien.corpora.readers import _files
from mien.data.protocols import PARTS
from mien.errors import AuditError, CorpusError

LEAKY = 2  # exit code where the split leaks, as of every refusal
COLUMNS = ("finding", "severity", "rows")


def audit_split(
    manifest: Path | str,
    *,
    root: Path | str | None = None,
    reader: str | None = None,
    out: Path | str | None = None,
    workers: int = 1,
) -> Outcome:
    """Examine who and what is shared between the parts of a split that anybody made; nothing is trained.

    Args:
        manifest: our `splits.json`, a CSV file with a column `split`, EmoBox's or HiCMAE's lists, or a folder of them;
            see `mien.audit.splits.manifests`.
        root: the folder of the recordings. Without it sound is not examined.
        reader: the corpus whose file names tell the speaker where the manifest does not; recognised where it is None.
        out: a folder for certificate.json (everything) and findings.csv (finding, severity, rows as JSON).
        workers: processes that decode.

    Returns:
        `data` is the certificate. The command line ends with 2 where a finding is a leak, else with 0. That files are
        missing is one problem, that some cannot be read another; the certificate lists them.

    Raises:
        AuditError: `out` is a file.
        ConfigError: no corpus called `reader` has a rule for its file names.
        CorpusError: the manifest, or the folder of the recordings, is none, or is damaged, or `reader` is of others.
    """
    if out is not None and Path(out).is_file():
        raise AuditError(f"{out}: is a file, not a folder; choose another --out")
    read = manifests.read(Path(manifest), reader)
    heard, missing = (None, []) if root is None else _heard(read.rows, Path(root), workers)
    found, lacking, partly = examine(read.rows, None if heard is None else heard.twins)
    lacking["test-statistics"] = "a manifest does not tell how features are normalised"
    if heard is None:
        why = "no --root tells where the recordings are"
        lacking["near-duplicate"] = why
        splits.limit(partly, lacking, splits.BY_NAME, f"names only: {why}")
    elif missing or heard.problems:
        told = f"{len(heard.hashes):,} of {counted(read.rows['clip'].nunique(), 'clip')} heard: {_why(missing, heard)}"
        splits.limit(partly, lacking, splits.SOUND, told)
    certificate = _certificate(Path(manifest), read, heard, missing) | splits.told(found, lacking, partly)
    certificate |= {"accepted": [], "marks": [], "notes": [*read.said, *_mute(heard)]}
    if out is not None:
        _write(Path(out), certificate, found)
    leaky = any(one.severity == "leak" for one in found)
    return Outcome(
        data=certificate,
        text=_text(read.rows, certificate, found, out),
        problems=_problems(root, heard, missing),
        exit_code=LEAKY if leaky else 0,
    )


def _heard(rows: pd.DataFrame, root: Path, workers: int) -> tuple[Sounds, list[str]]:
    """What came of the recordings below a folder, and the files that are not there."""
    media: dict[str, list[str]] = {}
    for path in _files.media(root):
        media.setdefault(PurePosixPath(path).stem, []).append(path)
    files: dict[str, tuple[Path, float, float]] = {}
    missing = []
    clips = rows.drop_duplicates("clip")
    told = clips["file"].fillna(clips["clip"])
    for clip, file, start, end in zip(clips["clip"], told, clips["start"], clips["end"], strict=True):
        if (there := _nearest(str(file), media)) is None:
            missing.append(str(file))
        else:
            files[clip] = (root / there, float(start), float(end))
    if not files:
        raise CorpusError(f"{root}: holds none of the {len(clips):,} clips of the split, such as {missing[0]}")
    return sounds.of_files(files, workers=workers), missing


def _nearest(file: str, media: Mapping[str, Sequence[str]]) -> str | None:
    """The path whose name is the same and whose folders agree longest from the end; None where two agree as long."""
    parts = PurePosixPath(file.replace("\\", "/")).parts
    name = PurePosixPath(parts[-1])
    paths = media.get(name.name) or media.get(name.stem) or ()

    def agreeing(path: str) -> tuple[int, bool]:
        pairs = zip(reversed(parts[:-1]), reversed(PurePosixPath(path).parts[:-1]), strict=False)
        agree = [one == other for one, other in pairs]
        return (agree.index(False) if False in agree else len(agree)), PurePosixPath(path).suffix == name.suffix

    ranked = sorted(paths, key=agreeing, reverse=True)
    if len(ranked) > 1 and agreeing(ranked[0]) == agreeing(ranked[1]):
        return None
    return ranked[0] if ranked else None


def _why(missing: Sequence[str], heard: Sounds) -> str:
    """Why not all was heard."""
    is_missing = f"{counted(len(missing), 'file')} {'is' if len(missing) == 1 else 'are'} missing"
    return "; ".join([*([is_missing] if missing else []), *filter(None, [splits.unread(heard)])])


def _problems(root: Path | str | None, heard: Sounds | None, missing: Sequence[str]) -> list[str]:
    """One sentence on the files that are missing, and one on those that cannot be read."""
    told = [splits.unread(heard)] if heard and heard.problems else []
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        lost = f"{counted(len(missing), 'file')} {verb} not found below {root}, or at two places, such as {missing[0]}"
        told.insert(0, lost)
    return told


def _certificate(manifest: Path, read: Manifest, heard: Sounds | None, missing: Sequence[str]) -> dict[str, Any]:
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
        "files": {} if heard is None else heard.hashes,
        "missing": list(missing),
        "unread": [] if heard is None else heard.problems,
        "split": digest(placed.to_numpy().tolist()),
    }


def _mute(heard: Sounds | None) -> list[str]:
    if heard is None or not heard.mute:
        return []
    return [f"{counted(len(heard.mute), 'clip')} too short or too even for a fingerprint, such as {heard.mute[0]}"]


def _write(out: Path, certificate: Mapping[str, Any], found: Sequence[Finding]) -> None:
    write_json(out / "certificate.json", certificate)
    rows = [(one.finding, one.severity, json.dumps(one.rows, ensure_ascii=False)) for one in found]
    with atomic(out / "findings.csv") as temporary:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(temporary, index=False, lineterminator="\n")


def _text(rows: pd.DataFrame, certificate: Mapping[str, Any], found: Sequence[Finding], out: Path | str | None) -> str:
    """At most 80 letters a line."""
    lines = list(_counts(rows))
    lines += [f"{one.severity}  {one.finding:18} {one.text}" for one in found]
    if not any(one.severity == "leak" for one in found):
        unknown = "speakers are not known: whether the split leaks cannot be told; "
        lines.append(f"{unknown * ('shared-speaker' in certificate['not_examined'])}no leak in what was examined")
    lines.append(f"examined: {', '.join(certificate['examined']) or 'nothing in full'}")
    lines += [f"examined in part: {line}" for line in _by_reason(certificate["examined_in_part"])]
    lines += [f"not examined: {line}" for line in _by_reason(certificate["not_examined"])]
    lines += certificate["notes"]
    if out is not None:
        lines.append(f"certificate: {Path(out) / 'certificate.json'}")
    return "\n".join(
        textwrap.fill(line, 80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        for line in lines
    )


def _by_reason(told: Mapping[str, str]) -> list[str]:
    """The names of each reason, and the reason."""
    return [f"{', '.join(name for name in told if told[name] == why)}: {why}" for why in dict.fromkeys(told.values())]


def _counts(rows: pd.DataFrame) -> Iterator[str]:
    """A line for each corpus: its folds, and how many clips and speakers a part of a fold has."""
    several = checks.several(rows)
    for corpus, part in rows.fillna({"corpus": ""}).groupby("corpus", sort=True) if several else [("", rows)]:
        sizes = part.groupby(["fold", "split"])[["clip", "speaker"]].nunique().reset_index()
        told = []
        for name in PARTS:
            if len(size := sizes[sizes["split"] == name]):
                people = _range(size["speaker"], "speaker") if size["speaker"].any() else "unknown speakers"
                told.append(f"{name} {_range(size['clip'], 'clip')} of {people}")
        prefix = f"{corpus!s}, " if corpus else ""
        yield f"{prefix}{counted(part['fold'].nunique(), 'fold')}: {', '.join(told)}"


def _range(counts: "pd.Series[int]", thing: str) -> str:
    low, high = int(counts.min()), int(counts.max())
    return counted(high, thing) if low == high else f"{low:,} to {counted(high, thing)}"
