"""Crops are upright, centred, free of aliasing, and go beyond the picture's edge."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mien.media.faces import crops


def painted(angle, middle=(90.0, 70.0), radius=30.0, shape=(150, 200)):
    """A bright disc with two dark eyes at an angle (radians, clockwise in the picture), and where the eyes are."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    picture = np.full(shape, 40.0)
    picture[np.hypot(x - middle[0], y - middle[1]) < radius] = 220
    along, down = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    eyes = [np.array(middle) + side * 0.4 * radius * along - 0.3 * radius * down for side in (-1, 1)]
    for eye in eyes:
        picture[np.hypot(x - eye[0], y - eye[1]) < 0.15 * radius] = 0
    box = (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius)
    return np.repeat(picture[..., None], 3, 2).astype(np.uint8), box, tuple(tuple(eye) for eye in eyes)


def centroid(mask):
    y, x = np.nonzero(mask)
    return x.mean() + 0.5, y.mean() + 0.5


@pytest.mark.parametrize("degrees", [-40, -15, 0, 25])
def test_a_face_comes_out_upright_and_in_the_middle(degrees):
    rgb, box, eyes = painted(math.radians(degrees))
    face = crops.crop(rgb, box, size=80, margin=1 / 6, eyes=eyes)  # 80 px of the picture: not scaled
    assert face.shape == (3, 80, 80)
    assert face.dtype == np.uint8
    disc = (face[0] > 130) | (face[0] < 20)
    assert centroid(disc) == pytest.approx((40, 40), abs=0.5)
    dark = face[0] < 60
    dark &= np.hypot(*(np.mgrid[:80, :80] + 0.5 - 40)) < 27
    left, right = dark.copy(), dark.copy()
    left[:, 40:] = right[:, :40] = False
    assert centroid(left) == pytest.approx((28, 31), abs=0.7)
    assert centroid(right) == pytest.approx((52, 31), abs=0.7)


def test_without_eyes_it_is_not_turned():
    rgb, box, eyes = painted(math.radians(30))
    plain = crops.crop(rgb, box, size=80, margin=1 / 6)
    assert np.array_equal(plain, rgb[30:110, 50:130].transpose(2, 0, 1))
    level = ((eyes[0][0], 70.0), (eyes[1][0], 70.0))
    assert np.abs(crops.crop(rgb, box, size=80, margin=1 / 6, eyes=level).astype(int) - plain).max() <= 1


def test_beyond_the_edge_the_border_is_repeated():
    rgb = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    for eyes in (None, ((10.0, 5.0), (20.0, 5.0))):
        corner = crops.crop(rgb, (-10.0, -10.0, 10.0, 10.0), size=20, margin=0, eyes=eyes)
        assert np.abs(corner[:, 10:, 10:].astype(int) - rgb[:10, :10].transpose(2, 0, 1)).max() <= 1
        assert np.abs(corner[:, :10, :10].astype(int) - rgb[0, 0][:, None, None]).max() <= 1
        beyond = crops.crop(rgb, (60.0, 50.0, 80.0, 70.0), size=20, margin=0, eyes=eyes)
        assert (beyond == rgb[-1, -1][:, None, None]).all()


def test_shrinking_averages():
    fine = (np.indices((160, 160)).sum(0) % 2 * 255).astype(np.uint8)
    rgb = np.repeat(fine[..., None], 3, 2)
    small = crops.crop(rgb, (0.0, 0.0, 160.0, 160.0), size=20, margin=0)
    assert np.abs(small.astype(float) - 127.5).max() < 4
    picture, scale = crops.fitted(rgb[:90], 40)
    assert picture.shape == (22, 40, 3)
    assert scale == 0.25
    assert np.abs(picture.astype(float) - 127.5).max() < 4
    assert crops.fitted(rgb[:1, :90], 320)[0].shape == (4, 320, 3)
    assert crops.fitted(rgb[:1], 64)[0].shape == (1, 64, 3)


def test_the_middle_square_and_luma():
    rgb = np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)
    rgb.flags.writeable = False  # as decoders give it
    middle = crops.centre(rgb, size=20)
    assert np.array_equal(middle, rgb[:, 5:25].transpose(2, 0, 1))
    assert np.abs(crops.grey(middle)[0] - rgb[:, 5:25] @ np.array(crops.LUMA)).max() <= 0.51
    assert crops.grey(np.full((3, 4, 4), 255, np.uint8)).min() == 255


@pytest.mark.parametrize(
    ("shape", "size"), [((90, 70), 48), ((48, 48), 48), ((30, 31), 48), ((333, 77), 20), ((7, 300), 100)]
)
def test_scaling_has_the_bits_of_torchs_antialiased_filter(shape, size):
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    side = min(shape)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    square = torch.from_numpy(rgb[top : top + side, left : left + side]).permute(2, 0, 1)[None]
    expected = F.interpolate(square, (size, size), mode="bilinear", antialias=True)[0].numpy()
    np.testing.assert_array_equal(crops.centre(rgb, size=size), expected)
    small, scale = crops.fitted(rgb, size)
    whole = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    expected = F.interpolate(whole, small.shape[:2], mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(small, expected)
    assert scale == size / max(shape)


def test_a_turned_square_is_torchs_bilinear_sample_but_for_rounding():
    rgb = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    side, angle = 24, 0.3
    turned = crops.crop(
        rgb, (10, 12, 34, 36), size=side, margin=0.0, eyes=((15, 20), (15 + 10, 20 + 10 * np.tan(angle)))
    )
    offsets = torch.arange(side) - (side - 1) / 2
    down, right = torch.meshgrid(offsets, offsets, indexing="ij")
    x = 22 - 0.5 + right * np.cos(angle) - down * np.sin(angle)
    y = 24 - 0.5 + right * np.sin(angle) + down * np.cos(angle)
    places = torch.stack([(2 * x + 1) / 80 - 1, (2 * y + 1) / 60 - 1], dim=-1)[None].float()
    picture = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()
    expected = F.grid_sample(picture, places, mode="bilinear", padding_mode="border", align_corners=False)
    apart = np.abs(turned.astype(int) - expected[0].round().numpy())
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.01
