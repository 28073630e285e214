"""Voices: babble by source and filter, float32 at 16 kHz.

The source is a train of band-limited pulses (all harmonics below half the sampling rate equally strong) with the
pitch of person, emotion and sentence, and white noise beside it. The filter changes every 10 ms: resonances of the
vocal tract at the formants of the sound spoken (vowels after Peterson & Barney 1952, men), scaled by the tract, with a
tilt of the spectrum; hisses have a band of noise instead. It is applied in the short-time Fourier domain.
"""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mien.corpora.toy.expression import Expression
from mien.corpora.toy.people import Person

SAMPLE_RATE = 16_000
LEVEL = -30.0  # dB of full scale: RMS of a neutral voice

_HOP = 160  # samples from one state of the filter to the next
_WINDOW = 2 * _HOP
_FFT = 1024
_FREQUENCY = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE)
_BANDWIDTHS = (70.0, 100.0, 160.0)  # Hz, of the three formants that move
_GLIDE = 1.0  # states: standard deviation of the transition from one sound to the next, at tempo 1
_VOICED = 0.1  # loudness from which a state counts as voiced
_ACCENTS = (3.0, -1.0, 1.5, -1.5, 2.5, -0.5)  # semitones a syllable, in turn


class Sound(NamedTuple):
    """A sound of speech: seconds, loudness of voice and of hiss, the hiss's centre (Hz), three formants (Hz)."""

    seconds: float
    voice: float
    hiss: float
    centre: float
    first: float
    second: float
    third: float


SOUNDS = {
    "a": Sound(0.160, 1.00, 0.0, 0, 730, 1090, 2440),
    "e": Sound(0.150, 0.90, 0.0, 0, 530, 1840, 2480),
    "i": Sound(0.140, 0.75, 0.0, 0, 270, 2290, 3010),
    "o": Sound(0.155, 0.85, 0.0, 0, 570, 840, 2410),
    "u": Sound(0.145, 0.70, 0.0, 0, 300, 870, 2240),
    "m": Sound(0.070, 0.35, 0.0, 0, 250, 1000, 2200),
    "n": Sound(0.065, 0.35, 0.0, 0, 250, 1500, 2500),
    "l": Sound(0.060, 0.50, 0.0, 0, 360, 1100, 2700),
    "r": Sound(0.060, 0.45, 0.0, 0, 320, 1200, 1600),
    "w": Sound(0.065, 0.40, 0.0, 0, 290, 650, 2200),
    "v": Sound(0.070, 0.25, 0.1, 4500, 280, 1100, 2300),
    "f": Sound(0.090, 0.00, 0.2, 5500, 280, 1100, 2300),
    "s": Sound(0.100, 0.00, 0.4, 6000, 300, 1700, 2600),
    "S": Sound(0.100, 0.00, 0.4, 3200, 300, 1800, 2500),
    "b": Sound(0.060, 0.10, 0.0, 0, 220, 900, 2200),
    "d": Sound(0.055, 0.10, 0.0, 0, 220, 1700, 2600),
    "p": Sound(0.070, 0.00, 0.0, 0, 300, 900, 2200),
    "t": Sound(0.065, 0.00, 0.0, 0, 300, 1700, 2600),
    "'": Sound(0.025, 0.00, 0.5, 4000, 300, 1700, 2600),  # the burst that ends p and t
    "_": Sound(0.070, 0.00, 0.0, 0, 500, 1500, 2500),  # a pause between words
}
VOWELS = "aeiou"


class Voice(NamedTuple):
    """A spoken sentence.

    Attributes:
        samples: (N,) float32, full scale 1.
        opening: (S,) how far the mouth is open, 0..1, every 10 ms.
        pitch: its median fundamental frequency in hertz.
    """

    samples: NDArray[np.float32]
    opening: NDArray[np.float64]
    pitch: float

    def openings(self, frame_rate: float) -> NDArray[np.float64]:
        """(T,) `opening` at the middle of each video frame, for as many frames as the sound lasts."""
        count = max(1, round(len(self.samples) / SAMPLE_RATE * frame_rate))
        time = (np.arange(count) + 0.5) / frame_rate * SAMPLE_RATE / _HOP
        return np.interp(time, np.arange(len(self.opening)), self.opening)


