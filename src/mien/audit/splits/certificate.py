"""The certificate of a run's split: hashes of the files and the split, what was examined, and the findings.

A finding of severity "leak" stops the run, unless the experiment accepts it. Then the certificate holds a mark: a
sentence that is printed beside every figure of the run.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.splits import checks
from mien.audit.splits.findings import NAMES, Finding, counted, examine, grouped
from mien.audit.splits.sounds import Sounds
from mien.common.settings import digest
from mien.corpora.recordings import recording_of_all
from mien.data.protocols import PARTS, SEEN, Fold
from mien.errors import LeakError

SOUND = ("identical-audio", "near-duplicate", "label-conflict")  # findings that compare sound
CLIPS = {"train": "training", "validation": "validation", "test": "test"}  # part -> what its clips are called
BY_NAME = ("identical-audio", "label-conflict")  # those of `SOUND` that also compare the names of clips


def describe(clips: pd.DataFrame, folds: Sequence[Fold]) -> list[dict[str, Any]]:
    """The folds as in `splits.json`: the number of each, and the speakers and clips of each part.

    Args:
        clips: indexed by clip, with `speaker`.
        folds: of the protocol.
    """
    speaker = clips["speaker"]

    def part_of(clips: Sequence[str]) -> dict[str, list[str]]:
        return {"speakers": sorted(set(speaker[list(clips)].dropna())), "clips": list(clips)}

    return [
        {"fold": fold.number}
        | {part: part_of(getattr(fold, part)) for part in PARTS}
        | ({SEEN: part_of(fold.seen)} if fold.seen else {})
        for fold in folds
    ]


def certificate(
    clips: pd.DataFrame,
    folds: Sequence[Fold],
    classes: Sequence[str],
    card: Mapping[str, Any],
    left_out: Mapping[str, int],
    *,
    sounds: Sounds,
    unread_sound: str = "",
    by_speaker: Sequence[str] = (),
    accepted: Collection[str] = (),
) -> dict[str, Any]:
    """The content of `certificate.json`.

    Args:
        clips: indexed by clip, with `speaker`, `label` and `sha256`.
        folds: of the protocol.
        classes: the classes that every part should have.
        card: of the prepared corpus, or of several joined.
        left_out: reason -> number of clips that are not used.
        sounds: the result of comparing the clips' sound.
        unread_sound: why the sound of some clips was not examined; empty if all was.
        by_speaker: models whose features are normalised with the statistics of each speaker, test speakers too.
        accepted: findings that do not stop the run.

    Raises:
        LeakError: a leak that is not accepted. The message names it and the ways out.
    """
    rows = table(clips, folds)
    found, lacking, partly = examine(rows, sounds.twins, classes)
    found += grouped("test-statistics", checks.statistics(by_speaker))
    if clips["speaker"].isna().all():
        lacking["shared-speaker"] = "the corpus names no speakers"
    if "file" in clips and (still := clips["file"].isna()).any():
        why = "single images are compared by their pixels alone"
        if still.all():
            lacking["near-duplicate"] = why
        else:
            limit(partly, lacking, ["near-duplicate"], why)
    if why := unread_sound or unread(sounds):
        limit(partly, lacking, SOUND, f"not all sound: {why}")
    refuse(found, accepted)
    leaks = [one for one in found if one.severity == "leak"]
    known = identity(clips, folds, card)
    return {
        "corpus": card["name"],
        "corpus_hash": known["corpus_hash"],
        **{key: card[key] for key in ("licence", "source", "release", "corpora") if key in card},
        "files": known["files"],
        "split": known["split"],
        **reported(found, lacking, partly),
        "accepted": sorted(accepted),
        "marks": [mark(one) for one in leaks],
        "left_out": dict(left_out),
        "notes": notes(clips, folds, classes),
    }


def identity(clips: pd.DataFrame, folds: Sequence[Fold], card: Mapping[str, Any]) -> dict[str, Any]:
    """What a run is started on, wherever it lies: `corpus_hash`, `files` (clip -> SHA-256) and `split`, as there.

    Args:
        clips: indexed by clip, with `speaker` and `sha256`.
        folds: of the protocol.
        card: of the prepared corpus, or of several joined.
    """
    used = sorted({clip for fold in folds for part in PARTS for clip in getattr(fold, part)})
    return {
        "corpus_hash": card["hash"],
        "files": clips.loc[used, "sha256"].to_dict(),
        "split": digest(describe(clips, folds)),
    }


def table(clips: pd.DataFrame, folds: Sequence[Fold]) -> pd.DataFrame:
    """The folds as a table for `mien.audit.splits.findings`."""
    placed = [(str(fold.number), part, clip) for fold in folds for part in PARTS for clip in getattr(fold, part)]
    rows = pd.DataFrame(placed, columns=["fold", "split", "clip"])
    columns = ("corpus", "speaker", "sentence", "session", "recording", "file", "start", "end", "sha256")
    known = [name for name in columns if name in clips]
    own = clips.loc[rows["clip"], [*known, "label"]].rename(columns={"label": "emotion"}).reset_index(drop=True)
    if pd.api.types.is_float_dtype(own["emotion"]):
        own["emotion"] = own["emotion"].map("{:g}".format, na_action="ignore")
    return pd.concat([rows, own], axis=1)


def unread(sounds: Sounds) -> str:
    """Why some sound could not be examined; empty if all could."""
    if not sounds.problems:
        return ""
    such = "" if len(sounds.problems) == 1 else "such as "
    return f"{counted(len(sounds.problems), 'file')} could not be read ({such}{sounds.problems[0]})"


def limit(partly: dict[str, str], lacking: Mapping[str, str], names: Collection[str], what: str) -> None:
    """Add the reason `what` to `partly` for findings that were examined on some clips only.

    Args:
        partly: name -> reason; changed.
        lacking: findings that were not examined at all; they are left out.
        names: of findings.
        what: the reason.
    """
    for name in names:
        if name not in lacking:
            partly[name] = "; ".join([*([partly[name]] if name in partly else []), what])


def refuse(found: Sequence[Finding], accepted: Collection[str]) -> None:
    """Raise LeakError if a leak is not accepted."""
    stopping = [one for one in found if one.severity == "leak" and one.finding not in accepted]
    if not stopping:
        return
    names = [one.finding for one in stopping]
    others = [name for name in names if name != "shared-speaker"]
    ways = [
        *(["seen_speakers=true"] if "shared-speaker" in names else []),
        *([f"accept=[{', '.join(others)}]"] if others else []),
    ]
    raise LeakError(
        f"the split leaks; {'; '.join(f'{one.finding}: {one.text}' for one in stopping)}; divide or clean the corpus "
        f"otherwise, or give {' and '.join(ways)}, and every table is marked so"
    )


def reported(found: Sequence[Finding], lacking: Mapping[str, str], partly: Mapping[str, str]) -> dict[str, Any]:
    """The findings as in a certificate: `examined`, `examined_in_part`, `not_examined` and `findings`."""
    return {
        "examined": [name for name in NAMES if name not in lacking and name not in partly],
        "examined_in_part": {name: partly[name] for name in NAMES if name in partly},
        "not_examined": {name: lacking[name] for name in NAMES if name in lacking},
        "findings": [
            {"finding": one.finding, "severity": one.severity, "rows": list(one.rows), "text": one.text}
            for one in found
        ],
    }


def mark(leak: Finding) -> str:
    """The sentence that is printed beside every figure if a leak was accepted."""
    what = "seen speakers" if leak.finding == "shared-speaker" else leak.finding
    return f"accepted leak, {what}: {leak.text}"


def notes(clips: pd.DataFrame, folds: Sequence[Fold], classes: Sequence[str]) -> list[str]:
    """A sentence for each class that some part of a fold lacks: a warning if it is a training part, else a note.

    And one where no speaker has a second recording: then no probe can predict the speaker across recordings.
    """
    there = {(fold.number, part): set(clips["label"][list(getattr(fold, part))]) for fold in folds for part in PARTS}
    sentences = []
    for name in classes:
        lacking = {part: [fold.number for fold in folds if name not in there[fold.number, part]] for part in PARTS}
        if all(len(numbers) == len(folds) for numbers in lacking.values()):
            sentences.append(f"warning: {name}: no clip in any fold")
        elif places := [
            f"no {word} clip{_in(lacking[part], len(folds))}" for part, word in CLIPS.items() if lacking[part]
        ]:
            sentences.append(f"{'warning' if lacking['train'] else 'note'}: {name}: {'; '.join(places)}")
    recordings = recording_of_all(clips)
    known = clips["speaker"].notna().any()
    if known and recordings is not None and recordings.groupby(clips["speaker"]).nunique().max() == 1:
        sentences.append(
            "note: no speaker has a second recording, so how much an embedding reveals of the speaker across "
            "recordings is not measured; name the recordings in a column 'recording' if a file holds several"
        )
    return sentences


def _in(numbers: Sequence[int], folds: int) -> str:
    """The folds in words; nothing if there is one fold alone."""
    if folds == 1:
        return ""
    if len(numbers) == folds:
        return " in any fold"
    *before, last = map(str, numbers)
    return f" in folds {', '.join(before)} and {last}" if before else f" in fold {last}"
