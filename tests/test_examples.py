"""The examples run as they are printed, and their answers have content."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(example: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, EXAMPLES / example, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_examples_run_one_after_the_other(tmp_path):
    text = run("toy_to_prediction.py", tmp_path)
    scores = {model: float(score) for model, score in re.findall(r"^(\w+): test UAR ([\d.]+)", text, re.MULTILINE)}
    assert set(scores) == {"emotion_only", "MEnAN"}
    assert scores["emotion_only"] > 2 / 6, "chance is 1/6"
    assert (tmp_path / "run" / "report.html").is_file()
    times = [(float(start), float(end)) for start, end in re.findall(r"^ *([\d.]+) - +([\d.]+) s  \w+", text, re.M)]
    assert len(times) >= 2
    assert times[0][0] == 0
    assert all(later[0] <= earlier[1] for earlier, later in pairwise(times))

    text = run("read_a_run.py", tmp_path / "run")
    assert re.findall(r"^(\w+): lowest score for speaker p\d+, \d+%", text, re.MULTILINE) == ["emotion_only", "MEnAN"]
    assert re.findall(r"^(\w+): gender, UAR \d+%", text, re.MULTILINE) == ["emotion_only", "MEnAN"]


@pytest.mark.parametrize(("example", "argument"), [("toy_to_prediction.py", "FOLDER"), ("read_a_run.py", "RUN")])
def test_an_example_without_its_argument_says_which(example, argument):
    done = subprocess.run([sys.executable, EXAMPLES / example], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"usage: python examples/{example} {argument}\n")


def test_every_example_says_how_it_is_run():
    for example in EXAMPLES.glob("*.py"):
        assert f"python examples/{example.name} " in example.read_text(encoding="utf-8")
