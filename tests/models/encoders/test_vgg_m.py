"""VGG-M at the paper's size, layer by layer; a clip alone and in a padded batch."""

import pytest
import torch
import torch.nn.functional as F

from mien.data.batch import Batch, Sequence
from mien.models.encoders import vgg_m

SMALL = vgg_m.Config(channels=(3, 4, 4, 4, 5), fc6=6, dimension=7, deviation=0.3)
TABLE = [(98, 126), (23, 30), (23, 30), (23, 30), (11, 9)]  # times x rows after each block of a part of 4 s


def of(values, valid=None):
    clips = len(values)
    valid = torch.ones(values.shape[:2], dtype=torch.bool) if valid is None else valid
    sound = Sequence(values, valid)
    return Batch(tuple(map(str, range(clips))), sound, Sequence.absent(clips), {}, torch.arange(clips), clips, 0, 0)


def made(config=SMALL, rows=130, seed=0):
    torch.manual_seed(seed)
    return vgg_m.Encoder(config, "audio", (rows,))


def test_the_layers_have_the_parameters_of_the_paper():
    encoder = made(vgg_m.Config(), 512)
    layers = [*(block.convolution for block in encoder.blocks), encoder.fc6, encoder.fc7]
    sizes = [sum(value.numel() for value in layer.parameters()) for layer in layers]
    assert sizes == [4_800, 614_656, 590_080, 590_080, 590_080, 9_441_280, 4_195_328]
    assert encoder.fc6.kernel_size == (1, 9)
    weights = torch.cat([layer.weight.flatten() for layer in layers])
    assert weights.std().item() == pytest.approx(0.01, rel=0.01)
    assert all((layer.bias == 0).all() for layer in layers)


def test_the_maps_have_the_sizes_of_table_4_without_its_rounding():
    """254 x 198 before the first pooling follows from a padding of 1; its 126 x 99 does not, 126 x 98 does."""
    encoder = made(rows=512)
    assert encoder.blocks[0].convolution(torch.zeros(1, 1, 400, 512)).shape == (1, 3, 198, 254)
    maps, lengths = torch.zeros(1, 1, 400, 512), torch.tensor([400])
    for block, size in zip(encoder.blocks, TABLE, strict=True):
        maps, lengths = block(maps, lengths)
        assert maps.shape[2:] == size
        assert lengths.tolist() == [size[0]]


def test_a_forward_pass_is_the_plain_network_of_torch():
    encoder = made(rows=512).double().eval()
    for name, value in encoder.named_buffers():
        value.copy_(torch.rand_like(value) + 0.5) if "var" in name else value.normal_(0, 0.1)
    values = torch.randn(2, 171, 512, dtype=torch.float64)
    maps = values[:, None]
    pools = [((3, 3), (2, 2)), ((3, 3), (2, 2)), None, None, ((3, 5), (2, 3))]
    for block, pool in zip(encoder.blocks, pools, strict=True):
        maps = F.relu(normalised(block.normalisation, block.convolution(maps)))
        maps = maps if pool is None else F.max_pool2d(maps, *pool)
    each = F.relu(normalised(encoder.normalisation6, encoder.fc6(maps)[..., 0]))
    expected = F.relu(normalised(encoder.normalisation7, encoder.fc7(each.mean(dim=2))))
    torch.testing.assert_close(encoder(of(values)), expected, rtol=0, atol=1e-12)


def normalised(layer, values):
    return F.batch_norm(values, layer.running_mean, layer.running_var, layer.weight, layer.bias, False, 0.0, 1e-5)


@pytest.mark.parametrize("frames", [1, 40, 65, 66, 101, 199])
def test_a_clip_has_one_vector_alone_and_in_a_padded_batch(frames):
    encoder = made().double().eval()
    values = torch.randn(3, 230, 130, dtype=torch.float64)
    lengths = torch.tensor([frames, 230, 120])
    valid = torch.arange(230) < lengths[:, None]
    together = encoder(of(values, valid))
    alone = encoder(of(values[:1, :frames]))
    torch.testing.assert_close(together[:1], alone, rtol=0, atol=1e-12)
    assert not torch.equal(together[0], together[1])


def test_a_vector_is_a_mean_over_time():
    """A clip that repeats a period of the layers' strides many times has nearly the vector of one with half of them."""
    encoder = made().double().eval()
    period = torch.randn(1, 16, 130, dtype=torch.float64)
    one, other = (encoder(of(period.repeat(1, times, 1))) for times in (60, 120))
    strange = encoder(of(torch.randn(1, 960, 130, dtype=torch.float64)))
    assert (one - other).norm() < 0.05 * (one - strange).norm()


def test_few_rows_are_filled_up():
    encoder = made(rows=5)
    assert encoder.fc6.kernel_size == (1, 1)
    assert encoder(of(torch.randn(2, 300, 5))).shape == (2, 7)
