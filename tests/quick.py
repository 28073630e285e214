"""What takes most of the time of a test that asks for something else, made quick."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest


@contextmanager
def no_figures() -> Iterator[None]:
    """Figures are empty: for tests of what a page says; drawing them takes most of a page's time."""
    from matplotlib.figure import Figure  # most tests need none

    def savefig(self: Figure, file: TextIO, **_: object) -> None:
        file.write('<svg viewBox="0 0 1 1"></svg>')

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Figure, "savefig", savefig)
        yield
