"""The outputs of trained and of untrained models on clips of another corpus, and what a supervised run predicts there.

Only the modalities that a model takes are read. An untrained model has the architecture of a cell, the weights that its
seed begins with (those of a file that an encoder begins with are left out), and the statistics of the trained one: its
normalisation, and what its encoders were fitted to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from mien.data.dataset import Dataset, open_all
from mien.data.settings import Data
from mien.engine.inference import infer
from mien.errors import ConfigError, RunError
from mien.models import encoders
from mien.runs.cell import Model, build
from mien.runs.other_corpus import model_for
from mien.runs.run import Cell, Run


def under_own_classes(
    run: Run, cells: Sequence[Cell], prepared: Mapping[str, str] | str, device: torch.device
) -> dict[Cell, Dataset]:
    """Another corpus as each cell reads it, but with its own classes of the main target instead of the run's.

    Args:
        run: of the cells.
        cells: finished ones.
        prepared: the PREPARED folder of the corpus.
        device: of the models.

    Raises:
        ConfigError: the corpus has no column of the main target.
    """
    names = {cell: run.attempt(cell) for cell in cells}
    first = {name: cell for cell, name in reversed(names.items())}
    data = {name: _read_as(run, cell, device) for name, cell in first.items()}
    datasets = open_all(data, run.target, prepared, run.cache)  # type: ignore[arg-type]
    return {cell: datasets[name] for cell, name in names.items()}


class Outputs(NamedTuple):
    """The outputs of a cell for the main target.

    Attributes:
        trained: (n, K) logits.
        untrained: (n, K), of the same model with its initial weights.
        parameters: the number of the model's parameters.
    """

    trained: NDArray[np.float32]
    untrained: NDArray[np.float32]
    parameters: int


def outputs(run: Run, cell: Cell, dataset: Dataset, clips: pd.DataFrame, device: torch.device) -> Outputs:
    """The outputs of a cell, trained and untrained.

    Args:
        run: of the cell.
        cell: a finished one.
        dataset: of the clips, with their features.
        clips: their table, n rows.
        device: of the model.

    Raises:
        RunError: an output is not finite.
    """
    trained = model_for(run, cell, dataset, clips, device)
    recipe = build(trained.experiment, cell.model, trained.targets, seed=cell.seed, class_weight={})
    recipe.load_state_dict(encoders.fitted(trained.recipe), strict=False)
    untrained = replace(trained, recipe=recipe.to(device).eval())
    first, second = (_outputs(model, cell, dataset, clips) for model in (trained, untrained))
    return Outputs(first, second, _size(trained))


def parameters(run: Run, device: torch.device) -> dict[str, int]:
    """Model of a run -> the number of its parameters."""
    first = {cell.model: cell for cell in reversed(run.cells)}
    return {name: _size(Model.load(run.experiment_at(cell), cell, device)) for name, cell in first.items()}


def supervised(run: Run, dataset: Dataset, clips: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The test predictions of a run that was trained on the same corpus, on speakers that it had not seen.

    Args:
        run: the other one.
        dataset: of the clips.
        clips: their table.
        classes: of the corpus.

    Returns:
        Rows of `predictions.csv` of these clips, `truth` and `predicted` among the classes.

    Raises:
        ConfigError: it was trained on another corpus, for other classes, or on the speakers that it is tested on.
        RunError: it has no test predictions of any of the clips.
    """
    card, place = dataset.prepared.card, run.folder
    if run.certificate["corpus_hash"] != card["hash"]:
        raise ConfigError(
            f"--beside {place}: was trained on {run.certificate['corpus']} as prepared elsewhere, and not on "
            f"{dataset.prepared.place}; give a run that was trained on that folder"
        )
    if run.experiment.protocol.seen:
        raise ConfigError(
            f"--beside {place}: its protocol ({run.experiment.protocol.title}) tests speakers that it was trained on; "
            "give a run with folds of whole speakers"
        )
    if set(run.classes) != set(classes):
        raise ConfigError(
            f"--beside {place}: predicts {', '.join(run.classes) or run.target}, and the corpus has "
            f"{', '.join(classes)}; give a run of the corpus's own classes"
        )
    table = run.predictions
    table = table[(table["split"] == "test") & table["truth"].notna() & table["clip"].isin(set(clips["clip"]))]
    if table.empty:
        raise RunError(
            f"--beside {place}: has no test predictions of the {len(clips)} clips; give a run whose folds test them"
        )
    return table


def _size(model: Model) -> int:
    return sum(one.numel() for one in model.recipe.parameters())


def _read_as(run: Run, cell: Cell, device: torch.device) -> Data:
    """The settings by which a cell reads the corpus: the modalities that it takes, and the corpus's own classes."""
    experiment = run.experiment_at(cell)
    taken = set(experiment.inputs(cell.model)) & set(Model.load(experiment, cell, device).inputs)
    left: dict[str, Any] = {modality: None for modality in experiment.features if modality not in taken}
    return experiment.data.model_copy(update={"scheme": None, "targets": {}, "copies": {}, **left})


def _outputs(model: Model, cell: Cell, dataset: Dataset, clips: pd.DataFrame) -> NDArray[np.float32]:
    loader = model.loader(dataset.examples(list(clips["clip"]), {}))
    loader.audio = loader.audio if "audio" in dataset.stores else None
    loader.video = loader.video if "video" in dataset.stores else None
    found = infer(model.recipe, loader, embed=False).outputs[model.main.factor]
    if not np.isfinite(found).all():
        clip = clips["clip"].iloc[int((~np.isfinite(found)).any(axis=1).argmax())]
        raise RunError(f"{cell.folder}: its output for '{clip}' is not finite")
    return found
