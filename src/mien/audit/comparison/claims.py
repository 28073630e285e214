"""The claims of a paper, each answered by a run: yes, no, not separable, not comparable (and why), or not asked.

Claims are part of the experiment file (`mien.experiments.claims`). A claim is about one or several differences of
scores. Each is between the mean scores of two groups of models that are matched in all other axes, such as size.

- *above*, *below*: yes if all differences are separable (by the same rule as in `compare`, with Holm's correction over
  the differences of the claim) in the claimed direction; no if one is separable in the opposite direction.
- *kept*: not worse by the margin or more. Yes if the lower ends of all intervals are above minus the margin; no if a
  difference is separable below zero and its interval reaches below minus the margin. For an error (rmse) the upper ends
  have to be below the margin.
- *near*: yes if the upper ends of all intervals are below the margin, or below the chance level if that is less (so
  that the score is below twice chance); no if a difference is separable above zero and its interval reaches higher.
- *different*: yes if all pairs of models differ by Stuart-Maxwell's test at the level of the claim, for every seed.

A claim of leakage counts only where the target that the embedding must keep is kept (`kept_targets`). Otherwise the
difference is not comparable: it can make no claim true or false, and the answer is "not comparable: " and why, unless
another difference of the claim says no.

In all other cases the answer is "not separable"; it is "not asked" if the run lacks a score that the claim needs. No
claim of scores is answered yes with fewer than six speakers. If all classes are equally frequent, weighting them alike
changes nothing, so a claim about both ways is answered once.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.comparison.claim_scores import ALONE, Counts, Source, alone, counts_of, measure, outputs_of, scores
from mien.audit.comparison.kept_targets import comparable
from mien.audit.comparison.split_tests import of_claims
from mien.audit.robustness import counted
from mien.audit.robustness.counted import OWN_CLIPS
from mien.audit.run_leakage.targets import Targets, tasks
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
    described,
    differences,
)
from mien.runs.run import ROBUSTNESS, Run

FILE, TABLE = "claims.json", "claims.csv"
YES, NO, OPEN, UNASKED, UNLIKE = "yes", "no", "not separable", "not asked", "not comparable"
UNEXAMINED = "run 'mien evaluate RUN --missing default' for it"
EVEN = "balanced as it is"
HEAD = ("claim", "says", "section", "kind", "factor", "measure", "embedding", "probe", "alone", "where", "clips")
COLUMNS = (
    *HEAD,
    "answer",
    "contrast",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "separable",
    "speakers",
    "comparable",
)


def write(run: Run, *, seed: int = 0) -> dict[str, Any] | None:
    """Write RUN/claims.json and RUN/claims.csv, and return the former; without claims write nothing and return None.

    Args:
        run: a run with predictions; `tasks.csv` and the predictions of probes (`run_leakage.probe_predictions`) are
            used if the run has them.
        seed: of the bootstraps.

    Returns:
        `split`: the split that is scored; `claims`: see `answered`, with random splits also `split_tests.of_claims`;
        `scores`: see `claim_scores.scores`.

    Raises:
        RunError: a file of the run is missing or damaged.
    """
    experiment = run.experiment
    if not experiment.claims:
        return None
    parts = dict.fromkeys([(), *(claim.part for claim in experiment.claims.values())])
    outputs = {part: outputs_of(run, part) for part in parts}
    counts, missing = {part: counts_of(own) for part, own in outputs.items()}, {}
    if any(claim.alone for claim in experiment.claims.values()):
        own = [name for name, found in run.robustness.items() if found["clips"] == OWN_CLIPS]
        places = [run.files.check(f"{ROBUSTNESS}/{name}/{counted.FILE}") for name in own]
        missing = alone((counted.read(path.parent) for path in places), run.target)
        tables = {
            source: {model: one.table(ALONE[str(source.alone)]) for model, one in models.items()}
            for source, models in missing.items()
        }
        counts[()] = counts[()]._replace(tables={**counts[()].tables, **tables})
    split = str(outputs[()].predictions["split"].iloc[0])
    models, carried = tuple(experiment.models), tasks(run)
    claims: list[dict[str, Any]] = []
    for name, claim in experiment.claims.items():
        found = answered({name: claim}, experiment.axes, models, counts[claim.part], carried=carried, seed=seed)
        of_claims(run, found, outputs[claim.part], missing)
        claims += found
    each = [one for part in parts for one in scores(run, outputs[part], counts[part], part, seed=seed)]
    made = {"split": split, "claims": claims, "scores": each}
    run.write_json(FILE, made)
    run.write_table(TABLE, rows_of(claims))
    return made


def answered(
    claims: Mapping[str, Claim],
    axes: Axes,
    models: Sequence[str],
    counts: Counts,
    *,
    carried: Targets | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Answer every claim, for each of its probes and weightings, in the order of the file.

    Args:
        claims: the claims of the experiment.
        axes: the axes of the experiment.
        models: the models of the experiment.
        counts: the counts of the run.
        carried: model -> embedding -> its tasks, as in `targets.tasks`; without it every leak can be compared.
        seed: of the bootstraps.

    Returns:
        `claim` (its key), `says, section, kind, factor, measure, embedding, probe, figures` as in the file; `where`: on
        which clips, in words, empty for all of them; `clips`: `all`, `balanced` or "balanced as it is"; `margin` or
        `alpha` for the kinds that have one; `answer`; and `contrasts`: `contrast` in words, `difference, low, high, p,
        p_holm, separable, speakers`, and `comparable`, see `kept_targets`; of claims of one modality alone `percent`,
        the difference in percent of the second score; for the kind "different" `contrast, seeds, each` (p of each
        seed), `p` of the seed that differs least and `p_holm` of the seed that differs most.
    """
    made = []
    for name, claim in claims.items():
        if claim.kind == DIFFERENT:
            made.append(_different(name, claim, axes, [model for model in models if model in counts.predicted], counts))
            continue
        for source, clips in _ways(claim, counts):
            tables = counts.tables.get(source, {})
            compared = differences(claim, axes, [model for model in models if model in tables])
            made.append(_scored(name, claim, compared, source, clips, counts, carried or {}, seed))
    return made


