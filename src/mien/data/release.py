"""Whether the files of a corpus are those of its release: compared by their bytes and, where known, by their seconds.

The bytes of two files differ where anything does, a header too; those of another format say nothing. Seconds are of the
whole file, whatever part of it is a clip. They tell a copy that was cut from one that was encoded anew, within these
limits:

- of samples as they are (wav, flac), `EXACT` either way. Resampling that is not flushed loses up to 2.1 ms (swresample
  to 8 kHz from any rate; 1.0 ms at 16 kHz and above); where it is flushed, the ends differ by less than a sample. The
  smallest cut that was met is of 5.1 ms.
- of other sound, `EARLIER` and `LATER`. Of clips of noise of 1.1 to 9 s, encoded at 8 to 48 kHz and decoded here, none
  was shorter; longer were AAC by up to .245 s (8 kHz; .119 s at 16 kHz), MP2 by .071 s, MP3 by .005 s, Opus by nothing.
  How much an encoder of another kind leaves out at the end is not known, so that a tenth of a second is allowed.
- of films nothing is compared: the sound of a film is as long as its pictures.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mien.corpora import releases
from mien.corpora.corpus import Problem

EXACT = 0.004  # s that wav and flac may be shorter or longer than the release
EARLIER, LATER = 0.1, 0.3  # s that other sound may be shorter, and longer
SAMPLES, OTHERS = ("wav", "flac"), ("ogg", "mp3", "m4a")  # endings
SHOWN = 3  # clips that a sentence lists
NAMED = 5  # clips of a kind that a card names


class Comparison(NamedTuple):
    """What a copy of a corpus has of its release; every clip of the copy that can be compared is in one of the first.

    Attributes:
        clips: how many the release has.
        same: clips with the bytes of the release.
        others: clips with the bytes of another clip of the release, and which.
        other_bytes: clips of the release's format with other bytes.
        other_format: clips of another format.
        unknown: clips of files of which nothing is known.
        missing: clips of the release that are not in the copy.
        lengths: clips whose seconds were compared.
        shorter: those of them that are shorter than in the release.
        longer: those that are longer.
        formats: endings of the clips of another format.
        release: endings of the release's files.
        seconds: whether any seconds of the release are known.
    """

    clips: int
    same: tuple[str, ...]
    others: dict[str, str]
    other_bytes: tuple[str, ...]
    other_format: tuple[str, ...]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    lengths: int
    shorter: tuple[str, ...]
    longer: tuple[str, ...]
    formats: tuple[str, ...]
    release: tuple[str, ...]
    seconds: bool

    @property
    def text(self) -> str:
        """All of it, as clauses."""
        return "; ".join(_clauses(self))

    @property
    def card(self) -> dict[str, Any]:
        """As in `card.json`: how many clips there are of each kind, `such_as`: the first of each, and `text`."""
        kinds = {
            "same_bytes": self.same,
            "bytes_of_another_clip": tuple(self.others),
            "other_bytes": self.other_bytes,
            "other_format": self.other_format,
            "unknown": self.unknown,
            "missing": self.missing,
            "shorter": self.shorter,
            "longer": self.longer,
        }
        such_as = {kind: list(clips[:NAMED]) for kind, clips in kinds.items() if clips and kind != "same_bytes"}
        return {
            "clips": self.clips,
            **{kind: len(clips) for kind, clips in kinds.items()},
            "lengths_compared": self.lengths,
            "such_as": such_as,
            "text": self.text,
        }

    def notes(self, table: pd.DataFrame) -> Iterator[Problem]:
        """A note on each clip of `table` that has the bytes of another clip of the release."""
        for clip, file in zip(table["clip"], table["file"], strict=True):
            if clip in self.others:
                yield Problem(str(file), f"has the bytes of {self.others[clip]} in the release of the corpus, kept")


def compare(reader: str, table: pd.DataFrame, whole: Mapping[str, float]) -> Comparison | None:
    """Compare a copy of a corpus with the release; None where nothing is known of one. No file is opened.

    Args:
        reader: that read the corpus.
        table: its usable clips with `file`, `start`, `end`, `seconds` and `sha256`.
        whole: clip -> seconds of sound of its file, where the clip is a part of it; of a part without them no length is
            compared.
    """
    release = releases.of(reader)
    if release is None:
        return None
    owners: dict[str, list[str]] = {}
    for clip, files in release.hashes.items():
        for short in files.values():
            owners.setdefault(short, []).append(clip)
    kinds: dict[str, list[str]] = {kind: [] for kind in ("same", "other_bytes", "other_format", "unknown")}
    others: dict[str, str] = {}
    formats: set[str] = set()
    shorter: list[str] = []
    longer: list[str] = []
    lengths = 0
    columns = (table[name] for name in ("clip", "file", "start", "end", "seconds", "sha256"))
    for clip, file, start, end, seconds, sha256 in zip(*columns, strict=True):
        ending, found = PurePosixPath(file).suffix.lower().removeprefix("."), sha256[: releases.DIGITS]
        files = release.hashes.get(clip, {})
        owned = owners.get(found, [])
        if clip not in owned and owned:
            others[clip] = owned[0]
        elif not files or ending in release.also:
            kinds["unknown"].append(clip)
            continue
        elif clip in owned:
            kinds["same"].append(clip)
        elif ending in files:
            kinds["other_bytes"].append(clip)
        else:
            kinds["other_format"].append(clip)
            formats.add(ending)
        own = seconds if np.isnan(start) and np.isnan(end) else whole.get(clip, np.nan)
        if clip not in release.seconds or np.isnan(own) or (limits := _limits(ending)) is None:
            continue
        lengths += 1
        least, most = limits
        shorter += [clip] if own < release.seconds[clip] - least else []
        longer += [clip] if own > release.seconds[clip] + most else []
    here = set(table["clip"])
    return Comparison(
        clips=len(release.hashes),
        **{kind: tuple(clips) for kind, clips in kinds.items()},
        others=others,
        missing=tuple(clip for clip in release.hashes if clip not in here),
        lengths=lengths,
        shorter=tuple(shorter),
        longer=tuple(longer),
        formats=tuple(sorted(formats)),
        release=release.endings,
        seconds=bool(release.seconds),
    )


def cut(card: Mapping[str, Any]) -> list[str]:
    """A sentence on a copy that is cut, of the card of a prepared corpus; none on others, and on a card without it."""
    found = card.get("release", {})
    if not found.get("shorter"):
        return []
    return [f"warning: {card['name']}: {_cut(found['shorter'], found['lengths_compared'])}"]


def _limits(ending: str) -> tuple[float, float] | None:
    """How much a file may be shorter, and longer, in seconds; None where lengths are not compared."""
    if ending in SAMPLES:
        return EXACT, EXACT
    return (EARLIER, LATER) if ending in OTHERS else None


def _clauses(found: Comparison) -> Iterator[str]:
    """The worst first."""
    known = len(found.same) + len(found.others) + len(found.other_bytes) + len(found.other_format)
    if found.shorter:
        yield _cut(len(found.shorter), found.lengths)
    if found.longer:
        yield f"{_of(found.longer, found.lengths)} longer than in the release"
    if found.others:
        pairs = [f"{clip} those of {other}" for clip, other in found.others.items()]
        has = "has" if len(pairs) == 1 else "have"
        yield f"{_clips(len(pairs))} {has} the bytes of another clip of the release: {_some(pairs)}"
    if found.same:
        every = len(found.same) == found.clips
        yield f"same bytes as the release: {'all ' if every else ''}{len(found.same):,}" + (
            "" if every else f" of {found.clips:,}"
        )
    if found.other_bytes:
        clips = found.other_bytes
        has = "has" if len(clips) == 1 else "have"
        which = f": {_some(clips)}" if len(clips) < known else ""
        yield f"{_clips(len(clips))} {has} other bytes than in the release (another header is enough){which}"
    if found.other_format:
        clips = found.other_format
        which = "" if len(clips) == known else f" of {_clips(len(clips))}"
        yield (
            f"another format than the release{which} ({_and(found.formats)}, not {' or '.join(found.release)}): bytes "
            "cannot be compared"
        )
    if len(found.same) < known and not found.shorter and not found.longer:
        if found.lengths:
            yield f"{'all' if found.lengths == known else f'{found.lengths:,}'} clips are as long as in the release"
        elif not found.seconds:
            yield "lengths of the release are not known"
    if found.unknown:
        verb = "is" if len(found.unknown) == 1 else "are"
        yield f"{_clips(len(found.unknown))} {verb} of files whose bytes and lengths in the release are not known"
    if found.missing and known:
        verb = "is" if len(found.missing) == 1 else "are"
        yield f"{len(found.missing):,} of its {found.clips:,} clips {verb} missing"


def _cut(shorter: int, lengths: int) -> str:
    verb = "is" if shorter == 1 else "are"
    return (
        f"{shorter:,} of {_clips(lengths)} {verb} shorter than in the release: this copy is cut; figures on it are not "
        "comparable"
    )


def _of(clips: Sequence[str], number: int) -> str:
    return f"{len(clips):,} of {_clips(number)} {'is' if len(clips) == 1 else 'are'}"


def _clips(number: int) -> str:
    return f"{number:,} clip{'' if number == 1 else 's'}"


def _some(things: Iterable[str]) -> str:
    every = list(things)
    return ", ".join(every[:SHOWN]) + (", ..." if len(every) > SHOWN else "")


def _and(words: Sequence[str]) -> str:
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last
