"""The file names of published corpora: speaker, sentence, emotion, recording."""

import pytest

from mien.corpora import names
from mien.errors import ConfigError, unknown

PARTS = {
    "cremad": ("1074_IWL_ANG_XX", {"speaker": "1074", "sentence": "IWL", "emotion": "anger"}),
    "emodb": ("03a01Fa", {"speaker": "03", "sentence": "a01", "emotion": "happiness"}),
    "enterface": ("s14_an_3", {"speaker": "14", "sentence": "an_3", "emotion": "anger"}),
    "iemocap": ("Ses01F_impro01_M000", {"speaker": "Ses01M", "session": "1", "recording": "Ses01F_impro01"}),
    "librispeech": ("84-121123-0000", {"speaker": "84", "recording": "84-121123"}),
    "nemo": ("EB0_surprised_1", {"speaker": "EB0", "sentence": "1", "emotion": "surprise"}),
    "ravdess": (
        "03-01-05-01-02-01-16",
        {"speaker": "16", "sentence": "Dogs are sitting by the door", "emotion": "anger"},
    ),
    "savee": ("DC_sa01", {"speaker": "DC", "emotion": "sadness"}),
    "tess": ("OAF_back_ps", {"speaker": "OAF", "sentence": "back", "emotion": "surprise"}),
}


def test_every_rule_is_tested():
    assert set(PARTS) == set(names.RULES)


@pytest.mark.parametrize("corpus", PARTS)
def test_a_name_gives_speaker_sentence_and_emotion(corpus):
    stem, expected = PARTS[corpus]
    assert names.RULES[corpus].parse(stem) == expected
    assert names.RULES[corpus].parse(f"x{stem}") is None


@pytest.mark.parametrize("corpus", PARTS)
def test_a_name_is_of_one_corpus(corpus):
    stem = PARTS[corpus][0]
    assert [name for name, rule in names.RULES.items() if rule.parse(stem)] == [corpus]
    assert names.recognise([stem] * 9 + ["readme"]) == corpus
    assert names.recognise([stem] * 8 + ["readme"] * 2) is None


def test_the_innermost_folder_gives_the_speaker():
    assert names.RULES["ravdess"].folder_speaker("x/Actor_03/Actor_11/03-01.wav") == "11"
    assert names.RULES["enterface"].folder_speaker("subject 6/anger/sentence 1/s6_an_1.avi") == "6"
    assert names.RULES["ravdess"].folder_speaker("Actors_01-24/a.wav") is None
    assert names.RULES["emodb"].folder_speaker("03/a.wav") is None


def test_a_corpus_is_found_however_it_is_spelt():
    assert names.find("CREMA-D") == names.find("crema_d") == "cremad"
    assert names.find("msp") is None
    with pytest.raises(ConfigError) as error:
        names.rule("ravdes")
    assert str(error.value) == f"--reader: {unknown('corpus', 'ravdes', names.RULES)}"
