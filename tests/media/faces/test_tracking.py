"""Tracks follow people who cross and vanish for a moment; false faces are no people; cuts end tracks."""

import numpy as np
import pytest

from mien.media.faces.detectors import Face
from mien.media.faces.tracking import BRIDGE, Cuts, Tracker, tiles

EVERY = 0.24


def face(x, y=50.0, side=40.0):
    return Face((x - side / 2, y - side / 2, x + side / 2, y + side / 2), 0.9)


def follow(moments):
    """The person of each face after all moments; `moments` are lists of faces, one a grid time."""
    tracker = Tracker()
    steps = [{at: track for track, at in tracker.step(n * EVERY, faces)} for n, faces in enumerate(moments)]
    return [[step[at].person for at in faces] for step, faces in zip(steps, moments, strict=True)]


def test_people_are_numbered_from_left_to_right():
    assert follow([[face(300), face(100), face(200)]] * 3) == [[3, 1, 2]] * 3


def test_people_who_cross_keep_their_numbers():
    steps = 12
    moments = []
    for n in range(steps):
        left, right = face(100 + 20 * n), face(340 - 20 * n, 56.0)
        order = [left, right] if n % 2 else [right, left]
        moments.append(order)
    people = follow(moments)
    assert all(pair == ([1, 2] if n % 2 else [2, 1]) for n, pair in enumerate(people))


def test_a_face_behind_another_one_is_found_again_where_it_comes_out():
    moments = [[face(100 + 20 * n), face(300)] if n not in (9, 10) else [face(300)] for n in range(16)]
    people = follow(moments)
    assert {tuple(numbers) for numbers in people} == {(1, 2), (2,)}


@pytest.mark.parametrize(("missing", "number"), [(2, 1), (4, 2)])
def test_a_short_gap_is_bridged_and_a_long_one_is_not(missing, number):
    assert ((missing + 1) * EVERY <= BRIDGE) == (number == 1)
    people = follow([[face(100)]] * 3 + [[]] * missing + [[face(100)]] * 3)
    assert people == [[1]] * 3 + [[]] * missing + [[number]] * 3


def test_two_false_faces_are_no_person_and_three_faces_are_one():
    false = [[face(400), face(100)], [face(400), face(100)]] + [[face(100)]] * 4
    assert follow(false) == [[0, 1]] * 2 + [[1]] * 4
    true = [[face(400), face(100)]] * 3 + [[face(100)]] * 3
    assert follow(true) == [[2, 1]] * 3 + [[1]] * 3


def test_after_a_cut_the_face_at_the_same_place_is_a_new_person():
    tracker = Tracker()
    first = [track for n in range(3) for track, _ in tracker.step(n * EVERY, [face(100)])]
    tracker.cut()
    second = [track for n in range(3, 6) for track, _ in tracker.step(n * EVERY, [face(100)])]
    assert [track.person for track in (*first, *second)] == [1, 1, 1, 2, 2, 2]


def test_a_cut_is_no_movement_light_or_pan():
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(0, 256, (12, 60)), np.ones((10, 10))).astype(np.uint8)
    other = np.kron(rng.integers(0, 256, (12, 16)), np.ones((10, 10))).astype(np.uint8)
    cuts = Cuts()
    pan = [scene[:, 8 * n : 8 * n + 160] for n in range(20)]  # 200 px a second at 25 pictures
    assert not any(cuts.between(picture) for picture in pan[:1])
    cuts.between(pan[1])  # the first step of a pan at full speed is like a cut, and cameras do not start so
    assert not any(cuts.between(picture) for picture in pan[2:])
    still = [np.clip(pan[-1] + rng.normal(0, 6, pan[-1].shape) + level, 0, 255).astype(np.uint8) for level in range(9)]
    assert not any(cuts.between(picture) for picture in still)
    assert cuts.between(other)
    assert not cuts.between(other)


def test_tiles_are_means():
    picture = np.random.default_rng(1).integers(0, 256, (32, 48), dtype=np.uint8)
    assert np.allclose(tiles(picture, 4, 6), picture.reshape(4, 8, 6, 8).mean((1, 3)))
    large = np.add.outer(np.arange(640) // 8, np.arange(960) // 8).astype(np.uint8)  # one pixel in 256 is read
    assert np.abs(tiles(large, 4, 6) - large.reshape(4, 160, 6, 160).mean((1, 3))).max() < 3
    assert tiles(picture[:3, :2], 4, 6).shape == (4, 6)
