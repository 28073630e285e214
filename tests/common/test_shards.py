"""A shard gives back the frames that were written, whatever their order in memory."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from mien.common import shards

RIGHT = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize(
    "values", [RIGHT, np.asfortranarray(RIGHT), np.ascontiguousarray(RIGHT.T).T, np.repeat(RIGHT, 2, axis=1)[:, ::2]]
)
def test_frames_of_any_order_in_memory_are_kept(tmp_path: Path, values: np.ndarray) -> None:
    path = shards.write(tmp_path, [shards.Frames("a", "key", 1.0, values)])
    np.testing.assert_array_equal(shards.Shard(path).read(0, 4).numpy(), RIGHT)
    np.testing.assert_array_equal(shards.Shard(path).read(1, 3).numpy(), RIGHT[1:3])


def test_the_same_work_gives_the_same_bytes_and_any_reader_of_the_format_takes_them(tmp_path: Path) -> None:
    """Names in any alphabet; the package itself writes the metadata in another order each time."""
    frames = [shards.Frames(name, f"key of {name}", 1.0, RIGHT, np.zeros(4, np.uint8)) for name in ("a", "ü/é", 'q"')]
    written = {shards.write(tmp_path / str(number) / "logmel", frames).read_bytes() for number in range(8)}
    assert len(written) == 1
    path = shards.write(tmp_path / "0" / "logmel", frames)
    assert [entry.clip for entry in shards.entries(tmp_path / "0" / "logmel")] == ["a", "ü/é", 'q"']
    np.testing.assert_array_equal(load_file(path)["frames"], np.concatenate([RIGHT] * 3))
    np.testing.assert_array_equal(shards.Shard(path).read(4, 8).numpy(), RIGHT)
    loose = {save({"x": RIGHT}, dict.fromkeys("abcdefg", "1")) for _ in range(8)}
    assert len(loose) > 1, "the control"


def test_every_change_of_a_shard_is_seen_and_it_counts_as_absent(tmp_path: Path, capsys) -> None:
    path = shards.write(tmp_path, [shards.Frames("a", "key", 1.0, RIGHT, np.zeros(4, np.uint8))])
    written = path.read_bytes()
    assert shards.damage(path) == ""
    for place in range(len(written)):
        changed = bytearray(written)
        changed[place] ^= 1 << place % 8
        path.unlink()
        path.write_bytes(changed)
        assert shards.damage(path), place
    path.write_bytes(written[:-1])
    assert list(shards.entries(tmp_path)) == []
    shards.mend(tmp_path)
    assert not path.exists()
    assert f"{path}: damaged (it has another size than its header says)" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 8, (8).to_bytes(8, "little") + b"[1, 2]  ", b"\0" * 64])
def test_what_is_no_shard_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "shard-a.safetensors"
    path.write_bytes(content)
    assert shards.damage(path)
    assert list(shards.entries(tmp_path)) == []
