"""The toy corpus: its factors follow the settings, and its emotions can be learnt, but not from a single number."""

from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import audmetric
import av
import numpy as np
import pandas as pd
import parselmouth
import pytest
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import recall_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mien.corpora.readers.toy import read
from mien.corpora.toy import VERSION, ToyConfig, generate
from mien.corpora.toy.config import SENTENCES
from mien.corpora.toy.expression import EFFECTS, express, ratings
from mien.corpora.toy.people import EMOTIONS, PITCHES, sample_people
from mien.corpora.toy.plan import plan
from mien.corpora.toy.voice import SOUNDS, spell
from mien.errors import CorpusError
from mien.features import extract, parse
from mien.media.audio import read_audio
from mien.media.containers import probe

CHANCE = 1 / 6


def table_of(config):
    """The plan of a corpus as a table; no media are made."""
    people = sample_people(config.people, np.random.default_rng(0))
    rows = [
        (clip.name, clip.person.name, clip.person.gender, clip.person.own, clip.emotion, clip.sentence, clip.modality)
        for clip in plan(config, people, np.random.default_rng(1))
    ]
    return pd.DataFrame(rows, columns=["clip", "speaker", "gender", "own", "emotion", "sentence", "modality"])


def hashes(root):
    return {path.relative_to(root): sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}


def pictures(file, pixels="gray"):
    with av.open(str(file)) as container:
        return np.stack([frame.to_ndarray(format=pixels) for frame in container.decode(video=0)])


# The plan


@pytest.mark.parametrize("entanglement", [0.0, 0.5, 0.8, 1.0])
def test_entanglement_sets_how_often_the_own_emotion_occurs(entanglement):
    table = table_of(ToyConfig(people=12, clips=2400, entanglement=entanglement))
    expected = entanglement + (1 - entanglement) / 6
    share = (table["emotion"] == table["own"]).mean()
    assert abs(share - expected) <= 3 * np.sqrt(expected * (1 - expected) / len(table))


def test_without_entanglement_person_emotion_and_sentence_are_balanced():
    table = table_of(ToyConfig())
    assert pd.crosstab(table["speaker"], [table["emotion"], table["sentence"]]).to_numpy().tolist() == [[1] * 24] * 10


def test_with_full_entanglement_each_person_has_one_emotion():
    table = table_of(ToyConfig(people=12, entanglement=1.0))
    assert table.groupby("speaker")["emotion"].nunique().eq(1).all()
    assert set(table["emotion"]) == set(EMOTIONS)
    assert pd.crosstab(table["emotion"], table["gender"]).nunique().eq(1).all(), "else gender would predict the emotion"


@pytest.mark.parametrize("entanglement", [0.0, 0.5, 1.0])
def test_clip_names_are_unique_and_sentences_taken_in_turn(entanglement):
    table = table_of(ToyConfig(entanglement=entanglement))
    assert table["clip"].is_unique
    assert pd.crosstab(table["speaker"], table["sentence"]).eq(6).all(axis=None)


def test_the_setting_missing_is_the_share_of_clips_with_one_modality():
    counts = table_of(ToyConfig(missing=0.25))["modality"].value_counts()
    assert counts.to_dict() == {"voice+face": 180, "voice": 30, "face": 30}


def test_people_differ_and_are_in_the_range_of_their_gender():
    people = sample_people(10, np.random.default_rng(3))
    assert [person.gender for person in people] == ["female", "male"] * 5
    for gender, (low, high) in PITCHES.items():
        pitches = sorted(person.pitch for person in people if person.gender == gender)
        slices = np.floor((np.array(pitches) - low) / (high - low) * 5)
        assert slices.tolist() == [0, 1, 2, 3, 4]


def test_sentences_consist_of_known_sounds():
    assert all(sound in SOUNDS for sentence in SENTENCES for sound in spell(sentence))


# Difficulty


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_difficulty_is_the_share_of_noise_in_an_expression(emotion):
    at = {difficulty: express(emotion, 1.2, difficulty, np.random.default_rng(5)) for difficulty in (0.0, 0.4, 1.0)}
    np.testing.assert_allclose(at[0.0], 1.2 * np.array(EFFECTS[emotion]), atol=1e-12)
    np.testing.assert_allclose(at[0.4], 0.6 * np.array(at[0.0]) + 0.4 * np.array(at[1.0]), atol=1e-12)
    assert at[1.0] == express("neutral", 1.2, 1.0, np.random.default_rng(5)), "all of it is noise"


def test_noise_is_as_large_as_the_differences_of_emotions():
    samples = np.array([express("neutral", 1.0, 1.0, np.random.default_rng(seed)) for seed in range(2000)])
    emotions = np.array(list(EFFECTS.values()))
    np.testing.assert_allclose(samples.std(axis=0), emotions.std(axis=0), rtol=0.06)
    np.testing.assert_allclose(samples.mean(axis=0), 0, atol=0.1 * emotions.std(axis=0).max())


