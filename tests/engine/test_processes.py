"""Two gloo processes equal one, and a killed training run resumes: the same weights."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from mien.common import manifests
from mien.engine import checkpoint
from mien.models.objectives.removals import REMOVALS

SCRIPT = str(Path(__file__).with_name("training_process.py"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Does the words of a command line in a process of its own, or several under torchrun; its status and complaint."""
    complaints = tmp_path_factory.mktemp("run") / "stderr"
    with (
        complaints.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, SCRIPT, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as server,
    ):

        def ask(*words, processes=1):
            if processes > 1:
                launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
                command = [sys.executable, *launcher, SCRIPT, *map(str, words)]
                done = subprocess.run(command, capture_output=True, text=True, timeout=120)
                return done.returncode, done.stderr
            server.stdin.write(json.dumps([str(word) for word in words]) + "\n")
            server.stdin.flush()
            return int(server.stdout.readline()), complaints.read_text()

        yield ask
        server.kill()  # it holds nothing


def weights(path):
    return checkpoint.load_weights(path)[0]


@pytest.fixture(scope="module")
def trained(run, tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for number, folder in enumerate(folders, start=1):
        status, complaint = run("equal", folder, processes=number)
        assert status == 0, complaint
    return folders


@pytest.mark.parametrize("embedding", [*REMOVALS, "auxiliary", "encoder"])
def test_two_processes_equal_one(trained, embedding):
    """Uneven parts, uneven numbers of known labels, a last batch of one clip that leaves one process empty.

    Of every adversary, with two that are reset in turn, of an auxiliary classifier, and of penalties of embeddings.
    """
    for name, tolerance in (("weights", 1e-10), ("gradients", 1e-6)):  # plain descent at rate 1 moves by the gradient
        one, two = (weights(folder / f"{name}.safetensors") for folder in trained)
        assert one.keys() == two.keys()
        own = [key for key in one if embedding in re.split(r"[.\-#]", key)[:2]]
        assert own
        for key in own:
            torch.testing.assert_close(
                two[key], one[key], rtol=0, atol=tolerance, msg=lambda text, key=key: f"{key}: {text}"
            )


def test_two_processes_train_a_cell_on_sound_and_pictures(run, tmp_path):
    """Statistics of two trunks are of both processes' clips; the first alone validates, predicts and writes."""
    assert run("prepare", tmp_path / "prepared")[0] == 0
    for words in (["cell"], ["two", "cell"]):
        status, complaint = run(*words, tmp_path / "prepared", tmp_path / words[0])
        assert status == 0, complaint
    one, two = (tmp_path / word / "models" / "both" / "fold-0-seed-0" for word in ("cell", "two"))
    written = {"history.jsonl", "predictions.csv", "tasks.csv", "embeddings.safetensors", "weights.safetensors"}
    assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()} == {*written, manifests.NAME}
    assert all({*manifest.files} == written for place in (one, two) if (manifest := manifests.read(place)) is not None)
    for name in ("weights.safetensors", "embeddings.safetensors"):
        first, second = weights(one / name), weights(two / name)
        assert first.keys() == second.keys()
        for key, value in first.items():
            torch.testing.assert_close(
                second[key], value, rtol=1e-4, atol=1e-4, msg=lambda text, key=key: f"{key}: {text}"
            )
    assert any("video" in key and "mean" in key for key in weights(one / "weights.safetensors"))
    for name in ("predictions.csv", "tasks.csv"):
        pd.testing.assert_frame_equal(*(pd.read_csv(place / name) for place in (one, two)), rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "whole"
    status, complaint = run("resume", folder, 5)
    assert status == 0, complaint
    return folder


@pytest.mark.parametrize("kill_at", [0, 9])
def test_a_killed_training_resumes_bit_for_bit(run, tmp_path, whole, kill_at):
    broken = tmp_path / "model" / "broken"
    assert run("resume", broken, 5, kill_at)[0] == -9
    assert not (broken / "weights.safetensors").exists()
    status, complaint = run("resume", broken, 5)
    assert status == 0, complaint
    first, second = weights(whole / "weights.safetensors"), weights(broken / "weights.safetensors")
    assert all(torch.equal(second[name], value) for name, value in first.items())
    histories = [[{**row, "seconds": 0} for row in _history(folder)] for folder in (whole, broken)]
    assert histories[0] == histories[1]
    assert [row["epoch"] for row in histories[0]] == [1, 2, 3, 4, 5]


def test_a_killed_training_resumes_with_another_number_of_processes(run, tmp_path):
    whole, broken = tmp_path / "model" / "whole", tmp_path / "model" / "broken"
    assert run("resume", whole, 4, "double")[0] == 0
    assert run("resume", broken, 4, 9, "double")[0] == -9
    status, complaint = run("two", "resume", broken, 4, "double")
    assert status == 0, complaint
    first, second = weights(whole / "weights.safetensors"), weights(broken / "weights.safetensors")
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=1e-10)


def test_a_process_that_dies_ends_the_others_and_one_goes_on(run, tmp_path):
    whole, broken = tmp_path / "model" / "whole", tmp_path / "model" / "broken"
    assert run("resume", whole, 4, "double")[0] == 0
    status, complaint = run("two", "resume", broken, 4, 9, "double")  # the second one is killed
    assert status != 0
    assert complaint.count("TrainingError: another process of this training has ended; run the same command") == 1
    status, complaint = run("resume", broken, 4, "double")
    assert status == 0, complaint
    first, second = weights(whole / "weights.safetensors"), weights(broken / "weights.safetensors")
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=1e-10)


@pytest.mark.parametrize("replaced", [2, 3])
def test_a_training_killed_between_two_writes_resumes_bit_for_bit(run, tmp_path, whole, replaced):
    """Killed at the moment that its state, or its history, would appear."""
    broken = tmp_path / "model" / "broken"
    assert run("resume", broken, 5, "replace", replaced)[0] == -9
    status, complaint = run("resume", broken, 5)
    assert status == 0, complaint
    first, second = weights(whole / "weights.safetensors"), weights(broken / "weights.safetensors")
    assert all(torch.equal(second[name], value) for name, value in first.items())
    assert [row["epoch"] for row in _history(broken)] == [1, 2, 3, 4, 5]


def _history(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
