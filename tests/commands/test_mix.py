"""`data.mix`: what a training is given, that full labels and no share are one, and what is refused before all."""

from itertools import islice

import pytest
import torch

from mien import experiments
from mien.cli.main import main
from mien.data.dataset import Dataset, open_all
from mien.engine import checkpoint
from mien.runs import cell as cells
from mien.runs.cell import train_cell
from mien.runs.run import Run

QUICK = ["models.emotion_only=null", "training.epochs=2"]
HALVES = "data.mix={labelled: 0.5, unlabelled: 0.5}"


@pytest.fixture(scope="module")
def where(prepared, other):
    """Overrides that name one corpus, or two."""
    return {
        "alone": [f"data.prepared={prepared}"],
        "joined": [f"data.prepared={{first: '{prepared}', second: '{other}'}}"],
        "taken": [f"data.prepared={{labelled: '{prepared}', second: '{other}'}}"],
    }


@pytest.fixture
def given(experiment, where, tmp_path, monkeypatch):
    """The loader and the epochs of a training with some settings."""

    class Seen(Exception):  # noqa: N818 - no error
        pass

    def fit(recipe, loader, *rest, **settings):
        raise Seen(loader)

    def given(corpora, *more):
        settings = experiments.load(experiment, [*where[corpora], *QUICK, *more])
        dataset, run = Dataset.open(settings.data), Run(tmp_path, settings)
        dataset.extract(workers=1)
        fold = dataset.folds(settings.protocol)[0]
        monkeypatch.setattr(cells, "fit", fit)
        with pytest.raises(Seen) as seen:
            train_cell(run, dataset, fold, run.cell("MEnAN", fold.number, 0), device=torch.device("cpu"))
        monkeypatch.undo()
        return seen.value.args[0]

    return given


def test_labelled_and_unlabelled_clips_share_each_batch(given):
    loader = given("alone", "data.unlabelled=train", "data.labelled=0.5", "data.mix={labelled: 0.25, unlabelled: 0.75}")
    batches = [batch for epoch in range(3) for batch in loader.epoch(epoch)]
    assert len(batches) == 3 * 9, "9 labelled clips and their slow copies, in twos"
    for batch in batches:
        assert (batch.labels["emotion"] >= 0).tolist() == [True] * 2 + [False] * 6
        assert (batch.labels["speaker"] >= 0).all()
    unlabelled = {clip for batch in batches for clip in batch.clips[2:]}
    assert len(unlabelled) == 9 + 4, "those that are withheld and those that never had a label"
    assert not unlabelled & {clip for batch in batches for clip in batch.clips[:2]}


def test_corpora_share_each_batch(given):
    loader = given("joined", "data.mix={first: 1, second: 3}", "training.steps=5", "data.copies.slow=null")
    batches = [batch for epoch in range(4) for batch in loader.epoch(epoch)]
    assert len(batches) == 20
    for batch in batches:
        assert [clip.partition("/")[0] for clip in batch.clips] == ["first"] * 2 + ["second"] * 6


def test_a_pool_that_is_empty_in_a_fold_gives_its_share_away(given):
    loader = given("alone", HALVES)
    for batch in islice(loader.epoch(0), 3):
        assert (batch.labels["emotion"] >= 0).tolist() == [True] * 8


def weights(settings, folder):
    dataset, run = Dataset.open(settings.data), Run(folder, settings)
    dataset.extract(workers=1)
    cell = run.cell("MEnAN", 0, 0)
    train_cell(run, dataset, dataset.folds(settings.protocol)[0], cell, device=torch.device("cpu"))
    return checkpoint.load_weights(cell.weights)[0]


def test_all_labels_are_no_share_and_the_order_of_a_mix_is_none(experiment, where, tmp_path):
    trained = {}
    for name, more in {
        "plain": [HALVES],
        "whole": [HALVES, "data.labelled=1.0"],
        "rounded": ["data.mix={unlabelled: 3, labelled: 3}", "data.labelled=0.98"],
        "without": [],
        "more": ["data.mix={unlabelled: 3, labelled: 1}"],
    }.items():
        settings = experiments.load(experiment, [*where["alone"], *QUICK, "data.unlabelled=train", *more])
        trained[name] = weights(settings, tmp_path / name)
    plain = trained["plain"]
    same = [name for name, own in trained.items() if all(torch.equal(own[key], plain[key]) for key in plain)]
    assert same == ["plain", "whole", "rounded"]


SHARE = "have no share; give one to"
REFUSED = [
    (
        "joined",
        ["data.mix={first: 1, secnd: 1}"],
        "data.mix: unknown pool 'secnd'. Did you mean 'second'? Known: first, labelled, second, unlabelled.",
    ),
    (
        "alone",
        ["data.mix={labelled: 1, librispeech: 1}"],
        "data.mix: unknown pool 'librispeech'. Known: labelled, unlabelled.",
    ),
    (
        "alone",
        ["grid={x: {data.mix: {a: {labeled: 1}}}}"],
        "data.mix: unknown pool 'labeled'. Did you mean 'labelled'? Known: labelled, unlabelled.",
    ),
    (
        "joined",
        ["data.mix={first: 1}"],
        f"data.mix: 27 training examples of the corpus 'second' with a label {SHARE} 'second' or 'labelled'",
    ),
    (
        "alone",
        ["data.mix={labelled: 1}", "data.unlabelled=train"],
        f"data.mix: 4 training examples without a label {SHARE} 'unlabelled'",
    ),
    (
        "joined",
        ["data.mix={first: 1, second: 1}", "training.batch=1"],
        "training.batch: 1 is less than the 2 pools of data.mix that have clips (first, second), and each of them "
        "gives one at least; give 2 or more",
    ),
    (
        "alone",
        [HALVES, "training.sampling=balanced"],
        "training.sampling: balanced samples by class, and data.mix shares out a batch; leave one of the two out",
    ),
    ("alone", ["data.mix={labelled: 0}"], "data.mix.labelled: input should be greater than 0 (found 0)"),
    ("alone", ["data.mix=3"], "data.mix: input should be an object (found 3)"),
    (
        "taken",
        [HALVES],
        "data.prepared: a corpus is called 'labelled', which is another pool of data.mix; call it otherwise",
    ),
]


@pytest.mark.parametrize(("corpora", "more", "sentence"), REFUSED)
def test_what_cannot_be_mixed_is_refused_before_anything_is_written(
    experiment, where, tmp_path, capsys, corpora, more, sentence
):
    out = tmp_path / "run"
    assert main(["train", str(experiment), *where[corpora], *QUICK, *more, "--out", str(out)]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_a_grid_varies_the_mix_on_one_corpus(experiment, where):
    more = ["data.unlabelled=train", "grid={mix: {data.mix: {even: {labelled: 1, unlabelled: 1}}}}"]
    settings = experiments.load(experiment, [*where["alone"], *QUICK, *more])
    plain, even = open_all(settings.data_of, settings.target).values()
    assert even.settings.mix == {"labelled": 1.0, "unlabelled": 1.0}
    assert even.clips is plain.clips
    clips = even.folds(settings.protocol)[0].train
    assert plain.pools(clips, (), 8) == ()
    assert [(pool.name, pool.places, len(pool.examples)) for pool in even.pools(clips, (), 8)] == [
        ("labelled", 4, 18),
        ("unlabelled", 4, 4),
    ]
