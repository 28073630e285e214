"""eNTERFACE'05 (Martin et al. 2006): people of 14 nations act six emotions in English, five sentences each, as film.

Read from `subject 1/anger/sentence 1/s1_an_1.avi`, at any depth and in any case of letters. The file name is subject,
emotion (an, di, fe, ha, sa, su), sentence of that emotion; the folders say the same again, as far as they are there.
Subject and emotion must agree wherever they are named, else the clip is left out. Clips are called `s1_an_1`.

What the release looks like is taken from a published list of its files (EmoBox) and from published programs that read
it; no copy was at hand. It has slips, which are read so:

- `s_3_ha_1`, `s16_su_3avi`: subject 3, sentence 3.
- Subject 6 has one film an emotion with all of its sentences (`subject 6/anger/s6_an.avi`, a minute or more): these are
  six clips without a sentence.
- The files in the folder of subject 11 are named `s12_...`, and so are those of subject 12. These folders count, and
  these alone: the clips of subject 11 are called `s11_...`.
- `subject 2/anger` has the sentences 1 and 2 in each other's folders. Where folder and file name give two sentences,
  the clip is kept and its sentence is missing.

The publication counts 42 subjects and 1,166 films. The release has the folders 1 to 44 and 1,293 films, as Albanie et
al.'s program has it. The people's genders are not given. Columns: sentence (an_1: another sentence than fe_1).
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Corpus, check
from mien.corpora.readers import _subjects

SOURCE = "https://enterface.net/enterface05/emotion.html"
LICENCE = "for scientific research; no text of a licence is known"
SPEECH = "acted, English by speakers of many languages"
EXPECTED = 1293
SCHEME = "enterface"
LABELLED = {  # EmoBox's list with subject 12, whose file names it has from subject 11 already; Albanie et al.'s program
    "enterface": {
        "all": EXPECTED, "anger": 216, "disgust": 216, "fear": 216, "happiness": 213, "sadness": 216, "surprise": 216
    }
}  # fmt: skip
OPTIONS = {"media": "which file to take of a clip that has both: video (default; the release's) or sound"}

SUBJECTS = 44
FOLDER = re.compile(r"subject[ _-]?0*(\d{1,2})", re.IGNORECASE)

_NAME = re.compile(r"s_?0*(\d{1,2})_(an|di|fe|ha|sa|su)(?:_?([1-5]))?(?:avi)?", re.IGNORECASE)
_SENTENCE = re.compile(r"sentence[ _-]?0*(\d)", re.IGNORECASE)
_MISNAMED = {"11": "12"}  # folder -> the subject in the names of its files


def parse_name(stem: str) -> dict[str, str] | None:
    """The speaker, emotion and sentence in a name such as s14_an_3; a film of all sentences, s6_an, has no sentence.

    None if it is not a name of eNTERFACE'05.
    """
    if (name := _NAME.fullmatch(stem)) is None:
        return None
    code = name[2].lower()
    parts = {"speaker": name[1], "emotion": _subjects.EMOTIONS[code]}
    return parts | ({"sentence": f"{code}_{name[3]}"} if name[3] else {})


def read(root: Path, *, media: str = "video") -> Corpus:
    """Read eNTERFACE'05, or the subjects of it that are there.

    Args:
        root: the folder that has the subjects' folders, or the files alone, below it; or one of these folders.
        media: "video" or "sound".

    Raises:
        ConfigError: the option is not understood.
        CorpusError: `root` is missing, or no file below it is named like eNTERFACE's.
    """
    table, problems = _subjects.recordings(
        root, media, FOLDER, _row, corpus="eNTERFACE'05", like="subject 1/anger/sentence 1/s1_an_1.avi"
    )
    return check(
        name="enterface",
        root=root,
        table=table.drop(columns=["named", "folder_sentence"]),
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems,
        notes=_notes(table),
    )


def _row(path: PurePosixPath) -> dict[str, str] | str:
    """The columns of a file, `named` (the subject in its name) and `folder_sentence`, or a clause: why it has none."""
    name = parse_name(path.stem)
    if name is None:
        return "not a name of eNTERFACE'05 such as s1_an_1"
    above = path.parts[-2::-1]  # innermost first
    speakers = [match[1] for part in above if (match := FOLDER.fullmatch(part))]
    named = name["speaker"]
    speaker = speakers[0] if speakers and _MISNAMED.get(speakers[0]) == named else named
    if why := _subjects.strange_subject(speakers, speaker, SUBJECTS):
        return why
    if why := _subjects.strange_emotion(above, name["emotion"]):
        return why
    code = next(code for code, emotion in _subjects.EMOTIONS.items() if emotion == name["emotion"])
    number = next((match[1] for part in above if (match := _SENTENCE.fullmatch(part))), "")
    sentence = name.get("sentence", f"{code}_{number}" if number else "")
    return {
        "clip": f"s{speaker}_{sentence or code}",
        "speaker": speaker,
        "emotion": name["emotion"],
        "sentence": "" if number and sentence != f"{code}_{number}" else sentence,
        "named": named,
        "folder_sentence": number,
    }


def _notes(table: pd.DataFrame) -> Iterator[str]:
    """Sentences on which subjects are there, and on the slips of the release that were met."""
    yield _subjects.counted(table["speaker"], SUBJECTS)
    for speaker, own in table[table["named"] != table["speaker"]].groupby("speaker"):
        yield (
            f"{len(own)} files in the folder of subject {speaker} are named as of subject {own['named'].iloc[0]}, as "
            f"in the release; the folder counts, and their clips are called s{speaker}_..."
        )
    if (several := table["sentence"].eq("") & table["folder_sentence"].ne("")).any():
        clips = ", ".join(table["clip"][several])
        yield f"folder and file name give different sentences, so these clips have none: {clips}"
    if (whole := table["sentence"].eq("") & table["folder_sentence"].eq("")).any():
        clips = ", ".join(table["clip"][whole])
        yield f"films of all sentences of an emotion, a minute or more in the release, are one clip each: {clips}"
