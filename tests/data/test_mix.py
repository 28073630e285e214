"""Mixed batches: the places of pools, what each pool holds, and streams that no other pool can change."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.batch import uniform
from mien.data.length import Length
from mien.data.mix import mixed, places
from mien.errors import ConfigError


@given(
    shares=st.lists(st.floats(0.001, 1000), min_size=1, max_size=6),
    more=st.integers(0, 60),
    scale=st.sampled_from([0.5, 4.0]),
)
@settings(max_examples=300, deadline=None)
def test_places_fill_a_batch_and_stay_within_one_of_the_share(shares, more, scale):
    batch, named = len(shares) + more, dict(zip("abcdef", shares, strict=False))
    given = places(named, batch)
    assert list(given) == list(named)
    assert sum(given.values()) == batch
    assert min(given.values()) >= 1
    quota = {name: batch * share / sum(shares) for name, share in named.items()}
    if min(quota.values()) >= 1:
        assert all(abs(given[name] - quota[name]) < 1 for name in named)
        rounded_up = [quota[name] % 1 for name in named if given[name] > quota[name]]
        assert min(rounded_up, default=1) >= max((quota[n] % 1 for n in named if given[n] < quota[n]), default=0) - 1e-9
    assert places({name: scale * share for name, share in named.items()}, batch) == given


@pytest.mark.parametrize(
    ("shares", "batch", "expected"),
    [
        ({"a": 0.5, "b": 0.5}, 16, [8, 8]),
        ({"a": 0.5, "b": 0.5}, 7, [4, 3]),
        ({"a": 0.1, "b": 0.2, "c": 0.7}, 10, [1, 2, 7]),
        ({"a": 0.01, "b": 0.01, "c": 0.98}, 3, [1, 1, 1]),
        ({"a": 0.01, "b": 0.98, "c": 0.01}, 8, [1, 6, 1]),
        ({"a": 0.06, "b": 0.47, "c": 0.47}, 10, [1, 5, 4]),
        ({"a": 3}, 5, [5]),
    ],
)
def test_places_by_the_largest_remainder_and_one_at_least(shares, batch, expected):
    assert list(places(shares, batch).values()) == expected


KNOWN = [True] * 4 + [False] * 3 + [True] * 2 + [False] * 5
CORPORA = ["a"] * 7 + ["b"] * 7


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        ({"a": 1, "b": 1}, {"a": {*range(7)}, "b": {*range(7, 14)}}),
        ({"labelled": 1, "unlabelled": 1}, {"labelled": {0, 1, 2, 3, 7, 8}, "unlabelled": {4, 5, 6, *range(9, 14)}}),
        ({"a": 1, "b": 1, "unlabelled": 1}, {"a": {0, 1, 2, 3}, "b": {7, 8}, "unlabelled": {4, 5, 6, *range(9, 14)}}),
        ({"a": 1, "b": 1, "labelled": 1}, {"a": {4, 5, 6}, "b": {*range(9, 14)}, "labelled": {0, 1, 2, 3, 7, 8}}),
        ({"a": 1, "b": 1, "labelled": 1, "unlabelled": 1}, {"labelled": {0, 1, 2, 3, 7, 8}, "unlabelled": None}),
    ],
)
def test_every_example_is_in_one_pool(mix, expected):
    pools = {pool.name: pool for pool in mixed(mix, KNOWN, CORPORA, 12)}
    numbers = [number for pool in pools.values() for number in pool.examples.tolist()]
    assert sorted(numbers) == list(range(14))
    assert pools.keys() == expected.keys()
    for name, members in expected.items():
        assert members is None or set(pools[name].examples.tolist()) == members
        assert pools[name].labelled == any(KNOWN[number] for number in pools[name].examples.tolist())
        assert pools[name].places == 12 // len(expected), "an empty pool gives its places to the others"


@pytest.mark.parametrize(
    ("mix", "corpora", "batch", "sentence"),
    [
        (
            {"a": 0.5, "labelled": 0.5},
            CORPORA,
            8,
            "data.mix: 5 training examples of the corpus 'b' without a label have no share; give one to 'b' or "
            "'unlabelled'",
        ),
        (
            {"a": 0.5, "unlabelled": 0.5},
            CORPORA,
            8,
            "data.mix: 2 training examples of the corpus 'b' with a label have no share; give one to 'b' or 'labelled'",
        ),
        (
            {"labelled": 1},
            [""] * 14,
            8,
            "data.mix: 8 training examples without a label have no share; give one to 'unlabelled'",
        ),
        (
            {"a": 1, "b": 1, "labelled": 1},
            CORPORA,
            2,
            "training.batch: 2 is less than the 3 pools of data.mix that have clips (a, b, labelled), and each of them "
            "gives one at least; give 3 or more",
        ),
    ],
)
def test_what_cannot_be_mixed_is_refused(mix, corpora, batch, sentence):
    with pytest.raises(ConfigError) as error:
        mixed(mix, KNOWN, corpora, batch)
    assert str(error.value) == sentence


def mixture(make_loader, make_examples, mix, labelled, *, batch=8, count=24, **settings):
    """A loader whose first examples are labelled."""
    known = [number < labelled for number in range(count)]
    pools = mixed(mix, known, [""] * count, batch)
    return make_loader(make_examples(count), batch_size=batch, pools=pools, **settings)


def clips_of(loader, epochs):
    return [batch.clips for epoch in epochs for batch in loader.epoch(epoch)]


def test_each_pool_gives_its_share_from_a_stream_of_its_own(make_loader, make_examples):
    mix = {"labelled": 0.75, "unlabelled": 0.25}
    loader = mixture(make_loader, make_examples, mix, 10, seed=5)
    batches = clips_of(loader, range(9))
    for name, first, size, begin, end in (("labelled", 0, 10, 0, 6), ("unlabelled", 10, 14, 6, 8)):
        stream = [clip for clips in batches for clip in clips[begin:end]]
        orders = [uniform(5, number, f"order {name}", size).argsort(stable=True) for number in range(12)]
        wanted = [loader.examples.clips[first + place] for order in orders for place in order.tolist()]
        assert stream == wanted[: len(stream)]
        assert all(len(set(stream[at : at + size])) == size for at in range(0, len(stream) - size, size))
    assert {len(clips) for clips in batches} == {8}


@pytest.mark.parametrize(
    ("labelled", "count", "mix", "steps"),
    [
        (10, 24, {"labelled": 0.75, "unlabelled": 0.25}, 2),  # 10 in sixes
        (10, 24, {"labelled": 0.25, "unlabelled": 0.75}, 5),
        (10, 200, {"labelled": 0.25, "unlabelled": 0.75}, 5),
        (24, 24, {"labelled": 0.25, "unlabelled": 0.75}, 3),  # nothing is unlabelled
        (0, 24, {"labelled": 0.25, "unlabelled": 0.75}, 3),
    ],
)
def test_an_epoch_is_counted_in_labelled_clips(make_loader, make_examples, labelled, count, mix, steps):
    loader = mixture(make_loader, make_examples, mix, labelled, count=count)
    batches = clips_of(loader, [0])
    assert len(loader) == len(batches) == steps
    assert {clip for clips in batches for clip in clips} >= set(loader.examples.clips[:labelled])
    assert len(clips_of(mixture(make_loader, make_examples, mix, labelled, count=count, steps=7), [3])) == 7


def test_an_epoch_lasts_as_long_as_the_longest_labelled_pool(make_loader, make_examples):
    known, corpora = [True] * 12 + [False] * 12, ["a"] * 4 + ["b"] * 14 + ["c"] * 6
    pools = mixed({"a": 0.25, "b": 0.5, "c": 0.25}, known, corpora, 8)
    loader = make_loader(make_examples(24), batch_size=8, pools=pools)
    assert len(loader) == 4, "14 of b in fours; c has no label"


def test_more_unlabelled_clips_change_no_labelled_place(make_loader, make_examples):
    mix = {"labelled": 0.5, "unlabelled": 0.5}
    few, many = (clips_of(mixture(make_loader, make_examples, mix, 10, count=count), range(4)) for count in (12, 60))
    assert [clips[:4] for clips in few] == [clips[:4] for clips in many]
    assert [clips[4:] for clips in few] != [clips[4:] for clips in many]


def test_two_processes_share_a_mixed_batch_and_a_resumed_run_goes_on(make_loader, make_examples):
    own = {"length": Length(seconds=0.1, long="random"), "seed": 2}

    def batches(epochs, **more):
        loader = mixture(make_loader, make_examples, {"labelled": 0.6, "unlabelled": 0.4}, 9, **own, **more)
        return [batch for epoch in epochs for batch in loader.epoch(epoch)]

    whole = batches(range(3))
    parts = [batches(range(3), rank=rank, processes=2) for rank in (0, 1)]
    for number, batch in enumerate(whole):
        assert batch.step == number
        assert parts[0][number].clips + parts[1][number].clips == batch.clips
        values = torch.cat([part[number].audio.values for part in parts])
        assert torch.equal(values, batch.audio.values)
    again = batches([2])
    assert [batch.clips for batch in again] == [batch.clips for batch in whole[-len(again) :]]


def test_pools_are_of_training_alone(make_loader, make_examples):
    loader = mixture(make_loader, make_examples, {"labelled": 1, "unlabelled": 1}, 9, training=False)
    assert sum(clips_of(loader, [0]), ()) == loader.examples.clips
