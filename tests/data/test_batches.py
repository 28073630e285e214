"""Batches: the same numbers for a clip on any number of processes, trimmed, repeated, padded and masked as promised."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.batch import Sequence, uniform
from mien.data.batches import Examples, Loader, Stream
from mien.data.length import Length, Place
from mien.data.masking import Masking
from mien.data.normalisation import Normalisation, fit


@given(length=st.integers(1, 60), seconds=st.floats(0.05, 0.5), position=st.floats(0, 0.999999))
@settings(max_examples=200, deadline=None)
def test_a_clip_is_made_as_long_as_promised_from_its_own_frames_in_order(length, seconds, position):
    frames = np.arange(length, dtype=np.float32)[:, None]
    target = round(seconds / 0.01)
    for long in ("middle", "random", "whole"):
        for short in ("repeat", "pad"):
            policy = Length(seconds=seconds, long=long, short=short)
            place = policy.place(length, 0.01, position)
            made, valid = policy.apply(frames, np.ones(length, dtype=np.bool_), 0.01, place)
            made = made[:, 0]
            assert len(made) == len(valid) == policy.frames(length, 0.01, place)
            assert valid.all()
            if length > target and long != "whole":
                assert len(made) == target
            if length < target:
                assert len(made) == (target if short == "repeat" else length)
            steps = np.diff(made) % length  # cyclic: the next frame, or the first one after the last
            assert bool((steps == 1 % length).all())


def test_the_middle_is_the_middle():
    frames, valid, policy = (
        np.arange(10.0)[:, None],
        np.ones(10, dtype=np.bool_),
        Length(seconds=0.08, long="middle"),
    )
    assert policy.apply(frames, valid, 0.02, policy.place(10, 0.02, 0.9))[0][:, 0].tolist() == [3, 4, 5, 6]


@dataclass(frozen=True)
class Clock:
    """Frames whose values are their time in seconds; with `gaps` every third one is not usable."""

    seconds: float
    hop: float
    gaps: bool = False

    def length(self, clip):
        return round(self.seconds / self.hop)

    def frames(self, clip):
        return (torch.arange(self.length(clip)) * self.hop)[:, None]

    def valid(self, clip):
        return torch.arange(self.length(clip)) % 3 != (1 if self.gaps else 3)


def clocks(seconds, *, gaps=False):
    names = tuple(f"clip{number}" for number in range(len(seconds)))
    return Examples(
        clips=names,
        speakers=names,
        audio=tuple(Clock(one, 0.01) for one in seconds),
        labels={},
        video=tuple(Clock(one, 0.04, gaps) for one in seconds),
    )


def as_it_is(frames, speaker):
    return frames


@given(
    seconds=st.lists(st.sampled_from([0.4, 1.0, 1.2, 2.0, 3.0]), min_size=1, max_size=4),
    long=st.sampled_from(["middle", "random", "whole"]),
    short=st.sampled_from(["repeat", "pad", "constant"]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=100, deadline=None)
def test_sound_and_pictures_of_a_clip_are_of_the_same_seconds(seconds, long, short, seed):
    loader = Loader(
        clocks(seconds),
        batch_size=4,
        length=Length(seconds=1.2, long=long, short=short),
        audio=Stream(0.01, as_it_is),
        video=Stream(0.04, as_it_is),
        seed=seed,
        training=True,
    )
    (batch,) = loader.epoch(0)
    for row, clip in enumerate(batch.clips):
        whole = seconds[int(clip[4:])]
        audio = batch.audio.values[row, batch.audio.valid[row], 0]
        video = batch.video.values[row, batch.video.valid[row], 0]
        assert abs(len(audio) * 0.01 - len(video) * 0.04) <= 0.041
        filled = short == "constant" and whole < 1.2
        known = min(len(video), round(whole / 0.04)) if filled else len(video)
        beside = audio[(torch.arange(known) * 4).clamp(max=len(audio) - 1)]
        difference = (video[:known] - beside).abs()
        assert torch.minimum(difference, (difference - whole).abs()).max() <= 0.0401  # a step of the grid, cyclic
        if filled:
            assert not video[known:].any()
            assert not audio[round(whole / 0.01) :].any()


def test_unusable_frames_stay_so_and_without_pictures_there_are_none():
    def read(examples):
        sound, pictures = Stream(0.01, as_it_is), Stream(0.04, as_it_is)
        length = Length(seconds=3.0, long="middle", short="repeat")
        (batch,) = Loader(examples, batch_size=2, length=length, audio=sound, video=pictures).epoch(0)
        return batch

    examples = clocks([1.0, 2.0], gaps=True)
    batch = read(examples)
    assert batch.audio.valid.all()
    for row, valid in enumerate(batch.video.valid):
        expected = torch.arange(75) % (25, 50)[row] % 3 != 1
        assert torch.equal(valid, expected)
    batch = read(replace(examples, video=(Clock(0.0, 0.04), Clock(2.0, 0.04))))
    assert not batch.video.valid[0].any()
    assert batch.video.valid[1].all()
    batch = read(replace(examples, video=(Clock(0.0, 0.04), Clock(0.0, 0.04))))
    assert batch.video.values.shape[1] == 0
    assert batch.audio.valid.all()


def test_a_repeated_clip_shows_the_second_that_it_plays():
    loader = Loader(
        Examples(clips=("a",), speakers=("a",), audio=(Clock(2.0, 0.01),), labels={}, video=(Clock(2.16, 0.24),)),
        batch_size=1,
        length=Length(seconds=12.0, short="repeat"),
        audio=Stream(0.01, as_it_is),
        video=Stream(0.24, as_it_is),
    )
    (batch,) = loader.epoch(0)
    shown = batch.video.values[0, :, 0]
    sound = batch.audio.values[0, (torch.arange(50) * 24).clamp(max=1199), 0]
    assert len(shown) == 50
    assert bool((sound - shown).ge(-1e-5).all())
    assert bool((sound - shown).le(0.24).all())


def test_no_picture_is_lost_where_a_clip_stays_as_long_as_it_is():
    source = Clock(2.16, 0.24)
    for seconds in (None, 12.0):
        policy = Length(seconds=seconds)
        assert policy.frames(source.length("a"), 0.24, policy.place(200, 0.01, 0.0)) == 9


def test_pixels_are_pixels_whichever_clip_has_none(make_examples):
    @dataclass(frozen=True)
    class White:
        count: int

        def length(self, clip):
            return self.count

        def frames(self, clip):
            return torch.full((self.count, 3, 4, 4), 255, dtype=torch.uint8)

        def valid(self, clip):
            return torch.ones(self.count, dtype=torch.bool)

    for order in ((0, 3), (3, 0), (0, 2, 3)):
        names = tuple(map(str, order))
        examples = Examples(clips=names, speakers=names, audio=(), labels={}, video=tuple(map(White, order)))
        (batch,) = Loader(examples, batch_size=4, length=Length(), video=Stream(0.24, as_it_is)).epoch(0)
        video = batch.to(torch.device("cpu")).video
        assert video.values[video.valid].eq(1).all()


def test_pixels_travel_as_bytes_and_arrive_between_minus_one_and_one():
    pixels = torch.tensor([0, 51, 204, 255], dtype=torch.uint8).reshape(1, 1, 1, 2, 2)
    sequence = Sequence(pixels, torch.ones(1, 1, dtype=torch.bool)).to(torch.device("cpu"), torch.float64)
    torch.testing.assert_close(sequence.values.flatten(), torch.tensor([-1, -0.6, 0.6, 1], dtype=torch.float64))


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


@pytest.mark.parametrize(("count", "steps"), [(2, None), (3, None), (9, None), (2, 5)])
def test_the_parts_of_processes_make_up_the_global_batch(make_loader, count, steps):
    settings = {"length": Length(seconds=0.2, long="random"), "masking": Masking(count=2, seconds=0.1, bands=2)}
    settings |= {"steps": steps}
    parts = [list(make_loader(**settings, rank=rank, processes=count).epoch(3)) for rank in range(count)]
    for number, whole in enumerate(make_loader(**settings).epoch(3)):
        pieces = [part[number] for part in parts]
        assert sum((piece.clips for piece in pieces), ()) == whole.clips
        filled = [piece.audio for piece in pieces if piece.clips]
        assert torch.equal(torch.cat([audio.values for audio in filled]), whole.audio.values)
        assert torch.equal(torch.cat([audio.valid for audio in filled]), whole.audio.valid)
        numbers = torch.cat([piece.uniform("anything", 3) for piece in pieces])
        assert torch.equal(numbers, whole.uniform("anything", 3))
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


def test_balanced_sampling_is_by_weight(make_loader, make_examples):
    examples = make_examples(24)
    weights = torch.where(torch.arange(24) == 5, 23.0, 1.0)
    sampled = [
        clip
        for epoch in range(100)
        for batch in make_loader(examples, weights=weights).epoch(epoch)
        for clip in batch.clips
    ]
    assert len(sampled) == 2400
    assert sampled.count("clip05") / 2400 == pytest.approx(0.5, abs=0.04)


def clips_of(loader, epochs):
    return [clip for epoch in epochs for batch in loader.epoch(epoch) for clip in batch.clips]


def test_steps_go_on_through_the_same_passes_from_epoch_to_epoch(make_loader):
    names = make_loader().examples.clips
    stream = clips_of(make_loader(steps=5, seed=3), range(7))
    passes = [uniform(3, number, "order", 24).argsort(stable=True).tolist() for number in range(11)]
    assert stream == [names[place] for order in passes for place in order][: 7 * 5 * 7]
    assert all(sorted(stream[begin : begin + 24]) == sorted(names) for begin in range(0, 240, 24))
    assert [len(batch.clips) for batch in make_loader(steps=9).epoch(2)] == [7] * 9
    assert len(make_loader(steps=9)) == 9
    assert clips_of(make_loader(steps=5, seed=3), [4]) == stream[4 * 35 : 5 * 35], "a resumed run goes on there"


def test_as_many_steps_as_a_pass_has_are_that_pass(make_loader):
    settings = {"batch_size": 8, "length": Length(seconds=0.1, long="random")}
    for epoch in (0, 1, 4):
        plain, streamed = (list(make_loader(**settings, **own).epoch(epoch)) for own in ({}, {"steps": 3}))
        for one, other in zip(plain, streamed, strict=True):
            assert (one.clips, one.step) == (other.clips, other.step)
            assert torch.equal(one.audio.values, other.audio.values)


def test_fewer_examples_than_a_batch_fill_it_again_and_again(make_loader, make_examples):
    loader = make_loader(make_examples(5), steps=2, batch_size=12)
    stream = clips_of(loader, [0, 1])
    assert [stream[begin : begin + 5] != sorted(stream[:5]) for begin in (0, 5, 10)] == [True] * 3
    assert {stream.count(clip) for clip in loader.examples.clips} == {9, 10}


def test_steps_are_of_training_alone(make_loader):
    loader = make_loader(steps=2, training=False)
    assert clips_of(loader, [0]) == list(loader.examples.clips)
    assert len(loader) == 4


def test_balanced_sampling_fills_as_many_steps_as_are_asked(make_loader, make_examples):
    weights = torch.where(torch.arange(24) == 5, 23.0, 1.0)
    loader = make_loader(make_examples(24), weights=weights, steps=50)
    sampled = clips_of(loader, range(8))
    assert len(sampled) == 8 * 50 * 7
    assert sampled.count("clip05") / len(sampled) == pytest.approx(0.5, abs=0.04)
    assert clips_of(loader, [3]) == sampled[3 * 350 : 4 * 350]
    assert sampled[:350] != sampled[350:700]


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


def test_uniform_depends_on_seed_step_and_name_alone():
    numbers = uniform(0, 0, "a", 1000)
    assert torch.equal(numbers, uniform(0, 0, "a", 1000))
    assert not any(torch.equal(numbers, uniform(*key, 1000)) for key in ((1, 0, "a"), (0, 1, "a"), (0, 0, "b")))
    assert numbers.mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("kind", ["none", "train", "speaker"])
def test_normalised_training_frames_have_mean_0_and_deviation_1(make_examples, kind):
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
    with pytest.raises(RunError) as error:
        normalise(torch.zeros(3, 5), "s9")
    assert str(error.value) == (
        "normalisation: the model has no statistics of speaker 's9': a model trained with 'normalisation: speaker' "
        "works on prepared corpora with known speakers only"
    )


@given(
    seconds=st.floats(0.3, 9.0),
    wanted=st.floats(0.5, 6.0),
    short=st.sampled_from(["repeat", "constant", "pad"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=80, deadline=None)
def test_a_teacher_says_what_it_saw_in_the_seconds_that_are_heard(seconds, wanted, short, seed):
    """Each frame of a teacher lies in the part of the sound, and none that does is left out or made up."""
    sound, teacher = Clock(seconds, 0.01), Clock(seconds, 0.24)
    examples = Examples(("a",), ("",), (sound,), {}, teacher=(teacher,))
    loader = Loader(
        examples,
        batch_size=1,
        length=Length(seconds=wanted, long="random", short=short),
        audio=Stream(0.01, lambda frames, speaker: frames),
        teacher=Stream(0.24, lambda frames, speaker: frames, target=True),
        seed=seed,
        training=True,
    )
    (batch,) = loader.epoch(0)
    heard, seen = batch.audio.values[0, :, 0], batch.teacher.values[0, :, 0]
    first = heard[0].item()
    last = first + (round(wanted / 0.01) if short != "pad" else min(round(wanted / 0.01), sound.length("a"))) * 0.01
    times = teacher.frames("a")[:, 0]
    expected = times[(times > first - 1e-5) & (times < last - 1e-5)]
    assert seen[batch.teacher.valid[0]].tolist() == pytest.approx(expected.tolist())
    assert batch.teacher.valid.all() or len(expected) == 0


def test_one_vector_of_a_teacher_is_taken_whole():
    assert Place(2.0, 4.0, 10.0).within(1, float("inf")) == slice(0, 1)
    assert Place(0.0, 0.0, 0.0).within(5, 0.24) == slice(0, 5), "without sound there is no part"


def test_an_epoch_of_recordings_has_one_clip_of_each(make_loader):
    groups = torch.arange(24) // 5
    loader = make_loader(groups=groups, batch_size=2)
    assert len(loader) == 3
    epochs = [[name for batch in loader.epoch(epoch) for name in batch.clips] for epoch in range(40)]
    for names in epochs:
        assert sorted(int(name[4:]) // 5 for name in names) == [0, 1, 2, 3, 4]
    assert {name for names in epochs for name in names} == {f"clip{row:02d}" for row in range(24)}
    assert [name for batch in loader.epoch(7) for name in batch.clips] == epochs[7], "an epoch is the same again"
    orders = {tuple(int(name[4:]) // 5 for name in names) for names in epochs}
    assert len(orders) > 20, "recordings come in an order of the epoch's own"
    assert len(make_loader(groups=groups, training=False)) == 4, "evaluation takes every clip"


def test_recordings_with_weights_are_as_many_clips_as_recordings(make_loader):
    weights = torch.zeros(24)
    weights[3] = 1
    loader = make_loader(groups=torch.arange(24) // 5, weights=weights, batch_size=2)
    assert [name for batch in loader.epoch(0) for name in batch.clips] == ["clip03"] * 5


def test_a_clip_is_normalised_by_its_own_frames():
    frames = torch.randn(50, 3) * torch.tensor([1.0, 20.0, 0.0]) + torch.tensor([5.0, -40.0, 7.0])
    made = fit("clip", [])(frames, "")
    torch.testing.assert_close(made[:, :2].mean(dim=0), torch.zeros(2), rtol=0, atol=1e-5)
    torch.testing.assert_close(made[:, :2].std(dim=0, correction=0), torch.ones(2))
    assert (made[:, 2] == 0).all(), "a row that does not change is only centred"
    louder = Normalisation("clip", {})(10 * frames, "somebody")
    torch.testing.assert_close(louder, made, rtol=0, atol=1e-5)
