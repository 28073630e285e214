"""bfloat16 changes how a training step computes, and nothing else."""

import pytest
import torch

from mien.engine.fit import Training, fit
from mien.engine.inference import infer
from mien.engine.minimise import Optimisation, Optimiser
from mien.models.objectives import losses

MENAN = {
    "embeddings": {
        "main": {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "max_entropy", "adversary_steps": 2}}}
    }
}
PERI = {
    "embeddings": {
        "emotion": {
            "dim": 4,
            "tasks": {"emotion": 0.5},
            "remove": {"speaker": {"how": "alternating", "adversaries": 2}},
        },
        "speaker": {"dim": 3, "tasks": {"speaker": 0.5}, "remove": {"emotion": {"how": "confusion"}}},
        "other": {"dim": 3, "activation": "relu", "tasks": {}, "auxiliary": ["emotion"]},
    },
    "penalties": {
        "hsic": {"between": ["emotion", "speaker"], "weight": 0.003},
        "orthogonality": {"between": ["emotion", "speaker"], "weight": 0.003},
    },
}
REVERSAL = {"embeddings": {"main": {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "gradient_reversal"}}}}}
each_model = pytest.mark.parametrize(
    "settings", [MENAN, REVERSAL, PERI], ids=["max_entropy", "gradient_reversal", "peri"]
)


def stepped(make_recipe, make_batch, settings, precision):
    """The recipe after one step of plain descent, what it lost, and every loss that was minimised."""
    recipe, seen = make_recipe(settings), []
    minimise = Optimisation(recipe, Optimiser(name="sgd", lr={"default": 1.0}))

    class Watched:
        progress = 0.0

        def __call__(self, loss, *modules):
            seen.append(loss)
            minimise(loss, *modules)

    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False):
        lost = recipe.step(make_batch(), Watched())
    return recipe, lost, seen


@each_model
def test_one_step_equals_that_of_float32_within_the_rounding(make_recipe, make_batch, settings):
    start = make_recipe(settings).state_dict()
    exact, lost, _ = stepped(make_recipe, make_batch, settings, "float32")
    rounded, lost_rounded, seen = stepped(make_recipe, make_batch, settings, "bfloat16")
    assert {loss.dtype for loss in (*seen, *lost_rounded.values())} == {torch.float32}
    weights = exact.state_dict(), rounded.state_dict()
    for name, loss in lost.items():
        torch.testing.assert_close(lost_rounded[name], loss, rtol=0.02, atol=0.02)
    names = [name for name in start if name.startswith(("encoder", "tasks"))]
    move, other = (torch.cat([(one[name] - start[name]).flatten() for name in names]) for one in weights)
    assert other.dtype == torch.float32
    assert 0 < (other - move).norm() <= 0.05 * move.norm(), "float32, or too far from it"


def test_sums_over_time_do_not_round_away_frames(make_recipe, make_batch):
    """In bfloat16 a sum of 600 equal frames stands still at 256 times the frame."""
    from mien.models.layers.pooling import mean_std_max

    values = torch.full((1, 600, 1), 3.0, dtype=torch.bfloat16)
    pooled = mean_std_max(values, torch.ones(1, 600, dtype=torch.bool))
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooled, torch.tensor([[3.0, 1e-3, 3.0]]))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_validation_computes_in_float32(make_recipe, make_loader, tmp_path, precision):
    recipe, found = make_recipe(MENAN), []

    def validate():
        assert not torch.is_autocast_enabled("cpu")
        found.append(infer(recipe, make_loader(training=False)).outputs["emotion"])
        again = recipe.eval().predict(next(iter(make_loader(training=False).epoch(0))))["emotion"]
        recipe.train()
        assert again.dtype == torch.float32
        torch.testing.assert_close(torch.from_numpy(found[-1][: len(again)]), again.detach(), rtol=0, atol=0)
        return {"uar": 0.5}

    training = Training(epochs=1, batch=7, precision=precision)
    fit(recipe, make_loader(), validate, training=training, optimiser=Optimiser(), folder=tmp_path)
    assert found


class KilledError(Exception):
    pass


def test_a_killed_training_in_bfloat16_ends_with_the_same_bits(make_recipe, make_loader, tmp_path):
    training = Training(epochs=4, batch=7, precision="bfloat16", best="last")

    def run(folder, watch=lambda record: None):
        folder.mkdir(exist_ok=True)
        recipe = make_recipe(MENAN)
        optimiser = Optimiser(lr={"default": 0.01})
        fit(
            recipe,
            make_loader(),
            lambda: {"uar": 0.5},
            training=training,
            optimiser=optimiser,
            folder=folder,
            watch=watch,
        )
        return recipe.state_dict()

    def kill(record):
        if record["epoch"] == 2:
            raise KilledError

    whole = run(tmp_path / "whole")
    with pytest.raises(KilledError):
        run(tmp_path / "killed", kill)
    resumed = run(tmp_path / "killed")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert {value.dtype for value in whole.values()} == {torch.float32}


def test_losses_of_rounded_logits_are_those_of_the_same_numbers_in_float32():
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    labels = torch.arange(50) % 4
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        inside = losses.cross_entropy(logits, labels), losses.entropy(logits)
    outside = losses.cross_entropy(logits.float(), labels), losses.entropy(logits.float())
    assert inside == outside
