"""Opens a model by its folder: by its graph, without torch, where it has one and the CPU computes; else by torch.

While `mien export` replaces the folder, either the old or the new model is opened.
"""

import os
import time
from pathlib import Path

from mien.common import manifests
from mien.common.extras import need_train
from mien.common.files import LOCK, beside, is_held, state_of
from mien.errors import ConfigError, RunError
from mien.runs.exported import is_exported
from mien.runs.graph import GraphModel, has_graph
from mien.runs.one_model import OneModel

WAIT = 10.0  # seconds for a folder that is being replaced
THREADS = 4  # a processor at most: onnxruntime starts as many as it is told


def open_model(folder: Path, device: str = "auto", threads: int = 1, *, partial: bool = False) -> OneModel:
    """Open an exported model, RUN, RUN/models/MODEL, or a cell's folder.

    Args:
        folder: of the model.
        device: "auto", "cpu", "cuda" or "cuda:N". With "auto" a model that has a graph is computed on the CPU, as it
            is small.
        threads: number of threads of torch, or of onnxruntime; `THREADS` a processor at most.
        partial: whether cells of a run may be missing.

    Raises:
        RunError: no finished model is there, or a cell is missing.
        ConfigError: the device or the number of threads cannot be used, or an extra is not installed.
        DependencyError: it has no graph, or is computed on another device, and the extra `train` is not installed.
    """
    until = time.monotonic() + WAIT
    while True:
        before = state_of(folder / manifests.NAME)
        try:
            return _opened(folder, device, threads, partial)
        except RunError:  # of a folder that is being replaced, two files may be of two models
            replaced = state_of(folder / manifests.NAME) != before or is_held(beside(folder, LOCK))
            if not replaced or time.monotonic() > until:
                raise
            time.sleep(0.05)


def _opened(folder: Path, device: str, threads: int, partial: bool) -> OneModel:
    if not isinstance(device, str):
        raise ConfigError(f"--device {device!r}: not a device; write auto, cpu, cuda or cuda:N")
    most = THREADS * (os.cpu_count() or 1)
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= most:
        raise ConfigError(f"--threads {threads!r}: a whole number from 1 to {most}, {THREADS} a processor")
    if partial and is_exported(folder):
        raise ConfigError(f"--partial: {folder} is an exported model, which has all of its cells; leave it out")
    if device in ("auto", "cpu") and has_graph(folder):
        return GraphModel.open(folder, threads)
    need_train(f"--device {device}" if has_graph(folder) else f"{folder}: a model without a graph (mien export --onnx)")
    from mien.common import processes  # with torch, which takes seconds to import
    from mien.runs.ensemble import Ensemble

    processes.use_threads(threads)
    return Ensemble.open(folder, processes.device(device), partial=partial)
