"""The trunks of Peri et al. 2021: sizes to the parameter, layers against torch's, and settings that are refused."""

import json

import pytest
import torch
from torch import nn

from mien.common.settings import parse
from mien.data.batch import Batch, Sequence
from mien.errors import ConfigError
from mien.models import encoders
from mien.models.encoders.vgg import READS, Config, Encoder


def batch(audio=None, video=None):
    clips = len(audio[0] if audio is not None else video[0])
    absent = Sequence.absent(clips)
    sequences = [absent if given is None else Sequence(*given) for given in (audio, video)]
    return Batch(tuple(map(str, range(clips))), *sequences, {}, torch.arange(clips), clips, 0, 0)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("modality", "shape", "kernels"),
    [
        ("video", (3, 224, 224), [(96, 3 * 49), (256, 96 * 25), *[(256, 256 * 9)] * 3, (512, 256)]),
        ("audio", (40,), [(96, 35), (256, 96 * 25), (384, 256 * 9), (256, 384 * 9), (256, 256 * 9), (512, 256)]),
    ],
)
def test_parameters_are_those_of_the_table(modality, shape, kernels):
    with torch.device("meta"):
        encoder = Encoder(Config(), modality, shape)
    assert count(encoder) == sum(channels * inputs + 2 * channels for channels, inputs in kernels)
    assert encoder.dimension == 512


@pytest.mark.parametrize(
    ("modality", "size", "expected"),
    [
        ("video", (224, 224), [(96, 56, 56), (256, 14, 14), (256, 14, 14), (256, 14, 14), (256, 7, 7)]),
        ("video", (32, 32), [(96, 8, 8), (256, 2, 2), (256, 2, 2), (256, 2, 2), (256, 1, 1)]),
        ("video", (63, 63), [(96, 16, 16), (256, 4, 4), (256, 4, 4), (256, 4, 4), (256, 2, 2)]),
        ("audio", (1200, 40), [(96, 600, 40), (256, 600, 10), (384, 600, 10), (256, 600, 10), (256, 300, 5)]),
        ("audio", (1, 40), [(96, 1, 40), (256, 1, 10), (384, 1, 10), (256, 1, 10), (256, 1, 5)]),
    ],
)
def test_maps_have_the_sizes_of_the_table_and_validity_follows(modality, size, expected):
    with torch.device("meta"):  # sizes without numbers: 224 x 224 costs nothing here
        channels = 3 if modality == "video" else 1
        encoder = Encoder(Config(), modality, (3, *size) if modality == "video" else (size[1],)).eval()
        values, valid = torch.empty(2, channels, *size), torch.empty(2, size[0], dtype=torch.bool)
        for block, shape in zip(encoder.convolutions, expected, strict=True):
            values = block.convolution(values)
            values, (once, _) = nn.functional.max_pool2d(values, *_window(block.pool)), block.convolution.stride
            valid = valid[:, ::once][:, :: block.pool[0]]
            assert values.shape[1:] == shape
            assert valid.shape[1] == shape[1]


