"""Whose score falls the least when more is missing.

The area under the curve of a series is the mean score over its shares, each with the same weight; the *drop* is the
score of the complete data minus the area. Of two models the one with the smaller drop loses less. A model
at chance has nothing to lose: an area has to be read beside its drop. Differences are contrasts over the speakers that
the models share (`audit.statistics.contrasts`): paired, with Wilcoxon's test over speakers. "yes" and "no" need the
rule of `audit.statistics.verdict`; p is corrected over the pairs of models of one series.
"""

from collections.abc import Sequence
from itertools import combinations, groupby

import pandas as pd

from mien.audit.robustness.conditions import examined
from mien.audit.robustness.counted import Counted
from mien.audit.statistics.contrasts import Contrast, Spread, combined, spread
from mien.audit.statistics.verdict import with_verdicts
from mien.common.measures import measure_of
from mien.experiments.conditions import MASKS, NOTHING, Condition

ENDS = ("", "_low", "_high")
COLUMNS = (
    *("modality", "pattern", "shares", "measure", "model", "other"),
    *(f"{name}{end}" for name in ("area", "drop", "area_difference", "drop_difference") for end in ENDS),
    *("p", "p_holm", "separable", "graceful", "speakers"),
)


def table(models: Sequence[Counted], conditions: Sequence[Condition]) -> pd.DataFrame:
    """`graceful.csv`: for each series of shares a row for each model, and one for each pair of models (`COLUMNS`).

    Rows of one model have an empty `other`, its `area` and `drop`. Rows of a pair have `area_difference` and
    `drop_difference`, model minus other; `p` is of the latter. `graceful` is "yes" where the model drops less than the
    other, "no" where it drops more, else "not separable". A series without a share above 0 has no rows.
    """
    if not models:
        return pd.DataFrame(columns=list(COLUMNS))
    measure = models[0].measures[0]
    speakers = tuple(sorted(set.intersection(*(set(model.speakers) for model in models))))
    known: dict[tuple[str, Condition], Spread] = {}
    singles, pairs = [], []
    series = [one for one in conditions if one.pattern in MASKS]
    for (modality, pattern), group in groupby(series, key=lambda one: one[:2]):
        shares = list(group)
        there = [model for model in models if shares and {*shares} <= {*examined(model, shares)}]
        if not any(one.level for one in shares):
            continue
        for model in there:
            for condition in dict.fromkeys([NOTHING, *(one.same for one in shares)]):
                if (key := (model.model, condition)) not in known:
                    known[key] = spread(model.table(condition), measure_of(measure), speakers)
        place = {"modality": modality, "pattern": pattern, "measure": measure}
        place["shares"] = " ".join(f"{one.level:g}" for one in shares)
        area = {model.model: [(1 / len(shares), known[model.model, one.same]) for one in shares] for model in there}
        complete = {model.model: [(1.0, known[model.model, NOTHING])] for model in there}
        for model in there:
            own = {"area": combined(area[model.model])}
            own["drop"] = combined([*complete[model.model], *_minus(area[model.model])])
            singles.append(place | {"model": model.model, "other": ""} | _flat(own) | {"speakers": len(speakers)})
        for one, other in combinations([model.model for model in there], 2):
            both = {"area_difference": combined([*area[one], *_minus(area[other])])}
            drops = [*complete[one], *_minus(area[one]), *_minus(complete[other]), *area[other]]
            both["drop_difference"] = found = combined(drops)
            pairs.append(
                place | {"model": one, "other": other} | _flat(both) | {"p": found.p, "speakers": len(speakers)}
            )
    return _joined(pd.DataFrame(singles), pd.DataFrame(pairs))


def _joined(singles: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    if len(pairs):
        ends = {"drop_difference_low": "low", "drop_difference_high": "high"}
        judged = with_verdicts(pairs.rename(columns=ends), "modality", "pattern", number="speakers")
        pairs = judged.rename(columns={short: long for long, short in ends.items()})
        less = pairs["drop_difference"] < 0
        words = less.map({True: "yes", False: "no"}).where(pairs["separable"].astype(bool), "not separable")
        pairs = pairs.assign(graceful=words)
    both = [part.reindex(columns=list(COLUMNS)) for part in (singles, pairs) if len(part)]
    if not both:
        return pd.DataFrame(columns=list(COLUMNS))
    order = list(dict.fromkeys(zip(singles["modality"], singles["pattern"], strict=True)))
    rows = [row for part in both for row in part.to_dict("records")]
    rows.sort(key=lambda row: order.index((row["modality"], row["pattern"])))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _minus(parts: Sequence[tuple[float, Spread]]) -> list[tuple[float, Spread]]:
    return [(-weight, own) for weight, own in parts]


def _flat(found: dict[str, Contrast]) -> dict[str, float]:
    return {
        f"{name}{end}": value
        for name, one in found.items()
        for end, value in zip(ENDS, (one.difference, one.low, one.high), strict=True)
    }
