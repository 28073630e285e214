"""Vectors of faces by a frozen ViT, BEiT or DINOv2 model in Hugging Face format, (T, D) float32; D is the model's.

Each crop on the grid of `crops` becomes one vector, once, where a corpus is prepared; nothing trains the model. A frame
without a usable face is not valid, as there, and has zeros. Crops are in colour; the processor of the folder resizes,
cuts and normalises them as its `preprocessor_config.json` says, by Pillow, so that no torchvision is needed.

The folder, its identity and the corpora that it has seen: `mien.features._checkpoint`. The package transformers is an
extra.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError
from mien.features import _checkpoint, crops
from mien.features._checkpoint import Checkpoint
from mien.media.faces import Crops, Faces

SOURCE = "a model of yours in Hugging Face format (ViT, BEiT, DINOv2), of face crops: pip install 'mien[transformers]'"
VERSION = 1
MODALITY = "video"
AT_ONCE = 16  # crops


class Config(Faces, Checkpoint):
    """How faces are found and cropped, and which model; see `Faces` and `mien.features._checkpoint.Checkpoint`.

    Attributes:
        colour: rgb.
        pooling: cls, the token of the class, or mean, the mean of the tokens of patches; of the model's last output.
        leading: tokens before those of patches; the folder says it.
    """

    KINDS: ClassVar[Mapping[str, str]] = {
        "beit": "BeitModel",
        "deit": "DeiTModel",
        "dinov2": "Dinov2Model",
        "dinov2_with_registers": "Dinov2WithRegistersModel",
        "vit": "ViTModel",
    }
    FEATURE: ClassVar[str] = "hf_image"

    colour: Literal["rgb"] = "rgb"
    pooling: Literal["cls", "mean"] = "cls"
    leading: int = 1

    @property
    def pinned(self) -> tuple[str, ...]:
        """See `Checkpoint.pinned`."""
        return (*super().pinned, "leading")

    def _says(self, model: Mapping[str, Any], processor: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        more = {"deit": 1, "dinov2_with_registers": int(model.get("num_register_tokens", 4))}
        return super()._says(model, processor, folder) | {"leading": 1 + more.get(str(model["model_type"]), 0)}


def shape(config: Config) -> tuple[int]:
    """Values a frame."""
    return (config.dimension,)


def hop(config: Config) -> float:
    """Seconds from one frame to the next."""
    return float(config.every)


def ready(config: Config) -> str:
    """What is said before the first use; see `_checkpoint.ready`."""
    return _checkpoint.ready(config)


def extract_file(file: Path, start: float, end: float, config: Config) -> Crops:
    """The vectors of a clip, from second `start` to `end` of its file; nan is the file's beginning or end.

    Raises:
        ConfigError: a detector that is not installed, or see `_checkpoint.loaded`.
        MediaError: the file cannot be read.
    """
    seen = crops.extract_file(file, start, end, config)  # type: ignore[arg-type]
    return seen._replace(pixels=of_crops(seen.pixels, seen.reasons, config))


def of_crops(pixels: NDArray[np.uint8], reasons: NDArray[np.uint8], config: Config) -> NDArray[np.float32]:
    """The vectors of crops, (T, 3, S, S) uint8 to (T, D) float32; zeros where a crop is not usable.

    Raises:
        ConfigError: see `_checkpoint.loaded`.
    """
    found, usable = np.zeros((len(pixels), config.dimension), np.float32), np.flatnonzero(reasons == 0)
    for first in range(0, len(usable), AT_ONCE):
        some = usable[first : first + AT_ONCE]
        found[some] = _vectors(pixels[some], config)
    return found


def _vectors(pixels: NDArray[np.uint8], config: Config) -> NDArray[np.float32]:
    import torch

    processor, model = _checkpoint.loaded(config)
    shown = processor(list(pixels.transpose(0, 2, 3, 1)), input_data_format="channels_last", return_tensors="pt")
    with torch.inference_mode():
        try:
            tokens = model(shown["pixel_values"]).last_hidden_state
        except ValueError as error:
            raise ConfigError(
                f"hf_image: {config.folder}: its preprocessor_config.json does not fit its config.json ({error})"
            ) from error
        vectors = tokens[:, 0] if config.pooling == "cls" else tokens[:, config.leading :].mean(dim=1)
        values: NDArray[np.float32] = vectors.float().numpy()
    return values
