"""One contract for every encoder on every input that it reads, alone and with another modality beside it."""

import copy

import pytest
import torch
from torch import nn

from mien.data.batch import Batch, Sequence
from mien.engine.minimise import Optimisation, Optimiser
from mien.models.encoders import MODALITIES, encoder, names

INPUTS = {("audio", (5,)), ("video", (4,)), ("video", (3, 8, 8)), ("video", (1, 9, 9))}
ALONE = [
    ({modality: name}, {modality: shape})
    for name in names()
    for modality, shape in sorted(INPUTS, key=str)
    if encoder(name).reads(modality, shape)
]
TOGETHER = [
    ({"audio": "vgg", "video": "vgg"}, {"video": (3, 8, 8)}),
    ({"audio": "cnn_gru", "video": "vector"}, {"video": (4,)}),
    ({"audio": "convolutional", "video": "vector"}, {"video": (4,)}),
    ({"audio": "projection", "video": "projection"}, {"video": (3, 8, 8)}),
]
every_input = pytest.mark.parametrize(("names", "shapes"), ALONE + TOGETHER, ids=lambda value: str(value))
NORMALISED = [case for case in ALONE + TOGETHER if {"convolutional", "senet", "vgg"} & set(case[0].values())]


def made(make_trunks, names, shapes, dtype=torch.float64):
    torch.manual_seed(0)
    return make_trunks(names, shapes).to(dtype)


def frames(shapes, clips=6, longest=23, dtype=torch.float64, step=0):
    """Random frames of both modalities; lengths differ, frames in the middle are not valid, a clip has nothing."""
    generator = torch.Generator().manual_seed(7)
    sequences = []
    for modality in MODALITIES:
        shape = shapes.get(modality, (5,) if modality == "audio" else (3, 8, 8))
        values = torch.randn(clips, longest, *shape, generator=generator, dtype=torch.float64)
        valid = torch.arange(longest) < torch.tensor([longest, 9, 1, 20, 0, 5])[:clips, None]
        valid[0, 3] = valid[0, 11] = False
        sequences.append(Sequence(values.to(dtype), valid))
    names = tuple(f"clip{row}" for row in range(clips))
    return Batch(names, *sequences, {}, torch.arange(clips), clips, 0, step)


def changed(batch, change):
    sequences = {modality: change(getattr(batch, modality)) for modality in MODALITIES}
    return Batch(**{**vars(batch), **sequences})


def filled(batch, junk):
    def fill(sequence):
        mask = sequence.valid.view(*sequence.valid.shape, *[1] * (sequence.values.dim() - 2))
        return Sequence(torch.where(mask, sequence.values, junk), sequence.valid)

    return changed(batch, fill)


def slope(code):
    return torch.linspace(-1, 2, code.shape[1], dtype=code.dtype)


@every_input
def test_junk_in_invalid_frames_changes_nothing_in_training_and_evaluation(make_trunks, names, shapes):
    outcomes = []
    for junk in (0.0, 1e6, torch.nan):
        module, batch = made(make_trunks, names, shapes), filled(frames(shapes), junk)
        minimise = Optimisation(nn.ModuleDict({"encoder": module}), Optimiser())
        code = module(batch)
        minimise((slope(code) * code.square()).sum(), module)
        with torch.no_grad():
            outcomes.append([code.detach(), module.eval()(batch), *module.state_dict().values()])
    for outcome in outcomes[1:]:
        assert all(torch.equal(one, other) for one, other in zip(outcome, outcomes[0], strict=True))
    assert not torch.equal(outcomes[0][0][0], outcomes[0][0][3]), "the embedding does not depend on the clip"


@every_input
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_padding_never_changes_an_embedding(make_trunks, names, shapes, training):
    module = made(make_trunks, names, shapes).train(training)
    batch = frames(shapes)
    expected = module(batch)
    for padding in (1, 2, 7):
        torch.testing.assert_close(module(changed(batch, _longer(padding))), expected, rtol=0, atol=1e-12)


def _longer(padding):
    def longer(sequence):
        values, valid = sequence.values, sequence.valid
        more = values.new_full((len(values), padding, *values.shape[2:]), 9.0)
        return Sequence(torch.cat([values, more], dim=1), torch.cat([valid, valid.new_zeros(len(valid), padding)], 1))

    return longer


