"""The loss of a head by what it predicts: classes, a distribution or numbers."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import Tensor

from mien.data.targets import Target
from mien.models.objectives.losses import concordance, cross_entropy, squared_error

OF_NUMBERS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {"squared_error": squared_error, "concordance": concordance}
)


def task_loss(target: Target, outputs: Tensor, labels: Tensor, class_weight: Tensor | None = None) -> Tensor:
    """Cross-entropy of classes and distributions; of numbers the loss that the target names (`Target.loss`).

    Args:
        target: what the outputs predict.
        outputs: B x K, logits or numbers, any float dtype; computed in float32 or wider.
        labels: as `Target.labels` encodes them: B int64 of classes, else B x K float.
        class_weight: K, the weight of a clip by its class; see `losses.cross_entropy`. Numbers have none.

    Returns:
        This process's share, a scalar.
    """
    if target.kind == "numbers":
        return OF_NUMBERS[target.loss](outputs, labels)
    return cross_entropy(outputs, labels, class_weight)
