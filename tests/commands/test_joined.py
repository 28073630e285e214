"""Two corpora in one training: features, folds, certificate, report, and what may be evaluated."""

import shutil

import pandas as pd
import pytest
import torch

import mien
from mien import experiments
from mien.data.dataset import Dataset
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.data.store import FeatureStore
from mien.errors import ConfigError, LeakError, RunError
from mien.runs import exported
from mien.runs.run import Run

SETTINGS = [
    "training.epochs=1",
    "protocol={name: group_k_fold, groups: 3, folds: [0, 1]}",
    "models.emotion_only=null",
    "models.MEnAN.embeddings.main.remove={corpus: {how: gradient_reversal}, speaker: {how: max_entropy}}",
]


@pytest.fixture(scope="module")
def where(prepared, other):
    return [f"data.prepared.second={other}", f"data.prepared.first={prepared}"]


@pytest.fixture(scope="module")
def joined_run(experiment, where, tmp_path_factory):
    out = tmp_path_factory.mktemp("joined") / "run"
    mien.train(experiment, [*where, *SETTINGS], out=out)
    return out


def test_frames_are_those_of_each_corpus_by_itself(experiment, where, prepared, other):
    settings = experiments.load(experiment, where)
    dataset = Dataset.open(settings.data)
    dataset.extract(workers=1)
    for name, folder in (("first", prepared), ("second", other)):
        alone = FeatureStore(Prepared.open(folder), *settings.features["audio"])
        for clip in alone.prepared.table["clip"]:
            assert torch.equal(dataset.stores["audio"].frames(f"{name}/{clip}"), alone.frames(clip))
            assert dataset.stores["audio"].length(f"{name}/{clip}") == alone.length(clip)
    assert dataset.stores["audio"].missing(list(dataset.clips["clip"])) == []
    assert dataset.left_out == {"boredom": 7, "no emotion known": 7}
    assert dataset.target("corpus", list(dataset.clips["clip"])).classes == ("first", "second")


def test_groups_mix_both_corpora_and_every_speaker_is_tested_once(experiment, where):
    settings = experiments.load(experiment, [*where, "protocol={name: group_k_fold, groups: 3}"])
    dataset = Dataset.open(settings.data)
    people = [sorted(set(dataset.clips.loc[list(fold.test), "speaker"])) for fold in dataset.folds(settings.protocol)]
    assert people == [["first/s0", "first/s1", "second/s0"], ["first/s2", "second/s1"], ["first/s3", "second/s2"]]


def test_whoever_validates_is_of_the_corpus_of_the_one_tested(experiment, where):
    settings = experiments.load(experiment, where)
    dataset = Dataset.open(settings.data)
    corpus = dataset.clips["corpus"]
    folds = dataset.folds(settings.protocol)
    assert len(folds) == 7
    for fold in folds:
        assert set(corpus[list(fold.test)]) == set(corpus[list(fold.validation)])
        assert set(corpus[list(fold.train)]) == {"first", "second"}


def test_a_joined_run_tells_of_both_corpora(joined_run, prepared, other):
    run = Run.open(joined_run)
    card = Joined.open({"first": prepared, "second": other}).card
    assert run.certificate["corpus"] == "first+second"
    assert run.certificate["corpus_hash"] == card["hash"]
    assert run.certificate["corpora"] == card["corpora"]
    hashes = pd.concat([Prepared.open(folder).table["sha256"] for folder in (prepared, other)])
    assert set(run.certificate["files"].values()) < set(hashes)
    assert run.clips["corpus"].value_counts().to_dict() == {"first": 44, "second": 33}
    assert set(run.predictions["speaker"].str.partition("/")[0]) == {"first", "second"}
    page = (joined_run / "report.html").read_text()
    assert "first: 44 clips, 4 speakers + second: 33 clips, 3 speakers" in page


def test_a_joined_run_is_gone_on_with_and_not_on_another_corpus(joined_run, experiment, where, other):
    before = (joined_run / "models/MEnAN/fold-0-seed-0/weights.safetensors").read_bytes()
    mien.train(experiment, [where[1], where[0], *SETTINGS], out=joined_run)
    assert (joined_run / "models/MEnAN/fold-0-seed-0/weights.safetensors").read_bytes() == before
    with pytest.raises(RunError, match=r"holds another experiment|started on another corpus"):
        mien.train(experiment, [f"data.prepared={other}", SETTINGS[0], *SETTINGS[2:3]], out=joined_run)


