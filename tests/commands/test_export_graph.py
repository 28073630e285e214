"""A model that is exported with its graph answers by it as by torch; other programs read its folder too."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest
import torch
import yaml

import mien
from mien.cli.main import main
from mien.common import manifests
from mien.corpora.toy import ToyConfig, generate
from mien.errors import ConfigError, RunError
from mien.media.faces import Crops
from mien.runs import exported
from mien.runs.ensemble import Ensemble
from mien.runs.graph import GraphModel
from mien.runs.opening import open_model

CPU = torch.device("cpu")
BOTH = """
title: voices and faces
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder:
  audio: {name: cnn_gru, channels: 6}
  video: {name: vgg, channels: [4, 6], dimension: 6}
models:
  emotion_only: {hidden: [6], embeddings: {main: {tasks: {emotion: 1.0}}}}
data:
  scheme: toy
  audio: mfb43
  video: {name: crops, faces: whole-frame, size: 12, every: 0.2}
  normalisation: train
protocol: {name: group_k_fold, groups: 3, folds: [0]}
training: {epochs: 1, batch: 8}
"""


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """The tiny run's MEnAN with its graph: frames of the voice, by a recurrent network."""
    out = tmp_path_factory.mktemp("exported") / "voice-tiny"
    mien.export(run / "models" / "MEnAN", out=out, onnx=True)
    return out


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A tiny model of voices and faces, with its graph."""
    place = tmp_path_factory.mktemp("both")
    generate(place / "toy", ToyConfig(people=3, clips=18, difficulty=0, seconds=1))
    (place / "both.yaml").write_text(BOTH)
    mien.prepare("toy", place / "toy", out=place / "prepared", experiment=place / "both.yaml")
    mien.train(place / "both.yaml", [f"data.prepared={place / 'prepared'}"], out=place / "run")
    mien.export(place / "run", out=place / "voice-and-face", onnx=True)
    return place / "voice-and-face"


def windows(model, *lengths):
    random = np.random.default_rng(0)
    name, config = model.features["audio"]
    size = len(model.voices([np.zeros(8_000, np.float32)])[0][0])
    assert (name, config) == model.inputs["audio"]
    return [random.standard_normal((length, size)).astype(np.float32) for length in lengths]


def test_the_graph_answers_as_torch_at_any_length(folder):
    graph, whole = open_model(folder), Ensemble.open(folder, CPU)
    assert isinstance(graph, GraphModel)
    frames = windows(whole, 400, 151, 63, 20, 3, 1)
    for batch in (frames, frames[:1], frames[3:], frames[-1:]):
        np.testing.assert_allclose(graph.infer(batch), whole.infer(batch), atol=1e-5)
    np.testing.assert_allclose(graph.infer([None, frames[0]]), whole.infer([None, frames[0]]), atol=1e-5)
    for name in ("name", "target", "classes", "scheme", "temperature", "unsure", "marks", "shortest", "limits", "rate"):
        assert getattr(graph, name) == getattr(whole, name)
    assert graph.infer([]).shape == (0, len(graph.classes))


def test_a_graph_of_voices_and_faces_answers_as_torch_whatever_the_length_of_either(both):
    graph, whole = open_model(both), Ensemble.open(both, CPU)
    assert isinstance(graph, GraphModel)
    random = np.random.default_rng(0)
    voices = windows(whole, 150, 40, 333)
    faces = [
        Crops(random.integers(0, 256, (count, 3, 12, 12), dtype=np.uint8), np.arange(count, dtype=np.uint8) % 2, 0.2)
        for count in (5, 9, 2)
    ]
    for own in ([0], [1], [2], [0, 1, 2]):
        given = [voices[one] for one in own], [faces[one] for one in own]
        np.testing.assert_allclose(graph.infer(*given), whole.infer(*given), atol=1e-5)
        np.testing.assert_allclose(graph.embed(*given), whole.embed(*given), atol=1e-5)
    for given in (([voices[0], None], [None, faces[0]]), ([None], [None])):
        np.testing.assert_allclose(graph.infer(*given), whole.infer(*given), atol=1e-5)
    for other in ((voices,), (voices[::-1], faces)):
        assert np.abs(graph.embed(voices, faces) - graph.embed(*other)).max() > 1e-3


def test_a_changed_or_missing_graph_is_refused(folder, tmp_path):
    broken = tmp_path / "voice-tiny"
    shutil.copytree(folder, broken)
    content = bytearray((broken / exported.GRAPH).read_bytes())
    content[-1] ^= 1
    (broken / exported.GRAPH).write_bytes(content)
    with pytest.raises(RunError, match=r"model\.onnx: not the graph that was exported"):
        mien.load_model(broken)
    (broken / exported.GRAPH).unlink()
    with pytest.raises(RunError, match=r"model\.onnx: missing"):
        mien.load_model(broken)
    shutil.copy(folder / exported.GRAPH, broken)
    raw = json.loads((broken / exported.DESCRIPTION).read_text())
    (broken / exported.DESCRIPTION).write_text(json.dumps(raw | {"temperature": 9.0}))
    exported.seal(broken)
    with pytest.raises(RunError, match=r"config\.json: was changed after it was exported"):
        mien.load_model(broken)


@pytest.mark.parametrize(
    ("least", "sentence"),
    [
        ({"video": 1}, "was changed after it was exported"),
        ({"audio": 1, "video": 1}, "was changed after it was exported"),
        ({"audio": 10**12}, "was changed after it was exported"),
        ({"audio": 5}, "was changed after it was exported"),
        ({"audio": 0}, r"graph\.least\.audio: input should be greater than or equal to 1"),
        ({"audio": "5"}, r"graph\.least\.audio: input should be a valid integer"),
        ({}, r"graph\.least: dictionary should have at least 1 item"),
    ],
)
def test_other_least_frames_than_those_of_the_graph_are_refused(folder, tmp_path, least, sentence):
    shutil.copytree(folder, tmp_path / "changed")
    raw = json.loads((folder / exported.DESCRIPTION).read_text())
    assert raw["graph"]["least"] != least
    raw["graph"]["least"] = least
    (tmp_path / "changed" / exported.DESCRIPTION).write_text(json.dumps(raw))
    exported.seal(tmp_path / "changed")
    with pytest.raises((RunError, ConfigError), match=rf"config\.json: {sentence}.*; export or install") as refused:
        mien.load_model(tmp_path / "changed")
    assert "\n" not in str(refused.value)


def test_an_exported_folder_gets_the_same_graph_afterwards(folder, run, tmp_path, capsys):
    before = tmp_path / "voice-tiny"
    mien.export(run / "models" / "MEnAN", out=before)
    assert {path.name for path in before.iterdir()} == {*exported.FILES, manifests.NAME}
    assert not isinstance(open_model(before), GraphModel)
    assert main(["export", str(before), "--out", str(before)]) == 2
    assert "is an exported model already; give --onnx to add its graph" in capsys.readouterr().err
    assert main(["export", str(before), "--onnx", "--name", "x", "--out", str(before)]) == 2
    assert "--name: belongs to the export of a RUN" in capsys.readouterr().err
    assert main(["export", str(before), "--onnx", "--out", str(before)]) == 0
    card = (before / exported.CARD).read_text()
    command = "mien export RUN/models/MEnAN --out voice-tiny --coverage 0.8"
    assert f"{command}\nmien export voice-tiny --onnx --out voice-tiny\n```\n" in card
    assert main(["export", str(before), "--onnx", "--out", str(before)]) == 0
    assert (before / exported.CARD).read_text() == card
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    after = {path.name: path.read_bytes() for path in before.iterdir()}
    assert (manifest := manifests.read(before)) is not None
    assert {*manifest.files} == {*exported.FILES, *exported.OTHERS}
    assert manifest.damaged(before) == {}
    for name in ("model.safetensors", "audonnx.onnx", "model.yaml"):
        assert after[name] == whole[name]
    np.testing.assert_array_equal(
        *(open_model(place).infer(windows(open_model(place), 70)) for place in (folder, before))
    )


def test_no_model_is_written_into_its_own_source(folder, run, capsys, monkeypatch):
    for source, out in (
        (folder, folder / "x"),
        (folder, folder / "a" / "b"),
        (run, run / "x"),
        (run, run / "models" / "x"),
    ):
        assert main(["export", str(source), "--onnx", "--out", str(out)]) == 2
        said = f"mien: --out {out}: lies in {source}, which is exported; choose a folder outside of it\n"
        assert capsys.readouterr().err == said
        assert not out.exists()
    monkeypatch.chdir(folder)
    assert main(["export", ".", "--onnx", "--out", "x"]) == 2
    assert "--out x: lies in ., which is exported" in capsys.readouterr().err


def test_a_model_that_comes_with_mien_goes_by_its_name(folder, tmp_path, monkeypatch, capsys):
    shutil.copytree(folder, tmp_path / "models" / "voice-small")
    monkeypatch.setattr(exported, "FOLDER", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    assert main(["export", "voice-small", "--out", "z"]) == 2
    assert "voice-small: is an exported model already" in capsys.readouterr().err
    assert main(["export", "voice-small", "--onnx", "--out", "z"]) == 0
    for name in (exported.WEIGHTS, exported.DESCRIPTION, exported.GRAPH):
        assert (tmp_path / "z" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("links", [[exported.WEIGHTS], [exported.GRAPH], [exported.WEIGHTS, exported.GRAPH]])
def test_files_may_be_links_to_other_folders(folder, tmp_path, monkeypatch, links):
    """As DVC and git-annex have them."""
    linked = tmp_path / "linked"
    shutil.copytree(folder, linked)
    for name in links:
        (tmp_path / f"of-{name}").mkdir()
        (linked / name).rename(tmp_path / f"of-{name}" / "content")
        (linked / name).symlink_to(tmp_path / f"of-{name}" / "content")
    frames = windows(open_model(folder), 70)
    np.testing.assert_array_equal(open_model(linked).infer(frames), open_model(folder).infer(frames))
    if links == [exported.WEIGHTS]:
        monkeypatch.setattr("mien.runs.graph.IN_MEMORY", "not_in_this_version")
        with pytest.raises(RunError, match=r"model\.safetensors: is a link out of the folder .* with links followed"):
            open_model(linked)


@pytest.mark.parametrize("name", exported.packaged())
def test_a_card_says_how_the_graph_was_made(name):
    _, how = (exported.FOLDER / name / exported.CARD).read_text().split("\n## How it was made\n")
    last = [line for line in how.split("```")[1].splitlines() if line.startswith("mien export ")][-1]
    assert {"--onnx", name} <= set(last.split())


@pytest.mark.parametrize("name", exported.packaged())
def test_no_weight_is_stored_twice(name):
    place = exported.FOLDER / name
    assert (place / exported.GRAPH).stat().st_size < 0.1 * (place / exported.WEIGHTS).stat().st_size


def test_lengths_that_a_network_refuses_are_tried_in_silence(both, tmp_path, capfd):
    assert exported.describe(both).graph.least["audio"] > 1  # else none was refused
    assert main(["export", str(both), "--onnx", "--out", str(tmp_path / "again")]) == 0
    assert capfd.readouterr().err == ""


def test_the_front_matter_is_that_of_the_hub(folder):
    _, front, card = (folder / exported.CARD).read_text().split("---\n", 2)
    read, description = yaml.safe_load(front), exported.describe(folder)
    assert (read["library_name"], read["license"], read["pipeline_tag"]) == ("mien", "other", "audio-classification")
    assert read["datasets"] == [one.corpus for one in description.trained]
    (result,) = read["model-index"][0]["results"]
    assert [one["value"] for one in result["metrics"]] == [description.scores[0].uar, description.scores[0].wa]
    assert card.lstrip().startswith(f"# {description.name}\n")


def test_audonnx_reads_the_same_answers(folder):
    """Its transform and its graph, called as audonnx calls them; audonnx itself is no dependency of the tests."""
    audobject = pytest.importorskip("audobject")
    read = yaml.safe_load((folder / "model.yaml").read_text())["$audonnx.core.model.Model"]
    transform = audobject.from_dict(read["transform"]["frames"])
    model = mien.load_model(folder)
    assert read["labels"] == {"probabilities": list(model.classes)}
    session = onnxruntime.InferenceSession(str(folder / read["path"]))
    (given,) = session.get_inputs()
    for seconds in (1, 3):
        sound = 0.1 * np.random.default_rng(seconds).standard_normal(16_000 * seconds).astype(np.float32)
        frames = transform(sound[None], 16_000).reshape(-1, given.shape[1])
        found = session.run(["probabilities"], {given.name: frames})[0]
        np.testing.assert_allclose(found, model.predict_proba([sound], 16_000), atol=1e-6)
    with pytest.raises(ValueError, match="is too short"):
        transform(np.zeros(10, np.float32), 16_000)


def test_a_network_that_no_graph_can_hold_is_refused_and_nothing_is_left(run, tmp_path, monkeypatch):
    monkeypatch.setattr("mien.runs.tracing.AGREE", -1.0)
    with pytest.raises(RunError, match="its graph answers otherwise than torch"):
        mien.export(run / "models" / "MEnAN", out=tmp_path / "out", onnx=True)
    assert list(tmp_path.iterdir()) == []
