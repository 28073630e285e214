"""The path through a grid of states that is cheap and moves little: exact, in time linear in the number of states.

A move from state j to i costs `stiffness * (i - j)**2`. The best predecessors of all states at once are a discrete
Legendre transform: `min_j f(j) + (i - j)^2 / 2 = i^2 / 2 + min_j g(j) - i j` with `g(j) = f(j) + j^2 / 2`, so only the
corners of g's lower convex hull can win, state i the corner whose slopes enclose i. Isotonic regression of g's
differences gives the hull's slopes (Felzenszwalb and Huttenlocher 2012 walk the same envelope one parabola at a time).

Costs are rounded to whole numbers, 16 to one unit of `stiffness`, which are held here as multiples of 1/32, so that a
move costs half its square. Sums of such numbers are exact in float64, so a tie is a tie, and a path does not depend on
the clips that are searched beside it, to the bit.

A frame costs some fifteen calls of NumPy on a few hundred numbers, so the calls are what counts: all clips lie in one
flat array, state i of clip k at `k * states + i`, and everything that can be prepared is.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNITS = 16  # of cost to one `stiffness`

Pool = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]], object]


def smoothest(costs: Sequence[NDArray[np.float64]], stiffness: float) -> list[NDArray[np.intp]]:
    """For each clip's costs (T, states) the path (T,) that minimises the sum of its costs and of its moves.

    Args:
        costs: one (T, states) array a clip; T differs, the number of states does not. The path is
            exact to their rounding while all are below some 1e7 times `stiffness`.
        stiffness: the cost of a move by one state, greater than 0.
    """
    order = sorted(range(len(costs)), key=lambda clip: -len(costs[clip]))
    lengths = [len(costs[clip]) for clip in order]
    states = costs[0].shape[1] if costs else 0
    whole = np.zeros((max(lengths, default=0), len(costs), states))
    for row, clip in enumerate(order):
        np.multiply(costs[clip], UNITS / stiffness, out=whole[: lengths[row], row])
    np.rint(whole, out=whole)
    whole *= 0.5 / UNITS
    predecessors, last = _forward(whole, lengths)
    paths = {clip: _backward(predecessors, row, last[row], lengths[row], states) for row, clip in enumerate(order)}
    return [paths[clip] for clip in range(len(costs))]


def _forward(whole: NDArray[np.float64], lengths: Sequence[int]) -> tuple[NDArray[np.int32], list[int]]:
    """Where the best predecessor of each place lies (T, clips * states), and each clip's best last place (clips,)."""
    frames, clips, states = whole.shape
    flat = whole.reshape(frames, clips * states)
    predecessors = np.zeros(flat.shape, np.int32)
    last = [0] * clips
    if not frames:
        return predecessors, last
    # Clips, longest first, have one regression: each one's slopes are lifted above those of the clip before it. The
    # one between two clips stays between them, and counts as passed by all states of the second.
    lift = 2 * float(whole.max() - whole.min()) + 4 * states + 8
    places = np.arange(clips * states)
    row = places // states
    # State i passes the slopes below i, and its predecessor is their number. A slope is a whole multiple of
    # 1 / (2 UNITS) by at most `states`, so half of that step is room for rounding, and a slope that equals i is never
    # passed.
    rising = places - states * row + (1.5 + 0.25 / UNITS / states) + lift * row
    lowered = (lift - states) * row
    least = states * row.astype(np.float64)
    most = least + states
    apart = np.arange(-states, states, dtype=np.float64)
    moves = np.roll(np.square(apart) / 2, states)  # the cost of a move, by its number of states, up or down
    weights, blocks = np.ones(len(places)), np.zeros(len(places) + 1, np.intp)
    total, pool = flat[0].copy(), _pool()
    for active, first, stop in _stages(lengths):
        size = active * states
        part, ones = slice(0, size - 1), weights[: size - 1]
        steps, down, low, high = rising[part], lowered[part], least[part], most[part]
        total = total[:size]
        for frame in range(first, stop):
            slopes = total[1:] - total[:-1]
            slopes += steps
            if active > 1:
                slopes[states - 1 :: states] = steps[states - 1 :: states] + lift / 2
            ones.fill(1)
            pool(slopes, ones, blocks)
            if active > 1:
                slopes -= down
            np.maximum(slopes, low, out=slopes)
            np.minimum(slopes, high, out=slopes)
            best = np.bincount(slopes.astype(np.intp), minlength=size + 1)[:size].cumsum()
            predecessors[frame, :size] = best
            total = total.take(best)
            best -= places[:size]
            total += moves.take(best)
            total += flat[frame, :size]
        for clip in range(active):
            if lengths[clip] == stop:
                last[clip] = clip * states + int(total[clip * states : (clip + 1) * states].argmin())
    return predecessors, last


def _stages(lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """How many clips, longest first, are there from which frame to which; frame 0 needs no search."""
    first = 1
    for active in range(len(lengths), 0, -1):
        stop = lengths[active - 1]
        if stop >= first and (active == len(lengths) or stop > lengths[active]):
            yield active, first, stop
            first = stop


def _backward(predecessors: NDArray[np.int32], clip: int, last: int, length: int, states: int) -> NDArray[np.intp]:
    """The states (T,) of a clip that lead to its last place."""
    path = np.empty(length, np.intp)
    place = last
    for frame in range(length - 1, -1, -1):
        path[frame] = place
        place = predecessors.item(frame, place)
    return path - clip * states


@cache
def _pool() -> Pool:
    """Isotonic regression in place, of values, weights of 1 and room for one index more: SciPy's pooling in C.

    Its file is loaded by itself, as `scipy.optimize` takes longer to import than most sounds take to be heard. It isn't
    public: where it is not found, or does something else to three numbers, the public function does it more slowly.
    """
    package = find_spec("scipy")
    for folder in (package and package.submodule_search_locations) or ():
        finder = FileFinder(str(Path(folder) / "optimize"), (ExtensionFileLoader, EXTENSION_SUFFIXES))
        found = finder.find_spec("_pava_pybind")
        if found and found.loader:
            module = module_from_spec(found)
            found.loader.exec_module(module)
            pool: Pool | None = getattr(module, "pava", None)
            if pool is not None and _pools(pool):
                return pool
    return _pool_publicly


def _pools(pool: Pool) -> bool:
    values = np.array([3.0, 1.0, 5.0])
    try:
        pool(values, np.ones(3), np.zeros(4, np.intp))
    except TypeError:
        return False
    return bool(np.array_equal(values, [2.0, 2.0, 5.0]))


def _pool_publicly(values: NDArray[np.float64], weights: NDArray[np.float64], blocks: NDArray[np.intp]) -> object:
    from scipy.optimize import isotonic_regression

    if len(values):
        values[:] = isotonic_regression(values).x
    return values
