"""Plain speech raises the threshold of an exported model; `predict` says what the model knows nothing of."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import mien
from mien.audit.recognition import plain
from mien.cli.main import main
from mien.common.files import sha256
from mien.common.settings import digest
from mien.corpora import readers
from mien.data.prepared import Prepared
from mien.engine import checkpoint
from mien.errors import ConfigError, CorpusError, LeakError
from mien.runs import exported
from mien.runs.ensemble import Ensemble


@pytest.fixture(scope="module")
def reading(tmp_path_factory, make_corpus):
    """Six other speakers, prepared."""
    folder = tmp_path_factory.mktemp("reading")
    mien.prepare("table", make_corpus(folder / "root", 6, seed=9000), out=folder / "prepared")
    return folder / "prepared"


@pytest.fixture(scope="module")
def folder(run, reading, tmp_path_factory):
    """The tiny run's MEnAN, exported with a threshold by them."""
    out = tmp_path_factory.mktemp("exported") / "voice-tiny"
    mien.export(run / "models" / "MEnAN", out=out, coverage=0.95, plain=[reading], plain_limit=0.2)
    return out


def test_half_of_the_speakers_choose_the_threshold_and_the_others_measure_it(folder, reading, run, tmp_path):
    model = exported.describe(folder)
    (one,) = model.plain
    corpus = Prepared.open(reading)
    choosing, measuring = plain.halves(corpus.table)
    rows = mien.predict(reading.parent / "root", model=folder, unsure=0).frame
    rows["speaker"] = rows["file"].str.extract(r"/(s\d)-")[0]
    best = rows[list(model.classes)].max(axis=1)
    shares = {}
    for who, speakers in (("choosing", choosing), ("measuring", measuring)):
        part = rows["speaker"].isin(speakers)
        assert part.sum() == 33
        emotional = part & (rows["emotion"] != "neutral")
        shares[who] = [
            (emotional & (best >= level + 5e-5)).sum() / part.sum() for level in (one.threshold, one.before.threshold)
        ]
        lower = (emotional & (best >= one.threshold - 2e-4)).sum() / part.sum()
        assert who == "measuring" or shares[who][0] <= 0.2 < lower + 1e-9
    assert (one.choosing, one.speakers, one.windows, one.limit) == (3, 3, 33, 0.2)
    assert one.after.emotions == pytest.approx(shares["measuring"][0], abs=1e-4)
    assert one.before.emotions == pytest.approx(shares["measuring"][1], abs=1e-4)
    assert one.after.emotions < one.before.emotions
    assert model.unsure.threshold == one.threshold == one.after.threshold > model.by_coverage.threshold
    assert model.by_coverage.threshold == one.before.threshold
    assert model.by_coverage.coverage >= 0.95 > model.unsure.coverage
    mien.export(run / "models" / "MEnAN", out=tmp_path / "voice-tiny", coverage=0.95)
    assert exported.describe(tmp_path / "voice-tiny").unsure == model.by_coverage
    assert exported.describe(tmp_path / "voice-tiny").by_coverage is None


def test_the_card_has_both_thresholds_and_what_each_gives(folder):
    model, card = exported.describe(folder), (folder / exported.CARD).read_text()
    (one,) = model.plain
    assert "--plain PREPARED --plain-limit 0.2" in card
    for part in (one.before, one.after):
        figures = [f"{value:.3f}".removeprefix("0") for value in (part.emotions, part.low, part.high)]
        assert f"| {figures[0]} [{figures[1]}, {figures[2]}] |" in card
    assert f"`--unsure {model.by_coverage.threshold:.4f}` gives the answers of the\nthreshold by coverage alone" in card
    for what, value in (
        ("share of clips that are answered", model.by_coverage.coverage),
        ("accuracy on answered clips", model.by_coverage.accuracy),
    ):
        figure = f"{value:.3f}".removeprefix("0")
        assert f"| with a threshold of {model.by_coverage.threshold:.4f}: {what} | {figure} |" in card


def test_predict_says_what_the_model_was_trained_on_and_how_it_errs(run, folder, reading, make_tone, tmp_path):
    make_tone(tmp_path / "a.wav", 200.0, 1.0, 0, 1.0)
    model = exported.describe(folder)
    (one,) = model.plain
    found = mien.predict(tmp_path / "a.wav", model=folder)
    wrong = {name: share for name, share in one.after.answers.items() if name != "neutral"}
    assert found.data["about"] == [
        f'voice-tiny: "unsure" below a probability of {model.unsure.threshold:.0%} (--unsure '
        f"{model.by_coverage.threshold:.2g}: for speech like its training; --unsure 0: never)",
        "voice-tiny: trained on prepared (4 speakers), and on no other speech",
        f"voice-tiny: with its own threshold, {one.after.threshold:.0%}, {one.after.emotions:.0%} of the windows of "
        "prepared (as stated by the owner of the recordings), on which it was not trained, get an emotion other than "
        "neutral, most often "
        f"{max(wrong, key=wrong.get)}, and {1 - sum(one.after.answers.values()):.0%} are unsure",
    ]
    assert " ".join(found.data["about"]) in " ".join(found.text.split())
    assert max(map(len, found.text.splitlines()[1:])) <= 80
    plainly = mien.predict(tmp_path / "a.wav", model=run / "models" / "MEnAN")
    assert plainly.data["about"] == ["MEnAN: trained on prepared, and on no other speech"]


