"""Write what mien knows of the releases of corpora: `src/mien/corpora/releases/READER.csv.xz`.

`python benchmarks/make_releases.py FOLDER [OUT]`, where FOLDER has `READER.csv` of one or more readers, one row a media
file of the release: `file`, `sha256` (of its bytes), and `seconds` of sound where they are known (empty: not known).
`sha256sum` gives the hashes of a release that is at hand. Same tables, same bytes.
"""

import csv
import io
import lzma
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from mien.corpora import releases
from mien.corpora.readers import crema_d, emodb, ravdess, tess


def _named(parse: Callable[[str], object]) -> Callable[[str], str | None]:
    """The clip of a stem that is the clip's name."""
    return lambda stem: stem if parse(stem) is not None else None


CLIP_OF: dict[str, Callable[[str], str | None]] = {
    "crema_d": crema_d.clip_of,
    "emodb": _named(emodb.parse_name),
    "ravdess": _named(ravdess.parse_name),
    "tess": tess.clip_of,
}


def facts(reader: str, table: Path) -> list[tuple[str, str, str, str]]:
    """Rows of `releases.COLUMNS`, sorted; raises ValueError for a file without a clip, or one that is there twice."""
    rows = {}
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            path = PurePosixPath(row["file"])
            clip, ending = CLIP_OF[reader](path.stem), path.suffix.lower().removeprefix(".")
            if clip is None or (clip, ending) in rows:
                raise ValueError(f"{table}: {path} is of no clip, or of one that has a file already")
            seconds = row.get("seconds") or ""
            digits = f"{float(seconds):.4f}" if seconds else ""
            rows[clip, ending] = (clip, ending, digits, row["sha256"][: releases.DIGITS])
    return [rows[key] for key in sorted(rows)]


def main(folder: Path, out: Path) -> None:
    for reader in CLIP_OF:
        if not (table := folder / f"{reader}.csv").is_file():
            continue
        rows = facts(reader, table)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([releases.COLUMNS, *rows])
        packed = lzma.compress(text.getvalue().encode(), preset=9 | lzma.PRESET_EXTREME)
        (out / f"{reader}.csv.xz").write_bytes(packed)
        print(f"{reader}: {len(rows):,} files, {len(packed):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else releases.FOLDER))
