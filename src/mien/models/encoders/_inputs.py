"""The input of an encoder: one modality of a batch, in the shape that the encoder was built for."""

from torch import Tensor

from mien.data.batch import Batch, Modality, Sequence


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
