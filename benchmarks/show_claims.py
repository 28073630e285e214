"""The tables of docs/results/peri2021.md from a run: scores with intervals, and its claims with their differences.

    python benchmarks/show_claims.py RUN

RUN holds an experiment with claims; only `claims.json` is read. Printed are two Markdown tables, all figures as in that
file: a row a model (its own scores; what probes read from its embeddings, by probe and by which test clips, and over
the identity floor), then a row a claim.
"""

import argparse
import json
from pathlib import Path
from typing import Any

SHORT = {"gradient_reversal": "GR", "alternating": "ALT", "confusion": "CONF", "_": " "}
Claim = dict[str, Any]


def shown(row: Claim | None, name: str = "score", *, signed: bool = False) -> str:
    """A score, or another value of a row, with its interval: .123 [.120, .126]; empty where there is none."""
    if row is None or row[name] is None:
        return ""
    value, low, high = ("none" if one is None else f"{one:.3f}".replace("0.", ".", 1) for one in _values(row, name))
    return f"{'+' if signed and row[name] > 0 else ''}{value} [{low}, {high}]"


def _values(row: Claim, name: str) -> tuple[float | None, ...]:
    return row[name], row["low"], row["high"]


def short(text: str) -> str:
    """A model's or a contrast's name as in the tables."""
    for long, brief in SHORT.items():
        text = text.replace(long, brief)
    return text


def scores(found: list[Claim]) -> None:
    """Print a row a model and a column a way of scoring."""
    columns: dict[str, dict[str, str]] = {}
    for group in found:
        for way in group["ways"]:
            name = f"{group['factor']}, {group['measure']}" + (f", {group['where']}" if group["where"] else "")
            if group["embedding"] is not None:
                name += f", from the {group['embedding']} embedding by {way['probe']}, {way['clips']}"
            columns[name] = {row["model"]: shown(row) for row in way["rows"]}
            floor = shown(way["floor"])
            print(f"{name}: chance {shown(way['chance'])}" + (f"; identity floor {floor}" if floor else ""))
    models = list(dict.fromkeys(model for column in columns.values() for model in column))
    print("\n| model | " + " | ".join(columns) + " |\n" + "| --- " * (len(columns) + 1) + "|")
    for model in models:
        print(f"| {short(model)} | " + " | ".join(column.get(model, "") for column in columns.values()) + " |")


def claims(found: list[Claim]) -> None:
    """Print a row a claim."""
    print("\n| claim | answer | differences, mean over dimensions |\n| --- | --- | --- |")
    for claim in found:
        ways = [claim["clips"], f"{claim['probe']} probe" if claim["probe"] == "strongest" else ""]
        ways = [claim["where"], *(ways if claim["probe"] else [])]
        place = f" ({', '.join(way for way in ways if way)})" if any(ways) else ""
        if claim["kind"] == "different":
            ps = [each for one in claim["contrasts"] for each in one["each"]]
            contrasts = f"p {min(ps):.3f} to {max(ps):.3f} over pairs of models and seeds" if ps else ""
        else:
            contrasts = "; ".join(
                f"{short(one['contrast'])} {shown(one, 'difference', signed=True)}" for one in claim["contrasts"]
            )
        print(f"| {claim['says']}{place} | {claim['answer']} | {contrasts} |")


def main() -> None:
    """Print the tables of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    found = json.loads((parser.parse_args().run / "claims.json").read_text(encoding="utf-8"))
    scores(found["scores"])
    claims(found["claims"])


if __name__ == "__main__":
    main()
