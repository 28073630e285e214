"""Distillation against losses and a loop by hand; what a part of a clip is taught."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mien.common.settings import parse
from mien.data.batch import Sequence
from mien.data.targets import Target
from mien.engine.minimise import Optimisation, Optimiser
from mien.errors import ConfigError
from mien.models import encoders
from mien.models.encoders import vgg_m
from mien.models.layers.frame_logits import POOLINGS, pooled
from mien.models.objectives.losses import distillation
from mien.models.recipes import distill
from mien.models.recipes._recipe import Given, Inference

EMOTION = Target("emotion", "soft", tuple("abcd"), tuple("abcd"), main=True)
SMALL = vgg_m.Config(channels=(3, 4, 4, 4, 5), fc6=6, dimension=7, deviation=0.3)


def config(**settings):
    return parse(distill.Config, settings, "models.student")


def made(*, teacher=(4,), seed=0, **settings):
    torch.manual_seed(seed)
    trunks = encoders.build({"audio": ("vgg_m", SMALL)}, {"audio": (5,)})
    own = config(deviation=0.3, **settings)
    return distill.build(own, Given(trunks, {"audio": (5,)}, {"emotion": EMOTION}, teacher=teacher)).double()


@pytest.fixture
def batch(make_batch):
    """Seven clips with six frames of a teacher each, of which one clip has none and another two; float64."""
    given = make_batch().to(torch.device("cpu"), torch.float64)
    generator = torch.Generator().manual_seed(4)
    values = 3 * torch.randn(7, 6, 4, generator=generator, dtype=torch.float64)
    valid = torch.ones(7, 6, dtype=torch.bool)
    valid[2] = False
    valid[5, 2:] = False
    return replace(given, labels={}, teacher=Sequence(values, valid))


def softened(logits, temperature=2.0):
    """Equation 1, as it is printed."""
    raised = np.exp(np.asarray(logits) / temperature)
    return raised / raised.sum()


def test_the_loss_is_equation_1_of_both():
    student, teacher = (
        torch.tensor([[0.3, -1.2, 2.0], [1.0, 1.0, 1.0]]),
        torch.tensor([[2.0, 0.0, -3.0], [0, 4.0, 1.0]]),
    )
    by_hand = [
        -sum(t * math.log(s) for t, s in zip(softened(one), softened(other), strict=True))
        for one, other in zip(teacher.tolist(), student.tolist(), strict=True)
    ]
    both = torch.tensor([True, True])
    assert distillation(student, teacher, both, 2.0).item() == pytest.approx(sum(by_hand) / 2, abs=1e-6)
    assert distillation(student, teacher, torch.tensor([False, True]), 2.0).item() == pytest.approx(
        by_hand[1], abs=1e-6
    )
    entropy = -sum(p * math.log(p) for p in softened(teacher[0].tolist()))
    assert distillation(teacher[:1], teacher[:1], both[:1], 2.0).item() == pytest.approx(entropy, abs=1e-6)


def test_the_square_of_the_temperature_keeps_the_size_of_the_gradient():
    """Hinton et al. 2015, section 2.1: at a high temperature the gradient goes as 1 / T^2."""
    norms = {}
    for temperature in (20.0, 40.0):
        student = torch.tensor([[0.3, -1.2, 2.0]], dtype=torch.float64, requires_grad=True)
        teacher = torch.tensor([[2.0, 0.0, -3.0]], dtype=torch.float64)
        distillation(student, teacher, torch.tensor([True]), temperature).backward()
        norms[temperature] = student.grad.norm().item()
    assert norms[20.0] / norms[40.0] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("pool", POOLINGS)
def test_pooling_by_hand(batch, pool):
    found, known = pooled(batch.teacher.values, batch.teacher.valid, 4, pool)
    assert known.tolist() == [True, True, False, True, True, True, True]
    assert (found[2] == 0).all()
    frames = batch.teacher.values[5, :2].numpy()
    shares = np.stack([softened(frame, 1.0) for frame in frames])
    expected = {
        "max": frames.max(0),
        "max_distribution": np.log(shares.max(0) / shares.max(0).sum()),
        "mean": frames.mean(0),
        "log_mean": np.log(shares.mean(0)),
    }[pool]
    np.testing.assert_allclose(found[5].numpy(), expected, atol=1e-12)


def test_junk_in_frames_without_a_face_teaches_nothing(batch):
    clean = pooled(batch.teacher.values, batch.teacher.valid, 4, "max")
    values = torch.where(batch.teacher.valid[:, :, None], batch.teacher.values, torch.nan)
    assert torch.equal(pooled(values, batch.teacher.valid, 4, "max")[0], clean[0])
    lower = torch.where(batch.teacher.valid[:, :, None], batch.teacher.values - 100, batch.teacher.values)
    assert (pooled(lower, batch.teacher.valid, 4, "max")[0][5] < -80).all(), "padding is not pooled as zeros"


@pytest.mark.parametrize("settings", [{}, {"squared": True}, {"loss": "regression"}, {"pool": "mean"}])
def test_steps_are_those_of_a_loop_by_hand(batch, settings):
    """Stochastic gradient descent of torch with the paper's momentum and decay; the clip without a face is left out."""
    recipe = made(**settings)
    other = copy.deepcopy(recipe)
    minimise = Optimisation(recipe, Optimiser(name="sgd", momentum=0.9, decay=5e-4, lr={"default": 0.05}))
    reference = torch.optim.SGD(other.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    known = batch.teacher.valid.any(dim=1)
    for _ in range(3):
        recipe.step(batch, minimise)
        wanted = torch.where(batch.teacher.valid[:, :, None], batch.teacher.values, -torch.inf).amax(dim=1)
        if settings.get("pool") == "mean":
            count = batch.teacher.valid.sum(dim=1, keepdim=True).clamp(min=1)
            wanted = (batch.teacher.values * batch.teacher.valid[:, :, None]).sum(dim=1) / count
        outputs = other.head(other.encoder(batch))
        if settings.get("loss") == "regression":
            loss = (outputs - wanted)[known].square().sum(dim=1).mean()
        else:
            loss = F.cross_entropy(outputs[known] / 2, (wanted[known] / 2).softmax(dim=1))
            loss = loss * (4 if settings.get("squared") else 1)
        reference.zero_grad()
        loss.backward()
        reference.step()
        for module in other.modules():
            if hasattr(module, "commit"):
                module.commit()
    for name, value in other.state_dict().items():
        torch.testing.assert_close(recipe.state_dict()[name], value, rtol=1e-9, atol=1e-9, msg=name)


def test_two_processes_equal_one_also_where_one_has_no_face(batch, two_processes):
    start = made()

    def train(rows):
        recipe = copy.deepcopy(start)
        minimise = Optimisation(recipe, Optimiser(name="sgd", lr={"default": 0.05}))
        for _ in range(3):
            recipe.step(batch.part(rows), minimise)
        return recipe.state_dict()

    one = train(torch.arange(7))
    for parts in (([2], [0, 1, 3, 4, 5, 6]), ([0, 1, 2, 3], [4, 5, 6]), ([], list(range(7)))):
        order = torch.tensor([*parts[0], *parts[1]], dtype=torch.int64)
        same = train(order)
        for state in two_processes(lambda rank, parts=parts: train(torch.tensor(parts[rank], dtype=torch.int64))):
            for name, value in same.items():
                torch.testing.assert_close(state[name], value, rtol=0, atol=1e-9, msg=name)
                torch.testing.assert_close(value, one[name], rtol=0, atol=1e-9, msg=name)


def test_a_batch_in_which_no_face_was_seen_moves_nothing(batch):
    recipe = made()
    before = copy.deepcopy(recipe.state_dict())
    unseen = replace(batch, teacher=Sequence(batch.teacher.values, torch.zeros_like(batch.teacher.valid)))
    recipe.step(unseen, Optimisation(recipe, Optimiser(lr={"default": 0.1})))
    assert all(torch.equal(value, before[name]) for name, value in recipe.state_dict().items())


def test_the_student_answers_without_its_teacher(batch):
    recipe = made().eval()
    alone = replace(batch, teacher=None)
    assert torch.equal(recipe.predict(alone)["emotion"], recipe.predict(batch)["emotion"])
    with pytest.raises(ValueError, match="has no frames of a teacher"):
        recipe.step(alone, Optimisation(recipe, Optimiser()))


@pytest.mark.parametrize("settings", [{}, {"squared": True}, {"loss": "regression"}])
def test_the_objective_of_a_distribution_is_best_for_its_own_logits(settings):
    logits = np.random.default_rng(0).normal(0, 2, (9, 4))
    labels = torch.from_numpy(logits).softmax(dim=1)
    labels[3] = torch.nan
    recipe = made(**settings)

    def objective(values):
        inference = Inference(tuple("abcdefghi"), {"emotion": values.astype(np.float32)}, {})
        return recipe.scores(inference, {"emotion": labels}, 0.0, {})["objective"]

    own = objective(logits)
    assert own == pytest.approx(objective(logits + 3), abs=1e-5), "a constant changes no distribution"
    assert own > objective(logits + 0.3 * np.random.default_rng(1).normal(size=(9, 4)))
    kept = np.delete(logits, 3, axis=0)
    if settings.get("loss") == "regression":
        assert own == pytest.approx(0, abs=1e-10)
    else:
        soft = np.stack([softened(one) for one in kept])
        times = 4 if settings.get("squared") else 1
        assert own == pytest.approx(times * (soft * np.log(soft)).sum(1).mean(), abs=1e-5)


class Colours(nn.Module):
    """A model of faces: logits from the mean of each colour, and of all three."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([5.0, 4.0, 3.0, 2.0], dtype=torch.float64))

    def forward(self, crops):
        colours = crops.mean(dim=(2, 3))
        return torch.cat([colours, colours.mean(dim=1, keepdim=True)], dim=1) * self.scale


def asking(frozen, seed=0):
    torch.manual_seed(seed)
    trunks = encoders.build({"audio": ("vgg_m", SMALL)}, {"audio": (5,)})
    own = config(deviation=0.3, teacher="faces")
    given = Given(trunks, {"audio": (5,)}, {"emotion": EMOTION}, teacher=(3, 8, 8), frozen=frozen)
    return distill.build(own, given).double()


@pytest.fixture
def faces(make_batch):
    """The clips with crops of faces in the place of logits."""
    both = make_batch(video=True).to(torch.device("cpu"), torch.float64)
    return replace(both, labels={}, teacher=both.video, video=Sequence.absent(7))


def test_a_frozen_teacher_says_what_its_kept_logits_say(faces):
    teacher = Colours()
    recipe = asking({"teacher": teacher})
    with torch.no_grad():
        logits = torch.stack([teacher(crops) for crops in faces.teacher.values])
    kept = replace(faces, teacher=Sequence(logits, faces.teacher.valid))
    other = made()
    for mine, theirs in zip(recipe.taught(faces), other.taught(kept), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    before = copy.deepcopy(teacher.state_dict())
    one, two = Optimisation(recipe, Optimiser(decay=0.1)), Optimisation(other, Optimiser(decay=0.1))
    recipe.train()
    for _ in range(2):
        recipe.step(faces, one)
        other.step(kept, two)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert not any(value.grad is not None for value in teacher.parameters())
    for name, value in other.state_dict().items():
        torch.testing.assert_close(recipe.state_dict()[name], value, rtol=0, atol=1e-12)
    nobody = replace(faces, teacher=Sequence(faces.teacher.values, torch.zeros_like(faces.teacher.valid)))
    recipe.step(nobody, one)


def test_a_checkpoint_holds_the_hash_of_the_teacher(faces):
    recipe = asking({"teacher": Colours()})
    state = recipe.state_dict()
    assert {name for name in state if name.startswith("teacher")} == {"teacher.fingerprint"}
    restored = asking({}, seed=1)
    restored.load_state_dict(state)
    assert torch.equal(restored.eval().predict(faces)["emotion"], recipe.eval().predict(faces)["emotion"])
    stranger = Colours()
    with torch.no_grad():
        stranger.scale += 1
    with pytest.raises(RuntimeError, match="teacher: the checkpoint was written with another frozen module"):
        asking({"teacher": stranger}).load_state_dict(state)
    asking({"teacher": Colours()}).load_state_dict(state)


def test_pictures_need_a_model_and_a_model_needs_pictures():
    with pytest.raises(ConfigError, match="are pictures, and no model says what they show"):
        made(teacher=(3, 8, 8))
    with pytest.raises(ConfigError, match="teacher: a model of faces is asked about pictures"):
        distill.build(
            config(teacher="faces"),
            Given(
                encoders.build({"audio": ("vgg_m", SMALL)}, {"audio": (5,)}),
                {"audio": (5,)},
                {"emotion": EMOTION},
                teacher=(4,),
            ),
        )


def test_a_teacher_of_other_classes_is_refused():
    with pytest.raises(ConfigError) as error:
        made(teacher=(8,))
    assert str(error.value) == (
        "data.teacher: a frame has 8 values, and 'emotion' has 4 classes (a, b, c, d); give the teacher's logits of "
        "these classes, in this order"
    )