def rows_of(claims: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """`claims.csv`: one row per contrast, and one row for a claim without contrasts (`COLUMNS`)."""
    rows = []
    for claim in claims:
        head = {key: value for key, value in claim.items() if key != "contrasts"}
        rows += [head | dict(one) for one in claim["contrasts"]] or [head]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def _ways(claim: Claim, counts: Counts) -> Iterator[tuple[Source, str]]:
    """The sources and weightings of a claim; if classes are equally frequent, "all" and "balanced" are one way."""
    for probe, clips in dict.fromkeys(claim.ways):
        source = Source(str(claim.factor), claim.embedding, probe, claim.alone)
        if not (clips == ALL and (probe, BALANCED) in claim.ways and counts.even(source)):
            yield source, clips


def _scored(
    name: str,
    claim: Claim,
    compared: Sequence[Difference],
    source: Source,
    clips: str,
    counts: Counts,
    carried: Targets,
    seed: int,
) -> dict[str, Any]:
    """The answer to a claim about a score."""
    margin = {} if claim.kind in (ABOVE, BELOW) else {"margin": MARGIN if claim.margin is None else claim.margin}
    called = EVEN if clips == BALANCED and counts.even(source) else clips
    head = _head(name, claim) | {"probe": source.probe, "clips": called, **margin}
    terms = {one.words: _terms(claim, one, source, clips, counts) for one in compared}
    if not terms or not all(terms.values()):
        return head | {"answer": f"{UNASKED}: {UNEXAMINED}" if claim.alone else UNASKED, "contrasts": []}
    table = verdicts([contrast(own, seed=seed) for own in terms.values()])
    table.insert(0, "contrast", list(terms))
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    for row in rows:
        row |= {"separable": bool(row["separable"]), "speakers": int(row["speakers"])}
    fine, reason = comparable(claim, compared, [row["difference"] for row in rows], counts, carried, seed=seed)
    for row, one in zip(rows, fine, strict=True):
        row["comparable"] = one
    if claim.alone and isinstance(claim.minus, dict):
        for row, own in zip(rows, terms.values(), strict=True):
            row["percent"] = 100 * row["difference"] / _level(own)
    if claim.kind == NEAR and claim.minus == CHANCE:
        level = [own[-1].measure(own[-1].table.counts.sum(0)) for own in terms.values()]
        head["margin"] = min(head["margin"], *map(float, level))
    answer = _answer(
        claim.kind, [row for row in rows if row["comparable"]], head.get("margin", 0.0), errors=claim.measure == "rmse"
    )
    if answer != NO and reason:
        answer = f"{UNLIKE}: {reason}"
    return head | {"answer": answer, "contrasts": [_plain(row) for row in rows]}


def _level(terms: Sequence[Term]) -> float:
    """The score that a difference is taken from: of the models that are taken away; nan where it is 0."""
    score = -sum(one.weight * float(one.measure(one.table.counts.sum(0))) for one in terms if one.weight < 0)
    return score or math.nan


def _terms(claim: Claim, one: Difference, source: Source, clips: str, counts: Counts) -> list[Term]:
    """The terms of a difference; empty if the floor that it is compared with was not measured."""
    tables, scored = counts.tables[source], measure(str(claim.measure), clips)
    terms = [Term(1 / len(one.plus), tables[model], scored) for model in one.plus]
    if claim.minus == CHANCE:
        return [*terms, counts.chance(source, tables[one.plus[0]], scored, -1.0)]
    if claim.minus == FLOOR:
        floor = counts.floors.get((source.factor, str(source.probe)))
        return [] if floor is None else [*terms, Term(-1.0, floor, scored)]
    return [*terms, *(Term(-1 / len(one.minus), tables[model], scored) for model in one.minus)]


def _different(name: str, claim: Claim, axes: Axes, models: Sequence[str], counts: Counts) -> dict[str, Any]:
    """The answer to a claim of the kind "different": Stuart-Maxwell's test of each model with its counterpart."""
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
    own = [key for key in HEAD if key not in ("claim", "probe", "where", "clips")]
    head = {"claim": name} | {key: getattr(claim, key) for key in own}
    return head | {"where": described(claim.part), "figures": dict(claim.figures)}


def _answer(kind: str, rows: Sequence[Mapping[str, Any]], margin: float, *, errors: bool) -> str:
    """The answer from the contrasts of a claim; `errors`: the score is an error, of which less is better."""
    enough = all(row["speakers"] >= FEWEST for row in rows)
    if kind in (ABOVE, BELOW):
        sign = 1 if kind == ABOVE else -1
        if any(row["separable"] and sign * row["difference"] < 0 for row in rows):
            return NO
        return YES if all(row["separable"] for row in rows) else OPEN
    side = 1 if kind == KEPT and not errors else -1  # the side of zero that is not limited by the margin
    ends = [row["low"] if side > 0 else -row["high"] for row in rows]
    if enough and all(end > -margin for end in ends):
        return YES
    open_ended = [row for row, end in zip(rows, ends, strict=True) if not end > -margin]
    return NO if any(row["separable"] and side * row["difference"] < 0 for row in open_ended) else OPEN


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with None in place of nan."""
    known = {key: None if isinstance(value, float) and value != value else value for key, value in row.items()}
    return {
        key: [None if one != one else one for one in value] if isinstance(value, list) else value
        for key, value in known.items()
    }
