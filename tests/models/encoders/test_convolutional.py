"""The encoder and decoder of Rana et al. 2019 against torch's own functions, and the sizes of the paper."""

import pytest
import torch
import torch.nn.functional as F

from mien.common.settings import parse
from mien.data.batch import Batch, Sequence
from mien.errors import ConfigError
from mien.models import encoders
from mien.models.encoders.convolutional import Config, Encoder


def batch_of(values, valid=None):
    valid = torch.ones(values.shape[:2], dtype=torch.bool) if valid is None else valid
    names = tuple(f"clip{row}" for row in range(len(values)))
    sequence = Sequence(values, valid)
    return Batch(names, sequence, Sequence.absent(len(values)), {}, torch.arange(len(values)), len(values), 0, 0)


def made(size=128, **settings):
    torch.manual_seed(0)
    return Encoder(parse(Config, settings, "encoder"), "audio", (size,))


def parameters(module):
    return [sum(one.numel() for one in block.parameters()) for block in module.blocks]


def test_the_code_has_the_size_of_the_paper_and_the_decoder_undoes_it():
    encoder = made()
    code, valid = encoder(batch_of(torch.randn(2, 256, 128)))
    assert code.shape == (2, 32, 16, 16), "16 x 16 x 32 (section IV-C)"
    assert valid.shape == (2, 16)
    assert valid.all()
    assert encoder.decoder()(code, valid, 256).shape == (2, 256, 128)


def test_the_parameters_are_those_of_the_table():
    encoder = made()
    convolutions = [1 * 16 * 9, 16 * 32 * 9, 32 * 32 * 9]
    assert parameters(encoder) == [one + 2 * size for one, size in zip(convolutions, (16, 32, 32), strict=True)]
    transposed = [32 * 32 * 4 * 4 + 2 * 32, 32 * 16 * 4 * 4 + 2 * 16, 16 * 1 * 8 * 4 + 1]
    assert parameters(encoder.decoder()) == transposed


def test_encoding_is_convolution_normalisation_rectifier_pooling():
    """In that order, as the paper has it; the encoder pools first, which is the same."""
    encoder, values = made(8, channels=[3, 4], pool=[[4, 2], [2, 2]]).double(), torch.randn(3, 16, 8).double()
    expected = values[:, None]
    for block, pool in zip(encoder.blocks, ((4, 2), (2, 2)), strict=True):
        expected = F.conv2d(expected, block.convolution.weight, padding=1)
        norm = block.normalisation
        expected = F.batch_norm(expected, None, None, norm.weight, norm.bias, training=True, eps=norm.epsilon)
        expected = F.max_pool2d(F.relu(expected), pool)
    torch.testing.assert_close(encoder(batch_of(values))[0], expected, rtol=0, atol=1e-12)


def test_decoding_is_transposed_convolution_normalisation_rectifier():
    encoder = made(8, channels=[3, 4], pool=[[4, 2], [2, 2]]).double()
    decoder, code = encoder.decoder().double(), torch.randn(3, 4, 2, 2).double()
    first, last = decoder.blocks
    expected = F.conv_transpose2d(code, first.convolution.weight, stride=(2, 2), padding=(1, 1))
    (norm,) = first.normalisation
    expected = F.batch_norm(expected, None, None, norm.weight, norm.bias, training=True, eps=norm.epsilon)
    weight, bias = last.convolution.weight, last.convolution.bias
    expected = F.conv_transpose2d(F.relu(expected), weight, bias, stride=(4, 2), padding=(2, 1))
    found = decoder(code, torch.ones(3, 2, dtype=torch.bool), 16)
    torch.testing.assert_close(found, expected[:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("pool", [(1, 1), (2, 3), (3, 1), (4, 2), (5, 8)])
def test_a_decoder_gives_back_any_number_of_frames_and_values(pool):
    encoder = made(5, channels=[2], pool=[list(pool)])
    for frames in (1, 7, 23):
        code, valid = encoder(batch_of(torch.randn(2, frames, 5)))
        assert encoder.decoder()(code, valid, frames).shape == (2, frames, 5)


def test_statistics_and_codes_are_of_valid_frames_alone():
    """A short clip beside a long one has the code that it has alone, with the statistics of both."""
    encoder = made(8, channels=[3], pool=[[2, 2]]).double().eval()
    values, valid = torch.randn(2, 12, 8).double(), torch.ones(2, 12, dtype=torch.bool)
    valid[1, 5:] = False
    both, some = encoder(batch_of(values, valid))
    alone, _ = encoder(batch_of(values[1:, :5]))
    torch.testing.assert_close(both[1:, :, :3], alone, rtol=0, atol=1e-12)
    assert some[1].tolist() == [True] * 3 + [False] * 3
    assert not both[1, :, 3:].any()


def test_a_shortened_encoder_has_the_first_convolutions():
    encoder = made().shortened(2)
    assert parameters(encoder) == parameters(made())[:2]
    assert encoder(batch_of(torch.randn(1, 256, 128)))[0].shape == (1, 32, 32, 32)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"channels": [4, 8]}, "'channels' has 2 convolutions and 'pool' 3; give one pair for each"),
        ({"kernel": 4}, "a kernel has an odd size"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        parse(Config, settings, "encoder")


def test_pixels_are_refused_with_what_reads_them():
    with pytest.raises(ConfigError, match=r"convolutional reads frames of a spectrogram \(audio\)"):
        encoders.check("convolutional", "video", (3, 8, 8))
