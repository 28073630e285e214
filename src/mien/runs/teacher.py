"""The teacher of `mien label`: a trained model of faces that is asked for the logits of single faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mien.common import processes
from mien.common.files import sha256
from mien.common.settings import digest
from mien.corpora import readers
from mien.errors import ConfigError, RunError, unknown
from mien.media.faces import Crops, Faces, Reason, Seen, choices
from mien.runs import exported
from mien.runs.ensemble import Ensemble, find
from mien.runs.run import Run

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

    def logits(self, people: Sequence[Seen]) -> list[NDArray[np.float32]]:
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
    run, _, cells = find(folder)
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
