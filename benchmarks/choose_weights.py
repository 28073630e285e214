"""Choose the weight of each removal from a sweep on validation clips, by the rule of `least_leak`.

    python benchmarks/choose_weights.py RUN [--group weight] [--plain multitask_64] [--embedding speaker] [--probe mlp]

RUN is a run of a grid with `hold_test`, such as one of peri2021-ravdess-weights. Printed are a Markdown table, a row a
point, and the chosen settings as `key=value` for `mien train`.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mien.audit.comparison.least_leak import least_leak
from mien.experiments.grid import points
from mien.runs.run import Run


def main() -> None:
    """Print the table and the choice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--group", default="weight")
    parser.add_argument("--plain", default="multitask_64")
    parser.add_argument("--embedding", default="speaker")
    parser.add_argument("--probe", default="mlp")
    given = parser.parse_args()
    run = Run.open(given.run)
    table = least_leak(run, given.group, given.plain, embedding=given.embedding, probe=given.probe)
    tasks = [name.removesuffix("_separable") for name in table if name.endswith("_separable")]
    heads = [part for task in tasks for part in (task, f"{task} minus {given.plain}")]
    leak = f"{run.target} from the {given.embedding} embedding"
    print(f"| model | {given.group} | " + " | ".join(heads) + f" | {leak} | kept | chosen |")
    print("| --- " * (len(heads) + 5) + "|")
    for row in table.to_dict("records"):
        cells = [row["base"], row["label"]]
        for task in tasks:
            cells += [shown(row, task), shown(row, f"{task}_difference", signed=True)]
        cells += [shown(row, "leak"), "yes" if row["kept"] else "no", "chosen" if row["chosen"] else ""]
        print("| " + " | ".join(cells) + " |")
    print()
    chosen = set(zip(*(table.loc[table["chosen"], name] for name in ("base", "label")), strict=True))
    for point in points(run.experiment.grid, run.experiment.models):
        if point.group == given.group and (point.model, point.label) in chosen:
            print("\n".join(f"{key}={value}" for key, value in plain(point.changes)))
    for base in dict.fromkeys(table["base"][1:]):
        if not table.loc[table["base"] == base, "chosen"].any():
            print(f"{base}: none of the points keeps its tasks")


def plain(changes: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their dotted keys, down to the last."""
    for key, value in changes.items():
        yield from plain(value, f"{head}{key}.") if isinstance(value, Mapping) else [(f"{head}{key}", value)]


def shown(row: dict[str, float], name: str, *, signed: bool = False) -> str:
    """A score, or a difference, with its interval; empty where there is none."""
    if row[name] != row[name]:
        return ""
    value, low, high = (f"{row[f'{name}{end}']:.3f}".replace("0.", ".", 1) for end in ("", "_low", "_high"))
    return f"{'+' if signed and row[name] > 0 else ''}{value} [{low}, {high}]"


if __name__ == "__main__":
    main()
