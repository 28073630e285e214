"""A shard gives back the frames that were written, whatever their order in memory."""

from pathlib import Path

import numpy as np
import pytest

from mien.data import shards

RIGHT = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize(
    "values", [RIGHT, np.asfortranarray(RIGHT), np.ascontiguousarray(RIGHT.T).T, np.repeat(RIGHT, 2, axis=1)[:, ::2]]
)
def test_frames_of_any_order_in_memory_are_kept(tmp_path: Path, values: np.ndarray) -> None:
    path = shards.write(tmp_path, [shards.Frames("a", "key", 1.0, values)])
    np.testing.assert_array_equal(shards.Shard(path).read(0, 4).numpy(), RIGHT)
    np.testing.assert_array_equal(shards.Shard(path).read(1, 3).numpy(), RIGHT[1:3])
