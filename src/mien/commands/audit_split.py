"""`mien audit --split`: what is wrong with a published split, by its table and, where it is there, its sound."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from mien.audit import manifests, sounds, splits
from mien.audit.findings import Finding, examine
from mien.audit.manifests import Manifest
from mien.audit.sounds import Sounds
from mien.commands import Outcome
from mien.corpora import folder
from mien.errors import CorpusError
from mien.files import atomic, sha256, write_json
from mien.protocols import PARTS
from mien.settings import digest

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
            see `mien.audit.manifests`.
        root: the folder of the recordings. Without it sound is not examined.
        reader: the corpus whose file names tell the speaker where the manifest does not; recognised where it is None.
        out: a folder for certificate.json (everything) and findings.csv (finding, severity, rows as JSON).
        workers: processes that decode.

    Returns:
        `data` is the certificate. The command line ends with 2 where a finding is a leak, else with 0; files that are
        missing or cannot be read are problems.

    Raises:
        ConfigError: no corpus called `reader` has a rule for its file names.
        CorpusError: the manifest, or the folder of the recordings, is none, or is damaged.
    """
    read = manifests.read(Path(manifest), reader)
    heard, missing = (None, []) if root is None else _heard(read.rows, Path(root), workers)
    found, lacking = examine(read.rows, None if heard is None else heard.twins)
    lacking |= _not_heard(heard, len(missing), read.rows["clip"].nunique())
    lacking["test-statistics"] = "a manifest does not tell how features are normalised"
    certificate = _certificate(Path(manifest), read, heard, found, lacking)
    if out is not None:
        _write(Path(out), certificate, found)
    leaky = any(one.severity == "leak" for one in found)
    problems = [f"{file}: not below {root}" for file in missing] + (heard.problems if heard else [])
    return Outcome(
        data=certificate,
        text=_text(certificate, found, out),
        problems=problems,
        exit_code=LEAKY if leaky else 0,
    )


def _heard(rows: pd.DataFrame, root: Path, workers: int) -> tuple[Sounds, list[str]]:
    """What came of the recordings below a folder, and the files that are not there."""
    media: dict[str, list[str]] = {}
    for path in folder.media(root):
        media.setdefault(PurePosixPath(path).stem, []).append(path)
    files: dict[str, tuple[Path, float, float]] = {}
    missing = []
    clips = rows.drop_duplicates("clip")
    told = clips["file"].fillna(clips["clip"])
    for clip, file, start, end in zip(clips["clip"], told, clips["start"], clips["end"], strict=True):
        if (there := _nearest(str(file), media)) is None:
            missing.append(str(file))
        else:
            files[clip] = (root / there, _seconds(clip, start), _seconds(clip, end))
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


def _seconds(clip: str, told: Any) -> float:
    try:
        return float("nan") if pd.isna(told) else float(told)
    except ValueError:
        raise CorpusError(f"clip {clip}: '{told}' is no number of seconds") from None


def _not_heard(heard: Sounds | None, missing: int, clips: int) -> dict[str, str]:
    """Why sound could not be examined, or not all of it."""
    if heard is None:
        return dict.fromkeys(splits.SOUND, "no --root tells where the recordings are")
    why = [f"{missing:,} of {clips:,} files are missing"] if missing else []
    if said := splits.unread(heard):
        why.append(said)
    return dict.fromkeys(splits.SOUND, "; ".join(why)) if why else {}


def _certificate(
    manifest: Path, read: Manifest, heard: Sounds | None, found: Sequence[Finding], lacking: Mapping[str, str]
) -> dict[str, Any]:
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
        "split": digest(placed.to_numpy().tolist()),
        **splits.told(found, lacking),
        "accepted": [],
        "marks": [],
        "notes": [*read.said, *_mute(heard)],
    }


def _mute(heard: Sounds | None) -> list[str]:
    if heard is None or not heard.mute:
        return []
    return [f"{len(heard.mute):,} clips are too short or too even for a fingerprint, such as {heard.mute[0]}"]


def _write(out: Path, certificate: Mapping[str, Any], found: Sequence[Finding]) -> None:
    write_json(out / "certificate.json", certificate)
    rows = [(one.finding, one.severity, json.dumps(one.rows, ensure_ascii=False)) for one in found]
    with atomic(out / "findings.csv") as temporary:
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(temporary, index=False, lineterminator="\n")


def _text(certificate: Mapping[str, Any], found: Sequence[Finding], out: Path | str | None) -> str:
    """At most 80 letters a line."""
    counts = ", ".join(
        f"{part} {certificate['clips'][part]:,} clips of {certificate['speakers'][part] or 'unknown'} speakers"
        for part in PARTS
        if certificate["clips"][part]
    )
    folds = certificate["folds"]
    lines = [f"{folds} {'fold' if folds == 1 else 'folds'}: {counts}"]
    lines += [f"{one.severity}  {one.finding:18} {one.text}" for one in found]
    if not any(one.severity == "leak" for one in found):
        lines.append("no leak in what was examined")
    lines.append(f"examined: {', '.join(certificate['examined'])}")
    lines += [f"not examined: {name}: {why}" for name, why in certificate["not_examined"].items()]
    lines += certificate["notes"]
    if out is not None:
        lines.append(f"certificate: {Path(out) / 'certificate.json'}")
    return "\n".join(
        textwrap.fill(line, 80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        for line in lines
    )
