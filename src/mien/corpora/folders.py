"""The files below a folder. Nothing is opened, and no table library is imported: `mien predict` begins here.

Paths are relative to the folder, with `/`, sorted. Names that begin with a dot (such as `._*` of macOS) and `__MACOSX`
are passed over.
"""

import os
from pathlib import Path, PurePosixPath

from mien.common.escapes import is_text
from mien.errors import CorpusError

# If a stem has several files, the first in this order is taken: lossless sound, other sound, video.
MEDIA = (".wav", ".flac", ".ogg", ".mp3", ".m4a", ".mp4", ".mov", ".mkv", ".webm", ".avi", ".flv", ".mpg")


def files(root: Path, *suffixes: str, every: bool = False) -> list[str]:
    """All files below a folder with one of these suffixes (in upper or lower case); without suffixes, all of them.

    Links to folders are entered. A folder is entered once on each way down, so a link to a folder above it is not.

    Args:
        root: the folder.
        suffixes: with their dots, in small letters.
        every: whether to give names that are no UTF-8 too, which no table can hold.

    Raises:
        CorpusError: the folder is missing.
    """
    if not root.is_dir():
        raise CorpusError(f"{root}: no such folder")
    top = os.fspath(root)
    true = os.path.realpath(top)
    ways = {top: (true, frozenset(map(str, Path(true).parents)))}  # folder -> where it truly is, and those above it
    paths = []
    for folder, below, names in os.walk(top, followlinks=True):
        true, above = ways.pop(folder)
        above |= {true}
        entered = []
        for name in below:
            if name.startswith(".") or name == "__MACOSX":
                continue
            way = f"{folder}{os.sep}{name}"
            leads = os.path.realpath(way) if Path(way).is_symlink() else f"{true}{os.sep}{name}"
            if leads not in above:
                ways[way] = leads, above
                entered.append(name)
        below[:] = entered
        place = os.path.relpath(folder, top).replace(os.sep, "/")
        place = "" if place == "." else f"{place}/"
        paths += [
            place + name
            for name in names
            if not name.startswith(".")
            and (not suffixes or PurePosixPath(name).suffix.lower() in suffixes)
            and (every or is_text(place + name))
        ]
    return sorted(paths)
