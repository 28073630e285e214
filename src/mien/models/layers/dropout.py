"""Dropout that a clip meets in the same way on any number of processes and after a resumed run."""

from torch import Tensor

from mien.data.batch import Batch


def dropout(values: Tensor, batch: Batch, draw: str, rate: float, *, training: bool) -> Tensor:
    """Set a share of the values to 0 and scale up the rest (Srivastava et al. 2014); nothing outside training.

    Args:
        values: B x D, one row a clip of the batch.
        batch: whose random numbers are drawn.
        draw: a name that no other draw of the step has.
        rate: the share, in [0, 1).
        training: whether anything is dropped.
    """
    if not training or rate == 0:
        return values
    kept = batch.uniform(draw, values.shape[1]).to(values.device) >= rate
    return values * kept / (1 - rate)
