"""The environment that all pages are made in: text is never markup, and what is not known is an error."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from mien.audit.statistics.scores import SCORES


def environment() -> Environment:
    """A new one, so that filters of one page are not another's.

    `measures` is a name in all templates: the measures of a run's tables, by the key of `metrics.json`.
    """
    made = Environment(
        loader=PackageLoader("mien.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["measures"] = SCORES
    return made
