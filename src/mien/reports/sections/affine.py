"""Affine maps to the classes of other corpora, on the page of a run: scores, differences and confusion matrices."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mien.common.tables import numbers
from mien.experiments import reference
from mien.reports import affine_text, words
from mien.reports.figures import plots
from mien.reports.sections.recognition import Picture
from mien.runs.coverage import of_affine
from mien.runs.run import Run

MEASURES = ("wa", "uar")


def shown(run: Run) -> list[dict[str, Any]]:
    """The values of the section, one for each corpus.

    Returns:
        `name`, `head` (a sentence), `warnings`, `chance`; `protocols`: for each its name, `what` it is, the rows of
        `systems`, `sentences` on differences, and `pictures`: confusion matrices; `measures`: name -> scale; `notes`;
        `paper`: what the paper reports of its models.
    """
    return [_shown(run, name, numbers(found)) for name, found in run.affine.items()]


def _shown(run: Run, name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    lost = ", ".join(f"{why} ({count})" for why, count in found["left_out"].items())
    notes = [*found["notes"], *([f"not scored: {lost}"] if lost else [])]
    return {
        "name": name,
        "head": f"{affine_text.head(found)}.",
        "warnings": [words.sentence(warning) for warning in of_affine(run, name).warnings],
        "chance": found["chance"],
        "interval": found["interval"],
        "measures": {key: words.scale(key) for key in MEASURES},
        "notes": [words.sentence(note) for note in notes],
        "paper": [
            f"{model}: {own}"
            for model in run.experiment.models
            if (own := reference.others(run.experiment, model, "affine"))
        ],
        "protocols": [
            {
                **protocol,
                "name": key,
                "title": words.sentence(protocol["what"]).removesuffix("."),
                "sentences": affine_text.of_protocol(protocol),
                "pictures": list(_pictures(name, key, protocol, found["classes"])),
            }
            for key, protocol in found["protocols"].items()
        ],
    }


def _pictures(name: str, key: str, protocol: Mapping[str, Any], classes: list[str]) -> Iterator[Picture]:
    """The confusion matrix of each system, as Fig. 5 of Albanie et al. 2018."""
    for system, counts in protocol["confusion"].items():
        described = f"Confusion matrix of {system} on {name}, {protocol['what']}"
        drawn = plots.matrix(np.array(counts), classes, name=f"affine {name} {key} {system}", description=described)
        yield Picture(system, drawn)
