"""Errors of libraries are recognised by what runs short."""

import errno
import resource
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from mien.cli.output import shortage_sentence, system_sentence
from mien.common.files import atomic
from mien.common.shortage import ended_worker, of_memory
from mien.common.workers import results
from mien.errors import ConfigError


@pytest.fixture
def small_files():
    """No file may grow beyond 4 KiB."""
    if sys.platform == "win32":
        pytest.skip("POSIX limits files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _text(path):
    path.write_bytes(b"x" * 100_000)


def _safetensors(path):
    save_file({"x": np.zeros(100_000, np.float32)}, path)


def _torch(path):
    torch.save({"x": torch.zeros(100_000)}, path)


@pytest.mark.parametrize("write", [_text, _safetensors, _torch])
def test_what_cannot_be_written_is_an_error_of_the_system_and_the_older_file_stays(tmp_path, small_files, write):
    path = tmp_path / "file"
    path.write_text("older")
    with pytest.raises(OSError) as caught, atomic(path) as temporary:
        write(temporary)
    assert caught.value.filename == str(path)
    assert caught.value.errno in (errno.EFBIG, errno.EIO)
    assert system_sentence(caught.value).startswith(f"{path}: ")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "older"


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(RuntimeError, match=r"^other$"), atomic(tmp_path / "file"):
        raise RuntimeError("other")
    assert not of_memory(RuntimeError("other"))
    assert not of_memory(ConfigError("out of memory.wav"))
    assert shortage_sentence(KeyError("other")) is None


def _of_numpy():
    np.zeros(2**60, np.uint8)


def _of_torch():
    torch.empty(2**50)


@pytest.mark.parametrize("fill", [_of_numpy, _of_torch, lambda: bytearray(2**60)])
def test_too_little_memory_is_recognised(fill):
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        fill()
    assert of_memory(caught.value)
    assert shortage_sentence(caught.value).startswith("out of memory; give fewer --workers")
    assert of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))


def test_a_killed_worker_is_recognised():
    def killed():
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(Exception, match="terminated") as caught:
        list(results([killed], 1))
    assert ended_worker(caught.value) == "SIGKILL"
    assert shortage_sentence(caught.value) == (
        "a worker process was ended by SIGKILL, perhaps for lack of memory; give fewer --workers, then run the same "
        "command again"
    )
