"""The share of answers on a corpus that no member was trained on; a corpus of the run's own is refused."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import recall_score

import mien
from mien.cli.main import main
from mien.data.prepared import Prepared
from mien.errors import CorpusError, LeakError
from mien.media.audio import read_audio
from mien.runs import exported
from mien.runs.ensemble import Ensemble


@pytest.fixture(scope="module")
def others(tmp_path_factory, make_corpus):
    """Three other speakers, prepared; some of their clips have an emotion of no class, or none."""
    folder = tmp_path_factory.mktemp("others")
    mien.prepare("table", make_corpus(folder / "root", 3, seed=7000), out=folder / "prepared")
    return folder / "prepared"


@pytest.fixture(scope="module")
def folder(run, others, tmp_path_factory):
    """The tiny run's MEnAN, exported with a look at them."""
    out = tmp_path_factory.mktemp("exported") / "voice-tiny"
    mien.export(run / "models" / "MEnAN", out=out, elsewhere=[others], coverage=0.6)
    return out


def test_answers_are_counted_as_the_exported_model_gives_them(folder, others):
    description = exported.describe(folder)
    (row,) = description.elsewhere
    corpus, ensemble = Prepared.open(others), Ensemble.open(folder, torch.device("cpu"))
    sounds = [read_audio(corpus.media(clip)) for _, clip in corpus.table.iterrows()]
    averaged = ensemble.probabilities(sounds)
    answered = averaged.max(axis=1) >= description.unsure.threshold
    assert (row.corpus, row.clips, row.speakers) == ("prepared", len(sounds), 3)
    assert row.coverage == pytest.approx(answered.mean(), abs=1e-4)
    best = averaged.argmax(axis=1)
    for number, name in enumerate(ensemble.classes):
        assert row.answers[name] == pytest.approx((best[answered] == number).mean(), abs=1e-4)
    each = [
        Ensemble("", "emotion", ensemble.classes, "", (one,), temperature=ensemble.temperature)
        for one in ensemble.models
    ]  # one seed
    alone = [(one.probabilities(sounds).max(axis=1) >= description.unsure.threshold).mean() for one in each]
    assert row.coverage_of_a_fold == pytest.approx(np.mean(alone), abs=1e-4)
    known = corpus.table["emotion"].isin(ensemble.classes).to_numpy()
    truth = corpus.table["emotion"][known].tolist()
    guesses = [ensemble.classes[number] for number in best[known]]
    assert row.score.clips == known.sum() < len(sounds)
    assert row.score.uar == pytest.approx(
        recall_score(truth, guesses, labels=sorted(set(truth)), average="macro"), abs=1e-4
    )
    card = (folder / exported.CARD).read_text()
    figures = (f"{value:.3f}".removeprefix("0") for value in (row.coverage, row.coverage_of_a_fold))
    assert f"| 33 | 3 | {' | '.join(figures)} |" in card
    assert "not measured" not in card
    assert "--elsewhere PREPARED" in card


def test_a_corpus_without_labels_has_no_score(run, others, tmp_path, capsys):
    rows = (others.parent / "root" / "corpus.csv").read_text().splitlines()
    bare = [",".join((*row.split(",")[:3], "", "")) for row in rows[1:]]
    (others.parent / "root" / "bare.csv").write_text("\n".join([rows[0], *bare]) + "\n")
    mien.prepare("table", others.parent / "root" / "bare.csv", out=tmp_path / "bare")
    line = ["export", str(run), "--out", str(tmp_path / "out"), "--elsewhere", str(tmp_path / "bare"), "--json"]
    assert main([*line, "--workers", "1"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["elsewhere"]
    assert row["score"] is None
    assert row["clips"] == 33
    assert sum(row["answers"].values()) == pytest.approx(1, abs=1e-3)
    assert "with a known emotion, answered or not" not in (tmp_path / "out" / exported.CARD).read_text()


def test_what_the_run_knows_is_refused_and_nothing_is_written(run, prepared, tmp_path):
    with pytest.raises(LeakError, match="are files of this run's"):
        mien.export(run, out=tmp_path / "out", elsewhere=[prepared])
    with pytest.raises(CorpusError, match="no prepared corpus"):
        mien.export(run, out=tmp_path / "out", elsewhere=[tmp_path])
    assert not (tmp_path / "out").exists()
