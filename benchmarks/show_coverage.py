"""How often 95 % intervals of a macro F over 12 speakers cover the truth: percentiles, and bias-corrected ones.

    python benchmarks/show_coverage.py --samples 400

Speakers are sampled from a population whose F is that of very many speakers. There are six classes. A *probe* of an
entangled corpus predicts the speaker's own emotion, except for clips that it knows; the *identity floor* always does.
"""

import argparse
from collections.abc import Callable

import numpy as np

from mien.audit.statistics.contrasts import Term, contrast
from mien.audit.statistics.scores import BySpeaker, draws, interval
from mien.common.measures import Array, within
from mien.common.measures import macro_f1 as f1

CLASSES, SPEAKERS, CLIPS, MANY = 6, 12, 12, 20_000
Design = Callable[[np.random.Generator, int], tuple[Array, ...]]


def unbiased(random: np.random.Generator, people: int, shares: Array) -> Array:
    """A model with an accuracy of .45, whose errors differ between speakers; (people, K, K)."""
    counts = np.zeros((people, CLASSES, CLASSES))
    for who, share in enumerate(np.clip(random.normal(0.45, 0.12, people), 0, 1)):
        wrong = random.dirichlet(np.full(CLASSES, 2.0))
        for truth, clips in enumerate(random.multinomial(3 * CLIPS, shares)):
            chances = (1 - share) * wrong + share * np.eye(CLASSES)[truth]
            counts[who, truth] = random.multinomial(clips, chances / chances.sum())
    return counts


def floor(random: np.random.Generator, people: int, *, even: bool) -> Array:
    """Predict the speaker's own emotion for all their clips; (people, K, K)."""
    own = random.integers(CLASSES, size=people)
    shares = np.full(CLASSES, 1 / CLASSES)
    clips = np.full((people, CLASSES), CLIPS / CLASSES) if even else random.multinomial(CLIPS, shares, people)
    called: Array = np.eye(CLASSES)[own][:, None, :] * clips[:, :, None]
    return called


def entangled(random: np.random.Generator, people: int, knows: float) -> tuple[Array, Array]:
    """A probe that knows a share `knows` of the clips, which differs between speakers, and its identity floor."""
    below = floor(random, people, even=True)
    known = np.clip(random.normal(knows, knows / 2, (people, 1)), 0, 1)
    hits = random.binomial(3 * CLIPS // CLASSES, np.repeat(known, CLASSES, 1)) / 3
    return below * (1 - hits * CLASSES / CLIPS)[:, :, None] + hits[:, :, None] * np.eye(CLASSES), below


def main() -> None:
    """Print one row per design."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--samples", type=int, default=400)
    samples = parser.parse_args().samples
    even, skewed = np.full(CLASSES, 1 / CLASSES), np.array([0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
    designs: dict[str, Design] = {
        "a model, classes even": lambda random, people: (unbiased(random, people, even),),
        "a model, classes 5 to 50 %": lambda random, people: (unbiased(random, people, skewed),),
        "identity floor, classes even": lambda random, people: (floor(random, people, even=True),),
        "identity floor, classes as they fall": lambda random, people: (floor(random, people, even=False),),
        "a small leak above the floor": lambda random, people: entangled(random, people, 0.1),
        "a large leak above the floor": lambda random, people: entangled(random, people, 0.3),
    }
    names = tuple(f"s{number:02}" for number in range(SPEAKERS))
    weights = draws(names, seed=0)
    print(f"{'':40}{'truth':>8}{'percentiles':>13}{'once':>8}{'twice':>8}")
    for title, made in designs.items():
        random = np.random.default_rng(0)
        signs = (1.0, -1.0)
        truth = sum(sign * float(f1(part.sum(0))) for sign, part in zip(signs, made(random, MANY), strict=False))
        held = np.zeros(3)
        for _ in range(samples):
            parts = made(random, SPEAKERS)
            result = contrast(
                [Term(sign, BySpeaker(names, part), f1) for sign, part in zip(signs, parts, strict=False)]
            )
            resampled = sum(
                sign * within(f1, part.sum(0))(np.tensordot(weights, part, 1))
                for sign, part in zip(signs, parts, strict=False)
            ) + np.zeros(len(weights))
            low, high = interval(resampled, SPEAKERS)
            once = result.difference - resampled.mean()
            ends = ((low, high), (low + once, high + once), (result.low, result.high))
            held += [bottom - 1e-9 <= truth <= top + 1e-9 for bottom, top in ends]
        print(
            f"{title:40}{truth:8.3f}"
            + "".join(f"{share:>{room}.3f}" for share, room in zip(held / samples, (13, 8, 8), strict=True)),
            flush=True,
        )


if __name__ == "__main__":
    main()
