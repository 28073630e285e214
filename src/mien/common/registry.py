"""Registries: each module of such a package is an entry under its own name, so adding an entry is adding a file.

Modules with a leading underscore are helpers, not entries.
"""

import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

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
