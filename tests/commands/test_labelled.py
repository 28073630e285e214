"""`data.labelled`: what is withheld never reaches a training, a run says what was, and a grid varies it."""

import json
from dataclasses import replace

import pytest
import torch

import mien
from mien import experiments
from mien.cli.main import main
from mien.data.dataset import Dataset, TrainingPart, open_all
from mien.engine import checkpoint
from mien.errors import RunError
from mien.runs import cell as cells
from mien.runs import labels
from mien.runs.cell import train_cell
from mien.runs.run import Run
from mien.runs.selection import shortest_sound
from sealing import reseal

QUICK = ["models.emotion_only=null", "training.epochs=2"]
NUMBERS = ["data.scheme=null", "target=sentence", "training.best=last"]
NUMBERS += ["models.MEnAN.embeddings.main.tasks={sentence: 1.0}"]
KINDS = {
    "classes": ["training.class_weight=balanced"],
    "sampled by class": ["training.sampling=balanced", "models.MEnAN.embeddings.main.tasks.gender=0.3"],
    "numbers": [*NUMBERS, "data.targets.sentence.kind=numbers"],
    "levels": [*NUMBERS, "data.targets.sentence={kind: levels, levels: 2}", "training.class_weight=balanced"],
}


@pytest.fixture(scope="module")
def load(experiment, prepared):
    """The settings of a quick training."""
    return lambda *more: experiments.load(experiment, [f"data.prepared={prepared}", *QUICK, *more])


def weights(settings, folder, dataset=None, fold=0, seed=0):
    dataset = Dataset.open(settings.data, settings.target) if dataset is None else dataset
    run = Run(folder, settings)
    dataset.extract(workers=1)
    cell = run.cell("MEnAN", fold, seed)
    train_cell(run, dataset, dataset.folds(settings.protocol)[fold], cell, device=torch.device("cpu"))
    return checkpoint.load_weights(cell.weights)[0]


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(other[name], value) for name, value in one.items())


def test_a_share_of_each_speaker_and_class_keeps_its_label(load):
    settings = load("data.labelled=0.5")
    dataset = Dataset.open(settings.data)
    for fold in dataset.folds(settings.protocol):
        kept = dataset.clips.loc[list(dataset.kept(fold, 0))]
        assert set(kept["clip"]) <= set(fold.train)
        assert len(kept) == 9
        counts = kept.groupby(["speaker", "label"]).size()
        assert len(counts) == 6
        whole = dataset.labelled.loc[list(fold.train)].groupby(["speaker", "label"]).size()
        assert ((counts - whole / 2).abs() <= 1).all()
        assert set(dataset.kept(fold, 1)) != set(kept["clip"])
        more = replace(dataset, settings=load("data.labelled=0.75").data)
        assert set(kept["clip"]) < set(more.kept(fold, 0)) < {*fold.train}


@pytest.mark.parametrize("unlabelled", ["leave out", "train"])
def test_a_share_of_all_labels_is_no_share_bit_for_bit(load, tmp_path, unlabelled):
    """Of 18 labelled clips .98 are all."""
    own = [f"data.unlabelled={unlabelled}"]
    plain = weights(load(*own), tmp_path / "plain")
    for share in ("1.0", "0.98"):
        assert equal(plain, weights(load(*own, f"data.labelled={share}"), tmp_path / share))
    assert not equal(plain, weights(load(*own, "data.labelled=0.5"), tmp_path / "half"))


