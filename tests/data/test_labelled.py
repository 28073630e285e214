"""A share of the labels: nested, the same for a seed, of each speaker and class alike, and some of each class."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.labelled import count, in_order


def table(sizes):
    """Clips, speakers and classes of cells (speaker, class) -> number of clips."""
    rows = [(f"{who}-{what}-{number}", who, what) for (who, what), size in sizes.items() for number in range(size)]
    return [list(column) for column in zip(*rows, strict=True)]


def cells(order, sizes, length):
    """How many of the first clips are of each cell."""
    taken = [tuple(clip.split("-")[:2]) for clip in order[:length]]
    return {cell: taken.count(cell) for cell in sizes}


@given(
    sizes=st.dictionaries(
        st.tuples(st.sampled_from("abcde"), st.sampled_from(["anger", "fear", "joy"])), st.integers(1, 12), min_size=1
    ),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=100, deadline=None)
def test_every_share_takes_nearly_the_same_of_each_speaker_and_class(sizes, seed):
    clips, speakers, classes = table(sizes)
    order = in_order(clips, speakers, classes, seed)
    assert sorted(order) == sorted(clips)
    kinds = len(set(classes))
    assert len({clip.split("-")[1] for clip in order[:kinds]}) == kinds
    for length in range(kinds, len(order) + 1):
        taken = cells(order, sizes, length)
        least = min((taken[cell] + 1) / size for cell, size in sizes.items())
        assert all((taken[cell] - 1) / size <= least for cell, size in sizes.items() if taken[cell])


def test_cells_of_one_size_differ_by_one_clip_at_most():
    sizes = {(who, what): 8 for who in "abcd" for what in ("anger", "fear", "joy")}
    for seed in range(20):
        order = in_order(*table(sizes), seed)
        for length in range(3, 97):
            taken = cells(order, sizes, length).values()
            assert max(taken) - min(taken) <= 1


def test_the_order_is_of_the_seed_and_the_names_alone():
    sizes = {("a", "anger"): 7, ("a", "fear"): 3, ("b", "anger"): 5}
    rows = list(zip(*table(sizes), strict=True))
    orders = []
    for turn in range(3):
        random.Random(turn).shuffle(rows)
        orders.append(in_order(*zip(*rows, strict=True), 4))
    assert orders[0] == orders[1] == orders[2]
    assert orders[0] != in_order(*table(sizes), 5)


def test_clips_of_seeds_are_sampled_apart_and_each_alike():
    sizes = {("a", "anger"): 10, ("b", "anger"): 10}
    taken = [clip for seed in range(400) for clip in in_order(*table(sizes), seed)[:4]]
    shares = [taken.count(clip) / 400 for clip in table(sizes)[0]]
    assert sum(shares) == pytest.approx(4)
    assert all(share == pytest.approx(0.2, abs=0.08) for share in shares)


def test_clips_without_a_speaker_are_sampled_by_class():
    clips = [f"x-{what}-{number}" for what in ("anger", "fear") for number in range(6)]
    order = in_order(clips, [float("nan")] * 12, ["anger"] * 6 + ["fear"] * 6, 0)
    for length in range(2, 13):
        anger = sum("anger" in clip for clip in order[:length])
        assert abs(2 * anger - length) <= 2


@pytest.mark.parametrize(("share", "clips", "number"), [(0.25, 10, 3), (0.1, 18, 2), (0.1, 155, 16), (1e-9, 10, 0)])
def test_a_share_is_rounded_half_up(share, clips, number):
    assert count(share, clips) == number
