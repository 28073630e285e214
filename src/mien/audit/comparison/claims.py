"""What a paper claims, each answered by a run: yes, no, not separable, or not asked.

The claims stand in the experiment file (`mien.experiments.claims`). A claim stands on one difference of scores or
several, each a mean over the places that both sides share.

- *above*, *below*: yes where all of its differences are separable (the one verdict of `compare`, Holm over the
  differences of the claim) on the claimed side; no where one of them is separable on the other; else not separable.
- *kept*: no worse by the margin or more: yes where all intervals end above minus the margin; no where one difference is
  separable below zero and its interval is not; else not separable.
- *near*: yes where all intervals end below the margin, or below chance itself where that is less (twice chance in all);
  no where one is separable above zero; else not separable.
- *different*: yes where all pairs of models differ by Stuart-Maxwell at the level asked for, with every seed; else not
  separable.

No claim is answered yes on fewer than six speakers. Where every class is equally frequent, all clips as they are and
all classes weighted alike are the same: then what is claimed of both stands once.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.comparison.claim_scores import Counts, Source, counts_of, measure, outputs_of, scores
from mien.audit.statistics.contrasts import Term, contrast, verdicts
from mien.audit.statistics.verdict import FEWEST
from mien.experiments.claims import (
    ABOVE,
    ALL,
    ALPHA,
    BALANCED,
    BELOW,
    CHANCE,
    DIFFERENT,
    FLOOR,
    KEPT,
    MARGIN,
    NEAR,
    Axes,
    Claim,
    Difference,
    differences,
)
from mien.runs.run import Run

FILE, TABLE = "claims.json", "claims.csv"
YES, NO, OPEN, UNASKED = "yes", "no", "not separable", "not asked"
EVEN = "balanced as it is"
HEAD = ("claim", "says", "section", "kind", "factor", "measure", "embedding", "probe", "clips")
COLUMNS = (*HEAD, "answer", "contrast", "difference", "low", "high", "p", "p_holm", "separable", "speakers")


def write(run: Run, *, seed: int = 0) -> dict[str, Any] | None:
    """Write RUN/claims.json and RUN/claims.csv, and return the former; None, and nothing, where nothing is claimed.

    Args:
        run: with predictions; `tasks.csv` and what probes predicted (`run_leakage.run_said`) as far as they are there.
        seed: of the bootstraps.

    Returns:
        `split`: what is scored; `claims`: see `answered`; `scores`: see `claim_scores.scores`.

    Raises:
        RunError: a file of the run is missing or damaged.
    """
    experiment = run.experiment
    if not experiment.claims:
        return None
    outputs = outputs_of(run)
    counts = counts_of(outputs)
    split = str(outputs.predictions["split"].iloc[0])
    claims = answered(experiment.claims, experiment.axes, tuple(experiment.models), counts, seed=seed)
    made = {"split": split, "claims": claims, "scores": scores(run, outputs, counts, seed=seed)}
    run.write_json(FILE, made)
    run.write_table(TABLE, rows_of(claims))
    return made


def answered(
    claims: Mapping[str, Claim], axes: Axes, models: Sequence[str], counts: Counts, *, seed: int = 0
) -> list[dict[str, Any]]:
    """Every claim in each of its ways, in their order.

    Args:
        claims: of the experiment.
        axes: of the experiment.
        models: of the experiment.
        counts: what the run shows.
        seed: of the bootstraps.

    Returns:
        `claim` (its key), `says, section, kind, factor, measure, embedding, probe, figures` as in the file, `clips`:
        `all`, `balanced` or "balanced as it is"; `margin` or `alpha` of the kinds that have one; `answer`; and
        `contrasts`: `contrast` in words, `difference, low, high, p, p_holm, separable, speakers`; of the kind
        "different" `contrast, seeds, each` (p by seed), `p` of the seed that differs least and `p_holm` of the one that
        differs most.
    """
    made = []
    for name, claim in claims.items():
        if claim.kind == DIFFERENT:
            made.append(_different(name, claim, axes, [model for model in models if model in counts.predicted], counts))
            continue
        for source, clips in _ways(claim, counts):
            tables = counts.tables.get(source, {})
            compared = differences(claim, axes, [model for model in models if model in tables])
            made.append(_scored(name, claim, compared, source, clips, counts, seed))
    return made


def rows_of(claims: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """`claims.csv`: one row a contrast, or one row of a claim that has none (`COLUMNS`)."""
    rows = []
    for claim in claims:
        head = {key: value for key, value in claim.items() if key != "contrasts"}
        rows += [head | dict(one) for one in claim["contrasts"]] or [head]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def _ways(claim: Claim, counts: Counts) -> Iterator[tuple[Source, str]]:
    """In which ways a claim is asked: of clips that are balanced already not once more of all of them."""
    for probe, clips in dict.fromkeys(claim.ways):
        source = Source(str(claim.factor), claim.embedding, probe)
        if not (clips == ALL and (probe, BALANCED) in claim.ways and counts.even(source)):
            yield source, clips


def _scored(
    name: str, claim: Claim, compared: Sequence[Difference], source: Source, clips: str, counts: Counts, seed: int
) -> dict[str, Any]:
    """A claim of a score."""
    margin = {} if claim.kind in (ABOVE, BELOW) else {"margin": MARGIN if claim.margin is None else claim.margin}
    called = EVEN if clips == BALANCED and counts.even(source) else clips
    head = _head(name, claim) | {"probe": source.probe, "clips": called, **margin}
    terms = {one.words: _terms(claim, one, source, clips, counts) for one in compared}
    if not terms or not all(terms.values()):
        return head | {"answer": UNASKED, "contrasts": []}
    table = verdicts([contrast(own, seed=seed) for own in terms.values()])
    table.insert(0, "contrast", list(terms))
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    for row in rows:
        row |= {"separable": bool(row["separable"]), "speakers": int(row["speakers"])}
    if claim.kind == NEAR and claim.minus == CHANCE:
        level = [own[-1].measure(own[-1].table.counts.sum(0)) for own in terms.values()]
        head["margin"] = min(head["margin"], *map(float, level))
    answer = _answer(claim.kind, rows, head.get("margin", 0.0))
    return head | {"answer": answer, "contrasts": [_plain(row) for row in rows]}


def _terms(claim: Claim, one: Difference, source: Source, clips: str, counts: Counts) -> list[Term]:
    """The terms of a difference; none where the level that it is taken from is not known."""
    tables, scored = counts.tables[source], measure(str(claim.measure), clips)
    terms = [Term(1 / len(one.plus), tables[model], scored) for model in one.plus]
    if claim.minus == CHANCE:
        return [*terms, counts.chance(source, tables[one.plus[0]], scored, -1.0)]
    if claim.minus == FLOOR:
        floor = counts.floors.get((source.factor, str(source.probe)))
        return [] if floor is None else [*terms, Term(-1.0, floor, scored)]
    return [*terms, *(Term(-1 / len(one.minus), tables[model], scored) for model in one.minus)]


def _different(name: str, claim: Claim, axes: Axes, models: Sequence[str], counts: Counts) -> dict[str, Any]:
    """Stuart-Maxwell, of each two models with the same place."""
    alpha = ALPHA if claim.alpha is None else claim.alpha
    rows = []
    for one in differences(claim, axes, models):
        for model, other in zip(one.plus, one.minus * (len(one.plus) // len(one.minus)), strict=True):
            tested = counts.different(model, other)
            p = {"p": max(tested["p"], default=float("nan")), "p_holm": tested["p_holm"]}
            rows.append({"contrast": f"{model} against {other}", "seeds": tested["seeds"], "each": tested["p"], **p})
    answer = UNASKED if not rows else YES if all(row["p"] < alpha for row in rows) else OPEN
    head = _head(name, claim) | {"probe": None, "clips": ALL, "alpha": alpha}
    return head | {"answer": answer, "contrasts": [_plain(row) for row in rows]}


def _head(name: str, claim: Claim) -> dict[str, Any]:
    head = {"claim": name} | {key: getattr(claim, key) for key in HEAD if key not in ("claim", "probe", "clips")}
    return head | {"figures": dict(claim.figures)}


def _answer(kind: str, rows: Sequence[Mapping[str, Any]], margin: float) -> str:
    enough = all(row["speakers"] >= FEWEST for row in rows)
    if kind in (ABOVE, BELOW):
        sign = 1 if kind == ABOVE else -1
        if any(row["separable"] and sign * row["difference"] < 0 for row in rows):
            return NO
        return YES if all(row["separable"] for row in rows) else OPEN
    side = 1 if kind == KEPT else -1  # what would be worse lies below zero, or above it
    ends = [row["low"] if kind == KEPT else -row["high"] for row in rows]
    if enough and all(end > -margin for end in ends):
        return YES
    open_ended = [row for row, end in zip(rows, ends, strict=True) if not end > -margin]
    return NO if any(row["separable"] and side * row["difference"] < 0 for row in open_ended) else OPEN


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers that are not known as None."""
    known = {key: None if isinstance(value, float) and value != value else value for key, value in row.items()}
    return {
        key: [None if one != one else one for one in value] if isinstance(value, list) else value
        for key, value in known.items()
    }
