"""The toy corpus: synthetic people, with every factor known. It serves `mien demo` and the tests.

`generate`, or `python -m mien.corpora.toy OUT people=12 clips=600`, makes it: real files (H.264 + AAC in mp4; wav for
clips without a face, mp4 without sound for clips without a voice) and `labels.csv`. The reader `toy` reads it like any
other corpus. The settings (`ToyConfig`) control how far emotion and person are entangled, how hard the emotions are to
recognise, and the share of clips that are exempt from the entanglement. Results on it do not carry over to real people.

Columns of `labels.csv` besides the usual ones: modality (voice+face, voice, face), sentence, own (the person's own
emotion), sampling (entangled, alike or balanced, if `balanced` or `alike` is above 0), f0 (median, Hz), tract (formants
relative to the average man's), valence and arousal (1 to 5, see `expression.ratings`), and the cues of the clip, the
fields of `Expression`.
"""

import json
from pathlib import Path

import numpy as np

from mien.common.cells import write_rows
from mien.common.files import write_text
from mien.corpora.toy import face, voice
from mien.corpora.toy.config import ToyConfig
from mien.corpora.toy.expression import express, ratings
from mien.corpora.toy.people import sample_people
from mien.corpora.toy.plan import Clip, plan
from mien.corpora.toy.write import write_mp4, write_wav
from mien.errors import CorpusError

__all__ = ["LABELS", "VERSION", "ToyConfig", "generate"]

VERSION = 3  # to be raised when `generate` makes other bytes from the same settings

LABELS, _CARD = "labels.csv", "toy.json"


def generate(out: Path, config: ToyConfig) -> None:
    """Make a toy corpus in the folder `out`. About 9 s for 240 clips on one core.

    A complete corpus with the same settings is left as it is; one that was interrupted is made again.

    Raises:
        CorpusError: `out` is a file, or a folder with other files, or a toy corpus with other settings or of an older
            version.
    """
    card = json.dumps({"version": VERSION, **config.model_dump(mode="json")}, indent=2) + "\n"
    if _claim(out, card):
        return
    people = sample_people(config.people, np.random.default_rng([config.seed, 0]))
    clips = plan(config, people, np.random.default_rng([config.seed, 1]))
    rows = [_make(out, clip, config) for clip in clips]
    write_rows(out / LABELS, list(rows[0]), rows)


def _claim(out: Path, card: str) -> bool:
    """Whether the corpus of this card is complete; if not, `out` has the card and can be filled."""
    if out.exists() and not out.is_dir():
        raise CorpusError(f"{out}: is a file, and the toy corpus needs a folder; choose another name")
    if out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir()):
        if not (out / _CARD).is_file() or (out / _CARD).read_bytes() != card.encode():
            raise CorpusError(
                f"{out}: contains other files, or a toy corpus with other settings or of an older mien; "
                "choose an empty folder"
            )
        return (out / LABELS).is_file()
    write_text(out / _CARD, card)
    return False


def _make(out: Path, clip: Clip, config: ToyConfig) -> dict[str, str]:
    """Write the file of a clip, and return its row of `labels.csv`."""
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
    factors = {"f0": spoken.pitch, "tract": person.tract, **ratings(expression), **expression._asdict()}
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
        **({"sampling": clip.sampling} if config.balanced or config.alike else {}),
        **{name: f"{value:.4f}" for name, value in factors.items()},
    }
