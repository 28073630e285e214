"""The toy corpus: people who do not exist, with every factor known. The default of `mien demo`, and a bed for tests.

`generate`, or `python -m mien.corpora.toy OUT people=12 clips=600`, makes it: real files (H.264 + AAC in mp4; wav where
nobody is seen, mp4 without sound where nobody is heard) and `labels.csv`. The reader `toy` reads it like any other
corpus. Two dials say how far emotion and person are entangled and how hard emotions are to tell; a share of the clips
may stand outside of the entanglement (`ToyConfig`). Nothing follows from it for real people.

Columns of `labels.csv` besides the usual ones: modality (voice+face, voice, face), sentence, own (the person's own
emotion), drawn (entangled or balanced, where the corpus has both), f0 (median, Hz), tract (formants relative to the
average man's), and the cues of the clip as `Expression` names them.
"""

import csv
import json
from pathlib import Path

import numpy as np

from mien.common.files import atomic, write_text
from mien.corpora.toy import face, voice
from mien.corpora.toy.config import ToyConfig
from mien.corpora.toy.expression import express
from mien.corpora.toy.people import draw
from mien.corpora.toy.plan import Clip, plan
from mien.corpora.toy.write import write_mp4, write_wav
from mien.errors import CorpusError

__all__ = ["LABELS", "VERSION", "ToyConfig", "generate"]

VERSION = 1  # of what `generate` draws: other bytes, another number

LABELS, _CARD = "labels.csv", "toy.json"


def generate(out: Path, config: ToyConfig) -> None:
    """Make a toy corpus in the folder `out`. About 9 s for 240 clips on one core.

    A corpus of the same settings that is there already is left as it is; one that was interrupted is made again.

    Raises:
        CorpusError: `out` is a file, or holds something else, or a toy corpus of other settings.
    """
    settings = config.model_dump(mode="json", exclude=None if config.balanced else {"balanced"})  # it came later
    card = json.dumps({"version": VERSION, **settings}, indent=2) + "\n"
    if _claim(out, card):
        return
    people = draw(config.people, np.random.default_rng([config.seed, 0]))
    clips = plan(config, people, np.random.default_rng([config.seed, 1]))
    rows = [_make(out, clip, config) for clip in clips]
    with atomic(out / LABELS) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _claim(out: Path, card: str) -> bool:
    """Whether the corpus of this card is complete already; else the folder is ours to fill."""
    if out.exists() and not out.is_dir():
        raise CorpusError(f"{out}: a file is in the way of the toy corpus; choose another folder")
    if out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir()):
        if not (out / _CARD).is_file() or (out / _CARD).read_bytes() != card.encode():
            raise CorpusError(f"{out}: holds something else than this toy corpus; choose an empty folder")
        return (out / LABELS).is_file()
    write_text(out / _CARD, card)
    return False


def _make(out: Path, clip: Clip, config: ToyConfig) -> dict[str, str]:
    """Write a clip's file; its row of `labels.csv`."""
    person = clip.person
    rng = np.random.default_rng([config.seed, 2, clip.number])
    expression = express(clip.emotion, person.expressiveness, config.difficulty, rng)
    spoken = voice.speak(clip.sentence, person, expression, seconds=config.seconds, snr=config.snr, rng=rng)
    file = Path(person.name, clip.name + (".wav" if clip.modality == "voice" else ".mp4"))
    (out / person.name).mkdir(exist_ok=True)
    if clip.modality == "voice":
        write_wav(out / file, spoken.samples, voice.SAMPLE_RATE)
    else:
        motion = face.move(spoken.openings(config.frame_rate), config.frame_rate, rng)
        frames = face.draw(person, expression, motion, config.size, rng)
        write_mp4(out / file, frames, config.frame_rate, spoken.samples if "voice" in clip.modality else None)
    factors = {"f0": spoken.pitch, "tract": person.tract, **expression._asdict()}
    return {
        "clip": clip.name,
        "file": file.as_posix(),
        "start": "",
        "end": "",
        "speaker": person.name,
        "gender": person.gender,
        "emotion": clip.emotion,
        "sentence": clip.sentence,
        "modality": clip.modality,
        "own": person.own,
        **({"sampling": "balanced" if clip.balanced else "entangled"} if config.balanced else {}),
        **{name: f"{value:.4f}" for name, value in factors.items()},
    }