def test_an_older_export_says_nothing_of_its_training(run, tmp_path, make_tone):
    """Its `config.json` lacks the fields, and so does what its weights hold a digest of."""
    older = tmp_path / "voice-tiny"
    mien.export(run / "models" / "MEnAN", out=older)
    raw = json.loads((older / exported.DESCRIPTION).read_text())
    assert [one["corpus"] for one in raw["trained"]] == ["prepared"]
    raw = {
        key: value for key, value in raw.items() if key not in {"trained", "plain", "by_coverage", "graph", "sha256"}
    }
    tensors, _ = checkpoint.load_weights(older / exported.WEIGHTS)
    checkpoint.save_weights(older / exported.WEIGHTS, tensors, {"description": digest(raw)})
    raw["sha256"] = sha256(older / exported.WEIGHTS)
    (older / exported.DESCRIPTION).write_text(json.dumps(raw))
    exported.seal(older)
    make_tone(tmp_path / "a.wav", 200.0, 1.0, 0, 1.0)
    (rule,) = mien.predict(tmp_path / "a.wav", model=older).data["about"]
    assert rule.endswith("(--unsure 0: never)")


def test_what_cannot_choose_a_threshold_is_refused(run, prepared, reading, make_corpus, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(LeakError, match="are files of this run's"):
        mien.export(run, out=out, plain=[prepared])
    mien.prepare("table", make_corpus(tmp_path / "few", 3, seed=500), out=tmp_path / "three")
    with pytest.raises(CorpusError, match=r"has 3 speakers, and needs four or more"):
        mien.export(run, out=out, plain=[tmp_path / "three"])
    table = pd.read_csv(reading.parent / "root" / "corpus.csv")
    parts = table.head(4).assign(file=table["file"][0], start=[0.0, 0.1, 0.2, 0.3], end=[0.1, 0.2, 0.3, 0.4])
    parts["speaker"] = ["a", "b", "c", "d"]
    shutil.copytree(reading.parent / "root", tmp_path / "parts")
    parts.to_csv(tmp_path / "parts" / "corpus.csv", index=False)
    mien.prepare("table", tmp_path / "parts", out=tmp_path / "shared")
    with pytest.raises(CorpusError, match=r"holds several speakers; --plain needs one speaker a file$"):
        mien.export(run, out=out, plain=[tmp_path / "shared"])
    for limit in ("0", "1.5"):
        with pytest.raises(ConfigError, match=r"^--plain-limit [0-9.]+: must be a share of the windows"):
            mien.export(run, out=out, plain_limit=float(limit))
    assert main(["export", str(run), "--out", str(out), "--plain", str(tmp_path / "three")]) == 2
    assert "needs four or more" in capsys.readouterr().err
    assert not out.exists()


def test_acted_speech_is_no_plain_speech(run, reading, tmp_path, monkeypatch):
    monkeypatch.setattr(readers.reader("table"), "SPEECH", "acted, German")
    with pytest.raises(ConfigError) as error:
        mien.export(run / "models" / "MEnAN", out=tmp_path / "out", plain=[reading])
    assert str(error.value) == (
        f"--plain {reading}: holds table, whose speech is no plain speech (acted, German); give a corpus without acted "
        "emotion, such as LibriSpeech"
    )
    assert not (tmp_path / "out").exists()


def test_what_the_shares_of_plain_speech_mean_is_said(reading):
    dataset = SimpleNamespace(prepared=Prepared.open(reading))
    emotions = dataset.prepared.table["emotion"]  # some are not known
    labelled = (
        f"{(emotions.dropna() != 'neutral').sum()} of {len(emotions)} clips of table are labelled with an emotion "
        "other than neutral, and plain speech has none"
    )
    assert plain.doubts([dataset], ("anger", "neutral")) == [labelled]
    assert plain.doubts([dataset], ("anger", "sadness")) == [
        "the model has no class 'neutral', so every answer counts as an emotion, and plain speech is right only where "
        "it is unsure",
        labelled,
    ]
    assert plain.doubts([], ("anger", "sadness")) == []


def test_a_quiet_model_keeps_the_threshold_of_its_coverage(run, reading, tmp_path):
    done = mien.export(run / "models" / "MEnAN", out=tmp_path / "voice-tiny", plain=[reading], plain_limit=1.0)
    (note,) = done.data["notes"]
    assert f"\nnote: {note}\n" in done.text
    model = exported.describe(tmp_path / "voice-tiny")
    assert model.by_coverage is None
    assert model.plain[0].before == model.plain[0].after
    assert np.isclose(model.plain[0].after.threshold, model.unsure.threshold)
    assert Ensemble.open(tmp_path / "voice-tiny", torch.device("cpu")).by_coverage is None
