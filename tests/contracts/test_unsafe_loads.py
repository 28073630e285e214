"""No code of mien unpickles, evaluates or executes what it reads: every call in its source is looked at.

A call counts by what its name was imported as, and an import of a module that does nothing else is refused as such.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mien

MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle", "code", "codeop"}
BUILTINS = {"eval", "exec", "compile", "__import__", "execfile"}
CALLS = {  # the last parts of a call's full name
    "pandas.read_pickle", "pandas.read_hdf", "joblib.load", "os.system", "os.popen", "yaml.unsafe_load",
    "yaml.full_load", "yaml.load_all", "yaml.unsafe_load_all", "yaml.full_load_all", "torch.hub.load",
    "torch.jit.load", "torch.package.PackageImporter", "numpy.lib.format.read_array",
}  # fmt: skip
NEEDED = {  # call -> keyword -> its value, as source
    "torch.load": {"weights_only": {"True"}},
    "numpy.load": {"allow_pickle": {"False"}},
    "yaml.load": {"Loader": {"Loader", "settings.Loader", "SafeLoader", "yaml.SafeLoader"}},
}
FORBIDDEN = {"shell": {"True"}, "trust_remote_code": {"True"}, "weights_only": {"False"}, "allow_pickle": {"True"}}


def unsafe(source: str) -> Iterator[str]:
    """What a source has that may run what it reads, each with its line."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                one.asname or one.name.split(".")[0]: one.name if one.asname else one.name.split(".")[0]
                for one in node.names
            }
            modules = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
            modules = [f"{node.module}.{one.name}" for one in node.names]
        else:
            continue
        yield from (f"{node.lineno}: {name}" for name in modules if name.split(".")[0] in MODULES)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in BUILTINS and node.id not in names:
            yield f"{node.lineno}: {node.id}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            first, _, rest = called.partition(".")
            called = ".".join(filter(None, [names.get(first, first), rest]))
            given = {one.arg: ast.unparse(one.value) for one in node.keywords if one.arg}
            if called in CALLS or called in BUILTINS:
                yield f"{node.lineno}: {called}"
            for keyword, values in NEEDED.get(called, {}).items():
                positional = len(node.args) > 1 and called == "yaml.load" and ast.unparse(node.args[1]) in values
                if given.get(keyword) not in values and not positional:
                    yield f"{node.lineno}: {called} without {keyword}={min(values)}"
            for keyword, values in FORBIDDEN.items():
                if given.get(keyword) in values:
                    yield f"{node.lineno}: {called} with {keyword}={given[keyword]}"


ROOT = Path(mien.__file__).parent
OWN = {  # what a process sends to those that it started, or gives work on a cluster, and reads from no file
    "runs/cells.py": {"pickle"},
    "common/cluster_task.py": {"pickle", "cloudpickle"},
}


def test_no_source_runs_what_it_reads() -> None:
    files, found = sorted(ROOT.rglob("*.py")), {}
    for path in files:
        lines = {line.split(": ", 1)[1] for line in unsafe(path.read_text(encoding="utf-8"))}
        if lines:
            found[path.relative_to(ROOT).as_posix()] = lines
    assert len(files) > 300
    assert found == OWN


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("import pickle", "pickle"),
        ("from pickle import load as read", "pickle.load"),
        ("import numpy as np\nnp.load('a')", "numpy.load without allow_pickle=False"),
        ("import numpy\nnumpy.load('a', allow_pickle=True)", "numpy.load with allow_pickle=True"),
        ("import torch\ntorch.load('a')", "torch.load without weights_only=True"),
        ("from torch import load\nload('a', weights_only=False)", "torch.load with weights_only=False"),
        ("import yaml\nyaml.load(text)", "yaml.load without Loader=Loader"),
        ("import yaml\nyaml.load(text, yaml.Loader)", "yaml.load without Loader=Loader"),
        ("import yaml\nyaml.unsafe_load(text)", "yaml.unsafe_load"),
        ("import joblib\njoblib.load('a')", "joblib.load"),
        ("import pandas as pd\npd.read_pickle('a')", "pandas.read_pickle"),
        ("eval(text)", "eval"),
        ("run = exec", "exec"),
        ("import subprocess\nsubprocess.run(line, shell=True)", "subprocess.run with shell=True"),
        (
            "from transformers import AutoModel\nAutoModel.from_pretrained(x, trust_remote_code=True)",
            "trust_remote_code",
        ),
    ],
)
def test_what_is_planted_is_found(planted: str, found: str) -> None:
    assert any(found in line for line in unsafe(planted))


@pytest.mark.parametrize(
    "fine",
    [
        "import torch\ntorch.load('a', weights_only=True)",
        "import numpy as np\nnp.load('a', allow_pickle=False)",
        "import yaml\nyaml.load(text, Loader)",
        "model.eval()",
        "import re\nre.compile('a')",
        "class A:\n    def exec(self): ...",
    ],
)
def test_what_is_fine_is_passed_over(fine: str) -> None:
    assert list(unsafe(fine)) == []
