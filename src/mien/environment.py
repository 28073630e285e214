"""Where a run was made: versions, machine, commit."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import torch

PACKAGES = ("mien", "torch", "numpy", "scipy", "scikit-learn", "pandas", "av", "safetensors", "audmetric")


def describe(device: torch.device) -> dict[str, object]:
    """Versions of what decides the figures, the machine, and the commit where mien runs from a checkout."""
    return {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "commit": commit(),
    }


def commit() -> str | None:
    """The commit of the checkout that mien runs from, with '+' after it where files differ; None elsewhere."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        name = _git(folder, "rev-parse", "--short=12", "HEAD")
        return name + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()  # noqa: S603
