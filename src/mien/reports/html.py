"""The Jinja environment of all pages: text is escaped, and an unknown name is an error."""

from collections.abc import Iterable

from jinja2 import Environment, PackageLoader, StrictUndefined

from mien.reports.words import scale


def environment(measures: Iterable[str] = ()) -> Environment:
    """A new environment for each page, so that pages do not share filters.

    All templates have `measures`: the measures of a run, key of `metrics.json` -> scale.
    """
    made = Environment(
        loader=PackageLoader("mien.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["measures"] = {name: scale(name) for name in measures}
    return made
