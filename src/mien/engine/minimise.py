"""One step of optimisation on named modules; no other module can move.

`Optimisation` asks autograd for the gradients of the named modules' parameters only, sums them over processes, clips
their common norm, steps the optimiser, and leaves no `.grad` behind. A parameter that the loss does not reach on any
process is skipped: no momentum, no decay. After a step, statistics that wait in the named modules are committed.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from mien.common import processes
from mien.common.settings import Settings
from mien.engine.schedules import Schedule
from mien.errors import ConfigError, TrainingError, unknown
from mien.models.layers.normalisation import Pending

Rate = Annotated[float, Field(gt=0)]


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
        self._groups: list[tuple[float, list[nn.Parameter]]] = []
        for name, module in names.items():
            parameters = list(_trainable(module))
            if parameters:
                self._groups.append((settings.lr.get(name, settings.lr.get("default", 0.0)), parameters))
        self._owned = {id(parameter) for _, parameters in self._groups for parameter in parameters}
        self._modules = list(recipe.modules())  # held, so that the number of one is never another's
        self._own_modules = {id(module) for module in self._modules}
        self._optimisers: dict[str, torch.optim.Optimizer] = {}
        self._named: dict[tuple[int, ...], _Named] = {}

    def __call__(self, loss: Tensor, *modules: nn.Module, phase: str = "", rate: float = 1.0) -> None:
        """See `models.recipes._recipe.Minimise`."""
        parameters, pending = self._of(modules)
        gradients: list[Tensor | None] = [None] * len(parameters)
        if loss.requires_grad and parameters:
            with torch.autocast(loss.device.type, enabled=False):  # a gradient has the precisions of its forward pass
                gradients = list(torch.autograd.grad(loss, parameters, allow_unused=True))
        if processes.count() > 1:
            gradients = _summed(gradients, parameters)
        reached = [gradient for gradient in gradients if gradient is not None]
        if not reached:
            return
        norm = torch.nn.utils.get_total_norm(reached)
        if not math.isfinite(norm.item()):
            raise TrainingError(self._not_finite())
        for parameter, gradient in zip(parameters, gradients, strict=True):
            # fused optimisers walk the memory of a gradient as it lies: an expanded one is read past its end
            parameter.grad = None if gradient is None else gradient.contiguous()
        if self.settings.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.settings.clip, norm)
        optimiser = self._optimiser(phase)
        factor = self.settings.schedule.factor(self.progress, self.epoch)
        for group in optimiser.param_groups:
            group["lr"] = group["initial_lr"] * factor * rate
        optimiser.step()
        for parameter in parameters:
            parameter.grad = None
        for module in pending:
            module.commit()

    def forget(self, *modules: nn.Module) -> None:
        """Drop the optimiser's state of the modules' parameters in every phase, for modules that are reset.

        Args:
            modules: modules of the recipe; their parameters stay as they are.
        """
        for parameter in self._of(modules).parameters:
            for optimiser in self._optimisers.values():
                optimiser.state.pop(parameter, None)

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint: phase -> state of its optimiser; tensors and numbers only."""
        return {phase: optimiser.state_dict() for phase, optimiser in self._optimisers.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        for phase, values in state.items():
            self._optimiser(phase).load_state_dict(values)

    def _of(self, modules: tuple[nn.Module, ...]) -> "_Named":
        key = tuple(id(module) for module in modules)
        if key not in self._named:
            for module in modules:
                if id(module) not in self._own_modules:
                    raise ValueError(f"minimise was given a {type(module).__name__} that is no module of the recipe")
            unique = {id(parameter): parameter for module in modules for parameter in _trainable(module)}
            inner = {id(one): one for module in modules for one in module.modules() if isinstance(one, Pending)}
            self._named[key] = _Named([p for i, p in unique.items() if i in self._owned], list(inner.values()))
        return self._named[key]

    def _optimiser(self, phase: str) -> torch.optim.Optimizer:
        if phase not in self._optimisers:
            groups = [{"params": parameters, "lr": rate, "initial_lr": rate} for rate, parameters in self._groups]
            settings = self.settings
            made: torch.optim.Optimizer
            if settings.name == "sgd":
                made = torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=settings.decay, fused=True)
            elif settings.decay > 0:
                made = torch.optim.AdamW(groups, weight_decay=settings.decay, fused=True)
            else:
                made = torch.optim.Adam(groups, fused=True)
            self._optimisers[phase] = made
        return self._optimisers[phase]

    def _not_finite(self) -> str:
        shown = ", ".join(self.clips[:4]) + (", ..." if len(self.clips) > 4 else "")
        return (
            f"a gradient is not finite, in the batch with the clips {shown}; "
            "lower optimiser.lr, set optimiser.clip, or look at these clips"
        )


def _trainable(module: nn.Module) -> Iterable[nn.Parameter]:
    return (parameter for parameter in module.parameters() if parameter.requires_grad)


def _summed(gradients: list[Tensor | None], parameters: list[nn.Parameter]) -> list[Tensor | None]:
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
