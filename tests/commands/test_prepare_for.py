"""`prepare` for an experiment extracts all that its training needs, once."""

import importlib
from importlib import resources

import pytest
import torch

import mien
from mien import experiments, features
from mien.data import extraction
from mien.data.prepared import Prepared
from mien.errors import ConfigError
from mien.experiments import library
from mien.features import mfb43

QUICK = ["training.epochs=1", "models.MEnAN=null", "protocol.folds=[0]"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, make_corpus):
    return make_corpus(tmp_path_factory.mktemp("for") / "corpus", 3, seed=0)


@pytest.fixture
def work(monkeypatch):
    """What is extracted, as progress calls it, with the number of clips."""
    done, real = [], extraction.extract

    def extract(sources, targets, *, workers, what):
        if sources:
            done.append((what, len(sources)))
        return real(sources, targets, workers=workers, what=what)

    monkeypatch.setattr(extraction, "extract", extract)
    return done


@pytest.mark.usefixtures("unmeasured")
def test_training_extracts_nothing_afterwards(corpus, experiment, tmp_path, work):
    clips = 3 * 11
    mien.prepare("table", corpus, out=tmp_path / "for", experiment=experiment)
    assert work == [("table: mfb43 at 2 speeds, fingerprints", clips)]
    work.clear()
    mien.train(experiment, [*QUICK, f"data.prepared={tmp_path / 'for'}"], out=tmp_path / "run")
    assert work == []
    mien.prepare("table", corpus, out=tmp_path / "plain")  # the control
    assert work == [("table: mfb43", clips)]
    work.clear()
    mien.train(experiment, [*QUICK, f"data.prepared={tmp_path / 'plain'}"], out=tmp_path / "other")
    # clips without a class are in no fold, and not compared
    assert work == [("fingerprints", clips - 6), ("mfb43 at speed 0.9", clips)]


def test_both_give_the_same_frames(corpus, experiment, tmp_path):
    settings = experiments.load(experiment).data
    mien.prepare("table", corpus, out=tmp_path / "for", experiment=experiment)
    store = importlib.import_module("mien.data.store")
    for name, config in settings.extracted:
        made = store.FeatureStore(Prepared.open(tmp_path / "for"), name, config)
        clips = list(made.prepared.table["clip"])[:3]
        assert made.missing(list(made.prepared.table["clip"])) == []
        mien.prepare("table", corpus, out=tmp_path / "plain", features=())
        alone = store.FeatureStore(Prepared.open(tmp_path / "plain"), name, config)
        alone.extract(clips)
        assert all(torch.equal(made.frames(clip), alone.frames(clip)) for clip in clips)


def test_features_and_an_experiment_are_not_given_together(corpus, tmp_path):
    with pytest.raises(ConfigError) as error:
        mien.prepare("table", corpus, out=tmp_path / "out", features=["logmel"], experiment="voice")
    assert str(error.value) == (
        "--features and --for: voice says which features it needs; leave --features out, and run the same command "
        "again with --features for more"
    )
    with pytest.raises(ConfigError, match=r"unknown experiment 'voise'\. Did you mean 'voice'"):
        mien.prepare("table", corpus, out=tmp_path / "out", experiment="voise")
    assert not (tmp_path / "out").exists()


def test_the_experiments_options_of_its_reader_are_taken(tmp_path, make_tone, capsys):
    root = tmp_path / "root" / "Actor_07"
    root.mkdir(parents=True)
    for number in (1, 2):
        make_tone(root / f"03-01-03-01-02-0{number}-07.wav", 300, 1, number, 0.3)
    own = tmp_path / "own.yaml"
    own.write_text("extends: peri2021-ravdess\ncorpus: {name: ravdess, leave_out: 03-01-03-01-02-02-07}\n")
    mien.prepare("ravdess", tmp_path / "root", out=tmp_path / "out", experiment=own)
    assert list(Prepared.open(tmp_path / "out").table["clip"]) == ["03-01-03-01-02-01-07"]
    given = {"leave_out": "03-01-03-01-02-01-07"}
    mien.prepare("ravdess", tmp_path / "root", out=tmp_path / "other", experiment=own, options=given)
    assert list(Prepared.open(tmp_path / "other").table["clip"]) == ["03-01-03-01-02-02-07"]
    assert "is made for" not in capsys.readouterr().err
    mien.prepare("ravdess", tmp_path / "root", out=tmp_path / "third", experiment="emodb")
    assert (
        "mien: emodb is made for the corpus emodb; its features are extracted from ravdess\n" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("settings", "title"),
    [
        ({}, "mfb43"),
        ({"speed": 0.8}, "mfb43 at speed 0.8"),
        ({"speed": 1.1, "speed_by": "tempo"}, "mfb43 at tempo 1.1"),
        ({"noise_db": 20.0}, "mfb43 with noise at 20 dB"),
    ],
)
def test_a_feature_is_titled_by_what_is_changed_of_the_sound(settings, title):
    assert features.title("mfb43", mfb43.Config(**settings)) == title


@pytest.mark.parametrize("name", library.names())
def test_the_head_of_an_experiment_is_what_prepares_and_trains_it(name):
    text = resources.files(library).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    head = [line for line in text.splitlines() if line.startswith("# ")]
    settings = experiments.load(name)
    assert any(line.removeprefix("# ") == settings.command for line in head)
    if any(line.startswith("# PREPARED as for") for line in head) or name == "demo":
        return
    prepares = [line for line in head if line.startswith("# mien prepare ")]
    assert any(f"--for {name} " in line for line in prepares)
    assert settings.reader is None or any(line.startswith(f"# mien prepare {settings.reader} ") for line in prepares)
