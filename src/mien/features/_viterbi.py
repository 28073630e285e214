"""The path through a grid of states that is cheap and moves little: exact, in time linear in the number of states.

A move from state j to i costs `stiffness * (i - j)**2`. The best predecessors of all states at once are a discrete
Legendre transform: `min_j f(j) + c (i - j)^2 = c i^2 + min_j g(j) - 2 c i j` with `g(j) = f(j) + c j^2`, so only the
corners of g's lower convex hull can win, state i the corner whose slopes enclose 2 c i. Isotonic regression of g's
differences gives the hull's slopes (Felzenszwalb and Huttenlocher 2012 walk the same envelope one parabola at a time).

Costs are rounded to whole numbers, 16 to one unit of `stiffness`. Sums of whole numbers are exact in float64, so a tie
is a tie, and a path does not depend on the clips that are searched beside it, to the bit.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

UNITS = 16  # of cost to one `stiffness`


def smoothest(costs: Sequence[NDArray[np.float64]], stiffness: float) -> list[NDArray[np.intp]]:
    """For each clip's costs (T, states) the path (T,) that minimises the sum of its costs and of its moves.

    Args:
        costs: one (T, states) array a clip; T differs, the number of states does not. The path is
            exact to their rounding while all are below some 1e7 times `stiffness`.
        stiffness: the cost of a move by one state, greater than 0.
    """
    order = sorted(range(len(costs)), key=lambda clip: -len(costs[clip]))
    lengths = np.array([len(costs[clip]) for clip in order], np.intp)
    states = costs[0].shape[1] if len(costs) else 0
    whole = np.zeros((lengths.max(initial=0), len(costs), states))
    for row, clip in enumerate(order):
        np.rint(costs[clip] * (UNITS / stiffness), out=whole[: lengths[row], row])
    path = _backward(*_forward(whole, lengths), lengths)
    paths = {clip: path[: lengths[row], row] for row, clip in enumerate(order)}
    return [paths[clip] for clip in range(len(costs))]


def _forward(whole: NDArray[np.float64], lengths: NDArray[np.intp]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """The best predecessor of each state (T, clips, states), and each clip's best last state (clips,)."""
    predecessors = np.zeros(whole.shape, np.int32)
    last = np.zeros(len(lengths), np.intp)
    if not len(whole):
        return predecessors, last
    states = np.arange(whole.shape[2], dtype=np.float64)
    parabola = UNITS * states**2
    rows = len(states) * np.arange(len(lengths))[:, None]
    total = whole[0]
    for frame in range(1, len(whole)):
        active = np.count_nonzero(lengths > frame)
        last[active : len(total)] = total[active:].argmin(1)  # clips, longest first, that have just ended
        total = total[:active]
        best = _tangents(total + parabola)
        predecessors[frame, :active] = best
        moved = np.square(states - best)
        moved *= UNITS
        moved += total.take(best + rows[:active])
        moved += whole[frame, :active]
        total = moved - moved.min(1, keepdims=True)
    last[: len(total)] = total.argmin(1)
    return predecessors, last


def _tangents(curves: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each curve g (clips, states) and state i the j that minimises `g(j) - 2 UNITS i j`."""
    clips, states = curves.shape
    steps = curves[:, 1:] - curves[:, :-1]
    # one regression for all clips: each one's slopes are lifted above those of the clip before it
    lift = (steps.max(initial=0) - steps.min(initial=0) + 1) * np.arange(clips)[:, None]
    hull = isotonic_regression((steps + lift).ravel()).x.reshape(steps.shape) - lift
    # State i passes the slopes below 2 UNITS i, and j is their number. A slope is a whole number by at most `states`,
    # so half of that step is room for rounding, and a slope that equals 2 UNITS i is never passed.
    passing = np.clip((hull + 0.5 / states) * (0.5 / UNITS) + 1, 0, states).astype(np.intp)
    passing += (states + 1) * np.arange(clips)[:, None]
    passed = np.bincount(passing.ravel(), minlength=clips * (states + 1)).reshape(clips, states + 1)
    return np.cumsum(passed[:, :-1], axis=1)


def _backward(predecessors: NDArray[np.int32], last: NDArray[np.intp], lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """The states (T, clips) that lead to each clip's last one; after a clip's end they mean nothing."""
    path = np.tile(last, (len(predecessors), 1))
    for frame in range(len(predecessors) - 1, 0, -1):
        active = np.count_nonzero(lengths > frame)
        path[frame - 1, :active] = predecessors[frame, np.arange(active), path[frame, :active]]
    return path
