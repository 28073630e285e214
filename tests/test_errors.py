"""Errors keep their parts, and an unknown name gets the nearest one suggested."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from mien.errors import ConfigError, LeakError, MediaError, SoundError, nearest, unknown


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ravdes", "unknown reader 'ravdes'. Did you mean 'ravdess'? Known: emodb, nemo, ravdess."),
        ("xyz", "unknown reader 'xyz'. Known: emodb, nemo, ravdess."),
    ],
)
def test_an_unknown_name_suggests_the_nearest_and_lists_all(name: str, sentence: str) -> None:
    assert unknown("reader", name, {"ravdess", "nemo", "emodb"}) == sentence


def test_without_a_known_name_none_is_suggested() -> None:
    assert unknown("reader", "ravdes", []) == "unknown reader 'ravdes'. Known: none."
    assert nearest("ravdes", []) == ""


def test_a_media_error_survives_a_worker_process() -> None:
    error = pickle.loads(pickle.dumps(MediaError("a.wav", "is empty")))
    assert (error.file, error.cause, str(error)) == (Path("a.wav"), "is empty", "a.wav: is empty")
    less = pickle.loads(pickle.dumps(SoundError("a.mp4", "is silent", np.ones(2, np.float32))))
    assert (less.file, less.cause, less.samples.tolist()) == (Path("a.mp4"), "is silent", [1.0, 1.0])


def test_a_leak_has_an_exit_code_of_its_own() -> None:
    assert (LeakError("x").exit_code, ConfigError("x").exit_code) == (3, 2)
