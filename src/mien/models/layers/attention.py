"""Transformer layers over sequences of which not every frame is valid (Vaswani et al. 2017): B x T x W and B x T bool.

A frame that is not valid is no key and no value, whatever it holds, as long as it is finite; as a query it gives a
value that nobody reads. Where a clip has no valid key, attention gives zeros. So neither padding nor an absent modality
changes anything, and nothing becomes nan.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.data.batch import Batch
from mien.models.layers.dropout import dropout


def positions(values: Tensor) -> Tensor:
    """The positional encodings of T frames, T x W: sines and cosines (Vaswani et al. 2017, 3.5), float32 or wider."""
    frames, width = values.shape[1:]
    dtype = torch.float64 if values.dtype == torch.float64 else torch.float32
    place = torch.arange(frames, device=values.device, dtype=dtype)[:, None]
    even = torch.arange(0, width, 2, device=values.device, dtype=dtype)
    angles = place * torch.exp(even * (-math.log(10_000.0) / width))
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, 3.2), 4 W (W + 1) parameters.

    Args:
        width: W, a multiple of `heads`.
        heads: how many.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries, self.keys_values = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, queries: Tensor, others: Tensor, valid: Tensor) -> Tensor:
        """Return B x T x W.

        Args:
            queries: B x T x W.
            others: B x S x W, of which keys and values are made; finite, also where not valid.
            valid: B x S bool.
        """
        clips, frames, width = queries.shape
        each = (self.heads, width // self.heads)
        asked = self.queries(queries).view(clips, frames, *each).transpose(1, 2)
        keys, values = self.keys_values(others).view(clips, others.shape[1], 2, *each).permute(2, 0, 3, 1, 4)
        if bool(valid.all()):
            heads = F.scaled_dot_product_attention(asked, keys, values)
            joined: Tensor = self.output(heads.transpose(1, 2).reshape(clips, frames, width))
            return joined
        some = valid.any(dim=1)
        mask = (valid | ~some[:, None])[:, None, None]  # a softmax over nothing would be nan
        heads = F.scaled_dot_product_attention(asked, keys, values, attn_mask=mask)
        joined = self.output(heads.transpose(1, 2).reshape(clips, frames, width))
        return torch.where(some[:, None, None], joined, 0.0)


class AttentionLayer(nn.Module):
    """Attention, then two fully connected layers with a rectifier between; each after a layer normalisation.

    Both are added to what they were given, of which dropout takes a share. Normalising first (as Tsai et al. 2019 do)
    and not last (as Vaswani et al. 2017) needs no warm-up of the learning rate.

    Args:
        width: W.
        heads: of attention.
        hidden: values between the fully connected layers.
        attention_dropout: the share of attention's output that is dropped.
        residual_dropout: the share that is dropped of what is added.
        crossed: whether keys and values come from another sequence than the queries.
        scaled: whether what is added to is scaled by two learnable weights, alpha and beta, 1 at the beginning
            (Goncalves and Busso 2022, 4.2).
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        attention_dropout: float,
        residual_dropout: float,
        crossed: bool = False,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        self.attention_dropout, self.residual_dropout = attention_dropout, residual_dropout
        self.attention = Attention(width, heads)
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.others = nn.LayerNorm(width) if crossed else None
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.alpha = nn.Parameter(torch.ones(())) if scaled else None
        self.beta = nn.Parameter(torch.ones(())) if scaled else None

    def forward(
        self, values: Tensor, valid: Tensor, batch: Batch, name: str, others: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """Return B x T x W.

        Args:
            values: B x T x W, finite.
            valid: B x T bool.
            batch: gives dropout its random numbers.
            name: of these numbers, unique in a step.
            others: B x S x W and B x S bool, of a layer that is `crossed`.
        """
        normal = self.before(values)
        keys, usable = (normal, valid) if others is None or self.others is None else (self.others(others[0]), others[1])
        found = self.attention(normal, keys, usable)
        found = self._dropped(found, batch, f"{name} attention", self.attention_dropout)
        found = self._dropped(found, batch, f"{name} first", self.residual_dropout)
        values = found + (values if self.alpha is None else self.alpha * values)
        found = self.second(F.relu(self.first(self.between(values))))
        found = self._dropped(found, batch, f"{name} second", self.residual_dropout)
        return found + (values if self.beta is None else self.beta * values)

    def _dropped(self, values: Tensor, batch: Batch, name: str, rate: float) -> Tensor:
        return dropout(values, batch, name, rate, training=self.training)
