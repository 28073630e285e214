"""Two trunks side by side, and clips that lack one of the two modalities."""

import pytest
import torch
from torch import nn

from mien.engine.minimise import Optimisation, Optimiser
from mien.models.encoders._joined import Joined

BOTH = {"video": "vgg", "audio": "vgg"}


def with_video(batch, values, valid):
    return type(batch)(**{**vars(batch), "video": type(batch.video)(values, valid)})


def test_one_modality_is_its_trunk_and_two_are_concatenated_audio_first(make_trunks, make_batch):
    batch = make_batch(video=True)
    assert not isinstance(make_trunks({"audio": "vgg"}), Joined)
    joined = make_trunks(BOTH).eval()
    audio, video = joined.trunks["audio"], joined.trunks["video"]
    has = batch.video.valid.any(dim=1, keepdim=True)
    assert 0 < has.sum() < len(has)
    expected = torch.cat([audio(batch), torch.where(has, video(batch), 0.0)], dim=1)
    torch.testing.assert_close(joined(batch), expected, rtol=0, atol=0)
    assert joined.dimension == audio.dimension + video.dimension == expected.shape[1]
    assert list(joined.trunks) == ["audio", "video"]


@pytest.mark.parametrize("video", ["vgg", "vector", "cnn_gru"])
def test_a_clip_without_video_has_zeros_there_and_sends_no_gradient(make_trunks, make_batch, video):
    batch = make_batch(video=True)
    shape = (3, 8, 8) if video == "vgg" else (4,)
    values = torch.randn(7, 5, *shape, generator=torch.Generator().manual_seed(2))
    valid = torch.rand(7, 5, generator=torch.Generator().manual_seed(3)) < 0.6
    valid[[1, 4]] = False
    has = valid.any(dim=1)
    outcomes = []
    for junk in (0.0, 1e6, torch.nan):
        torch.manual_seed(0)
        joined = make_trunks({"audio": "cnn_gru", "video": video}, {"video": shape})
        given = torch.where(valid.view(7, 5, *[1] * len(shape)), values, junk)
        code = joined(with_video(batch, given, valid))
        part = code[:, joined.sizes["audio"] :]
        assert not part[~has].any()
        assert part[has].any(dim=1).all()
        parameters = list(joined.trunks["video"].parameters())
        absent = torch.autograd.grad(part[~has].sum(), parameters, retain_graph=True)
        assert not any(gradient.any() for gradient in absent)
        outcomes.append([code.detach(), *torch.autograd.grad(code.square().sum(), list(joined.parameters()))])
    for outcome in outcomes[1:]:
        assert all(torch.equal(one, other) for one, other in zip(outcome, outcomes[0], strict=True))


def test_a_recipe_on_sound_and_crops_learns_from_each_alone(make_recipe, make_loader, make_examples):
    """The crops come from the loader as bytes, some not usable, some clips without any."""
    loader = make_loader(make_examples(video=True), batch_size=24)
    for kept in ("audio", "video"):
        recipe = make_recipe({"embeddings": {"main": {"tasks": {"emotion": 1.0}}}}, encoder=BOTH)
        minimise = Optimisation(recipe, Optimiser(lr={"default": 0.02}))
        for epoch in range(20):
            for batch in loader.epoch(epoch):
                batch = batch.to(torch.device("cpu"))
                lost = {"audio", "video"} - {kept}
                empty = {name: type(batch.audio).absent(24) for name in lost}
                batch = type(batch)(**{**vars(batch), **empty})
                recipe.step(batch, minimise)
        recipe.eval()
        has = getattr(batch, kept).valid.any(dim=1)
        right = recipe.predict(batch)["emotion"].argmax(dim=1) == batch.labels["emotion"]
        assert right[has].double().mean() > 0.25 + 0.35, f"{kept}: chance is .25"


@pytest.mark.parametrize("missing", ["audio", "video"])
@pytest.mark.parametrize("how", ["no frames", "nothing valid"])
def test_a_modality_that_no_clip_has_leaves_its_trunk_bit_still(make_trunks, make_batch, absent, missing, how):
    batch = make_batch(video=True)
    sequence = getattr(batch, missing)
    nothing = absent(7) if how == "no frames" else type(sequence)(sequence.values, torch.zeros_like(sequence.valid))
    alone = type(batch)(**{**vars(batch), missing: nothing})
    recipe = nn.ModuleDict({"encoder": make_trunks(BOTH)})
    minimise = Optimisation(recipe, Optimiser(decay=0.1))
    minimise(recipe["encoder"](batch).square().sum(), recipe["encoder"])  # warm: a zero gradient would move it on
    before = {name: value.clone() for name, value in recipe.state_dict().items()}
    code = recipe["encoder"](alone)
    assert code.isfinite().all()
    minimise(code.square().sum(), recipe["encoder"])
    for name, value in recipe.state_dict().items():
        moved = not torch.equal(value, before[name])
        assert moved == (f".{missing}." not in name), name
