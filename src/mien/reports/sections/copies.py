"""Scores with and without clips that have an exact copy in training or validation: a sentence and a table."""

from collections.abc import Mapping
from typing import Any

from mien.audit.splits.certificate import CLIPS
from mien.reports.words import counted, listed
from mien.runs.run import Run


def phrase(found: Mapping[str, Any]) -> str:
    """How the other clips are scored, for a sentence: "without the 279 test clips that have a copy in training".

    Args:
        found: `without_copies` of `metrics.json`.
    """
    return f"without {_left_out(found)}"


def _left_out(found: Mapping[str, Any]) -> str:
    clips = counted(found["clips"], f"{found['split']} clip")
    places = listed(CLIPS[part] for part in found["copies_in"])
    return f"the {clips} that {'has' if found['clips'] == 1 else 'have'} a copy in {places}"


def shown(run: Run, found: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the table; empty where no clip has a copy.

    Args:
        run: the run.
        found: its `metrics.json`.

    Returns:
        `left_out`: the clips with a copy, in words; `of`: the number of clips; `left`: of the others; `rows`: `model`,
        the scores of `all` clips, and those `without`, None where no other clip is left.
    """
    if (without := found.get("without_copies")) is None:
        return {}
    scored = {model: found["models"].get(model, {}).get(found["split"]) for model in run.experiment.models}
    rows = [
        {"model": model, "all": scores, "without": without["models"].get(model)}
        for model, scores in scored.items()
        if scores
    ]
    left = without["of"] - without["clips"]
    return {"left_out": _left_out(without), "of": without["of"], "left": left, "rows": rows}
