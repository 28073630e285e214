"""Schedules of learning rates: a factor on all of them, by the progress of training."""

import math
from typing import Literal

from pydantic import Field, model_validator

from mien.common.settings import Settings


class Schedule(Settings):
    """The factor on every learning rate, of progress p, 0 at the first step and 1 after the last, and of the epoch e.

    Attributes:
        name: "constant": 1; "polynomial": (1 - p) ** power; "cosine": (1 + cos(pi p)) / 2; "exponential": gamma ** e,
            the same within an epoch. Peri et al. 2021, section 4.2, decay "exponentially with a factor of .9" and do
            not say how often: an epoch is assumed. "step": gamma ** (e // every), the same over `every` epochs.
            Goncalves & Busso 2022, section 5.1, have "a learning decay set to 5 epochs" and do not say by how much.
            "logarithmic": to ** p, an even fall of the logarithm. Albanie et al. 2018, section 5.1, decay
            "logarithmically" from 1e-4 to 1e-5; that it falls with every step and not once an epoch is assumed.
        power: of "polynomial".
        gamma: of "exponential", an epoch; of "step", `every` epochs.
        every: of "step": the epochs after which the rate falls; given there, and nowhere else.
        to: of "logarithmic": the factor at the end; 0.1 is Albanie et al. 2018.
        warmup: share of training over which the factor is multiplied by a linear rise from 0 to 1.
    """

    name: Literal["constant", "polynomial", "cosine", "exponential", "step", "logarithmic"] = "constant"
    power: float = Field(1.0, gt=0)
    gamma: float = Field(0.9, gt=0, le=1)
    every: int | None = Field(None, ge=1)
    to: float = Field(0.1, gt=0, le=1)
    warmup: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _of_one(self) -> "Schedule":
        if self.name != "logarithmic" and self.to != 0.1:
            raise ValueError(f"'to' is a setting of the schedule logarithmic and not of {self.name}; leave it out")
        if self.name == "step" and self.every is None:
            raise ValueError("'every' is missing: the number of epochs after which the rate falls; write every: 5")
        if self.name != "step" and self.every is not None:
            raise ValueError(f"'every' is a setting of the schedule step and not of {self.name}; leave it out")
        return self

    def factor(self, progress: float, epoch: int) -> float:
        """The factor at a point of training.

        Args:
            progress: 0 to 1.
            epoch: how many epochs are over; 0 in the first.
        """
        rise = 1.0 if progress >= self.warmup else progress / self.warmup
        match self.name:
            case "polynomial":
                return rise * float((1.0 - progress) ** self.power)
            case "cosine":
                return rise * 0.5 * (1.0 + math.cos(math.pi * progress))
            case "exponential":
                return rise * float(self.gamma**epoch)
            case "logarithmic":
                return rise * float(self.to**progress)
            case "step":
                return rise * float(self.gamma ** (epoch // (self.every or 1)))
            case _:
                return rise
