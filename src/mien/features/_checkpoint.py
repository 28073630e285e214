"""Front ends out of a folder: a model in Hugging Face format, frozen, in evaluation mode, whose outputs are a feature.

A folder has `config.json`, `preprocessor_config.json` and `model.safetensors` (or its parts, `model-*.safetensors`), as
`save_pretrained` of the package transformers writes them. Nothing is fetched, no code out of the folder is run, and no
pickle is read. The hash of these files is the identity of the features, wherever the folder lies: two models never
share a store, and a moved one finds its frames. It stands in the resolved experiment, with what the folder says of its
frames, so that a run is read without the folder. Where the folder has moved, it is looked for by its name in the folder
that the environment variable `MIEN_FRONT_ENDS` names.

A model has seen corpora. Scores on these are not of unseen speakers, so the settings have to name them.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from mien.common.files import sha256
from mien.common.settings import Settings
from mien.errors import ConfigError, listed

if TYPE_CHECKING:
    from torch import nn

CONFIG, PROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model*.safetensors"
PACKAGES = ("transformers", "torch", "safetensors")  # the last two are of the extra `train`
PLACES = "MIEN_FRONT_ENDS"  # the environment variable with the folder of such folders
NOT_KNOWN = "unknown"


class Checkpoint(Settings):
    """Settings of a front end out of a folder.

    Attributes:
        folder: of the model. A relative path is taken from the working directory and made absolute.
        sha256: of its files, in hexadecimal; computed where it is not given.
        seen_corpora: the corpora that the weights have seen, in any training: [librispeech, ...], [] for none, or
            [unknown]. It has to be given with the folder, and stands on the cards of what is made with it.
        dimension: values a frame; the folder says it.
    """

    KINDS: ClassVar[Mapping[str, str]] = {}  # `model_type` of the folder -> class of the package
    FEATURE: ClassVar[str] = ""

    folder: str | None = None
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    seen_corpora: tuple[str, ...] | None = None
    dimension: int = Field(768, ge=1)

    @model_validator(mode="after")
    def _read_folder(self) -> Self:
        if self.folder is None:
            if self.sha256 is not None:
                raise ValueError("sha256 is of 'folder', which is not given; leave it out")
            return self
        if self.seen_corpora is None:
            raise ValueError(
                "'seen_corpora' is missing: the corpora that the weights have seen; write seen_corpora: [NAME, ...], "
                f"[] for none, or [{NOT_KNOWN}]"
            )
        self._pin({"folder": str(Path(self.folder).absolute())})
        if self.sha256 is None or not self.model_fields_set.issuperset(self.pinned):
            folder = Path(str(self.folder))
            described = _described(folder, type(self).KINDS, type(self).FEATURE)
            for key, value in self._says(*described, folder).items():
                if key in self.model_fields_set and getattr(self, key) != value:
                    raise ValueError(f"{key} is {getattr(self, key)}, and {folder} has {value}; leave it out")
                self._pin({key: value})
            self._pin({"sha256": self.sha256 or identity(folder)})
        return self

    @property
    def pinned(self) -> tuple[str, ...]:
        """The keys that stand in a resolved experiment, so that it is read without the folder."""
        return ("folder", "sha256", "dimension")

    @property
    def anywhere(self) -> Self:
        """The same without the place and what is said of it: what frames are stored under."""
        return self.model_copy(update={"folder": None, "seen_corpora": None})

    @property
    def title(self) -> str:
        """The name of the folder."""
        return Path(str(self.folder)).name

    def _says(self, model: Mapping[str, Any], processor: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Key -> value that the folder says; raises ValueError where other settings do not fit it."""
        return {"dimension": int(model.get("hidden_size", 768))}

    def _pin(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():  # settings are frozen once they are read
            object.__setattr__(self, key, value)
            self.__pydantic_fields_set__.add(key)


def ready(config: Checkpoint) -> str:
    """What is said before the first use of a front end.

    Raises:
        ConfigError: a package is not installed, no folder is given, or it is not there.
    """
    name = config.FEATURE
    if absent := [package for package in PACKAGES if find_spec(package) is None]:
        extras = "transformers" if absent == ["transformers"] else "transformers,train"
        raise ConfigError(f"{name} needs {listed(absent)}; pip install 'mien[{extras}]'")
    place(config)
    return f"{name}: {seen(config)}; the licence of the weights and of these corpora binds what is made with them"


def seen(config: Checkpoint) -> str:
    """Which corpora the weights have seen, one clause."""
    corpora = config.seen_corpora or ()
    if NOT_KNOWN in corpora:
        return f"which corpora the weights of {config.title} have seen is not known"
    return f"the weights of {config.title} have seen {', '.join(corpora) or 'no corpus'}"


def place(config: Checkpoint) -> Path:
    """The folder, where it lies now; raises ConfigError where it is not given or not there."""
    if config.folder is None:
        raise ConfigError(
            f"{config.FEATURE} needs the folder of a model, which an experiment gives: {{name: {config.FEATURE}, "
            "folder: FOLDER, seen_corpora: [NAME, ...]}"
        )
    known = [Path(config.folder)]
    if elsewhere := os.environ.get(PLACES):
        known.append(Path(elsewhere) / config.title)
    for folder in known:
        if folder.is_dir():
            return folder
    raise ConfigError(
        f"{config.FEATURE}: {config.folder}: no such folder; put the model there, or name the folder that holds "
        f"'{config.title}' in the environment variable {PLACES}"
    )


def identity(folder: Path) -> str:
    """The SHA-256 of the hashes of a folder's files, hexadecimal."""
    files = [folder / CONFIG, folder / PROCESSOR, *sorted(folder.glob(WEIGHTS))]
    hashes = {file.name: _hash(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files}
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=64)
def _hash(file: Path, size: int, changed: int) -> str:
    """Of a file of that size and time, hashed once in a process."""
    return sha256(file)


def loaded(config: Checkpoint) -> "tuple[Any, nn.Module]":
    """The processor and the model, frozen and in evaluation mode, on the CPU; read once in a process.

    Raises:
        ConfigError: the folder is not there, holds another model than `sha256` says, or lacks weights.
    """
    return _loaded(str(place(config)), str(config.sha256), config.FEATURE, tuple(config.KINDS.items()))


@lru_cache(maxsize=2)
def _loaded(folder: str, expected: str, feature: str, kinds: tuple[tuple[str, str], ...]) -> "tuple[Any, nn.Module]":
    import torch
    import transformers
    from safetensors import SafetensorError

    try:
        model_json, _ = _described(Path(folder), dict(kinds), feature)
    except ValueError as error:
        raise ConfigError(f"{feature}: {error}") from None
    if (found := identity(Path(folder))) != expected:
        raise ConfigError(
            f"{feature}: {folder}: is another model (SHA-256 {found[:12]}..., not {expected[:12]}...); give the right "
            "folder, or leave sha256 out to take this one"
        )
    kind = getattr(transformers, dict(kinds)[model_json["model_type"]])
    with _quiet(transformers):
        try:
            processor = _processor(transformers, folder, feature)
            model, info = kind.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,  # told apart below, in a sentence
                output_loading_info=True,
            )
        except (OSError, RuntimeError, ValueError, SafetensorError) as error:
            why = " ".join(str(error).split())
            raise ConfigError(f"{feature}: {folder}: cannot be read ({why[:200]}); save the model again") from error
    unused = ("pooler.", "masked_spec_embed", "embeddings.mask_token")
    lacking = [name for name in info["missing_keys"] if not name.startswith(unused)]
    if wrong := sorted([*lacking, *(one[0] for one in info["mismatched_keys"])]):
        raise ConfigError(
            f"{feature}: {folder}: its weights do not fit its {CONFIG}, which has '{wrong[0]}'; save the model again"
        )
    return processor, model.eval().requires_grad_(False)


