"""Hidden layers on vectors that describe a clip: functionals, action units, another model's embeddings.

The valid vectors of a clip are averaged; values beyond `limit` (after an unlucky standardisation) are clamped. Then
come linear layers, each with a rectifier, with dropout before the first and after every one.
"""

from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from mien.common.settings import Settings
from mien.data.batch import Batch, Modality
from mien.models.encoders._inputs import read
from mien.models.layers.dropout import dropout
from mien.models.layers.pooling import mean

SOURCE = "ours: a multilayer perceptron with dropout (Srivastava et al. 2014)"
READS = "vectors"
RETURNS = "vector"


class Config(Settings):
    """Settings of the layers.

    Attributes:
        hidden: sizes of the layers; the last is the size of the embedding. Empty takes the vector itself.
        dropout: share of values dropped after each layer.
        input_dropout: share of values dropped before the first.
        limit: inputs are clamped to this absolute value; None does not clamp. For standardised vectors.
    """

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (128,)
    dropout: float = Field(0.5, ge=0, lt=1)
    input_dropout: float = Field(0.2, ge=0, lt=1)
    limit: float | None = Field(5.0, gt=0)


def reads(modality: Modality, shape: tuple[int, ...]) -> bool:
    """Whether frames of this shape can be read."""
    return len(shape) == 1 and shape[0] > 0


class Encoder(nn.Module):
    """Mean over the valid vectors, limit, then layers: B x T x D to B x `dimension`."""

    def __init__(self, config: Config, modality: Modality, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.config = config
        self.modality, self.shape = modality, shape
        # two trunks have dropout of their own
        self.dropout_name = "vector" if modality == "audio" else f"{modality} vector"
        sizes = (*shape, *config.hidden)
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))
        self.dimension = sizes[-1]

    def forward(self, batch: Batch) -> Tensor:
        """Return the embeddings, B x `dimension`; those of clips without a valid vector come from zeros."""
        code = mean(*read(batch, self.modality, self.shape))
        if self.config.limit is not None:
            code = code.clamp(-self.config.limit, self.config.limit)
        code = dropout(code, batch, self.dropout_name, self.config.input_dropout, training=self.training)
        for number, layer in enumerate(self.layers):
            name = f"{self.dropout_name} {number}"
            code = dropout(F.relu(layer(code)), batch, name, self.config.dropout, training=self.training)
        return code
