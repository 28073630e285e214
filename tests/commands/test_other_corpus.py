"""An experiment that is made for one corpus is not trained on another that it does not fit."""

import pytest

import mien
from mien import experiments
from mien.data.dataset import Dataset
from mien.data.scheme_fit import refuse_other_corpus
from mien.errors import ConfigError

FITTING = "data.scheme={classes: [anger, neutral, sadness]}"


def said(experiment, prepared, *overrides):
    """What is said of the tiny experiment on the corpus of `table`, or why it is refused."""
    settings = experiments.load(experiment, [f"data.prepared={prepared}", *overrides])
    dataset = Dataset.open(settings.data)
    return refuse_other_corpus(dataset, "tiny", settings.reader, own_classes=settings.data.scheme is None)


def test_a_class_without_clips_is_refused_before_anything_is_written(experiment, prepared, tmp_path):
    with pytest.raises(ConfigError) as error:
        mien.train(experiment, ["corpus=emodb", f"data.prepared={prepared}"], out=tmp_path / "run")
    assert str(error.value) == (
        f"{experiment} is made for the corpus emodb, and {prepared} holds table: no clip has the class happiness and 4 "
        "of 40 clips have none of the classes: boredom (4); train the experiment voice, which takes the classes that a "
        "corpus has, or give data.scheme=null for the corpus's own classes, or corpus=null to train with these classes "
        "all the same"
    )
    assert not (tmp_path / "run").exists()


def test_most_clips_without_a_class_are_refused(experiment, prepared):
    with pytest.raises(
        ConfigError, match=r"holds table: 24 of 40 clips have none of the classes: anger \(16\)"
    ) as error:
        said(experiment, prepared, "corpus=emodb", "data.scheme={classes: [neutral, boredom]}")
    assert "no clip has the class" not in str(error.value)


@pytest.mark.parametrize("way_out", [["corpus=null"], ["corpus=table"], []])
def test_on_its_own_corpus_or_any_nothing_is_said(experiment, prepared, way_out):
    assert said(experiment, prepared, *way_out) == ""


@pytest.mark.parametrize("scheme", [FITTING, "data.scheme=null"])
def test_another_corpus_that_fits_is_noted(experiment, prepared, scheme):
    note = f"tiny is made for the corpus emodb, and {prepared} holds table: the scores that it expects are of emodb"
    assert said(experiment, prepared, "corpus=emodb", scheme) == note


@pytest.mark.usefixtures("unmeasured")
def test_the_note_comes_before_the_first_epoch(experiment, prepared, tmp_path, capsys):
    quick = ["training.epochs=1", "models.MEnAN=null", "protocol.folds=[0]"]
    given = [*quick, "corpus=emodb", FITTING, f"data.prepared={prepared}"]
    mien.train(experiment, given, out=tmp_path / "run")
    lines = capsys.readouterr().err.splitlines()
    (noted,) = [number for number, line in enumerate(lines) if "is made for the corpus emodb" in line]
    assert noted < next(number for number, line in enumerate(lines) if line.startswith("training: "))


@pytest.mark.usefixtures("unmeasured")
def test_classes_that_were_chosen_for_it_are_trained(experiment, prepared, tmp_path, capsys):
    quick = ["training.epochs=1", "models.MEnAN=null", "protocol.folds=[0]", "corpus=emodb", "data.scheme=basic"]
    mien.train(experiment, [*quick, f"data.prepared={prepared}"], out=tmp_path / "run")
    assert "is made for the corpus emodb" in capsys.readouterr().err


def test_the_corpus_is_a_reader_with_its_options():
    assert experiments.load("peri2021-ravdess").reader_options == {"leave_out": "03-01-03-01-02-02-07"}
    assert experiments.load("voice").reader is None
    assert experiments.load("emodb", ["corpus=null"]).reader is None
    with pytest.raises(ConfigError, match=r"unknown reader 'emobd'\. Did you mean 'emodb'"):
        experiments.load("emodb", ["corpus=emobd"])
    with pytest.raises(ConfigError, match="corpus: 'name' is missing, the reader of the corpus"):
        experiments.load("emodb", ["corpus={nome: emodb}"])
    with pytest.raises(ConfigError, match="unknown option of reader 'emodb' 'table'"):
        experiments.load("emodb", ["corpus={name: emodb, table: gold}"])
