"""Turns of speakers: who validates and who is tested in each fold of a protocol that divides by speaker.

A turn is a pair (validation, test) of sets of speakers; all others train. Speakers of several corpora come as one
table, or one list, a corpus.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from math import comb
from typing import Any, NamedTuple

import pandas as pd
from pydantic import Field, model_validator

from mien.common.settings import Settings
from mien.errors import ConfigError

PARTS = ("train", "validation", "test")
Turn = tuple[set[str], set[str]]


class Coverage(NamedTuple):
    """How many speakers the folds test.

    Attributes:
        speakers: of all folds.
        once: in at least one fold.
        several: in two folds or more.
        folds: how many folds there are.
    """

    speakers: int
    once: int
    several: int
    folds: int


class Shares(Settings):
    """The shares of the speakers in each part of a random split; they add up to 1.

    Attributes:
        train: 0.7, as in Goncalves & Busso 2022, section 5.1.
        validation: 0.15.
        test: 0.15.
    """

    train: float = Field(0.7, gt=0, lt=1)
    validation: float = Field(0.15, gt=0, lt=1)
    test: float = Field(0.15, gt=0, lt=1)

    @model_validator(mode="after")
    def _add_up(self) -> "Shares":
        if abs((total := self.train + self.validation + self.test) - 1) > 1e-9:
            raise ValueError(
                f"train, validation and test are {self.train:g}, {self.validation:g} and {self.test:g}, which add up "
                f"to {total:g}; give three shares that add up to 1"
            )
        return self

    def numbers(self, speakers: int) -> dict[str, int]:
        """Part -> its number of speakers, of at least three speakers.

        Each part has one; the others go one by one to the part that lacks most of its share, of equal ones to test,
        then to validation.
        """
        shares = {part: getattr(self, part) * speakers for part in reversed(PARTS)}
        found = dict.fromkeys(shares, 1)
        for _ in range(speakers - len(PARTS)):
            found[max(shares, key=lambda part: round(shares[part] - found[part], 9))] += 1
        return found


def sampled(corpora: Mapping[str, Sequence[str]], shares: Shares, splits: int, seed: int) -> list[Turn]:
    """Turns in which the speakers of each corpus are sampled anew, no two of them alike.

    The speakers of a corpus are put in the order of the hashes of seed, number of the split, and name: the first are
    tested, the next validate, the rest train. A split that is an earlier one once more is sampled again. So the first
    splits of many are those of few, and neither the order of the table nor its clips change them.

    Args:
        corpora: name of a corpus -> its speakers; the name is empty where there is one corpus.
        shares: of the parts, in each corpus.
        splits: how many.
        seed: of the samples.

    Raises:
        ConfigError: a corpus has fewer than three speakers, or there are not so many different splits.
    """
    numbers: dict[str, dict[str, int]] = {}
    different = 1
    for name, speakers in corpora.items():
        if (count := len(speakers)) < len(PARTS):
            whose = f"the {count} speakers of '{name}'" if name else f"{count} speakers"
            raise ConfigError(
                f"protocol random_splits: {whose} with usable clips are too few for training, validation and test"
            )
        numbers[name] = shares.numbers(count)
        different *= comb(count, numbers[name]["test"]) * comb(
            count - numbers[name]["test"], numbers[name]["validation"]
        )
    if splits > different:
        raise ConfigError(
            f"protocol.splits: {sum(map(len, corpora.values()))} speakers can be divided so in {different} ways, and "
            f"{splits} splits are asked for; give fewer splits, or other shares"
        )
    made: list[Turn] = []
    for split in range(splits):
        made.append(next(turn for turn in _tries(corpora, numbers, f"{seed}:{split}") if turn not in made))
    return made


def _tries(corpora: Mapping[str, Sequence[str]], numbers: Mapping[str, Mapping[str, int]], key: str) -> Iterator[Turn]:
    """Samples of one split without an end; the second and later ones stand in for one that was sampled before."""
    again = 0
    while True:
        validation, test = set[str](), set[str]()
        for name, speakers in corpora.items():
            own = key if not again else f"{key}:{again}"
            order = sorted(speakers, key=lambda who: sha256(f"{own}:{who}".encode()).digest())
            tested = numbers[name]["test"]
            test.update(order[:tested])
            validation.update(order[tested : tested + numbers[name]["validation"]])
        yield validation, test
        again += 1


def swapped(corpora: Sequence[pd.DataFrame]) -> list[tuple[set[str], set[str]]]:
    """Pairs (validation, test): each speaker is tested once, and the speaker paired with it validates.

    Args:
        corpora: tables indexed by speaker; speakers are paired within their corpus where it has two or more.
    """
    rings: list[list[str]] = []
    lonely: list[str] = []
    for people in corpora:
        made = _closed(*_couples(people))
        rings += made
        lonely += [] if made else list(people.index)
    last = rings[-1][0] if rings else None
    validates = {
        tested: ring[(place + 1) % len(ring)]
        for ring in rings or _closed([], lonely)
        for place, tested in enumerate(ring)
    }
    if last is not None:  # the only speaker of a corpus breaks no ring of another one
        validates |= dict.fromkeys(lonely, last)
    return [({validates[tested]}, {tested}) for tested in sorted(validates)]


def _couples(people: pd.DataFrame) -> tuple[list[list[str]], list[str]]:
    """Rings of the speakers of a session, or of a woman and a man, and the speakers that are left."""
    if "session" in people and people["session"].notna().all():
        sessions = [sorted(group.index) for _, group in people.groupby("session", sort=True)]
        return [ring for ring in sessions if len(ring) > 1], [ring[0] for ring in sessions if len(ring) == 1]
    gender = people["gender"] if "gender" in people else pd.Series(pd.NA, index=people.index)
    women, men = list(people.index[gender == "female"]), list(people.index[gender == "male"])
    couples = min(len(women), len(men))
    rings = [[woman, man] for woman, man in zip(women[:couples], men[:couples], strict=True)]
    return rings, sorted(set(people.index) - {speaker for ring in rings for speaker in ring})


def _closed(rings: list[list[str]], alone: list[str]) -> list[list[str]]:
    """The rings, with pairs of the speakers that are left; an odd one joins the last ring."""
    rings = rings + [alone[i : i + 2] for i in range(0, len(alone) - 1, 2)]
    if len(alone) % 2 and rings:
        rings[-1] = [*rings[-1], alone[-1]]
    return rings


def rotated(corpora: Sequence[Sequence[str]], groups: int) -> list[tuple[set[str], set[str]]]:
    """Turns (validation, test) of groups of neighbours; the larger groups of one corpus follow those of the last."""
    count = sum(map(len, corpora))
    if count < groups:
        raise ConfigError(f"protocol.groups: {groups} groups need at least as many speakers; there are {count}")
    sets: list[set[str]] = [set() for _ in range(groups)]
    first = 0
    for speakers in corpora:
        share, extra = divmod(len(speakers), groups)
        sizes = [share + ((number - first) % groups < extra) for number in range(groups)]
        limits = [sum(sizes[:number]) for number in range(groups + 1)]
        for group, (begin, end) in zip(sets, pairwise(limits), strict=True):
            group.update(speakers[begin:end])
        first = (first + extra) % groups
    return [(sets[(number + 1) % groups], sets[number]) for number in range(groups)]


def coverage(folds: Sequence[Mapping[str, Any]], part: str) -> Coverage:
    """Count the speakers of the folds of `splits.json`, and those that are in one part of some fold.

    Args:
        folds: with the speakers of train, validation and test each.
        part: "test" or "validation".
    """
    everybody = {who for fold in folds for name in PARTS for who in fold[name]["speakers"]}
    found = Counter(who for fold in folds for who in fold[part]["speakers"])
    return Coverage(len(everybody), len(found), sum(count > 1 for count in found.values()), len(folds))
