"""What Peri et al. 2021 claim, each answered by a run: yes, no, not separable, or not asked.

A claim stands on one contrast or several (`contrasts`), each a mean over the dimensions that both sides have. There are
four kinds of claim:

- *above*, *below*: yes where all of its contrasts are separable (the one verdict of `compare`, Holm over the contrasts
  of the claim) on the claimed side; no where one of them is separable on the other; else not separable.
- *kept*: no worse by `MARGIN` or more: yes where all intervals end above minus the margin; no where one contrast is
  separable below zero and its interval is not; else not separable.
- *near*: yes where all intervals end below the margin, or below chance itself where that is less (twice chance in all);
  no where one is separable above zero; else not separable.
- *different*: yes where every model differs from its baseline by Stuart-Maxwell at `ALPHA`, with every seed; else not
  separable.

No claim is answered yes on fewer than six speakers. A leak is judged on all clips as they are, as the paper does, and
with all classes weighted alike (`balanced`), where what is frequent says nothing. Where every class is equally frequent
the two are the same: then each claim stands once, and only what it has to be above makes it two. It is judged by the
paper's probe, and balanced also by the strongest (`BY_STRONGEST`): what one probe cannot read may still be there.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from mien.audit.recognition.task_scores import constant
from mien.audit.statistics.contrasts import Score as Measure
from mien.audit.statistics.contrasts import Term, contrast, fixed, verdicts
from mien.audit.statistics.scores import BySpeaker
from mien.audit.statistics.verdict import FEWEST
from mien.common.measures import balanced_f1
from mien.common.measures import macro_f1 as f1
from mien.common.measures import wa as accuracy

YES, NO, OPEN, UNASKED = "yes", "no", "not separable", "not asked"
ABOVE, BELOW, KEPT, NEAR, DIFFERENT = "above", "below", "kept", "near", "different"
MARGIN = 0.02  # what "maintained" and "near" allow; ours, the paper gives none
ALPHA = 0.01  # of Stuart-Maxwell: Peri et al. 2021, footnote 1
PERSON, FELT = "person_only", "emotion_only"
MULTITASK = "multitask"
REVERSAL, NEWER = "gradient_reversal", ("alternating", "confusion")
ALL, BALANCED, EVEN = "all clips", "balanced", "balanced as it is"
BY_STRONGEST = "strongest probe"
GROUNDS = ("single_leaks", "multitask_leaks")  # claims of a leak above chance, and above the identity floor
COLUMNS = (
    *("claim", "says", "section", "clips", "kind", "answer", "contrast", "difference", "low", "high", "p", "p_holm"),
    *("separable", "speakers"),
)

Tables = Mapping[str, BySpeaker]


class Found(NamedTuple):
    """What claims are judged on: counts by speaker.

    Attributes:
        models: (method, dimension) -> model.
        emotion: model -> of emotion by its own head.
        person: model -> of the speaker by its own head, right and wrong.
        leak: model -> of emotion by the probe on the speaker embedding.
        identity: of emotion by the true speaker alone.
        knows: model -> of the speaker by the probe on the emotion embedding, right and wrong.
        most: the share of clips that the speaker with the most has: chance of naming the speaker.
        different: rows of Stuart-Maxwell tests, with `model, other, p_holm`.
        even: whether every class is equally frequent.
        strongest: as `leak`, by the strongest probe.
        strongest_identity: as `identity`, by that probe.
    """

    models: Mapping[tuple[str, int], str]
    emotion: Tables
    person: Tables
    leak: Tables
    identity: BySpeaker | None
    knows: Tables
    most: float | None
    different: Sequence[Mapping[str, Any]]
    even: bool = False
    strongest: Tables = MappingProxyType({})
    strongest_identity: BySpeaker | None = None


class Asked(NamedTuple):
    """One claim: contrasts as words -> terms; none where the run lacks something. `margin` is of kept and near."""

    claim: str
    says: str
    section: str
    kind: str
    contrasts: Mapping[str, Sequence[Term]]
    clips: str = ""
    margin: float = MARGIN


def answered(found: Found, *, seed: int = 0) -> list[dict[str, Any]]:
    """Every claim of the paper, in its order.

    Args:
        found: what the run shows.
        seed: of the bootstraps.

    Returns:
        `claim` (its key), `says` (in words), `section` of the paper, `clips` (of leaks: `ALL`, `BALANCED` or `EVEN`,
        and by which probe), `kind`, `answer`, and `contrasts`: `contrast` in words, `difference, low, high, p, p_holm,
        separable, speakers`; of the kind "different": `contrast, seeds`, `p` of the seed that differs least and
        `p_holm` of the one that differs most.
    """
    asked = [*_scores(found), *_all_leaks(found), *_persons(found)]
    return [*(_judged(one, seed) for one in asked), _different(found)]


def rows_of(claims: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """`claims.csv`: one row a contrast, or one row of a claim that has none (`COLUMNS`)."""
    rows = []
    for claim in claims:
        head = {key: value for key, value in claim.items() if key != "contrasts"}
        rows += [head | dict(one) for one in claim["contrasts"]] or [head]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def _scores(found: Found) -> list[Asked]:
    """Emotion by the models' own heads."""
    sizes = _sizes(found, MULTITASK, found.emotion)
    single: dict[str, Sequence[Term]] = {}
    if sizes and FELT in found.emotion:
        terms = [*_mean(found, MULTITASK, sizes, found.emotion, f1), Term(-1.0, found.emotion[FELT], f1)]
        single = {f"multitask minus {FELT}": terms}
    smaller: dict[str, Sequence[Term]] = {}
    for few, many in dict.fromkeys([(sizes[0], sizes[-1]), *pairwise(sizes)]) if len(sizes) > 1 else ():
        smaller[f"{MULTITASK}: {few} minus {many}"] = [
            *_mean(found, MULTITASK, [few], found.emotion, f1),
            *_mean(found, MULTITASK, [many], found.emotion, f1, -1.0),
        ]
    kept = _against(found, found.emotion, f1, _removals(found))
    return [
        Asked("multitask_gains", "Learning the person as well makes emotion recognition better.", "5.1", ABOVE, single),
        Asked("smaller_gains", "It gets better still as the speaker embedding gets smaller.", "5.1", ABOVE, smaller),
        Asked("emotion_kept", "Removal keeps emotion recognition, or makes it better.", "5.2", KEPT, kept),
    ]


