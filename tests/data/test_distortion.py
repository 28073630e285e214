"""Distorted images against torch's own turns and mirrors, slices, and scipy's affine transformation."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from mien import experiments
from mien.common.settings import parse
from mien.data.batch import Sequence
from mien.data.batches import Examples, Loader, Stream
from mien.data.distortion import NUMBERS, Distortion, distorted, transforms
from mien.data.length import Length
from mien.data.settings import Data
from mien.errors import ConfigError

SIDE = 12
MIDDLE = 0.5  # a number that changes nothing: the middle of each range
ROTATION, SCALE, SHEAR_X, SHEAR_Y, SHIFT_X, SHIFT_Y, MIRROR = range(NUMBERS)
ALL = {"rotation": 20, "scale": 0.3, "shear": 0.2, "shift": 0.1, "flip": 0.5}
CPU = torch.device("cpu")


def images(clips=1, frames=2, channels=3):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(clips, frames, channels, SIDE, SIDE, generator=generator, dtype=torch.float64)


def matrix(settings, **numbers):
    """One transform; what is not given is in the middle of its range, and not mirrored."""
    row = torch.full((1, NUMBERS), MIDDLE, dtype=torch.float64)
    row[0, MIRROR] = 1 - 1e-9
    for name, value in numbers.items():
        row[0, globals()[name]] = value
    return transforms(row, Distortion(**settings))


def by_scipy(image, transform):
    """The same transform of one image, S x S, in rows and columns, whose centres are half a pixel from the edges."""
    (xx, xy, x), (yx, yy, y) = transform.tolist()
    turned, centre = np.array([[yy, yx], [xy, xx]]), np.full(2, (SIDE - 1) / 2)
    offset = centre - turned @ centre + SIDE / 2 * np.array([y, x])
    return ndimage.affine_transform(image, turned, offset, order=1, mode="nearest")


def test_a_quarter_turn_is_torchs():
    either = {turn: matrix({"rotation": 90}, ROTATION=turn) for turn in (0.0, 1.0)}
    torch.testing.assert_close(distorted(images(), either[1.0]), images().rot90(1, (-2, -1)))
    torch.testing.assert_close(distorted(images(), either[0.0]), images().rot90(-1, (-2, -1)))


def test_mirrored_is_flipped_left_and_right():
    for share, number, mirrored in ((1.0, 1 - 1e-9, True), (0.5, 0.49, True), (0.5, 0.51, False), (0.0, 0.0, False)):
        made = distorted(images(), matrix({"flip": share}, MIRROR=number))
        torch.testing.assert_close(made, images().flip(-1) if mirrored else images())


def test_a_shift_by_whole_pixels_is_a_slice():
    """A quarter of the side is three pixels; what comes from beyond the edge is the pixel at the edge."""
    made = distorted(images(), matrix({"shift": 0.25}, SHIFT_X=1.0))
    torch.testing.assert_close(made[..., :-3], images()[..., 3:])
    torch.testing.assert_close(made[..., -3:], images()[..., -1:].expand(*images().shape[:-1], 3))
    made = distorted(images(), matrix({"shift": 0.25}, SHIFT_Y=0.0))
    torch.testing.assert_close(made[..., 3:, :], images()[..., :-3, :])
    torch.testing.assert_close(made[..., :3, :], images()[..., :1, :].expand(*images().shape[:-2], 3, SIDE))


@pytest.mark.parametrize(
    ("settings", "numbers"),
    [
        ({"scale": 0.5}, {"SCALE": 1.0}),
        ({"scale": 0.5}, {"SCALE": 0.0}),
        ({"rotation": 30}, {"ROTATION": 0.9}),
        ({"shear": 0.4}, {"SHEAR_X": 1.0}),
        ({"shear": 0.4}, {"SHEAR_Y": 0.2}),
        ({"shift": 0.13}, {"SHIFT_X": 0.8, "SHIFT_Y": 0.1}),
        (ALL, dict(zip(("ROTATION", "SCALE", "SHEAR_X", "SHEAR_Y", "MIRROR"), (0.1, 0.9, 0.8, 0.3, 0.2), strict=True))),
    ],
    ids=str,
)
def test_every_distortion_is_scipys(settings, numbers):
    transform = matrix(settings, **numbers)
    made = distorted(images(1, 1, 1), transform)[0, 0, 0].numpy()
    np.testing.assert_allclose(made, by_scipy(images(1, 1, 1)[0, 0, 0].numpy(), transform[0]), atol=1e-12)
    assert np.abs(made - images(1, 1, 1)[0, 0, 0].numpy()).max() > 0.1


@pytest.mark.parametrize(("number", "factor"), [(1.0, 1.5), (0.75, 1.5**0.5), (0.0, 1 / 1.5)])
def test_a_scale_stretches_what_is_shown_about_the_centre(number, factor):
    """Of a ramp from left to right only the slope changes; beyond its edges the smaller image goes on evenly."""
    ramp = torch.arange(SIDE, dtype=torch.float64) - (SIDE - 1) / 2
    made = distorted(ramp.expand(1, 1, 1, SIDE, SIDE), matrix({"scale": 0.5}, SCALE=number))
    expected = (ramp / factor).clamp(ramp[0], ramp[-1])
    torch.testing.assert_close(made, expected.expand(1, 1, 1, SIDE, SIDE))


def test_a_shear_moves_rows_or_columns_by_their_distance_from_the_centre():
    """A tangent of 1 / (SIDE - 1) moves the first row half a pixel one way and the last half a pixel the other."""
    ramp = torch.arange(SIDE, dtype=torch.float64)
    across, down = ramp.expand(1, 1, 1, SIDE, SIDE), ramp[:, None].expand(1, 1, 1, SIDE, SIDE)
    moved = torch.linspace(-0.5, 0.5, SIDE, dtype=torch.float64)
    inner = slice(1, -1)
    made = distorted(across, matrix({"shear": 1 / (SIDE - 1)}, SHEAR_X=1.0))
    torch.testing.assert_close(made[0, 0, 0, :, inner], (ramp + moved[:, None])[:, inner])
    made = distorted(down, matrix({"shear": 1 / (SIDE - 1)}, SHEAR_Y=1.0))
    torch.testing.assert_close(made[0, 0, 0, inner], (ramp[:, None] + moved)[inner])


def test_numbers_stay_within_their_ranges_and_reach_their_ends():
    numbers = torch.rand(20_000, NUMBERS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned = transforms(numbers, Distortion(rotation=20))
    angle = torch.atan2(turned[:, 1, 0], turned[:, 0, 0]).rad2deg()
    scale = 1 / transforms(numbers, Distortion(scale=0.5))[:, 0, 0]
    sheared = transforms(numbers, Distortion(shear=0.3))
    shift = transforms(numbers, Distortion(shift=0.1))[:, :, 2] / 2
    for values, low, high in (
        (angle, -20, 20),
        (scale, 1 / 1.5, 1.5),
        (sheared[:, 0, 1], -0.3, 0.3),
        (sheared[:, 1, 0], -0.3, 0.3),
        (shift[:, 0], -0.1, 0.1),
        (shift[:, 1], -0.1, 0.1),
    ):
        assert low <= values.min() < low + 0.001 * (high - low)
        assert high - 0.001 * (high - low) < values.max() <= high
    assert scale.log().mean() == pytest.approx(0, abs=4 * math.log(1.5) / math.sqrt(3 * 20_000)), "as often larger"
    mirrored = transforms(numbers, Distortion(flip=0.3))[:, 0, 0] < 0
    assert mirrored.double().mean() == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 20_000))
    assert torch.equal(transforms(numbers[:1], Distortion())[0], torch.eye(2, 3, dtype=torch.float64))


def video(make_loader, make_examples, **settings):
    loader = make_loader(make_examples(video=True), **settings)
    return [batch for epoch in range(2) for batch in loader.epoch(epoch)]


def test_without_a_distortion_every_image_is_as_it_was(make_loader, make_examples):
    for settings in ({"distortion": Distortion()}, {"distortion": Distortion(**ALL), "training": False}):
        plain = {key: value for key, value in settings.items() if key != "distortion"}
        for before, after in zip(
            video(make_loader, make_examples, **plain), video(make_loader, make_examples, **settings), strict=True
        ):
            assert after.video.transform is None
            assert torch.equal(after.to(CPU).video.values, before.to(CPU).video.values)


def test_images_are_bytes_until_the_device_and_distorted_there(make_loader, make_examples):
    plain = video(make_loader, make_examples)
    for before, after in zip(plain, video(make_loader, make_examples, distortion=Distortion(**ALL)), strict=True):
        assert after.video.values.dtype == torch.uint8
        assert torch.equal(after.video.values, before.video.values)
        assert torch.equal(after.audio.values, before.audio.values)
        made = after.to(CPU, torch.float64).video
        expected = distorted(before.to(CPU, torch.float64).video.values, after.video.transform)
        assert torch.equal(made.values, expected)
        assert torch.equal(made.valid, before.video.valid)
        assert made.transform is None
        assert torch.equal(made.to(CPU, torch.float64).values, expected), "and not a second time"
        assert made.values.abs().max() <= 1 + 1e-12


def test_all_frames_of_a_clip_are_distorted_alike_and_clips_are_not(make_loader, make_examples):
    still = torch.randint(0, 256, (1, 1, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)

    class Still:
        def length(self, clip):
            return 5

        def frames(self, clip):
            return still[0].expand(5, -1, -1, -1)

        def valid(self, clip):
            return torch.ones(5, dtype=torch.bool)

    names = tuple(map(str, range(8)))
    examples = Examples(names, names, (), {}, (Still(),) * 8)
    stream = Stream(0.2, lambda frames, speaker: frames)
    loader = Loader(
        examples, batch_size=8, length=Length(), video=stream, training=True, distortion=Distortion(**ALL), seed=3
    )
    made = [next(loader.epoch(epoch)).to(CPU).video.values for epoch in range(2)]
    for values in made:
        assert torch.equal(values, values[:, :1].expand_as(values))
        assert len(values[:, 0].flatten(1).unique(dim=0)) == 8
    assert not torch.equal(*made), "an epoch has numbers of its own"


@pytest.mark.parametrize("count", [2, 3, 9])
def test_the_parts_of_processes_are_distorted_as_in_one(make_loader, make_examples, count):
    settings = {"distortion": Distortion(**ALL)}
    whole = video(make_loader, make_examples, **settings)
    parts = [video(make_loader, make_examples, **settings, rank=rank, processes=count) for rank in range(count)]
    for number, one in enumerate(whole):
        pieces = [part[number] for part in parts]
        assert torch.equal(torch.cat([piece.video.transform for piece in pieces]), one.video.transform)
        values = torch.cat([piece.to(CPU).video.values for piece in pieces])
        torch.testing.assert_close(values, one.to(CPU).video.values, rtol=0, atol=1e-6)
    rows = torch.tensor([2, 0])
    assert torch.equal(whole[0].part(rows).video.transform, whole[0].video.transform[rows])


def test_nothing_is_distorted_where_there_are_no_frames():
    empty = torch.zeros(0, 3, 1, SIDE, SIDE)
    assert distorted(empty, torch.zeros(0, 2, 3)).shape == empty.shape
    frameless = torch.zeros(2, 0, 1, SIDE, SIDE)
    assert distorted(frameless, torch.zeros(2, 2, 3)).shape == frameless.shape
    sequence = Sequence(empty.to(torch.uint8), torch.zeros(0, 3, dtype=torch.bool), torch.zeros(0, 2, 3))
    assert sequence.to(CPU, torch.float32).values.shape == empty.shape


@pytest.mark.parametrize(
    "features",
    [
        {"audio": {"name": "logmel"}},
        {"video": {"name": "columns", "columns": ["AU01"], "dimension": 1}},
    ],
    ids=["sound", "vectors"],
)
def test_a_distortion_without_pixels_is_refused(features):
    data = parse(Data, {**features, "distortion": {"rotation": 10}}, "data")
    with pytest.raises(ConfigError) as error:
        data.check()
    assert str(error.value) == "data.distortion: pixels are distorted, and data.video has none; leave it out"
    parse(Data, {**features, "distortion": {"rotation": 0}}, "data").check()
    for name in ("images", "crops"):
        parse(Data, {"video": {"name": name}, "distortion": {"rotation": 10}}, "data").check()


@pytest.mark.parametrize("wrong", [{"rotation": -1}, {"scale": -0.1}, {"shear": 2}, {"shift": 1}, {"flip": 1.5}])
def test_a_range_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError, match=rf"data\.distortion\.{next(iter(wrong))}"):
        experiments.load("face-small", [f"data.distortion.{key}={value}" for key, value in wrong.items()])


def test_mixed_precision_does_not_round_where_pixels_are_taken_from():
    values = torch.rand(3, 1, 1, 224, 224, generator=torch.Generator().manual_seed(0))
    numbers = torch.rand(3, NUMBERS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    transform = transforms(numbers, Distortion(rotation=20, scale=0.15, shear=0.1, shift=0.1, flip=0.5))
    expected = distorted(values, transform)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(distorted(values, transform), expected)
