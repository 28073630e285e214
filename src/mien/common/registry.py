"""Registries: each module of such a package is an entry under its own name, so adding an entry is adding a file.

Modules with a leading underscore are helpers, not entries.
"""

import ast
import sys
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from mien.errors import ConfigError, unknown


def names(package: str) -> tuple[str, ...]:
    """The names of the entries of a package, sorted, without importing them.

    Args:
        package: the dotted name of a package that is imported.
    """
    return _names(tuple((folder, _changed(folder)) for folder in sys.modules[package].__path__))


@lru_cache
def _names(folders: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """The names in folders, which are listed again only where one has changed: settings ask thousands of times."""
    entries = (entry.name for entry in iter_modules(folder for folder, _ in folders))
    return tuple(sorted(name for name in entries if not name.startswith("_")))


def _changed(folder: str) -> int:
    """When files were last added to a folder or removed from it, in nanoseconds; 0 where that is not known."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def module(package: str, name: str, kind: str) -> ModuleType:
    """The module of an entry.

    Args:
        package: the dotted name of a package that is imported.
        name: the name of the entry.
        kind: what an entry is called in the error, such as "encoder".

    Raises:
        ConfigError: there is no such entry; the message suggests the nearest name.
    """
    if name not in names(package):
        raise ConfigError(unknown(kind, name, names(package)))
    return import_module(f"{package}.{name}")


def constants(package: str, wanted: Collection[str]) -> dict[str, dict[str, Any]]:
    """The constants of all entries of a package as their files say them, without importing the package.

    Only an entry with one that is no literal, or is not assigned at the top of its file, is imported.

    Args:
        package: its dotted name.
        wanted: names of constants that every entry has.

    Returns:
        Name of the entry, sorted -> name of the constant -> its value.
    """
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    files = [file for folder in folders or () for file in Path(folder).glob("*.py") if not file.name.startswith("_")]
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(files, key=lambda one: one.stem):
        written = _literals(ast.parse(file.read_bytes()))
        if not written.keys() >= set(wanted):
            written = vars(import_module(f"{package}.{file.stem}"))
        found[file.stem] = {name: written[name] for name in wanted}
    return found


def _literals(tree: ast.Module) -> dict[str, Any]:
    """What is assigned to a name at the top of a file, where it is a literal."""
    values: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with suppress(ValueError):
                values[node.targets[0].id] = ast.literal_eval(node.value)
    return values
