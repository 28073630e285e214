"""Media files that are given one by one or by the folders that hold them, each once.

Below a folder, a file is taken for media by its ending (`ENDINGS`); a file that is given itself is taken as it is.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mien.corpora import folders
from mien.errors import ConfigError

ENDINGS = (
    *folders.MEDIA, ".3gp", ".aac", ".ac3", ".aif", ".aiff", ".amr", ".ape", ".au", ".caf", ".m2ts", ".m4v", ".mpeg",
    ".mts", ".oga", ".ogv", ".opus", ".sph", ".w64", ".wma", ".wmv", ".wv",
)  # fmt: skip
SHOWN = 5  # endings of files that are passed over


def listed(given: Sequence[Path], *, output: Path | None = None) -> tuple[list[Path], list[str]]:
    """The media files among files and folders, in the order in which they are given, and notes on what is not taken.

    Of a folder, all media files below it are taken, sorted by path; hidden files and other endings are passed over, and
    links to folders are entered. A file that is given twice, or by itself and by its folder, is taken once.

    Args:
        given: files, which are not opened here and may be missing, and folders.
        output: a file that the caller writes; no note counts it.

    Raises:
        ConfigError: a folder holds no media file.
    """
    files: dict[Path, Path] = {}
    twice: Counter[Path] = Counter()
    notes = []
    for place in given:
        if not place.is_dir():
            found = [place]
        else:
            names = folders.files(place, every=True)
            names = [name for name in names if output is None or _true(place / name) != _true(output)]
            found = [place / name for name in names if Path(name).suffix.lower() in ENDINGS]
            others = Counter(Path(name).suffix.lower() for name in names if Path(name).suffix.lower() not in ENDINGS)
            if not found:
                what = f"its files end in {_named(others)}" if others else "there is no file below it"
                raise ConfigError(f"{place}: holds no media file ({what}); give sound or video, or folders of them")
            if others:
                notes.append(f"{place}: passed over, no media by their endings: {_named(others)}")
        for file in found:
            taken = files.setdefault(_true(file), file)
            twice[taken] += 1
    notes += [f"{file}: given {count} times, read once" for file, count in twice.items() if count > 1]
    return list(files.values()), notes


def _true(file: Path) -> Path:
    """A file's own name in its true folder: two links to one recording are two files."""
    return file.parent.resolve() / file.name


def _named(endings: Counter[str]) -> str:
    """Endings, the most frequent first: `.txt (3), .csv (1)`."""
    named = [f"{ending or 'no ending'} ({count})" for ending, count in endings.most_common(SHOWN)]
    return ", ".join([*named, *(["..."] if len(endings) > SHOWN else [])])
