"""A decoder that dies, hangs or eats memory costs its file, which is named; `predict` and `prepare` go on.

The files are harmless: a stand-in for the decoder dies, hangs or eats memory where their names say so.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

STAND_IN = """
import av, os, time

opened = av.open

def stand_in(file, *arguments, **settings):
    name = os.path.basename(file)
    if name.startswith("dies"):
        os._exit(3)
    elif name.startswith("hangs"):
        time.sleep(60)
    elif name.startswith("eats"):
        eaten = []
        while True:
            eaten.append(b"x" * 2**25)
    return opened(file, *arguments, **settings)

av.open = stand_in
"""
HARMFUL = {
    "dies": "ended the process that read it",
    "eats": "needs more memory; the limit is memory = 0.4 GiB (predict, prepare and label take --limit memory=N)",
    "hangs": "is decoded no further in 5 s; the limit is stall = 5 (predict, prepare and label take --limit stall=N)",
}
# A slow machine may need a second for new memory of this size: whoever eats it has to pass this limit first.
LIMITS = ("stall=5", "memory=0.4")


def _named(folder: Path, source: Path) -> list[str]:
    """Copies of a file whose names say what decoding them does."""
    names = [f"{name}{source.suffix}" for name in ("fine", *HARMFUL, "well")]
    for name in names:
        shutil.copy(source, folder / name)
    return names


def _run(place: Path, *arguments: object, limits: Sequence[str] = LIMITS) -> subprocess.CompletedProcess[str]:
    (place / "stand-in").mkdir()
    (place / "stand-in" / "sitecustomize.py").write_text(STAND_IN, encoding="utf-8")
    path = os.pathsep.join([str(place / "stand-in"), *sys.path])
    command = [
        sys.executable,
        "-m",
        "mien",
        *map(str, arguments),
        *(part for limit in limits for part in ("--limit", limit)),
    ]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.parametrize("workers", [1, 2])
def test_predict_goes_on_with_the_other_files(tmp_path, make_tone, workers):
    make_tone(tmp_path / "tone.wav", 200.0, 1.0, 0, 1.0)
    folder = tmp_path / "files"
    folder.mkdir()
    names = _named(folder, tmp_path / "tone.wav")
    done = _run(tmp_path, "predict", folder, "--out", tmp_path / "rows.csv", "--workers", workers)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    problems = [line for line in done.stderr.splitlines() if ": problem: " in line]
    assert problems == [f"mien: problem: {folder / f'{name}.wav'}: {cause}" for name, cause in HARMFUL.items()]
    read = pd.read_csv(tmp_path / "rows.csv")["file"]
    assert set(read) == {str(folder / name) for name in (names[0], names[-1])}


def test_prepare_goes_on_with_the_other_files(tmp_path, make_tone):
    root = tmp_path / "corpus"
    root.mkdir()
    for file in ("hangs", "well"):
        make_tone(root / f"{file}.wav", 200.0, 1.0, 0, 1.0)
    rows = [f"{file},{file}.wav,speaker" for file in ("hangs", "well")]
    (root / "corpus.csv").write_text("\n".join(["clip,file,speaker", *rows]) + "\n", encoding="utf-8")
    out = tmp_path / "prepared"
    done = _run(tmp_path, "prepare", "table", root, "--out", out, "--features", "logmel", limits=["stall=2"])
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert dict(pd.read_csv(out / "problems.csv").to_numpy()) == {
        "hangs.wav": f"{HARMFUL['hangs'].replace('5', '2')}, left out"
    }
    assert list(pd.read_csv(out / "corpus.csv")["clip"]) == ["well"]
