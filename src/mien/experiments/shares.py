"""The variants of a model that differ from it in nothing but the share of the labels (`data.labelled`)."""

from mien.common.settings import Named
from mien.experiments.experiment import Experiment


def by_share(experiment: Experiment, model: str) -> dict[float, str]:
    """Share of the labels, ascending -> the model that is trained with it: `model` itself, or a variant of it."""
    own = _but_share(experiment, model)
    found = {experiment.data.labelled: model}
    for point in experiment.sweep:
        if point.base == model and _but_share(point.experiment, point.name) == own:
            found.setdefault(point.experiment.data.labelled, point.name)
    return dict(sorted(found.items()))


def _but_share(experiment: Experiment, model: str) -> Named:
    """All that a model is trained with, without the share of the labels."""
    whole = experiment.model_dump(mode="json", include={"encoder", "data", "training", "optimiser"})
    del whole["data"]["labelled"]
    return whole | {"model": experiment.configs[model].model_dump(mode="json")}