def _window(pool):
    window = [3 if stride > 1 else 1 for stride in pool]
    return window, pool, [size // 2 for size in window]


BLOCKS = [{"channels": 4, "kernel": [5, 3], "stride": [1, 2], "pool": [2, 1]}, {"channels": 6, "stride": 2, "pool": 2}]


@pytest.mark.parametrize("pooling", ["mean", "mean_std_max"])
def test_a_sound_meets_the_layers_of_torch(pooling):
    config = parse(Config, {"blocks": BLOCKS, "dimension": 7, "pooling": pooling}, "encoder")
    ours = Encoder(config, "audio", (10,)).double()
    theirs = nn.Sequential(
        nn.Conv2d(1, 4, (5, 3), (1, 2), (2, 1), bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d((3, 1), (2, 1), (1, 0)),
        nn.Conv2d(4, 6, 3, 2, 1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ).double()
    head = nn.Sequential(nn.Linear(6, 7, bias=False), nn.BatchNorm1d(7), nn.ReLU()).double()
    with torch.no_grad():
        own = list(ours.parameters())
        for parameter, other in zip(own, [*theirs.parameters(), *head.parameters()], strict=True):
            other.copy_(parameter)
    values = random(3, 31, 10)
    maps = theirs(values[:, None]).mean(dim=3).transpose(1, 2)
    frames = head(maps.reshape(-1, 6)).view(*maps.shape[:2], 7)
    expected = frames.mean(1)
    if pooling == "mean_std_max":
        std = frames.var(1, correction=0).clamp(min=1e-6).sqrt()
        expected = torch.cat([expected, std, frames.amax(1)], dim=1)
    found = ours(batch(audio=(values, torch.ones(3, 31, dtype=torch.bool))))
    assert found.shape == (3, ours.dimension)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_padding_is_not_in_the_statistics_of_training():
    """Each clip alone, and both with padding between them, in one convolution: no frame of padding is counted."""
    encoder = Encoder(Config(channels=(4,), dimension=None), "audio", (6,)).double()
    values, valid = random(2, 9, 6), torch.arange(9) < torch.tensor([[9], [5]])
    maps = [encoder.convolutions[0].convolution(values[row, :length][None, None]) for row, length in ((0, 9), (1, 5))]
    entries = torch.cat([one[0].flatten(1) for one in maps], dim=1)
    encoder(batch(audio=(values, valid)))
    encoder.convolutions[0].normalisation.commit()
    torch.testing.assert_close(encoder.convolutions[0].normalisation.running_mean, 0.1 * entries.mean(1))
    torch.testing.assert_close(encoder.convolutions[0].normalisation.running_var, 0.9 + 0.1 * entries.var(1))


@pytest.mark.parametrize("pooling", ["mean", "mean_std_max"])
def test_padding_does_not_reach_a_sound_through_strides_and_maxima(pooling):
    """A clip alone gives what it gives beside a longer one, in evaluation: each is convolved by itself."""
    encoder = Encoder(parse(Config, {"blocks": BLOCKS, "pooling": pooling}, "encoder"), "audio", (10,)).double().eval()
    for length in (1, 2, 7, 8, 13):
        values, valid = random(2, 31, 10, seed=length), torch.arange(31) < torch.tensor([[31], [length]])
        alone = encoder(batch(audio=(values[1:, :length], valid[1:, :length])))
        torch.testing.assert_close(encoder(batch(audio=(values, valid)))[1:], alone, rtol=0, atol=1e-12)


def test_a_clip_of_crops_is_the_mean_of_its_valid_crops_each_alone():
    encoder = Encoder(Config(channels=(4, 6), dimension=5), "video", (3, 16, 16)).double().eval()
    values, valid = random(3, 4, 3, 16, 16), torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]]).bool()
    found = encoder(batch(video=(values, valid)))
    one = torch.ones(1, 1, dtype=torch.bool)
    for row in range(3):
        each = [encoder(batch(video=(values[row, frame][None, None], one))) for frame in valid[row].nonzero()[:, 0]]
        expected = torch.cat(each).mean(0) if each else torch.zeros(5, dtype=torch.float64)
        torch.testing.assert_close(found[row], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [32, 48, 64, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_crops_of_every_size_give_different_vectors(size, channels):
    encoder = Encoder(Config(channels=(4, 6, 8, 8), dimension=None), "video", (channels, size, size)).double()
    values = random(4, 2, channels, size, size)
    found = encoder(batch(video=(values, torch.ones(4, 2, dtype=torch.bool))))
    assert found.shape == (4, 8)
    assert found.std(dim=0).max() > 1e-3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"blocks": [{"channels": 4, "kernel": 4}]},
            "blocks.0.kernel: a kernel has an odd size, so that every output has a centre (found 4)",
        ),
        (
            {"blocks": [{"channels": 4}], "channels": [4]},
            "'blocks' and 'channels' both define the convolutions; keep one of the two",
        ),
        (
            {"channels": []},
            "channels: tuple should have at least 1 item after validation, not 0 (found [])",
        ),
        (
            {"chanels": [4]},
            "unknown key 'chanels'. Did you mean 'channels'? Known: blocks, channels, dimension, pooling",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, sentence):
    with pytest.raises(ConfigError) as error:
        parse(Config, settings, "encoder")
    assert str(error.value) == f"encoder: {sentence}"


def test_a_stride_of_a_pool_is_at_most_its_window():
    with pytest.raises(ConfigError) as error:
        parse(Config, {"blocks": [{"channels": 4, "pool": 4}]}, "encoder")
    assert "input should be less than or equal to 3 (found 4)" in str(error.value)


@pytest.mark.parametrize(
    ("name", "modality", "shape", "sentence"),
    [
        (
            "vgg",
            "video",
            (35,),
            f"encoder: vgg reads {READS}, but a frame of video is 35 here; take cnn_gru, projection or vector, or "
            "other features",
        ),
        (
            "vgg",
            "video",
            (2, 48, 48),
            f"encoder: vgg reads {READS}, but a frame of video is 2 x 48 x 48 here; take other features",
        ),
        (
            "vgg",
            "video",
            (3, 48, 32),
            f"encoder: vgg reads {READS}, but a frame of video is 3 x 48 x 32 here; take other features",
        ),
        (
            "vector",
            "video",
            (3, 48, 48),
            "encoder: vector reads vectors, but a frame of video is 3 x 48 x 48 here; take projection, "
            "senet, senet_small or vgg, or other features",
        ),
        (
            "cnn_gru",
            "video",
            (1, 48, 48),
            "encoder: cnn_gru reads vectors over time, but a frame of video is 1 x 48 x 48 here; take projection, "
            "senet, senet_small or vgg, or other features",
        ),
        ("vector", "vidoe", (3,), "unknown modality 'vidoe'. Did you mean 'video'? Known: audio, video."),
        (
            "vgh",
            "video",
            (3, 48, 48),
            "unknown encoder 'vgh'. Did you mean 'vgg'? "
            "Known: cnn_gru, convolutional, projection, senet, senet_small, vector, vgg, vgg_m.",
        ),
    ],
)
def test_an_encoder_for_other_frames_is_refused_with_one_that_fits(name, modality, shape, sentence):
    with pytest.raises(ConfigError) as error:
        encoders.check(name, modality, shape)
    assert str(error.value) == sentence


def test_an_encoder_without_its_features_is_refused():
    config = parse(Config, json.loads("{}"), "encoder")
    with pytest.raises(ConfigError) as error:
        encoders.build({"video": ("vgg", config)}, {"audio": (40,)})
    assert str(error.value) == ("encoder.video: data.video has no features; add them or leave the encoder out")
