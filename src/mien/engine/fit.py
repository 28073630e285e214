"""The loop: epochs of steps, a validation after each, the best epoch kept, resumable after a kill at any moment.

All random numbers are keyed by (seed, epoch, step, name), and the state of the end of an epoch is written, whole or not
at all: a killed training run that is started again ends with the same weights, bit for bit on a CPU. Epochs that end
within `AT_RISK` seconds of the last state are not written each, but trained again.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from mien.common import processes
from mien.common.files import write_text
from mien.common.measures import MEASURES
from mien.common.progress import say
from mien.common.settings import Settings
from mien.data.batches import Loader
from mien.engine import checkpoint
from mien.engine.minimise import Optimisation, Optimiser
from mien.errors import ConfigError, TrainingError
from mien.models.recipes._recipe import Recipe

Record = dict[str, float]
AT_RISK = 5.0  # seconds of training that a kill may cost beside the epoch that it meets
VALIDATION = "validation "  # begins the keys of a record that are validation scores


class Training(Settings):
    """How long, in which batches, and which epoch is kept.

    Attributes:
        epochs: passes over the training examples, or over the labelled ones where there is a `data.mix`; with `steps`,
            how often so many steps are made.
        batch: clips in a batch, over all processes.
        one_of: "recording" takes one random clip of each recording in an epoch (`corpora.recordings.together`; copies
            of a clip count as the clip), as Albanie et al. 2018, section 5.1, of each video; "clip" takes every clip.
        steps: of an epoch, whose batches are taken from a shuffled stream of examples that goes on from epoch to epoch;
            None is one pass. Trainings with as many steps compare numbers of clips, not lengths of training.
        patience: epochs without a better validation score after which training stops; None never stops early.
        best: the validation score that chooses the epoch (the earliest of equals); "last" keeps the last epoch. It is a
            measure of the main target (`data.targets.measures_of`), "tasks" (the mean of the scores of all tasks), or a
            score that the recipe gives (`RecipeConfig.scores`).
        class_weight: "balanced" weighs a clip in the main target's loss by clips / (classes x clips of its class).
        sampling: "balanced" samples training clips with replacement, every class of the main target equally often.
        precision: of the forward pass of a training step, by autocast. Parameters, gradients, optimisers, pooling and
            losses stay in float32; validation, test and embeddings are computed in float32.
    """

    epochs: int = Field(ge=1)
    batch: int = Field(16, ge=1)
    one_of: Literal["clip", "recording"] = "clip"
    steps: int | None = Field(None, ge=1)
    patience: int | None = Field(None, ge=1)
    best: str = "uar"
    class_weight: Literal["none", "balanced"] = "none"
    sampling: Literal["uniform", "balanced"] = "uniform"
    precision: Literal["float32", "bfloat16"] = "float32"


def fit(
    recipe: Recipe,
    train: Loader,
    validate: Callable[[], Mapping[str, float]],
    *,
    training: Training,
    optimiser: Optimiser,
    folder: Path,
    name: str = "",
    of: str = "",
    watch: Callable[[Record], None] = lambda record: None,
) -> list[Record]:
    """Train a recipe in place; afterwards it holds the weights of the best epoch.

    Args:
        recipe: on its device and in its dtype.
        train: the training examples, for this process.
        validate: returns the validation scores by name, the same names each time: that of `training.best` and any
            others for the history.
        training: see `Training`.
        optimiser: see `Optimiser`.
        folder: where `state.pt` and `history.jsonl` are written together, by process 0, after the last epoch and after
            others that end `AT_RISK` seconds after they were last written; a `state.pt` there is continued, and one
            that is damaged, or of something else, is not, which is said.
        name: of the training run in errors; by default the names of the folder and the one above.
        of: what is trained, a digest that the state has.
        watch: called after each epoch with its record.

    Returns:
        One record an epoch: epoch, seconds, lr, the mean of each training loss, `validation <score>` where finite.

    Raises:
        TrainingError: when a gradient, or the score that chooses the epoch, is not finite, or the state in `folder` is
            of another model.
        ConfigError: when there is no score of the name `training.best`.
    """
    parameter = next(recipe.parameters())
    minimise = Optimisation(recipe, optimiser)
    state: dict[str, Any] = {"of": of, "epoch": 0, "history": [], "best": None}
    path = folder / "state.pt"
    if (before := _before(path, of, name or folder.name)) is not None:
        state = before
        try:
            recipe.load_state_dict(state["weights"])
        except RuntimeError as error:
            reason = " ".join(str(error).splitlines()[-1].split())
            raise TrainingError(
                f"{path}: does not fit the model ({reason}); delete it to begin this cell again"
            ) from None
        minimise.load(state["optimisers"])
        torch.set_rng_state(state["random"])
    steps = training.epochs * len(train)
    saved, written = time.monotonic(), state["epoch"]
    for epoch in range(state["epoch"], training.epochs):
        if _patience_is_over(state, training, epoch):
            break
        began, sums = time.monotonic(), dict[str, torch.Tensor]()
        minimise.epoch = epoch
        recipe.train()
        for batch in train.epoch(epoch):
            minimise.progress = batch.step / steps
            minimise.clips = batch.clips
            with _precision(training, parameter.device):
                try:
                    losses = recipe.step(batch.to(parameter.device, parameter.dtype), minimise)
                except TrainingError as error:
                    where = name or f"{folder.parent.name}, {folder.name}"
                    raise TrainingError(f"{where}, step {batch.step}: {error}") from None
            for key, loss in losses.items():
                sums[key] = sums[key] + loss if key in sums else loss
            del batch  # so that the next one takes its place in memory, which is in the cache
        record: Record = {"epoch": epoch + 1, "lr": _rate(optimiser, minimise.progress, epoch)}
        record |= {name: value / len(train) for name, value in _over_processes(sums).items()}
        scores = torch.tensor(list((validated := dict(validate())).values()), dtype=torch.float64)
        processes.agree(scores)
        validated = dict(zip(validated, scores.tolist(), strict=True))
        record |= {f"{VALIDATION}{name}": value for name, value in validated.items() if math.isfinite(value)}
        record["seconds"] = round(time.monotonic() - began, 3)
        score = _score(training, epoch, validated)
        if state["best"] is None or score > state["best"]["score"]:
            weights = {name: value.detach().cpu().clone() for name, value in recipe.state_dict().items()}
            state["best"] = {"score": score, "epoch": epoch, "weights": weights}
        state |= {
            "epoch": epoch + 1,
            "history": [*state["history"], record],
            "weights": recipe.state_dict(),
            "optimisers": minimise.state(),
            "random": torch.get_rng_state(),
        }
        if processes.rank() == 0 and time.monotonic() - saved >= AT_RISK:
            checkpoint.save_state(path, state)
            _write_history(folder, state)
            saved, written = time.monotonic(), epoch + 1
        watch(record)
    if processes.rank() == 0:
        if written < state["epoch"]:
            checkpoint.save_state(path, state)
        _write_history(folder, state)  # a kill may have come between the state and its history
    recipe.load_state_dict(state["best"]["weights"])
    processes.wait()
    history: list[Record] = state["history"]
    return history


def _before(path: Path, of: str, name: str) -> dict[str, Any] | None:
    """The state that is continued; None where there is none, or none of this training run."""
    if not path.exists():
        return None
    state = checkpoint.load_state(path)
    if state is not None and state["of"] == of:
        return state
    if processes.rank() == 0:
        wrong = "damaged" if state is None else "is that of another model, fold, seed, experiment or corpus"
        say(f"{path}: {wrong}; {name} is trained from its beginning")
    return None


def _precision(training: Training, device: torch.device) -> AbstractContextManager[Any]:
    """What a forward pass of a training step is computed under."""
    if training.precision == "float32":
        return nullcontext()
    # the cache of cast weights survives updates: a second phase would see old ones
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)


def _write_history(folder: Path, state: Mapping[str, Any]) -> None:
    write_text(folder / "history.jsonl", "".join(json.dumps(row) + "\n" for row in state["history"]))


def _score(training: Training, epoch: int, validated: Mapping[str, float]) -> float:
    name = training.best
    if name == "last":
        return float(epoch)
    if name not in validated:
        known = ", ".join(validated) or "none"
        raise ConfigError(
            f"training.best: this model has no validation score '{name}', its scores are {known}; choose one of them, "
            "or 'last'"
        )
    if not math.isfinite(validated[name]):
        raise TrainingError(
            f"training.best: the validation score '{name}' of epoch {epoch + 1} is {validated[name]}; choose another, "
            "or see that clips of the validation part have the labels that it needs"
        )
    return validated[name] if _higher_is_better(name) else -validated[name]


def best_record(history: Sequence[Record], best: str) -> Record:
    """The record of the epoch that was kept: the best score, the earliest of equals.

    Args:
        history: as `fit` returns it.
        best: `Training.best`, other than "last".
    """
    return max(history, key=lambda record: goodness(record, best))


def goodness(record: Record, best: str) -> float:
    """The score `training.best` of a record, negative where less is better, so that the greatest is the best."""
    score = record[f"{VALIDATION}{best}"]
    return score if _higher_is_better(best) else -score


def _higher_is_better(name: str) -> bool:
    return name not in MEASURES or MEASURES[name].higher_is_better


def _patience_is_over(state: Mapping[str, Any], training: Training, epoch: int) -> bool:
    best = state["best"]
    return training.patience is not None and best is not None and epoch - 1 - best["epoch"] >= training.patience


def _rate(optimiser: Optimiser, progress: float, epoch: int) -> float:
    rate = optimiser.lr.get("default", max(optimiser.lr.values()))
    return rate * optimiser.schedule.factor(progress, epoch)


def _over_processes(sums: Mapping[str, torch.Tensor]) -> dict[str, float]:
    if not sums:
        return {}
    values = torch.stack([value.double() for value in sums.values()])
    processes.add_up(values)
    return dict(zip(sums, values.tolist(), strict=True))
