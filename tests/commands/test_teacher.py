"""The teacher of Albanie et al. 2018 at tiny size: it begins with weights out of a file, resumes, and names them."""

import json
from hashlib import sha256

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import mien
from layouts import write_faces
from mien import experiments
from mien.data.dataset import Dataset
from mien.engine import checkpoint
from mien.errors import ConfigError, RunError
from mien.experiments.reference import RUN, published
from mien.models.encoders.senet import Config, Encoder
from mien.runs.cell import Model, train_cell
from mien.runs.exporting import read
from mien.runs.run import Run

CPU = torch.device("cpu")
TINY = ["encoder.video.layers=[1, 1]", "encoder.video.channels=[4, 6]", "encoder.video.size=32"]
SHORT = ["training.batch=8", "seeds=[0]"]


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    root, name = write_faces(folder / "root", train=48, test=12, copies=2), "albanie2018-teacher"
    mien.prepare("ferplus", root, out=folder / "prepared", experiment=name)
    return folder / "prepared"


def write_weights(path, seed=0):
    torch.manual_seed(seed)
    encoder = Encoder(Config(layers=(1, 1), channels=(4, 6), size=32), "video", (1, 48, 48))
    save_file({name: value + 0.1 * torch.rand_like(value) for name, value in encoder.released.items()}, path)
    return path


@pytest.fixture
def weights(tmp_path):
    return write_weights(tmp_path / "senet50_tiny.safetensors")


def overrides(still, weights, *more):
    return [f"data.prepared={still}", f"encoder.video.weights={weights}", *TINY, *SHORT, *more]


def released(cell):
    """The tensors of a trained encoder under the names of the release."""
    own = checkpoint.load_weights(cell.weights)[0]
    encoder = Encoder(Config(layers=(1, 1), channels=(4, 6), size=32), "video", (1, 48, 48))
    (head,) = {name.removesuffix("stem.convolution.weight") for name in own if name.endswith("stem.convolution.weight")}
    encoder.load_state_dict({name.removeprefix(head): value for name, value in own.items() if name.startswith(head)})
    return encoder.released


def test_it_begins_with_the_weights_and_the_card_names_them(still, weights, tmp_path):
    given = load_file(weights)
    digest = sha256(weights.read_bytes()).hexdigest()
    slow = overrides(still, weights, "training.epochs=1", "optimiser.lr.default=1e-9")
    mien.train("albanie2018-teacher", slow, out=tmp_path / "run")
    run = Run.open(tmp_path / "run")
    (cell,) = run.cells
    for name, value in released(cell).items():
        if "running" not in name:
            torch.testing.assert_close(value, given[name], rtol=0, atol=1e-6, msg=name)
    plain = yaml.safe_load((tmp_path / "run" / "experiment.yaml").read_text())
    assert plain["encoder"]["video"]["weights"] == str(weights)
    assert plain["encoder"]["video"]["sha256"] == digest
    weights.unlink()  # nothing but training needs it
    model = Model.load(Run.open(tmp_path / "run").experiment, cell, CPU)
    mien.export(tmp_path / "run", out=tmp_path / "teacher")
    card = (tmp_path / "teacher" / "README.md").read_text()
    assert f"The encoder of video began with weights `senet50_tiny.safetensors`, SHA-256 `{digest}`.\n" in card
    written = (tmp_path / "teacher" / "config.json").read_text()
    assert json.loads(written)["began"] == [{"encoder": "video", "file": "senet50_tiny.safetensors", "sha256": digest}]
    assert str(tmp_path) not in card + written
    assert "encoder.video.weights=WEIGHTS" in card
    _, (member,) = read(tmp_path / "teacher", CPU)
    for name, value in member.tensors.items():
        torch.testing.assert_close(value, model.tensors[name], rtol=1e-3, atol=1e-3, msg=name)  # stored in half


@pytest.mark.usefixtures("unmeasured")
def test_without_a_file_it_begins_at_random_and_the_card_is_silent(still, tmp_path):
    plain = [f"data.prepared={still}", *TINY, *SHORT, "training.epochs=1"]
    mien.train("albanie2018-teacher", plain, out=tmp_path / "run")
    mien.export(tmp_path / "run", out=tmp_path / "teacher")
    assert "began with" not in (tmp_path / "teacher" / "README.md").read_text()


