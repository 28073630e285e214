"""`minimise` against loops written by hand, and what it refuses."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from mien.engine.minimise import Optimisation, Optimiser, Schedule
from mien.errors import ConfigError, TrainingError
from mien.models.layers.frozen import Frozen
from mien.models.layers.normalisation import BatchNorm


def network(seed=0):
    torch.manual_seed(seed)
    return nn.ModuleDict({"encoder": nn.Linear(4, 3), "task": nn.Linear(3, 2), "adversary": nn.Linear(3, 2)}).double()


def data(steps=12):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        yield torch.randn(6, 4, generator=generator, dtype=torch.float64), torch.randint(2, (6,), generator=generator)


def adversary_phase(net, x, y):
    return nn.functional.cross_entropy(net["adversary"](net["encoder"](x).detach()), y)


def main_phase(net, x, y):
    code = net["encoder"](x)
    return nn.functional.cross_entropy(net["task"](code), y) - net["adversary"](code).square().mean()


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize(
    ("settings", "kind", "options"),
    [
        ({"name": "adam"}, torch.optim.Adam, {}),
        ({"name": "adam", "decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
        ({"name": "sgd", "momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    ],
    ids=["adam", "adamw", "sgd"],
)
def test_two_phases_equal_two_optimisers_written_by_hand(settings, kind, options, clip):
    ours, bare = network(), network()
    minimise = Optimisation(ours, Optimiser(**settings, clip=clip, lr={"default": 0.01, "adversary": 0.05}))
    adversary = kind(bare["adversary"].parameters(), lr=0.05, **options)
    main = kind([*bare["encoder"].parameters(), *bare["task"].parameters()], lr=0.01, **options)
    for x, y in data():
        minimise(adversary_phase(ours, x, y), ours["adversary"])
        minimise(main_phase(ours, x, y), ours["encoder"], ours["task"])
        for optimiser, phase in ((adversary, adversary_phase), (main, main_phase)):
            bare.zero_grad()
            phase(bare, x, y).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], clip)
            optimiser.step()
    for name, value in bare.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=0, atol=1e-9)


def test_a_module_in_two_calls_has_one_state_and_in_two_phases_two():
    one, two = network(), network()
    shared, apart = (Optimisation(net, Optimiser()) for net in (one, two))
    for x, y in data(3):
        for net, minimise, phase in ((one, shared, ""), (two, apart, "second")):
            minimise(main_phase(net, x, y), net["encoder"])
            minimise(net["encoder"](x).square().mean(), net["encoder"], phase=phase)
    assert not torch.equal(one["encoder"].weight, two["encoder"].weight)
    assert sorted(shared.state()) == [""]
    assert sorted(apart.state()) == ["", "second"]
    assert shared.state()[""]["state"][0]["step"] == 6
    assert apart.state()[""]["state"][0]["step"] == 3


def test_a_parameter_that_is_not_reached_does_not_move():
    net = network()
    minimise = Optimisation(net, Optimiser(decay=0.5))
    for x, y in data(3):
        minimise(main_phase(net, x, y), net)
    task = net["task"].weight.detach().clone()
    x, _ = next(data())
    minimise(net["encoder"](x).square().mean(), net)
    assert torch.equal(net["task"].weight, task)
    minimise(torch.zeros((), dtype=torch.float64), net)  # a loss without a graph: nothing known anywhere
    assert torch.equal(net["task"].weight, task)


def test_a_call_consumes_its_graph():
    net = network()
    x, y = next(data())
    loss, minimise = main_phase(net, x, y), Optimisation(net, Optimiser())
    minimise(loss, net["encoder"])
    with pytest.raises(RuntimeError, match="second time"):
        minimise(loss, net["encoder"])


def test_a_state_that_is_saved_and_loaded_continues_bit_for_bit(tmp_path):
    from mien.engine import checkpoint

    straight, broken = network(), network()
    first, second = (Optimisation(net, Optimiser()) for net in (straight, broken))
    batches = list(data(6))
    for x, y in batches:
        first(main_phase(straight, x, y), straight)
    for x, y in batches[:3]:
        second(main_phase(broken, x, y), broken)
    checkpoint.save_state(tmp_path / "state.pt", {"weights": broken.state_dict(), "optimisers": second.state()})
    resumed = network(seed=5)
    third = Optimisation(resumed, Optimiser())
    state = checkpoint.load_state(tmp_path / "state.pt")
    resumed.load_state_dict(state["weights"])
    third.load(state["optimisers"])
    for x, y in batches[3:]:
        third(main_phase(resumed, x, y), resumed)
    assert all(torch.equal(resumed.state_dict()[name], value) for name, value in straight.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "kind", "options"),
    [({"name": "adam"}, torch.optim.Adam, {}), ({"name": "sgd", "momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9})],
    ids=["adam", "sgd"],
)
def test_the_state_of_a_torch_optimiser_is_gone_on_with(settings, kind, options):
    """Trainings that an older mien began have such states."""
    bare, ours = network(), network()
    theirs = kind(bare.parameters(), lr=0.01, **options)

    def step(x, y):
        theirs.zero_grad()
        main_phase(bare, x, y).backward()
        theirs.step()

    batches = list(data(6))
    for x, y in batches[:3]:
        step(x, y)
    ours.load_state_dict(bare.state_dict())
    minimise = Optimisation(ours, Optimiser(**settings, lr={"default": 0.01}))
    minimise.load({"": theirs.state_dict()})
    for x, y in batches[3:]:
        step(x, y)
        minimise(main_phase(ours, x, y), ours)
    for name, value in bare.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=0, atol=1e-12)


def test_a_step_of_any_optimiser_imports_no_compiler():
    """An optimiser of torch imports torch._dynamo, which takes as long as torch itself."""
    lines = (
        "import sys, torch",
        "from mien.engine.minimise import Optimisation, Optimiser",
        "net = torch.nn.ModuleDict({'one': torch.nn.Linear(2, 1)})",
        "for name in ('adam', 'sgd'):",
        "    Optimisation(net, Optimiser(name=name))(net['one'](torch.ones(1, 2)).sum(), net)",
        "assert 'torch._dynamo' not in sys.modules",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def test_a_gradient_that_is_not_finite_names_the_clips_and_moves_nothing():
    net = network()
    before = copy.deepcopy(net.state_dict())
    minimise = Optimisation(net, Optimiser())
    minimise.clips = ("03a01Fa", "03a01Nc")
    with pytest.raises(TrainingError) as error:
        minimise(net["encoder"](torch.full((1, 4), torch.inf, dtype=torch.float64)).sum(), net)
    assert str(error.value) == (
        "a gradient is not finite, in the batch with the clips 03a01Fa, 03a01Nc; lower optimiser.lr, set "
        "optimiser.clip, or look at these clips"
    )
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())


def test_a_foreign_module_is_refused():
    minimise = Optimisation(network(), Optimiser())
    with pytest.raises(ValueError, match=r"^minimise was given a Linear that is no module of the recipe$"):
        minimise(torch.zeros(()), nn.Linear(1, 1))


@pytest.mark.parametrize(
    "module",
    [
        nn.BatchNorm1d(3),
        nn.BatchNorm1d(3, track_running_stats=False),
        nn.Dropout(0.1),
        nn.GRU(3, 3, num_layers=2, dropout=0.1),
        nn.MultiheadAttention(4, 1, dropout=0.1),
    ],
    ids=["batch norm", "batch norm without statistics", "dropout", "gru", "attention"],
)
def test_modules_with_ambient_state_are_refused_unless_frozen(module):
    with pytest.raises(ConfigError, match=r"encoder\.0: (dropout|BatchNorm1d)"):
        Optimisation(nn.ModuleDict({"encoder": nn.Sequential(module)}), Optimiser())
    Optimisation(nn.ModuleDict({"teacher": Frozen(nn.Sequential(module)), "task": nn.Linear(1, 1)}), Optimiser())


def test_a_learning_rate_of_no_module_is_refused_with_the_nearest_name():
    for rates, sentence in (
        (
            {"default": 1e-3, "adversaries": 1e-3},
            "optimiser.lr: unknown module 'adversaries'. Did you mean 'adversary'? Known: adversary, encoder, task.",
        ),
        (
            {"adversary": 1e-3},
            "optimiser.lr: give 'default', the learning rate of every module that is not named",
        ),
    ):
        with pytest.raises(ConfigError) as error:
            Optimisation(network(), Optimiser(lr=rates))
        assert str(error.value) == sentence


def test_the_schedule_drives_the_step_size_of_sgd():
    net = network()
    minimise = Optimisation(net, Optimiser(name="sgd", lr={"default": 1.0}, schedule=Schedule(name="polynomial")))
    for progress, expected in ((0.0, 1.0), (0.75, 0.25)):
        before = net["encoder"].bias.detach().clone()
        minimise.progress = progress
        minimise(net["encoder"].bias.sum(), net["encoder"])
        torch.testing.assert_close((before - net["encoder"].bias).detach(), torch.full_like(before, expected))


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_gradients_of_any_layout_are_taken_as_they_are(name):
    """torch's fused optimisers read an expanded gradient past its end."""
    ours, bare = network(), network()
    minimise = Optimisation(ours, Optimiser(name=name, lr={"default": 0.1}))
    optimiser = (torch.optim.Adam if name == "adam" else torch.optim.SGD)(bare.parameters(), lr=0.1, fused=False)
    for net in (ours, bare):
        loss = net["encoder"].weight.t().sum() + (net["task"].weight.t() @ torch.ones(2, dtype=torch.float64)).sum()
        if net is ours:
            minimise(loss, net)
        else:
            loss.backward()
            optimiser.step()
    for name, value in bare.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=0, atol=1e-12)


