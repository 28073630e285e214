"""One vector of a batch: of one modality, or of two with a trunk each, concatenated (Peri et al. 2021, Fig. 1)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mien.common import processes
from mien.data.batch import Batch, Modality
from mien.models.encoders._inputs import MapEncoder, SequenceEncoder
from mien.models.layers.maps import over_time
from mien.models.layers.pooling import mean


def joined(encoders: Mapping[Modality, nn.Module]) -> nn.Module:
    """An encoder that returns a vector, B x `dimension`: of one modality, or of two `Joined`; over time a mean."""
    timed = (MapEncoder, SequenceEncoder)
    trunks = {name: OverTime(one) if isinstance(one, timed) else one for name, one in encoders.items()}
    return next(iter(trunks.values())) if len(trunks) == 1 else Joined(trunks)


class OverTime(nn.Module):
    """The mean of an encoder's map or sequence over valid times, B x `dimension`."""

    def __init__(self, encoder: MapEncoder | SequenceEncoder) -> None:
        super().__init__()
        self.encoder, self.dimension = encoder, encoder.dimension

    def forward(self, batch: Batch) -> Tensor:
        """Return the vectors, B x `dimension`; zeros for a clip without a valid frame."""
        values, valid = self.encoder(batch)
        return over_time(values, valid) if isinstance(self.encoder, MapEncoder) else mean(values, valid)


class Joined(nn.Module):
    """The concatenation of the trunks' vectors, audio first: B x `dimension`.

    A clip without a modality has zeros there and sends no gradient into that trunk. A modality that no clip of the
    global batch has leaves its trunk out of the step: no statistics, no momentum, no decay.

    Args:
        trunks: modality -> encoder of it.
    """

    def __init__(self, trunks: Mapping[Modality, nn.Module]) -> None:
        super().__init__()
        self.trunks = nn.ModuleDict({name: trunks[name] for name in ("audio", "video") if name in trunks})
        self.sizes = {name: int(trunk.dimension) for name, trunk in self.trunks.items()}  # type: ignore[arg-type]
        self.dimension = sum(self.sizes.values())

    def forward(self, batch: Batch) -> Tensor:
        """Return the embeddings, B x `dimension`."""
        return torch.cat([self._part(name, trunk, batch) for name, trunk in self.trunks.items()], dim=1)

    def _part(self, name: str, trunk: nn.Module, batch: Batch) -> Tensor:
        sequence = getattr(batch, name)
        has = sequence.valid.any(dim=1)
        count = has.sum()  # in evaluation nothing is kept of a batch, and one process may be alone with it
        if (processes.total(count) if self.training else count) == 0:
            dtype = next(trunk.parameters(), sequence.values).dtype
            return torch.zeros(len(has), self.sizes[name], dtype=dtype, device=has.device)
        return torch.where(has[:, None], trunk(batch), 0.0)
