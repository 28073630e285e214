"""Batches: the same numbers for a clip on any number of processes, cut, repeated, padded and masked as promised."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.features.batches import Masking, uniform
from mien.features.length import Length
from mien.features.normalisation import fit


@given(length=st.integers(1, 60), seconds=st.floats(0.05, 0.5), position=st.floats(0, 0.999999))
@settings(max_examples=200, deadline=None)
def test_a_clip_is_made_as_long_as_promised_from_its_own_frames_in_order(length, seconds, position):
    frames = torch.arange(length, dtype=torch.float32)[:, None]
    target = round(seconds / 0.01)
    for long in ("middle", "random", "whole"):
        for short in ("repeat", "pad"):
            policy = Length(seconds=seconds, long=long, short=short)
            made = policy.apply(frames, 0.01, position)[:, 0]
            assert len(made) == policy.frames(length, 0.01)
            if length > target and long != "whole":
                assert len(made) == target
            if length < target:
                assert len(made) == (target if short == "repeat" else length)
            steps = made.diff() % length  # cyclic: the next frame, or the first one after the last
            assert bool((steps == 1 % length).all())


def test_the_middle_is_the_middle():
    frames = torch.arange(10.0)[:, None]
    assert Length(seconds=0.08, long="middle").apply(frames, 0.02, 0.9)[:, 0].tolist() == [3, 4, 5, 6]


def test_random_parts_reach_both_ends_and_evaluation_takes_all(make_loader, make_examples):
    examples = make_examples(4)
    policy = Length(seconds=0.1, long="random")
    starts = set()
    for epoch in range(200):
        for batch in make_loader(examples, length=policy).epoch(epoch):
            row = batch.clips.index("clip00")
            frames = examples.audio[0].frames("clip00")
            starts.add(int((frames[:, 0] == batch.audio.values[row, 0, 0]).nonzero()[0]))
    assert starts == set(range(len(frames) - 10 + 1))
    loader = make_loader(examples, length=policy, training=False)
    first = next(iter(loader.epoch(0))).audio
    assert torch.equal(first.values[0][first.valid[0]], frames)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_the_parts_of_processes_make_up_the_global_batch(make_loader, count):
    settings = {"length": Length(seconds=0.2, long="random"), "masking": Masking(count=2, seconds=0.1, bands=2)}
    parts = [list(make_loader(**settings, rank=rank, processes=count).epoch(3)) for rank in range(count)]
    for number, whole in enumerate(make_loader(**settings).epoch(3)):
        pieces = [part[number] for part in parts]
        assert sum((piece.clips for piece in pieces), ()) == whole.clips
        filled = [piece.audio for piece in pieces if piece.clips]
        assert torch.equal(torch.cat([audio.values for audio in filled]), whole.audio.values)
        assert torch.equal(torch.cat([audio.valid for audio in filled]), whole.audio.valid)
        drawn = torch.cat([piece.uniform("anything", 3) for piece in pieces])
        assert torch.equal(drawn, whole.uniform("anything", 3))
        for row in range(whole.size):
            assert torch.equal(whole.part(torch.tensor([row])).uniform("x"), whole.uniform("x")[row : row + 1])


def test_an_epoch_holds_every_example_once_in_an_order_of_its_own(make_loader):
    orders = [
        [clip for batch in make_loader(seed=seed).epoch(epoch) for clip in batch.clips]
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert len(set(orders[0])) == 24
    assert [clip for batch in make_loader(training=False).epoch(1) for clip in batch.clips] == sorted(orders[0])


def test_balanced_sampling_draws_by_weight(make_loader, make_examples):
    examples = make_examples(24)
    weights = torch.where(torch.arange(24) == 5, 23.0, 1.0)
    drawn = [
        clip
        for epoch in range(100)
        for batch in make_loader(examples, weights=weights).epoch(epoch)
        for clip in batch.clips
    ]
    assert len(drawn) == 2400
    assert drawn.count("clip05") / 2400 == pytest.approx(0.5, abs=0.04)


def test_masks_hide_no_more_than_promised_behind_the_clips_mean(make_loader):
    plain = next(iter(make_loader().epoch(0))).audio
    masked = next(iter(make_loader(masking=Masking(count=1, seconds=0.08, bands=1)).epoch(0))).audio
    centre = torch.stack([row[valid].mean(dim=0) for row, valid in zip(plain.values, plain.valid, strict=True)])
    changed = (masked.values != plain.values) & plain.valid[:, :, None]
    assert changed.any()
    torch.testing.assert_close(masked.values[changed], centre[:, None].expand_as(changed)[changed])
    columns = (changed.sum(dim=1) == plain.valid.sum(dim=1)[:, None]).sum(dim=1)
    frames = (changed.sum(dim=2) == changed.shape[2]).sum(dim=1)
    assert columns.max() == 1
    assert 1 <= frames.max() <= 8
    assert torch.equal(masked.valid, plain.valid)


def test_uniform_depends_on_seed_step_and_draw_alone():
    numbers = uniform(0, 0, "a", 1000)
    assert torch.equal(numbers, uniform(0, 0, "a", 1000))
    assert not any(torch.equal(numbers, uniform(*key, 1000)) for key in ((1, 0, "a"), (0, 1, "a"), (0, 0, "b")))
    assert numbers.mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("kind", ["none", "train", "speaker"])
def test_normalisation_has_mean_zero_and_deviation_one_over_what_it_was_fit_on(make_examples, kind):
    examples = make_examples(24)
    sources = list(zip(examples.clips, examples.speakers, examples.audio, strict=True))
    normalise = fit(kind, sources)
    groups = {}
    for clip, speaker, source in sources:
        frames = source.frames(clip)
        groups.setdefault(speaker if kind == "speaker" else "", []).append(normalise(frames, speaker))
        assert kind != "none" or torch.equal(normalise(frames, speaker), frames)
    for frames in map(torch.cat, groups.values()):
        if kind != "none":
            torch.testing.assert_close(frames.mean(dim=0), torch.zeros(5), atol=1e-5, rtol=0)
            torch.testing.assert_close(frames.std(dim=0, correction=0), torch.ones(5), atol=1e-4, rtol=0)


def test_normalisation_by_speaker_refuses_a_speaker_it_never_saw(make_examples):
    from mien.errors import RunError

    examples = make_examples(6)
    normalise = fit("speaker", zip(examples.clips, examples.speakers, examples.audio, strict=True))
    with pytest.raises(RunError, match="'s9'"):
        normalise(torch.zeros(3, 5), "s9")
