"""The small network of faces: sizes to the parameter, shapes, a forward pass written by hand, and light that varies."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from mien.data.batch import Batch, Sequence
from mien.models.encoders.senet_small import NOISE, Block, Config, Encoder, reads

FACE = (1, 48, 48)
SMALL = {"stem": 4, "channels": (6, 8), "reduction": 2}


def batch(values, valid=None):
    clips, frames = values.shape[:2]
    absent = Sequence.absent(clips)
    valid = torch.ones(clips, frames, dtype=torch.bool) if valid is None else valid
    return Batch(tuple(map(str, range(clips))), absent, Sequence(values, valid), {}, torch.arange(clips), clips, 0, 0)


def faces(clips=4, frames=1, shape=FACE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(clips * frames, shape[0], 6, 6, generator=generator)
    smooth = F.interpolate(coarse, size=shape[1:], mode="bilinear", align_corners=False)
    return (0.8 * (2 * smooth - 1)).view(clips, frames, *shape)


def encoder(shape=FACE, **settings):
    torch.manual_seed(0)
    made = Encoder(Config(**settings), "video", shape)
    for module in made.modules():  # statistics that a training would leave, none of them 0 or 1
        if hasattr(module, "running_mean"):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return made.eval()


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def convolution(inputs, outputs, side=3):
    return inputs * outputs * side**2 + 2 * outputs  # and the scale and shift of its normalisation


def gate(channels, inner):
    return channels * inner + inner + inner * channels + channels


@pytest.mark.parametrize("channels", [1, 3])
def test_parameters_are_those_of_the_table(channels):
    expected, inputs = convolution(channels, 24), 24
    for size in (48, 96, 128):
        expected += convolution(inputs, size) + convolution(size, size) + gate(size, size // 8)
        expected += convolution(inputs, size, 1)  # the way past, which halves
        expected += 2 * convolution(size, size) + gate(size, size // 8)
        inputs = size
    made = encoder((channels, 48, 48))
    assert count(made) == expected <= 1_000_000
    assert made.dimension == 128


def test_a_stored_model_of_half_precision_has_at_most_4_mb(tmp_path):
    state = {name: value.half().contiguous() for name, value in encoder().state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    assert (tmp_path / "weights.safetensors").stat().st_size <= 4_000_000


@pytest.mark.parametrize(("side", "sides"), [(48, (48, 24, 12, 6)), (64, (64, 32, 16, 8)), (9, (9, 5, 3, 2))])
def test_maps_have_the_sizes_of_the_table(side, sides):
    made, found = encoder((1, side, side)), []
    for module in (made.stem, *made.blocks):
        module.register_forward_hook(lambda module, inputs, output: found.append(tuple(output.shape[1:])))
    made(batch(faces(2, 3, (1, side, side))))
    first, *others = sides
    channels = [size for size in (48, 96, 128) for _ in range(2)]
    halved = [size for size in others for _ in range(2)]
    assert found == [(24, first, first), *((c, s, s) for c, s in zip(channels, halved, strict=True))]


def test_a_block_is_two_convolutions_and_a_gate_past_which_the_input_goes():
    torch.manual_seed(0)
    for inputs, stride in ((3, 2), (5, 1)):
        block = Block(inputs, 5, stride=stride, reduction=2).eval()
        values = torch.randn(2, inputs, 7, 7)
        state = block.state_dict()

        def convolved(name, values, state=state, stride=1):
            weight = state[f"{name}.convolution.weight"]
            own = {key: state[f"{name}.normalisation.{key}"] for key in ("weight", "bias", "running_mean")}
            spread = (state[f"{name}.normalisation.running_var"] + 1e-5).sqrt()
            made = F.conv2d(values, weight, stride=stride, padding=weight.shape[-1] // 2)
            column = {key: value[:, None, None] for key, value in {**own, "spread": spread}.items()}
            return (made - column["running_mean"]) / column["spread"] * column["weight"] + column["bias"]

        inner = convolved("second", convolved("first", values, stride=stride).relu())
        means = inner.mean(dim=(2, 3))
        down = (means @ state["gate.down.weight"][:, :, 0, 0].T + state["gate.down.bias"]).relu()
        gates = (down @ state["gate.up.weight"][:, :, 0, 0].T + state["gate.up.bias"]).sigmoid()
        assert down.shape == (2, 2)
        past = values
        if stride == 2:
            padded = torch.full((2, inputs, 8, 8), torch.nan)
            padded[:, :, :7, :7] = values
            past = torch.nanmean(padded.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4), dim=4)
            past = convolved("past.0", past)
        torch.testing.assert_close(block(values), (inner * gates[:, :, None, None] + past).relu())


def test_contrast_and_brightness_matter_little_and_more_without():
    plain = faces()
    changes = {"darker": plain - 0.2, "flatter": 0.7 * plain, "both": 0.8 * plain + 0.15}
    moved = {}
    for standardise in (True, False):
        made = encoder(standardise=standardise)
        before = made(batch(plain))
        for name, values in changes.items():
            moved[name, standardise] = ((made(batch(values)) - before).norm() / before.norm()).item()
    assert moved["darker", True] < 1e-5
    assert moved["flatter", True] < 0.75 * moved["flatter", False], "not nothing: the noise is added to the contrast"
    assert moved["both", True] < 0.5 * moved["both", False]


def test_images_are_standardised_as_far_as_they_are_above_the_noise():
    found = []
    made = encoder()
    made.stem.register_forward_pre_hook(lambda module, inputs: found.append(inputs[0]))
    made(batch(faces()))
    (seen,) = found
    images = faces()[:, 0]
    deviation = images.std(dim=(1, 2, 3), correction=0)
    torch.testing.assert_close(seen.mean(dim=(1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std(dim=(1, 2, 3), correction=0), deviation / (deviation + NOISE))
    plain = encoder(standardise=False)
    plain.stem.register_forward_pre_hook(lambda module, inputs: found.append(inputs[0]))
    plain(batch(faces()))
    assert torch.equal(found[-1], images)


@pytest.mark.parametrize("shade", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_blank_images_are_finite_and_alike(shade, training):
    made = encoder(**SMALL).train(training)
    values = torch.full((3, 2, *FACE), shade, requires_grad=False)
    code = made(batch(values))
    code.sum().backward()
    assert code.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in made.parameters())
    torch.testing.assert_close(code, made(batch(torch.zeros_like(values))), atol=1e-4, rtol=1e-4)


def test_a_clip_is_the_mean_of_its_faces():
    made, values = encoder(**SMALL), faces(2, 3)
    valid = torch.tensor([[True, False, True], [False, False, False]])
    each = made(batch(values[0][:, None]))
    code = made(batch(values, valid))
    torch.testing.assert_close(code[0], each[[0, 2]].mean(dim=0))
    assert code[1].eq(0).all()


def test_it_reads_square_grey_or_colour_crops_alone():
    shapes = {(1, 48, 48): True, (3, 64, 64): True, (2, 48, 48): False, (1, 48, 32): False, (1, 0, 0): False}
    assert {shape: reads("video", shape) for shape in shapes} == shapes
    assert not reads("audio", (1, 48, 48))
    assert not reads("video", (48,))