def _processor(transformers: Any, folder: str, feature: str) -> Any:
    if feature == "hf_audio":
        return transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder, local_files_only=True)
    return transformers.AutoImageProcessor.from_pretrained(
        folder, local_files_only=True, backend="pil", trust_remote_code=False
    )


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without the package's bars and warnings: what matters of them is an error here."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _described(folder: Path, kinds: Mapping[str, str], feature: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """`config.json` and `preprocessor_config.json`; raises ValueError where the folder is no such model."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    read = []
    for name in (CONFIG, PROCESSOR):
        file = folder / name
        try:
            read.append(json.loads(file.read_text(encoding="utf-8")))
        except OSError as error:
            raise ValueError(f"{file}: {(error.strerror or str(error)).lower()}; {feature} needs it") from error
        except ValueError as error:
            raise ValueError(f"{file}: is no JSON ({error}); save the model again") from error
        if not isinstance(read[-1], dict):
            raise ValueError(f"{file}: is no JSON object; save the model again")
    if (kind := read[0].get("model_type")) not in kinds:
        raise ValueError(f"{folder}: is a model of the type '{kind}'; {feature} reads {', '.join(sorted(kinds))}")
    if not any(folder.glob(WEIGHTS)):
        pickled = ", but pytorch_model.bin, a pickle, which can run code" if any(folder.glob("*.bin")) else ""
        raise ValueError(
            f"{folder}: has no model.safetensors{pickled}; load it where you trust it, and call save_pretrained(FOLDER)"
        )
    return read[0], read[1]