@pytest.mark.parametrize("kind", KINDS)
def test_withheld_labels_never_reach_a_training(load, tmp_path, monkeypatch, kind):
    settings = load("data.labelled=0.5", "data.unlabelled=train", *KINDS[kind])
    dataset = Dataset.open(settings.data, settings.target)
    fold = dataset.folds(settings.protocol)[0]
    part = dataset.training(fold, 0)
    assert len(part.withheld) == (11 if "sentence" in settings.target else 9)
    table, names = dataset.clips.copy(), list(part.withheld)
    table.loc[names, "sentence"] = "50"
    table.loc[names, "emotion"] = "happiness"
    table["label"] = dataset.main.truth(table)
    changed = replace(dataset, clips=table)
    monkeypatch.setattr(Dataset, "training", lambda self, fold, seed: part)
    plain = weights(settings, tmp_path / "plain", dataset)
    assert equal(plain, weights(settings, tmp_path / "changed", changed))
    monkeypatch.setattr(Dataset, "training", lambda self, fold, seed: TrainingPart(fold.train))
    assert not equal(plain, weights(settings, tmp_path / "known", changed))


def test_a_withheld_clip_keeps_its_other_labels_in_every_copy(load):
    for more, factor in (([], "emotion"), (KINDS["numbers"], "sentence")):
        settings = load("data.labelled=0.5", "data.unlabelled=train", *more)
        dataset = Dataset.open(settings.data, settings.target)
        part = dataset.training(dataset.folds(settings.protocol)[0], 0)
        names = {factor: dataset.target(factor, part.clips, part.withheld) for factor in (factor, "speaker")}
        examples = dataset.examples(part.clips, names, copies=True, withheld=part.withheld)
        labels = examples.labels[factor]
        known = (labels >= 0) if labels.dim() == 1 else ~labels.isnan().any(dim=1)
        kept = set(dataset.labelled["clip"]) - part.withheld
        assert [clip in kept for clip in examples.clips] == known.tolist()
        assert len(examples) == 2 * len(part.clips)
        assert (examples.labels["speaker"] >= 0).all()


def test_clips_that_are_left_out_have_no_part_in_a_training(load, tmp_path):
    settings = load("data.labelled=0.5", "data.copies.slow=null")
    dataset, run = Dataset.open(settings.data), Run(tmp_path, settings)
    fold = dataset.folds(settings.protocol)[0]
    prepared = cells._prepare(run.experiment_of("MEnAN"), dataset, fold, run.cell("MEnAN", 0, 0))
    assert prepared.train.clips == dataset.kept(fold, 0)
    frames = torch.cat([dataset.stores["audio"].frames(clip) for clip in dataset.kept(fold, 0)]).double()
    mean, _ = prepared.normalise["audio"].statistics[""]
    torch.testing.assert_close(mean, frames.mean(dim=0).float())


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            ["data.labelled=0.1"],
            "data.labelled: 0.1 of the 18 labelled training clips of fold 0 are 2, fewer than the 3 classes; give "
            "0.167 or more",
        ),
        (
            ["grid={share: {data.labelled: [0.5, 0.05]}}"],
            "MEnAN-share-0.05, of grid or choose: data.labelled: 0.05 of the 18 labelled training clips of fold 0 are "
            "1, fewer than the 3 classes; give 0.167 or more; change it there, or leave it out",
        ),
        (["data.labelled=0"], "data.labelled: input should be greater than 0 (found 0)"),
        (["data.labelled=1.1"], "data.labelled: input should be less than or equal to 1 (found 1.1)"),
        ([*KINDS["levels"], "data.labelled=0.05"], "fold 0 are 1, fewer than the 2 classes; give 0.091 or more"),
        ([*KINDS["numbers"], "data.labelled=0.05"], "its training clips have no two different numbers"),
    ],
)
def test_too_few_labels_are_refused_before_anything_is_written(experiment, prepared, tmp_path, more, sentence, capsys):
    out = tmp_path / "run"
    arguments = ["train", str(experiment), f"data.prepared={prepared}", *QUICK, *more, "--out", str(out)]
    assert main(arguments) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


@pytest.fixture(scope="module")
def run(experiment, prepared, tmp_path_factory):
    """Shares of the labels as variants, two seeds."""
    out = tmp_path_factory.mktemp("grid") / "run"
    more = ["grid={share: {data.labelled: [0.3, 0.5, 1.0]}}", "seeds=[0, 1]", "protocol.folds=[0, 2]"]
    mien.train(experiment, [f"data.prepared={prepared}", *QUICK, *more], out=out)
    return Run.open(out)