def test_ratings_lie_where_their_emotions_do():
    """The quadrants of Russell's circumplex: pleasant or not, active or calm."""
    at = {emotion: (rated["valence"] - 3, rated["arousal"] - 3) for emotion, rated in _rated(1.0).items()}
    signs = {emotion: tuple(np.sign(np.round(place, 9)).astype(int)) for emotion, place in at.items()}
    assert signs == {
        **{"anger": (-1, 1), "fear": (-1, 1), "happiness": (1, 1)},
        **{"disgust": (-1, -1), "sadness": (-1, -1), "neutral": (0, 0)},
    }


def test_ratings_grow_with_expressiveness_and_stay_on_the_scale():
    for emotion, mild in _rated(0.5).items():
        strong, extreme = _rated(1.0)[emotion], _rated(100.0)[emotion]
        for name, value in mild.items():
            assert 2 * (value - 3) == pytest.approx(strong[name] - 3)
            assert extreme[name] in (1, 3, 5)


def _rated(expressiveness):
    random = np.random.default_rng(0)
    return {emotion: ratings(express(emotion, expressiveness, 0.0, random)) for emotion in EMOTIONS}


class Decoded(NamedTuple):
    table: pd.DataFrame
    waveforms: list[np.ndarray]
    means: np.ndarray  # of log-mel energies over time
    spreads: np.ndarray  # their standard deviations, and those of their differences
    pixels: np.ndarray  # the mean frame


@pytest.fixture(scope="module")
def decoded(tmp_path_factory):
    """The default corpus, decoded; only its pictures are smaller and fewer, to be quick."""
    root = tmp_path_factory.mktemp("toy")
    generate(root, ToyConfig(size=32, frame_rate=5))
    table = read(root).table
    waveforms = [read_audio(root / file) for file in table["file"]]
    energies = extract("logmel", waveforms, parse("logmel", {}))
    spreads = [np.concatenate([clip.std(axis=0), np.diff(clip, axis=0).std(axis=0)]) for clip in energies]
    pixels = [pictures(root / file).mean(axis=0).ravel() for file in table["file"]]
    return Decoded(
        table, waveforms, np.array([clip.mean(axis=0) for clip in energies]), np.array(spreads), np.array(pixels)
    )


def recall(model, values, labels, groups, folds=5):
    """Unweighted average recall, no group in both training and test."""
    predicted = cross_val_predict(
        make_pipeline(StandardScaler(), model), values, labels, groups=groups, cv=GroupKFold(folds)
    )
    return recall_score(labels, predicted, average="macro")


def test_no_single_number_predicts_the_emotion(decoded):
    table = decoded.table
    numbers = {
        "mean f0": np.log(table["f0"].to_numpy()),
        "energy": np.array([np.log(np.mean(waveform**2)) for waveform in decoded.waveforms]),
        "duration": np.array([len(waveform) for waveform in decoded.waveforms]),
        "mean pixel": decoded.pixels.mean(axis=1),
    }
    for name, values in numbers.items():
        for model in (GaussianNB(), KNeighborsClassifier(15)):
            score = recall(model, values[:, None], table["emotion"], table["speaker"])
            assert score < CHANCE + 0.15, (name, model, score)


def test_raw_means_predict_the_emotion_in_part(decoded):
    values = np.hstack([decoded.means, decoded.pixels[:, ::4]])
    seen = recall(LinearSVC(C=0.001), values, decoded.table["emotion"], decoded.table["sentence"], 4)
    unseen = recall(LinearSVC(C=0.001), values, decoded.table["emotion"], decoded.table["speaker"])
    assert CHANCE + 0.05 < unseen < 0.9
    assert seen < 0.9


def test_emotion_is_learnt_for_the_voices_of_unseen_speakers(decoded):
    values = np.hstack([decoded.means, decoded.spreads])
    model = RidgeClassifier(100)
    assert recall(model, values, decoded.table["emotion"], decoded.table["speaker"]) > CHANCE + 0.1
    shuffled = decoded.table["emotion"].sample(frac=1, random_state=0).to_numpy()
    assert abs(recall(model, values, shuffled, decoded.table["speaker"]) - CHANCE) < 0.1, "the control"


@pytest.mark.parametrize(("rating", "least"), [("arousal", 0.6), ("valence", 0.2)])
def test_ratings_are_learnt_for_the_voices_of_unseen_speakers(decoded, rating, least):
    values, truth = np.hstack([decoded.means, decoded.spreads]), decoded.table[rating].to_numpy(float)
    parts = {"groups": decoded.table["speaker"], "cv": GroupKFold(5)}
    model = make_pipeline(StandardScaler(), Ridge(100))
    assert audmetric.concordance_cc(truth, cross_val_predict(model, values, truth, **parts)) > least
    shuffled = np.random.default_rng(0).permutation(truth)
    assert audmetric.concordance_cc(shuffled, cross_val_predict(model, values, shuffled, **parts)) < 0.1, "the control"


def test_voice_and_face_predict_the_person_in_any_sentence(decoded):
    for values in (decoded.means, decoded.pixels):
        assert recall(RidgeClassifier(100), values, decoded.table["speaker"], decoded.table["sentence"], 4) > 0.5


