"""The figures of a run with an adversary as Markdown: scores, differences, what is left of the speaker, silhouettes.

    python benchmarks/show_run.py RUN

Everything is from the files of the run, as `mien train` or `mien audit` left them; columns that a run lacks are empty.
The probe is the strongest one, chosen on validation clips.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mien.runs.run import Run

LEAKS = {  # head -> factor, whose, eraser, measure
    "speaker, seen": ("speaker", "seen", "", "uar"),
    "after LEACE": ("speaker", "seen", "leace", "uar"),
    "unseen speakers": ("speaker", "unseen", "", "uar"),
    "unseen, after LEACE": ("speaker", "unseen", "leace", "uar"),
    "EER of unseen speakers": ("speaker", "unseen", "", "eer"),
    "emotion (utility)": ("emotion", "unseen", "", "uar"),
    "utility, after LEACE": ("emotion", "unseen", "leace", "uar"),
    "gender, seen": ("gender", "seen", "", "uar"),
    "gender, after LEACE": ("gender", "seen", "leace", "uar"),
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    run = Run.open(parser.parse_args().run)
    found = run.metrics
    table(
        [
            "model",
            "UAR validation",
            "UAR test",
            "WA test",
            "test - validation, UAR",
            "the same, WA",
            "deviation of UAR over seeds",
            "worst speaker, WA",
        ],
        _scores(found),
    )
    first = next(iter(found["models"].values()))["test"]
    print(f"chance: UAR {_short(first['uar_chance'])}, WA {_short(first['wa_chance'])}; {first['speakers']} speakers\n")
    head = ["difference", "UAR", "p", "WA", "p"]
    table(head, _differences(found["differences"]))
    leaks = run.leakage_summary
    if leaks is not None:
        table(["embedding", *LEAKS], _leaks(leaks))
        for name, (factor, whose, eraser, measure) in LEAKS.items():
            rows = _of(leaks[leaks["role"] == "measured"], factor, whose, eraser, measure)
            if len(rows):
                print(
                    f"{name}: chance {_short(rows['chance'].mean())}, shuffled {_short(rows['shuffled'].min())} to "
                    f"{_short(rows['shuffled'].max())}, p {rows['p'].min():.4f} to {rows['p'].max():.4f}, "
                    f"n {rows['n'].mean():.0f}, {rows['number'].mean():.0f} units"
                )
        print()
    table(["leak of", "whose", "after", "difference", "p"], _leak_differences(found["leakage_differences"]))
    table(["silhouette", "by", "mean", "folds", "shuffled"], _silhouettes(found["silhouettes"]))


def table(head: list[str], rows: Iterator[list[str]]) -> None:
    """Print a table, if it has rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if lines:
        print(f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *lines, "", sep="\n")


def _scores(found: Mapping[str, Any]) -> Iterator[list[str]]:
    for model, parts in found["models"].items():
        validation, test, delta = parts["validation"], parts["test"], found["delta"][model]
        yield [
            model,
            _spanned(validation, "uar"),
            _spanned(test, "uar"),
            _spanned(test, "wa"),
            *(_spanned(delta[measure], "delta", "") for measure in ("uar", "wa")),
            _short(test["uar_seeds"]),
            f"{test['worst_speaker']}: {_short(test['worst_wa'])}",
        ]


def _differences(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    both: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        both.setdefault((row["other"], row["model"]), {})[row["measure"]] = row
    for (model, other), by in both.items():
        cells = (cell for measure in ("uar", "wa") for cell in _reversed(by[measure]))
        yield [f"{model} minus {other}", *cells]


def _leak_differences(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    for row in rows:
        yield [f"{row['other']} minus {row['model']}", row["speakers"], row["eraser"], *_reversed(row)]


def _reversed(row: Mapping[str, Any]) -> list[str]:
    """The later model minus the earlier one: the files hold the opposite."""
    ends = {"low": row["high"], "high": row["low"]}
    turned = {"difference": -row["difference"]} | {name: None if end is None else -end for name, end in ends.items()}
    separable = ", separable" if row["separable"] else ""
    return [_spanned(turned, "difference", ""), f"{_short(row['p_holm'])}{separable}"]


def _leaks(leaks: pd.DataFrame) -> Iterator[list[str]]:
    for role in ("measured", "floor", "ceiling"):
        part = leaks[leaks["role"] == role]
        for (model, embedding), own in part.groupby(["model", "embedding"], sort=False):
            cells = []
            for place in LEAKS.values():
                rows = _of(own, *place)
                cells.append(_spanned(rows.iloc[0], "score", "") if len(rows) else "")
            if any(cells):
                yield [model if role == "measured" else f"*{role}:* {embedding}", *cells]


def _of(leaks: pd.DataFrame, factor: str, whose: str, eraser: str, measure: str) -> pd.DataFrame:
    probe = "cosine" if measure == "eer" else "strongest"
    wanted = {"factor": factor, "speakers": whose, "eraser": eraser, "measure": measure, "probe": probe}
    kept = leaks["balanced"].fillna("") == ""
    for column, value in wanted.items():
        kept &= leaks[column].fillna("") == value
    return leaks[kept]


def _silhouettes(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    for row in rows:
        span = f"{_short(row['low'])} to {_short(row['high'])}"
        yield [row["model"], row["by"], _short(row["score"]), span, _short(row["shuffled"])]


def _spanned(row: Any, name: str, prefix: str | None = None) -> str:
    """A value with its interval; `prefix` is that of the keys of the ends, by itself the name and a line below."""
    ends = [row[f"{name}_{end}" if prefix is None else f"{prefix}{end}"] for end in ("low", "high")]
    if any(end is None or end != end for end in ends):
        return _short(row[name])
    return f"{_short(row[name])} [{_short(ends[0])}, {_short(ends[1])}]"


def _short(value: float | None) -> str:
    return "" if value is None else f"{value + 0:.3f}".replace("0.", ".", 1)


if __name__ == "__main__":
    main()
