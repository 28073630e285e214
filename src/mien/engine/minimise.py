"""One step of optimisation on named modules; no other module can move.

`Optimisation` asks autograd for the gradients of the named modules' parameters only, sums them over processes, clips
their common norm, and steps down them; `.grad` stays empty. A parameter that the loss does not reach on any
process is skipped: no momentum, no decay. After a step, statistics that wait in the named modules are committed.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from mien.common import processes
from mien.common.settings import Settings
from mien.engine._descent import Descent
from mien.engine.schedules import Schedule
from mien.errors import ConfigError, TrainingError, unknown
from mien.models.layers.normalisation import Pending

Rate = Annotated[float, Field(gt=0)]
CLIPPED = 1e-6  # added to a norm that clips, as torch does


class Optimiser(Settings):
    """The optimiser and its settings.

    Attributes:
        name: "adam" (decoupled decay where `decay` > 0, AdamW) or "sgd" with `momentum`.
        lr: learning rate by name of a recipe's module; `default` for the others.
        decay: weight decay: of adam decoupled; of sgd added to the gradient (L2), as torch has it. Of all parameters.
        momentum: of sgd.
        clip: largest norm of the gradient of one call; None does not clip.
        schedule: see `Schedule`.
    """

    name: Literal["adam", "sgd"] = "adam"
    lr: dict[str, Rate] = Field({"default": 1e-3})
    decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.0, ge=0, lt=1)
    clip: float | None = Field(None, gt=0)
    schedule: Schedule = Schedule()


class _Named(NamedTuple):
    """The parameters and statistics that a call may move."""

    parameters: list[nn.Parameter]
    rates: list[float]
    pending: list[Pending]


class Optimisation:
    """The function `minimise` that a recipe's step is given.

    Args:
        recipe: its modules may be named.
        settings: the optimiser.

    Raises:
        ConfigError: for a learning rate of no module, or a module that moves without being named (batch normalisation,
            dropout by ambient random numbers).
    """

    def __init__(self, recipe: nn.Module, settings: Optimiser) -> None:
        refuse_ambient_state(recipe)
        names = dict(recipe.named_children())
        for name in settings.lr:
            if name != "default" and name not in names:
                raise ConfigError(f"optimiser.lr: {unknown('module', name, names)}")
        if "default" not in settings.lr and any(name not in settings.lr for name in names):
            raise ConfigError("optimiser.lr: give 'default', the learning rate of every module that is not named")
        self.settings = settings
        self.progress = 0.0
        self.epoch = 0
        self.clips: tuple[str, ...] = ()
        self._rates: dict[nn.Parameter, float] = {}  # of all that may move
        for name, module in names.items():
            rate = settings.lr.get(name, settings.lr.get("default", 0.0))
            self._rates |= dict.fromkeys(_trainable(module), rate)
        self._modules = list(recipe.modules())  # held, so that the number of one is never another's
        self._own_modules = {id(module) for module in self._modules}
        self._descents: dict[str, Descent] = {}
        self._named: dict[tuple[int, ...], _Named] = {}

    def __call__(self, loss: Tensor, *modules: nn.Module, phase: str = "", rate: float = 1.0) -> None:
        """See `models.recipes._recipe.Minimise`."""
        parameters, rates, pending = self._of(modules)
        gradients: Sequence[Tensor | None] = [None] * len(parameters)
        if loss.requires_grad and parameters:
            if torch.is_autocast_enabled(loss.device.type):  # a gradient has the precisions of its forward pass
                with torch.autocast(loss.device.type, enabled=False):
                    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            else:
                gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        if processes.count() > 1:
            gradients = _summed(gradients, parameters)
        reached = [gradient for gradient in gradients if gradient is not None]
        if not reached:
            return
        clip = self.settings.clip
        norm = None if clip is None else torch.nn.utils.get_total_norm(reached)
        if not _finite(reached if norm is None else [norm]):
            raise TrainingError(self._not_finite())
        if clip is not None and norm is not None:
            share = (clip / (norm + CLIPPED)).clamp(max=1.0)
            gradients = [None if gradient is None else gradient * share for gradient in gradients]
        descent = self._descent(phase)
        factor = self.settings.schedule.factor(self.progress, self.epoch)
        together: dict[float, tuple[list[nn.Parameter], list[Tensor]]] = {}
        for parameter, own, gradient in zip(parameters, rates, gradients, strict=True):
            if gradient is not None:
                moved, slopes = together.setdefault(own, ([], []))
                moved.append(parameter)
                slopes.append(gradient)
        for own, (moved, slopes) in together.items():
            descent.step(moved, slopes, own * factor * rate)
        for module in pending:
            module.commit()

    def forget(self, *modules: nn.Module) -> None:
        """Drop the optimiser's state of the modules' parameters in every phase, for modules that are reset.

        Args:
            modules: modules of the recipe; their parameters stay as they are.
        """
        for parameter in self._of(modules).parameters:
            for descent in self._descents.values():
                descent.forget(parameter)

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint: phase -> state of its optimiser; tensors and numbers only."""
        return {phase: descent.state() for phase, descent in self._descents.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        for phase, values in state.items():
            self._descent(phase).load(values)

    def _of(self, modules: tuple[nn.Module, ...]) -> "_Named":
        key = tuple(id(module) for module in modules)
        if key not in self._named:
            for module in modules:
                if id(module) not in self._own_modules:
                    raise ValueError(f"minimise was given a {type(module).__name__} that is no module of the recipe")
            named = dict.fromkeys(parameter for module in modules for parameter in _trainable(module))
            own = [parameter for parameter in named if parameter in self._rates]
            inner = dict.fromkeys(one for module in modules for one in module.modules() if isinstance(one, Pending))
            self._named[key] = _Named(own, [self._rates[parameter] for parameter in own], list(inner))
        return self._named[key]

    def _descent(self, phase: str) -> Descent:
        if phase not in self._descents:
            own = self.settings
            self._descents[phase] = Descent(list(self._rates), name=own.name, decay=own.decay, momentum=own.momentum)
        return self._descents[phase]

    def _not_finite(self) -> str:
        shown = ", ".join(self.clips[:4]) + (", ..." if len(self.clips) > 4 else "")
        return (
            f"a gradient is not finite, in the batch with the clips {shown}; "
            "lower optimiser.lr, set optimiser.clip, or look at these clips"
        )


def _trainable(module: nn.Module) -> Iterable[nn.Parameter]:
    return (parameter for parameter in module.parameters() if parameter.requires_grad)


def _finite(values: Sequence[Tensor]) -> bool:
    """Whether all values are finite; a sum is not where one of its terms is not."""
    if values[0].device.type == "cpu":
        return math.isfinite(sum(value.sum().item() for value in values))
    return math.isfinite(torch.nn.utils.get_total_norm(values).item())  # asks the device once, and not for each value


def _summed(gradients: Sequence[Tensor | None], parameters: Sequence[nn.Parameter]) -> list[Tensor | None]:
    """Sum over processes in one message; a parameter reached on no process stays None."""
    parts = [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, parameters, strict=True)]
    reached = parts[0].new_tensor([gradient is not None for gradient in gradients])
    message = torch.cat([reached, *(part.reshape(-1) for part in parts)])
    processes.add_up(message)
    flags, *sums = torch.split(message, [len(parts), *(part.numel() for part in parts)])
    return [
        value.view_as(part) if flag > 0 else None for flag, value, part in zip(flags.tolist(), sums, parts, strict=True)
    ]


def refuse_ambient_state(recipe: nn.Module) -> None:
    """Raise ConfigError for modules that move outside `minimise`, or take random numbers that are not the batch's."""
    for name, module in recipe.named_modules():
        batch_normalisation = isinstance(module, nn.modules.batchnorm._BatchNorm)
        if batch_normalisation or getattr(module, "track_running_stats", False):
            raise ConfigError(
                f"{name}: {type(module).__name__} moves its statistics in every forward, counts padding, and differs "
                "between one and two processes; use mien.models.layers.normalisation.BatchNorm"
            )
        dropout = isinstance(module, nn.RNNBase | nn.MultiheadAttention) and module.dropout > 0
        if dropout or isinstance(module, nn.modules.dropout._DropoutNd):
            raise ConfigError(
                f"{name}: dropout of torch takes ambient random numbers, which differ between one and two "
                "processes; use mien.models.layers.dropout.dropout"
            )
