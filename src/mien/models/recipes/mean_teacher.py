"""Mean teacher: a network learns to agree with the average of its own past (Tarvainen and Valpola 2017).

The student gets one noisy view of each clip, the teacher another; the teacher's weights are the moving average of the
student's. The loss is that of the tasks where a label is known, plus, for all clips, how far the student's answer to
the main task is from the teacher's. The teacher predicts. A view is the clip with noise of a normal distribution and
with masks over time and rows, where the paper shifts and flips images (`ours`), and the average has one decay where the
paper raises it from .99 to .999 after the ramp.

It has the encoder, classifiers and settings of tasks of `autoencode`: a rival for the same question.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from mien.data.batch import Batch, Sequence
from mien.data.masking import Masking, masked
from mien.models.layers.average import Average
from mien.models.layers.maps import over_time
from mien.models.objectives.losses import mean
from mien.models.recipes._recipe import Answer, Given, Minimise, Recipe
from mien.models.recipes._semi_supervised import CODE, Classifiers, Tasks, encoder_of

TAKES = ("map",)
SOURCE = "Tarvainen and Valpola 2017, on the networks of Rana et al. 2019"

Share = Annotated[float, Field(ge=0, le=1)]


class Config(Tasks):
    """One model.

    Attributes:
        consistency: weight of the distance between student and teacher, the mean over classes of the squared
            difference of their probabilities (of numbers, of the numbers); at most, see `ramp`.
        ramp: the share of training over which that weight rises, as exp(-5 (1 - t)^2).
        decay: of the average, see `layers.average.Average`.
        noise: standard deviation of the noise, in units of the frames.
        masks: over time, and over rows, in each view.
        mask_share: the longest, of the clip, and widest, of the rows.
    """

    consistency: float = Field(10.0, ge=0)
    ramp: Share = 0.3
    decay: float = Field(0.99, ge=0, lt=1)
    noise: float = Field(0.3, ge=0)
    masks: int = Field(1, ge=0)
    mask_share: Share = 0.2

    @property
    def label_free(self) -> bool:
        """Unless the consistency has no weight."""
        return self.consistency > 0

    def predictor(self, target: str) -> "Config":
        """The networks with one classifier."""
        return self.model_copy(update=self.alone(target))


class MeanTeacher(Recipe):
    """The recipe; `encoder` and `classifiers` are the student, `teacher` is the average of both."""

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder_of(given, config)
        self.classifiers = Classifiers(config, given, self.encoder.channels, self.encoder.rows)
        student = {"encoder": self.encoder, "classifiers": self.classifiers}
        self.teacher = Average(student, decay=config.decay)

    def step(self, batch: Batch, minimise: Minimise) -> dict[str, Tensor]:
        """The tasks' losses and the consistency in one sum, then the average."""
        config, main = self.config, self.config.main
        with torch.no_grad():
            wanted = self._answers(batch, "teacher")[main]
        code, valid = self.encoder(self._view(batch, "student"))
        outputs = self.classifiers.heads[main](code, valid, batch, "student dropout")
        loss, losses = self.classifiers.loss(code, valid, batch, given={main: outputs})
        distance = self._distance(outputs, wanted, valid.any(dim=1))
        weight = config.consistency * _rise(minimise.progress, config.ramp)
        minimise(loss + weight * distance, self.encoder, self.classifiers, self.teacher)
        return losses | {"consistency": distance.detach()}

    def _answers(self, batch: Batch, name: str) -> dict[str, Tensor]:
        """What the teacher says of its own view."""
        code, valid = self.teacher["encoder"](self._view(batch, name))
        answers: dict[str, Tensor] = self.teacher["classifiers"](code, valid, batch, f"{name} ")
        return answers

    def _view(self, batch: Batch, name: str) -> Batch:
        """The batch with noise and masks of its own."""
        config, (values, valid) = self.config, self.encoder.frames(batch)
        values = torch.where(valid[:, :, None], values, 0.0)
        if config.noise > 0:
            samples = batch.uniform(f"{name} noise", *values.shape[1:]).clamp(min=2.0**-53)
            values = values + config.noise * torch.special.ndtri(samples).to(values)
        view = replace(batch, audio=Sequence(values, valid))
        if config.masks > 0:
            longest = Masking(
                count=config.masks,
                seconds=config.mask_share * values.shape[1],
                bands=int(config.mask_share * values.shape[2]),
            )
            view = replace(view, audio=Sequence(masked(view, longest, 1.0, name), valid))
        return view

    def _distance(self, outputs: Tensor, wanted: Tensor, where: Tensor) -> Tensor:
        if self.classifiers.targets[self.config.main].kind != "numbers":
            outputs, wanted = outputs.softmax(dim=1), wanted.softmax(dim=1)
        return mean((outputs - wanted).square().mean(dim=1), where)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return task -> B x K logits, or numbers, of the teacher."""
        return self.answer(batch).outputs

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the mean of the teacher's code over time, B x (C x D')."""
        return {CODE: over_time(*self.teacher["encoder"](batch))}

    def answer(self, batch: Batch) -> Answer:
        """Return both, from one pass through the teacher."""
        code, valid = self.teacher["encoder"](batch)
        return Answer(self.teacher["classifiers"](code, valid, batch), {CODE: over_time(code, valid)})

    @property
    def phases(self) -> frozenset[frozenset[str]]:
        """One."""
        return frozenset({frozenset({"encoder", "classifiers", "teacher"})})

    @property
    def heads(self) -> Mapping[str, frozenset[str]]:
        """The classifier of each auxiliary task; that of the main one learns from unlabelled clips as well."""
        return {task: frozenset({f"classifiers.heads.{task}"}) for task in self.config.auxiliary}


def _rise(progress: float, ramp: float) -> float:
    return 1.0 if progress >= ramp else math.exp(-5 * (1 - progress / ramp) ** 2)


def build(config: Config, given: Given) -> MeanTeacher:
    """Build the model of one configuration from an encoder that returns a map."""
    return MeanTeacher(config, given)


TINY: dict[str, dict[str, Any]] = {
    "single task": {"hidden": 12, "dropout": 0.1, "decay": 0.9},
    "multitask": {"hidden": 12, "dropout": 0.1, "decay": 0.9, "auxiliary": ["speaker"]},
    "number": {"hidden": 12, "dropout": 0.1, "decay": 0.9, "main": "valence", "noise": 0.0, "masks": 0},
}