def spell(sentence: str) -> list[str]:
    """The sounds of a sentence, keys of `SOUNDS`."""
    written = sentence.replace("sh", "S").replace(" ", "_").replace("p", "p'").replace("t", "t'")
    return list(written)


def speak(
    sentence: str,
    person: Person,
    expression: Expression,
    *,
    seconds: float,
    snr: float,
    rng: Generator,
) -> Voice:
    """Speak a sentence.

    Args:
        sentence: words of the sounds in `SOUNDS`.
        person: the speaker.
        expression: the cues of the emotion.
        seconds: how long a sentence of twenty sounds lasts with its pauses, at tempo 1.
        snr: ratio of a neutral voice to the noise in the room, dB.
        rng: generator of jitter, pauses and noise.
    """
    sounds = spell(sentence)
    tempo = person.rate * 2**expression.rate * rng.uniform(0.87, 1.15) * 2.0 / seconds
    which = _timing(sounds, tempo, rng.uniform(0.05, 0.22, 2) * seconds)
    targets = np.array([SOUNDS["_"], *(SOUNDS[sound] for sound in sounds), SOUNDS["_"]])[which]
    states = _smooth(targets, _GLIDE / tempo)
    states[:, 1] *= np.linspace(1, rng.uniform(0.6, 0.8), len(states))  # a sentence grows softer
    states[:, 3] = targets[:, 3]  # a hiss does not glide
    pitch = person.pitch * 2 ** (_melody(sounds, which, expression, rng) / 12)

    clean = _filtered(states, pitch, person, expression, rng)
    voiced = states[:, 1] > _VOICED
    clean *= 10 ** ((LEVEL + expression.energy) / 20) / np.sqrt(np.mean(clean * clean, where=np.repeat(voiced, _HOP)))
    room = rng.standard_normal(len(clean)) * 10 ** ((LEVEL - snr - rng.uniform(-3, 3)) / 20)
    recorded = (clean + room) * 10 ** (rng.uniform(-9, 9) / 20)  # how far away the microphone is
    recorded *= min(1.0, 0.98 / np.abs(recorded).max())
    wide = 0.35 + 0.65 * np.clip((states[:, 4] - 250) / 480, 0, 1)  # the first formant rises with the jaw's opening
    opening = np.clip(_smooth(states[:, 1] * wide, 1.5), 0, 1)
    return Voice(recorded.astype(np.float32), opening, float(np.median(pitch[voiced])))


