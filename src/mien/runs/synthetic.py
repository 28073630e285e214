"""What an ensemble answers on a dozen synthetic utterances, the same on every call: to compare two sets of weights."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.corpora.toy import face
from mien.corpora.toy.config import SENTENCES
from mien.corpora.toy.expression import Expression, express
from mien.corpora.toy.people import EMOTIONS, Person, sample_people
from mien.corpora.toy.voice import Voice, speak
from mien.media.faces import Crops, Faces
from mien.media.faces.crops import grey
from mien.runs.ensemble import Ensemble


def on_synthetic_speakers(ensemble: Ensemble) -> NDArray[np.float64]:
    """The probabilities (n, K) of synthetic utterances by voice, by face, and by both, as the model allows."""
    spoken, rng = _utterances(), np.random.default_rng(1)
    nothing = [None] * len(spoken)
    voices: Sequence[NDArray[np.float32] | None] = nothing
    faces: Sequence[Crops | None] = nothing
    if "audio" in ensemble.modalities:
        voices = ensemble.voices([one.voice.samples for one in spoken])
    if ensemble.faces is not None:
        faces = [_face(one, ensemble.faces, rng) for one in spoken]
    probabilities = [ensemble.infer(voices, faces)]
    if voices is not nothing and faces is not nothing:
        probabilities += [ensemble.infer(voices, nothing), ensemble.infer(nothing, faces)]
    return np.concatenate(probabilities)


class _Utterance(NamedTuple):
    person: Person
    expression: Expression
    voice: Voice


def _utterances() -> list[_Utterance]:
    """A dozen sentences of two synthetic speakers, the same on every call."""
    rng = np.random.default_rng(0)
    utterances = []
    for person, sentence in zip(sample_people(2, rng), SENTENCES, strict=False):
        for emotion in EMOTIONS:
            shown = express(emotion, 1.0, 0.1, rng)
            utterances.append(_Utterance(person, shown, speak(sentence, person, shown, seconds=2.0, snr=30.0, rng=rng)))
    return utterances


def _face(one: _Utterance, config: Faces, rng: np.random.Generator) -> Crops:
    """The face of the speaker, in the size of the model's faces."""
    rate = 1 / config.every
    frames = face.draw(one.person, one.expression, face.move(one.voice.openings(rate), rate, rng), config.size, rng)
    pixels = frames.transpose(0, 3, 1, 2)
    shown = np.stack([grey(frame) for frame in pixels]) if config.colour == "grey" else pixels
    return Crops(np.ascontiguousarray(shown), np.zeros(len(shown), np.uint8), config.every)
