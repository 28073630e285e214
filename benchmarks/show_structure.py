"""The two paths of a step of MEnAN (Li et al. 2020, Fig. 1) as a picture, from the model that is trained.

    python benchmarks/show_structure.py --out docs/results/pictures/li2020-structure.svg

Layers and sizes are read from the model of `li2020`. One step is made on random clips, and what each of its losses
moves is seen there: filled modules learn, the others stay as they are. A gradient (dashed) ends at the last module that
it reaches.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from torch import Tensor, nn

from _sheets import sheet
from mien import experiments
from mien.data.batch import Batch, Sequence
from mien.data.targets import Target
from mien.reports.figures.canvas import FILL, INK, MUTED, SERIES, figure, svg
from mien.runs.cell import build

SPEAKERS, CLIPS, FRAMES = 8, 16, 300
ENCODER, EMOTION, SPEAKER = "encoder", "tasks.main-emotion", "adversaries.main-speaker"
NAMES = {ENCODER: "encoder (ENC)", EMOTION: "emotion classifier (EC)", SPEAKER: "speaker classifier (SC)"}
PLACES = {ENCODER: (0.5, 0.71, 0.86, 0.28), EMOTION: (0.245, 0.285, 0.47, 0.21), SPEAKER: (0.755, 0.285, 0.47, 0.21)}


class Call(NamedTuple):
    """One call of the optimiser: the modules that learn, and those that the gradient of the loss reaches."""

    learn: frozenset[str]
    reached: frozenset[str]


class Watched:
    """In place of the optimiser: nothing moves, and what would move is kept."""

    progress = 0.5

    def __init__(self, model: nn.Module) -> None:
        self.model, self.calls = model, list[Call]()

    def __call__(self, loss: Tensor, *modules: nn.Module, phase: str = "", rate: float = 1.0) -> None:
        self.model.zero_grad()
        loss.backward()
        parts = {name: list(self.model.get_submodule(name).parameters()) for name in NAMES}
        given = {id(one) for module in modules for one in module.parameters()}
        learn = (name for name, part in parts.items() if given.issuperset(map(id, part)))
        reached = (name for name, part in parts.items() if any(one.grad is not None for one in part))
        self.calls.append(Call(frozenset(learn), frozenset(reached)))

    def forget(self, *modules: nn.Module) -> None:
        """Nothing is kept of a module."""


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    experiment = experiments.load("li2020")
    sizes = {"emotion": experiment.classes, "speaker": tuple(map(str, range(SPEAKERS)))}
    targets = {name: Target(name, "classes", (name,), classes) for name, classes in sizes.items()}
    model = build(experiment, "MEnAN", targets, seed=0, class_weight={})
    features = next(one.in_channels for one in model.modules() if isinstance(one, nn.Conv1d))
    watched, run = Watched(model), dict[nn.Module, None]()
    for layer in (one for one in model.modules() if not [*one.children()]):
        layer.register_forward_hook(lambda ran, *_: run.setdefault(ran))
    model.step(_clips(features, {name: len(classes) for name, classes in sizes.items()}), watched)
    teach, main = watched.calls
    losses = (
        ("1. The speaker classifier learns", teach, {SPEAKER: "cross-entropy\nof speakers (Eq. 1)"}),
        (
            "2. The encoder unlearns the speaker",
            main,
            {
                EMOTION: "λ cross-entropy\nof emotions (Eq. 4)",
                SPEAKER: "\N{MINUS SIGN}(1 \N{MINUS SIGN} λ) entropy\nof speakers (Eq. 2)",
            },
        ),
    )
    words = {name: _layers(model.get_submodule(name), [*run]) for name in NAMES}
    panels = [_panel(title, f"{features} features a frame", words, call, ends) for title, call, ends in losses]
    says = "Both paths of a step of MEnAN: what learns, and how far the gradient of each loss goes"
    given.out.write_text(sheet([("", [(panel, "") for panel in panels])], says), "utf-8")


def _clips(features: int, sizes: Mapping[str, int]) -> Batch:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(CLIPS, FRAMES, features, generator=generator)
    audio = Sequence(frames, torch.ones(CLIPS, FRAMES, dtype=torch.bool))
    labels = {name: torch.randint(0, size, (CLIPS,), generator=generator) for name, size in sizes.items()}
    return Batch(tuple(map(str, range(CLIPS))), audio, Sequence.absent(CLIPS), labels, torch.arange(CLIPS), CLIPS, 0, 1)


def _layers(module: nn.Module, run: list[nn.Module]) -> list[str]:
    """The layers of a module in words, with their sizes, in the order in which they ran."""
    lines: list[str] = []
    own = set(module.modules())
    for layer in (one for one in run if one in own):
        match layer:
            case nn.Conv1d():
                sizes = f"{layer.in_channels} → {layer.out_channels}"
                lines.append(f"Conv1d {sizes}, kernel {layer.kernel_size[0]}, stride {layer.stride[0]}")
            case nn.GRU():
                lines.append(f"GRU {layer.input_size} → {layer.hidden_size}")
            case nn.Linear():
                lines.append(f"Linear {layer.in_features} → {layer.out_features}")
            case nn.PReLU():
                lines[-1] += ", PReLU"
    return lines


def _panel(title: str, given: str, words: Mapping[str, list[str]], call: Call, ends: Mapping[str, str]) -> str:
    with figure(4.6) as drawn:
        axes = drawn.add_subplot()
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.axis("off")
        axes.text(0.0, 0.985, title, ha="left", va="top", fontsize=9.5, fontweight="bold")
        axes.text(0.5, 0.91, given, ha="center", va="center", fontsize=8, color=MUTED)
        for name, (x, y, width, height) in PLACES.items():
            lines = words[name] + (["mean, deviation, maximum"] if name == ENCODER else [])
            _box(axes, (x, y, width, height), NAMES[name], lines, learns=name in call.learn)
        _forward(axes, (0.5, 0.89), (0.5, 0.855))
        for name in (EMOTION, SPEAKER):
            x = PLACES[name][0]
            if name not in ends:
                continue
            _forward(axes, (0.5 + 0.5 * (x - 0.5), 0.56), (x, 0.393))
            _forward(axes, (x - 0.04, 0.173), (x - 0.04, 0.125))
            axes.text(x, 0.11, ends[name], ha="center", va="top", fontsize=8, linespacing=1.3)
            colour = SERIES[1 if name == SPEAKER else 0]
            if name in call.reached:
                _backward(axes, (x + 0.05, 0.125), (x + 0.05, 0.173), colour)
            if ENCODER in call.reached:
                _backward(axes, (x + 0.06, 0.393), (0.5 + 0.5 * (x - 0.5) + 0.06, 0.56), colour)
    return svg(drawn, title, title)


def _box(axes: Axes, place: tuple[float, float, float, float], name: str, lines: list[str], *, learns: bool) -> None:
    x, y, width, height = place
    corner = x - width / 2 + 0.02, y - height / 2 + 0.01
    shape = {"boxstyle": "round,pad=0.01", "linewidth": 1.0}
    if learns:
        axes.add_patch(FancyBboxPatch(corner, width - 0.04, height - 0.02, color=FILL, alpha=0.3, **shape))
    edge = INK if learns else MUTED
    axes.add_patch(FancyBboxPatch(corner, width - 0.04, height - 0.02, facecolor="none", edgecolor=edge, **shape))
    axes.text(x, y + height / 2 - 0.015, name, ha="center", va="top", fontsize=8.5, fontweight="bold")
    axes.text(x, y + height / 2 - 0.06, "\n".join(lines), ha="center", va="top", fontsize=7.5, linespacing=1.35)
    axes.text(
        x, y - height / 2 + 0.015, "learns" if learns else "fixed", ha="center", va="bottom", fontsize=7.5, color=MUTED
    )


def _forward(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0}
    )


def _backward(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    axes.annotate(
        "",
        end,
        start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": colour,
            "linewidth": 1.4,
            "linestyle": (0, (3, 2)),
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


if __name__ == "__main__":
    main()
