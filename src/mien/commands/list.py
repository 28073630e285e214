"""`mien list`: the readers, features, encoders, removals, experiments and models that there are.

A list imports only what it shows: `mien list experiments` needs neither torch nor scipy.
"""

from collections.abc import Callable
from typing import Any

from rich.table import Table

from mien.commands import Outcome
from mien.errors import ConfigError, unknown


def listing(what: str) -> Outcome:
    """List all "readers", "features", "encoders", "removals", "experiments" or "models".

    Raises:
        ConfigError: `what` is none of these.
    """
    if what not in KINDS:
        raise ConfigError(unknown("list", what, KINDS))
    rows = KINDS[what]()
    if not rows:
        return Outcome(data={what: []}, text=f"this build of mien comes without {what}")
    table = Table(
        *rows[0],
        box=None,
        header_style="bold",
        pad_edge=False,
        padding=(0, 2, 1 if what in {"experiments", "models"} else 0, 0),
    )
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    return Outcome(data={what: rows}, text=table)


def _readers() -> list[dict[str, Any]]:
    from mien.corpora import readers

    rows = []
    for name in readers.names():
        reader = readers.reader(name)
        rows.append(
            {
                "name": name,
                "clips": reader.EXPECTED,
                "scheme": reader.SCHEME,
                "licence": reader.LICENCE,
                "source": reader.SOURCE,
            }
        )
    return rows


def _features() -> list[dict[str, Any]]:
    from mien import features

    rows = []
    for name in features.names():
        feature = features.feature(name)
        shape = " x ".join(map(str, features.shape(name, feature.Config())))
        of = features.modality(name)
        rows.append({"name": name, "modality": of, "values": shape, "source": feature.SOURCE})
    return rows


def _encoders() -> list[dict[str, Any]]:
    from mien.models import encoders

    return [{"name": name, "source": encoders.encoder(name).SOURCE} for name in encoders.names()]


def _removals() -> list[dict[str, Any]]:
    from mien.models.objectives.removals import REMOVALS

    return [
        {"name": name, "adversary": removal.adversary, "source": removal.source} for name, removal in REMOVALS.items()
    ]


def _experiments() -> list[dict[str, Any]]:
    from mien.experiments import library

    shown = ("title", "paper", "command", "cost", "expected")
    settings = {name: library.read(name)[0] for name in library.names()}
    return [{"name": name, **{key: own[key] for key in shown}} for name, own in settings.items()]


def _models() -> list[dict[str, Any]]:
    from mien.runs import exported

    rows = []
    for name in exported.packaged():
        folder = exported.FOLDER / name
        model, size = exported.describe(folder), sum(path.stat().st_size for path in folder.iterdir())
        score, unsure = model.scores[0], model.unsure
        rows.append(
            {
                "name": name,
                "classes": ", ".join(model.classes),
                "members": len(model.members),
                "size": f"{size / 1e6:.1f} MB",
                "unseen speakers": f"UAR {score.uar:.3f} of {score.speakers}, chance {score.uar_chance:.3f}",
                "on validation": f"answers {unsure.coverage:.0%}, {unsure.accuracy:.0%} of these correctly",
                "source": f"{exported.CARD} in {folder}",
            }
        )
    return rows


KINDS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "readers": _readers,
    "features": _features,
    "encoders": _encoders,
    "removals": _removals,
    "experiments": _experiments,
    "models": _models,
}