def normalised(seed=0):
    torch.manual_seed(seed)
    layers = [nn.Sequential(nn.Linear(4, 3, bias=False), BatchNorm(3)) for _ in range(2)]
    return nn.ModuleDict({"encoder": layers[0], "other": layers[1]}).double()


def statistics(module):
    return torch.stack([module[1].running_mean, module[1].running_var]).clone()


def test_a_step_commits_the_statistics_of_named_modules_alone():
    net = normalised()
    minimise = Optimisation(net, Optimiser())
    x, _ = next(data())
    measured = net["encoder"][0](x)
    before = statistics(net["other"])
    minimise((net["encoder"](x) * net["other"](x)).square().mean(), net["encoder"])
    expected = torch.stack([0.1 * measured.mean(0), 0.9 + 0.1 * measured.var(0)])
    torch.testing.assert_close(statistics(net["encoder"]), expected.detach())
    assert torch.equal(statistics(net["other"]), before)


def test_statistics_stay_where_no_step_is_taken():
    net = normalised()
    minimise = Optimisation(net, Optimiser())
    x, _ = next(data())
    before = statistics(net["encoder"])
    net["encoder"](x)
    minimise(torch.zeros((), dtype=torch.float64), net)  # a loss without a graph
    with pytest.raises(TrainingError):
        minimise(net["encoder"](x).sum() * torch.inf, net)
    assert torch.equal(statistics(net["encoder"]), before)