def test_a_run_says_which_clips_kept_their_label(run):
    assert set(run.metrics["models"]) == {"MEnAN", "MEnAN-share-0.3", "MEnAN-share-0.5"}
    for fold in run.splits:
        assert len(fold["train"]["clips"]) == 18, "the split does not depend on the share"
        assert list(fold["labelled"]) == ["0.3", "0.5"]
        few, half = fold["labelled"]["0.3"], fold["labelled"]["0.5"]
        assert {seed: len(clips) for seed, clips in few.items()} == {"0": 5, "1": 5}
        assert all(set(few[seed]) < set(half[seed]) < set(fold["train"]["clips"]) for seed in "01")
        cell = run.cell("MEnAN-share-0.3", fold["fold"], 1)
        assert run.trained_on(cell) == few["1"]
        assert run.trained_on(run.cell("MEnAN", fold["fold"], 1)) == fold["train"]["clips"]
    sentence = (
        "note: 5 of the 18 labelled training clips of a fold keep their label (data.labelled 0.3), sampled by speaker "
        "and class; the others do not train"
    )
    assert sentence in run.certificate["notes"]
    assert "5 of the 18 labelled training clips of a fold keep their label" in (run.folder / "report.html").read_text()
    test = run.predictions.query("split == 'test' and model == 'MEnAN-share-0.3' and seed == 0")
    assert len(test) == 18
    assert test["truth"].notna().all()
    assert shortest_sound(run, run.cells) is not None


def test_a_damaged_record_of_the_labels_is_named(run, tmp_path):
    raw = json.loads((run.folder / "splits.json").read_text())
    for fold in raw["folds"]:
        del fold["labelled"]
    other = Run(tmp_path, run.experiment)
    other.write_json("splits.json", raw)
    reseal(tmp_path)
    with pytest.raises(RunError, match=r"splits\.json: damaged \(no 'labelled'\)"):
        other.trained_on(run.cell("MEnAN-share-0.3", 0, 0))


def test_a_variant_is_what_the_same_share_trains_alone(run, load, tmp_path):
    alone = weights(load("data.labelled=0.3"), tmp_path, fold=2, seed=1)
    found, _ = checkpoint.load_weights(run.cell("MEnAN-share-0.3", 2, 1).weights)
    assert equal(alone, found)


def test_variants_of_shares_read_one_corpus(load):
    settings = load("grid={share: {data.labelled: [0.3, 0.5, 1.0]}}")
    opened = open_all(settings.data_of, settings.target)
    assert {model: dataset.settings.labelled for model, dataset in opened.items()} == {
        "MEnAN": 1.0,
        "MEnAN-share-0.3": 0.3,
        "MEnAN-share-0.5": 0.5,
    }
    assert len({id(dataset.clips) for dataset in opened.values()}) == 1


def test_speakers_who_keep_no_label_are_counted(load):
    settings = load("data.labelled=0.17")
    datasets = open_all(settings.data_of, settings.target)
    dataset = datasets["MEnAN"]
    warned = set()
    for fold in dataset.folds(settings.protocol):
        for seed in range(6):
            (note, *warning) = labels.notes(settings, datasets, [fold], [labels.kept(datasets, fold, [seed])])
            assert note.startswith("note: 3 of the 18 labelled training clips of a fold keep their label")
            lost = 2 - dataset.clips.loc[list(dataset.kept(fold, seed)), "speaker"].nunique()
            assert warning == [
                f"warning: with data.labelled 0.17 some training speakers keep no clip ({lost} of a fold), and tables "
                "of leakage count them as seen"
            ] * bool(lost)
            warned.add(bool(lost))
    assert warned == {True, False}