def _all_leaks(found: Found) -> list[Asked]:
    """On all clips, and balanced; of clips that are balanced already only what differs: above chance, and all else."""
    told = _leaks(found, ALL)
    same = EVEN if found.even else BALANCED
    told = [one for one in told if not found.even or one.claim in GROUNDS]
    told += [one._replace(clips=same) for one in _leaks(found, BALANCED)]
    if found.strongest:
        again = found._replace(leak=found.strongest, identity=found.strongest_identity)
        told += [one._replace(clips=f"{same}, {BY_STRONGEST}") for one in _leaks(again, BALANCED)]
    return told


def _leaks(found: Found, clips: str) -> list[Asked]:
    """Emotion by the probe on the speaker embedding."""
    measure, leak = f1 if clips == ALL else balanced_f1, found.leak
    ground, against = ("chance", "all one class") if clips == ALL else ("the identity floor", "the identity floor")
    sizes = _sizes(found, MULTITASK, leak)
    alone: dict[str, Sequence[Term]] = {}
    if PERSON in leak and (below := _ground(found, leak[PERSON], clips)) is not None:
        alone = {f"{PERSON} minus {against}": [Term(1.0, leak[PERSON], measure), Term(-1.0, below, measure)]}
    together: dict[str, Sequence[Term]] = {}
    if sizes and (below := _ground(found, leak[found.models[MULTITASK, sizes[0]]], clips)) is not None:
        terms = [*_mean(found, MULTITASK, sizes, leak, measure), Term(-1.0, below, measure)]
        together = {f"{MULTITASK} minus {against}": terms}
    below_reversal = _against(found, leak, measure, NEWER, REVERSAL)
    least: dict[str, Sequence[Term]] = {}
    methods = [method for method in _removals(found) if len(_sizes(found, method, leak)) > 1]
    shared = sorted(set.intersection(*(set(_sizes(found, method, leak)) for method in methods))) if methods else []
    for size in shared[1:]:
        both = [(1 / len(methods), shared[0]), (-1 / len(methods), size)]
        terms = [
            term
            for method in methods
            for weight, one in both
            for term in _mean(found, method, [one], leak, measure, weight)
        ]
        least[f"all removals: {shared[0]} minus {size}"] = terms
    smallest = shared[0] if len(shared) > 1 else "the smallest"
    told = [
        (GROUNDS[0], f"A model of the person alone tells emotion above {ground}.", "5.1", ABOVE, alone),
        (GROUNDS[1], f"So does the speaker embedding of a multitask model, above {ground}.", "5.1", ABOVE, together),
        (
            "removal_leaks_less",
            "Removal makes the speaker embedding tell less of emotion.",
            "5.2",
            BELOW,
            _against(found, leak, measure, _removals(found)),
        ),
        (
            "newer_leak_less",
            "Alternating and confusion leak less than gradient reversal.",
            "5.2",
            BELOW,
            below_reversal if len(below_reversal) == len(NEWER) else {},
        ),
        ("least_at_smallest", f"With removal, a speaker embedding of {smallest} leaks least.", "5.2", BELOW, least),
    ]
    return [Asked(*one, clips) for one in told]


