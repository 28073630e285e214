"""The command line: exit codes, one sentence an error, JSON, and nothing heavy before it is needed."""

import errno
import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import mien
from mien import experiments
from mien.cli import main, output
from mien.commands import Outcome
from mien.errors import ConfigError, LeakError

HEAVY = ("torch", "pandas", "numpy", "scipy", "av", "pydantic", "joblib", "yaml", "matplotlib")
NAMES = ("demo", "prepare", "train", "evaluate", "audit", "compare", "predict", "label", "export", "report", "list")


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Path], Outcome]], None]:
    """Put another function in the place of the command `report`."""

    def put(function: Callable[[Path], Outcome]) -> None:
        module = ModuleType("mien.commands.report")
        module.report = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "mien.commands.report", module)

    return put


def ending(error: BaseException) -> Callable[[Path], Outcome]:
    def function(run: Path) -> Outcome:
        raise error

    return function


def test_done_prints_and_ends_with_0(report, capsys: pytest.CaptureFixture[str]) -> None:
    report(lambda run: Outcome(data={}, text=f"report of {run}"))
    assert main.main(["report", "r"]) == 0
    assert capsys.readouterr() == ("report of r\n", "")


def test_problems_are_printed_and_exit_with_1(report, capsys: pytest.CaptureFixture[str]) -> None:
    report(lambda run: Outcome(data={}, text="done", problems=[f"{number}.wav: is silent" for number in range(12)]))
    assert main.main(["report", "r"]) == 1
    out, err = capsys.readouterr()
    assert out == "done\n"
    assert err.splitlines()[0] == "mien: problem: 0.wav: is silent"
    assert err.splitlines()[-1] == "mien: ... and 2 more problems"
    assert len(err.splitlines()) == output.SHOWN + 1


def test_json_is_one_object_of_plain_values(report, capsys: pytest.CaptureFixture[str]) -> None:
    data = {
        "path": Path("a/b"),
        "score": np.float32(0.5),
        "none": float("nan"),
        "rows": [{"n": np.int64(3)}],
        "ok": True,
    }
    report(lambda run: Outcome(data=data, text="", problems=["é: x"]))
    assert main.main(["report", "r", "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    expected = {"path": "a/b", "score": 0.5, "none": None, "rows": [{"n": 3}], "ok": True, "problems": ["é: x"]}
    assert printed == expected


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ConfigError("x is wrong"), 2, "x is wrong"),
        (LeakError("s is in two parts"), 3, "s is in two parts"),
        (KeyboardInterrupt(), 130, "interrupted; run the same command again to resume"),
        (OSError(errno.ENOSPC, "No space left on device", "/p/x"), 2, "/p/x: no space left on device; free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "/p/x"), 2, "/p/x: permission denied; change its"),
        (OSError("odd"), 2, "odd"),
    ],
)
def test_an_error_is_one_sentence(report, capsys: pytest.CaptureFixture[str], error, code, sentence) -> None:
    report(ending(error))
    assert main.main(["report", "r"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mien: {sentence}")
    assert err.count("\n") == 1
    assert main.main(["report", "r", "--json", "--debug"]) == code
    out, err = capsys.readouterr()
    assert json.loads(out)["exit"] == code
    assert sentence in json.loads(out)["error"]
    assert "Traceback" in err


def test_a_defect_is_not_dressed_up(report, capsys: pytest.CaptureFixture[str]) -> None:
    report(ending(KeyError("two\nlines")))
    sentence = "this is a defect of mien, please report it: KeyError: 'two\\nlines' (--debug shows where)"
    assert main.main(["report", "r"]) == 70
    assert capsys.readouterr() == ("", f"mien: {sentence}\n")
    assert main.main(["report", "r", "--json", "--debug"]) == 70
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": sentence, "exit": 70}
    assert "Traceback" in err
    assert "in ending" in err or "in function" in err
    report(ending(ZeroDivisionError()))
    assert main.main(["report", "r"]) == 70
    assert "report it: ZeroDivisionError (--debug" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("reprot r", 'Did you mean "report"?'),
        ("report", "mien: report: RUN is missing. See 'mien report --help'.\n"),
        ("prepare emodb x", "mien: prepare: --out PREPARED is missing. See 'mien prepare --help'.\n"),
        ("train emodb --out", "mien: train: --out RUN is missing. See 'mien train --help'.\n"),
        ("predict a.wav --window", "mien: predict: --window SECONDS is missing. See 'mien predict --help'.\n"),
        ("report r --jsn", "Did you mean --json? See 'mien report --help'."),
        ("prepare emodb x --out y --workers 0", "Must be >= 1"),
        ("list reader", 'Did you mean "readers"?'),
        ("predict a.wav --unsure 2", "Must be <= 1"),
        ("predict a.wav --model m --window 0", "Must be > 0"),
    ],
)
def test_wrong_usage_names_the_way_out(capsys: pytest.CaptureFixture[str], line: str, sentence: str) -> None:
    assert main.main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1


