"""The recipe of Goncalves and Busso 2022 against a loop by hand, and its answers where something is missing."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mien.common.settings import parse
from mien.data.batch import Sequence
from mien.data.targets import Target
from mien.engine.minimise import Optimisation, Optimiser
from mien.errors import ConfigError
from mien.models import encoders
from mien.models.encoders import projection
from mien.models.layers.fusions import placed
from mien.models.recipes import fuse
from mien.models.recipes._recipe import Given

EMOTION = Target("emotion", "classes", ("emotion",), ("a", "b", "c", "d"), main=True)
PRIOR = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
SHAPES = {"audio": (5,), "video": (3, 8, 8)}
QUIET = {"attention_dropout": 0.0, "residual_dropout": 0.0}
ABSENT = ["zeros", "masked", "token"]


def small(fusion):
    """Small settings of a network, of those that it has."""
    idle = {"mult": ["hidden"], "interleaved": ["hidden", "self_layers"]}.get(fusion.get("name"), [])
    return {**{key: value for key, value in fuse.SMALL.items() if key not in idle}, **fusion}


def made(*, width=6, seed=0, modalities=("audio", "video"), **settings):
    fusion = {**QUIET, **small(settings.pop("fusion", {}))}
    config = parse(fuse.Config, {"fusion": fusion, **settings}, "models.x")
    torch.manual_seed(seed)
    trunks = encoders.build(
        {name: ("projection", projection.Config(dimension=width)) for name in modalities}, SHAPES
    )  # fmt: skip
    shapes = {name: SHAPES[name] for name in modalities}
    return fuse.build(config, Given(trunks, shapes, {"emotion": EMOTION}, {}, {"emotion": PRIOR})).double()


@pytest.fixture
def batch(make_batch):
    """Seven clips of sound and faces, of which two have no face; float64."""
    return make_batch(video=True).to(torch.device("cpu"), torch.float64)


def without(batch, *names):
    gone = {name: replace(one, valid=torch.zeros_like(one.valid)) for name in names if (one := getattr(batch, name))}
    return replace(batch, **gone)


def test_a_step_minimises_the_mean_of_three_losses_by_adam(make_batch):
    """Equation 1 with a third each, clipped at .8, over three steps; clips without a face teach no face network."""
    recipe = made()
    reference = copy.deepcopy(recipe)
    minimise = Optimisation(recipe, Optimiser(lr={"default": 7.25e-4}, clip=0.8))
    adam = torch.optim.Adam(reference.parameters(), lr=7.25e-4)
    for step in range(3):
        batch = make_batch(video=True, step=step).to(torch.device("cpu"), torch.float64)
        recipe.step(batch, minimise)
        parts = {name: encoder(batch) for name, encoder in reference.encoder.items()}
        inputs, labels = {name: placed(part) for name, part in parts.items()}, batch.labels["emotion"]
        main = F.cross_entropy(reference.main.logits(reference.main(inputs, batch)), labels)
        sound = F.cross_entropy(reference.auxiliary["audio"](inputs["audio"], batch, "audio"), labels)
        seen = parts["video"][1].any(dim=1)
        assert not seen.all()
        face = F.cross_entropy(reference.auxiliary["video"](inputs["video"], batch, "video")[seen], labels[seen])
        adam.zero_grad()
        ((main + sound + face) / 3).backward()
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 0.8)
        adam.step()
    for name, value in reference.state_dict().items():
        torch.testing.assert_close(recipe.state_dict()[name], value, rtol=0, atol=1e-10)


def test_the_loss_of_each_network_is_reported(batch):
    recipe = made()
    losses = recipe.step(batch, Optimisation(recipe, Optimiser()))
    assert set(losses) == {"main", "audio", "video"}
    alone = made(weights={"main": 1.0})
    assert set(alone.step(batch, Optimisation(alone, Optimiser()))) == {"main"}
    assert not alone.auxiliary


@pytest.mark.parametrize("absent", ABSENT)
def test_nothing_valid_is_answered_by_the_prior(batch, absent):
    recipe = made(absent=absent).eval()
    for gone in (without(batch, "audio", "video"), replace(batch, audio=Sequence.absent(7), video=Sequence.absent(7))):
        answer = recipe.answer(gone.to(torch.device("cpu"), torch.float64))
        expected = PRIOR.double().expand(7, 4)
        torch.testing.assert_close(answer.outputs["emotion"], expected, rtol=0, atol=1e-7)
        assert answer.embeddings["fused"].isfinite().all()
    assert not torch.allclose(recipe.predict(batch)["emotion"], expected)


def test_the_prior_is_the_share_of_each_class_in_training():
    prior = EMOTION.prior(torch.tensor([0, 0, 0, 1, -1, 2, -1]))
    assert prior.exp().tolist() == pytest.approx([4 / 9, 2 / 9, 2 / 9, 1 / 9])
    number = Target("v", "numbers", ("v",), ("v",))
    assert number.prior(torch.tensor([[1.0], [2.0], [torch.nan]])).tolist() == [1.5]
    votes = Target("v", "soft", ("x", "y"), ("x", "y"))
    nothing = torch.full((1, 2), torch.nan)
    assert votes.prior(torch.cat([torch.tensor([[1.0, 0.0]]), nothing])).exp().tolist() == pytest.approx([2 / 3, 1 / 3])


@pytest.mark.parametrize("name", ["auxformer", "mult", "interleaved"])
@pytest.mark.parametrize("absent", ABSENT)
def test_neither_padding_nor_absent_values_nor_other_clips_change_an_answer(batch, name, absent):
    recipe = made(absent=absent, fusion={"name": name}).eval()
    batch = replace(batch, audio=replace(batch.audio, valid=batch.audio.valid & (torch.arange(7) != 2)[:, None]))
    expected = recipe.predict(batch)["emotion"]
    padded = replace(batch, audio=longer(batch.audio), video=longer(batch.video))
    torch.testing.assert_close(recipe.predict(padded)["emotion"], expected, rtol=0, atol=1e-12)
    for row in range(7):
        alone = batch.part(torch.tensor([row]))
        torch.testing.assert_close(recipe.predict(alone)["emotion"][0], expected[row], rtol=0, atol=1e-12)


def longer(sequence, by=5):
    values, valid = sequence.values, sequence.valid
    more = torch.full((len(values), by, *values.shape[2:]), torch.nan, dtype=values.dtype)
    valid = torch.cat([valid, valid.new_zeros(len(valid), by)], dim=1)
    return replace(sequence, values=torch.cat([values, more], dim=1), valid=valid)


def test_padding_read_to_the_letter_changes_answers(batch):
    recipe = made(absent="zeros", padding="zeros").eval()
    padded = replace(batch, audio=longer(batch.audio), video=longer(batch.video))
    assert not torch.allclose(recipe.predict(padded)["emotion"], recipe.predict(batch)["emotion"], atol=1e-6)


def test_an_absent_modality_is_zeros_over_the_time_of_the_other(batch):
    """As in the paper, which replaces the features by zeros."""
    recipe = made(absent="zeros").eval()
    found = recipe.predict(without(batch, "audio"))["emotion"]
    last = batch.video.lengths
    filled = Sequence(
        torch.zeros(7, int(last.max()), 5, dtype=torch.float64), torch.arange(int(last.max())) < last[:, None]
    )
    expected = recipe.predict(replace(batch, audio=filled))["emotion"]
    seen = batch.video.valid.any(dim=1)
    torch.testing.assert_close(found[seen], expected[seen], rtol=0, atol=1e-12)


def test_a_masked_modality_leaves_the_branch_of_the_other_alone(batch):
    """The vector of the voice's branch is zero, and the face's is what it is without a voice."""
    recipe = made(absent="masked").eval()
    vectors = recipe.embed(without(batch, "audio"))["fused"]
    assert not vectors[:, :6].any()
    assert vectors[batch.video.valid.any(dim=1), 6:].any(dim=1).all()
    token = made(absent="token").eval()
    assert token.embed(without(batch, "audio"))["fused"][:, :6].any(dim=1).all()


def test_one_modality_alone_is_a_network_of_it(batch):
    recipe = made()
    alone = fuse.build(
        parse(fuse.Config, {"modalities": ["audio"], "fusion": {**fuse.SMALL, **QUIET}}, "x"),
        Given(dict(recipe.encoder.items()), SHAPES, {"emotion": EMOTION}, {}, {"emotion": PRIOR}),
    ).double().eval()  # fmt: skip
    assert set(alone.encoder) == set(alone.auxiliary) == {"audio"}
    expected = alone.predict(batch)["emotion"]
    assert torch.equal(alone.predict(without(batch, "video"))["emotion"], expected)
    torch.testing.assert_close(alone.predict(without(batch, "audio"))["emotion"], PRIOR.double().expand(7, 4))


@pytest.mark.parametrize("by", ["clip", "batch"])
def test_modalities_are_missing_in_training_as_often_as_asked(make_batch, by):
    recipe = made(drop={"audio": 0.2, "video": 0.5}, drop_by=by)
    gone = {"audio": [], "video": []}
    for step in range(300):
        batch = make_batch(video=True, step=step)
        dropped = recipe._dropped(batch)
        for name, found in gone.items():
            before, after = (getattr(one, name).valid.any(dim=1) for one in (batch, dropped))
            found.append((before & ~after).double()[before])
            kept = after[:, None] & getattr(batch, name).valid
            assert torch.equal(getattr(dropped, name).valid, kept), "all frames of a clip, or none"
    for name, rate in {"audio": 0.2, "video": 0.5}.items():
        assert torch.cat(gone[name]).mean().item() == pytest.approx(rate, abs=0.05 if by == "clip" else 0.1)
        mixed = [0 < one.mean() < 1 for one in gone[name]]
        assert any(mixed) == (by == "clip")
    both = [bool((a[: len(v)].mean() == 1) and (v.mean() == 1)) for a, v in zip(*gone.values(), strict=True)]
    assert by == "clip" or any(both), "both at once are allowed"


def test_nothing_is_missing_at_random_outside_training(batch):
    recipe, plain = made(drop={"audio": 0.9, "video": 0.9}), made()
    assert torch.equal(recipe.train().predict(batch)["emotion"], plain.predict(batch)["emotion"])


def test_an_auxiliary_network_that_is_masked_learns_from_no_label(batch):
    recipe = made(drop={}, absent="masked")
    before = copy.deepcopy(recipe.auxiliary["video"].state_dict())
    recipe.step(without(batch, "video"), Optimisation(recipe, Optimiser()))
    assert all(torch.equal(value, before[name]) for name, value in recipe.auxiliary["video"].state_dict().items())
    zeros = made(absent="zeros")
    before = copy.deepcopy(zeros.auxiliary["video"].state_dict())
    zeros.step(without(batch, "video"), Optimisation(zeros, Optimiser()))
    assert not all(torch.equal(value, before[name]) for name, value in zeros.auxiliary["video"].state_dict().items())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"fusion": {"heads": 4}}, "fusion.heads: 4 do not divide the width 6; those that do: 1, 2, 3, 6"),
        (
            {"modalities": ["audio", "video"], "_given": ("audio",)},
            "modalities: the data have no video; give data.video",
        ),
        ({"weights": {"audio": 1.0}}, "'weights' gives the main network none, and it answers; give weights.main"),
        ({"padding": "zeros"}, "and 'absent: masked' leaves missing frames out; give absent: zeros"),
        ({"modalities": ["audio"], "drop": {"video": 0.2}}, "'drop' names video, which 'modalities' leaves out"),
        ({"fusion": {"name": "interleaved", "token": "first"}}, "'token' is no setting of 'interleaved'"),
        ({"fusion": {"name": "mult", "hidden": [3]}}, "'hidden' is no setting of 'mult'; leave it out"),
        ({"task": "a.b"}, "a factor is a column of the corpus without a dot"),
        ({"fusion": {"head": 4}}, "Did you mean 'heads'?"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, sentence):
    given = settings.pop("_given", ("audio", "video"))
    fusion = small(settings.pop("fusion", {}))
    trunks = encoders.build({name: ("projection", projection.Config(dimension=6)) for name in given}, SHAPES)
    given = Given(trunks, SHAPES, {"emotion": EMOTION})
    with pytest.raises(ConfigError) as error:
        fuse.build(parse(fuse.Config, {**settings, "fusion": fusion}, "models.x"), given)
    assert sentence in str(error.value)


def test_sequences_of_two_widths_are_refused():
    configs = {
        "audio": ("projection", projection.Config(dimension=6)),
        "video": ("projection", projection.Config(dimension=8)),
    }
    with pytest.raises(ConfigError, match="frames of one width, and these have audio 6 and video 8 values"):
        fuse.build(fuse.Config(), Given(encoders.build(configs, SHAPES), SHAPES, {"emotion": EMOTION}))


def test_frames_missing_at_the_end_are_zeros_as_those_inside(batch):
    """The batch knows how long its clips are, so what is missing there is told from padding."""
    recipe = made(absent="zeros").eval()
    audio = batch.audio
    assert (audio.lengths == audio.valid.sum(dim=1)).all()
    last = audio.valid & (torch.arange(audio.valid.shape[1]) < (audio.lengths - 4)[:, None])
    found = recipe.predict(replace(batch, audio=replace(audio, valid=last)))["emotion"]
    zeros = replace(audio, values=torch.where(last[:, :, None], audio.values, 0.0))
    torch.testing.assert_close(found, recipe.predict(replace(batch, audio=zeros))["emotion"], rtol=0, atol=1e-12)
    masked = made(absent="masked").eval()
    assert not torch.allclose(masked.predict(replace(batch, audio=zeros))["emotion"], found)


def test_a_model_says_which_modalities_it_takes():
    both, alone = (parse(fuse.Config, {"fusion": fuse.SMALL, **one}, "x") for one in ({}, {"modalities": ["video"]}))
    assert both.takes(["audio", "video"]) == ("audio", "video")
    assert both.takes(["audio"]) == ("audio",)
    assert alone.takes(["audio", "video"]) == ("video",)
    assert made().modalities == {"audio", "video"}
