"""An exported model: the cells of one model of a run in one small folder, which predicts without the run.

FOLDER holds `weights.safetensors` (all members, `MEMBER/TENSOR`), `model.json` (a `Description`) and `CARD.md`. Models
that come with mien are such folders in `mien/models/packaged`, named by their folders.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mien import experiments
from mien.common.files import sha256, write_json
from mien.common.settings import digest, parse
from mien.data.targets import Target
from mien.engine import checkpoint
from mien.errors import RunError, unknown
from mien.experiments.experiment import Experiment
from mien.features._checkpoint import Checkpoint
from mien.models.encoders._pretrained import forgotten
from mien.runs.cell import STATISTICS, Model, build
from mien.runs.description import Description

FOLDER = Path(__file__).parents[1] / "models" / "packaged"
DEFAULT, FACES = "voice-small", "face-small"  # answer where no model is named; the second where there are pictures
WEIGHTS, DESCRIPTION, CARD = FILES = ("weights.safetensors", "model.json", "CARD.md")


def packaged() -> list[str]:
    """The names of the models that come with mien."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{DESCRIPTION}"))


def locate(model: Path | str | None) -> Path:
    """The folder of a model: an existing path, a name in `packaged`, or by default `DEFAULT`; a path wins over a name.

    Raises:
        RunError: there is no packaged model of that name.
    """
    if model is not None and (Path(model).exists() or len(Path(model).parts) != 1):
        return Path(model)
    name, known = str(model or DEFAULT), packaged()
    if name in known:
        return FOLDER / name
    if model is None:
        raise RunError(
            f"this build of mien comes without the model '{DEFAULT}'; give --model a folder made by 'mien train' or "
            "'mien export'"
        )
    raise RunError(f"{unknown('model', name, known)} There is no folder of that name either.")


def faces() -> Path | None:
    """The folder of the model of faces that answers beside `DEFAULT`; None in a build without it."""
    return FOLDER / FACES if FACES in packaged() else None


def is_exported(folder: Path) -> bool:
    """Whether a folder is an exported model."""
    return (folder / DESCRIPTION).is_file()


def describe(folder: Path) -> Description:
    """Read `model.json`; raises RunError or ConfigError where it is damaged."""
    description: Description = parse(Description, _raw(folder), str(folder / DESCRIPTION))
    return description


def read(folder: Path, device: torch.device) -> tuple[Description, tuple[Model, ...]]:
    """The description and the members of an exported model.

    Raises:
        RunError: a file is missing, damaged, or was changed after the export.
    """
    description, path = describe(folder), folder / WEIGHTS
    if not path.is_file():
        raise RunError(f"{path}: missing; export or install the model again")
    if (actual := sha256(path)) != description.sha256:
        raise RunError(
            f"{path}: not the weights that were exported (their SHA-256 is {actual[:12]}..., {DESCRIPTION} has "
            f"{description.sha256[:12]}...); export or install the model again"
        )
    tensors, head = checkpoint.load_weights(path)
    if head.get("description") != _identity(_raw(folder)):
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
    raw = experiment.model_dump(mode="json", exclude={"provenance", "reference", "grid", "choose", "axes", "claims"})
    kept = {key: how for key, how in raw["data"]["targets"].items() if key == main.factor}
    data = raw["data"] | {"prepared": None, "copies": {}, "targets": kept, "teacher": None}
    raw |= {"models": {name: slim.model_dump(mode="json")}, "data": data, "encoder": forgotten(raw["encoder"])}
    weights = {key: value for key, value in model.tensors.items() if key.startswith(tuple(STATISTICS.values()))}
    alone = experiments.resolve(raw, name)
    targets = {main.factor: main}
    wanted = build(alone, name, targets, seed=0, class_weight={}).state_dict()
    weights |= {f"recipe.{key}": model.tensors[f"recipe.{key}"] for key in wanted}
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
    identity = _identity(description.model_dump(mode="json"))
    checkpoint.save_weights(folder / WEIGHTS, tensors, {"description": identity})
    (folder / WEIGHTS).chmod(0o644)  # safetensors gives access to the owner alone, and a package is for all
    return description.model_copy(update={"sha256": sha256(folder / WEIGHTS)})


def write_description(folder: Path, description: Description) -> None:
    """Write `model.json`, the last file of an exported model."""
    write_json(folder / DESCRIPTION, description.model_dump(mode="json"))


def _raw(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict):
            raise ValueError("not a mapping")
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: damaged ({error}); export or install the model again") from error
    return raw


def _identity(raw: Mapping[str, Any]) -> str:
    """A digest of a description without the hash of the weights, whose file holds this digest."""
    return digest({key: value for key, value in raw.items() if key != "sha256"})


def _half(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
