"""SE-ResNet-50: sizes to the parameter, blocks against torch's own functions, and weights with VGGFace2's names."""

from hashlib import sha256

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from mien.common.settings import parse
from mien.data.batch import Batch, Sequence
from mien.errors import ConfigError
from mien.models import encoders
from mien.models.encoders.senet import Config, Encoder, begin, pool

LAYERS, CHANNELS = (3, 4, 6, 3), (64, 128, 256, 512)
SMALL = {"layers": [2, 1], "channels": [4, 6], "reduction": 8, "size": None}
MEAN = [131.0912, 103.8827, 91.4953]  # red, green, blue: what VGGFace2 subtracts


def table(layers=LAYERS, channels=CHANNELS, reduction=16):
    """Name in the release -> outputs, inputs, kernel of each convolution; gates' last, as they have biases."""
    found, gates, inputs = {"conv1_7x7_s2": (channels[0], 3, 7)}, {}, channels[0]
    for number, (blocks, width) in enumerate(zip(layers, channels, strict=True), 2):
        for place in range(1, blocks + 1):
            head = f"conv{number}_{place}"
            found[f"{head}_1x1_reduce"] = (width, inputs, 1)
            found[f"{head}_3x3"] = (width, width, 3)
            found[f"{head}_1x1_increase"] = (4 * width, width, 1)
            if place == 1:
                found[f"{head}_1x1_proj"] = (4 * width, inputs, 1)
            gates[f"{head}_1x1_down"] = (4 * width // reduction, 4 * width, 1)
            gates[f"{head}_1x1_up"] = (4 * width, 4 * width // reduction, 1)
            inputs = 4 * width
    return found, gates


def shapes(*sizes):
    """Every tensor of the release, without its classifier."""
    convolutions, gates = table(*sizes)
    found = {}
    for name, (outputs, inputs, kernel) in (convolutions | gates).items():
        found[f"{name}.weight"] = (outputs, inputs, kernel, kernel)
        if name in gates:
            found[f"{name}.bias"] = (outputs,)
        else:
            found |= {f"{name}_bn.{key}": (outputs,) for key in ("weight", "bias", "running_mean", "running_var")}
    return found


def random_weights(*sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: torch.randn(shape, generator=generator, dtype=torch.float64) / max(1, shape[-1] * len(shape)) ** 0.5
        for name, shape in shapes(*sizes).items()
    }
    return {name: value.square() + 0.5 if name.endswith("_var") else value for name, value in weights.items()}


def forward(weights, images, layers, *, training=False):
    """The network after its images, N x 3 x S x S, in torch's functions alone: N x D."""

    def normal(values, name):
        bias, scale = weights[f"{name}_bn.bias"], weights[f"{name}_bn.weight"]
        mean, variance = weights[f"{name}_bn.running_mean"].clone(), weights[f"{name}_bn.running_var"].clone()
        return F.batch_norm(values, mean, variance, scale, bias, training, 0.1, 1e-5)

    def convolved(values, name, **how):
        return normal(F.conv2d(values, weights[f"{name}.weight"], **how), name)

    values = convolved(images, "conv1_7x7_s2", stride=2, padding=3).relu()
    values = F.max_pool2d(values, kernel_size=3, stride=2, padding=0, ceil_mode=True)
    for number, blocks in enumerate(layers, 2):
        for place in range(1, blocks + 1):
            head = f"conv{number}_{place}"
            stride = 2 if place == 1 and number > 2 else 1
            inner = convolved(values, f"{head}_1x1_reduce", stride=stride).relu()
            inner = convolved(inner, f"{head}_3x3", padding=1).relu()
            inner = convolved(inner, f"{head}_1x1_increase")
            squeezed = F.adaptive_avg_pool2d(inner, 1)
            down = F.conv2d(squeezed, weights[f"{head}_1x1_down.weight"], weights[f"{head}_1x1_down.bias"]).relu()
            gate = F.conv2d(down, weights[f"{head}_1x1_up.weight"], weights[f"{head}_1x1_up.bias"]).sigmoid()
            past = convolved(values, f"{head}_1x1_proj", stride=stride) if place == 1 else values
            values = (gate * inner + past).relu()
    return F.adaptive_avg_pool2d(values, 1).flatten(1)


def faces(count=3, channels=3, size=20, seed=1):
    """Pixels, 1 x T x C x S x S uint8, as they come from a store."""
    return torch.randint(
        0, 256, (1, count, channels, size, size), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8
    )


def batch(pixels, valid=None, dtype=torch.float64):
    valid = torch.ones(pixels.shape[:2], dtype=torch.bool) if valid is None else valid
    clips = len(pixels)
    sequences = Sequence.absent(clips), Sequence(pixels, valid)
    made = Batch(tuple(map(str, range(clips))), *sequences, {}, torch.arange(clips), clips, 0, 0)
    return made.to(torch.device("cpu"), dtype)


def made(shape, **settings):
    return Encoder(parse(Config, SMALL | settings, "encoder"), "video", shape).double().eval()


@pytest.fixture
def file(tmp_path):
    """A file of weights for a `SMALL` encoder, and its tensors."""
    weights = random_weights((2, 1), (4, 6), 8)
    save_file(weights, tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors", weights


def begun(settings):
    """An encoder whose training is about to start."""
    config = parse(Config, SMALL | settings, "encoder.video")
    encoder = Encoder(config, "video", (3, 8, 8))
    encoders.begin({"video": encoder}, {"video": ("senet", config)})
    return encoder


def refusal(settings):
    with pytest.raises(ConfigError) as error:
        begun(settings)
    return str(error.value)


def test_parameters_are_those_of_the_table():
    with torch.device("meta"):
        encoder = Encoder(Config(), "video", (3, 224, 224))
    convolutions, gates = table()
    learned = sum(outputs * (inputs * kernel**2 + 2) for outputs, inputs, kernel in convolutions.values())
    learned += sum(outputs * (inputs + 1) for outputs, inputs, _ in gates.values())
    assert learned == 26_039_024  # 28,088,024 of SE-ResNet-50 for ImageNet, without its classifier of 2,049,000
    assert sum(parameter.numel() for parameter in encoder.parameters()) == learned
    assert encoder.dimension == 2048


def test_maps_have_the_sizes_of_the_paper_at_224():
    with torch.device("meta"):
        encoder = Encoder(Config(), "video", (1, 48, 48)).eval()
        values = encoder.pixels(torch.empty(2, 1, 48, 48))
        assert values.shape == (2, 3, 224, 224)
        values = encoder.stem(values)
        assert values.shape == (2, 64, 112, 112)
        values = pool(values)
        assert values.shape == (2, 64, 56, 56)
        for stage, shape in zip(encoder.stages, [(256, 56), (512, 28), (1024, 14), (2048, 7)], strict=True):
            values = stage(values)
            assert values.shape == (2, shape[0], shape[1], shape[1])


def test_the_names_are_those_of_the_release():
    with torch.device("meta"):
        encoder = Encoder(Config(), "video", (3, 224, 224))
    assert {name: tuple(value.shape) for name, value in encoder.released.items()} == shapes()
    own = encoder.state_dict()
    assert len(encoder.released) == len(own), "every tensor has a name, each once"


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("size", [16, 17, 33])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_it_equals_the_network_written_out(file, training, size, order):
    path, weights = file
    encoder = made((3, size, size), order=order).train(training)
    begin(encoder, parse(Config, SMALL | {"weights": str(path)}, "encoder"))
    pixels = faces(size=size)
    images = pixels[0].double() - torch.tensor(MEAN).double()[:, None, None]
    images = images if order == "rgb" else images[:, [2, 1, 0]]
    expected = forward(weights, images, (2, 1), training=training).mean(dim=0, keepdim=True)
    torch.testing.assert_close(encoder(batch(pixels)), expected, rtol=1e-9, atol=1e-9)


def test_only_valid_frames_are_in_the_mean(file):
    path, weights = file
    encoder = made((3, 20, 20))
    begin(encoder, parse(Config, SMALL | {"weights": str(path)}, "encoder"))
    pixels, valid = faces(count=4), torch.tensor([[True, False, True, False]])
    images = pixels[0, ::2].double() - torch.tensor(MEAN).double()[:, None, None]
    expected = forward(weights, images, (2, 1)).mean(dim=0, keepdim=True)
    torch.testing.assert_close(encoder(batch(pixels, valid)), expected, rtol=1e-9, atol=1e-9)


def test_the_mean_is_subtracted_from_pixels_of_0_to_255():
    pixels = torch.tensor([0, 128, 255], dtype=torch.uint8)[:, None, None].expand(1, 1, 3, 5, 5)
    values = batch(pixels).video.values[0]
    read = made((3, 5, 5), mean=[10.0, 20.0, 30.0]).pixels(values)
    assert read[0, :, 0, 0].tolist() == pytest.approx([-10, 108, 225])
    read = made((3, 5, 5), mean=[10.0, 20.0, 30.0], order="bgr").pixels(values)
    assert read[0, :, 0, 0].tolist() == pytest.approx([225, 108, -10])


def test_grey_is_read_as_the_same_value_in_all_channels():
    grey = faces(channels=1)
    colour = grey.expand(-1, -1, 3, -1, -1)
    for size in (None, 32, 9):
        torch.manual_seed(0)
        one = made((1, 20, 20), size=size)
        torch.manual_seed(0)
        other = made((3, 20, 20), size=size)
        torch.testing.assert_close(one(batch(grey)), other(batch(colour)), rtol=0, atol=1e-12)


def test_crops_are_brought_to_the_size():
    pixels = torch.tensor([[0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)[None, None]
    read = made((1, 2, 2), size=4, mean=[0.0, 0.0, 0.0]).pixels(2 * pixels - 1)
    # centres of four pixels over two: at -1/4, 1/4, 3/4 and 5/4 of the distance between the centres of the two
    assert read[0, 0, 0].tolist() == pytest.approx([0, 255 / 4, 3 * 255 / 4, 255])
    assert made((1, 48, 48), size=7).pixels(torch.full((2, 1, 48, 48), -1.0)).shape == (2, 3, 7, 7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [5, 13])
def test_half_precise_crops_are_resized_as_precise_ones(size, dtype):
    """What is read differs by the rounding of the result alone, and the network takes it."""
    encoder = made((3, 8, 8), size=size)
    images = (2 * torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)) - 1).to(dtype)
    precise = encoder.pixels(images.double())
    step = torch.finfo(dtype).eps
    read = encoder.to(dtype).pixels(images)
    assert read.dtype == dtype
    torch.testing.assert_close(read.double(), precise, atol=128 * step, rtol=step)  # the mean is rounded, too
    assert torch.isfinite(encoder(batch(images[:, None], dtype=dtype))).all()
    assert encoder.float().pixels(images).dtype == torch.float32


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_smallest_crops_are_read(size):
    encoder = made((1, size, size)).train()
    code = encoder(batch(faces(channels=1, size=size, count=5)))
    code.square().sum().backward()
    assert code.shape == (1, 24)
    assert all(parameter.grad.isfinite().all() for parameter in encoder.parameters())


def test_heads_and_counters_of_the_file_are_left_out(tmp_path):
    weights = random_weights((2, 1), (4, 6), 8)
    more = {"classifier.weight": torch.ones(2, 24), "conv2_1_3x3_bn.num_batches_tracked": torch.tensor(7)}
    for name, own in (("plain", weights), ("more", {**weights, **more})):
        save_file(own, tmp_path / f"{name}.safetensors")
    encoder = made((3, 8, 8))
    for name in ("plain", "more"):
        config = parse(Config, SMALL | {"weights": str(tmp_path / f"{name}.safetensors")}, "encoder")
        for value in encoder.state_dict().values():
            value.fill_(torch.nan)
        begin(encoder, config)
        assert all(torch.equal(value, weights[key]) for key, value in encoder.released.items())


def test_half_precision_is_read_in_the_precision_of_the_encoder(tmp_path):
    weights = {name: value.half() for name, value in random_weights((2, 1), (4, 6), 8).items()}
    save_file(weights, tmp_path / "half.safetensors")
    encoder = made((3, 8, 8)).float()
    begin(encoder, parse(Config, SMALL | {"weights": str(tmp_path / "half.safetensors")}, "encoder"))
    assert all(torch.equal(value, weights[key].float()) for key, value in encoder.released.items())


def test_the_hash_is_found_and_the_file_is_not_needed_with_it(file, tmp_path, monkeypatch):
    path, _ = file
    expected = sha256(path.read_bytes()).hexdigest()
    monkeypatch.chdir(tmp_path)
    config = parse(Config, {"weights": "small.safetensors"}, "encoder")
    assert (config.weights, config.sha256) == (str(path), expected)
    path.unlink()
    assert parse(Config, config.model_dump(mode="json"), "encoder") == config
    assert (Config().weights, Config().sha256) == (None, None)


WAY = "give a file for this network, or change the encoder's settings to those of the file"


def test_a_file_that_does_not_fit_is_refused_and_changes_nothing(file):
    path, weights = file
    less = {name: value for name, value in weights.items() if not name.startswith("conv3_1_1x1_proj")}
    for own, message in (
        (less, f"has no tensor 'conv3_1_1x1_proj.weight'; {WAY}"),
        (
            weights | {"conv2_1_3x3.weight": torch.ones(5, 4, 3, 3)},
            f"'conv2_1_3x3.weight' is 5 x 4 x 3 x 3, and the encoder's is 4 x 4 x 3 x 3; {WAY}",
        ),
    ):
        save_file(own, path)
        encoder = made((3, 8, 8))
        before = {name: value.clone() for name, value in encoder.state_dict().items()}
        with pytest.raises(ConfigError) as error:
            begin(encoder, parse(Config, SMALL | {"weights": str(path)}, "encoder"))
        assert str(error.value) == f"weights: {path}: {message}"
        assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_a_file_of_a_deeper_network_is_refused(file):
    path, weights = file
    save_file(weights | {"conv2_3_3x3.weight": torch.ones(4, 4, 3, 3)}, path)
    assert refusal({"weights": str(path)}) == (
        f"weights: {path}: 'conv2_3_3x3.weight' is of a layer that the encoder does not have; {WAY}"
    )


def test_what_is_no_file_of_weights_is_refused(file, tmp_path):
    path, _ = file
    zeros = "0" * 64
    assert refusal({"weights": str(path), "sha256": zeros}) == (
        f"weights: {path}: its SHA-256 is {sha256(path.read_bytes()).hexdigest()[:12]}... and sha256 is 000000000000"
        "...; give the right file, or leave sha256 out to take this one"
    )
    gone = tmp_path / "gone.safetensors"
    missing = (
        f"weights: {gone}: no such file or directory; give a .safetensors file, or null to begin with random weights"
    )
    assert refusal({"weights": str(gone)}) == f"encoder.video: {missing}"
    assert refusal({"weights": str(gone), "sha256": zeros}) == missing
    path.write_bytes(b"\x80\x02}q\x00.")
    assert refusal({"weights": str(path)}).startswith(f"weights: {path}: not a safetensors file (")
    assert "only .safetensors files are read; convert it" in refusal({"weights": "senet50_ft.pth"})
    assert refusal({"sha256": zeros}) == "encoder.video: sha256 is of 'weights', which is not given; leave it out"
    assert refusal({"layers": [1]}) == "encoder.video: 'layers' has 1 stages and 'channels' 2; give as many"


def test_modules_are_those_that_training_accepts():
    assert not [part for part in made((3, 8, 8)).modules() if isinstance(part, nn.BatchNorm2d | nn.Dropout)]