@every_input
@pytest.mark.parametrize("case", ["no clips", "nothing valid", "no frames", "one frame", "absent"])
@pytest.mark.parametrize("precision", ["float64", "autocast"])
def test_odd_batches_are_finite_and_so_are_their_gradients(make_trunks, names, shapes, case, precision):
    dtype = torch.float64 if precision == "float64" else torch.float32
    batch = frames(shapes, dtype=dtype)
    change = {
        "no clips": lambda sequence: sequence.part(torch.arange(0)),
        "nothing valid": lambda sequence: Sequence(sequence.values * torch.nan, torch.zeros_like(sequence.valid)),
        "no frames": lambda sequence: Sequence(sequence.values[:, :0], sequence.valid[:, :0]),
        "one frame": lambda sequence: Sequence(sequence.values[:, :1], sequence.valid[:, :1]),
        "absent": lambda sequence: Sequence.absent(6).to(torch.device("cpu"), dtype),
    }[case]
    batch = batch.part(torch.arange(0)) if case == "no clips" else changed(batch, change)
    module = made(make_trunks, names, shapes, dtype)
    recipe = nn.ModuleDict({"encoder": module, "task": nn.Linear(module.dimension, 2).to(dtype)})
    minimise = Optimisation(recipe, Optimiser())
    for _ in range(2):  # a gradient that is not finite would raise
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast", cache_enabled=False):
            code = module(batch)
            loss = recipe["task"](code).square().sum()
        assert code.shape == (len(batch.clips), module.dimension)
        minimise(loss, recipe)
    assert all(value.isfinite().all() for value in (*recipe.state_dict().values(), module.eval()(batch)))


@every_input
def test_under_autocast_the_embedding_is_nearly_the_same(make_trunks, names, shapes):
    module, batch = made(make_trunks, names, shapes, torch.float32).eval(), frames(shapes, dtype=torch.float32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        half = module(batch)
    whole = module(batch).detach()
    assert (half - whole).norm() < 0.02 * whole.norm()


@every_input
@pytest.mark.parametrize(
    "share",
    [
        pytest.param(6, id="one is empty", marks=pytest.mark.slow),
        pytest.param(4, id="uneven"),
        pytest.param(1, id="one clip", marks=pytest.mark.slow),
    ],
)
def test_two_processes_equal_one_and_make_the_same_calls(make_trunks, two_processes, names, shapes, share):
    """Three steps in float64 with dropout, statistics and a clip without anything; the first holds `share` clips."""

    encoder = made(make_trunks, names, shapes)
    start = nn.ModuleDict({"encoder": encoder, "task": nn.Linear(encoder.dimension, 2).double()})

    def train(part):
        recipe = copy.deepcopy(start)
        minimise = Optimisation(recipe, Optimiser(name="sgd", lr={"default": 0.01}))
        for step in range(3):
            batch = frames(shapes, step=step)
            minimise(recipe["task"](recipe["encoder"](batch.part(part))).square().sum() / 6, recipe)
        return recipe.state_dict()

    one = train(torch.arange(6))
    for state in two_processes(lambda rank: train(torch.arange(share) if rank == 0 else torch.arange(share, 6))):
        for name, value in one.items():
            torch.testing.assert_close(state[name], value, rtol=0, atol=1e-10, msg=lambda text, name=name: name + text)


@pytest.mark.parametrize(("names", "shapes"), NORMALISED, ids=lambda value: str(value))
def test_a_forward_pass_moves_nothing_until_the_encoder_is_named(make_trunks, names, shapes):
    module = made(make_trunks, names, shapes)
    recipe = nn.ModuleDict({"encoder": module, "adversary": nn.Linear(module.dimension, 2).double()})
    minimise = Optimisation(recipe, Optimiser())
    before = copy.deepcopy(module.state_dict())
    code = module(frames(shapes))
    minimise(recipe["adversary"](code.detach()).square().sum(), recipe["adversary"])
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    minimise(recipe["adversary"](code).square().sum(), module)
    assert not [name for name, value in module.state_dict().items() if torch.equal(value, before[name])]
