"""The maps of two unseen speakers, by emotion and by speaker, of some models of a run (Li et al. 2020, Fig. 2).

    python benchmarks/show_maps.py RUN --model multitask --model MEnAN --out docs/results/pictures/li2020-maps.svg

The same figures as on the page of the run, from its `maps.csv`, as one picture: a row a model.
"""

import argparse
from pathlib import Path

from _sheets import sheet
from mien.reports.sections.evidence import maps_of
from mien.runs.run import Run


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--model", action="append", help="repeat for more; all without it")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    run = Run.open(given.run)
    maps = {one.title: one for one in maps_of(run)}
    wanted = given.model or run.experiment.models
    shown = [one for title, one in maps.items() if title.partition(":")[0].partition(",")[0] in wanted]
    if not shown:
        parser.error(f"{given.run}: no maps of {', '.join(wanted)}; `mien report` makes them")
    rows = [
        (one.title, [(picture.svg, f"{picture.title}: {picture.caption}") for picture in one.pictures]) for one in shown
    ]
    given.out.write_text(sheet(rows, f"Maps of the embeddings of {', '.join(wanted)}"), "utf-8")


if __name__ == "__main__":
    main()
