"""A teacher: a trained model of faces that is asked for the logits of single faces, by `mien label` or by a recipe."""

from collections.abc import Sequence as Many
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mien.common import processes
from mien.common.files import sha256
from mien.common.settings import digest
from mien.corpora import readers
from mien.data.batch import Batch, Sequence
from mien.errors import ConfigError, RunError, unknown
from mien.media.faces import Crops, Faces, Reason, Seen, choices
from mien.runs import exported
from mien.runs.ensemble import Ensemble
from mien.runs.run import Run
from mien.runs.selection import find

EVERY = 0.24  # seconds from one frame to the next: Albanie et al. 2018, section 4


@dataclass(frozen=True)
class Teacher:
    """A model of faces.

    Attributes:
        model: all its members.
        faces: how faces are found and cropped in films, a frame every `EVERY` seconds.
        sha256: of its weights; of several members of a run, of their hashes.
        licences: a line for each corpus that it was trained on and whose licence is known.
    """

    model: Ensemble
    faces: Faces
    sha256: str
    licences: tuple[str, ...]

    @staticmethod
    def open(folder: Path, device: torch.device, faces: str | None = None) -> "Teacher":
        """Open an exported model, RUN, RUN/models/MODEL, or a cell's folder.

        Args:
            folder: of the model.
            device: to compute on.
            faces: the face detector; None takes that of the model's training.

        Raises:
            RunError: no finished model is there.
            ConfigError: it is no model of faces alone with classes, or the detector is unknown or not installed.
        """
        if faces is not None and faces not in choices():
            raise ConfigError(f"--faces: {unknown('face detector', faces, choices())}")
        model = Ensemble.open(folder, device)
        if model.modalities != ("video",) or model.faces is None or not model.classes:
            raise ConfigError(
                f"--teacher {folder}: {model.name} {_instead(model)}, and a teacher labels single faces; give a model "
                "of faces alone with classes, such as face-small"
            )
        found = {"every": EVERY} if faces is None else {"every": EVERY, "faces": faces}
        return Teacher(model, model.faces.model_copy(update=found).resolved(), *_identity(folder))

    @property
    def classes(self) -> tuple[str, ...]:
        """Its classes, in the order of the logits."""
        return self.model.classes

    def logits(self, people: Many[Seen]) -> list[NDArray[np.float32]]:
        """(T, K) float32 of each person: the logits of each usable frame by itself, zeros for the others."""
        usable = [one.reasons == Reason.VALID for one in people]
        frames = [frame for one, which in zip(people, usable, strict=True) for frame in one.pixels[which]]
        valid = np.zeros(1, np.uint8)
        single = [Crops(frame[None], valid, self.faces.every) for frame in frames]
        given = self.model.logits(single) if single else np.zeros((0, len(self.classes)), np.float32)
        found, place = [], 0
        for which in usable:
            own = np.zeros((len(which), len(self.classes)), np.float32)
            own[which] = given[place : place + int(which.sum())]
            found.append(own)
            place += int(which.sum())
        return found


def locate(teacher: Path | str | None) -> Path:
    """The folder of a teacher: a path, a name in `exported.packaged`, or by default the packaged model of faces.

    Raises:
        RunError: there is none of that name, or this build has no model of faces.
    """
    if teacher is not None:
        return exported.locate(teacher)
    folder = exported.faces()
    if folder is None:
        raise RunError(
            f"this build of mien comes without the model '{exported.FACES}'; give --teacher a model of faces made by "
            "'mien train' or 'mien export'"
        )
    return folder


def open_teacher(folder: Path, device: str, threads: int, faces: str | None) -> Teacher:
    """Open a teacher in this process, which is made to compute with so many threads."""
    processes.use_threads(threads)
    return Teacher.open(folder, processes.device(device), faces)


class Asked(nn.Module):
    """The members of a teacher as one module: face crops N x C x S x S from -1 to 1 in, their mean logits N x K out."""

    def __init__(self, model: Ensemble) -> None:
        super().__init__()
        self.members = nn.ModuleList(member.recipe for member in model.models)
        self.target = model.target

    def forward(self, crops: Tensor) -> Tensor:
        """Return the logits, N x K, as `Ensemble.logits` gives them."""
        count = len(crops)
        shown = Sequence(crops[:, None], torch.ones(count, 1, dtype=torch.bool, device=crops.device))
        rows, names = torch.arange(count), tuple(map(str, range(count)))
        batch = Batch(names, Sequence.absent(count), shown, {}, rows, count, 0, 0)
        logits = [member.predict(batch)[self.target] for member in self.members]  # type: ignore[operator]
        return torch.stack(logits).mean(dim=0)


def module(place: str, teaching: tuple[str, Any] | None, classes: Many[str]) -> Asked:
    """A teacher for a recipe to ask, on the CPU.

    Args:
        place: a folder, or a name in `exported.packaged`.
        teaching: the feature that it is asked about, with its settings.
        classes: those that the student learns, in order.

    Raises:
        ConfigError: the feature is no crops as the teacher reads them, or the classes are others.
        RunError: it is no trained model.
    """
    found = Teacher.open(locate(place), torch.device("cpu"))
    if found.classes != tuple(classes):
        raise ConfigError(
            f"teacher: {found.model.name} knows {', '.join(found.classes)}, and the target has {', '.join(classes)}; "
            "give the target these classes in this order, or another teacher"
        )
    wanted, own = found.faces, None if teaching is None else teaching[1]
    whole = isinstance(own, Faces) and own.faces == "whole-frame"
    keys = ("size", "colour") if whole else ("size", "colour", "margin")
    if not isinstance(own, Faces) or any(getattr(own, key) != getattr(wanted, key) for key in keys):
        settings = ", ".join(
            f"{key}: {getattr(wanted, key):g}" if key != "colour" else f"colour: {wanted.colour}" for key in keys
        )
        raise ConfigError(
            f"data.teacher: {found.model.name} reads other crops; write data.teacher={{name: crops, {settings}, every: "
            f"{EVERY:g}}}"
        )
    return Asked(found.model)


def hashes(places: Many[str]) -> dict[str, str]:
    """Folder or name of each teacher that recipes ask -> the SHA-256 of its weights; raises as `locate` does."""
    return {place: _identity(locate(place))[0] for place in sorted(set(places))}


def _instead(model: Ensemble) -> str:
    """What a model takes or gives that a teacher must not, for a sentence."""
    if not model.classes:
        return f"predicts a number, {model.target}"
    if model.modalities == ("video",):
        return "takes vectors of a corpus, which a film does not have"
    return "takes voice and face together" if "video" in model.modalities else "takes voices"


def _identity(folder: Path) -> tuple[str, tuple[str, ...]]:
    """The SHA-256 of the weights, and the licences of the corpora."""
    if exported.is_exported(folder):
        description = exported.describe(folder)
        trained = {one.corpus: one.corpus for one in description.trained}
        return description.sha256, _licences(trained)
    run, _, cells, _ = find(folder)
    hashes = [sha256(cell.weights) for cell in cells]
    return hashes[0] if len(hashes) == 1 else digest(hashes), _licences(_corpora(run))


def _corpora(run: Run) -> dict[str, str]:
    """Corpus -> reader."""
    parts = run.certificate.get("corpora")
    if parts:
        return {name: part["reader"] for name, part in parts.items()}
    return {run.corpus: run.certificate["corpus"]}


def _licences(corpora: dict[str, str]) -> tuple[str, ...]:
    known = readers.names()
    return tuple(f"{name}: {readers.reader(read).LICENCE}" for name, read in corpora.items() if read in known)
