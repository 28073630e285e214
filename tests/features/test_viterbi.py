"""The fast path search against all paths and against the plain quadratic search."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien.features import _viterbi
from mien.features._viterbi import smoothest


def total(costs: NDArray[np.float64], path: NDArray[np.intp], stiffness: float) -> float:
    return float(costs[np.arange(len(path)), path].sum() + stiffness * (np.diff(path) ** 2).sum())


def plain(costs: NDArray[np.float64], stiffness: float) -> float:
    """The least total cost, every pair of neighbours tried."""
    states = np.arange(costs.shape[1])
    moves = stiffness * (states[:, None] - states) ** 2
    least = costs[0]
    for row in costs[1:]:
        least = (least + moves).min(1) + row
    return float(least.min())


@given(st.integers(0, 10_000), st.floats(1e-3, 10))
@settings(max_examples=30, deadline=None)
def test_no_path_is_cheaper(seed: int, stiffness: float) -> None:
    costs = np.random.default_rng(seed).uniform(-1, 1, (4, 5))
    best = min(total(costs, np.array(path), stiffness) for path in product(range(5), repeat=4))
    (path,) = smoothest([costs], stiffness)
    assert total(costs, path, stiffness) == pytest.approx(best, abs=8 * stiffness / 16)  # costs are rounded to 1/16


@pytest.mark.parametrize("stiffness", [2.5e-6, 1e-4, 1e-2])
def test_many_states_equal_the_plain_search(stiffness: float) -> None:
    rng = np.random.default_rng(3)
    rough = rng.uniform(-1, 1, (40, 417))
    smooth = 0.01 * np.cumsum(rng.standard_normal((40, 417)), axis=1)
    for costs, path in zip([rough, smooth], smoothest([rough, smooth], stiffness), strict=True):
        assert total(costs, path, stiffness) == pytest.approx(plain(costs, stiffness), abs=40 * stiffness / 16)


def test_ties_and_flat_costs_do_not_depend_on_company() -> None:
    rng = np.random.default_rng(4)
    tied = [np.rint(rng.uniform(0, top, (40, 61))) / 16 for top in (1, 3, 40, 900) for _ in range(10)]  # ties abound
    clips = [*tied, 1e5 * rng.standard_normal((70, 61)), np.zeros((30, 61)), tied[0][:1], tied[0][:0]]
    for costs, path in zip(clips, smoothest(clips, 1.0), strict=True):
        np.testing.assert_array_equal(smoothest([costs], 1.0)[0], path)
        assert len(path) == len(costs)


def test_one_state_and_no_clip() -> None:
    assert smoothest([], 1.0) == []
    np.testing.assert_array_equal(smoothest([np.ones((3, 1))], 1.0)[0], [0, 0, 0])


def test_stiffness_bridges_a_gap() -> None:
    costs = np.zeros((30, 50))
    costs[:10, 20] = costs[20:, 20] = -1
    costs[10:20, 45] = -0.1
    stiff, loose = smoothest([costs], 0.1)[0], smoothest([costs], 1e-4)[0]
    assert set(stiff) == {20}
    assert set(loose[12:18]) == {45}


def test_pooling_without_scipys_own_file_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    clips = [rng.uniform(-1, 1, (length, 90)) for length in (30, 20, 1)]
    paths = smoothest(clips, 1e-3)
    assert _viterbi._pool() is not _viterbi._pool_publicly
    monkeypatch.setattr(_viterbi, "_pool", lambda: _viterbi._pool_publicly)
    for path, public in zip(paths, smoothest(clips, 1e-3), strict=True):
        np.testing.assert_array_equal(path, public)


def test_a_pooling_of_another_kind_is_not_taken() -> None:
    def of_other_arguments(values: object) -> object:
        return values

    def of_other_numbers(values: object, weights: object, blocks: object) -> object:
        return values

    assert _viterbi._pools(_viterbi._pool_publicly)
    assert not _viterbi._pools(of_other_arguments)
    assert not _viterbi._pools(of_other_numbers)
