"""IEMOCAP (Busso et al. 2008): five sessions of a woman and a man, improvised and scripted, 10,039 turns.

Read from `Session1..5/dialog/EmoEvaluation/*.txt` with `sentences/wav/DIALOG/TURN.wav`; the root is the folder of the
sessions or the one above. Names that begin with a dot are ignored. The emotion is that of the majority; without a
majority (`xxx`) it is missing and `agreement` is "none". Emotions are not merged: excitement stays excitement.
Columns: session, recording (the dialog), style (improvised, scripted), agreement (majority, none), valence, activation,
dominance (means, 1 to 5), raters (`E2:neutral;E4:frustration+neutral`; E the evaluators, F and M the actors),
dialog_start and dialog_end (seconds in the dialog from which the file was taken).
"""

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from mien.corpora.corpus import Corpus, Problem, check
from mien.corpora.readers import _files
from mien.corpora.schemes import canonical
from mien.errors import CorpusError

SOURCE = "https://sail.usc.edu/iemocap (signed licence)"
LICENCE = "IEMOCAP release licence, research only"
SPEECH = "acted dialogues, scripted and improvised, American English"
EXPECTED = 10_039
SCHEME = "iemocap"
LABELLED = {  # Li et al. 2020, section 4
    "iemocap": {"all": 5_531, "anger": 1_103, "happiness": 1_636, "neutral": 1_708, "sadness": 1_084}
}

CODES = ("ang", "hap", "exc", "sad", "neu", "fru", "fea", "sur", "dis", "oth")
NO_MAJORITY = "xxx"

_NUMBER = r"\s*(-?[\d.]+)\s*"
_TURN = re.compile(rf"\[{_NUMBER}-{_NUMBER}\]\s+(\S+)\s+(\S+)\s+\[{_NUMBER},{_NUMBER},{_NUMBER}\]\s*")
_NAME = re.compile(r"(Ses0([1-5])[FM]_(impro|script)\w*)_([FM])\w+")
_RATER = re.compile(r"C-(\w+):\s*([^(]*)\(.*")


def parse_name(stem: str) -> dict[str, str] | None:
    """The speaker, session and recording in a name such as Ses01F_impro01_F000; None if it is not a turn."""
    if (name := _NAME.fullmatch(stem)) is None:
        return None
    dialog, session, _, sex = name.groups()
    return {"speaker": f"Ses0{session}{sex}", "session": session, "recording": dialog}


def read(root: Path) -> Corpus:
    """Read IEMOCAP; raises CorpusError if `root` has no evaluations or no turn that can be used."""
    sounds = [path for path in _files.media(root) if "/sentences/" in f"/{path}"]
    texts = [
        path for path in _files.files(root, ".txt") if PurePosixPath(path).parts[-3:-1] == ("dialog", "EmoEvaluation")
    ]
    if not texts:
        raise CorpusError(f"{root}: not IEMOCAP; no Session1/dialog/EmoEvaluation/*.txt in it or one level below")
    kept, problems = _files.by_stem(sounds)
    rows = []
    for text in texts:
        turns, complaints = _turns(root, text)
        problems += complaints
        for turn in turns:
            if path := kept.get(turn["clip"]):
                rows.append({"file": path, **turn})
            else:
                problems.append(Problem(text, f"{turn['clip']} has no sentences/wav/.../{turn['clip']}.wav, left out"))
    if not rows:
        raise CorpusError(f"{root}: none of IEMOCAP's turns has its file Session1/sentences/wav/DIALOG/TURN.wav")
    evaluated = {row["clip"] for row in rows}
    problems += [
        Problem(path, "no evaluation file lists this turn, left out")
        for turn, path in kept.items()
        if turn not in evaluated
    ]
    return check(
        name="iemocap",
        root=root,
        table=pd.DataFrame(rows),
        licence=LICENCE,
        source=SOURCE,
        expected=EXPECTED,
        scheme=SCHEME,
        problems=problems,
    )


def _turns(root: Path, text: str) -> tuple[list[dict[str, str]], list[Problem]]:
    """The turns of one evaluation file, each with its raters, and the lines that are damaged."""
    turns: list[dict[str, str]] = []
    problems = []
    for number, line in enumerate((root / text).read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        if line.startswith("["):
            turn = _turn(line)
            if isinstance(turn, str):
                problems.append(Problem(text, f"line {number}: {turn}, left out"))
                turns.append({})
            else:
                turns.append(turn)
        elif turns and turns[-1] and (rater := _RATER.fullmatch(line)):
            names = canonical("+".join(rater[2].split(";")))
            vote = f"{rater[1]}:{'+'.join(sorted(names.split('+')))}"
            turns[-1]["raters"] = ";".join(filter(None, (turns[-1]["raters"], vote)))
    return [turn for turn in turns if turn], problems


def _turn(line: str) -> dict[str, str] | str:
    """The columns of a turn's line, or a clause on what is wrong with it."""
    match = _TURN.fullmatch(line)
    if match is None:
        return "not [START - END] TURN EMOTION [V, A, D]"
    start, end, clip, code, valence, activation, dominance = match.groups()
    name = _NAME.fullmatch(clip)
    if name is None:
        return f"turn '{clip}' is not a name such as Ses01F_impro01_F000"
    if code not in (*CODES, NO_MAJORITY):
        return f"{clip}: emotion '{code}' is none of {', '.join((*CODES, NO_MAJORITY))}"
    dialog, session, style, sex = name.groups()
    return {
        "clip": clip,
        "speaker": f"Ses0{session}{sex}",
        "gender": sex,
        "emotion": "" if code == NO_MAJORITY else canonical(code),
        "session": session,
        "recording": dialog,
        "style": "improvised" if style == "impro" else "scripted",
        "agreement": "none" if code == NO_MAJORITY else "majority",
        "valence": valence,
        "activation": activation,
        "dominance": dominance,
        "raters": "",
        "dialog_start": start,
        "dialog_end": end,
    }
