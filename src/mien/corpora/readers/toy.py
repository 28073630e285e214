"""The toy corpus of `mien.corpora.toy`: synthetic people, with every factor known."""

from pathlib import Path

from mien.corpora.corpus import Corpus, check, read_table
from mien.corpora.readers import _files
from mien.corpora.toy import LABELS
from mien.errors import CorpusError

SOURCE = "made by mien.corpora.toy.generate, or by `mien demo`"
LICENCE = "MIT, as mien itself"
SPEECH = "babble of people who do not exist"
EXPECTED = None
SCHEME = "toy"


def read(root: Path) -> Corpus:
    """Read a toy corpus; `expected` is the number of clips that were made.

    Raises:
        CorpusError: `root` has no `labels.csv` of a toy corpus, or none of its files is there.
    """
    if not (root / LABELS).is_file():
        raise CorpusError(f"{root}: not a toy corpus, it has no {LABELS}; make one with mien.corpora.toy.generate")
    table = read_table(root / LABELS)
    if "file" not in table:
        raise CorpusError(f"{root / LABELS}: not the labels of a toy corpus, it has no column 'file'")
    clips, problems = _files.existing(table, root)
    if clips.empty:
        raise CorpusError(f"{root / LABELS}: none of its {len(table)} files is there; generate the corpus again")
    return check(
        name="toy",
        root=root,
        table=clips,
        licence=LICENCE,
        source=SOURCE,
        expected=len(table),
        scheme=SCHEME,
        problems=problems,
    )
