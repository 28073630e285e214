"""A corpus that names no speakers, from training to the page: clips take their place, and nothing is said of people."""

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import mien
from layouts import write_faces
from mien.common.settings import parse
from mien.corpora.toy import ToyConfig, generate
from mien.corpora.votes import EMOTIONS as FERPLUS
from mien.data.dataset import Dataset
from mien.data.prepared import Prepared
from mien.data.settings import Data
from mien.errors import ConfigError, CorpusError, LeakError, RunError
from mien.features import crops
from mien.media.faces import Crops, Faces
from mien.runs.ensemble import Ensemble
from mien.runs.exported import locate
from mien.runs.run import Run
from sealing import reseal

EXPERIMENT = """
title: faces by their shade
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder: {video: {name: vgg, channels: [4, 8]}}
data:
  video: {name: images}
protocol: {name: given}
models:
  emotion_only: {embeddings: {main: {tasks: {emotion: 1.0}}}}
  halved: {embeddings: {main: {tasks: {emotion: 0.5}}}}

training: {epochs: 2, batch: 16}
optimiser: {lr: {default: 0.01}}
accept: [identical-audio]
"""


@pytest.fixture(scope="module")
def prepared_faces(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    mien.prepare("ferplus", write_faces(folder / "root", train=48, test=12, copies=2), out=folder / "prepared")
    return folder / "prepared"


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("experiment") / "faces.yaml"
    path.write_text(EXPERIMENT.replace(", hidden: [4]", ""))
    return path


@pytest.fixture(scope="module")
def trained(prepared_faces: Path, file: Path, tmp_path_factory):
    """The run, and what training it says."""
    out = tmp_path_factory.mktemp("run") / "run"
    return out, mien.train(file, [f"data.prepared={prepared_faces}"], out=out)


def refusal(function, *arguments, **keywords) -> str:
    with pytest.raises((ConfigError, RunError)) as error:
        function(*arguments, **keywords)
    return str(error.value)


def words(page: Path) -> str:
    text = re.sub(r"<style.*?</style>", "", page.read_text(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_scores_are_over_clips(trained):
    out, outcome = trained
    assert re.search(
        r"test UAR [\d.]+ \(95 % over clips, whose speakers are not named, [\d.]+ to [\d.]+,", outcome.text
    )
    metrics = outcome.data["models"]["emotion_only"]["test"]
    assert (metrics["speakers"], metrics["clips"]) == (0, 12)
    assert "worst_speaker" not in metrics
    assert 0 <= metrics["uar_low"] <= metrics["uar"] <= metrics["uar_high"] <= 1
    assert pd.read_csv(out / "predictions.csv")["speaker"].isna().all()
    assert len(pd.read_csv(out / "speakers.csv")) == 0
    assert len(pd.read_csv(out / "maps.csv")) == len(pd.read_csv(out / "roc.csv")) == 0
    assert not (out / "leakage.csv").exists()


def test_scores_are_given_without_copies_too(trained):
    """The images of the first two test clips are those of the first two training clips."""
    out, outcome = trained
    copies = {"fer0000048", "fer0000049"}
    metrics = Run.open(out).metrics
    found = metrics["without_copies"]
    assert {name: found[name] for name in ("split", "clips", "of")} == {"split": "test", "clips": 2, "of": 12}
    assert set(found["models"]) == {"emotion_only", "halved"}
    rows = pd.read_csv(out / "predictions.csv")
    rows = rows[rows["split"] == "test"]
    for model, scores in found["models"].items():
        for left, measured in ((rows, metrics["models"][model]["test"]), (rows[~rows["clip"].isin(copies)], scores)):
            own = left[left["model"] == model]
            right = own["predicted"] == own["emotion"]
            assert measured["clips"] == len(own)
            assert measured["wa"] == pytest.approx(right.mean())
            assert measured["uar"] == pytest.approx(right.groupby(own["emotion"]).mean().mean())
        assert scores["uar_low"] <= scores["uar"] <= scores["uar_high"]
        line = next(line for line in outcome.text.splitlines() if line.startswith(f"{model} "))
        below = outcome.text.splitlines()[outcome.text.splitlines().index(line) + 1].strip()
        places = " and ".join({"train": "training"}.get(part, part) for part in found["copies_in"])
        assert below.startswith(
            f"without the 2 test clips that have a copy in {places}: {scores['uar']:.3f} (95 % {scores['uar_low']:.3f}"
        )
        assert outcome.data["without_copies"] == found
    text = words(out / "report.html")
    assert (
        f"Without: the scores on 10 of them; left out are the 2 test clips that have a copy in {places}. A copy is a "
        "file of equal bytes or samples, or an image of equal pixels. The model may have learned the labels of these "
        "clips."
    ) in text
    uar, shown = found["models"]["halved"]["uar"], metrics["models"]["halved"]["test"]["uar"]
    table = text.split("Without copies Accepted leak: identical-audio; see top.")[1].split("All: the scores")[0]
    assert re.search(rf"halved {100 * shown:.1f} [\d.]+ to [\d.]+ {100 * uar:.1f} ", table)


def test_a_run_of_an_older_mien_gets_its_scores_without_copies(trained, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(trained[0], out)
    metrics = json.loads((out / "metrics.json").read_text())
    del metrics["without_copies"]
    del metrics["computed_from"]["certificate.json"]
    (out / "metrics.json").write_text(json.dumps(metrics))
    (out / "report.html").unlink()
    reseal(out)
    mien.report(out)
    assert "that have a copy in" in words(out / "report.html")
    assert Run.open(out).metrics == Run.open(trained[0]).metrics


def test_the_page_says_nothing_of_unseen_speakers(trained):
    out, _ = trained
    text = words(out / "report.html")
    for sentence in (
        "interval over 12 clips",
        "Whose clips these are is not known, nor how other people are recognised.",
        "The corpus names no speakers: what embeddings give away about them is not measured.",
        "The corpus names no speakers: whether one person is in two splits is not known.",
        "The corpus names no speakers: there are no scores by speaker and by group of speakers.",
        "one person may have clips in several splits, and for other people the interval is too narrow.",
        "shared-speaker: the corpus names no speakers",
        "ferplus: 60 clips, no speakers named",
    ):
        assert sentence in text, sentence
    said = re.sub(r"Embeddings of unseen speakers", "", text)
    assert "unseen speaker" not in said
    assert "a speaker is in two splits" not in said
    assert not re.search(r"\d (test |validation |training )?speakers", said)
    assert "Worst" not in said


def test_what_needs_speakers_is_refused(trained, prepared_faces: Path, file: Path, tmp_path: Path):
    out, _ = trained
    given = f"data.prepared={prepared_faces}"
    for protocol in ("leave_one_speaker_out", "group_k_fold", "seen_speakers"):
        seen = ["seen_speakers=true"] if protocol == "seen_speakers" else []
        assert refusal(mien.train, file, [given, f"protocol.name={protocol}", *seen], out=tmp_path / "new") == (
            f"protocol {protocol}: it divides by speaker, and the corpus names none for 60 of its clips; if a column "
            "of your own table names them, call it 'speaker' and prepare it again, or give protocol={name: given}, "
            "which takes the corpus's own split"
        )
    assert refusal(mien.train, file, [given, "data.normalisation=speaker"], out=tmp_path / "new") == (
        f"data.normalisation: speaker, and {prepared_faces} names no speakers; give train or none"
    )
    task = "models.emotion_only.embeddings.main.tasks.speaker=0.5"
    assert refusal(mien.train, file, [given, task], out=tmp_path / "new") == (
        "target 'speaker': no training clip has a value of 'speaker'; leave it out of tasks and removals"
    )
    assert not (tmp_path / "new").exists()
    assert refusal(mien.compare, out) == (
        f"{out}: its corpus names no speakers, and systems are compared over speakers; train them as models of one "
        "experiment, whose page compares its models over clips"
    )
    assert refusal(mien.leakage, out) == (
        f"{out}: its corpus names no speakers, so what the embeddings give away about them cannot be measured; audit a "
        "run on a corpus with speakers"
    )


def test_an_export_claims_no_unseen_speakers(trained, tmp_path: Path):
    out, _ = trained
    exported = mien.export(out, out=tmp_path / "face-tiny")
    assert "test clips, whose speakers are not named: UAR" in exported.text
    card = (tmp_path / "face-tiny" / "README.md").read_text()
    for sentence in (
        "Faces: trained on single grey images of 48 px out of a table.",
        "Clips that it was trained on, whose speakers are not named:",
        "## Scores on test clips\n",
        "The corpus names no speakers: one person may be in training and in test",
        "95 % bootstrap intervals over clips.",
        "| everybody | not named | 12 |",
        "| without copies | not named | 10 |",
        "*without copies*: test clips without those of which an exact copy was in training or chose the epoch.",
        "| clips | 4 | 4 | 4 |",
        "The scores do not hold for another camera or light, or for people of another age.",
    ):
        assert sentence in card, sentence
    assert "unseen" not in card
    model = Ensemble.open(locate(str(tmp_path / "face-tiny")), torch.device("cpu"))
    assert model.faces == Faces(size=48, colour="grey", margin=0.0)
    assert model.limits == (
        "trained on ferplus (photographs of faces, no speech, no speakers named), and on nothing else",
    )
    face = Crops(np.full((3, 1, 48, 48), 200, np.uint8), np.zeros(3, np.uint8), 0.24)
    assert model.infer([None], [face]).argmax() == model.classes.index("happiness")


def test_images_of_the_run_are_no_other_corpus(trained, prepared_faces: Path):
    with pytest.raises(LeakError, match=r"60 of its 60 clips are images of this run's own corpus, such as fer0000000;"):
        mien.evaluate(trained[0], on=prepared_faces)


def test_another_corpus_of_images_is_scored_over_clips(trained, tmp_path: Path):
    out, _ = trained
    other = tmp_path / "prepared"
    mien.prepare("ferplus", write_faces(tmp_path / "root", train=9, test=3, seed=5), out=other)
    outcome = mien.evaluate(out, on=other)
    assert "95 % over clips" in outcome.text
    assert outcome.data["interval"] == "95 %, bootstrap over the corpus's clips, folds and seeds averaged"
    assert outcome.data["speakers"] == 0
    text = words(out / "report.html")
    assert "Interval: over the clips of the corpus, folds and seeds pooled." in text
    assert not re.search(r"\d (test |validation |training )?speakers", text)


def test_faces_of_films_are_scored_as_predict_answers_them(trained, tmp_path: Path):
    generate(tmp_path / "toy", ToyConfig(people=4, clips=12, seconds=1, size=48, frame_rate=5, missing=0.3))
    mien.prepare("toy", tmp_path / "toy", out=tmp_path / "films", features=[])
    films = Prepared.open(tmp_path / "films")
    outcome = mien.evaluate(trained[0], on=tmp_path / "films")
    assert outcome.data["speakers"] == 4
    found = pd.read_csv(trained[0] / "evaluations" / "toy" / "predictions.csv").query("model == 'halved'")
    shown = films.table[films.table["modality"] != "voice"].set_index("clip")
    assert 0 < len(shown) < 12
    assert set(found["clip"]) == set(shown.index)
    rows = mien.predict([films.media(row) for _, row in shown.iterrows()], model=trained[0] / "models" / "halved").frame
    expected = found.set_index("clip").loc[shown.index]
    classes = [name for name in Run.open(trained[0]).classes if name in expected]
    assert len(classes) >= 3
    seen = (rows["emotion"] != "silence").to_numpy()
    assert seen.sum() >= 3, "the detector finds no drawn face"
    answers = rows.loc[seen, classes].to_numpy(float)
    answers = answers / answers.sum(axis=1, keepdims=True)  # of the classes that the corpus has
    np.testing.assert_allclose(answers, expected.loc[seen, classes], atol=5e-3)


@pytest.fixture(scope="module")
def trained_on_votes(prepared_faces: Path, file: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("votes") / "run"
    target = f"data.targets.emotion={{kind: soft, columns: [{', '.join(FERPLUS)}]}}"
    mien.train(file, [f"data.prepared={prepared_faces}", target], out=out)
    return out


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Prepared:
    """Drawn people who speak, some of them unseen, with one emotion each and no votes."""
    folder = tmp_path_factory.mktemp("films")
    generate(folder / "toy", ToyConfig(people=4, clips=12, seconds=1, size=48, frame_rate=5, missing=0.3))
    mien.prepare("toy", folder / "toy", out=folder / "films", features=[])
    return Prepared.open(folder / "films")


def test_a_model_of_votes_is_scored_on_films_with_classes(trained_on_votes: Path, films: Prepared):
    shown = films.table[films.table["modality"] != "voice"].set_index("clip")
    outcome = mien.evaluate(trained_on_votes, on=films.folder)
    shared = outcome.data["classes"]
    assert len(shared) >= 3
    assert set(shared) == set(shown["emotion"]) & set(FERPLUS)
    found = pd.read_csv(trained_on_votes / "evaluations" / "toy" / "predictions.csv").query("model == 'halved'")
    assert dict(zip(found["clip"], found["emotion"], strict=True)) == shown["emotion"].to_dict()
    assert not [name for name in found if name.startswith("truth_")]
    np.testing.assert_allclose(found[shared].sum(axis=1), 1, atol=1e-5)
    assert found["predicted"].tolist() == found[shared].idxmax(axis=1).tolist()
    right = found["predicted"] == found["emotion"]
    assert outcome.data["models"]["halved"]["wa"]["mean"] == pytest.approx(right.mean())
    assert "cross_entropy" not in outcome.data["models"]["halved"]
    rows = mien.predict([films.media(row) for _, row in shown.iterrows()], model=f"{trained_on_votes}/models/halved")
    seen = (rows.frame["emotion"] != "silence").to_numpy()
    assert seen.sum() >= 3, "the detector finds no drawn face"
    answers = rows.frame.loc[seen, shared].to_numpy(float)
    answers = answers / answers.sum(axis=1, keepdims=True)  # of the classes that the corpus has
    np.testing.assert_allclose(answers, found.set_index("clip").loc[shown.index[seen], shared], atol=2e-2)
    assert "toy" in words(trained_on_votes / "report.html")


def test_an_export_of_a_model_of_votes_is_scored_on_films_with_classes(
    trained_on_votes: Path, films: Prepared, tmp_path: Path
):
    out = tmp_path / "face-tiny"
    (there,) = mien.export(f"{trained_on_votes}/models/halved", out=out, elsewhere=[films.folder]).data["elsewhere"]
    scores = mien.evaluate(trained_on_votes, on=films.folder).data["models"]["halved"]
    assert (there["corpus"], there["clips"]) == ("toy", scores["clips"])
    assert 0 <= there["score"]["wa"] <= 1


def test_a_model_of_votes_is_scored_on_votes_where_there_are_some(trained_on_votes: Path, tmp_path: Path):
    mien.prepare("ferplus", write_faces(tmp_path / "root", train=9, test=3, seed=5), out=tmp_path / "prepared")
    outcome = mien.evaluate(trained_on_votes, on=tmp_path / "prepared")
    found = pd.read_csv(trained_on_votes / "evaluations" / "ferplus" / "predictions.csv").query("model == 'halved'")
    given = [f"truth_{name}" for name in outcome.data["classes"]]
    assert (found[given].sum(axis=1) == 1).all()
    losses = -np.log(found[outcome.data["classes"]].to_numpy()[found[given].to_numpy() == 1])
    assert outcome.data["models"]["halved"]["cross_entropy"]["mean"] == pytest.approx(losses.mean(), abs=1e-4)


def test_a_corpus_of_votes_with_one_class_is_refused_by_its_name(trained_on_votes: Path, tmp_path: Path):
    mien.prepare("ferplus", write_faces(tmp_path / "root", train=1, test=0, seed=5), out=tmp_path / "prepared")
    (only,) = Prepared.open(tmp_path / "prepared").table["emotion"]
    with pytest.raises(CorpusError) as error:
        mien.evaluate(trained_on_votes, on=tmp_path / "prepared")
    assert str(error.value).startswith(
        f"{tmp_path / 'prepared'}: shares 1 classes with the run; it has emotion: {only}; the run "
    )


def test_shares_of_votes_are_classes_where_a_corpus_has_none(prepared_faces: Path, tmp_path: Path):
    target = {"kind": "soft", "columns": list(FERPLUS)}
    data = parse(
        Data, {"prepared": str(prepared_faces), "video": {"name": "images"}, "targets": {"emotion": target}}, ""
    )
    assert Dataset.open(data).main.kind == "soft"
    generate(tmp_path / "toy", ToyConfig(people=4, clips=8, seconds=1, size=48, frame_rate=5))
    mien.prepare("toy", tmp_path / "toy", out=tmp_path / "films", features=[])
    films = Dataset.open(data, prepared=tmp_path / "films")
    assert (films.main.kind, films.main.classes) == ("classes", FERPLUS)
    assert films.settings.features["video"] == ("crops", crops.Config(size=48, colour="grey", margin=0.0))
    assert films.clips["label"].tolist() == films.prepared.table["emotion"].tolist()
    with pytest.raises(ConfigError, match=r"^data.video: images: .* has files, and no images in its table"):
        Dataset.open(data.model_copy(update={"prepared": str(tmp_path / "films")}))
