"""The pages that `make docs` builds: each is reached from the index, and the reference has every public name."""

import importlib.util
import math
import re
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest

import mien

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
API = sorted((DOCS / "api").glob("*.md"))


def listed() -> set[str]:
    """The pages in the tables of contents of the index."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    pages = chain.from_iterable(DOCS.glob(f"{line}.md") for line in lines)
    return {page.relative_to(DOCS).as_posix() for page in pages}


def modules(directive: str) -> list[str]:
    return re.findall(directive, "\n".join(page.read_text(encoding="utf-8") for page in API), re.MULTILINE)


def test_every_public_function_is_in_the_reference() -> None:
    assert sorted(modules(r"^\.\. autofunction:: (\w+)$")) == sorted(mien.__all__)


def test_every_page_is_in_the_index() -> None:
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if "_build" not in page.parts}
    assert pages - {"index.md"} == listed()


def test_every_module_of_the_reference_is_there_once() -> None:
    named = modules(r"^\.\. automodule:: (\S+)$")
    assert len(named) == len(set(named))
    for module in named:
        place = ROOT / "src" / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__init__.py").is_file(), module


@pytest.mark.parametrize("package", ["corpora.readers", "features", "models.encoders", "models.recipes"])
def test_the_entries_of_a_registry_have_a_page(package: str) -> None:
    assert modules(rf"^{{entries}}`mien\.{re.escape(package)}`$"), "each of its files is put there when pages are built"


def tables() -> ModuleType:
    """`benchmarks/show_tables.py`."""
    spec = importlib.util.spec_from_file_location("show_tables", ROOT / "benchmarks" / "show_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_picture_shows_the_figures_that_stand_on_its_page() -> None:
    found = tables()
    for page, panels in found.PAGES.items():
        for panel in panels:
            rows = found.rows_of(page, panel)
            assert rows, (page, panel)
            assert not panel.rows or sorted(row.label for row in rows) == sorted(panel.rows), (page, panel)
            known = [row for row in rows if not math.isnan(row.low)]
            assert all(row.low <= row.value <= row.high for row in known), (page, panel)
        drawn = (found.PICTURES / f"{page}.svg").read_text(encoding="utf-8")
        assert f"<desc>{found.digest(page)}</desc>" in drawn, f"python benchmarks/show_tables.py --page {page}"


def test_every_picture_of_a_page_is_there_and_has_words() -> None:
    for page in (path for path in [ROOT / "README.md", *DOCS.rglob("*.md")] if "_build" not in path.parts):
        for words, name in re.findall(r"!\[(.*?)\]\((.*?)\)", page.read_text(encoding="utf-8")):
            assert words, (page, name)
            assert (page.parent / name).is_file(), (page, name)
