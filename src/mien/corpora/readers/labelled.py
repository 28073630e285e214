"""Films that `mien label` has labelled: a clip is a segment in which one person is seen, by default one who speaks.

The root is the folder that `mien label` wrote (`corpora.label_folder`); the films stay where they are. The emotion of a
clip is the most probable one of the pooled logits. Columns: recording (the film), person (a number within it),
speaking, seen (share of the frames with a usable face), frames, `logit_CLASS` and the distribution, one column a
class, in [0, 1], together 1. The corpus holds the logits of every frame (`Corpus.frames`), which the feature
`frame_logits` takes.

Nobody is named. By default a person within a film is a speaker, so that whoever appears in two films counts as two;
the option `speaker` takes folders, as VoxCeleb has them, or a table of one's own. Its further columns are kept under
their names; an `emotion` in it is no label of the face, and is kept as `true_emotion`.
"""

from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import COLUMNS, Corpus, FrameVectors, check, read_table
from mien.corpora.label_folder import LOGIT, LabelFolder
from mien.corpora.readers import _files
from mien.corpora.votes import EMOTIONS
from mien.errors import ConfigError, CorpusError, unknown

SOURCE = "films of your own, labelled by 'mien label' (Albanie et al. 2018, section 4)"
LICENCE = "the films: as stated by their owners; the labels: that of the teacher"
SPEECH = "as stated by the owner of the recordings"
EXPECTED = None
SCHEME = "ferplus"
OPTIONS = {
    "speaking": "which segments: speaking (default), those of the person who speaks; or all",
    "speaker": "who is one speaker: person (default), within a film; folder, of the film; or a CSV FILE: file, speaker",
    "root": "the folder of the films, where they were moved (default: where they were labelled)",
}
PLACES = ("root",)
WAYS, PARTS = ("person", "folder"), ("speaking", "all")
TRUE = "true_emotion"  # of a table of one's own


def read(folder: Path, /, *, speaking: str = "speaking", speaker: str = "person", root: str | None = None) -> Corpus:
    """Read a folder of `mien label`; no frames are read.

    Args:
        folder: the label folder.
        speaking: see `OPTIONS`.
        speaker: see `OPTIONS`.
        root: see `OPTIONS`.

    Raises:
        ConfigError: an option is not understood.
        CorpusError: it is no such folder, or unfinished, the table of speakers cannot be used, or no film is there.
    """
    if speaking not in PARTS:
        raise ConfigError(f"option speaking: {unknown('choice', speaking, PARTS)}")
    labels = LabelFolder.open(folder)
    place = labels.root if root is None else Path(root)
    every = labels.segments()
    spoken = every["speaking"] == "True"
    table = every if speaking == "all" else every[spoken].reset_index(drop=True)
    if table.empty:
        raise CorpusError(f"{folder}: nobody speaks in its {len(every)} segments; give --option speaking=all")
    table, notes = _with_speakers(table.assign(recording=table["file"]), speaker, place)
    there, problems = _files.existing(table, place)
    if there.empty:
        raise CorpusError(
            f"{folder}: none of its films is there, such as {place / str(table['file'].iloc[0])}; give --option "
            "root=FOLDER, the folder that they are in now"
        )
    card, teacher = labels.card, labels.card["teacher"]
    notes = [
        f"labels of {teacher['name']}, which nobody has checked: {card['pooling']} of the {card['pooled']} of frames",
        f"{int(spoken.sum()):,} of {len(every):,} segments are of the person who speaks; read: {speaking}",
        *notes,
    ]
    last = [f"{LOGIT}{name}" for name in labels.classes] + [*labels.classes]
    first = [name for name in there if name not in last]
    return check(
        name="labelled",
        root=place,
        table=there[[*first, *last]],
        licence="; ".join([f"the films: as stated by their owners; labels of {teacher['name']}", *teacher["licences"]]),
        source=SOURCE,
        expected=EXPECTED,
        scheme="ferplus" if set(labels.classes) == set(EMOTIONS) else "canonical",
        problems=problems,
        notes=notes,
        frames=FrameVectors(labels.classes, labels.every, labels.frames),
    )


def _with_speakers(table: pd.DataFrame, speaker: str, root: Path) -> tuple[pd.DataFrame, list[str]]:
    """The table with its speakers, and sentences on them."""
    if speaker == "person":
        note = "a speaker is a person within a film: whoever appears in two films counts as two speakers"
        return table.assign(speaker=table["file"] + ":" + table["person"]), [note]
    if speaker == "folder":
        named = [PurePosixPath(file).parent.name or root.absolute().name for file in table["file"]]
        return table.assign(speaker=named), ["a speaker is the folder of a film"]
    if not Path(speaker).is_file():
        raise ConfigError(f"option speaker: no such file; {unknown('way', speaker, WAYS)} Or give a CSV file.")
    return _given(table, Path(speaker), root)


def _given(table: pd.DataFrame, listing: Path, root: Path) -> tuple[pd.DataFrame, list[str]]:
    """The columns of a table of one's own, by file."""
    own = read_table(listing)
    if lacking := [name for name in ("file", "speaker") if name not in own]:
        raise CorpusError(f"{listing}: no column '{lacking[0]}'; it has: {', '.join(map(str, own))}")
    own = own.rename(columns={"emotion": TRUE})
    if taken := [name for name in own if name not in ("file", "speaker", "gender") and name in {*table, *COLUMNS}]:
        raise CorpusError(f"{listing}: a column is called '{taken[0]}', as one of the labels; give it another name")
    own = own.assign(file=own["file"].map(lambda file: _below(file, root), na_action="ignore"))
    own = own.dropna(subset="file")
    if twice := own["file"][own["file"].duplicated()].to_list():
        raise CorpusError(f"{listing}: two rows are of {twice[0]}; write one row a film")
    notes = [f"speakers are those of {listing.name}"]
    if unused := sorted(set(own["file"]) - set(table["file"])):
        notes.append(f"{len(unused)} of {len(own)} rows of {listing.name} have no segment here, such as {unused[0]}")
    return table.merge(own, on="file", how="left"), notes


def _below(file: str, root: Path) -> str:
    """A path relative to the folder of the films, with `/`."""
    path = Path(file.strip())
    return path.relative_to(root.absolute()).as_posix() if path.is_relative_to(root.absolute()) else path.as_posix()
