"""EmoVoxCeleb (Albanie et al. 2018): emotions that a face model predicts for VoxCeleb1, interviews of 1,251 speakers.

The release is a MATLAB file: for each face track (segment) the logits of a SENet-50 trained on FERPlus, a row for every
0.24 s. Here it is read from CSV files anywhere below the root, one row a frame or a segment: speaker, video, segment,
partition and the eight logits (`_face_logits`); further columns are ignored. The media of VoxCeleb1 are below the
same root as `.../SPEAKER/VIDEO/SEGMENT.*` or `.../SPEAKER/VIDEO_SEGMENT.*`, the segment with any number of leading
zeros, the speaker as in the CSV file or, with `vox1_meta.csv` at the root, as a number (id10001) for a name or the
other way round; this table gives gender and nationality as well.

A segment's emotion is the most probable of its distribution (Peri et al. 2021, section 4.1): the greatest logit of
each emotion over the frames, as in Albanie et al. (section 4, and their code), or the mean of the frames' softmax.
Emotions are merged by the scheme `emovoxceleb`, not here. Columns: recording (the video), segment, partition (train,
heard, unheard), split, frames (how many rows), and the distribution, one column an emotion, in [0, 1], together 1.

Left out and listed, as in Peri et al.: the speakers in the lowest 5 % by number of segments, of all partitions, with or
without a recording. Of N speakers these are the 0.05 N (rounded down) with the fewest segments. A speaker with as many
segments as the first one kept is kept too: at most 5 % are left out, and speakers with equally many are treated alike.

The column `split` follows the paper as well: the partition train is the training split, and validation and test are
both taken from the partition heard. The paper does not describe how. Here a speaker's videos of this partition, in the
order of a hash of their names, go one by one to the part with fewer segments so far, and the hash decides between
equals: no video is in both parts, and their sizes differ by at most the longest video. The partition unheard is in no
split. With the option `tests=unheard` it follows Albanie et al. 2018, section 5.1: unheard people validate and test,
one half each, and the partition heard is the split `seen`.
"""

import math
from collections.abc import Collection, Mapping
from itertools import groupby
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Corpus, FrameVectors, Problem, check
from mien.corpora.readers import _files, _voxceleb
from mien.corpora.readers._face_logits import KEYS, POOLINGS, pooled
from mien.corpora.readers._frame_rows import FrameRows
from mien.corpora.votes import EMOTIONS
from mien.errors import ConfigError, CorpusError

SOURCE = "https://www.robots.ox.ac.uk/~vgg/research/cross-modal-emotions (labels), VoxCeleb1 (media)"
LICENCE = "VoxCeleb: CC BY 4.0, for research; the recordings belong to their owners"
SPEECH = "interviews, several languages"
EVERY = 0.24  # s from one row of a segment to the next
EXPECTED = 153_352  # the release's code: 153,486 tracks, of which 134 have no frame
SCHEME = "emovoxceleb"
OPTIONS = {
    "pooling": "how frames become one distribution: max (of the logits, as published; default) or mean (of softmax)",
    "drop_share": "leave out this share of the speakers, those with the fewest segments (default: 0.05; 0 keeps all)",
    "media": "which file to take of a segment that has both: video (default) or sound",
    "tests": "which partition validates and tests: heard (Peri et al. 2021; default) or unheard (Albanie et al. 2018)",
}


