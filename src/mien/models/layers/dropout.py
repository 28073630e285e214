"""Dropout that is the same for a clip on any number of processes and after a resumed run."""

from torch import Tensor

from mien.data.batch import Batch


def dropout(values: Tensor, batch: Batch, name: str, rate: float, *, training: bool) -> Tensor:
    """Set a share of the values to 0 and scale up the rest (Srivastava et al. 2014); the identity outside training.

    Args:
        values: B x D or B x T x D, one row a clip of the batch. Of sequences the rate is rounded to a multiple of
            2^-16, and what is dropped of a frame does not depend on how many frames follow.
        batch: gives the random numbers.
        name: of these random numbers, unique in a step.
        rate: the share, in [0, 1).
        training: whether anything is dropped.
    """
    if not training or rate == 0:
        return values
    if values.dim() == 2:
        kept = batch.uniform(name, values.shape[1]).to(values.device) >= rate
        return values * kept / (1 - rate)
    kept = batch.kept(name, rate, *values.shape[1:]).to(values.device)
    return values * kept / (1 - round(rate * 2**16) / 2**16)
