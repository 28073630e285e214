"""A user's own embeddings and labels: every format gives the same rows, and bad input is refused."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from mien.audit.embedding_files.labels import read_labels
from mien.audit.embedding_files.read import blocks, join, read_embeddings, require_factor
from mien.errors import AuditError

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
CLIPS = [f"c{number}" for number in range(6)]


def write(folder: Path, suffix: str) -> Path:
    path = folder / f"E{suffix}"
    if suffix == ".npy":
        np.save(path, X)
    elif suffix == ".npz":
        np.savez(path, E=X, clips=np.array(CLIPS))
    elif suffix == ".safetensors":
        save_file({"E": X}, path, {"clips": json.dumps(CLIPS)})
    else:
        pd.DataFrame(X.astype(np.float64)).assign(clip=CLIPS).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".csv"])
def test_every_format_gives_the_same_rows_and_clips(tmp_path: Path, suffix: str) -> None:
    found = read_embeddings(write(tmp_path, suffix))
    np.testing.assert_array_equal(found.arrays["E"], X)
    assert found.clips == (None if suffix == ".npy" else tuple(CLIPS))
    assert isinstance(found.arrays["E"], np.memmap) == (suffix == ".npy")


def test_several_arrays_are_several_embeddings(tmp_path: Path) -> None:
    np.savez(tmp_path / "E.npz", early=X, late=X[:, :2])
    assert list(read_embeddings(tmp_path / "E.npz").arrays) == ["early", "late"]
    np.savez(tmp_path / "F.npz", early=X, late=X[:5])
    with pytest.raises(
        AuditError, match=r"its arrays have different numbers of rows, early 6, late 5; give one row a clip in each$"
    ):
        read_embeddings(tmp_path / "F.npz")


class Trap:
    """Fails the test when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("it was unpickled",))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([[Trap()], [Trap()]], object), allow_pickle=True)
    np.savez(tmp_path / "objects.npz", E=np.array([[Trap()]], object), allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Trap()))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Trap()))
    for name in ("objects.npy", "objects.npz", "pickle.npy", "pickle.npz"):
        with pytest.raises(AuditError, match=r"Python objects, which are never loaded|cannot be read as"):
            read_embeddings(tmp_path / name)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.where(np.arange(6)[:, None] == 4, np.nan, X), "row 5: a value is not finite; leave such clips out"),
        (np.where(np.arange(6)[:, None] == 2, np.inf, X), "row 3: a value is not finite; leave such clips out"),
        (X[0], "has 1 dimensions; an embedding has two: one row a clip, (n, D)"),
        (X[None], "has 3 dimensions; an embedding has two: one row a clip, (n, D)"),
        (X[:0], "is empty: 0 rows, 3 columns"),
        (X[:, :0], "is empty: 6 rows, 0 columns"),
        (np.array([["a"]]), "holds <U1; an embedding has real numbers"),
        (X.astype(complex), "holds complex128; an embedding has real numbers"),
        (np.array([[None]], object), "holds Python objects; an embedding has real numbers"),
        (np.float32(1.0), "has 0 dimensions; an embedding has two: one row a clip, (n, D)"),
    ],
)
def test_arrays_that_are_no_embeddings_are_refused(values: np.ndarray, sentence: str) -> None:
    which = re.escape("embedding: 'embedding'")
    with pytest.raises(AuditError, match=f"^{which},? {re.escape(sentence)}$"):
        read_embeddings(np.asarray(values))


def test_files_that_hold_no_embeddings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "E.npy").touch()
    (tmp_path / "E.pt").write_bytes(b"x")
    (tmp_path / "text.npy").write_text("1 2 3")
    (tmp_path / "E.npz").write_bytes(b"PKx")
    (tmp_path / "E.safetensors").write_bytes(b"x" * 20)
    (tmp_path / "E.csv").write_text("clip,a\nc0,1\nc1,two\n")
    refusals = {
        "E.npy": "is empty",
        "E.pt": "embeddings are read from .npy, .npz, .safetensors, .csv, not from '.pt'",
        "text.npy": "does not begin as a numpy array does",
        "E.npz": "cannot be read as .npz",
        "E.safetensors": "cannot be read as .safetensors",
        "E.csv": "column 'a' holds text",
        ".": "is a folder",
        "none.npy": "no such file",
    }
    for name, sentence in refusals.items():
        with pytest.raises(AuditError, match=sentence):
            read_embeddings(tmp_path / name)


def test_rows_are_joined_by_clip_and_missing_ones_are_listed(tmp_path: Path) -> None:
    embeddings = read_embeddings(write(tmp_path, ".npz"))
    labels = read_labels({"clip": ["c5", "c0", "c9", "c3"], "speaker": ["s5", "s0", "s9", None]})
    found = join(embeddings, labels)
    assert found.rows is not None
    assert found.rows.tolist() == [0, 3, 5]
    assert found.labels["speaker"].tolist()[::2] == ["s0", "s5"]
    assert pd.isna(found.labels["speaker"][1])
    assert found.problems == (
        "labels whose clip has no embedding: 1, such as c9; left out",
        "embeddings whose clip has no label: 3, such as c1, c2, c4; left out",
    )
    with pytest.raises(AuditError, match=r"none of its 6 clips is among the 1 labels; name them alike on both sides$"):
        join(embeddings, read_labels({"clip": ["x"], "speaker": ["s"]}))
    with pytest.raises(AuditError, match="the clip 'c0' has two rows"):
        join(embeddings, read_labels({"clip": ["c0", "c0"], "speaker": ["s", "t"]}))


def test_rows_without_names_are_joined_by_position(tmp_path: Path) -> None:
    embeddings = read_embeddings(X)
    found = join(embeddings, read_labels(pd.DataFrame({"speaker": list("aabbcc"), "age": [1, 2, 3, 4, 5, None]})))
    assert (found.rows, found.problems) == (None, ())
    assert found.labels["age"].isna().tolist() == [False] * 5 + [True]
    with pytest.raises(AuditError, match="6 rows, but 2 labels, and the embeddings do not name their clips"):
        join(embeddings, read_labels({"speaker": ["a", "b"], "clip": ["x", "y"]}))
    with pytest.raises(AuditError, match="the labels have no column 'clip'"):
        join(read_embeddings(write(tmp_path, ".npz")), read_labels({"speaker": ["a", "b"]}))


def test_a_factor_that_no_probe_can_learn_is_refused() -> None:
    labels = read_labels(
        {"speaker": list("aabbc"), "take": list("vwxyz"), "sex": list("fffff"), "age": [None] * 5}
    ).table
    require_factor(labels, "speaker", "E")
    for factor, sentence in {
        "spaeker": "Did you mean 'speaker'",
        "take": "a different class in each of its 5 rows",
        "sex": "^E: factor 'sex' has one class, 'f'; at least two classes are needed$",
        "age": "has no label",
    }.items():
        with pytest.raises(AuditError, match=sentence):
            require_factor(labels, factor, "E")


def test_blocks_cover_all_rows_in_order() -> None:
    np.testing.assert_array_equal(np.concatenate(list(blocks(X, size=4))), X)
    rows = np.array([5, 0, 2])
    np.testing.assert_array_equal(np.concatenate(list(blocks(X, rows, size=2))), X[rows])