def test_what_a_joined_run_was_trained_on_is_no_other_corpus(joined_run, prepared, tmp_path, make_corpus):
    with pytest.raises(LeakError, match="files of this run's own corpus"):
        mien.evaluate(joined_run, on=prepared)
    mien.prepare("table", make_corpus(tmp_path / "root", 2, seed=9), out=tmp_path / "prepared")
    done = mien.evaluate(joined_run, on=tmp_path / "prepared")
    assert done.data["shared_speakers"] == ["s0", "s1"], "names in a table are reported, not refused"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.prepared={}", "no corpus is named"),
        ("data.prepared={a/b: p}", "corpus 'a/b': a corpus's name is a letter"),
        ("data.prepared={a: 3}", "not a PREPARED folder, nor a mapping"),
        ("data.prepared=[p]", "not a PREPARED folder, nor a mapping"),
    ],
)
def test_what_names_no_corpora_is_refused(experiment, override, message):
    with pytest.raises(ConfigError) as caught:
        experiments.load(experiment, [override])
    assert message in str(caught.value)


def test_every_corpus_gives_a_split_where_the_split_is_given(experiment, prepared, tmp_path, make_corpus):
    root = make_corpus(tmp_path / "root", 3, seed=31)
    table = pd.read_csv(root / "corpus.csv")
    table["split"] = table["speaker"].map({"s0": "train", "s1": "validation", "s2": "test"})
    table.to_csv(root / "corpus.csv", index=False)
    mien.prepare("table", root, out=tmp_path / "prepared", features=())
    where = f"data.prepared={{a: '{prepared}', b: '{tmp_path / 'prepared'}'}}"
    settings = experiments.load(experiment, [where, "protocol={name: given}"])
    with pytest.raises(ConfigError, match="the corpus 'a' has no split"):
        Dataset.open(settings.data).folds(settings.protocol)


def test_a_card_reports_what_models_without_a_corpus_do_on_it(joined_run, experiment, prepared, other, tmp_path):
    second = tmp_path / "second"
    shutil.copytree(other, second)  # a corpus out of a table is called like its folder
    mien.train(experiment, [f"data.prepared.first={prepared}", *SETTINGS], out=tmp_path / "run")
    part, model, whole = tmp_path / "part", joined_run / "models/MEnAN", tmp_path / "whole"
    mien.export(tmp_path / "run/models/MEnAN", out=part)
    with pytest.raises(ConfigError) as error:
        mien.export(model, out=whole, left_out=[part])
    assert str(error.value) == (
        f"--left-out {part}: says nothing of second, on which it was not trained; export it again with --elsewhere "
        "PREPARED of that corpus, under this name (tried on: none)"
    )
    mien.export(tmp_path / "run/models/MEnAN", out=part, elsewhere=[second])
    done = mien.export(model, out=whole, left_out=[part])
    (row,) = exported.describe(whole).left_out
    (measured,) = exported.describe(part).elsewhere
    assert (row.trained, row.other) == (("first",), measured)
    score = measured.score
    assert f"second, by a model of first: UAR {score.uar:.3f}, chance {score.uar_chance:.3f}" in done.text
    line = next(
        line for line in (whole / exported.CARD).read_text().splitlines() if line.startswith("| first | second |")
    )
    assert f" {score.uar:.3f}".replace(" 0.", " .") in line
    assert "--left-out EXPORTED" in (whole / exported.CARD).read_text()
    with pytest.raises(ConfigError) as error:
        mien.export(model, out=tmp_path / "again", left_out=[whole])
    assert str(error.value) == (
        f"--left-out {whole}: was trained on first, second, and this run on first, second; give exports of runs on "
        "some of these corpora"
    )
    mien.train(experiment, [f"data.prepared.first={prepared}", *SETTINGS, "training.batch=5"], out=tmp_path / "small")
    mien.export(tmp_path / "small/models/MEnAN", out=tmp_path / "small-model", elsewhere=[second])
    with pytest.raises(ConfigError) as error:
        mien.export(model, out=whole, left_out=[tmp_path / "small-model"])
    assert "its 'training' is another than that of this run" in str(error.value)
