"""An exported model: the cells of one model of a run in one small folder, which predicts without the run.

FOLDER holds `model.safetensors` (all members, `MEMBER/TENSOR`), `config.json` (a `Description`) and `README.md`, the
model's card, and where asked for `model.onnx` (`runs.graph`) and a model of audonnx (`runs.audonnx_model`), and last
`manifest.json` with the SHA-256 of all of them; the card may be edited. Models that come with mien are such folders in
`mien/models/packaged`, named by their folders. This module needs no torch.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.common import manifests
from mien.common.files import LOCK, beside, is_held, sha256
from mien.common.settings import digest, parse
from mien.errors import ConfigError, RunError, unknown
from mien.runs.description import Description

FOLDER = Path(__file__).parents[1] / "models" / "packaged"
DEFAULT, FACES = "voice-small", "face-small"  # answer where no model is named; the second where there are pictures
WEIGHTS, DESCRIPTION, CARD = FILES = ("model.safetensors", "config.json", "README.md")
OLD = "model.json"  # of an older mien: its description, before the files had their names on the Hugging Face hub
OWN = {"members", "experiment"}  # keys of a description by which it is known as one of mien
AGAIN = "export or install the model again"  # the way out where one is damaged
GRAPH = "model.onnx"
OTHERS = (GRAPH, "audonnx.onnx", "model.yaml")  # what `--onnx` adds; the last two are read by audonnx


def packaged() -> list[str]:
    """The names of the models that come with mien."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{DESCRIPTION}"))


def locate(model: Path | str | None) -> Path:
    """The folder of a model: an existing path, a name in `packaged`, or by default `DEFAULT`; a path wins over a name.

    Raises:
        RunError: there is no packaged model of that name.
    """
    place = Path(model or "")
    if model is not None and (place.exists() or len(place.parts) != 1 or is_held(beside(place, LOCK))):
        return place  # the last: `mien export` is replacing it
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
    """Whether a folder is an exported model.

    Raises:
        RunError: it was exported by an older mien.
    """
    if (folder / OLD).is_file() and not (folder / DESCRIPTION).is_file():
        raise RunError(f"{folder}: was exported by an older mien, under other names of files; export the model again")
    if (folder / DESCRIPTION).is_file():
        return True
    try:
        manifest = manifests.read(folder)
    except ValueError:
        return False
    return manifest is not None and DESCRIPTION in manifest.files  # which is missing, as `raw` says


def describe(folder: Path) -> Description:
    """Read `config.json`; raises RunError or ConfigError where it is damaged, or of another program."""
    read = raw(folder)
    if not OWN & set(read):
        raise RunError(
            f"{folder / DESCRIPTION}: is not that of a mien model, but of another program; give a folder of "
            "'mien export', or a RUN"
        )
    try:
        description: Description = parse(Description, read, str(folder / DESCRIPTION))
    except ConfigError as error:
        raise ConfigError(f"{error}; {AGAIN}") from None
    return description


def seal(folder: Path) -> None:
    """Write the manifest, the last file of an exported model."""
    manifests.write(folder, [path.name for path in folder.iterdir() if path.name in (*FILES, *OTHERS)])


def refuse_changed(path: Path, what: str, expected: str) -> None:
    """Raise RunError where a file of an exported model is missing, or has not this SHA-256."""
    if not path.is_file():
        raise RunError(f"{path}: missing; {AGAIN}")
    if (actual := sha256(path)) != expected:
        raise RunError(
            f"{path}: not the {what} that {'were' if what.endswith('s') else 'was'} exported (the SHA-256 is "
            f"{actual[:12]}..., {DESCRIPTION} has {expected[:12]}...); {AGAIN}"
        )


def raw(folder: Path) -> dict[str, Any]:
    """`config.json` as it is; raises RunError where it is damaged."""
    path = folder / DESCRIPTION
    try:
        manifest = manifests.read(folder)
    except ValueError as error:
        raise RunError(f"{folder / manifests.NAME}: damaged: {error}; {AGAIN}") from error
    if manifest is not None and (what := manifest.damage(folder, DESCRIPTION)):
        raise RunError(f"{path}: {what}; {AGAIN}")
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not JSON ({error}); {AGAIN}") from error
    if not isinstance(read, dict):
        raise RunError(f"{path}: not a mapping; {AGAIN}")
    if manifest is None and OWN & set(read):
        raise RunError(f"{folder / manifests.NAME}: missing; {AGAIN}")
    return read


def identity(description: Mapping[str, Any]) -> str:
    """A digest of a description without the hashes of the files that hold this digest."""
    return digest({key: value for key, value in description.items() if key not in ("sha256", "graph")})
