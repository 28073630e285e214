"""An affine map recovers a planted one, equals scikit-learn's pipeline, and knows no speaker that it is tested on."""

from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mien.audit.recognition import affine
from mien.audit.statistics.significance import wilcoxon
from mien.errors import LeakError

CLASSES = ("anger", "joy", "sadness", "fear")


def planted(n, *, outputs=8, classes=4, noise=0.0, seed=0):
    """Outputs (n, K), and the class that is highest after a hidden affine map of them."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((n, outputs)) * 3 - 5
    hidden = (values + 5) @ random.standard_normal((outputs, classes)) + random.standard_normal(classes)
    return values, (hidden + noise * random.standard_normal(hidden.shape)).argmax(axis=1)


def test_a_planted_map_is_recovered_and_shuffled_labels_give_chance():
    values, labels = planted(1_500)
    part = np.arange(1_500) % 10
    assert (affine.answers(values, labels, part, 4).argmax(axis=1) == labels).mean() > 0.97
    shuffled = np.random.default_rng(1).permutation(labels)
    right = (affine.answers(values, shuffled, part, 4).argmax(axis=1) == shuffled).mean()
    majority = np.bincount(labels).max() / 1_500
    assert abs(right - majority) < 4 * np.sqrt(majority / 1_500) + 0.02
    assert (affine.answers(np.ones((1_500, 8)), labels, part, 4).argmax(axis=1) == labels).mean() <= majority


def test_true_probabilities_are_recovered_from_samples_of_them():
    random = np.random.default_rng(3)
    values = random.standard_normal((20_000, 3))
    truth = softmax(values @ np.array([[1.0, -1.0, 0.0], [0.5, 0.0, -2.0], [0.0, 1.0, 1.0]]) + [0.3, -0.3, 0.0], axis=1)
    labels = (random.random((20_000, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    found = affine.fit(values, labels, 3).probabilities(values)
    assert np.abs(found - truth).mean() < 0.01


@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities_are_those_of_a_plain_pipeline(classes):
    values, labels = planted(200, classes=classes, noise=6.0)
    part = affine.over_clips([f"c{number}" for number in range(200)], labels)
    found = affine.answers(values, labels, part, classes)
    for number in range(10):
        test = part == number
        oracle = make_pipeline(StandardScaler(), LogisticRegression(C=affine.C, max_iter=5_000, tol=1e-10))
        oracle.fit(values[~test], labels[~test])
        np.testing.assert_allclose(found[test], oracle.predict_proba(values[test]), atol=1e-4)
        np.testing.assert_array_equal(found[test].argmax(axis=1), oracle.predict(values[test]))


def test_an_affine_change_of_the_outputs_changes_no_prediction():
    values, labels = planted(300, noise=6.0)
    random = np.random.default_rng(5)
    part = np.arange(300) % 10
    changed = values @ random.standard_normal((8, 8)) * 100 + random.standard_normal(8)
    first, second = (affine.answers(one, labels, part, 4) for one in (values, changed))
    np.testing.assert_allclose(first, second, atol=2e-3)
    assert (first.argmax(axis=1) == second.argmax(axis=1)).mean() > 0.99
    np.testing.assert_array_equal(first, affine.answers(values, labels, part, 4))


def test_the_map_is_one_matrix_and_one_bias():
    values, labels = planted(200, noise=4.0)
    found = affine.fit(values, labels, 4)
    assert (found.matrix.shape, found.bias.shape) == ((4, 8), (4,))
    expected = softmax(values @ found.matrix.T + found.bias, axis=1)
    np.testing.assert_allclose(found.probabilities(values), expected, rtol=1e-12)


def test_a_class_without_training_clips_is_never_predicted():
    values, labels = planted(60, noise=2.0)
    kept = labels != 2
    found = affine.fit(values[kept], labels[kept], 4).probabilities(values)
    assert (found[:, 2] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    alone = affine.fit(values[labels == 1], labels[labels == 1], 4).probabilities(values)
    np.testing.assert_array_equal(alone, np.tile([0.0, 1.0, 0.0, 0.0], (60, 1)))


def hashed(names):
    return sorted(names, key=lambda name: sha256(name.encode()).digest())


def test_folds_over_clips_are_dealt_by_class_and_hash():
    names, labels = [f"clip-{number}" for number in range(24)], np.arange(24) % 2
    part = affine.over_clips(names, labels)
    order = [*hashed(names[0::2]), *hashed(names[1::2])]
    assert dict(zip(names, part, strict=True)) == {name: place % 10 for place, name in enumerate(order)}
    assert sorted(np.bincount(part)) == [2] * 6 + [3] * 4
    assert affine.over_clips(names[:3], labels[:3]).max() == 2, "no more folds than clips"


def test_at_most_ten_speakers_are_left_out_one_by_one_and_more_in_ten_groups():
    few = affine.over_speakers(["b", "a", "c", "a"])
    names = hashed("abc")
    assert few.tolist() == [names.index(name) for name in "baca"]
    names = [f"s{number}" for number in range(24)]
    many = affine.over_speakers([*names, *names])
    assert dict(zip(names, many, strict=False)) == {name: place % 10 for place, name in enumerate(hashed(names))}
    np.testing.assert_array_equal(many[:24], many[24:])
    assert sorted(np.bincount(many[:24])) == [2] * 6 + [3] * 4


def test_whole_speakers_are_tested_and_a_divided_one_is_refused(monkeypatch):
    clips = pd.DataFrame({"clip": [f"c{n}" for n in range(40)], "speaker": [f"s{n % 5}" for n in range(40)]})
    found = affine.parts(clips, np.arange(40) % 4)
    assert (clips.groupby("speaker")["clip"].size() == 8).all()
    assert pd.Series(found["speakers"]).groupby(clips["speaker"]).nunique().tolist() == [1] * 5
    assert pd.Series(found["clips"]).groupby(clips["speaker"]).nunique().min() > 1
    monkeypatch.setattr(affine, "over_speakers", lambda speakers: np.arange(len(speakers)) % 3)
    with pytest.raises(LeakError, match="speakers are in both train and test"):
        affine.parts(clips, np.arange(40) % 4)


def rows(*, system="student", noise=0.0, cells=1, seed=0, speakers=12, each=20):
    """Predictions of a system: each cell errs by itself, the more the greater the noise."""
    random, tables = np.random.default_rng(seed), []
    count = speakers * each
    truth = np.random.default_rng(9).integers(0, 4, count)
    for cell in range(cells):
        wrong = random.random(count) < noise
        guess = np.where(wrong, random.integers(0, 4, count), truth)
        table = pd.DataFrame(
            {"clip": [f"c{n}" for n in range(count)], "speaker": [f"s{n % speakers}" for n in range(count)]}
        )
        table = table.assign(
            system=system, protocol="speakers", fold=cell, seed=0, part=np.arange(count) % speakers % 10
        )
        names = np.array(CLASSES)
        tables.append(table.assign(truth=names[truth], predicted=names[guess]))
    return pd.concat(tables, ignore_index=True)


def test_scores_are_those_of_scikit_learn_and_the_spread_is_over_folds():
    table = rows(noise=0.4)
    (found,) = affine.scored(table, CLASSES)
    assert found["wa"] == pytest.approx(accuracy_score(table["truth"], table["predicted"]))
    assert found["uar"] == pytest.approx(recall_score(table["truth"], table["predicted"], average="macro"))
    each = [accuracy_score(part["truth"], part["predicted"]) for _, part in table.groupby("part")]
    assert (found["wa_mean"], found["wa_std"]) == pytest.approx((np.mean(each), np.std(each, ddof=1)))
    assert (found["parts"], found["speakers"], found["clips"]) == (10, 12, 240)
    by_speaker = {who: accuracy_score(part["truth"], part["predicted"]) for who, part in table.groupby("speaker")}
    assert found["worst_wa"] == pytest.approx(min(by_speaker.values()))
    assert by_speaker[found["worst_speaker"]] == min(by_speaker.values())


def test_cells_are_averaged_within_a_clip_and_do_not_narrow_the_interval():
    one, five = rows(noise=0.4), rows(noise=0.4, cells=5)
    (found,) = affine.scored(five, CLASSES)
    right = (five["truth"] == five["predicted"]).groupby(five["clip"]).mean()
    assert found["wa"] == pytest.approx(right.mean())
    same = pd.concat([one.assign(fold=cell) for cell in range(5)])
    first, second = affine.scored(one, CLASSES)[0], affine.scored(same, CLASSES)[0]
    for key in ("wa", "wa_low", "wa_high", "uar", "wa_mean", "wa_std"):
        assert first[key] == pytest.approx(second[key])


def test_differences_are_paired_over_the_speakers_of_shared_clips():
    good, bad = rows(noise=0.3), rows(system="untrained", noise=0.8, seed=4)
    part = bad[bad["clip"] != "c0"]
    found = affine.compared(pd.concat([good, part]), [("student", "untrained")], CLASSES)
    (wa,) = [row for row in found if row["measure"] == "wa"]
    shared = good[good["clip"] != "c0"]
    right = [(one["truth"] == one["predicted"]).groupby(one["speaker"]).mean() for one in (shared, part)]
    assert (wa["clips"], wa["speakers"]) == (239, 12)
    assert wa["p"] == pytest.approx(wilcoxon((right[0] - right[1]).to_numpy()))
    assert wa["low"] > 0
    assert wa["separable"]
    same = affine.compared(pd.concat([good, good.assign(system="twin")]), [("student", "twin")], CLASSES)
    assert [(row["difference"], row["p"], row["separable"]) for row in same] == [(0, 1, False)] * 2


def test_p_is_corrected_over_the_pairs_of_a_family():
    systems = [
        rows(system=name, noise=noise, seed=seed)
        for seed, (name, noise) in enumerate({"a": 0.5, "b": 0.55, "c": 0.7}.items())
    ]
    table = pd.concat(systems)
    family = affine.compared(table, [("a", "c"), ("b", "c")], CLASSES)
    alone = affine.compared(table, [("a", "c")], CLASSES)
    first = [row["p_holm"] for row in (*family, *alone) if (row["system"], row["measure"]) == ("a", "wa")]
    assert alone[0]["p"] == alone[0]["p_holm"]
    assert first[0] == pytest.approx(2 * first[1])
    assert affine.compared(table, [], CLASSES) == []