def _persons(found: Found) -> list[Asked]:
    """The person by the models' own heads, and by the probe on the emotion embedding."""
    sizes = _sizes(found, MULTITASK, found.knows)
    near: dict[str, Sequence[Term]] = {}
    if sizes and found.most is not None:
        model = found.models[MULTITASK, sizes[0]]
        terms = [
            *_mean(found, MULTITASK, sizes, found.knows, accuracy),
            Term(-1.0, found.knows[model], fixed(found.most)),
        ]
        near = {f"{MULTITASK} minus chance": terms}
    kept = _against(found, found.person, accuracy, _removals(found))
    return [
        Asked("person_kept", "Removal keeps the person's recognition, or makes it better.", "5.2", KEPT, kept),
        Asked(
            "person_near_chance",
            "The emotion embedding tells the person hardly above chance.",
            "5.1",
            NEAR,
            near,
            margin=min(MARGIN, found.most or MARGIN),
        ),
    ]


def _different(found: Found) -> dict[str, Any]:
    """Stuart-Maxwell."""
    rows = [
        {"contrast": f"{row['model']} against {row['other']}", "seeds": row["seeds"]}
        | {"p": max(row["p"], default=float("nan")), "p_holm": row["p_holm"]}
        for row in found.different
    ]
    answer = UNASKED if not rows else YES if all(row["p"] < ALPHA for row in rows) else OPEN
    says = f"Every model with removal uses the classes otherwise than the multitask model (Stuart-Maxwell, {ALPHA:g})."
    head = {"claim": "different", "says": says, "section": "5.2", "clips": "", "kind": DIFFERENT}
    return {**head, "answer": answer, "contrasts": rows}


def _judged(asked: Asked, seed: int) -> dict[str, Any]:
    head = {name: getattr(asked, name) for name in ("claim", "says", "section", "clips", "kind")}
    if not asked.contrasts:
        return {**head, "answer": UNASKED, "contrasts": []}
    table = verdicts([contrast(terms, seed=seed) for terms in asked.contrasts.values()])
    table.insert(0, "contrast", list(asked.contrasts))
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    for row in rows:
        row |= {"separable": bool(row["separable"]), "speakers": int(row["speakers"])}
    return {**head, "answer": _answer(asked.kind, rows, asked.margin), "contrasts": rows}


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


def _ground(found: Found, table: BySpeaker, clips: str) -> BySpeaker | None:
    """What a leak has to be above: all clips called the most frequent class; with classes evened out, the person's."""
    return constant(table) if clips == ALL else found.identity


def _against(
    found: Found, tables: Tables, measure: Measure, methods: Sequence[str], other: str = MULTITASK
) -> dict[str, Sequence[Term]]:
    """Each method minus another, the mean over the dimensions that both have."""
    contrasts: dict[str, Sequence[Term]] = {}
    for method in methods:
        both = [size for size in _sizes(found, method, tables) if size in _sizes(found, other, tables)]
        if both:
            terms = _mean(found, method, both, tables, measure) + _mean(found, other, both, tables, measure, -1.0)
            contrasts[f"{method} minus {other}"] = terms
    return contrasts


def _mean(
    found: Found, method: str, sizes: Sequence[int], tables: Tables, measure: Measure, weight: float = 1.0
) -> list[Term]:
    """The mean score of a method over dimensions."""
    return [Term(weight / len(sizes), tables[found.models[method, size]], measure) for size in sizes]


def _removals(found: Found) -> list[str]:
    return [method for method in dict.fromkeys(method for method, _ in found.models) if method != MULTITASK]


def _sizes(found: Found, method: str, tables: Tables) -> list[int]:
    """The dimensions of a method that there are counts of, the smallest first."""
    return sorted(size for (own, size), model in found.models.items() if own == method and model in tables)
