"""Schemes: the class of each emotion, and the list of emotions without a class."""

import pandas as pd
import pytest

from mien.corpora.schemes import EMOTIONS, SCHEMES, SYNONYMS, apply, canonical, scheme
from mien.errors import ConfigError, unknown


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_uses_canonical_names(name):
    known = scheme(name)
    assert known.name == name
    assert len(set(known.classes)) == len(known.classes)
    assert set(known.classes) <= set(EMOTIONS)
    assert set(known.merge) <= set(EMOTIONS) - set(known.classes)
    assert set(known.merge.values()) <= set(known.classes)
    assert all(known.label(name) == {name} for name in known.classes)


def test_a_scheme_has_as_many_classes_as_its_corpus():
    counts = {name: len(scheme(name).classes) for name in SCHEMES}
    assert (
        counts
        | {
            "crema_d": 6,
            "emodb": 7,
            "nemo": 6,
            "ravdess": 8,
            "iemocap": 4,
            "cmu_mosei": 7,
            "toy": 6,
            "none": 0,
            "enterface": 6,
            "rml": 6,
            "tess": 7,
        }
        == counts
    )
    assert set(scheme("shared").classes) == set(scheme("emodb").classes) & set(scheme("ravdess").classes)


def test_iemocap_merges_excitement_into_happiness_and_nothing_else():
    iemocap = scheme("iemocap")
    assert iemocap.label("excitement") == iemocap.label("happiness") == {"happiness"}
    assert iemocap.label("frustration") == frozenset()


def test_emovoxceleb_merges_what_is_rare_in_interviews_into_one_class():
    merging = scheme("emovoxceleb")
    emotions = {"neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"}
    rare = {emotion for emotion in emotions if merging.label(emotion) == {"other"}}
    assert rare == {"disgust", "fear", "contempt", "surprise"}
    assert set().union(*map(merging.label, emotions)) == set(merging.classes)
    assert len(merging.classes) == 5


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, "", "+"])
def test_an_unknown_emotion_has_no_class_and_is_not_listed(missing):
    assert scheme("emodb").label(missing) == frozenset()
    assert scheme("emodb").unmapped(missing) == []


def test_several_emotions_keep_those_with_a_class_and_list_the_others():
    emotions = pd.Series(
        ["sadness+anger", "anger+disgust", "excitement+happiness", "surprise", None, "neutral"],
        index=list("uvwxyz"),
        dtype="str",
    )
    labels, lost = apply(scheme("iemocap"), emotions)
    assert labels.fillna("?").to_dict() == {
        "u": "anger+sadness",
        "v": "anger",
        "w": "happiness",
        "x": "?",
        "y": "?",
        "z": "neutral",
    }
    assert lost == {"disgust": 1, "surprise": 1}


def test_every_clip_has_a_label_or_was_unknown_or_is_counted():
    emotions = pd.Series([*EMOTIONS, *EMOTIONS, None], dtype="str")
    for known in SCHEMES.values():
        labels, lost = apply(known, emotions)
        assert labels.notna().sum() + sum(lost.values()) + 1 == len(emotions)


def test_no_emotions_give_no_labels():
    labels, lost = apply(scheme("emodb"), pd.Series([], dtype="str"))
    assert (len(labels), lost) == (0, {})


def test_a_scheme_without_classes_labels_nothing():
    labels, lost = apply(scheme("none"), pd.Series(["anger", None], dtype="str"))
    assert labels.isna().all()
    assert lost == {"anger": 1}


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Happy", "happiness"),
        ("ang", "anger"),
        ("SAD+exc", "sadness+excitement"),
        ("neutral", "neutral"),
        ("awe", "awe"),
    ],
)
def test_usual_spellings_have_one_name(spelling, name):
    assert canonical(spelling) == name


def test_synonyms_are_not_canonical_and_lead_to_canonical_names():
    assert not set(SYNONYMS) & set(EMOTIONS)
    assert set(SYNONYMS.values()) <= set(EMOTIONS)


def test_an_unknown_scheme_suggests_the_nearest():
    with pytest.raises(ConfigError) as error:
        scheme("ravdes")
    assert str(error.value) == unknown("scheme", "ravdes", SCHEMES)