def test_a_forgotten_module_continues_as_with_a_new_optimiser():
    forgetting, straight = network(), network()
    first, second = (Optimisation(net, Optimiser()) for net in (forgetting, straight))
    for x, y in data(3):
        for net, minimise in ((forgetting, first), (straight, second)):
            minimise(adversary_phase(net, x, y), net["adversary"])
            minimise(adversary_phase(net, x, y), net["adversary"], phase="again")
            minimise(main_phase(net, x, y), net["encoder"], net["task"])
    first.forget(forgetting["adversary"])
    x, y = next(data())
    fresh = copy.deepcopy(straight)
    for net, minimise in ((forgetting, first), (straight, second), (fresh, Optimisation(fresh, Optimiser()))):
        for phase in ("", "again"):
            minimise(adversary_phase(net, x, y), net["adversary"], phase=phase)
        if net is not fresh:
            minimise(net["task"](x[:, :3]).square().mean(), net["task"])
    assert torch.equal(forgetting["adversary"].weight, fresh["adversary"].weight)
    assert not torch.equal(forgetting["adversary"].weight, straight["adversary"].weight)
    assert torch.equal(forgetting["task"].weight, straight["task"].weight)
    with pytest.raises(ValueError, match="no module of the recipe"):
        first.forget(nn.Linear(1, 1))


def test_a_state_with_something_forgotten_is_saved_and_loaded():
    net = network()
    minimise = Optimisation(net, Optimiser())
    x, y = next(data())
    minimise(main_phase(net, x, y), net)
    minimise.forget(net["adversary"])
    other = copy.deepcopy(net)
    resumed = Optimisation(other, Optimiser())
    resumed.load(copy.deepcopy(minimise.state()))
    for one, step in ((net, minimise), (other, resumed)):
        step(main_phase(one, x, y), one)
    assert all(torch.equal(other.state_dict()[name], value) for name, value in net.state_dict().items())
