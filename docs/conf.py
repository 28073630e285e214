"""How Sphinx builds the pages: `make docs`. The reference is made from the docstrings, which are in Google style."""

import inspect
import re
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Generic, TypeVar

import numpy.typing
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.util.typing import stringify_annotation

from mien.common import registry

project, author = "mien", "the authors of mien"
release = metadata.version("mien")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
suppress_warnings = ["ref.python"]  # a type in quotes has no module, and two may be called alike
html_theme = "furo"
html_title = f"mien {release}"
html_show_copyright = False
html_copy_source = False
html_use_index = html_domain_indices = False  # the search finds names; their tables are wider than a phone

default_role = "code"  # docstrings write `name`
add_module_names = False
maximum_signature_line_length = 72  # a longer one has a line for each parameter
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
myst_heading_anchors = 3

Scalar = TypeVar("Scalar")


class NDArray(Generic[Scalar]):
    """In place of numpy's, of which Python keeps the definition instead of the name."""

    __module__ = "numpy.typing"


ROOT = Path(__file__).parent.parent
PAGE = re.compile(r"^\{root\}`(.+)`$", re.MULTILINE)
ENTRIES = re.compile(r"^\{entries\}`(.+)`$", re.MULTILINE)
ENTRY = """## {name}

```{{eval-rst}}
.. automodule:: {package}.{name}
   :members:
```
"""
NO_PAGE = re.compile(r"\[([^]]+)\]\((?:\.\./)+(?:examples|src/[^)]+/README\.md)\)")  # links to what is not built


def of_root(found: re.Match[str]) -> str:
    """A page that stands beside this folder, with its links as they are from here."""
    text = (ROOT / found[1]).read_text(encoding="utf-8")
    pages = {"](docs/": "](", "](CHANGELOG.md": "](changelog.md", "](CONTRIBUTING.md": "](contributing.md"}
    for there, here in pages.items():
        text = text.replace(there, here)
    return text


def entries(found: re.Match[str]) -> str:
    """A heading and the module of each entry of a registry, so that a new file in it is in the reference by itself."""
    package = import_module(found[1]).__name__
    return "\n".join(ENTRY.format(name=name, package=package) for name in registry.names(package))


def expand(app: Sphinx, page: str, source: list[str]) -> None:
    """Put pages and entries where a page asks for them, and lead no link out of this folder."""
    text = ENTRIES.sub(entries, PAGE.sub(of_root, source[0]))
    text = NO_PAGE.sub(r"\1", text).replace("](../CONTRIBUTING.md", "](contributing.md")
    source[0] = text.replace("```mermaid", "```text")  # drawn by a script from elsewhere, which these pages do without


def skip(app: Sphinx, what: str, name: str, value: object, skipped: bool, options: object) -> bool | None:
    """Leave out what other libraries say of classes: the numbers of a named tuple's fields, pydantic's own settings."""
    return True if name == "model_config" or str(value.__doc__).startswith("Alias for field number") else None


def whole(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Begin a property's docstring with an empty comment: else its words up to a colon are taken for a type."""
    if what == "property":
        lines[:0] = ["..", ""]


def short(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Write the types of attributes without their modules, as those of parameters are written."""
    for number, line in enumerate(lines):
        if line.lstrip().startswith(":vartype "):
            lines[number] = re.sub(r"\b(?:[a-z_]\w*\.)+(?=\w)", "", line)


def returns(
    app: Sphinx, what: str, name: str, value: Callable[..., object], options: object, signature: str, returned: object
) -> tuple[str, str] | None:
    """Write what a function returns into its signature; the types of its parameters stand with their descriptions."""
    if what not in {"function", "method"}:
        return None
    annotation = inspect.signature(value).return_annotation
    return (
        None
        if annotation in {inspect.Signature.empty, None}
        else (signature, stringify_annotation(annotation, "smart"))
    )


def once(app: Sphinx, domain: str, kind: str, content: nodes.Element) -> None:
    """Take away what autodoc adds on the type that a function returns, which its signature has."""
    for field in list(content.findall(nodes.field)):
        if field[0].astext() == "rtype":
            field.parent.remove(field)


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    numpy.typing.NDArray = NDArray  # type: ignore[misc, assignment]
    next(field for field in PyObject.doc_field_types if field.name == "variable").label = "Attributes"
    app.connect("source-read", expand)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", returns)
    app.connect("autodoc-process-docstring", whole, priority=400)  # napoleon's is 500
    app.connect("autodoc-process-docstring", short, priority=600)
    app.connect("object-description-transform", once, priority=600)  # autodoc's is 500
