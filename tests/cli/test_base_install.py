"""Without the extra `train`: every command that needs it says so in one sentence, and nothing is written."""

import importlib.metadata
import json
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mien
from mien import commands
from mien.cli import main
from mien.common import extras
from mien.errors import ConfigError, DependencyError

# Arguments with which a command would write or print something, had it all that it needs.
LINES = {
    "demo": "demo --out made",
    "prepare": "prepare emodb corpus --out made",
    "train": "train voice data.prepared=corpus --out made",
    "evaluate": "evaluate corpus --on corpus",
    "audit": "audit --embeddings E.npy --labels L.csv --factor speaker --out made",
    "audit_split": "audit --split L.csv --out made",
    "label": "label corpus --out made",
    "export": "export corpus --out made",
    "compare": "compare corpus --out made",
    "report": "report corpus",
}
SENTENCE = "needs torch, scikit-learn, audmetric, jinja2, matplotlib, safetensors and threadpoolctl, which pip install"
BLOCK = f"""
import sys

class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(extras.TRAIN)}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuses())
"""


def blocked(script: str, folder: Path) -> object:
    """What a script leaves in `said`, in a process that has nothing of the extra `train`."""
    script = f"{BLOCK}\nimport json\nsaid = {{}}\n{script}\njson.dump(said, open('said.json', 'w'))"
    ended = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    said = json.loads((folder / "said.json").read_text())
    (folder / "said.json").unlink()
    return said


def test_every_command_is_of_the_base_install_or_refuses(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    before = sorted(tmp_path.rglob("*"))
    parts = {"evaluate_affine", "evaluate_missing"}  # of `evaluate`
    modules = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    assert modules - parts == set(LINES) | commands.BASE
    script = f"""
import contextlib, io
from mien.cli.main import main
for name, line in {LINES}.items():
    with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(line.split())
    said[name] = [code, out.getvalue(), err.getvalue()]
"""
    for name, (code, out, err) in blocked(script, tmp_path).items():
        assert (code, out) == (2, ""), name
        command = name.partition("_")[0]  # splits are audited by `mien audit`, too
        assert err == f"mien: {command} {SENTENCE} 'mien[train]' brings\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_python_says_the_same_where_a_name_is_used(tmp_path: Path) -> None:
    named = [name for name in mien.__all__ if name not in {*commands.BASE, "load_model"}]
    needing = {name: "audit" if name == "leakage" else name for name in named}
    script = f"""
import mien
from mien.errors import DependencyError
for name in {list(needing)}:
    try:
        getattr(mien, name)("x")
    except DependencyError as error:
        said[name] = str(error)
said["heavy"] = sorted({{"numpy", "pandas", "av"}} & set(sys.modules))
"""
    wanted = {name: f"{what} {SENTENCE} 'mien[train]' brings" for name, what in needing.items()}
    assert blocked(script, tmp_path) == {**wanted, "heavy": []}


def test_help_and_the_lists_of_names_need_no_extra(tmp_path: Path) -> None:
    script = """
import contextlib, io
from mien.cli.main import main
lists = ("list readers", "list experiments", "list encoders", "list features", "list models", "list removals")
for line in ("--help", "train --help", "--version", *lists):
    with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()):
        said[line] = [main(line.split()), err.getvalue()]
"""
    said = blocked(script, tmp_path)
    refused = said.pop("list removals")
    assert refused == [2, "mien: list needs torch, which pip install 'mien[train]' brings\n"]
    assert set(map(tuple, said.values())) == {(0, "")}


def test_another_missing_module_stays_a_defect(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def broken(run: Path) -> None:
        raise ModuleNotFoundError("No module named 'else'", name="else")

    monkeypatch.setattr(commands, "report", type(sys)("report"), raising=False)
    monkeypatch.setitem(sys.modules, "mien.commands.report", commands.report)
    commands.report.report = broken
    assert main.main(["report", "r"]) == 70
    assert "No module named 'else'" in capsys.readouterr().err


def test_a_package_alone_is_named_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    extras.need_train("train")
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(DependencyError, match=r"^train needs jinja2, which pip install 'mien\[train\]' brings$"):
        extras.need_train("train")
    assert issubclass(DependencyError, ConfigError)
    assert issubclass(DependencyError, ImportError), "as programs expect of a name that cannot be imported"


def test_the_table_is_the_extra_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    given = project["optional-dependencies"]
    assert {line.partition(">=")[0] for line in given["train"]} == set(extras.TRAIN.values())
    assert "mien[train]" in given["test"]
    base = {line.partition(">=")[0] for line in project["dependencies"]}
    assert not base & set(extras.TRAIN.values())
    homes = importlib.metadata.packages_distributions()
    for module, package in extras.TRAIN.items():
        if module in homes:
            assert package in {name.lower() for name in homes[module]}
