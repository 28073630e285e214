"""Targets: how columns become labels, and what is refused in one sentence."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import zscore
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from mien.common.settings import parse
from mien.corpora.schemes import SCHEMES
from mien.data.targets import Target, TargetSettings, fitted, main_target, rightness
from mien.errors import ConfigError

TABLE = pd.DataFrame(
    {
        "clip": ["a", "b", "c", "d", "e"],
        "emotion": ["anger", "anger+sadness", None, "boredom", "excitement"],
        "stress": ["yes", "no", None, "no", "maybe"],
        "code": [1.0, 0.0, np.nan, 1.0, 0.0],
        "valence": [1.0, 2.0, 4.0, np.nan, 5.0],
        "calm": [3.0, 1.0, 0.0, np.nan, 2.0],
        "tense": [1.0, 1.0, 0.0, 2.0, 0.0],
    }
)


def settings(**given):
    return TargetSettings.model_validate_json(json.dumps(given))


def main(factor, scheme=None, **given):
    return main_target(factor, settings(**given), scheme, TABLE)


def test_emotions_fall_into_the_classes_of_a_scheme():
    target = main("emotion", SCHEMES["iemocap"])
    assert target.labels(TABLE).tolist() == [0, -1, -1, -1, 1]
    assert target.truth(TABLE).fillna("").tolist() == ["anger", "anger+sadness", "", "", "happiness"]
    assert target.unmapped(TABLE) == {"boredom": 1}


def test_a_column_without_a_scheme_has_the_classes_that_it_has():
    target = main("stress")
    assert target.classes == ("maybe", "no", "yes")
    assert target.labels(TABLE).tolist() == [2, 1, -1, 1, 0]
    assert main("code").classes == ("0", "1"), "whole numbers have no point"
    assert main("code").labels(TABLE).tolist() == [1, 0, -1, 1, 0]


def test_a_distribution_sums_to_one_and_is_known_or_not():
    target = main("mood", kind="soft", columns=["calm", "tense"])
    labels = target.labels(TABLE).numpy()
    np.testing.assert_allclose(labels[[0, 1, 4]], [[0.75, 0.25], [0.5, 0.5], [1, 0]])
    assert np.isnan(labels[[2, 3]]).all(), "no vote, or one that is not known"
    assert target.truth(TABLE).fillna("").tolist() == ["calm", "calm", "", "", "calm"], "the first of equals"


def test_logits_are_a_distribution_by_their_softmax():
    table = TABLE.assign(yes=[1.0, -2.0, np.nan, 700.0, 0.0], no=[0.0, 3.0, 1.0, -700.0, 0.0])
    own = settings(kind="soft", columns=["yes", "no"], logits=True)
    target = main_target("mood", own, None, table)
    labels = target.labels(table).numpy()
    np.testing.assert_allclose(labels[[0, 1, 4], 0], [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(5)), 0.5])
    assert labels[3].tolist() == [1, 0]
    assert np.isnan(labels[2]).all()
    assert target.truth(table).fillna("").tolist() == ["yes", "no", "", "yes", "yes"]
    assert Target.of_plain(target.plain()) == target
    assert fitted("mood", own, target, table) == target


def test_numbers_are_in_deviations_of_the_training_clips_and_come_back():
    target = fitted("valence", settings(kind="numbers"), main("valence", kind="numbers"), TABLE)
    labels = target.labels(TABLE).numpy()
    np.testing.assert_allclose(labels[:, 0], zscore(TABLE["valence"], nan_policy="omit"))
    np.testing.assert_allclose(target.values(labels)[:, 0], TABLE["valence"])
    assert target.main


@given(st.lists(st.floats(-1e3, 1e3).map(lambda value: round(value, 3)), min_size=12, max_size=60, unique=True))
def test_levels_are_equal_shares_of_the_training_clips(values):
    table = pd.DataFrame({"clip": map(str, range(len(values))), "arousal": values})
    how = settings(kind="levels", levels=3)
    target = fitted("arousal", how, main_target("arousal", how, None, table), table)
    labels = target.labels(table).numpy()
    assert target.classes == ("low", "medium", "high")
    assert np.ptp(np.bincount(labels, minlength=3)) <= 1
    order = np.argsort(values)
    assert (np.diff(labels[order]) >= 0).all(), "a higher number is of no lower level"
    assert target.truth(table).tolist() == [target.classes[label] for label in labels]


def test_a_value_on_a_given_limit_is_of_the_lower_level():
    """Table I of Rana et al. 2019, for MSP-IMPROV: [1, 2.5], (2.5, 3.5], (3.5, 5]."""
    values = [1, 2.5, 2.51, 3.5, 3.51, 5, np.nan]
    table = pd.DataFrame({"clip": list("abcdefg"), "valence": values})
    how = settings(kind="levels", limits=[2.5, 3.5], scale=[1, 5])
    target = main_target("valence", how, None, table)
    assert target.labels(table).tolist() == [0, 0, 1, 1, 2, 2, -1]
    assert target.classes == ("low", "medium", "high")
    assert fitted("valence", how, target, table.iloc[:2]) == target, "nothing is fitted"
    other = fitted("valence", how, main("emotion", SCHEMES["iemocap"]), table.iloc[:2])
    assert other.labels(table).tolist() == [0, 0, 1, 1, 2, 2, -1]


def test_a_value_on_a_quantile_is_of_the_upper_level():
    table = pd.DataFrame({"clip": list("abcd"), "valence": [1.0, 2.0, 2.0, 4.0]})
    how = settings(kind="levels", levels=2)
    target = fitted("valence", how, main_target("valence", how, None, table), table)
    assert target.edges == (2.0,)
    assert target.labels(table).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("given", [{"limits": [2, 3, 4]}, {"levels": 4}, {}])
def test_the_number_of_levels_follows_from_limits_and_survives_a_run(given):
    how = settings(kind="levels", **given)
    assert how.levels == (4 if given else 3)
    assert settings(**how.model_dump(mode="json")) == how


@pytest.mark.parametrize("given", [{"kind": "levels"}, {"kind": "levels", "limits": [3]}, {"kind": "numbers"}])
@pytest.mark.parametrize(("scale", "clip", "found"), [([2, 5], "a", "1"), ([1, 4], "e", "5")])
def test_a_value_outside_the_scale_is_refused(given, scale, clip, found):
    how = settings(scale=scale, **given)
    sentence = (
        f"target 'valence': clip {clip} has {found} in column 'valence', and the scale goes from {scale[0]} to "
        f"{scale[1]}; mend the table, or give the scale that it has, data.targets.valence.scale"
    )
    with pytest.raises(ConfigError) as refused:
        main_target("valence", how, None, TABLE)
    assert str(refused.value) == sentence
    assert main_target("valence", settings(scale=[1, 5], **given), None, TABLE).main


def ratings(seed=0):
    """Clips of three groups of ratings, apart; the fourth column tells the group."""
    random = np.random.default_rng(seed)
    group = np.arange(60) % 3
    points = np.array([[4.0, 4.0], [1.5, 2.0], [4.0, 1.5]])[group] + random.normal(0, 0.3, (60, 2))
    columns = {"valence": points[:, 0], "activation": points[:, 1], "group": group}
    return pd.DataFrame({"clip": [f"c{number:02d}" for number in range(60)], **columns})


CLUSTERS = {"kind": "clusters", "columns": ["valence", "activation"]}


def clustered(train, *, main=True, **given):
    how = settings(**CLUSTERS, **given)
    other = Target("stress", "classes", ("stress",), ("no", "yes"))
    return fitted("mood", how, main_target("mood", how, None, train) if main else other, train)


def test_clusters_are_those_of_kmeans_in_a_stable_order():
    table = ratings()
    target = clustered(table)
    points = table[["valence", "activation"]].to_numpy()
    found = KMeans(3, n_init=10, random_state=1).fit(points)
    centres = np.array(sorted(found.cluster_centers_.tolist()))
    np.testing.assert_allclose(target.midpoints, centres)
    assert target.classes == ("cluster 1", "cluster 2", "cluster 3")
    distances = cdist(points, centres)
    assert target.labels(table).tolist() == distances.argmin(axis=1).tolist()
    assert target.truth(table).tolist() == [f"cluster {number + 1}" for number in distances.argmin(axis=1)]
    assert adjusted_rand_score(table["group"], target.labels(table)) > 0.9
    assert clustered(table.sample(frac=1, random_state=0)) == target, "the order of clips plays no role"
    assert clustered(table, main=False) == replace(target, main=False)


def test_clusters_have_given_names_and_equal_columns_yield_to_the_next():
    table = pd.DataFrame({"clip": list("abcd"), "valence": [2.0, 2.0, 1.0, 2.0], "activation": [4.0, 1.0, 3.0, 1.0]})
    target = clustered(table, classes=["dull", "calm", "keen"])
    assert target.midpoints == ((1, 3), (2, 1), (2, 4))
    assert target.truth(table).tolist() == ["keen", "calm", "dull", "calm"]


@pytest.mark.parametrize("given", [CLUSTERS, {"kind": "levels", "columns": "valence"}])
@pytest.mark.parametrize("main", [True, False])
def test_only_known_training_clips_decide_on_clusters_and_levels(given, main):
    """Outliers in validation and test, and training clips whose label is withheld, change nothing."""
    table = ratings()
    train, held = table.iloc[:40].copy(), table.iloc[40:].copy()
    train.loc[train.index[:5], "valence"] = np.nan
    how, other = settings(**given), Target("stress", "classes", ("stress",), ("no", "yes"))
    alone = train.iloc[5:]
    expected = fitted("mood", how, main_target("mood", how, None, alone) if main else other, alone)
    for far in (1e3, -1e3):
        for place in (0, 19):  # of validation, of test
            held.iloc[place, held.columns.get_loc("valence")] = far
        whole = pd.concat([train, held])
        found = fitted("mood", how, main_target("mood", how, None, whole) if main else other, train)
        assert found == expected
        assert found.labels(whole)[:5].tolist() == [-1] * 5
        assert (found.labels(held) >= 0).all(), "an outlier is of the nearest"
    moved = train.assign(valence=train["valence"].where(train.index != 20, 1e3))
    assert fitted("mood", how, other, moved) != expected, "the control: in training it counts"


def test_a_clip_of_which_a_column_is_missing_is_of_no_cluster():
    table = ratings()
    table.loc[3, "activation"] = np.nan
    how = settings(**CLUSTERS)
    target = main_target("mood", how, None, table)
    assert target.truth(table).isna().tolist() == [row == 3 for row in range(60)]
    assert clustered(table).labels(table)[3] == -1


def test_too_few_different_points_for_the_clusters_are_refused():
    table = ratings().assign(valence=[1.0, 2.0] * 30, activation=1.0)
    with pytest.raises(ConfigError) as refused:
        clustered(table)
    assert str(refused.value) == (
        "target 'mood': its training clips have 2 different points of valence and activation, too few for 3 clusters; "
        "give fewer, with data.targets.mood.clusters"
    )


def test_what_is_fitted_survives_json():
    how = settings(kind="levels", levels=2, columns="valence")
    clusters = settings(kind="clusters", columns=["valence", "calm"], clusters=2)
    for target in (
        main("valence", kind="levels", limits=[2, 4]),
        fitted("calm", settings(kind="numbers", loss="concordance"), main("emotion", SCHEMES["iemocap"]), TABLE),
        main("emotion", SCHEMES["iemocap"]),
        fitted("valence", settings(kind="numbers"), main("valence", kind="numbers"), TABLE),
        fitted("height", how, main("emotion", SCHEMES["iemocap"]), TABLE),
        fitted("mood", clusters, main("emotion", SCHEMES["iemocap"]), TABLE),
    ):
        again = Target.of_plain(json.loads(json.dumps(target.plain())))
        assert again == target
        assert torch.equal(again.labels(TABLE).nan_to_num(9), target.labels(TABLE).nan_to_num(9))


def test_the_score_of_outputs_depends_on_the_kind():
    emotion, labels = main("stress"), torch.tensor([2, 1, -1, 1, 0])
    answers = np.eye(3)[[2, 1, 0, 0, 0]]
    assert rightness(emotion, answers, labels) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3), "macro F1 of the main target"
    other = fitted("stress", settings(), main("code"), TABLE)
    assert rightness(other, answers, labels) == 0.75, "accuracy of the known ones"
    number = fitted("valence", settings(kind="numbers"), main("valence", kind="numbers"), TABLE)
    assert rightness(number, number.labels(TABLE).numpy(), number.labels(TABLE)) == pytest.approx(1)
    assert rightness(number, -number.labels(TABLE).numpy(), number.labels(TABLE)) < 0
    assert np.isnan(rightness(emotion, answers, torch.full((5,), -1)))


@pytest.mark.parametrize(
    ("factor", "given", "sentence"),
    [
        (
            "stres",
            {},
            "unknown target 'stres'. Did you mean 'stress'? Known: calm, code, emotion, stress, tense, valence.",
        ),
        (
            "mood",
            {"kind": "soft", "columns": ["calm", "tens"]},
            "data.targets.mood.columns: unknown column 'tens'. Did you mean 'tense'? Known: calm, code, emotion, "
            "stress, tense, valence.",
        ),
        (
            "stress",
            {"kind": "numbers"},
            "target 'stress': column 'stress' holds 'yes', which is no number; write kind: classes for it, or leave "
            "such clips empty",
        ),
        (
            "code",
            {"kind": "levels", "levels": 3},
            "target 'code': its training clips have too few different numbers for 3 levels; give fewer, with "
            "data.targets.code.levels",
        ),
    ],
)
def test_a_target_that_cannot_be_read_is_refused(factor, given, sentence):
    with pytest.raises(ConfigError) as refused:
        fitted(factor, settings(**given), main(factor, **given), TABLE)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("factor", "given", "sentence"),
    [
        (
            "model",
            {"kind": "numbers", "columns": "valence"},
            "target 'model': tables of predictions have another column of this name; choose a name for the target and "
            "give its column: data.targets: {NAME: {columns: model}}",
        ),
        (
            "no",
            {"columns": "stress"},
            "target 'no': class 'no': tables of predictions have another column of this name; give the class another "
            "name, with data.scheme: {classes: [...], merge: {no: NAME}}",
        ),
        (
            "valence",
            {"kind": "levels", "classes": ["low", "middle", "end"]},
            "target 'valence': class 'end': tables of predictions have another column of this name; give the class "
            "another name, with data.targets.valence.classes",
        ),
        (
            "mood",
            {"kind": "soft", "columns": ["calm", "tense"], "classes": ["calm", "calm+tense"]},
            "target 'mood': class 'calm+tense': a class has no '+', which joins several",
        ),
    ],
)
def test_names_that_tables_of_predictions_cannot_hold_are_refused(factor, given, sentence):
    with pytest.raises(ConfigError) as refused:
        main(factor, **given)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"logits": True}, "'logits' is of a distribution; leave it out, or write kind: soft with its columns"),
        ({"kind": "soft"}, "a distribution needs its columns, one a class: columns: [NAME, NAME, ...]"),
        ({"kind": "levels", "classes": ["low", "high"]}, "2 classes are named for 3; name one for each"),
        (
            {"kind": "numbers", "classes": ["a", "b"]},
            "numbers have no classes; leave 'classes' out, or write kind: levels",
        ),
        ({"classes": ["a", "a"]}, "a class is named twice; name each once"),
        ({"columns": ["calm", "tense"]}, "classes are read from one column; name one"),
        (
            {"kind": "levels", "limits": [2, 3], "levels": 4},
            "2 limits make 3 levels, and 'levels' is 4; leave 'levels' out",
        ),
        ({"kind": "levels", "limits": [3.5, 2]}, "'limits' are 3.5, 2; give them from the lowest up, each once"),
        ({"kind": "levels", "limits": [2, 2]}, "'limits' are 2, 2; give them from the lowest up, each once"),
        (
            {"kind": "levels", "limits": [2, 5], "scale": [1, 5]},
            "'limits' are 2, 5, and the scale goes from 1 to 5, so that a level would have no value; give limits "
            "inside it",
        ),
        (
            {"kind": "levels", "loss": "concordance"},
            "'loss' is of numbers; leave it out, or write kind: numbers",
        ),
        ({"kind": "levels", "scale": [5, 1]}, "'scale' is 5, 1; give the lowest value, then the highest"),
        ({"kind": "numbers", "limits": [2]}, "'limits' is of levels; leave it out, or write kind: levels"),
        ({"levels": 4}, "'levels' is of levels; leave it out, or write kind: levels"),
        ({"scale": [1, 5]}, "'scale' is of numbers, levels and clusters; leave it out, or write kind: numbers"),
        (
            {"kind": "clusters", "columns": "valence"},
            "clusters are of two or more columns of numbers: columns: [NAME, NAME]",
        ),
        ({**CLUSTERS, "clusters": 4, "classes": ["a", "b"]}, "2 classes are named for 4; name one for each"),
        ({"clusters": 4}, "'clusters' is of clusters; leave it out, or write kind: clusters with its columns"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(given, sentence):
    with pytest.raises(ConfigError) as refused:
        parse(TargetSettings, given, "data.targets.mood")
    assert str(refused.value) == f"data.targets.mood: {sentence}"
