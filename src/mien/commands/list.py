"""`mien list`: the readers, features, encoders, removals, protocols, experiments and models that there are.

A list reads what it shows and imports little else: only `mien list removals` needs torch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Column, Table
from rich.text import Text

from mien.commands import Outcome
from mien.common import registry
from mien.errors import ConfigError, unknown

WHOLE = {"name", "command"}  # values that stay on one line, to be copied
PROSE = 24  # characters: a column of sentences that is narrower is hard to read
GAP = 2  # characters between columns


def listing(what: str) -> Outcome:
    """List all "readers", "features", "encoders", "removals", "protocols", "experiments" or "models".

    Raises:
        ConfigError: `what` is none of these.
    """
    if what not in KINDS:
        raise ConfigError(unknown("list", what, KINDS))
    rows = KINDS[what]()
    if not rows:
        return Outcome(data={what: []}, text=f"this build of mien comes without {what}")
    return Outcome(data={what: rows}, text=_List(tuple(rows[0]), [_texts(row) for row in rows]))


def _texts(row: dict[str, Any]) -> list[str]:
    return ["" if value is None else str(value) for value in row.values()]


@dataclass(frozen=True)
class _List:
    """Rows as a table where it fits, else as one block a row; no word and no command is broken in either."""

    names: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """The table or the blocks, by the width; outside of a terminal a table has one line a row."""
        columns = [self.names, *self.rows]
        longest = [max(map(len, values)) for values in zip(*columns, strict=True)]
        least = [
            width if name in WHOLE else max(min(PROSE, width), *map(_longest_word, values))
            for name, width, values in zip(self.names, longest, zip(*columns, strict=True), strict=True)
        ]
        gaps = GAP * (len(longest) - 1)
        one_line = sum(longest) + gaps <= options.max_width
        if one_line or (console.is_terminal and sum(least) + gaps <= options.max_width):
            yield self._table(least, apart=not one_line)
        else:
            yield from self._blocks(options.max_width)

    def _table(self, least: Sequence[int], *, apart: bool) -> Table:
        heads = [
            Column(name, min_width=width, no_wrap=name in WHOLE) for name, width in zip(self.names, least, strict=True)
        ]
        table = Table(*heads, box=None, header_style="bold", pad_edge=False, padding=(0, GAP, int(apart), 0))
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def _blocks(self, width: int) -> Iterator[Text]:
        indent = GAP + max(map(len, self.names[1:])) + GAP
        for number, (title, *values) in enumerate(self.rows):
            lines = []
            for name, value in zip(self.names[1:], values, strict=True):
                room = max(width - indent, PROSE)
                parts = [value] if name in WHOLE else wrap(value, room, break_long_words=False, break_on_hyphens=False)
                heads = [" " * GAP + name, *[""] * len(parts)]
                lines += [f"{head:{indent}}{part}" for head, part in zip(heads, parts, strict=False)]
            text = Text.assemble("\n" if number else "", (title, "bold"), no_wrap=True, overflow="ignore")
            yield text.append("".join(f"\n{line}" for line in lines))


def _longest_word(value: str) -> int:
    return max(map(len, value.split()), default=0)


def _readers() -> list[dict[str, Any]]:
    shown = {"clips": "EXPECTED", "scheme": "SCHEME", "licence": "LICENCE", "source": "SOURCE"}
    readers = registry.constants("mien.corpora.readers", shown.values())
    return [{"name": name, **{key: own[of] for key, of in shown.items()}} for name, own in readers.items()]


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
    encoders = registry.constants("mien.models.encoders", ["SOURCE"])
    return [{"name": name, "source": own["SOURCE"]} for name, own in encoders.items()]


def _removals() -> list[dict[str, Any]]:
    from mien.models.objectives.removals import REMOVALS

    return [
        {"name": name, "adversary": removal.adversary, "source": removal.source} for name, removal in REMOVALS.items()
    ]


def _protocols() -> list[dict[str, Any]]:
    from mien.data import published
    from mien.data.protocols import HOUSE

    house = [{"name": name, "corpus": "any", "what": what, "source": of} for name, (what, of) in HOUSE.items()]
    others = [
        {"name": own.name, "corpus": own.reader, "what": own.title, "source": f"{own.source}; used by {own.used}"}
        for own in map(published.get, published.names())
    ]
    return [*house, *others]


def _experiments() -> list[dict[str, Any]]:
    from mien.experiments import library

    shown = ("title", "paper", "command", "cost", "expected")
    headings = {name: library.headings(name, shown) for name in library.names()}
    return [{"name": name, **{key: own[key] for key in shown}} for name, own in headings.items()]


def _models() -> list[dict[str, Any]]:
    from mien.runs import exported

    rows = []
    for name in exported.packaged():
        folder = exported.FOLDER / name
        model, size = exported.describe(folder), sum(path.stat().st_size for path in folder.iterdir())
        score, unsure = model.scores[0], model.unsure
        who = f"{score.speakers} speakers" if score.speakers else f"{score.clips:,} clips, speakers not named"
        rows.append(
            {
                "name": name,
                "classes": ", ".join(model.classes),
                "members": len(model.members),
                "size": f"{size / 1e6:.1f} MB",
                "on test": f"UAR {score.uar:.3f}, chance {score.uar_chance:.3f}, {who}",
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
    "protocols": _protocols,
    "experiments": _experiments,
    "models": _models,
}
