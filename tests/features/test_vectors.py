"""Files of frame vectors: the same numbers from every format, which frames are valid, and what is refused."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mien import features
from mien.errors import ConfigError, CorpusError
from mien.features import _vectors

FRAMES = np.array([[0.5, -1.25, 3], [np.nan, np.nan, np.nan], [0, 0, 0], [1e-3, 2, -7]], np.float32)


def config(**settings: object) -> _vectors.Config:
    return features.parse("vectors", {"dimension": 3, "hop": 0.5, **settings})


def saved(file, values):
    """The file, written by the ending of its name."""
    match file.suffix:
        case ".npy":
            np.save(file, values)
        case ".safetensors":
            save_file({"embedding": torch.from_numpy(np.ascontiguousarray(values))}, file)
        case ".csv":
            np.savetxt(file, values, delimiter=",")
    return file


@pytest.mark.parametrize("name", ["a.npy", "a.safetensors", "a.csv", "a.NPY"])
def test_every_format_gives_the_same_frames(tmp_path, name):
    file = tmp_path / name
    with file.open("wb") as opened:
        if file.suffix == ".NPY":
            np.save(opened, FRAMES)
    found = _vectors.read(file if file.suffix == ".NPY" else saved(file, FRAMES), config(), 2.0)
    assert found.values.dtype == np.float32
    assert found.valid.tolist() == [True, False, True, True], "a row of zeros is a frame, one of nan is none"
    np.testing.assert_array_equal(found.values, np.nan_to_num(FRAMES))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, np.uint8])
def test_numbers_of_every_kind_are_read(tmp_path, dtype):
    values = np.arange(12, dtype=dtype).reshape(4, 3)
    for name in ("a.npy", "a.safetensors"):
        found = _vectors.read(saved(tmp_path / name, values), config(), 2.0)
        np.testing.assert_array_equal(found.values, values.astype(np.float32))


def test_half_precision_of_another_kind_is_read(tmp_path):
    tensor = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    save_file({"vectors": tensor, "other": torch.zeros(2)}, tmp_path / "a.safetensors")
    np.testing.assert_array_equal(_vectors.read(tmp_path / "a.safetensors", config(), 2.0).values, tensor.float())


@pytest.mark.parametrize(
    "text",
    [
        "0.5,1,2\n,,\n3,4,5\n",
        "a,b,c\n0.5,1,2\nnan,nan,nan\n3,4,5\n\n",
        "\ufeff0.5;1;2\n;;\n3;4;5",
        "a\tb\tc\r\n0.5\t1\t2\r\nNA\tNA\tNA\r\n3\t4\t5\r\n",
    ],
)
def test_a_table_has_a_header_or_none(tmp_path, text):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8", newline="")
    found = _vectors.read(tmp_path / "a.csv", config(), 1.5)
    assert found.values.tolist() == [[0.5, 1, 2], [0, 0, 0], [3, 4, 5]]
    assert found.valid.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("1\n\n3\n", [1, None, 3]),
        ("1\r\n\r\n3", [1, None, 3]),
        ("\n1\n \n\n", [None, 1, None, None]),
        ("\nvalue\n\n1\n2\n", [None, 1, 2]),
        ("\ufeff1\n2\n", [1, 2]),
    ],
)
def test_a_blank_line_is_a_frame_where_a_frame_has_one_value(tmp_path, text, frames):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8", newline="")
    found = _vectors.read(tmp_path / "a.csv", config(dimension=1), 0.0)
    assert found.valid.tolist() == [value is not None for value in frames]
    assert found.values[:, 0].tolist() == [value or 0 for value in frames]


@pytest.mark.parametrize("values", [np.arange(3.0), np.arange(3.0)[None]])
def test_one_vector_a_clip_has_any_length(tmp_path, values):
    for name in ("a.npy", "a.safetensors"):
        found = _vectors.read(saved(tmp_path / name, values), config(hop=None), 7.3)
        assert found.values.tolist() == [[0, 1, 2]]
    assert features.feature("vectors").hop(config(hop=None)) == float("inf")
    assert features.feature("face_vectors").hop(features.parse("face_vectors", {"hop": 0.04})) == 0.04


@pytest.mark.parametrize(
    ("frames", "hop", "seconds", "fits"),
    [
        (50, 0.04, 2.0, True),
        (52, 0.04, 2.0, True),
        (53, 0.04, 2.0, False),
        (47, 0.04, 2.0, False),
        (200, 0.01, 2.09, True),
        (200, 0.01, 2.11, False),
        (60, 0.04, 0.0, True),
    ],
)
def test_frames_last_as_long_as_their_clip(tmp_path, frames, hop, seconds, fits):
    """Up to .1 s or two hops, whichever is more; a clip of unknown length is not compared."""
    file = saved(tmp_path / "a.npy", np.ones((frames, 3), np.float32))
    if fits:
        assert len(_vectors.read(file, config(hop=hop), seconds).values) == frames
        return
    with pytest.raises(CorpusError) as error:
        _vectors.read(file, config(hop=hop), seconds)
    assert str(error.value) == (
        f"{file}: {frames} frames with a hop of {hop:g} s last {frames * hop:.2f} s, and the clip lasts {seconds:.2f} "
        f"s; it would fit a hop of {seconds / frames:.3g} s ({frames / seconds:.3g} a second)"
    )


def test_the_hop_that_would_fit_is_named(tmp_path):
    file = saved(tmp_path / "a.npy", np.ones((75, 3), np.float32))
    with pytest.raises(CorpusError, match=r"it would fit a hop of 0\.04 s \(25 a second\)$"):
        _vectors.read(file, config(hop=0.02), 3.0)
    with pytest.raises(CorpusError) as error:
        _vectors.read(file, config(hop=None), 3.0)
    assert str(error.value) == (
        f"{file}: has 75 frames, and the setting 'hop' is null, which is one vector a clip; give the seconds between "
        "frames, 0.04 s for this clip"
    )


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (
            np.ones((4, 5)),
            "has 5 values a frame (4 x 5), and the setting 'dimension' is 3; write that number, or take vectors of one "
            "kind",
        ),
        (
            np.ones((3, 4)),
            "has 4 values a frame (3 x 4), and the setting 'dimension' is 3; frames are rows, so turn it around",
        ),
        (np.ones((2, 4, 3)), "has 3 dimensions; write a matrix with a row for each frame"),
        (np.ones((0, 3)), "is empty; take it away where there is nothing of its clip"),
        (
            np.array([[1, 2, 3], [1, np.nan, 3], [1, 2, 3], [1, 2, 3]]),
            "row 2 of 4 holds nan beside numbers; a frame without a face or voice is a row of nothing but nan",
        ),
        (
            np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3], [np.inf, 1, 2]]),
            "row 4 of 4 holds an infinite number, as 32 bits; a frame without a face or voice is a row of nothing but "
            "nan",
        ),
        (
            np.array([[1e39, 2, 3], [1, 2, 3], [1, 2, 3], [1, 1, 2]]),
            "row 1 of 4 holds an infinite number, as 32 bits; a frame without a face or voice is a row of nothing but "
            "nan",
        ),
        (np.array([["a", "b", "c"]]), "holds <U1, not numbers; save an array of float32"),
        (np.ones((4, 3), bool), "holds bool, not numbers; save an array of float32"),
    ],
)
def test_a_matrix_that_does_not_fit_is_refused(tmp_path, values, complaint):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(CorpusError) as error:
        _vectors.read(tmp_path / "a.npy", config(), 2.0)
    assert str(error.value) == f"{tmp_path / 'a.npy'}: {complaint}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1,2,3\n4,five,6\n", "line 2: 'five' is no number; write numbers alone"),
        ("a,b,c\n\n1,2,3\n4,5,six\n", "line 4: 'six' is no number; write numbers alone"),
        ("", "is empty; take it away where there is nothing of its clip"),
        ("a,b,c\n", "is empty; take it away where there is nothing of its clip"),
        ("a,b\n1,2,3\n", "the rows have more cells than the header; give every column a name, or none"),
    ],
)
def test_a_table_with_words_is_refused(tmp_path, text, complaint):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(CorpusError) as error:
        _vectors.read(tmp_path / "a.csv", config(), 1.0)
    assert str(error.value) == f"{tmp_path / 'a.csv'}: {complaint}"


def test_other_files_are_refused_and_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(b"text")
    (tmp_path / "c.safetensors").write_bytes(b"text")
    (tmp_path / "d.csv").write_bytes(b"\xff\xfe1,2")
    (tmp_path / "e.txt").write_text("1,2,3")
    save_file({"one": torch.ones(4, 3), "two": torch.ones(4, 3)}, tmp_path / "f.safetensors")
    for name, begins in (
        ("a.npy", "is no array of numbers as numpy.save writes it ("),
        ("b.npy", "is no array of numbers as numpy.save writes it ("),
        ("c.safetensors", "is no safetensors file ("),
        ("d.csv", "is no table of numbers in UTF-8 ("),
        ("e.txt", "is no .npy, .safetensors, .csv; save the vectors as one of these"),
        ("f.safetensors", "has 2 tensors (one, two); call the one that is meant 'vectors'"),
        ("absent.npy", "cannot be read ("),
    ):
        with pytest.raises(CorpusError) as error:
            _vectors.read(tmp_path / name, config(), 2.0)
        assert str(error.value).startswith(f"{tmp_path / name}: {begins}")


def test_a_relative_folder_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config(folder="mine").folder == str(tmp_path / "mine")
    assert config(folder="mine").anywhere == config(column="path").anywhere == config()
    with pytest.raises(ConfigError, match="unknown key 'dimensions'"):
        config(dimensions=3)
