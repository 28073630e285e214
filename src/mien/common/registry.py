"""Folders whose files are entries: a module in such a package *is* the entry of its name; adding one is adding a file.

A leading underscore makes a helper.
"""

import sys
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from mien.errors import ConfigError, unknown


def names(package: str) -> tuple[str, ...]:
    """The entries of a package (its dotted name, imported), sorted; none of them is imported."""
    return tuple(sorted(one.name for one in iter_modules(sys.modules[package].__path__) if one.name[0] != "_"))


def module(package: str, name: str, kind: str) -> ModuleType:
    """The module of an entry.

    Args:
        package: the dotted name of the package, imported.
        name: of the entry.
        kind: what the entries are, for the error, such as "encoder".

    Raises:
        ConfigError: there is no such entry; with the nearest name.
    """
    if name not in names(package):
        raise ConfigError(unknown(kind, name, names(package)))
    return import_module(f"{package}.{name}")
