"""The learning curves of docs/results/rana2019.md as a Markdown table.

    python benchmarks/show_curves.py COMPARED

COMPARED is what `mien compare RUN ... --out COMPARED` wrote; only `curves.csv` is read. A row a model, a column a share
of the labels: the score with its interval over speakers and, below, the difference from the supervised model at that
share, p after Holm.
"""

import argparse
from pathlib import Path

import pandas as pd


def number(value: float, *, signed: bool = False) -> str:
    """A fraction as .123, or +.123."""
    text = f"{abs(value):.3f}".removeprefix("0")  # 1.000 stays
    return f"{'-' if value < 0 else '+' if signed else ''}{text}"


def shown(row: pd.Series, name: str, *, signed: bool = False) -> str:
    """A score or a difference with its interval; empty where there is none."""
    if pd.isna(row[name]):
        return ""
    low, high = ("low", "high") if name == "score" else (f"{name}_low", f"{name}_high")
    return f"{number(row[name], signed=signed)} [{number(row[low])}, {number(row[high])}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("compared", type=Path)
    curves = pd.read_csv(parser.parse_args().compared / "curves.csv")
    shares = sorted(curves["labelled"].unique())
    print("| model | " + " | ".join(f"{share:.0%} of the labels".replace("%", " %") for share in shares) + " |")
    print("| --- |" + " --- |" * len(shares))
    for model, rows in curves.groupby("system", sort=False):
        rows = rows.set_index("labelled").reindex(shares)
        there = [rows.loc[share] for share in shares]
        print(f"| {model} | " + " | ".join(shown(row, "score") for row in there) + " |")
        if rows["difference"].notna().any():
            cells = [f"{shown(row, 'difference', signed=True)}, p {number(row['p_holm'])}" for row in there]
            print("| *minus the supervised one* | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
