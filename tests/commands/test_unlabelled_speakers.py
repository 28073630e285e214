"""`data.unlabelled_speakers`: who trains without a label, the same for all models, fewer among more."""

import pandas as pd
import pytest

import mien
from mien import experiments
from mien.cli.main import main
from mien.data.dataset import Dataset
from mien.runs.run import Run

ALL = ["models.emotion_only=null", "training.epochs=1", "data.unlabelled=train"]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory, prepared, make_corpus):
    """A corpus with emotions, and one of four speakers without."""
    folder = tmp_path_factory.mktemp("unlabelled")
    table = make_corpus(folder / "root", 4, seed=7) / "corpus.csv"
    pd.read_csv(table).drop(columns="emotion").to_csv(table, index=False)
    mien.prepare("table", table, out=folder / "prepared")
    return [f"data.prepared={{mine: '{prepared}', more: '{folder / 'prepared'}'}}", *ALL]


@pytest.fixture(scope="module")
def trains(experiment, corpora):
    """The clips that train with some settings, in the first fold."""

    def clips(seed, *settings):
        loaded = experiments.load(experiment, [*corpora, *settings])
        dataset = Dataset.open(loaded.data)
        return dataset.training(dataset.folds(loaded.protocol)[0], seed).clips

    return clips


def test_so_many_speakers_train_fewer_among_more_and_by_seed(trains):
    every = trains(0)
    kept = [trains(0, f"data.unlabelled_speakers={number}") for number in (1, 2, 4)]
    assert set(kept[0]) < set(kept[1]) < set(kept[2])
    assert kept[2] == every
    mine = [clip for clip in every if clip.startswith("mine/")]
    assert all([clip for clip in clips if clip.startswith("mine/")] == mine for clips in kept)
    each = len([clip for clip in every if clip.startswith("more/")]) / 4
    assert [len(clips) - len(mine) for clips in kept] == [each, 2 * each, 4 * each]
    assert len({tuple(trains(seed, "data.unlabelled_speakers=1")) for seed in range(8)}) > 1


@pytest.mark.usefixtures("unmeasured")
def test_a_grid_crosses_them_and_the_run_says_how_many(experiment, corpora, tmp_path):
    grid = "grid={speakers: {data.unlabelled_speakers: [1, 2]}}"
    mien.train(experiment, [*corpora, grid], out=tmp_path)
    run = Run.open(tmp_path)
    assert set(run.metrics["models"]) == {"MEnAN", "MEnAN-speakers-1", "MEnAN-speakers-2"}
    sentence = (
        "note: 1 of the 4 training speakers without a label train (data.unlabelled_speakers 1); "
        "tables of leakage count all of them as seen"
    )
    assert sentence in run.certificate["notes"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("data.unlabelled_speakers=5", "data.unlabelled_speakers: 5, and fold 0 trains on 4 speakers without a label"),
        ("data.unlabelled=leave out", "'unlabelled_speakers' samples clips that 'unlabelled: leave out' leaves out"),
    ],
)
def test_what_cannot_be_sampled_is_refused_before_anything(experiment, corpora, tmp_path, capsys, setting, said):
    more = [setting] if "speakers=" in setting else [setting, "data.unlabelled_speakers=2"]
    assert main(["train", str(experiment), *corpora, *more, "--out", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