def test_help_and_import_load_nothing_heavy() -> None:
    script = "import sys, mien; from mien.cli.main import main; main(['--help']); main(['train', '--help']); dir(mien);"
    script += f"sys.exit(' '.join(name for name in {HEAVY} if name in sys.modules) or None)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert all(name in ended.stdout for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_an_example_and_speaks_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main.main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.rstrip().splitlines()[-1] == main.app[name].help_epilogue, "on one line, to be copied"
    assert f"Example: mien {name}" in out
    assert max(map(len, out.splitlines()[:-2])) <= 40
    assert "--json" in out
    assert "--debug" in out


@pytest.mark.parametrize("name", ["prepare", "train", "evaluate", "audit", "predict", "label", "export", "report"])
def test_options_are_those_of_the_function(name: str) -> None:
    function = inspect.signature(getattr(importlib.import_module(f"mien.commands.{name}"), name)).parameters
    command = dict(inspect.signature(getattr(main, name)).parameters)
    groups = {"machine": main.Machine, "embedded": main.Embedded, "manifest": main.Manifest, "looked": main.Looked}
    for key, group in groups.items():
        if command.pop(key, None):
            command |= inspect.signature(group).parameters
    renamed = {"file": "files", "more": "files", "option": "options", "limit": "limits"}
    command = {renamed.get(key, key): parameter for key, parameter in command.items()}
    assert set(command) - {"output"} == set(function)
    for key, parameter in function.items():
        if parameter.kind is parameter.KEYWORD_ONLY and command[key].default is not None:
            assert command[key].default == parameter.default, key


def test_public_names_are_the_functions_whatever_was_imported() -> None:
    importlib.import_module("mien.reports")
    for name in mien.__all__:
        assert inspect.isfunction(getattr(mien, name)), name
    assert set(mien.__all__) <= set(dir(mien))
    with pytest.raises(AttributeError, match=r"no attribute 'trian'$"):
        mien.trian  # noqa: B018


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("audit", "the functions of 'mien audit' are mien.leakage, of a run or of embeddings, and mien.audit_split"),
        ("demo", "'mien demo' is the command line's alone"),
        ("list", "'mien list' is the command line's alone"),
    ],
)
def test_a_command_that_is_no_function_says_what_to_call(monkeypatch, name, instead) -> None:
    monkeypatch.delitem(vars(mien), name, raising=False)  # the package of this name, where something imported it
    with pytest.raises(AttributeError) as error:
        getattr(mien, name)
    assert str(error.value) == f"module 'mien' has no attribute '{name}'; {instead}"


def test_an_outcome_shows_values_and_how_many_rows_there_are() -> None:
    data = {
        "run": "runs/one",
        "report": "a" * 60 + "/report.html",
        "uar": 0.123456,
        "missing": 3,
        "root": None,
        "rows": [{"a": 1}] * 12,
        "models": {"voice": {"uar": 0.5}, "face": {}},
        "clips": {"train": 12, "test": 6},
        "card": {f"a long key number {number}": number for number in range(9)},
    }
    assert repr(Outcome(data=data, text="", problems=["x"])) == (
        f"Outcome(run: runs/one, report: ...{'a' * 36}/report.html, uar: 0.1235, missing: 3, root: None, rows: 12, "
        "models: {voice, face}, clips: {train: 12, test: 6}, card: {9 entries}, problems: 1)"
    )


def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "mien", "list", "removals", "--json"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_closed_pipe_keeps_the_exit_code_of_a_leak(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("clip,speaker,split\na,ann,train\nb,ann,test\n")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "mien", "audit", "--split", str(tmp_path / "split.csv")]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (3, b"")


@pytest.mark.parametrize("what", ["readers", "features", "encoders", "removals", "protocols", "experiments"])
def test_list_tells_name_and_source(capsys: pytest.CaptureFixture[str], what: str) -> None:
    assert main.main(["list", what, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)[what]
    keys = {"title", "paper", "command", "cost", "expected"} if what == "experiments" else {"source"}
    assert rows
    for row in rows:
        assert all(row[key] for key in keys | {"name"})
    assert main.main(["list", what]) == 0
    assert all(row["name"] in capsys.readouterr().out for row in rows[:1])


def test_list_experiments_imports_nothing_heavy() -> None:
    script = (
        "import sys; from mien.cli.main import main; main(['list', 'experiments', '--json']); "
        "print(sorted({'torch', 'scipy', 'numpy', 'pandas'} & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"


def test_list_shows_what_an_experiment_extends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["list", "experiments", "--json"]) == 0
    rows = {row.pop("name"): row for row in json.loads(capsys.readouterr().out)["experiments"]}
    resolved = experiments.load("nemo")  # extends emodb, and has its paper from there
    assert rows["nemo"] == {key: getattr(resolved, key) for key in rows["nemo"]}


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == importlib.metadata.version("mien")