# The files


def test_praat_measures_the_pitch_in_the_labels(decoded):
    errors = []
    for waveform, f0 in list(zip(decoded.waveforms, decoded.table["f0"], strict=True))[:40]:
        pitch = parselmouth.Sound(waveform.astype(float), 16_000).to_pitch(pitch_floor=60, pitch_ceiling=500)
        measured = pitch.selected_array["frequency"]
        errors.append(12 * np.log2(np.median(measured[measured > 0]) / f0))
    assert abs(np.median(errors)) < 0.3
    assert np.mean(np.abs(errors) < 1) > 0.9


def test_the_mouth_opens_with_the_voice(tmp_path):
    generate(tmp_path, ToyConfig(people=4, clips=12, frame_rate=25, difficulty=0.0))
    scores = {-6: [], 0: [], 6: []}
    for file in read(tmp_path).table["file"]:
        red, green, _ = np.moveaxis(pictures(tmp_path / file, "rgb24")[:, 36:54, 22:42].astype(float), -1, 0)
        mouth = (red + green < 160).mean(axis=(1, 2))
        sound = read_audio(tmp_path / file)
        edges = np.arange(len(mouth) + 1) * 640
        loud = np.array([np.sqrt(np.mean(sound[a:b] ** 2)) for a, b in pairwise(edges)])
        loud = np.convolve(np.nan_to_num(loud), np.ones(3) / 3, "same")
        for lag, correlations in scores.items():
            correlations.append(np.corrcoef(np.roll(loud, lag)[6:-6], mouth[6:-6])[0, 1])
    together = np.median(scores.pop(0))
    assert together > 0.5
    assert together > 0.3 + max(np.median(correlations) for correlations in scores.values())


def test_each_modality_is_a_true_file(tmp_path):
    generate(tmp_path, ToyConfig(people=2, clips=8, missing=0.5))
    table = read(tmp_path).table
    assert table["modality"].value_counts().to_dict() == {"voice+face": 4, "voice": 2, "face": 2}
    for file, modality in zip(table["file"], table["modality"], strict=True):
        info = probe(tmp_path / file)
        assert (info.audio, info.video) == ("voice" in modality, "face" in modality)
        assert 0.8 < info.seconds < 4
        assert (Path(file).suffix == ".wav") == (modality == "voice")
        assert (len(read_audio(tmp_path / file)) > 0) == info.audio
        if info.video:
            frames = pictures(tmp_path / file)
            assert frames.shape[1:] == (64, 64)
            assert len(frames) / 15 == pytest.approx(info.seconds, abs=0.1)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    config = ToyConfig(people=2, clips=6, missing=0.5)
    for name, settings in {"one": config, "two": config, "other": config.model_copy(update={"seed": 1})}.items():
        generate(tmp_path / name, settings)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    assert not set(hashes(tmp_path / "one").values()) & set(hashes(tmp_path / "other").values())


def test_an_interrupted_corpus_is_made_again_a_complete_one_is_kept(tmp_path):
    config = ToyConfig(people=2, clips=4)
    generate(tmp_path, config)
    whole = hashes(tmp_path)
    (tmp_path / "labels.csv").unlink()
    clip = next(tmp_path.rglob("*.mp4"))
    clip.write_bytes(b"half")
    generate(tmp_path, config)
    assert hashes(tmp_path) == whole
    clip.write_bytes(b"mine")
    generate(tmp_path, config)
    assert clip.read_bytes() == b"mine"


@pytest.mark.parametrize("there", ["labels.csv", "holiday.jpg"])
def test_a_folder_with_other_files_is_refused(tmp_path, there):
    (tmp_path / there).write_text("x")
    with pytest.raises(CorpusError):
        generate(tmp_path, ToyConfig(people=2, clips=2))
    assert [path.name for path in tmp_path.iterdir()] == [there]


def test_other_settings_another_version_and_a_file_are_refused(tmp_path):
    generate(tmp_path / "toy", ToyConfig(people=2, clips=2))
    card, labels = tmp_path / "toy" / "toy.json", tmp_path / "toy" / "labels.csv"
    with pytest.raises(CorpusError):
        generate(tmp_path / "toy", ToyConfig(people=2, clips=3))
    with pytest.raises(CorpusError) as error:
        generate(labels, ToyConfig())
    assert str(error.value) == f"{labels}: is a file, and the toy corpus needs a folder; choose another name"
    card.write_text(card.read_text().replace(f'"version": {VERSION}', '"version": 1'))
    with pytest.raises(CorpusError):
        generate(tmp_path / "toy", ToyConfig(people=2, clips=2))


def test_a_lost_file_is_a_problem_and_a_shortfall(tmp_path):
    generate(tmp_path, ToyConfig(people=2, clips=4))
    lost = read(tmp_path).table["file"][1]
    (tmp_path / lost).unlink()
    corpus = read(tmp_path)
    assert (len(corpus.table), corpus.expected, corpus.shortfall) == (3, 4, 1)
    assert corpus.problems.to_numpy().tolist() == [[lost, "no such file, left out"]]
