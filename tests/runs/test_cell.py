"""One cell of voice and face: normalisation, choice of the epoch, files, resuming, and export."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from mien import experiments, features
from mien.common import shards
from mien.common.shards import Frames
from mien.corpora.corpus import Corpus, problem_table, typed
from mien.data.dataset import Dataset
from mien.data.prepared import write
from mien.data.store import target
from mien.engine import checkpoint
from mien.errors import RunError
from mien.models.layers.normalisation import BatchNorm
from mien.models.recipes._recipe import Branch
from mien.runs import exporting
from mien.runs.cell import Model, train_cell, validated
from mien.runs.run import Run
from mien.runs.tables import TASK_COLUMNS, TASKS

CPU = torch.device("cpu")
EMOTIONS, PEOPLE, CLIPS = ("anger", "neutral", "sadness"), 4, 36
LOGMEL = {"name": "logmel", "mels": 6}
CROPS = {"name": "crops", "faces": "whole-frame", "size": 8, "every": 0.2}
UNITS = {"name": "columns", "columns": ["AU01", "AU02"], "dimension": 2}
TINY = {"name": "vgg", "channels": [4, 6], "dimension": 6}
EMBEDDINGS = {
    "emotion": {
        "dim": 5,
        "tasks": {"emotion": 0.5},
        "remove": {"speaker": {"how": "confusion"}},
        "auxiliary": ["home-town"],
    },
    "speaker": {"dim": 4, "tasks": {"speaker": 0.5, "gender": 0.2}, "auxiliary": ["emotion"]},
}
EXPERIMENT = {
    "title": "tiny",
    "paper": "none",
    "command": "none",
    "cost": "none",
    "expected": "none",
    "recipe": "disentangle",
    "encoder": {"audio": TINY, "video": TINY},
    "models": {"both": {"hidden": [], "adversary_hidden": [5], "embeddings": EMBEDDINGS}},
    "data": {"scheme": "iemocap", "audio": LOGMEL, "video": CROPS, "normalisation": "train"},
    "protocol": {"name": "leave_one_speaker_out"},
    "training": {"epochs": 3, "batch": 10},
    "optimiser": {"lr": {"default": 0.01}},
}


def write_prepared(folder):
    """36 clips as `prepare` leaves them, without media: some lack a face, one its pictures, one its action units."""
    generator, rows = np.random.default_rng(0), []
    for number in range(CLIPS):
        person, emotion = number % PEOPLE, number // PEOPLE % 3
        units = generator.normal([3 * emotion, 50 + 10 * person])
        rows.append(
            {
                "clip": f"c{number:02d}",
                "file": f"c{number:02d}.mp4",
                "speaker": f"p{person}",
                "gender": ("female", "male")[person % 2] if number else "",
                "home-town": ("Ulm", "Trier")[person // 2],
                "emotion": EMOTIONS[emotion],
                "AU01": f"{units[0]:.3f}" if number != 5 else "",
                "AU02": f"{units[1]:.3f}",
            }
        )
    table = typed(pd.DataFrame(rows, dtype="str").replace("", pd.NA))
    table = table.assign(seconds=1.0, sha256=table["clip"], video_seconds=1.0)
    table.loc[3, "video_seconds"] = 0.0
    corpus = Corpus("table", folder, table, problem_table([]), "none", "none", None, "iemocap")
    write(folder, corpus, table, corpus.problems, place=folder)
    audio, video = [], []
    for number, clip in enumerate(table["clip"]):
        person, emotion, length = number % PEOPLE, number // PEOPLE % 3, 20 + number % 5
        sound = generator.normal([emotion, person, 0, 0, 0, 7], size=(length, 6))
        audio.append(Frames(clip, clip, 1.0, sound.astype(np.float32)))
        shape = (0 if number == 3 else 3 + number % 3, 3, 8, 8)
        pixels = generator.integers(0, 60, shape) + np.array([60 * emotion, 50 * person, 90])[:, None, None]
        reasons = (np.arange(len(pixels)) == 1).astype(np.uint8)
        video.append(Frames(clip, clip, 1.0, pixels.astype(np.uint8), reasons))
    for name, settings, frames in (("logmel", LOGMEL, audio), ("crops", CROPS, video)):
        own = {key: value for key, value in settings.items() if key != "name"}
        shards.write(target(folder, name, features.parse(name, own)).folder, frames)
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """See `write_prepared`."""
    return write_prepared(tmp_path_factory.mktemp("prepared"))


def experiment(prepared, **changes):
    raw = json.loads(json.dumps(EXPERIMENT))
    raw["data"]["prepared"] = str(prepared)
    for key, value in changes.items():
        raw[key] = {**raw[key], **value} if key in ("data", "training") else value
    return experiments.resolve(raw, "tiny")


def trained(settings, folder):
    """The run, the dataset and the fold of one trained cell, and the model as it is loaded again."""
    run, dataset = Run(folder, settings), Dataset.open(settings.data, settings.target)
    fold, cell = dataset.folds(settings.protocol)[0], run.cell("both", 0, 0)
    train_cell(run, dataset, fold, cell, device=CPU)
    return dataset, fold, cell, Model.load(settings, cell, CPU)


def usable(sequence):
    return sequence.values[sequence.valid]  # noqa: PD011 - no table's


@pytest.fixture(scope="module")
def both(prepared, tmp_path_factory):
    """Trained on sound and crops."""
    return trained(experiment(prepared), tmp_path_factory.mktemp("both"))


@pytest.fixture(scope="module")
def units(prepared, tmp_path_factory):
    """Trained on sound and action units."""
    settings = experiment(prepared, data={"video": UNITS}, encoder={"audio": TINY, "video": "vector"})
    return trained(settings, tmp_path_factory.mktemp("units"))


def test_a_loaded_model_gives_the_predictions_that_were_written(both):
    dataset, fold, cell, model = both
    written = pd.read_csv(cell.folder / "predictions.csv")
    test = written[written["split"] == "test"]
    assert sorted(test["clip"]) == sorted(fold.test)
    found = model.infer(dataset.examples(list(test["clip"]), model.targets))
    np.testing.assert_allclose(found.probabilities("emotion"), test[list(dataset.classes)], atol=2e-6)


def test_both_modalities_are_read_and_unusable_frames_are_not(both):
    dataset, fold, _, model = both
    examples = dataset.examples(list(fold.train), model.targets)
    batch = next(iter(model.loader(examples).epoch(0)))
    assert usable(batch.video).dtype == torch.uint8
    counts = dict(zip(batch.clips, batch.video.valid.sum(dim=1).tolist(), strict=True))
    assert counts == {clip: 0 if clip == "c03" else 2 + int(clip[1:]) % 3 for clip in batch.clips}
    assert "c03" in counts, "a clip without video has sound"
    assert batch.audio.valid.any(dim=1).all()


def test_tasks_are_scored_where_the_truth_is_a_class_of_training(both):
    dataset, fold, cell, _ = both
    rows = pd.read_csv(cell.folder / TASKS)
    assert list(rows.columns) == list(TASK_COLUMNS)
    assert set(rows["factor"]) == {"gender"}, (
        "the speakers of validation and test are unseen, and emotion has its own table"
    )
    assert set(rows["split"]) == {"validation", "test"}
    labelled = dataset.clips.loc[[*fold.validation, *fold.test]].dropna(subset="gender")
    assert sorted(rows["clip"]) == sorted(labelled["clip"])
    truth = rows.set_index("clip")["truth"]
    assert (truth == labelled["gender"].loc[truth.index]).all()
    assert rows["predicted"].isin(["female", "male"]).all()
    assert rows["probability"].between(0.5, 1).all(), "of the likelier of two"


def test_seen_speakers_are_a_task_too(prepared, tmp_path):
    settings = experiment(prepared, protocol={"name": "seen_speakers"}, seen_speakers=True)
    dataset, fold, cell, model = trained(settings, tmp_path)
    rows = pd.read_csv(cell.folder / TASKS)
    speakers = rows[rows["factor"] == "speaker"]
    assert sorted(speakers["clip"]) == sorted([*fold.validation, *fold.test])
    assert (speakers["truth"] == speakers["speaker"]).all()
    found = model.infer(dataset.examples(list(speakers["clip"]), model.targets)).probabilities("speaker")
    np.testing.assert_allclose(found.max(axis=1), speakers["probability"], atol=2e-6)
    assert [model.targets["speaker"].classes[number] for number in found.argmax(axis=1)] == list(speakers["predicted"])


def test_the_disentanglement_score_is_utility_minus_leakage(both, monkeypatch):
    dataset, fold, _, model = both
    examples = dataset.examples(list(fold.train), model.targets)
    labels = {factor: values.numpy() for factor, values in examples.labels.items()}

    def logits(factor, right):
        """Logits that are right for the first `right` of the known labels, and then never."""
        known = np.flatnonzero(labels[factor] >= 0)
        truth = np.where(labels[factor] < 0, 0, labels[factor])
        wrong = (truth + 1) % model.targets[factor].size
        return np.eye(model.targets[factor].size)[np.where(np.isin(range(len(truth)), known[:right]), truth, wrong)]

    count = len(examples)
    inference = model.infer(examples, embed=False, branches=True)
    assert set(map(str, inference.branches)) == {"emotion-speaker", "emotion-home-town", "speaker-emotion"}
    outputs = {"emotion": logits("emotion", count), "speaker": logits("speaker", 6), "gender": logits("gender", 0)}
    read = {Branch("emotion", "speaker"): logits("speaker", 3), Branch("speaker", "emotion"): logits("emotion", 0)}
    read[Branch("emotion", "home-town")] = logits("home-town", count)
    changed = type(inference)(**{**vars(inference), "outputs": outputs, "branches": read})
    monkeypatch.setattr("mien.runs.cell.infer", lambda *_, **__: changed)
    choosing = type(model)(**{**vars(model), "experiment": _choosing(model.experiment, "disentanglement")})
    found = validated(choosing, "both", choosing.loader(examples))
    tasks = (1 + 6 / count + 0) / 3
    assert found["tasks"] == pytest.approx(tasks)
    assert found["disentanglement"] == pytest.approx(tasks - 0.1 * (3 / count + 0 + 1) / 3)
    assert "disentanglement" not in validated(model, "both", model.loader(examples))


def _choosing(settings, best):
    return settings.model_copy(update={"training": settings.training.model_copy(update={"best": best})})


def test_the_epoch_of_the_best_disentanglement_is_kept(prepared, tmp_path):
    settings = experiment(
        prepared,
        data={"video": UNITS},
        encoder={"audio": {"name": "cnn_gru", "channels": 4}, "video": "vector"},
        training={"epochs": 6, "best": "disentanglement"},
        optimiser={"lr": {"default": 0.02}},
        protocol={"name": "seen_speakers"},
        seen_speakers=True,
    )
    dataset, fold, cell, model = trained(settings, tmp_path)
    history = [json.loads(line) for line in (cell.folder / "history.jsonl").read_text().splitlines()]
    scores = [row["validation disentanglement"] for row in history]
    assert len(set(scores)) > 1
    kept = validated(model, "both", model.loader(dataset.examples(list(fold.validation), model.targets)))
    assert kept["disentanglement"] == pytest.approx(max(scores), abs=1e-6)
    best = history[int(np.argmax(scores))]
    assert kept["cross_entropy"] == pytest.approx(best["validation cross_entropy"], rel=1e-5)


def test_pixels_stay_as_they_are_and_vectors_are_normalised_by_training(both, units):
    _, _, _, pixels = both
    assert pixels.normalise["audio"].kind == "train"
    assert pixels.normalise["video"].kind == "none"
    dataset, fold, _, model = units
    table = dataset.clips.loc[list(fold.train), ["AU01", "AU02"]].dropna()
    mean, std = model.normalise["video"].statistics[""]
    np.testing.assert_allclose(mean, table.mean(), rtol=1e-5)
    np.testing.assert_allclose(std, table.std(ddof=0), rtol=1e-5)
    batch = next(iter(model.loader(dataset.examples(list(fold.train), model.targets)).epoch(0)))
    values = usable(batch.video)
    torch.testing.assert_close(values.mean(dim=0), torch.zeros(2), rtol=0, atol=1e-5)
    torch.testing.assert_close(values.std(dim=0, correction=0), torch.ones(2), rtol=0, atol=1e-5)
    lacking = [clip for clip in fold.train if clip == "c05"]
    assert len(values) == len(fold.train) - len(lacking)


def test_each_speaker_has_statistics_of_sound_and_of_vectors(prepared, tmp_path):
    data = {"video": UNITS, "normalisation": "speaker"}
    settings = experiment(prepared, data=data, encoder={"audio": TINY, "video": "vector"}, training={"epochs": 1})
    dataset, _, _, model = trained(settings, tmp_path)
    for what, dimension in (("audio", 6), ("video", 2)):
        statistics = model.normalise[what].statistics
        assert set(statistics) == {f"p{number}" for number in range(PEOPLE)}
        assert all(mean.shape == std.shape == (dimension,) for mean, std in statistics.values())
    units = dataset.clips[dataset.clips["speaker"] == "p2"][["AU01", "AU02"]]
    np.testing.assert_allclose(model.normalise["video"].statistics["p2"][0], units.mean(), rtol=1e-5)
    batch = next(iter(model.loader(dataset.examples(list(units.index), model.targets)).epoch(0)))
    for sequence in (batch.audio, batch.video):
        values = usable(sequence)
        torch.testing.assert_close(values.mean(dim=0), torch.zeros(values.shape[1]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["both", "units"])
def test_what_is_exported_predicts_the_same_and_keeps_every_normalisation(kind, request):
    dataset, fold, _, model = request.getfixturevalue(kind)
    slim = exporting.predictor(model, "both")
    examples = dataset.examples(list(fold.test), slim.targets)
    whole = model.infer(dataset.examples(list(fold.test), model.targets)).probabilities("emotion")
    np.testing.assert_array_equal(slim.infer(examples, embed=False).probabilities("emotion"), whole)
    kept = {name for name in model.tensors if "normalisation.mean" in name and not name.startswith("recipe.")}
    assert kept <= slim.tensors.keys()
    assert kept == {"normalisation.mean."} | ({"video-normalisation.mean."} if kind == "units" else set())
    assert not [name for name in slim.tensors if "speaker" in name], "no part of the speaker embedding is left"
    assert len(slim.tensors) < len(model.tensors)


def test_components_are_fitted_on_training_clips_and_merged_by_an_export(prepared, tmp_path):
    data = {"audio": None, "video": UNITS}
    encoder = {"name": "vector", "hidden": [4], "components": 2, "limit": None}
    models = {"both": {"hidden": [], "embeddings": {"main": {"tasks": {"emotion": 1.0}}}}}
    settings = experiment(prepared, data=data, encoder=encoder, models=models)
    dataset, fold, cell, model = trained(settings, tmp_path)
    units = dataset.clips.loc[list(fold.train), ["AU01", "AU02"]].dropna().astype(float).to_numpy()
    units = (units - units.mean(axis=0)) / units.std(axis=0)
    (components,) = [value for name, value in model.tensors.items() if name.endswith(".components")]
    np.testing.assert_allclose(np.cov(units @ components.numpy(), rowvar=False), np.eye(2), atol=1e-3)
    assert Model.load(settings, cell, CPU).tensors.keys() == model.tensors.keys()
    slim = exporting.predictor(model, "both")
    assert not [name for name in slim.tensors if name.endswith(".components")]
    examples = dataset.examples(list(fold.test), slim.targets)
    one, other = (found.infer(examples, embed=False).probabilities("emotion") for found in (slim, model))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_missing_statistics_of_a_normalisation_are_refused(units, tmp_path):
    dataset, fold, cell, model = units
    tensors, metadata = checkpoint.load_weights(cell.weights)
    less = {name: value for name, value in tensors.items() if not name.startswith("video-normalisation")}
    found = Model.restore(model.experiment, "both", model.targets, less, CPU)
    with pytest.raises(RunError) as error:
        found.infer(dataset.examples(list(fold.test), model.targets))
    assert str(error.value) == (
        "normalisation: the model has no statistics of its training frames; train or export it again"
    )
    assert set(json.loads(metadata["targets"])) == {"emotion", "speaker", "gender", "home-town"}


def test_a_model_may_read_video_alone(prepared, tmp_path):
    data = {"audio": None, "video": CROPS}
    models = {"both": {"hidden": [], "embeddings": {"main": {"tasks": {"emotion": 1.0}}}}}
    settings = experiment(prepared, data=data, encoder=TINY, models=models, training={"epochs": 12})
    dataset, fold, cell, model = trained(settings, tmp_path)
    assert dataset.left_out == {"no video": 1}
    assert list(model.normalise) == ["video"]
    batch = next(iter(model.loader(dataset.examples(list(fold.train), model.targets)).epoch(0)))
    assert batch.audio.valid.shape[1] == 0
    test = pd.read_csv(cell.folder / "predictions.csv").query("split == 'test'")
    assert (test["emotion"] == test["predicted"]).mean() > 1 / 3 + 0.3, "the colour encodes the emotion"


def test_a_cell_that_was_killed_ends_with_the_same_bits(both, prepared, tmp_path, monkeypatch):
    """Weights, statistics of batch normalisation and of optimisers, of two trunks and four classifiers."""
    monkeypatch.setattr("mien.engine.fit.AT_RISK", 0.0)
    _, _, cell, model = both
    assert any(isinstance(module, BatchNorm) for module in model.recipe.modules())
    settings = experiment(prepared)
    run, dataset = Run(tmp_path, settings), Dataset.open(settings.data, settings.target)
    fold, again = dataset.folds(settings.protocol)[0], run.cell("both", 0, 0)

    def killed(record):
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_cell(run, dataset, fold, again, device=CPU, watch=killed)
    assert (again.folder / "state.pt").is_file()
    assert not again.finished
    torch.manual_seed(99)
    train_cell(run, dataset, fold, again, device=CPU)
    one, other = (checkpoint.load_weights(place.weights)[0] for place in (cell, again))
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    for name in ("predictions.csv", TASKS):
        assert (cell.folder / name).read_bytes() == (again.folder / name).read_bytes()
    embeddings = [load_file(place.folder / "embeddings.safetensors") for place in (cell, again)]
    assert all(np.array_equal(values, embeddings[1][name]) for name, values in embeddings[0].items())
    shutil.rmtree(again.folder)
    assert not again.finished, "the comparison would hold of an untouched copy"
