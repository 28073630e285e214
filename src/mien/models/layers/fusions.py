"""Networks that make one vector of the sequences of several modalities, and the head on it: `FUSIONS`.

`auxformer` is the main network of Goncalves and Busso (2022, 4.2, Fig. 1); `mult` and `interleaved` are the baselines
that they name, after Tsai et al. (2019) with two modalities in place of three, and after Parthasarathy and Sundaram
(2020). What the papers leave open is `assumed`, and stands with each network.

A sequence is B x T x W, zero where not valid, and B x T bool; each modality has its own T. Where a clip lacks a
modality, the branch of that modality gives zeros, and the other branch goes on with what it has. With one modality
alone, attention to the other becomes attention to itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from mien.common.settings import Settings
from mien.data.batch import Batch
from mien.models.layers.attention import AttentionLayer, positions
from mien.models.layers.pooling import mean

Part = tuple[Tensor, Tensor]  # the values and the valid frames of a sequence
Token = Literal["last", "first", "mean"]
Size = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class Fusion(Settings):
    """Settings of a network that joins modalities.

    Attributes:
        name: "auxformer", "mult" or "interleaved", see `FUSIONS`.
        layers: across modalities. Goncalves and Busso: 5.
        self_layers: within a branch, after these. Goncalves and Busso: 5.
        heads: of each attention. Goncalves and Busso: 10.
        feed_forward: values between the fully connected layers of a layer, in multiples of the width. `assumed`: 4, as
            in Vaswani et al. 2017.
        attention_dropout: share of what attention gives. Goncalves and Busso: .25.
        residual_dropout: share of what is added to a residual connection. Goncalves and Busso: .1.
        token: the vector that stands for a branch: its "last" valid frame (`assumed`, as in Tsai et al. 2019), its
            "first", or the "mean" of all valid ones. `interleaved` takes the mean.
        hidden: layers of the head of `auxformer`, and of no other network. Goncalves and Busso: 260 and 260.
    """

    name: Literal["auxformer", "mult", "interleaved"] = "auxformer"
    layers: Size = 5
    self_layers: Size = 5
    heads: Size = 10
    feed_forward: Size = 4
    attention_dropout: Rate = 0.25
    residual_dropout: Rate = 0.1
    token: Token = "last"  # noqa: S105 - no password
    hidden: tuple[Size, ...] = (260, 260)

    @model_validator(mode="after")
    def _of_this_network(self) -> "Fusion":
        idle = {"mult": ("hidden",), "interleaved": ("self_layers", "token", "hidden")}.get(self.name, ())
        for key in idle:
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"'{key}' is no setting of '{self.name}'; leave it out")
        return self

    def layer(self, width: int, *, crossed: bool = False, scaled: bool = False) -> AttentionLayer:
        """A layer with these settings."""
        return AttentionLayer(
            width,
            self.heads,
            self.feed_forward * width,
            attention_dropout=self.attention_dropout,
            residual_dropout=self.residual_dropout,
            crossed=crossed,
            scaled=scaled,
        )


def token(values: Tensor, valid: Tensor, which: Token) -> Tensor:
    """One vector of each clip, B x W: its last or first valid frame, or their mean; zeros where none is valid."""
    if which == "mean":
        return mean(values, valid)
    frames = torch.arange(valid.shape[1], device=valid.device)
    place = torch.where(valid, frames, -1).amax(dim=1) if which == "last" else torch.where(valid, 1, 0).argmax(dim=1)
    chosen = values[torch.arange(values.shape[0], device=valid.device), place.clamp(min=0)]
    return torch.where(valid.any(dim=1)[:, None], chosen, 0.0)


class Branch(nn.Module):
    """Layers within one sequence, a layer normalisation, and the token: B x T x W to B x W."""

    def __init__(self, settings: Fusion, width: int, layers: int, *, scaled: bool = False) -> None:
        super().__init__()
        self.token = settings.token
        self.layers = nn.ModuleList(settings.layer(width, scaled=scaled) for _ in range(layers))
        self.normalisation = nn.LayerNorm(width)

    def forward(self, part: Part, batch: Batch, name: str) -> Tensor:
        """Return the vectors, zero for a clip without a valid frame; `name` is of the random numbers."""
        values, valid = part
        for number, layer in enumerate(self.layers):
            values = layer(values, valid, batch, f"{name} {number}")
        return token(self.normalisation(values), valid, self.token)


class Fused(nn.Module, ABC):
    """A network on all sequences.

    Args:
        settings: of the network.
        modalities: in order.
        width: W of all sequences.
        outputs: K.

    Attributes:
        dimension: values of the vector.
    """

    def __init__(self, settings: Fusion, modalities: Sequence[str], width: int, outputs: int) -> None:
        super().__init__()
        self.settings, self.modalities = settings, tuple(modalities)
        self.dimension = width * len(self.modalities)
        self.build(width, outputs)

    @abstractmethod
    def build(self, width: int, outputs: int) -> None:
        """Make the layers."""

    @abstractmethod
    def forward(self, parts: Mapping[str, Part], batch: Batch) -> Tensor:
        """Return the vectors, B x `dimension`; modality -> its sequence, with its positions added."""

    @abstractmethod
    def logits(self, vectors: Tensor) -> Tensor:
        """Return B x K of the vectors."""

    def other(self, parts: Mapping[str, Part], modality: str) -> Part | None:
        """The sequence of the other modality; None where there is one alone."""
        return next((parts[name] for name in self.modalities if name != modality), None)


class AuxFormer(Fused):
    """Goncalves and Busso 2022, 4.2: a branch a modality, whose queries meet keys and values of the other one.

    As in Tsai et al. 2019 (`assumed`), keys and values are the other modality's sequence as it came in, in all layers.
    Then come layers within the branch, whose residual connections have learnable scales, a token of each branch, and
    two hidden layers with rectifiers on both tokens. With one modality the first layers are self-attention without
    scales (section 5.3).
    """

    def build(self, width: int, outputs: int) -> None:
        """Make the layers."""
        settings, crossed = self.settings, len(self.modalities) > 1
        self.across = nn.ModuleDict(
            {
                name: nn.ModuleList(settings.layer(width, crossed=crossed) for _ in range(settings.layers))
                for name in self.modalities
            }
        )
        self.within = nn.ModuleDict(
            {name: Branch(settings, width, settings.self_layers, scaled=True) for name in self.modalities}
        )
        sizes = (self.dimension, *settings.hidden)
        self.hidden = nn.ModuleList(nn.Linear(inputs, size) for inputs, size in pairwise(sizes))
        self.output = nn.Linear(sizes[-1], outputs)

    def forward(self, parts: Mapping[str, Part], batch: Batch) -> Tensor:
        """See `Fused.forward`."""
        return torch.cat([self._branch(parts, name, batch) for name in self.modalities], dim=1)

    def _branch(self, parts: Mapping[str, Part], name: str, batch: Batch) -> Tensor:
        values, valid = parts[name]
        others = self.other(parts, name)
        layers: nn.ModuleList = self.across[name]  # type: ignore[assignment]
        for number, layer in enumerate(layers):
            values = layer(values, valid, batch, f"{name} across {number}", others)
        vectors: Tensor = self.within[name]((values, valid), batch, f"{name} within")
        return vectors

    def logits(self, vectors: Tensor) -> Tensor:
        """See `Fused.logits`."""
        for layer in self.hidden:
            vectors = F.relu(layer(vectors))
        logits: Tensor = self.output(vectors)
        return logits


class MulT(AuxFormer):
    """Tsai et al. 2019, section 3, for two modalities: no learnable scales, and a residual connection in the head.

    The head is x + W2 relu(W1 x), then the outputs, as in the code that the authors published (`assumed`).
    """

    def build(self, width: int, outputs: int) -> None:
        """Make the layers."""
        super().build(width, outputs)
        settings, size = self.settings, self.dimension
        self.within = nn.ModuleDict({name: Branch(settings, width, settings.self_layers) for name in self.modalities})
        self.hidden = nn.ModuleList([nn.Linear(size, size), nn.Linear(size, size)])
        self.output = nn.Linear(size, outputs)

    def logits(self, vectors: Tensor) -> Tensor:
        """See `Fused.logits`."""
        first, second = self.hidden
        logits: Tensor = self.output(vectors + second(F.relu(first(vectors))))
        return logits


class Interleaved(Fused):
    """After Parthasarathy and Sundaram 2020: in each layer attention across, then within, both modalities in step.

    Here keys and values are what the other branch has become, and the vectors are means over time, with one linear
    layer on them. The layers' order and the means are `assumed`: Goncalves and Busso say no more than that they used
    "the transformer-based approach studied in" that paper.
    """

    def build(self, width: int, outputs: int) -> None:
        """Make the layers."""
        settings, crossed = self.settings, len(self.modalities) > 1

        def layers(*, crossed: bool) -> nn.ModuleDict:
            return nn.ModuleDict(
                {
                    name: nn.ModuleList(settings.layer(width, crossed=crossed) for _ in range(settings.layers))
                    for name in self.modalities
                }
            )

        self.across = layers(crossed=True) if crossed else nn.ModuleDict()
        self.within = layers(crossed=False)
        self.normalisation = nn.ModuleDict({name: nn.LayerNorm(width) for name in self.modalities})
        self.output = nn.Linear(self.dimension, outputs)

    def forward(self, parts: Mapping[str, Part], batch: Batch) -> Tensor:
        """See `Fused.forward`."""
        parts = dict(parts)
        for number in range(self.settings.layers):
            across = {name: layers[number] for name, layers in self.across.items()}  # type: ignore[index]
            parts |= {
                name: (layer(*parts[name], batch, f"{name} across {number}", self.other(parts, name)), parts[name][1])
                for name, layer in across.items()
            }
            parts |= {
                name: (self.within[name][number](*parts[name], batch, f"{name} within {number}"), parts[name][1])  # type: ignore[index]
                for name in self.modalities
            }
        return torch.cat(
            [mean(self.normalisation[name](parts[name][0]), parts[name][1]) for name in self.modalities], 1
        )

    def logits(self, vectors: Tensor) -> Tensor:
        """See `Fused.logits`."""
        logits: Tensor = self.output(vectors)
        return logits


FUSIONS: Mapping[str, Callable[[Fusion, Sequence[str], int, int], Fused]] = {
    "auxformer": AuxFormer,
    "mult": MulT,
    "interleaved": Interleaved,
}


class Auxiliary(nn.Module):
    """The auxiliary network of one modality (Goncalves and Busso 2022, 4.2): self-attention, then dense layers.

    The dense layers have a residual connection, x + W2 relu(W1 x), before the outputs; that they are two and as wide as
    the sequence is `assumed`, and so is the number of layers of attention, that of the main network.
    """

    def __init__(self, settings: Fusion, width: int, outputs: int) -> None:
        super().__init__()
        self.branch = Branch(settings, width, settings.layers)
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.output = nn.Linear(width, outputs)

    def forward(self, part: Part, batch: Batch, name: str) -> Tensor:
        """Return B x K of one sequence with its positions added; `name` is of the random numbers."""
        vectors = self.branch(part, batch, f"auxiliary {name}")
        logits: Tensor = self.output(vectors + self.second(F.relu(self.first(vectors))))
        return logits


def placed(part: Part) -> Part:
    """A sequence with its positional encodings added to its valid frames, zero elsewhere."""
    values, valid = part
    return torch.where(valid[:, :, None], values + positions(values).to(values.dtype), 0.0), valid
