"""The tables of docs/results/auxformer2022.md from a run of `auxformer2022-toy` or `auxformer2022-ravdess`.

python benchmarks/show_auxformer.py RUN

RUN has been trained; where `mien evaluate RUN --missing GRID` has been run, what is missing is shown too. All figures
are read from the files of the run, none is computed here but gains in percent (difference / standard training's score).
"""

import argparse
from pathlib import Path
from typing import Any

from mien.audit.robustness import counted
from mien.audit.robustness.gains import gain
from mien.experiments.conditions import Condition
from mien.runs.run import Run

PATTERNS = (("audio", "blocks"), ("video", "blocks"), ("audio", "frames"), ("video", "frames"))
SHARES = (0.25, 0.5, 0.75, 1.0)


def limits(row: dict[str, Any], name: str = "score", low: str = "low", high: str = "high") -> str:
    values = [row[key] for key in (name, low, high)]
    if any(value is None or value != value for value in values):
        return "-"
    return f"{values[0]:.3f} [{values[1]:.3f}, {values[2]:.3f}]".replace("0.", ".")


def signed(row: dict[str, Any]) -> str:
    if row["low"] is None:
        return "-"
    return f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]".replace("0.", ".")


def line(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |")


def models(run: Run) -> None:
    scores = {one["measure"]: one for one in run.claims["scores"] if one["embedding"] is None}
    ways = {name: {row["model"]: row for row in one["ways"][0]["rows"]} for name, one in scores.items()}
    chance = {name: one["ways"][0]["chance"]["score"] for name, one in scores.items()}
    line("model", "macro F1", "micro F1")
    line("---", "---", "---")
    for model in run.experiment.models:
        line(f"`{model}`", *(limits(ways[name][model]) for name in ("macro_f1", "micro_f1")))
    line("chance (one class)", *(f"{chance[name]:.3f}".lstrip("0") for name in ("macro_f1", "micro_f1")))
    row = next(iter(ways["macro_f1"].values()))
    print(f"\n{len(run.splits)} splits, {row['speakers']} speakers tested, {row['clips']} clips\n")


def claims(run: Run) -> None:
    line("claim", "difference", "answer", "paper's test: p", "corrected p", "intervals: ours / its own")
    line(*["---"] * 6)
    for claim in run.claims["claims"]:
        for row in claim["contrasts"] or [{}]:
            test = row.get("over_splits") or {}
            figures = [f"{test[key]:.2g}" if test.get(key) is not None else "-" for key in ("p_t", "p_corrected")]
            wider = f"{test['wider']:.1f}" if test.get("wider") is not None else "-"
            difference = signed(row) if row else "-"
            line(claim["says"], difference, claim["answer"].partition(":")[0], *figures, wider)
    print()


def missing(run: Run, name: str) -> None:
    table = run.robustness_table(name, "conditions.csv")
    table = table[table["measure"] == "macro_f1"]
    rows = {
        (row["model"], row["modality"], row["pattern"], float(row["level"])): row for row in table.to_dict("records")
    }
    print(f"{name}: macro F1\n")
    line("model", "complete", "face alone", "voice alone", "half of the voice (blocks)", "half of the face (blocks)")
    line(*["---"] * 6)
    for model in run.experiment.models:
        places = [
            ("", "complete", 0.0),
            ("audio", "whole", 1.0),
            ("video", "whole", 1.0),
            ("audio", "blocks", 0.5),
            ("video", "blocks", 0.5),
        ]
        cells = [limits(rows[model, *place]) if (model, *place) in rows else "-" for place in places]
        line(f"`{model}`", *cells)
    whole = run.robustness_table(name, "conditions.csv").query("pattern == 'whole' and level == 1")
    for lost, words in (("audio", "face alone"), ("video", "voice alone")):
        for measure in ("macro_f1", "wa"):
            part = whole[(whole["measure"] == measure) & (whole["modality"] == lost)]
            score = part.set_index("model")["score"]
            if {"optimized", "auxformer"} <= set(score.index):
                points = score["optimized"] - score["auxformer"]
                percent = 100 * points / score["auxformer"]
                print(
                    f"\n{words}, {measure}: optimized over standard {100 * points:+.1f} points, {percent:+.1f} percent"
                )
    print()
    line("model", *(f"{modality}, {pattern} {share:g}" for modality, pattern in PATTERNS for share in SHARES[:3]))
    line(*["---"] * (1 + 3 * len(PATTERNS)))
    for model in run.experiment.models:
        places = [(modality, pattern, share) for modality, pattern in PATTERNS for share in SHARES[:3]]
        found = [rows.get((model, *place)) for place in places]
        line(f"`{model}`", *("-" if one is None else f"{one['score']:.3f}".lstrip("0") for one in found))
    print("\nconfidence, accuracy and calibration error\n")
    line("model", "complete", "face alone", "voice alone")
    line(*["---"] * 4)
    for model in run.experiment.models:
        found = [
            rows.get((model, *place))
            for place in (("", "complete", 0.0), ("audio", "whole", 1.0), ("video", "whole", 1.0))
        ]
        cells = [
            "-" if one is None else f"{one['confidence']:.2f} / {one['accuracy']:.2f} / {one['ece']:.2f}"
            for one in found
        ]
        line(f"`{model}`", *cells)
    other = table[~table["pattern"].isin(["whole", "blocks", "frames", "complete", "face lost", "face_lost"])]
    kinds = list(dict.fromkeys(zip(other["modality"], other["pattern"], other["level"], other["unit"], strict=True)))
    if kinds:
        print()
        line("model", *(f"{pattern}, {level:g} {unit}" for _, pattern, level, unit in kinds))
        line(*["---"] * (1 + len(kinds)))
        for model in run.experiment.models:
            found = [rows.get((model, modality, pattern, float(level))) for modality, pattern, level, _ in kinds]
            line(f"`{model}`", *("-" if one is None else f"{one['score']:.3f}".lstrip("0") for one in found))
    print()


def masks(run: Run, name: str) -> None:
    """What masks and tokens score more than zeros where a part is missing."""
    found = counted.read(run.folder / "robustness" / name)
    print("macro F1, over zeros\n")
    line("", *(f"{modality}, {pattern} {share:g}" for modality, pattern in PATTERNS for share in (0.5, 0.75)))
    line(*["---"] * 9)
    for model, other in (("masked", "auxformer"), ("optimized_masked", "optimized"), ("optimized_token", "optimized")):
        conditions = [Condition(*place, share) for place in PATTERNS for share in (0.5, 0.75)]
        known = [found[model].examined(one) and found[other].examined(one) for one in conditions]
        gains = [
            gain(found[model], found[other], one) if has else None for one, has in zip(conditions, known, strict=True)
        ]
        line(f"`{model}` minus `{other}`", *("-" if one is None else signed(one._asdict()) for one in gains))
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = Run.open(parser.parse_args().run)
    models(run)
    claims(run)
    for name in run.robustness:
        missing(run, name)
        masks(run, name)


if __name__ == "__main__":
    main()
