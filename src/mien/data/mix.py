"""What a training batch holds: pools of examples, their places in a batch, and an endless shuffled stream of each.

A stream goes through its pool again and again. The order of a pass depends on the seed, the number of the pass, the
pool's name and its size alone, and a pool with c places gives step s the elements s c to s c + c - 1. So a batch is a
function of the seed and the step: it is the same in a resumed run and on any number of processes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from mien.data.batch import uniform
from mien.errors import ConfigError

LABELLED, UNLABELLED = "labelled", "unlabelled"  # the pools that are no corpora


@dataclass(frozen=True)
class Pool:
    """Examples with places of their own in each batch.

    Attributes:
        name: "labelled", "unlabelled" or a corpus; "" where all examples are one pool.
        examples: N int64, their numbers.
        places: how many clips of a batch it gives.
        labelled: whether it has labels of the main target.
    """

    name: str
    examples: Tensor
    places: int
    labelled: bool = True

    @property
    def steps(self) -> int:
        """Steps of a pass; the last one may begin the next pass."""
        return -(-len(self.examples) // self.places)

    def chosen(self, seed: int, step: int) -> Tensor:
        """The examples that it gives a step, `places` int64; one may come twice where a pass ends or the pool is small.

        Args:
            seed: of the run.
            step: counted over all epochs.
        """
        name, size = f"order {self.name}".rstrip(), len(self.examples)
        begin, end = step * self.places, (step + 1) * self.places
        passes = range(begin // size, -(-end // size))
        stream = torch.cat([_order(seed, number, name, size) for number in passes])
        skipped = begin - passes.start * size
        return self.examples[stream[skipped : skipped + self.places]]


def steps_of(pools: Collection[Pool]) -> int:
    """Steps of an epoch, which is counted in labelled clips: one pass through every pool that has labels."""
    return max(pool.steps for pool in [pool for pool in pools if pool.labelled] or pools)


def mixed(mix: Mapping[str, float], known: Sequence[bool], corpora: Sequence[str], batch: int) -> tuple[Pool, ...]:
    """The pools of training examples that are not empty, in the order of `mix`.

    Args:
        mix: name -> share of a batch, relative to their sum; "labelled" and "unlabelled" take examples before a corpus.
        known: whether the label of the main target of each example is known.
        corpora: the corpus of each; "" where there is one alone.
        batch: clips in a batch.

    Raises:
        ConfigError: an example is in no pool, or there are more pools than clips in a batch.
    """
    members: dict[str, list[int]] = {name: [] for name in mix}
    for number, (labelled, corpus) in enumerate(zip(known, corpora, strict=True)):
        own = LABELLED if labelled else UNLABELLED
        name = own if own in members else corpus
        if name not in members:
            same = sum(pair == (labelled, corpus) for pair in zip(known, corpora, strict=True))
            raise ConfigError(_lacking(same, corpus, own))
        members[name].append(number)
    found = {name: torch.tensor(numbers) for name, numbers in members.items() if numbers}
    if len(found) > batch:
        raise ConfigError(
            f"training.batch: {batch} is less than the {len(found)} pools of data.mix that have clips "
            f"({', '.join(found)}), and each of them gives one at least; give {len(found)} or more"
        )
    given = places({name: mix[name] for name in found}, batch)
    return tuple(
        Pool(name, numbers, given[name], any(known[number] for number in numbers.tolist()))
        for name, numbers in found.items()
    )


def places(shares: Mapping[str, float], batch: int) -> dict[str, int]:
    """The places of a batch by the largest remainder, at least one for each; of equal remainders the first.

    Args:
        shares: name -> share, relative to their sum.
        batch: places, as many as names at least.
    """
    whole = sum(shares.values())
    quota = {name: batch * share / whole for name, share in shares.items()}
    if below := [name for name in shares if quota[name] < 1]:
        rest = {name: share for name, share in shares.items() if name not in below}
        given = dict.fromkeys(below, 1) | (places(rest, batch - len(below)) if rest else {})
        return {name: given[name] for name in shares}
    given = {name: int(value) for name, value in quota.items()}
    by_remainder = sorted(shares, key=lambda name: given[name] - quota[name])
    for name in by_remainder[: batch - sum(given.values())]:
        given[name] += 1
    return given


def _lacking(count: int, corpus: str, own: str) -> str:
    """The sentence on training examples that are in no pool."""
    of, ways = (f" of the corpus '{corpus}'", f"'{corpus}' or ") if corpus else ("", "")
    what = "with" if own == LABELLED else "without"
    return f"data.mix: {count} training examples{of} {what} a label have no share; give one to {ways}'{own}'"


@lru_cache(maxsize=16)  # one of each pool is in use at a time
def _order(seed: int, number: int, name: str, size: int) -> Tensor:
    """The order of a pass, size int64."""
    return uniform(seed, number, name, size).argsort(stable=True)
