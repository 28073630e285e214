"""What the semi-supervised recipes share: a main task and auxiliary ones on the map of one encoder."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from mien.data.batch import Batch
from mien.data.targets import Target
from mien.models.encoders.convolutional import Encoder
from mien.models.layers.maps import MapClassifier
from mien.models.objectives.task_losses import task_loss
from mien.models.recipes._recipe import Given, RecipeConfig

Share = Annotated[float, Field(ge=0, le=1)]
CODE = "code"  # the one embedding


class Tasks(RecipeConfig):
    """The tasks of a model, and its classifiers.

    Attributes:
        main: the factor of the main task.
        auxiliary: the factors of the auxiliary tasks; none makes a single-task model. Rana et al.: gender and speaker.
        beta: weight of the main task in a multitask model, the auxiliary ones have 1 - `beta` each (Rana et al. 2019,
            Eq. 3). A single task has no such weight.
        convolutions: how many of the encoder's are used; None uses all. Rana et al.: their supervised network shares
            two.
        hidden: values between the two fully connected layers of a classifier.
        dropout: between them.
    """

    main: str = "emotion"
    auxiliary: tuple[str, ...] = ()
    beta: Share = 0.5
    convolutions: int | None = Field(None, ge=1)
    hidden: int = Field(128, ge=1)
    dropout: float = Field(0.5, ge=0, lt=1)

    @model_validator(mode="after")
    def _once(self) -> "Tasks":
        names = (self.main, *self.auxiliary)
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"'{twice}' is a task twice; name it once, as 'main' or in 'auxiliary'")
        if dotted := [name for name in names if "." in name]:
            raise ValueError(
                f"factor '{dotted[0]}': a factor is a column of the corpus without a dot; rename the column"
            )
        return self

    @property
    def carried(self) -> Mapping[str, frozenset[str]]:
        """The code carries all tasks."""
        return {CODE: frozenset((self.main, *self.auxiliary))}

    def without(self, factors: frozenset[str]) -> str:
        """The other auxiliary tasks; empty where one of these factors is the main task."""
        left = [task for task in self.auxiliary if task not in factors]
        return "" if self.main in factors else f"auxiliary=[{', '.join(left)}]"

    @property
    def weights(self) -> Mapping[str, float]:
        """Task -> its weight in the loss of the classifiers (Rana et al. 2019, Eq. 3)."""
        if not self.auxiliary:
            return {self.main: 1.0}
        return {self.main: self.beta} | dict.fromkeys(self.auxiliary, 1 - self.beta)

    def alone(self, target: str) -> "dict[str, object]":
        """The changes that leave one task alone, see `RecipeConfig.predictor`."""
        return {"main": target, "auxiliary": ()}


class Classifiers(nn.Module):
    """A classifier for each task on the map of an encoder.

    Args:
        config: the tasks.
        given: their targets, and the weights of classes.
        channels: of the map.
        rows: of the map.
    """

    def __init__(self, config: Tasks, given: Given, channels: int, rows: int) -> None:
        super().__init__()
        self.targets: Mapping[str, Target] = {task: given.targets[task] for task in config.weights}
        self.weights = config.weights
        self.heads = nn.ModuleDict(
            {
                task: MapClassifier(channels, rows, target.size, hidden=config.hidden, rate=config.dropout)
                for task, target in self.targets.items()
            }
        )
        for task, weight in given.class_weight.items():
            self.register_buffer(f"class_weight_{task}", weight, persistent=False)
        self._class_weight = {task: f"class_weight_{task}" for task in given.class_weight}

    def forward(self, code: Tensor, valid: Tensor, batch: Batch, view: str = "") -> dict[str, Tensor]:
        """Return task -> B x K logits, or numbers as their labels have them; each `view` has a dropout of its own."""
        return {task: head(code, valid, batch, f"{view}dropout {task}") for task, head in self.heads.items()}

    def loss(
        self, code: Tensor, valid: Tensor, batch: Batch, given: Mapping[str, Tensor] = MappingProxyType({})
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """This process's share of the weighted sum of the tasks' losses (Rana et al. 2019, Eq. 3), and each of them.

        A classifier gets the clips alone whose label of its task is known: others would move its statistics.

        Args:
            code: see `MapClassifier`.
            valid: likewise.
            batch: its labels.
            given: task -> outputs for all clips, of tasks whose classifier has had them already.
        """
        losses = {task: self._loss(task, outputs, batch.labels[task]) for task, outputs in given.items()}
        for task, head in self.heads.items():
            if task in given:
                continue
            own, part = batch, (code, valid)
            if not bool((some := known(batch.labels[task])).all()):
                rows = some.nonzero()[:, 0]
                own, part = batch.part(rows), (code[rows], valid[rows])
            losses[task] = self._loss(task, head(*part, own, f"dropout {task}"), own.labels[task])
        whole = torch.stack([self.weights[task] * loss for task, loss in losses.items()]).sum()
        return whole, {task: loss.detach() for task, loss in losses.items()}

    def _loss(self, task: str, outputs: Tensor, labels: Tensor) -> Tensor:
        name = self._class_weight.get(task)
        return task_loss(self.targets[task], outputs, labels, None if name is None else self.get_buffer(name))


def encoder_of(given: Given, config: Tasks) -> Encoder:
    """The encoder of the sound, as short as the settings say."""
    encoder = given.encoders["audio"]
    assert isinstance(encoder, Encoder)
    return encoder if config.convolutions is None else encoder.shortened(config.convolutions)


def known(labels: Tensor) -> Tensor:
    """Which clips have a label, B bool; of several numbers one at least."""
    return labels >= 0 if labels.dim() == 1 else ~labels.isnan().all(dim=1)


def labelled(batch: Batch, tasks: Iterable[str]) -> Batch:
    """The clips of which the label of a task is known; others would only cost time."""
    some = torch.stack([known(batch.labels[task]) for task in tasks]).any(dim=0)
    return batch if bool(some.all()) else batch.part(some.nonzero()[:, 0])
