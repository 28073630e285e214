"""A grid of conditions is read from a name or a file, and what is misspelt in it is refused with the nearest."""

import pytest

from mien.errors import ConfigError
from mien.experiments.conditions import NOTHING, Condition, load, names


def written(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def test_the_default_grid_crosses_modalities_patterns_and_shares():
    name, grid = load("default")
    found = list(grid.all())
    assert name == "default"
    assert len(set(found)) == len(found)
    frames = [one for one in found if one.pattern in ("whole", "blocks", "frames")]
    assert len(frames) == 3 * 3 * 5
    assert {one.level for one in frames} == {0, 0.25, 0.5, 0.75, 1}
    assert [one.level for one in found if one.pattern == "babble"] == [20, 10, 0]
    assert [one.level for one in found if one.pattern == "shift"] == [0, 100, 250, 500]
    assert {one.pattern for one in found} >= {"face_lost", "white noise", "pink noise"}
    assert names() == ["default"]


def test_conditions_of_the_same_inputs_have_one_that_stands_for_them():
    for pattern in ("whole", "blocks", "frames", "face_lost"):
        assert Condition("video", pattern, 0.0).same == NOTHING
        assert Condition("video", pattern, 1.0).same == Condition("video", "whole", 1.0)
        assert Condition("video", pattern, 0.5).same == Condition("video", pattern, 0.5)
    assert Condition("audio+video", "shift", 0.0).same == NOTHING
    assert Condition("audio", "babble", 0.0).same == Condition("audio", "babble", 0.0)  # 0 dB is no clean sound
    assert [Condition("", pattern, 1).unit for pattern in ("frames", "pink noise", "shift")] == ["share", "dB", "ms"]


def test_levels_are_in_order_however_they_are_written(tmp_path):
    _, grid = load(written(tmp_path, "face_lost: {shares: [1, 0.5]}\nnoise: {colours: [pink], decibels: [0, 20]}"))
    assert [one.level for one in grid.all()] == [0.5, 1, 20, 0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("missing: {modalities: [audio], patterns: [blok], shares: [1]}", "unknown pattern 'blok'. Did you mean 'blo"),
        ("missing: {modalities: [vidoe], patterns: [whole], shares: [1]}", "Did you mean 'video'?"),
        (
            "missing: {modalities: [audio], pattern: [whole], shares: [1]}",
            "unknown key 'missing.pattern'. Did you mean",
        ),
        ("nois: {decibels: [0]}", "unknown key 'nois'. Did you mean 'noise'?"),
        ("face_lost: {shares: [1.5]}", "face_lost.shares.0: input should be less than or equal to 1 (found 1.5)"),
        ("face_lost: {shares: [1, 1]}", "a value is given twice"),
        ("face_lost: {shares: []}", "should have at least 1 item"),
        ("seed: 3", "holds no condition; give one of babble, face_lost, missing, noise, shift"),
        ("- whole", "a grid is a mapping of conditions, not list"),
        ("a: [", "not YAML in UTF-8"),
        ("", ": is empty; give one of babble, face_lost, missing, noise, shift"),
        ("# nothing\n", ": is empty; give one of"),
        (
            "noise:\n  colours: [pink]\n  decibels: [0]\n  colours: [white]",
            "mine.yaml: the key 'colours' is given twice (line 4); keep one of them",
        ),
        (
            "noise: {colours: [pink], decibels: [.inf]}",
            "noise.decibels.0: input should be a finite number (found .inf)",
        ),
        (
            "noise: {colours: [pink], decibel: [1]}",
            "mine.yaml: unknown key 'noise.decibel'. Did you mean 'decibels'? Known: colours, decibels",
        ),
        (
            "missing: {modalities: [video], patterns: [face_lost], shares: [0.5]}\nface_lost: {shares: [0.25]}",
            "missing.patterns holds face_lost for video, and the key face_lost gives the same series other shares",
        ),
    ],
)
def test_a_wrong_grid_is_refused_with_its_key(tmp_path, text, sentence):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert sentence in str(refused.value)
    assert str(path) in str(refused.value)


def test_an_unknown_grid_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown grid of conditions 'defualt'. Did you mean 'default'\?"):
        load("defualt")
    with pytest.raises(ConfigError, match="no such file of conditions; known names: default"):
        load(tmp_path / "no.yaml")
    (tmp_path / "default.yaml").write_text("face_lost: {shares: [1]}")
    with pytest.raises(ConfigError, match="is the name of a grid that comes with mien; rename the file"):
        load(tmp_path / "default.yaml")
