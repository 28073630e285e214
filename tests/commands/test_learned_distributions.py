"""What `data.targets.NAME.learn` and `data.distortion` change in a training, by its weights."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import mien
from layouts import FERPLUS_VOTES, write_faces
from quick import cells_alone

NAMES = ("neutral", "happiness", "anger")
EXPERIMENT = f"""
title: faces by their shade
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder: {{video: {{name: senet_small, stem: 4, channels: [6], reduction: 2}}}}
data:
  video: {{name: images}}
  targets: {{emotion: {{kind: soft, columns: [{", ".join(NAMES)}]}}}}
protocol: {{name: given}}
models:
  face: {{hidden: [], embeddings: {{main: {{tasks: {{emotion: 1.0}}}}}}}}
training: {{epochs: 2, batch: 16, best: last}}
optimiser: {{lr: {{default: 0.01}}}}
"""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> dict[str, Path]:
    """The same images with one vote in three for the next class, and with all votes for the most probable one."""
    folder = tmp_path_factory.mktemp("corpora")
    one = write_faces(folder / "one", train=36, test=9)
    several = folder / "several"
    shutil.copytree(one, several)
    lines = ["Usage,Image name," + ",".join(FERPLUS_VOTES)]
    for line in (one / "fer2013new.csv").read_text().splitlines()[1:]:
        usage, name, *votes = line.split(",")
        chosen = FERPLUS_VOTES[votes.index("10")]
        other = NAMES[(NAMES.index(chosen) + 1) % 3]
        counts = {chosen: 6, other: 4}
        lines.append(",".join([usage, name, *(str(counts.get(vote, 0)) for vote in FERPLUS_VOTES)]))
    (several / "fer2013new.csv").write_text("\n".join(lines) + "\n")
    for name in ("one", "several"):
        mien.prepare("ferplus", folder / name, out=folder / f"prepared-{name}")
    return {name: folder / f"prepared-{name}" for name in ("one", "several")}


@pytest.fixture(scope="module")
def weights(corpora, tmp_path_factory):
    """A function that trains, and returns all weights as one vector and the predictions."""
    folder = tmp_path_factory.mktemp("runs")
    file = folder / "faces.yaml"
    file.write_text(EXPERIMENT)

    def train(corpus: str, *overrides: str):
        out = folder / str(len(list(folder.iterdir())))
        with cells_alone():
            mien.train(file, [f"data.prepared={corpora[corpus]}", *overrides], out=out)
        found = load_file(out / "models" / "face" / "fold-0-seed-0" / "weights.safetensors")
        return np.concatenate([found[name].ravel() for name in sorted(found)])

    return train


@pytest.fixture(scope="module")
def plain(weights):
    """What each of the corpora gives with the settings as they are."""
    return {name: weights(name) for name in ("one", "several")}


def test_the_setting_decides_what_a_training_learns_from(weights, plain):
    learn = "data.targets.emotion.learn="
    whole, one = plain["several"], plain["one"]
    assert not np.array_equal(whole, one)
    assert np.array_equal(weights("several", f"{learn}distribution"), whole)
    assert np.array_equal(weights("several", f"{learn}majority"), one), "as if all votes were for that class"
    assert np.array_equal(weights("one", f"{learn}sampled"), one), "there is one class to sample"
    sampled = weights("several", f"{learn}sampled")
    assert not np.array_equal(sampled, whole)
    assert not np.array_equal(sampled, one)
    assert np.array_equal(weights("several", f"{learn}sampled"), sampled)


def test_a_distortion_changes_training(weights, plain):
    assert np.array_equal(weights("one", "data.distortion.rotation=0"), plain["one"])
    assert not np.array_equal(weights("one", "data.distortion.rotation=20"), plain["one"])


def test_a_model_without_a_sampled_factor_trains_beside_one_that_has_it(weights, plain):
    """The settings of a factor's labels stand in those of data, which all models share."""
    other = f"data.targets.other={{kind: soft, columns: [{NAMES[0]}, {NAMES[1]}], learn: sampled}}"
    both = "models.both={hidden: [], embeddings: {main: {tasks: {emotion: 1.0, other: 0.5}}}}"
    assert np.array_equal(weights("several", other, both), plain["several"])