def _timing(sounds: list[str], tempo: float, silences: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which sound each state belongs to: 0 is the silence before, the last one the silence after."""
    before, after = silences
    seconds = np.array([before, *(SOUNDS[sound].seconds / tempo for sound in sounds), after])
    ends = np.round(np.cumsum(seconds) * SAMPLE_RATE / _HOP)
    return np.repeat(np.arange(len(seconds)), np.maximum(1, np.diff(ends, prepend=0)).astype(int))


def _filtered(
    states: NDArray[np.float64],
    pitch: NDArray[np.float64],
    person: Person,
    expression: Expression,
    rng: Generator,
) -> NDArray[np.float64]:
    """Voice and hiss through the vocal tract: (S, 7) states as in `Sound`, (S,) pitch in hertz -> (S * hop,)."""
    unsteady = _smooth(rng.standard_normal((len(states), 2)), 0.8) * (0.4 + 2 * max(0.0, expression.tremor + 0.2))
    pulses = _pulses(pitch * 2 ** (unsteady[:, 0] / 12))
    noise = rng.standard_normal(len(pulses))
    loud = states[:, 1] * 10 ** (2 * unsteady[:, 1] / 20)
    breath = loud * 10 ** ((person.breath + expression.breath - 30) / 20)

    octaves = np.log2(np.maximum(_FREQUENCY, 100.0) / 500.0)
    tract = _resonances(states[:, 4:] * person.tract, person.tract)
    tract *= 10 ** ((-6.0 + person.tilt + expression.tilt) * octaves / 20)
    centre = states[:, 3:4] * np.sqrt(person.tract)
    band = 0.6 * states[:, 2:3] * np.exp(-0.5 * ((_FREQUENCY - centre) / 900) ** 2)
    spectrum = _short_time(pulses) * tract * loud[:, None] + _short_time(noise) * (tract * breath[:, None] + band)
    return _overlap_add(spectrum)[: len(pulses)]


def _melody(sounds: list[str], which: NDArray[np.int64], expression: Expression, rng: Generator) -> NDArray[np.float64]:
    """Semitones above the person's pitch at each state: accents on syllables, the fall of a sentence, the emotion."""
    accents, count = np.zeros(len(sounds) + 2), 0
    for place, sound in enumerate(sounds, 1):
        if sound in VOWELS:
            accents[place - 1 : place + 1] = _ACCENTS[count % len(_ACCENTS)] + rng.normal(0, 0.5)
            count += 1
    time = np.linspace(-0.5, 0.5, len(which))
    moving = _smooth(accents[which], 5.0) - 2.0 * time
    return (
        expression.pitch
        + rng.normal(0, 0.7)
        + moving * 2**expression.range
        + expression.slope * np.clip(2 * time, 0, 1)
    )


def _pulses(pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    """One pulse a period: the sum of all harmonics below half the sampling rate, at equal power whatever the pitch."""
    samples = np.arange(len(pitch) * _HOP) / _HOP
    hertz = np.interp(samples, np.arange(len(pitch)), pitch)
    phase = np.pi * np.cumsum(hertz) / SAMPLE_RATE
    harmonics = int(0.48 * SAMPLE_RATE / hertz.max())
    below = np.sin(phase)
    near = np.abs(below) < 1e-6
    kernel = np.sin((2 * harmonics + 1) * phase) / np.where(near, 1.0, below)
    pulses: NDArray[np.float64] = (np.where(near, 2 * harmonics + 1, kernel) - 1) / np.sqrt(2 * harmonics)
    return pulses


def _resonances(formants: NDArray[np.float64], scale: float) -> NDArray[np.complex128]:
    """(S, 3) formants in hertz -> (S, F) response of a row of resonators, each 1 at frequency zero."""
    response = np.ones((len(formants), len(_FREQUENCY)), np.complex128)
    for hertz, bandwidth in zip(formants.T, _BANDWIDTHS, strict=True):
        response *= _resonance(hertz[:, None], bandwidth)
    higher = np.arange(3500.0 * scale, 7800.0, 1000.0 * scale)
    response *= np.prod([_resonance(np.array([hertz]), 0.06 * hertz) for hertz in higher], axis=0)
    return response


def _resonance(hertz: NDArray[np.float64], bandwidth: float) -> NDArray[np.complex128]:
    """Response of one resonator (Klatt 1980)."""
    radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
    turn = 2 * radius * np.cos(2 * np.pi * hertz / SAMPLE_RATE)
    delay = np.exp(-2j * np.pi * _FREQUENCY / SAMPLE_RATE)
    response: NDArray[np.complex128] = (1 - turn + radius**2) / (1 - turn * delay + radius**2 * delay**2)
    return response


def _short_time(samples: NDArray[np.float64]) -> NDArray[np.complex128]:
    """(N,) -> (S, F): spectra of windows that sum to one, one a state."""
    padded = np.pad(samples, _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[: len(samples) : _HOP]
    window = np.hanning(_WINDOW + 1)[:-1]
    spectrum: NDArray[np.complex128] = np.fft.rfft(frames * window, _FFT)
    return spectrum


def _overlap_add(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Back to samples: the filtered windows with their tails, each in its place."""
    frames = np.fft.irfft(spectrum, _FFT)
    result = np.zeros(len(frames) * _HOP + _FFT)
    for state, frame in enumerate(frames):
        result[state * _HOP : state * _HOP + _FFT] += frame
    return result[_WINDOW // 2 :]


def _smooth(values: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """The values smoothed along their first axis by a Gaussian; the ends are continued."""
    reach = int(np.ceil(3 * deviation))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    padded = np.pad(values, [(reach, reach)] + [(0, 0)] * (values.ndim - 1), mode="edge")
    view = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=0)
    smoothed: NDArray[np.float64] = view @ (kernel / kernel.sum())
    return smoothed
