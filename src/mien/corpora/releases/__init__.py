"""What is known of the releases of corpora: the files of each, their hashes, and their seconds where these are known.

Facts, and no recordings: `READER.csv.xz` here, a CSV file in xz with the columns `COLUMNS`, one row a media file of the
release.

- clip: what the reader calls it.
- ending: of the file, without the dot.
- seconds: of sound, to .1 ms; empty where not known.
- sha256: of the file's bytes, its first `DIGITS` hexadecimal digits: 64 bits, so that the chance of two different
  files with the same is 1e-11 among 20,000.

`benchmarks/make_releases.py` writes them. They are read by `mien prepare` alone, and when it asks for them.
"""

import csv
import lzma
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import NamedTuple

COLUMNS = ("clip", "ending", "seconds", "sha256")
DIGITS = 16
FOLDER = Path(__file__).parent
ALSO = {"crema_d": ("mp3",)}  # endings of files that a release has as well, and of which nothing is known


class Release(NamedTuple):
    """The release of a corpus.

    Attributes:
        hashes: clip -> ending of its files -> the first `DIGITS` digits of their SHA-256.
        seconds: clip -> seconds of its sound, of clips of which they are known.
        also: endings of files that it has as well, and of which nothing is known.
    """

    hashes: Mapping[str, Mapping[str, str]]
    seconds: Mapping[str, float]
    also: tuple[str, ...] = ()

    @property
    def endings(self) -> tuple[str, ...]:
        """The endings of its files, sorted."""
        return tuple(sorted({ending for files in self.hashes.values() for ending in files}))


def of(reader: str) -> Release | None:
    """The release of the corpus that a reader reads; None where nothing is known of it."""
    file = resources.files(__name__).joinpath(f"{reader}.csv.xz")
    if not file.is_file():
        return None
    hashes: dict[str, dict[str, str]] = {}
    seconds: dict[str, float] = {}
    for row in csv.DictReader(lzma.decompress(file.read_bytes()).decode().splitlines()):
        hashes.setdefault(row["clip"], {})[row["ending"]] = row["sha256"]
        if row["seconds"]:
            seconds[row["clip"]] = float(row["seconds"])
    return Release(hashes, seconds, ALSO.get(reader, ()))
