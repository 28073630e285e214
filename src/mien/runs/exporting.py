"""The weights of an exported model (`runs.exported`): reading its members, and writing them."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mien import experiments
from mien.common.files import sha256, write_json
from mien.data.targets import Target
from mien.engine import checkpoint
from mien.errors import RunError
from mien.experiments.experiment import Experiment
from mien.features._checkpoint import Checkpoint
from mien.models.encoders._fitted import FittedEncoder, merged
from mien.models.encoders._pretrained import forgotten
from mien.runs.cell import STATISTICS, Model, build
from mien.runs.description import Description
from mien.runs.exported import DESCRIPTION, WEIGHTS, describe, identity, raw, refuse_changed


def read(folder: Path, device: torch.device) -> tuple[Description, tuple[Model, ...]]:
    """The description and the members of an exported model.

    Raises:
        RunError: a file is missing, damaged, or was changed after the export.
    """
    description, path = describe(folder), folder / WEIGHTS
    refuse_changed(path, "weights", description.sha256)
    tensors, head = checkpoint.load_weights(path)
    if head.get("description") != identity(raw(folder)):
        raise RunError(
            f"{folder / DESCRIPTION}: was changed after it was exported, or belongs to other weights; export or "
            "install the model again"
        )
    where = str(folder / DESCRIPTION)
    experiment = experiments.resolve(description.experiment, where)
    chosen = {member: experiments.resolve(own, where) for member, own in description.experiments.items()}
    targets = {
        description.target: Target(description.target, "classes", (description.target,), description.classes, main=True)
    }
    members = []
    for member in description.members:
        own = {key.removeprefix(f"{member}/"): _single(tensors[key]) for key in tensors if key.startswith(f"{member}/")}
        try:
            members.append(Model.restore(chosen.get(member, experiment), description.model, targets, own, device))
        except (RuntimeError, KeyError) as error:
            raise RunError(f"{path}: the weights of {member} do not fit the model in {DESCRIPTION}") from error
    return description, tuple(members)


def predictor(model: Model, name: str) -> Model:
    """The same model with only the parts that predict the main target; its experiment has this model and no paths."""
    experiment, main = model.experiment, model.main
    slim = experiment.model(name).predictor(main.factor)
    plain = experiment.model_dump(mode="json", exclude={"provenance", "reference", "grid", "choose", "axes", "claims"})
    kept = {key: how for key, how in plain["data"]["targets"].items() if key == main.factor}
    data = plain["data"] | {"prepared": None, "copies": {}, "targets": kept, "teacher": None}
    plain |= {
        "models": {name: slim.model_dump(mode="json")},
        "data": data,
        "encoder": merged(forgotten(plain["encoder"])),
    }
    weights = {key: value for key, value in model.tensors.items() if key.startswith(tuple(STATISTICS.values()))}
    alone = experiments.resolve(plain, name)
    targets = {main.factor: main}
    wanted = build(alone, name, targets, seed=0, class_weight={}).state_dict()
    own = {f"recipe.{key}": value for key, value in model.recipe.state_dict().items()}
    for prefix, module in model.recipe.named_modules():
        if isinstance(module, FittedEncoder):
            own |= {f"recipe.{prefix}.{key}": value for key, value in module.merged().items()}
    weights |= {f"recipe.{key}": own[f"recipe.{key}"] for key in wanted}
    return Model.restore(alone, name, targets, weights, next(model.recipe.parameters()).device)


def placeless(experiment: Experiment, exclude: set[str]) -> dict[str, Any]:
    """The settings of an experiment as plain values; of the folders of models that features come from, names alone.

    Their files are not exported, and are found by these names, see `mien.features._checkpoint`.

    Args:
        experiment: the settings.
        exclude: keys that are left out.
    """
    raw = experiment.model_dump(mode="json", exclude=exclude)
    for modality, (_, config) in experiment.features.items():
        if isinstance(config, Checkpoint):
            raw["data"][modality] |= {"folder": config.title}
    return raw


def rounded(model: Model) -> Model:
    """The same model with weights rounded to half precision; the statistics of its normalisation are not rounded."""
    recipe = copy.deepcopy(model.recipe)
    recipe.load_state_dict({name: _single(_half(value)) for name, value in recipe.state_dict().items()})
    return replace(model, recipe=recipe)


def write_weights(folder: Path, description: Description, members: Mapping[str, Model]) -> Description:
    """Write the weights of all members, with a digest of their description, and return it with the file's SHA-256."""
    tensors = {
        f"{member}/{name}": _half(value) if description.stored == "float16" and name.startswith("recipe.") else value
        for member, model in members.items()
        for name, value in model.tensors.items()
    }
    own = identity(description.model_dump(mode="json"))
    checkpoint.save_weights(folder / WEIGHTS, tensors, {"description": own})
    (folder / WEIGHTS).chmod(0o644)  # safetensors gives access to the owner alone, and a package is for all
    return description.model_copy(update={"sha256": sha256(folder / WEIGHTS)})


def write_description(folder: Path, description: Description) -> None:
    """Write `config.json`."""
    write_json(folder / DESCRIPTION, description.model_dump(mode="json"))


def _half(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
