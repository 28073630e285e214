"""What encoders share: one modality of a batch in the shape that an encoder was built for, its images, its pooling."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mien.data.batch import Batch, Modality, Sequence


class MapEncoder(nn.Module):
    """An encoder that returns a map, B x C x T' x D', zero where not valid, and B x T' bool.

    Attributes:
        channels: C.
        rows: D'.
        dimension: C x D'.
    """

    channels: int
    rows: int
    dimension: int


class SequenceEncoder(nn.Module):
    """An encoder that returns a sequence, B x T x `dimension`, zero where not valid, and B x T bool, with T at least 1.

    Attributes:
        dimension: values of a frame.
    """

    dimension: int


def read(batch: Batch, modality: Modality, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The values, B x T x `shape`, and which are valid, B x T bool, with T at least 1.

    A modality that no clip has comes without a shape, and so does the part of a process without clips.

    Raises:
        ValueError: for valid frames of another shape.
    """
    sequence: Sequence = getattr(batch, modality)
    values, valid = sequence.values, sequence.valid
    if values.shape[2:] == shape and values.shape[1]:
        return values, valid
    if valid.any():
        raise ValueError(f"{modality} of frames {tuple(values.shape[2:])}, where the encoder reads {shape}")
    frames = max(1, values.shape[1])
    return values.new_zeros(len(values), frames, *shape), valid.new_zeros(len(values), frames)


def channels_last(images: Tensor) -> Tensor:
    """The same images, N x C x H x W, with channels innermost: faster to convolve, and to pick what is valid from."""
    if images.shape[1] == 1:  # torch takes one channel for either layout, and would go on with the slower one
        return images[:, 0].contiguous()[..., None].permute(0, 3, 1, 2)
    return images.contiguous(memory_format=torch.channels_last)


def pooled(values: Tensor, valid: Tensor, pool: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Vectors of the valid frames alone, N x D, pooled over each clip: B x D, or as `pool` returns it.

    Args:
        values: in the order of `valid`'s true entries.
        valid: B x T bool, with N true entries.
        pool: as in `layers.pooling`.
    """
    rows, size = valid.reshape(-1).nonzero()[:, 0], values.shape[1]
    frames = values.new_zeros(valid.numel(), size).index_copy(0, rows, values).view(*valid.shape, size)
    return pool(frames, valid)
