"""Embeddings that carry some factors and are rid of others (Li et al. 2020).

One encoder feeds one or more embeddings. Each has *tasks*, factors that a classifier must read from it, and factors to
*remove*, each with a spy that tries to read it and a row of `objectives.removals` that acts against the spy. With
emotion as task and speaker removed by maximum entropy it is MEnAN; with speaker as a second task, the multitask model;
with gradient reversal, domain adversarial training; with nothing removed, emotion only.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from mien.encoders.heads import classifier
from mien.errors import unknown
from mien.features.batches import Batch
from mien.objectives.losses import cross_entropy
from mien.objectives.removals import REMOVALS, strength
from mien.recipes.base import Minimise, Recipe
from mien.settings import Settings

SOURCE = "Li et al. 2020, sections 3.1-3.3"


class Remove(Settings):
    """How one factor is removed from an embedding.

    Attributes:
        how: a row of `objectives.removals.REMOVALS`.
        weight: of its term in the encoder's loss; for gradient reversal the factor on the reversed gradient.
        spy_steps: steps of the spy before each step of the encoder, for removals whose spy has its own phase.
        warmup: share of training over which the weight rises from 0.
        schedule: "constant", or "ganin" (Ganin et al. 2016, section 5.2.2).
    """

    how: str
    weight: float = Field(0.5, ge=0)
    spy_steps: int = Field(1, ge=1)
    warmup: float = Field(0.0, ge=0, le=1)
    schedule: Literal["constant", "ganin"] = "constant"

    @model_validator(mode="after")
    def _known(self) -> "Remove":
        if self.how not in REMOVALS:
            raise ValueError(unknown("removal", self.how, REMOVALS))
        return self


class Embedding(Settings):
    """One embedding.

    Attributes:
        dim: size after a linear projection; None takes the encoder's output as it is.
        tasks: factor -> weight of its cross-entropy.
        remove: factor -> how.
    """

    dim: int | None = Field(None, ge=1)
    tasks: dict[str, Annotated[float, Field(gt=0)]]
    remove: dict[str, Remove] = Field({})

    @model_validator(mode="after")
    def _apart(self) -> "Embedding":
        if dotted := [factor for factor in (*self.tasks, *self.remove) if "." in factor]:
            raise ValueError(
                f"factor '{dotted[0]}': a factor is a column of the corpus without a dot; rename the column"
            )
        if both := sorted(set(self.tasks) & set(self.remove)):
            raise ValueError(f"'{both[0]}' is a task and is also removed from the same embedding; keep one of the two")
        return self


class Config(Settings):
    """One model: its embeddings by name, and the hidden layers of every classifier (Li et al. 2020, Table 1)."""

    embeddings: dict[str, Embedding] = Field(min_length=1)
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (32, 10)

    @field_validator("embeddings")
    @classmethod
    def _named_and_judged(cls, embeddings: dict[str, Embedding]) -> dict[str, Embedding]:
        for name in embeddings:
            if not re.fullmatch(r"[A-Za-z0-9_]+", name):
                raise ValueError(f"embedding '{name}': the name of an embedding has letters, digits and '_' only")
            if hasattr(nn.ModuleDict, name):
                raise ValueError(f"embedding '{name}': torch uses this word itself; choose another name")
        if not any("emotion" in embedding.tasks for embedding in embeddings.values()):
            raise ValueError("no embedding has the task 'emotion', of which all scores are; give it to one of them")
        return embeddings

    @property
    def factors(self) -> set[str]:
        """Every factor that is a task or is removed."""
        return {factor for one in self.embeddings.values() for factor in (*one.tasks, *one.remove)}


class Disentangle(Recipe):
    """The recipe; `encoder`, `tasks` (classifiers) and `spies` are the modules that learning rates may name."""

    def __init__(
        self,
        config: Config,
        encoder: nn.Module,
        classes: Mapping[str, int],
        class_weight: Mapping[str, Tensor],
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.projections, self.tasks, self.spies = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for name, embedding in config.embeddings.items():
            size: int = encoder.dimension if embedding.dim is None else embedding.dim  # type: ignore[assignment]
            if embedding.dim is not None:
                self.projections[name] = nn.Linear(encoder.dimension, embedding.dim)  # type: ignore[arg-type]
            for factor in embedding.tasks:
                self.tasks[f"{name}-{factor}"] = classifier(size, config.hidden, classes[factor])
            for factor, remove in embedding.remove.items():
                if REMOVALS[remove.how].spy != "absent":
                    self.spies[f"{name}-{factor}"] = classifier(size, config.hidden, classes[factor])
        for factor, weight in class_weight.items():
            self.register_buffer(f"class_weight_{factor}", weight, persistent=False)
        self._class_weight = {factor: f"class_weight_{factor}" for factor in class_weight}

    def step(self, batch: Batch, minimise: Minimise) -> dict[str, Tensor]:
        """Train the spies, then the encoder with its tasks against them (Li et al. 2020, section 3.3)."""
        embeddings, losses = self.embed(batch), {}
        for name, embedding in embeddings.items():
            for factor, remove in self.config.embeddings[name].remove.items():
                if REMOVALS[remove.how].spy == "own phase":
                    spy = self.spies[f"{name}-{factor}"]
                    for _ in range(remove.spy_steps):
                        loss = cross_entropy(spy(embedding.detach()), batch.labels[factor])  # Eq. 1
                        minimise(loss, spy)
                    losses[f"{name}: spy on {factor}"] = loss.detach()

        objective = torch.zeros((), device=batch.rows.device)
        learning: list[nn.Module] = [self.encoder, self.projections, self.tasks]
        for name, embedding in embeddings.items():
            for factor, weight in self.config.embeddings[name].tasks.items():
                logits = self.tasks[f"{name}-{factor}"](embedding)
                loss = cross_entropy(logits, batch.labels[factor], self._weight(factor))  # Eq. 4
                objective = objective + weight * loss
                losses[f"{name}: {factor}"] = loss.detach()
            for factor, remove in self.config.embeddings[name].remove.items():
                removal = REMOVALS[remove.how]
                if removal.term is not None:
                    spy = self.spies[f"{name}-{factor}"]
                    weight = remove.weight * strength(minimise.progress, warmup=remove.warmup, schedule=remove.schedule)
                    loss = removal.term(embedding, batch.labels[factor], spy, weight)
                    objective = objective + loss  # Eq. 5 for max_entropy
                    losses[f"{name}: removal of {factor}"] = loss.detach()
                    if removal.spy == "main phase":
                        learning.append(spy)
        minimise(objective, *learning)
        return losses

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return factor -> logits B x K of every task; the first embedding that has the task tells."""
        logits: dict[str, Tensor] = {}
        for name, embedding in self.embed(batch).items():
            for factor in self.config.embeddings[name].tasks:
                logits.setdefault(factor, self.tasks[f"{name}-{factor}"](embedding))
        return logits

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the embeddings by name, each B x `dim`."""
        code = self.encoder(batch)
        return {
            name: self.projections[name](code) if name in self.projections else code for name in self.config.embeddings
        }

    def _weight(self, factor: str) -> Tensor | None:
        name = self._class_weight.get(factor)
        return None if name is None else self.get_buffer(name)


def build(
    config: Config, encoder: nn.Module, classes: Mapping[str, int], class_weight: Mapping[str, Tensor]
) -> Disentangle:
    """Build the model of one configuration.

    Args:
        config: its settings.
        encoder: an encoder with a `dimension`.
        classes: factor -> number of classes, of every factor of the configuration.
        class_weight: factor -> weight of each class (K) in its task's cross-entropy; others are unweighted.
    """
    return Disentangle(config, encoder, classes, class_weight)


def predictor(config: Config, factor: str = "emotion") -> Config:
    """The same model with nothing but what predicts a factor: one embedding, one task, no spy."""
    name, embedding = next((name, one) for name, one in config.embeddings.items() if factor in one.tasks)
    alone = Embedding(dim=embedding.dim, tasks={factor: embedding.tasks[factor]})
    return Config(embeddings={name: alone}, hidden=config.hidden)
