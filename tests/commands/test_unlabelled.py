"""A user's labelled clips beside speech of which nothing is known, not even who speaks."""

import json
import shutil
import wave
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import mien
from mien import experiments
from mien.audit.probes.leace import Eraser
from mien.audit.run_leakage import measure
from mien.cli.main import main
from mien.data.dataset import Dataset
from mien.errors import ConfigError, LeakError
from mien.runs.run import Run
from sealing import reseal_prepared

SMALL = [
    *("training.steps=2", "training.epochs=1", "training.batch=8", "grid=null", "protocol.folds=[0]"),
    *("encoder.channels=[2, 4, 4]", "data.audio.bins=16", "data.audio.sample_rate=16000", "claims=null", "axes=null"),
    *(f"models.{name}=null" for name in ("CNN", "CNN_multitask", "AE_multitask", "AAE")),
]


@pytest.fixture(scope="module")
def mine(tmp_path_factory, make_corpus):
    """Four speakers with emotions and genders: the table's folder and the PREPARED one."""
    folder = tmp_path_factory.mktemp("mine")
    mien.prepare("table", make_corpus(folder / "root", 4, seed=0), out=folder / "MINE", features=())
    return folder / "root", folder / "MINE"


@pytest.fixture(scope="module")
def more(tmp_path_factory, make_tone):
    """Twelve recordings of which a table has the files alone, prepared."""
    folder = tmp_path_factory.mktemp("more")
    for number in range(12):
        make_tone(folder / f"u{number}.wav", 100 + 20 * number, 0.5 + 0.1 * number, 900 + number)
    (folder / "more.csv").write_text("file\n" + "".join(f"u{number}.wav\n" for number in range(12)))
    said = mien.prepare("table", folder / "more.csv", out=folder / "MORE", features=())
    assert said.text.splitlines()[0] == f"{folder / 'MORE'}: 12 clips of unknown speakers, 0:06 of sound"
    return folder / "MORE"


@pytest.fixture(scope="module")
def where(mine, more):
    return [f"data.prepared.mine={mine[1]}", f"data.prepared.more={more}"]


@pytest.fixture(scope="module")
def trained(where, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    mien.train("rana2019-small", [*where, *SMALL], out=out)
    return Run.open(out)


def test_unlabelled_speech_trains_and_is_neither_scored_nor_probed(trained):
    unknown = {f"more/u{number}" for number in range(12)}
    fold = trained.splits[0]
    assert unknown < set(fold["train"]["clips"])
    people = [fold[part]["speakers"] for part in ("train", "validation", "test")]
    assert people == [["mine/s2", "mine/s3"], ["mine/s1"], ["mine/s0"]]
    assert trained.named
    assert not set(trained.predictions["clip"]) & unknown
    for cell in trained.cells:
        clips, values = trained.embeddings(cell)
        assert set(clips["clip"][clips["speaker"].isna()]) == unknown
        assert all(np.isfinite(one).all() for one in values.values())
    assert trained.leakage["n"].max() == 22, "the clips of the two seen speakers"
    assert set(trained.leakage_by_speaker["speaker"]) == {f"mine/s{number}" for number in range(4)}
    examined = trained.certificate["examined_in_part"]["shared-speaker"]
    assert examined == "42 of 54 clips whose speakers are known"
    page = (trained.folder / "report.html").read_text()
    assert "no speaker is in two splits" in page
    assert f"as far as is known ({examined})" in page
    assert "more: 12 clips, no speakers named" in page


def test_a_clip_of_which_nothing_is_known_has_no_label_of_any_task(where):
    settings = experiments.load("rana2019-small", [*where, *SMALL])
    dataset = Dataset.open(settings.data)
    train = dataset.folds(settings.protocol)[0].train
    targets = {factor: dataset.target(factor, train) for factor in ("emotion", "gender", "speaker")}
    assert targets["speaker"].classes == ("mine/s2", "mine/s3")
    labels = dataset.examples([clip for clip in train if clip.startswith("more/")], targets).labels
    assert {factor: set(values.tolist()) for factor, values in labels.items()} == {factor: {-1} for factor in targets}


def test_a_thorough_audit_erases_and_probes_known_speakers_alone(trained, monkeypatch):
    erased = []

    def fit(values, labels):
        erased.append(set(labels))
        return Eraser.fit(values, labels)

    monkeypatch.setattr(measure, "Eraser", SimpleNamespace(fit=fit))
    mien.leakage(trained.folder)
    assert erased == [{"mine/s2", "mine/s3"}]
    found = Run.open(trained.folder)
    assert set(found.leakage["factor"]) == {"speaker", "emotion"}
    assert set(found.leakage_by_speaker["speaker"]) == {f"mine/s{number}" for number in range(4)}


def test_unlabelled_speech_alone_is_refused(more, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "rana2019-small", f"data.prepared={more}", *SMALL, "--out", str(out)]) == 2
    assert " ".join(capsys.readouterr().err.split()).endswith(
        "target 'emotion': its clips have no value; if another column of your own table holds it, call that 'emotion' "
        "and prepare it again, or name it, data.targets.emotion.columns=NAME; other columns are: none; without "
        "emotions it trains beside a corpus with them, data.prepared.NAME=PREPARED for each and data.unlabelled=train"
    )
    assert not out.exists()


