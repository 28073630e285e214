"""What can be missing or wrong in sound and pictures, as pure functions with a seed, of which conditions are made.

A *mask* says which of the T frames of a clip are missing, (T,) bool; frame t is shown at t x `hop` seconds. Its random
numbers depend on (seed, clip, pattern) alone, so that a clip loses the same whatever clips are beside it. They depend
neither on the share nor on the modality:

- **Shares are nested**: what is missing at a share of .25 is missing at .5 too. So a clip has less at each larger
  share, and the difference between two shares is no accident of what was sampled.
- **Sound and pictures lose the same seconds** under `blocks` and, up to rounding, under `face_lost`; under `whole` a
  clip loses both, where both are asked for.

Patterns:

- `whole`: the clip has nothing of the modality, with the share as its probability.
- `blocks`: stretches of `BLOCK` seconds, on a grid that begins at random, in random order until the share is reached;
  the last one may be shorter, and neighbours make longer ones.
- `frames`: single frames, in random order.
- `face_lost`: one stretch, as where a head turns away. It grows around a random point.

All but `whole` miss round(share x T) frames of each clip. Sound is mono, (N,) float32 at full scale. A signal-to-noise
ratio is that of the whole clip's energies, in decibels.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.float32]
Mask = NDArray[np.bool_]
Pattern = Literal["whole", "blocks", "frames", "face_lost"]
Colour = Literal["white", "pink"]

PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
COLOURS: tuple[Colour, ...] = get_args(Colour)
BLOCK = 0.5  # seconds that are missing at a time under `blocks`


def generator(seed: int, clip: str, name: str) -> np.random.Generator:
    """Random numbers that depend on the seed, a clip's name and what they are for, and on nothing else."""
    key = hashlib.sha256(f"{seed}/{name}/{clip}".encode()).digest()
    return np.random.default_rng(int.from_bytes(key[:16], "big"))


def missing(pattern: Pattern, share: float, frames: int, hop: float, *, seed: int, clip: str) -> Mask:
    """Which frames of a clip are missing, (T,) bool.

    Args:
        pattern: see the module.
        share: from 0 to 1; under `whole` a probability.
        frames: T.
        hop: seconds from one frame to the next.
        seed: of all random numbers.
        clip: its name.

    Raises:
        ValueError: a share beyond 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share} is missing; it must be from 0 to 1")
    random = generator(seed, clip, pattern)
    if pattern == "whole":
        return np.full(frames, random.random() < share)
    count = int(np.floor(share * frames + 0.5))
    if pattern == "face_lost":
        start = int(random.random() * (frames - count + 1))
        place = np.arange(frames)
        return (place >= start) & (place < start + count)
    order = np.argsort(random.random(frames)) if pattern == "frames" else _by_block(frames, hop, random)
    mask = np.zeros(frames, np.bool_)
    mask[order[:count]] = True
    return mask


def _by_block(frames: int, hop: float, random: np.random.Generator) -> NDArray[np.int64]:
    """The frames, block after block in random order, in the order of time within each."""
    begin = random.random()
    block = np.floor(np.arange(frames) * min(hop, BLOCK) / BLOCK + begin).astype(np.int64)
    rank = random.random(int(block[-1]) + 1 if frames else 0)[block]
    return np.lexsort((np.arange(frames), rank))


def noise(colour: Colour, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Gaussian noise, (count,): white, or pink, whose power falls by half with each octave; pink has no constant part.

    Args:
        colour: white or pink.
        count: samples.
        random: its numbers.
    """
    white = random.standard_normal(count)
    if colour == "white" or count < 2:
        return white
    spectrum = np.fft.rfft(white)
    spectrum[0] = 0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.fft.irfft(spectrum, count)


def babble(voices: Sequence[Waveform], count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Voices that speak at once, (count,): each as loud as the others, begun at random and repeated where it is short.

    Args:
        voices: waveforms at the rate of the result; silent and empty ones add nothing.
        count: samples.
        random: its numbers.
    """
    sum_of = np.zeros(count)
    for voice in voices:
        begin = random.random()
        power = float(np.mean(np.square(voice, dtype=np.float64))) if len(voice) else 0.0
        if power > 0:
            place = (int(begin * len(voice)) + np.arange(count)) % len(voice)
            sum_of += voice[place] / np.sqrt(power)
    return sum_of


def mixed(sound: Waveform, other: NDArray[np.float64], decibels: float) -> Waveform:
    """The sound with another one beneath it at a signal-to-noise ratio, (N,) float32.

    Sound without energy stays as it is, for it has no such ratio; so does sound beside which nothing is heard.

    Args:
        sound: (N,).
        other: (N,), of any level.
        decibels: ten times the logarithm of the ratio of their energies.
    """
    signal, beside = np.linalg.norm(sound.astype(np.float64)), np.linalg.norm(other)
    if signal == 0 or beside == 0:
        return sound
    return (sound + other * (signal / beside * 10 ** (-decibels / 20))).astype(np.float32)


def later(milliseconds: float, hop: float) -> tuple[int, float]:
    """How frames are taken of sound that is late: (frames before it, seconds that are cut off its beginning).

    The first frames of the clip are before the sound begins, and nothing is known of them. Frames of the sound without
    the part that is cut off follow; they lie on the clip's grid, and each is exactly so much later than it was. Nothing
    is cut off where the time is a number of hops: the frames are those that the sound had, moved.

    Args:
        milliseconds: 0 or more.
        hop: seconds from one frame to the next.
    """
    seconds = milliseconds / 1000
    frames = int(np.ceil(seconds / hop - 1e-6))
    cut = frames * hop - seconds
    return frames, cut if cut > 1e-6 * hop else 0.0
