"""The packages that the extra `train` brings, and the sentence where one of them is not installed.

`pip install mien` brings what `mien predict` needs. Training, the audit and their pages need more, of which torch alone
is a hundred times as large as mien.
"""

from importlib.util import find_spec

from mien.errors import DependencyError, listed

TRAIN = {  # module -> the package as pip calls it, as in the extra `train` of pyproject.toml
    "torch": "torch",
    "sklearn": "scikit-learn",
    "audmetric": "audmetric",
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "onnx": "onnx",
    "safetensors": "safetensors",
    "threadpoolctl": "threadpoolctl",
}
RARE = {"onnx"}  # only `mien export --onnx` needs it
WAY_OUT = "which pip install 'mien[train]' brings"


def need_train(what: str) -> None:
    """Refuse to go on where a package of the extra `train`, but for the rare ones, is not installed; imports none.

    Args:
        what: what needs the extra, the first word of the sentence.

    Raises:
        DependencyError: naming all such packages.
    """
    absent = [package for module, package in TRAIN.items() if module not in RARE and not _installed(module)]
    if absent:
        raise DependencyError(f"{what} needs {listed(absent)}, {WAY_OUT}")


def lacking(what: str, error: ModuleNotFoundError) -> DependencyError | None:
    """The error to raise instead of one on a module that the extra `train` brings; None for any other module."""
    package = TRAIN.get((error.name or "").partition(".")[0])
    return DependencyError(f"{what} needs {package}, {WAY_OUT}") if package else None


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:  # from a finder that refuses the module
        return False
