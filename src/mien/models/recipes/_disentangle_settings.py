"""The settings of one model of `disentangle`: its embeddings, their tasks, and what is removed from them."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from torch import nn

from mien.common.settings import Settings
from mien.errors import unknown
from mien.models.objectives.losses import PENALTIES
from mien.models.objectives.removals import REMOVALS
from mien.models.recipes._recipe import Branch, RecipeConfig

DISENTANGLEMENT = "disentanglement"
Sizes = tuple[Annotated[int, Field(ge=1)], ...]


def _bound(settings: dict[str, Any]) -> Literal["log_classes"] | None:
    """What `Remove.bound` is where it is not given."""
    removal = REMOVALS.get(settings.get("how", ""))
    return "log_classes" if removal is not None and removal.unbounded is not None else None


class Remove(Settings):
    """How one factor is removed from an embedding.

    Attributes:
        how: a row of `objectives.removals.REMOVALS`.
        weight: of its term in the encoder's loss; for gradient reversal the factor on the reversed gradient. While it
            is 0, the adversaries learn and the encoder is trained as with "none", bit for bit.
        adversary_steps: steps of each adversary for each step of the encoder. Of gradient reversal the last is taken
            together with the encoder, those before it on the embedding as it is.
        adversaries: how many adversaries, each with its own weights; the encoder's loss has the mean of their terms.
        restart: every so many steps of training one adversary, each in its turn, begins anew with random weights; None
            lets all go on. A fresh adversary may find what one that has followed the encoder for long does not.
        warmup: share of training over which the weight rises from 0.
        schedule: "constant", or "ganin" (Ganin et al. 2016, section 5.2.2).
        bound: of alternating: "log_classes" counts a clip's cross-entropy up to log K, that of a guess among K classes,
            so that a clip beyond chance gives no gradient; "none" counts it whole, as Eq. 2 of Peri et al. 2021 does.
    """

    how: str
    weight: float = Field(0.5, ge=0)
    adversary_steps: int = Field(1, ge=1)
    adversaries: int = Field(1, ge=1)
    restart: int | None = Field(None, ge=1)
    warmup: float = Field(0.0, ge=0, le=1)
    schedule: Literal["constant", "ganin"] = "constant"
    bound: Literal["log_classes", "none"] | None = Field(default_factory=_bound)

    @model_validator(mode="after")
    def _known(self) -> "Remove":
        if self.how not in REMOVALS:
            raise ValueError(unknown("removal", self.how, REMOVALS))
        if self.bound is None and REMOVALS[self.how].unbounded is not None:
            raise ValueError(f"'bound' of how: {self.how} is log_classes or none, not null")
        if self.bound is not None and REMOVALS[self.how].unbounded is None:
            raise ValueError(
                f"'bound' ({self.bound}) is a setting of how: alternating; leave it out of how: {self.how}"
            )
        return self


class Embedding(Settings):
    """One embedding.

    Attributes:
        dim: size after a linear projection; None takes the encoder's output as it is.
        activation: of the embedding: "none", or "relu", after the projection where there is one.
        tasks: factor -> weight of its cross-entropy.
        remove: factor -> how.
        auxiliary: factors of auxiliary classifiers, which are trained on the embedding and never move it: the branches
            "used to assess" of Peri et al. 2021, Fig. 2.
    """

    dim: int | None = Field(None, ge=1)
    activation: Literal["none", "relu"] = "none"
    tasks: dict[str, Annotated[float, Field(gt=0)]]
    remove: dict[str, Remove] = Field({})
    auxiliary: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> "Embedding":
        if dotted := [factor for factor in self.factors if "." in factor]:
            raise ValueError(
                f"factor '{dotted[0]}': a factor is a column of the corpus without a dot; rename the column"
            )
        for one, other, kept in (
            (self.tasks, self.remove, "a task and is also removed from"),
            (self.tasks, self.auxiliary, "a task and is also auxiliary in"),
            (self.remove, self.auxiliary, "removed and is also auxiliary in"),
        ):
            if both := sorted(set(one) & set(other)):
                raise ValueError(f"'{both[0]}' is {kept} the same embedding; keep one of the two")
        if twice := sorted({factor for factor in self.auxiliary if self.auxiliary.count(factor) > 1}):
            raise ValueError(f"'{twice[0]}' is auxiliary twice; name it once")
        return self

    @property
    def factors(self) -> tuple[str, ...]:
        """Every factor that is a task, is removed or is auxiliary."""
        return (*self.tasks, *self.remove, *self.auxiliary)

    def predicts(self, factor: str) -> bool:
        """Whether a task or an auxiliary classifier predicts a factor."""
        return factor in self.tasks or factor in self.auxiliary


class Penalty(Settings):
    """A loss that keeps two embeddings apart without an adversary.

    Attributes:
        between: the names of two embeddings.
        weight: of the penalty in the encoder's loss; 0 is as if it were not there.
    """

    between: tuple[str, str]
    weight: float = Field(ge=0)


class Config(RecipeConfig):
    """One model.

    Attributes:
        embeddings: by name.
        hidden: hidden layers of every classifier of a task (Li et al. 2020, Table 1).
        adversary_hidden: those of every adversary and auxiliary classifier; None takes `hidden`.
        penalties: name in `objectives.losses.PENALTIES` -> between which embeddings.
    """

    embeddings: dict[str, Embedding] = Field(min_length=1)
    hidden: Sizes = (32, 10)
    adversary_hidden: Sizes | None = None
    penalties: dict[str, Penalty] = Field({})

    @field_validator("embeddings")
    @classmethod
    def _plain_names(cls, embeddings: dict[str, Embedding]) -> dict[str, Embedding]:
        for name in embeddings:
            if not re.fullmatch(r"[A-Za-z0-9_]+", name):
                raise ValueError(f"embedding '{name}': the name of an embedding has letters, digits and '_' only")
            if hasattr(nn.ModuleDict, name):
                raise ValueError(f"embedding '{name}': torch uses this word itself; choose another name")
        return embeddings

    @model_validator(mode="after")
    def _between_two(self) -> "Config":
        for name, penalty in self.penalties.items():
            if name not in PENALTIES:
                raise ValueError(unknown("penalty", name, PENALTIES))
            for one in penalty.between:
                if one not in self.embeddings:
                    raise ValueError(f"penalties.{name}.between: {unknown('embedding', one, self.embeddings)}")
            first, second = penalty.between
            if first == second or all(self.embeddings[one].dim is None for one in penalty.between):
                raise ValueError(
                    f"penalties.{name}.between: '{first}' and '{second}' are one vector, the encoder's; name two "
                    "embeddings, of which one at least has its own 'dim'"
                )
        return self

    @property
    def carried(self) -> dict[str, frozenset[str]]:
        """The tasks of each embedding."""
        return {name: frozenset(one.tasks) for name, one in self.embeddings.items()}

    @property
    def targets(self) -> frozenset[str]:
        """Every factor that is a task or is auxiliary."""
        return frozenset(factor for one in self.embeddings.values() for factor in (*one.tasks, *one.auxiliary))

    @property
    def factors(self) -> frozenset[str]:
        """Every factor that is a task, is removed or is auxiliary."""
        return frozenset(factor for one in self.embeddings.values() for factor in one.factors)

    @property
    def classed(self) -> dict[str, str]:
        """The removed factors: an adversary predicts classes."""
        return {factor: "an adversary" for one in self.embeddings.values() for factor in one.remove}

    @property
    def removed(self) -> frozenset[str]:
        """The factors whose removal has a weight."""
        removals = [item for one in self.embeddings.values() for item in one.remove.items()]
        return frozenset(name for name, one in removals if one.weight > 0 and REMOVALS[one.how].term is not None)

    @property
    def label_free(self) -> bool:
        """With a penalty that has a weight."""
        return any(penalty.weight > 0 for penalty in self.penalties.values())

    @property
    def scores(self) -> frozenset[str]:
        """See `disentangle.Disentangle.scores`."""
        return frozenset({DISENTANGLEMENT})

    @property
    def widths(self) -> Sizes:
        """The hidden layers of adversaries and auxiliary classifiers."""
        return self.hidden if self.adversary_hidden is None else self.adversary_hidden

    def predictor(self, target: str) -> "Config":
        """One embedding with one task or auxiliary classifier, and no adversary."""
        predicting = [(name, one) for name, one in self.embeddings.items() if one.predicts(target)]
        name, embedding = next(((name, one) for name, one in predicting if target in one.tasks), predicting[0])
        tasks = {target: embedding.tasks[target]} if target in embedding.tasks else {}
        auxiliary = () if tasks else (target,)
        alone = Embedding(dim=embedding.dim, activation=embedding.activation, tasks=tasks, auxiliary=auxiliary)
        return Config(embeddings={name: alone}, hidden=self.hidden, adversary_hidden=self.adversary_hidden)


def branches_of(embedding: str, factor: str, count: int) -> list[Branch]:
    """The adversaries of a removal, or the auxiliary classifier of a factor."""
    return [Branch(embedding, factor, number) for number in range(1, count + 1)]