def test_a_killed_training_goes_on_with_the_same_bits(still, weights, tmp_path):
    settings = experiments.load("albanie2018-teacher", overrides(still, weights, "training.epochs=3"))
    dataset = Dataset.open(settings.data, settings.target)
    (fold,) = dataset.folds(settings.protocol)

    def killed(record):
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    cells = [Run(tmp_path / name, settings).cell("teacher", 0, 0) for name in ("straight", "killed")]
    straight, again = cells
    train_cell(Run(tmp_path / "straight", settings), dataset, fold, straight, device=CPU)
    run = Run(tmp_path / "killed", settings)
    with pytest.raises(KeyboardInterrupt):
        train_cell(run, dataset, fold, again, device=CPU, watch=killed)
    assert not again.finished
    train_cell(run, dataset, fold, again, device=CPU)
    one, other = (checkpoint.load_weights(cell.weights)[0] for cell in cells)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.usefixtures("unmeasured")
def test_another_file_under_the_same_path_is_refused_on_resume(still, weights, tmp_path):
    given = overrides(still, weights, "training.epochs=1")
    mien.train("albanie2018-teacher", given, out=tmp_path / "run")
    before = sha256(weights.read_bytes()).hexdigest()
    (cell,) = Run.open(tmp_path / "run").cells
    cell.begin_again()
    now = sha256(write_weights(weights, seed=1).read_bytes()).hexdigest()
    with pytest.raises(RunError) as error:
        mien.train("albanie2018-teacher", given, out=tmp_path / "run")
    assert str(error.value) == (
        f"{tmp_path / 'run'}: holds another experiment: encoder.video.sha256 was {before} and is now {now}; choose "
        "another --out"
    )
    with pytest.raises(ConfigError, match=r"its SHA-256 is .* give the right file"):
        mien.train("albanie2018-teacher", [*given, f"encoder.video.sha256={before}"], out=tmp_path / "run")
    assert not cell.finished


def test_a_file_that_does_not_fit_is_refused_before_anything_is_written(still, weights, tmp_path):
    with pytest.raises(ConfigError) as error:
        mien.train(
            "albanie2018-teacher", overrides(still, weights, "encoder.video.layers=[2, 1]"), out=tmp_path / "run"
        )
    assert str(error.value).startswith(f"weights: {weights}: has no tensor 'conv2_2_1x1_reduce.weight'; ")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("learn", ["sampled", "majority"])
def test_the_other_losses_are_a_switch(still, tmp_path, learn):
    given = [f"data.prepared={still}", *TINY, *SHORT, "training.epochs=1", f"data.targets.emotion.learn={learn}"]
    mien.train("albanie2018-teacher", given, out=tmp_path / "run")
    assert Run.open(tmp_path / "run").metrics["models"]["teacher"]["test"]["clips"] == 12


def test_the_paper_is_quoted_on_the_images_that_it_was_scored_on():
    teacher = published(experiments.load("albanie2018-teacher"), "teacher", RUN, corpus="ferplus")
    assert teacher.source == "Albanie et al. 2018 on FERPlus PrivateTest"
    assert teacher.figures["wa test"] == 0.888


def test_what_the_paper_leaves_open_is_assumed():
    settings = experiments.load("albanie2018-teacher")
    given = {key: settings.provenance[key] for key in ("target", "encoder", "recipe", "protocol", "optimiser")}
    assert given == {
        "target": "paper",
        "encoder": "paper",
        "recipe": "assumed",
        "protocol": "assumed",  # without PrivateTest, another one than the paper's
        "optimiser": "assumed",
    }


@pytest.mark.parametrize("form", ["encoder=senet", "encoder.video=senet"])
def test_the_hash_is_written_however_the_encoder_is_given(weights, form):
    key = form.partition("=")[0]
    loaded = experiments.load("albanie2018-teacher", [form, f"{key}.weights={weights}"])
    digest = sha256(weights.read_bytes()).hexdigest()
    assert loaded.began == {"video": ("senet50_tiny.safetensors", digest)}
    own = loaded.encoder.get("video", loaded.encoder)
    assert own == {"name": "senet", "weights": str(weights), "sha256": digest}


def test_a_grid_compares_random_weights_with_those_of_a_file(weights):
    grid = f"grid={{start: {{encoder.video.weights: {{random: null, file: {weights}}}}}}}"
    trained = experiments.load("albanie2018-teacher", [grid]).trained
    assert {name: list(own.began) for name, own in trained.items()} == {"teacher": [], "teacher-start-file": ["video"]}
