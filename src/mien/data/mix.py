"""What a training batch holds: pools of examples, their places in a batch, and an endless shuffled stream of each.

A stream goes through its pool again and again. The order of a pass depends on the seed, the number of the pass, the
pool's name and its size alone, and a pool with c places gives step s the elements s c to s c + c - 1. So a batch is a
function of the seed and the step: it is the same in a resumed run and on any number of processes.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from mien.data.batch import uniform


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


@lru_cache(maxsize=16)  # one of each pool is in use at a time
def _order(seed: int, number: int, name: str, size: int) -> Tensor:
    """The order of a pass, size int64."""
    return uniform(seed, number, name, size).argsort(stable=True)
