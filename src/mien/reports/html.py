"""The environment that all pages are made in: text is never markup, and what is not known is an error."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment() -> Environment:
    """A new one, so that filters of one page are not another's."""
    return Environment(
        loader=PackageLoader("mien.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