def test_a_task_that_no_corpus_knows_is_refused_with_the_way_out(mine, more, tmp_path):
    table = pd.read_csv(mine[0] / "corpus.csv").drop(columns="gender")
    table.to_csv(mine[0] / "genderless.csv", index=False)
    mien.prepare("table", mine[0] / "genderless.csv", out=tmp_path / "MINE", features=())
    given = [f"data.prepared.mine={tmp_path / 'MINE'}", f"data.prepared.more={more}", *SMALL]
    given += ["models.AAE_gender={auxiliary: [gender]}", "provenance.models.AAE_gender=ours"]
    with pytest.raises(ConfigError) as error:
        mien.train("rana2019-small", given, out=tmp_path / "run")
    ways = ["models.AAE_multitask.auxiliary=[speaker]", "models.AAE_gender.auxiliary=[]"]
    assert str(error.value) == (f"tasks: no training clip has a value of 'gender'; to train without: {' '.join(ways)}")
    assert not (tmp_path / "run").exists()
    settings = experiments.load("rana2019-small", [*given, *ways])
    assert settings.model("AAE_multitask").factors == {"emotion", "speaker"}


def test_a_recording_of_a_test_clip_among_unlabelled_ones_is_found(mine, where, tmp_path):
    """Another file: at half the level, so that its bytes and samples differ."""
    with wave.open(str(mine[0] / "s0-anger-0.wav"), "rb") as sound:
        settings, samples = sound.getparams(), np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    with wave.open(str(tmp_path / "planted.wav"), "wb") as sound:
        sound.setparams(settings)
        sound.writeframes((samples // 2).astype("<i2").tobytes())
    (tmp_path / "planted.csv").write_text("file\nplanted.wav\n")
    mien.prepare("table", tmp_path / "planted.csv", out=tmp_path / "PLANTED", features=())
    given = [where[0], f"data.prepared.planted={tmp_path / 'PLANTED'}", *SMALL]
    with pytest.raises(LeakError) as error:
        mien.train("rana2019-small", given, out=tmp_path / "run")
    assert (
        "near-duplicate: 1 pair of clips of one recording in train and test: mine/s0-anger-0 = planted/planted (fold 0)"
    ) in str(error.value)


def test_a_corpus_without_emotions_has_no_say_in_the_scheme(mine, more, tmp_path):
    """The cards say that the corpora are those of other readers."""
    for name, prepared, scheme in (("emodb", mine[1], "emodb"), ("librispeech", more, "canonical")):
        folder = tmp_path / name
        folder.mkdir()
        for file in ("corpus.csv", "problems.csv"):
            shutil.copy(prepared / file, folder)
        card = json.loads((prepared / "card.json").read_text()) | {"name": name, "scheme": scheme}
        (folder / "card.json").write_text(json.dumps(card))
        reseal_prepared(folder)
    given = [f"data.prepared.{name}={tmp_path / name}" for name in ("emodb", "librispeech")]
    dataset = Dataset.open(experiments.load("rana2019-small", [*given, *SMALL]).data)
    assert dataset.scheme == "emodb"
    assert dataset.labelled["label"].nunique() == 4
