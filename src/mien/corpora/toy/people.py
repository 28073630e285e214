"""The people of a toy corpus: their voices and faces, spread evenly over human ranges.

The measures of each gender form a Latin hypercube: the range of each measure is divided into as many slices as there
are people, and each person's value is from another slice, so that even few people differ clearly.
"""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Colour = tuple[float, float, float]

EMOTIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")

SKINS: tuple[Colour, ...] = ((0.97, 0.83, 0.73), (0.91, 0.72, 0.58), (0.78, 0.57, 0.42), (0.58, 0.40, 0.29))
HAIRS: tuple[Colour, ...] = ((0.13, 0.10, 0.09), (0.35, 0.22, 0.13), (0.62, 0.33, 0.14), (0.86, 0.70, 0.42))
IRISES: tuple[Colour, ...] = ((0.28, 0.17, 0.10), (0.27, 0.42, 0.27), (0.25, 0.42, 0.60))
SHIRTS: tuple[Colour, ...] = ((0.17, 0.35, 0.57), (0.63, 0.23, 0.24), (0.22, 0.46, 0.36), (0.82, 0.63, 0.28))

# Lowest and highest median pitch in hertz, and formants as multiples of the average man's: women's vocal tracts are
# about 15 % shorter (Peterson & Barney 1952; Fant 1966).
PITCHES = {"female": (165.0, 245.0), "male": (90.0, 150.0)}
TRACTS = {"female": (1.06, 1.26), "male": (0.92, 1.08)}

_MEASURES = 23  # random numbers a person


class Person(NamedTuple):
    """A person. Lengths of the face are in half-heights of the head, colours red, green, blue in 0..1.

    Attributes:
        name: p01, p02, ...
        gender: "female" or "male".
        own: the emotion that entanglement makes more frequent.
        pitch: median fundamental frequency in hertz.
        tract: formant frequencies relative to the average man's, so one over the relative length of the vocal tract.
        tilt: brightness of the voice in dB per octave.
        breath: noise in the voice in dB.
        rate: tempo, 1 on average.
        expressiveness: factor on the effect of an emotion on voice and face.
        skin: colour.
        hair: colour.
        iris: colour.
        shirt: colour.
        width: half-width of the head.
        jaw: half-width of the jaw relative to the head's.
        eyes: half the distance of the eyes.
        eye: half-width of an eye.
        brow: half-thickness of a brow.
        nose: length of the nose.
        mouth: half-width of the mouth.
        lips: thickness of the lips.
        fringe: how far hair covers the forehead.
        length: how far hair falls.
    """

    name: str
    gender: str
    own: str
    pitch: float
    tract: float
    tilt: float
    breath: float
    rate: float
    expressiveness: float
    skin: Colour
    hair: Colour
    iris: Colour
    shirt: Colour
    width: float
    jaw: float
    eyes: float
    eye: float
    brow: float
    nose: float
    mouth: float
    lips: float
    fringe: float
    length: float


def sample_people(count: int, rng: Generator) -> list[Person]:
    """Sample people, women and men alternately; own emotions differ within a pair and are spread over both genders."""
    emotions = rng.permutation(EMOTIONS)
    women, men = (_hypercube(size, _MEASURES, rng) for size in ((count + 1) // 2, count // 2))
    people = []
    for number in range(count):
        pair, man = divmod(number, 2)
        own = str(emotions[(pair + 3 * man) % len(emotions)])
        people.append(_person(f"p{number + 1:02d}", "male" if man else "female", own, (men if man else women)[pair]))
    return people


def _hypercube(count: int, dimensions: int, rng: Generator) -> NDArray[np.float64]:
    """(count, dimensions) numbers in 0..1, one in each of `count` equal slices of each dimension."""
    slices = np.stack([rng.permutation(count) for _ in range(dimensions)], axis=1)
    return (slices + rng.random((count, dimensions))) / max(count, 1)


def _person(name: str, gender: str, own: str, where: NDArray[np.float64]) -> Person:
    numbers = iter(where.tolist())

    def between(low: float, high: float) -> float:
        return low + (high - low) * float(next(numbers))

    def colour(known: tuple[Colour, ...], light: float = 0.08) -> Colour:
        red, green, blue = known[int(next(numbers) * len(known))]
        factor = between(1 - light, 1 + light)
        return (min(1.0, red * factor), min(1.0, green * factor), min(1.0, blue * factor))

    male = gender == "male"
    return Person(
        name=name,
        gender=gender,
        own=own,
        pitch=between(*PITCHES[gender]),
        tract=between(*TRACTS[gender]),
        tilt=between(-2.0, 2.0),
        breath=between(-4.0, 4.0),
        rate=between(0.88, 1.12),
        expressiveness=between(0.75, 1.25),
        skin=colour(SKINS),
        hair=colour(HAIRS, 0.2),
        iris=colour(IRISES),
        shirt=colour(SHIRTS, 0.25),
        width=between(0.70, 0.84),
        jaw=between(0.80, 0.95) if male else between(0.68, 0.83),
        eyes=between(0.29, 0.36),
        eye=between(0.135, 0.175),
        brow=between(0.035, 0.055) if male else between(0.02, 0.04),
        nose=between(0.22, 0.34),
        mouth=between(0.24, 0.33),
        lips=(0.045 if male else 0.065),
        fringe=between(0.12, 0.40),
        length=between(0.0, 1.0),
    )
