"""The moving average of another module's weights: the teacher of Tarvainen and Valpola 2017."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from mien.models.layers.normalisation import Pending


class Average(nn.Module, Pending):
    """A copy of modules whose parameters and statistics follow theirs, once in every step that names it.

    It has no gradient. `minimise` moves it (`commit`) after the modules of the same call, so name it with them. In step
    t, from 1, the average keeps min(1 - 1 / t, `decay`) of itself: at first it is the mean of all steps.

    Args:
        modules: by name, of the recipe; they are copied.
        decay: of the average, below 1.
    """

    steps: Tensor

    def __init__(self, modules: dict[str, nn.Module], *, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.averaged = nn.ModuleDict({name: copy.deepcopy(module) for name, module in modules.items()})
        self.averaged.requires_grad_(False)
        self.__dict__["sources"] = modules  # no children: the recipe owns them
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def __getitem__(self, name: str) -> nn.Module:
        """The average of one of the modules."""
        return self.averaged[name]

    @torch.no_grad()
    def commit(self) -> None:
        """Move towards the modules."""
        self.steps += 1
        rate = 1 - min(1 - 1 / int(self.steps), self.decay)
        for name, module in self.averaged.items():
            theirs = self.__dict__["sources"][name].state_dict(keep_vars=True)
            for key, value in module.state_dict(keep_vars=True).items():
                value.lerp_(theirs[key].detach(), rate)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Average":
        """A copy that follows the copies of its modules, where these are copied as well."""
        made = Average.__new__(Average)
        memo[id(self)] = made
        made.__dict__.update({key: copy.deepcopy(value, memo) for key, value in self.__dict__.items()})
        return made