def read(
    root: Path, *, pooling: str = "max", drop_share: str = "0.05", media: str = "video", tests: str = "heard"
) -> Corpus:
    """Read EmoVoxCeleb; memory grows with the number of segments, not of frames.

    Args:
        root: the folder of the CSV files and of VoxCeleb1's media.
        pooling: see `OPTIONS`.
        drop_share: at least 0, less than 1.
        media: "video" or "sound".
        tests: "heard" or "unheard".

    Raises:
        ConfigError: an option is not understood.
        CorpusError: `root` is missing, no CSV file has these columns, or no segment has a recording.
    """
    choices = (
        ("pooling", pooling, POOLINGS),
        ("media", media, ("video", "sound")),
        ("tests", tests, ("heard", "unheard")),
    )
    for option, value, known in choices:
        if value not in known:
            raise ConfigError(f"option {option}: '{value}' is neither '{known[0]}' nor '{known[1]}'")
    share = _share(drop_share)
    paths = _files.media(root)
    table, problems, listings = pooled(root, pooling)
    listing = root / _voxceleb.META
    meta = _voxceleb.meta(*([listing] if listing.is_file() else []))
    keys = [_voxceleb.key(meta.name.get(speaker, speaker), *rest) for speaker, *rest in table[list(KEYS)].to_numpy()]
    files, strange = _recordings(paths, meta.name, set(keys), media)
    splits = _voxceleb.splits(table) if tests == "heard" else _voxceleb.unseen_splits(table)
    table = table.assign(file=[files.get(key, "") for key in keys], split=splits, clip=_clips(table))
    table["gender"] = table["speaker"].map(meta.gender)
    if meta.nationality:
        table["nationality"] = table["speaker"].map(meta.nationality)
    kept, few = _without_few(table, share)
    there = kept[kept["file"] != ""]
    if there.empty:
        example = f"wav/{kept['clip'].iloc[0]}.wav"
        raise CorpusError(
            f"{root}: none of its {len(kept):,} segments has a recording below it, such as {example}; put the media of "
            "VoxCeleb1 there, or a link to them"
        )
    return check(
        name="emovoxceleb",
        root=root,
        table=there.rename(columns={"video": "recording"}),
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED - (len(table) - len(kept)),
        scheme=SCHEME,
        problems=[*problems, *strange, *few, *_unrecorded(kept[kept["file"] == ""])],
        frames=_frames(root, listings, there),
    )


def _frames(root: Path, listings: Collection[str], table: pd.DataFrame) -> FrameVectors | None:
    """The logits of the frames of each clip; None where every row is a whole segment."""
    if (table["frames"] == 1).all():
        return None
    rows = table[list(KEYS)].itertuples(index=False, name=None)
    return FrameVectors(EMOTIONS, EVERY, FrameRows(root, listings, dict(zip(rows, table["clip"], strict=True))).read)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share < 1:
        raise ConfigError(f"option drop_share: '{text}' is not a share of speakers such as 0.05; 0 keeps all")
    return share


def _clips(table: pd.DataFrame) -> "pd.Series[str]":
    """SPEAKER/VIDEO/SEGMENT."""
    return table["speaker"] + "/" + table["video"] + "/" + table["segment"]


def _recordings(
    paths: Collection[str], names: Mapping[str, str], known: Collection[_voxceleb.Key], media: str
) -> tuple[dict[_voxceleb.Key, str], list[Problem]]:
    """The file of each segment that has one; files without a segment and second files of one are problems."""
    files: dict[_voxceleb.Key, str] = {}
    problems = []
    unknown: list[str] = []
    for path in sorted(paths, key=lambda path: (_voxceleb.is_sound(path) == (media == "video"), path)):
        key = next((key for key in _voxceleb.possible_keys(path, names) if key in known), None)
        if key is None:
            unknown.append(path)
        elif key not in files:
            files[key] = path
        elif _voxceleb.is_sound(path) == _voxceleb.is_sound(files[key]):
            problems.append(Problem(path, f"a second file of the segment beside {files[key]}, left out"))
    for place, some in groupby(sorted(unknown), key=lambda path: PurePosixPath(path).parent.as_posix()):
        problems.append(Problem(place, f"no logits of {_voxceleb.counted(some, 'recording')}, left out"))
    return files, problems


def _without_few(table: pd.DataFrame, share: float) -> tuple[pd.DataFrame, list[Problem]]:
    """The table without the speakers who have the fewest segments, and a problem for each of these speakers."""
    counts = table["speaker"].value_counts().sort_values(kind="stable")
    least = counts.iloc[math.floor(share * len(counts) + 1e-9)]  # 0.05 * 20 is one speaker, whatever the rounding
    few = counts[counts < least]
    problems = [
        Problem(str(speaker), f"{size} segments, among the lowest {share:.0%} of the speakers, left out")
        for speaker, size in few.items()
    ]
    return table[~table["speaker"].isin(few.index)], problems


def _unrecorded(table: pd.DataFrame) -> list[Problem]:
    """Segments without a recording, one problem a video."""
    places = (table["speaker"] + "/" + table["video"]).rename("place")
    return [
        Problem(str(place), f"no recording of {_voxceleb.counted(segments, 'segment')}, left out")
        for place, segments in table["segment"].groupby(places)
    ]
