"""AuxFormer: voice and face joined by attention, with an auxiliary network on each (Goncalves and Busso 2022).

Each modality is a sequence of frames, all as wide. A main network joins them (`layers.fusions`: `auxformer`, or one of
the baselines), an auxiliary network has one of them alone, and all are trained by one sum of losses (Eq. 1). The main
network answers. Without auxiliary networks it is the paper's Baseline 1; with one modality its unimodal network.

A modality may be missing: for a whole clip, or in single frames. What is missing is not valid in the batch, and
`absent` says what the networks get for it. Where a clip has nothing valid at all, the answer is the prior: how often
each class occurs among the training clips.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from mien.data.batch import Batch, Modality, Sequence, uniform
from mien.errors import ConfigError
from mien.models.encoders._inputs import SequenceEncoder
from mien.models.layers.fusions import FUSIONS, Auxiliary, Fusion, Part, placed
from mien.models.objectives.task_losses import task_loss
from mien.models.recipes._recipe import Answer, Given, Minimise, Recipe, RecipeConfig

TAKES = ("sequence",)
SOURCE = "Goncalves and Busso 2022, sections 4.2 and 4.3"
FUSED = "fused"  # the one embedding
MODALITIES: tuple[Modality, ...] = ("audio", "video")

Network = Literal["main", "audio", "video"]
MAIN: Network = "main"
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Config(RecipeConfig):
    """One model.

    Attributes:
        task: the factor that is predicted.
        modalities: those that the model takes; None takes all that the data have.
        fusion: the main network.
        weights: network -> weight of its loss (Eq. 1): "main", and the auxiliary networks by modality. 0 leaves an
            auxiliary network out. Goncalves and Busso: a third each.
        drop: modality -> the probability that it is missing in training (section 4.3). Goncalves and Busso: .2 each in
            "optimized" training, none in "standard" training. Validation and test clips keep what they have.
        drop_by: whether each clip is dealt with by itself, or the whole batch at once (`assumed`: clip). Both
            modalities may be missing at once.
        absent: what the networks get of frames that are missing. "zeros": frames of zeros, as in the paper; a clip
            without a modality, also by `drop`, has as many as of the other one (`assumed`). "masked": nothing, no
            attention is paid to them (`ours`). "token": as "masked", but a clip without a modality has one learned
            frame in its place (`ours`).
        padding: "masked": frames that fill up a batch are none (`assumed`); "zeros": they count as frames of zeros,
            which is the paper read to the letter, and makes answers depend on the other clips of a batch.
    """

    task: str = "emotion"
    modalities: tuple[Modality, ...] | None = Field(None, min_length=1)
    fusion: Fusion = Fusion()
    weights: dict[Network, Weight] = Field({MAIN: 1 / 3, "audio": 1 / 3, "video": 1 / 3})
    drop: dict[Modality, Share] = Field({})
    drop_by: Literal["clip", "batch"] = "clip"
    absent: Literal["zeros", "masked", "token"] = "masked"
    padding: Literal["masked", "zeros"] = "masked"

    @field_validator("weights")
    @classmethod
    def _main_learns(cls, weights: dict[Network, float]) -> dict[Network, float]:
        if weights.get(MAIN, 0) == 0:
            raise ValueError("'weights' gives the main network none, and it answers; give weights.main")
        return weights

    @field_validator("modalities")
    @classmethod
    def _in_order(cls, modalities: tuple[Modality, ...] | None) -> tuple[Modality, ...] | None:
        return None if modalities is None else tuple(name for name in MODALITIES if name in modalities)

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        if "." in self.task:
            raise ValueError(f"task '{self.task}': a factor is a column of the corpus without a dot; rename the column")
        if strange := [name for name in self.drop if self.modalities is not None and name not in self.modalities]:
            raise ValueError(
                f"'drop' names {strange[0]}, which 'modalities' leaves out; leave it out of one of the two"
            )
        if self.padding == "zeros" and self.absent != "zeros":
            raise ValueError(
                f"'padding: zeros' counts padding as frames, and 'absent: {self.absent}' leaves missing frames out; "
                "give absent: zeros"
            )
        return self

    def takes(self, given: Iterable[str]) -> tuple[str, ...]:
        """The modalities of `modalities`, of those that are given."""
        return tuple(name for name in given if self.modalities is None or name in self.modalities)

    @property
    def carried(self) -> Mapping[str, frozenset[str]]:
        """The joined vector carries the task."""
        return {FUSED: frozenset({self.task})}

    def predictor(self, target: str) -> "Config":
        """The main network alone."""
        return self.model_copy(update={"weights": {MAIN: 1.0}, "drop": {}})


class Fuse(Recipe):
    """The recipe; `encoder`, `main`, `auxiliary` and `tokens` are the modules that learning rates may name."""

    prior: Tensor
    class_weight: Tensor | None

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        self.config = config
        self.target = given.targets[config.task]
        wanted = tuple(name for name in MODALITIES if name in (config.modalities or given.encoders))
        if lacking := [name for name in wanted if name not in given.encoders]:
            raise ConfigError(f"modalities: the data have no {lacking[0]}; give data.{lacking[0]}, or leave it out")
        width = _width(given.encoders, config.fusion)
        self.encoder = nn.ModuleDict({name: given.encoders[name] for name in wanted})
        self.main = FUSIONS[config.fusion.name](config.fusion, wanted, width, self.target.size)
        self.auxiliary = nn.ModuleDict(
            {
                name: Auxiliary(config.fusion, width, self.target.size)
                for name in wanted
                if config.weights.get(name, 0) > 0
            }
        )
        stands_in = config.absent == "token" and len(wanted) > 1  # where nothing else is there, the prior answers
        self.tokens = nn.ParameterDict({name: nn.Parameter(0.02 * torch.randn(width)) for name in wanted if stands_in})
        prior = given.prior.get(config.task, torch.zeros(self.target.size))
        self.register_buffer("prior", prior.to(torch.get_default_dtype()))
        weight = given.class_weight.get(config.task)
        self.register_buffer("class_weight", weight, persistent=False)

    def step(self, batch: Batch, minimise: Minimise) -> dict[str, Tensor]:
        """One step on the sum of all networks' losses (Eq. 1), with modalities that are missing at random (4.3)."""
        config = self.config
        parts, there = self._parts(self._dropped(batch))
        labels = batch.labels[config.task]
        answers: dict[Any, tuple[Tensor, Tensor]] = {
            MAIN: (self.main.logits(self.main(parts, batch)), torch.stack([*there.values()]).any(dim=0))
        }
        answers |= {name: (network(parts[name], batch, name), there[name]) for name, network in self.auxiliary.items()}
        losses = {}
        for name, (logits, some) in answers.items():
            # a network that is given nothing would learn the prior from labels that say nothing of its input
            own = labels if config.absent == "zeros" else _where(some, labels)
            losses[name] = task_loss(self.target, logits, own, self.class_weight)
        whole = torch.stack([config.weights[name] * loss for name, loss in losses.items()]).sum()
        minimise(whole, *(getattr(self, name) for name in sorted(*self.phases)))
        return {name: loss.detach() for name, loss in losses.items()}

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return the main network's answer, B x K; the prior for a clip of which nothing is valid."""
        return self.answer(batch).outputs

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the joined vectors, B x `main.dimension`."""
        return {FUSED: self.main(self._parts(batch)[0], batch)}

    def answer(self, batch: Batch) -> Answer:
        """Return both, from one pass."""
        parts, there = self._parts(batch)
        vectors = self.main(parts, batch)
        some = torch.stack([*there.values()]).any(dim=0)
        logits = torch.where(some[:, None], self.main.logits(vectors), self.prior)
        return Answer({self.config.task: logits}, {FUSED: vectors})

    @property
    def modalities(self) -> frozenset[str]:
        """Those that it has encoders of."""
        return frozenset(self.encoder)

    @property
    def phases(self) -> frozenset[frozenset[str]]:
        """One."""
        return frozenset(
            {frozenset(name for name, module in self.named_children() if any(True for _ in module.parameters()))}
        )

    @property
    def heads(self) -> Mapping[str, frozenset[str]]:
        """Everything learns from the one task."""
        return {self.config.task: next(iter(self.phases))}

    def _dropped(self, batch: Batch) -> Batch:
        """The batch in which modalities are missing at random."""
        changes: dict[str, Any] = {}
        for name, rate in self.config.drop.items():
            if name not in self.encoder or rate == 0:
                continue
            if self.config.drop_by == "batch":
                samples = uniform(batch.seed, batch.step, f"drop {name}", 1).expand(len(batch.clips))
            else:
                samples = batch.uniform(f"drop {name}", 1)[:, 0]
            sequence: Sequence = getattr(batch, name)
            kept = (samples >= rate).to(sequence.valid.device)
            changes[name] = replace(sequence, valid=sequence.valid & kept[:, None])
        return replace(batch, **changes)

    def _parts(self, batch: Batch) -> tuple[dict[str, Part], dict[str, Tensor]]:
        """Modality -> the sequence that the networks get, with its positions, and which clips have something of it."""
        sequences = {name: encoder(batch) for name, encoder in self.encoder.items()}
        there = {name: valid.any(dim=1) for name, (_, valid) in sequences.items()}
        if self.config.absent == "zeros":
            sequences = self._with_zeros(sequences, batch)
        for name, learned in self.tokens.items():
            values, valid = sequences[name]
            lacking = ~there[name][:, None] & (torch.arange(valid.shape[1], device=valid.device) == 0)
            sequences[name] = torch.where(lacking[:, :, None], learned.to(values.dtype), values), valid | lacking
        return {name: placed(part) for name, part in sequences.items()}, there

    def _with_zeros(self, sequences: Mapping[str, Part], batch: Batch) -> dict[str, Part]:
        """Sequences in which missing frames are valid frames of zeros, of clips that have others or have none."""
        if self.config.padding == "zeros":
            return {name: (values, torch.ones_like(valid)) for name, (values, valid) in sequences.items()}
        lengths = {name: _lengths(valid, getattr(batch, name)) for name, (_, valid) in sequences.items()}
        longest = torch.stack([*lengths.values()]).amax(dim=0).clamp(min=1)
        found = {}
        for name, (values, valid) in sequences.items():
            wanted = torch.where(lengths[name] > 0, lengths[name], longest)
            more = max(0, int(wanted.max()) - valid.shape[1]) if len(wanted) else 0
            if more:
                values = torch.cat([values, values.new_zeros(len(values), more, values.shape[2])], dim=1)
            frames = torch.arange(values.shape[1], device=valid.device)
            found[name] = values, frames < wanted[:, None]
        return found


def _lengths(valid: Tensor, sequence: Sequence) -> Tensor:
    """Frames of a clip, or up to the last valid one where that is not known; 0 where none is valid. B int64."""
    frames = torch.arange(1, valid.shape[1] + 1, device=valid.device)
    last = torch.where(valid, frames, 0).amax(dim=1)
    return last if sequence.lengths is None else torch.where(last > 0, sequence.lengths, 0)


def _where(some: Tensor, labels: Tensor) -> Tensor:
    """Labels as in `Batch`, not known where not `some`, B bool."""
    if labels.dim() == 1:
        return torch.where(some, labels, -1)
    return torch.where(some[:, None], labels, torch.nan)


def _width(encoders: Mapping[Any, nn.Module], fusion: Fusion) -> int:
    """The width of all sequences; raises ConfigError where they differ or heads do not divide it."""
    sizes = {name: one.dimension for name, one in encoders.items() if isinstance(one, SequenceEncoder)}
    if len(set(sizes.values())) > 1:
        listed = " and ".join(f"{name} {size}" for name, size in sizes.items())
        raise ConfigError(
            f"encoder: attention needs frames of one width, and these have {listed} values; make them equal"
        )
    (width,) = set(sizes.values())
    if width % fusion.heads:
        fitting = ", ".join(str(number) for number in range(1, 33) if width % number == 0)
        raise ConfigError(f"fusion.heads: {fusion.heads} do not divide the width {width}; those that do: {fitting}")
    return width


def build(config: Config, given: Given) -> Fuse:
    """Build the model of one configuration from encoders that return sequences."""
    return Fuse(config, given)


def _without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in SMALL.items() if key not in keys}


SMALL: dict[str, Any] = {"layers": 1, "self_layers": 1, "heads": 2, "feed_forward": 2, "hidden": [6]}
TINY: dict[str, dict[str, Any]] = {
    "auxformer": {"fusion": SMALL, "drop": {"audio": 0.2, "video": 0.2}},
    "zeros": {"fusion": SMALL, "drop": {"audio": 0.2}, "absent": "zeros", "drop_by": "batch"},
    "token": {"fusion": {**SMALL, "token": "mean"}, "absent": "token", "drop": {"audio": 0.3}},
    "without auxiliary networks": {"fusion": {**SMALL, "token": "first"}, "weights": {"main": 1.0}},
    "mult": {"fusion": {**_without("hidden"), "name": "mult"}, "weights": {"main": 1.0}},
    "interleaved": {"fusion": {**_without("hidden", "self_layers"), "name": "interleaved"}},
    "number": {"fusion": SMALL, "task": "valence"},
    "distribution": {"fusion": SMALL, "task": "votes"},
}
