"""The paper's test over random splits beside ours by speaker: `over_splits` of `metrics.json` and of claims."""

from collections.abc import Mapping, Sequence
from typing import Any

from mien.audit.comparison.split_tests import too_sure
from mien.common.units import noun
from mien.reports import words
from mien.runs.run import Run


def shown(run: Run, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values of the table of pairs; None where the run has no such test.

    Returns:
        `rows`: `model, other, measure` (its title), `mean`, `t`, `p` and `corrected` of the splits, and `difference`,
        `limits`, `p_holm`, `separable` over speakers, as text; `splits`: their number; `sentence`: see `too_sure`.
    """
    models = set(run.experiment.models)
    rows = [row for row in metrics.get("over_splits", []) if {row["model"], row["other"]} <= models]
    sentence = too_sure([_known(row) for row in rows], named=run.named)
    if not sentence:
        return None
    return {
        "rows": [_row(row) for row in rows],
        "splits": max(int(row["splits"]) for row in rows),
        "sentence": sentence,
        "unit": noun(run.named),
    }


def of_contrast(contrast: Mapping[str, Any], scale: words.Scale) -> str:
    """The paper's test of a contrast of a claim in a line; empty without one."""
    found = contrast.get("over_splits")
    if found is None or found["p_t"] is None:
        return ""
    p, corrected = (words.probability(found[key]) for key in ("p_t", "p_corrected"))
    head = f"paired t over {words.counted(found['splits'], 'split')}: {scale.signed(found['mean'])}"
    return f"{head}, t {_t(found)}, p {p}; corrected p {corrected}"


def of_claims(claims: Sequence[Mapping[str, Any]], named: bool) -> str:
    """The sentence on all contrasts of claims that have the paper's test; empty without any."""
    rows = [
        contrast | contrast["over_splits"]
        for claim in claims
        for contrast in claim["contrasts"]
        if "over_splits" in contrast
    ]
    return too_sure(rows, named=named)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    scale = words.scale(row["measure"])
    return {
        **{"model": row["model"], "other": row["other"], "measure": f"{scale.title}{scale.points}"},
        **{"mean": scale.signed(row["mean"]), "t": _t(row), "p": words.probability(row["p_t"])},
        **{"corrected": words.probability(row["p_corrected"]), "difference": scale.signed(row["difference"])},
        **{"limits": scale.span(row["low"], row["high"]), "p_holm": words.probability(row["p_holm"])},
        "separable": bool(row["separable"]),
    }


def _t(row: Mapping[str, Any]) -> str:
    t = row["t"]
    return words.UNKNOWN if t is None else words.decimal(t)


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with None in place of nan."""
    return {key: None if isinstance(value, float) and value != value else value for key, value in row.items()}
