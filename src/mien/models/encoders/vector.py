"""Hidden layers on vectors that describe a clip: functionals, action units, another model's embeddings.

The valid vectors of a clip are averaged; values beyond `limit` (after an unlucky standardisation) are clamped; where
wanted, the principal components of the training vectors follow, each with unit variance ("whitened"). Then come linear
layers, each with a rectifier, with dropout before the first and after every one.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from mien.common.settings import Settings
from mien.data.batch import Batch, Modality
from mien.models.encoders._fitted import FittedEncoder
from mien.models.encoders._inputs import read
from mien.models.layers.dropout import dropout
from mien.models.layers.pooling import mean as pooled

SOURCE = "ours: a multilayer perceptron with dropout (Srivastava et al. 2014)"
READS = "vectors"
RETURNS = "vector"
LEAST = 1e-6  # share of the first component's variance below which a component is rounding


class Config(Settings):
    """Settings of the layers.

    Attributes:
        hidden: sizes of the layers; the last is the size of the embedding. Empty takes the vector itself.
        dropout: share of values dropped after each layer.
        input_dropout: share of values dropped before the first.
        limit: inputs are clamped to this absolute value; None does not clamp. For standardised vectors.
        components: how many principal components of the training vectors the first layer reads, scaled to unit
            variance over them; None reads the vectors themselves. Where the clips span fewer, the others are 0. An
            export of the model has them within its first layer.
    """

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (128,)
    dropout: float = Field(0.5, ge=0, lt=1)
    input_dropout: float = Field(0.2, ge=0, lt=1)
    limit: float | None = Field(5.0, gt=0)
    components: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _read_by_a_layer(self) -> Self:
        if self.components is not None and not self.hidden:
            raise ValueError(
                "components are read by the first layer, and hidden is empty; give a layer, or leave them out"
            )
        return self


def reads(modality: Modality, shape: tuple[int, ...]) -> bool:
    """Whether frames of this shape can be read."""
    return len(shape) == 1 and shape[0] > 0


class Encoder(FittedEncoder):
    """Mean over the valid vectors, limit, components, then layers: B x T x D to B x `dimension`."""

    mean: Tensor
    components: Tensor

    def __init__(self, config: Config, modality: Modality, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.config = config
        self.modality, self.shape = modality, shape
        # two trunks have dropout of their own
        self.dropout_name = "vector" if modality == "audio" else f"{modality} vector"
        if config.components is not None:
            self.register_buffer("mean", torch.zeros(*shape))
            self.register_buffer("components", torch.eye(shape[0], config.components))
        sizes = (shape[0] if config.components is None else config.components, *config.hidden)
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))
        self.dimension = sizes[-1]

    def forward(self, batch: Batch) -> Tensor:
        """Return the embeddings, B x `dimension`; those of clips without a valid vector come from zeros."""
        code = self._limited(batch)
        if self.config.components is not None:
            code = (code - self.mean) @ self.components
        code = dropout(code, batch, self.dropout_name, self.config.input_dropout, training=self.training)
        for number, layer in enumerate(self.layers):
            name = f"{self.dropout_name} {number}"
            code = dropout(F.relu(layer(code)), batch, name, self.config.dropout, training=self.training)
        return code

    def fit(self, batches: Iterable[Batch]) -> None:
        """Take the principal components of the clips in the batches that have a valid vector."""
        if self.config.components is None:
            return
        codes = []
        for batch in batches:
            _, valid = read(batch, self.modality, self.shape)
            codes.append(self._limited(batch)[valid.any(dim=1)])
        self.mean, self.components = _principal(_Vectors(torch.cat(codes)), self.config.components)

    def merged(self) -> dict[str, Tensor]:
        """The state without components: the first layer reads the limited vectors."""
        state = self.state_dict()
        if self.config.components is None:
            return state
        mean, components = state.pop("mean").double(), state.pop("components").double()
        weight = state["layers.0.weight"].double() @ components.T
        own = {"layers.0.weight": weight, "layers.0.bias": state["layers.0.bias"] - weight @ mean}
        return state | {name: value.float() for name, value in own.items()}

    def _limited(self, batch: Batch) -> Tensor:
        code = pooled(*read(batch, self.modality, self.shape))
        return code if self.config.limit is None else code.clamp(-self.config.limit, self.config.limit)


class _Vectors:
    """The vectors of training clips, N x D, equal where they hold the same: a fold's models and seeds share them."""

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self._digest = sha256(values.contiguous().numpy().tobytes()).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Vectors) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)


@lru_cache(maxsize=2)
def _principal(vectors: _Vectors, count: int) -> tuple[Tensor, Tensor]:
    """The mean, D, and the components, D x `count`, by which centred vectors are multiplied."""
    from sklearn.decomposition import PCA

    values = vectors.values.double().numpy()
    components = torch.zeros(values.shape[1], count)
    if len(values) < 2:
        return torch.zeros(values.shape[1]), components
    fitted = PCA(min(count, *values.shape), whiten=True, svd_solver="covariance_eigh").fit(values)
    variance = fitted.explained_variance_
    kept = variance > LEAST * variance[0]
    scaled = torch.from_numpy(fitted.components_[kept].T / variance[kept] ** 0.5)
    components[:, : scaled.shape[1]] = scaled
    return torch.from_numpy(fitted.mean_).float(), components
