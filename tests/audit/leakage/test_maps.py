"""Maps keep neighbours, and show the same two unseen speakers for every model."""

import numpy as np
import pandas as pd
import pytest

from mien.audit.leakage import maps


def test_a_map_keeps_neighbours_and_is_deterministic() -> None:
    random = np.random.default_rng(0)
    group = np.repeat([0, 1], 40)
    values = random.normal(size=(80, 12)) + 8 * group[:, None]
    points = maps.plane(values, seed=0)
    nearest = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e9 * np.eye(80)
    assert (group[nearest.argmin(1)] == group).mean() > 0.97
    np.testing.assert_array_equal(points, maps.plane(values, seed=0))


@pytest.mark.parametrize(
    "values", [np.ones((30, 4)), np.arange(30.0)[:, None] * np.ones(4), np.eye(3), np.ones((1, 4))]
)
def test_degenerate_embeddings_have_a_finite_map(values: np.ndarray) -> None:
    points = maps.plane(values, seed=0)
    assert points.shape == (len(values), 2)
    assert np.isfinite(points).all()


def test_the_two_speakers_are_test_speakers_if_several_are() -> None:
    def clips(**parts: str) -> pd.DataFrame:
        rows = [(speaker, part) for part, speakers in parts.items() for speaker in speakers]
        return pd.DataFrame(rows, columns=["speaker", "split"])

    assert maps.two_speakers(clips(train="xyz", validation="ab", test="edc")) == ["c", "d"]
    assert maps.two_speakers(clips(train="xyz", validation="ba", test="e")) == ["a", "e"]
    assert maps.two_speakers(clips(train="xyz", validation="cba")) == ["a", "b"]
