"""Where and how a run was made: versions, machine, commit, command line."""

import json
import platform
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import yaml

from mien.common.settings import Loader

PACKAGES = ("mien", "torch", "numpy", "scipy", "scikit-learn", "pandas", "av", "safetensors", "audmetric")


def describe(device: torch.device) -> dict[str, object]:
    """Versions of the packages that results depend on, the machine, and the commit if mien runs from a checkout."""
    return {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "commit": commit(),
    }


def commit() -> str | None:
    """The commit of the checkout that mien runs from, with a '+' if files were changed; None without a checkout."""
    folder = Path(__file__).parents[3]
    if not (folder / ".git").exists():
        return None
    try:
        name = _git(folder, "rev-parse", "--short=12", "HEAD")
        return name + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def command(experiment: str | Path, overrides: Sequence[str]) -> str:
    """The command line of `mien train` with these arguments, with PREPARED, WEIGHTS and RUN in place of local paths.

    Args:
        experiment: a name, or the path of a YAML file, of which only the file name is kept.
        overrides: as `mien.experiments.experiment.load` has accepted them.
    """
    words = [word for override in overrides for word in _placeless(override)]
    return shlex.join(["mien", "train", Path(experiment).name, *words, "--out", "RUN"])


def _placeless(override: str) -> Iterator[str]:
    """An override, with PREPARED in place of the folder or folders that it names, and WEIGHTS of an encoder's file."""
    key, _, text = override.partition("=")
    value: Any = yaml.load(text, Loader)  # noqa: S506 - Loader is a SafeLoader
    if key == "data.prepared" and isinstance(value, dict):
        yield from (f"{key}.{name}=PREPARED" for name in sorted(value))
    elif key.startswith("data.prepared"):
        yield f"{key}=PREPARED"
    elif key == "data" and isinstance(value, dict) and "prepared" in value:
        yield f"data={json.dumps({name: inner for name, inner in value.items() if name != 'prepared'})}"
        yield from _placeless(f"data.prepared={json.dumps(value['prepared'])}")
    elif key.partition(".")[0] == "encoder" and (hidden := _weightless(value, key.rpartition(".")[2])) != value:
        yield f"{key}={hidden if isinstance(hidden, str) else json.dumps(hidden)}"
    else:
        yield override


def _weightless(value: Any, key: str) -> Any:
    """The settings of an encoder under a key, with WEIGHTS in place of a file."""
    if isinstance(value, dict):
        return {name: _weightless(inner, name) for name, inner in value.items()}
    return "WEIGHTS" if key == "weights" and value is not None else value


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()  # noqa: S603
