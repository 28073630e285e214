"""AuxFormer from films to predictions: both modalities, either alone, and neither."""

import numpy as np
import pandas as pd
import pytest
import torch

import mien
from mien.corpora.toy import ToyConfig, generate
from mien.corpora.toy.write import write_mp4, write_wav
from mien.runs.ensemble import Ensemble
from mien.runs.run import Run

EXPERIMENT = """
title: a tiny one
paper: none
command: none
cost: seconds
expected: none
recipe: fuse
encoder:
  audio: {name: projection, dimension: 16}
  video: {name: projection, dimension: 16}
models:
  optimized: {drop: {audio: 0.3, video: 0.3}, fusion: {layers: 1, self_layers: 1, heads: 2, hidden: [16]}}
  video_only: {modalities: [video], fusion: {layers: 1, self_layers: 1, heads: 2, hidden: [16]}}
data:
  scheme: toy
  audio: {name: mfb43, window: 0.128, shift: 0.064}
  video: {name: crops, faces: whole-frame, size: 12, colour: grey, every: 0.2}
  normalisation: train
protocol: {name: random_splits, splits: 3, shares: {train: 0.4, validation: 0.2, test: 0.4}}
training: {epochs: 3, batch: 12, best: cross_entropy}
optimiser: {lr: {default: 0.003}, clip: 0.8}
claims:
  face: {says: it sees more, kind: above, factor: emotion, measure: micro_f1, models: optimized, minus: video_only,
    alone: video}
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Thirty clips of five people, of which two have a voice alone and two a face alone."""
    folder = tmp_path_factory.mktemp("toy")
    generate(folder / "toy", ToyConfig(people=5, clips=30, difficulty=0, missing=0.14, seconds=1))
    return folder / "toy"


@pytest.fixture(scope="module")
def run(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fused")
    (folder / "tiny.yaml").write_text(EXPERIMENT)
    mien.prepare("toy", toy, out=folder / "prepared", experiment=folder / "tiny.yaml")
    mien.train(folder / "tiny.yaml", [f"data.prepared={folder / 'prepared'}"], out=folder / "run")
    return Run.open(folder / "run")


@pytest.fixture(scope="module")
def films(toy, tmp_path_factory):
    """A film of the corpus, its sound alone, its pictures alone, and one that shows and tells nothing."""
    folder = tmp_path_factory.mktemp("films")
    rng = np.random.default_rng(0)
    pictures = rng.integers(60, 200, (15, 64, 64, 3)).astype(np.uint8)
    sound = (0.1 * rng.standard_normal(16_000)).astype(np.float32)
    write_mp4(folder / "both.mp4", pictures, 15, sound)
    write_wav(folder / "voice.wav", sound, 16_000)
    write_mp4(folder / "face.mp4", pictures, 15, None)
    write_mp4(folder / "nothing.mp4", 0 * pictures, 15, None)
    return folder


def test_every_clip_is_answered_whatever_it_has(run):
    rows = run.predictions.query("split == 'test'")
    assert set(rows["model"]) == {"optimized", "video_only"}
    probabilities = rows[list(run.classes)].to_numpy()
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_a_clip_without_a_face_gets_the_prior_of_a_network_of_faces(run):
    table = run.predictions.merge(run.clips[["modality"]], left_on="clip", right_index=True)
    blind = table.query("model == 'video_only' and modality == 'voice'")
    assert len(blind)
    for (fold, _), rows in blind.groupby(["fold", "split"]):
        known = run.clips.loc[run.splits[fold]["train"]["clips"], "label"].value_counts()
        expected = (known.reindex(run.classes).fillna(0) + 1) / (known.sum() + len(run.classes))
        for _, row in rows.iterrows():
            np.testing.assert_allclose(row[list(run.classes)].astype(float), expected, atol=1e-6)


def test_predict_answers_films_with_both_with_either_and_with_nothing(run, films):
    found = mien.predict([*sorted(films.iterdir())], model=run.folder / "models" / "optimized").frame
    rows = {name.rsplit("/", 1)[1]: own.iloc[0] for name, own in found.groupby("file")}
    kinds = {name: row["modality"] if isinstance(row["modality"], str) else "" for name, row in rows.items()}
    assert kinds == {"both.mp4": "audio+video", "voice.wav": "audio", "face.mp4": "video", "nothing.mp4": ""}
    assert rows["nothing.mp4"]["emotion"] == "silence"
    assert np.isfinite(rows["both.mp4"][["audio_share", "video_share"]].astype(float)).all()
    alone = rows["face.mp4"][list(run.classes)].astype(float)
    assert alone.sum() == pytest.approx(1, abs=1e-3)


def test_an_exported_model_answers_as_the_run_without_its_auxiliary_networks(run, films, tmp_path):
    mien.export(run.folder / "models" / "optimized", out=tmp_path / "model")
    whole, slim = (
        mien.predict(films / "both.mp4", model=one, unsure=0).frame
        for one in (run.folder / "models" / "optimized", tmp_path / "model")
    )
    assert (slim["emotion"] == whole["emotion"]).all()
    opened = Ensemble.open(tmp_path / "model", torch.device("cpu"))
    assert not any("auxiliary" in name for name, _ in opened.models[0].recipe.named_parameters())


def test_missing_modalities_answer_the_claims_that_ask_for_them(run, tmp_path):
    """With random splits a clip that two splits test counts once, as in the scores of the run."""
    (before,) = run.claims["claims"]
    assert before["answer"] == "not asked: run 'mien evaluate RUN --missing default' for it"
    grid = tmp_path / "alone.yaml"
    grid.write_text("missing: {modalities: [audio, video], patterns: [whole], shares: [0, 1]}\n")
    mien.evaluate(run.folder, missing=grid)
    run = Run.open(run.folder)
    table = run.robustness_table("alone", "conditions.csv").query("measure == 'wa'")
    rows = run.predictions.query("split == 'test' and truth == truth")
    assert rows.groupby(["model", "clip"]).size().max() > 1
    for model, own in table[table["level"] == 0].groupby("model"):
        assert own["score"].iloc[0] == pytest.approx(run.metrics["models"][model]["test"]["wa"])
    (claim,) = run.claims["claims"]
    (found,) = claim["contrasts"]
    face = table.query("modality == 'audio' and level == 1").set_index("model")["score"]
    alone = run.metrics["models"]["video_only"]["test"]["wa"]
    assert found["difference"] == pytest.approx(face["optimized"] - alone)
    assert found["over_splits"]["splits"] == 3
    assert found["percent"] == pytest.approx(100 * found["difference"] / alone)
    assert claim["alone"] == "video"
    assert "with the face alone" in (run.folder / "report.html").read_text()


def test_evaluation_on_another_corpus_says_what_its_clips_lack(run, tmp_path):
    generate(tmp_path / "other", ToyConfig(people=3, clips=12, missing=0.5, seconds=1, seed=3))
    mien.prepare("toy", tmp_path / "other", out=tmp_path / "prepared", features=["mfb43"])
    outcome = mien.evaluate(run.folder, on=tmp_path / "prepared")
    assert outcome.data["models"]["optimized"]["clips"] == 12
    assert any("have no usable face, and are scored without it" in note for note in outcome.data["notes"])
    rows = pd.read_csv(run.folder / "evaluations" / "toy" / "predictions.csv")
    assert np.isfinite(rows[list(run.classes)].to_numpy(float)).all()
