"""The paper's test over random splits, for pairs of models and for claims, beside our interval and test by speaker.

Only runs of the protocol random_splits have it: folds of other protocols test each speaker once, and their tests are in
`comparison`. The one-tailed matched paired t-test is of the scores on each split (`over_splits`), of macro and micro F1
(Goncalves & Busso 2022, section 5.1); ours is of the same measure with all speakers pooled (`contrasts`).
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.comparison.claim_scores import ALONE, Outputs, Source, measure
from mien.audit.robustness.counted import Counted
from mien.audit.splits.findings import counted
from mien.audit.statistics.contrasts import Term, contrast, verdicts
from mien.audit.statistics.over_splits import OverSplits, by_split, over_splits, ratio_of
from mien.audit.statistics.scores import BySpeaker, confusion, measured
from mien.audit.statistics.verdict import LEVEL
from mien.common.measures import MEASURES
from mien.common.units import noun
from mien.data.protocols import SPLITS
from mien.experiments.claims import ABOVE, ALL, BALANCED, BELOW, Claim, differences
from mien.experiments.experiment import Experiment
from mien.runs.run import Run

TESTED = ("macro_f1", "micro_f1")
OF_NUMBERS = ("ccc", "rmse")
COUNTED = {name: name for name in (*TESTED, *OF_NUMBERS, "uar")} | {"accuracy": "wa", "micro_f1": "wa"}


def sampled(experiment: Experiment) -> bool:
    """Whether the speakers of an experiment's folds are sampled, so that folds repeat them."""
    return experiment.protocol.name == SPLITS


def of_pairs(
    predictions: pd.DataFrame,
    classes: Sequence[str],
    folds: Sequence[Mapping[str, Any]],
    *,
    split: str,
    among: Sequence[tuple[str, str]],
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Both tests of each pair of models, by macro and micro F1; of a number by CCC and RMSE.

    Args:
        predictions: `predictions.csv` of a run of random splits.
        classes: the K classes; none of a number.
        folds: of `splits.json`.
        split: the part that is scored.
        among: pairs (model, other); those without predictions are left out.
        seed: of the bootstraps.

    Returns:
        `model, other, measure`; `difference, low, high, p, p_holm, separable, speakers`: ours, by speaker, corrected
        over the pairs of a measure; and the keys of `beside`. The t-test is one-tailed: that the model is better.
    """
    own = predictions[(predictions["split"] == split) & predictions["truth"].notna()]
    rows = {str(model): part for model, part in own.groupby("model", sort=False)}
    pairs = [(model, other) for model, other in among if model in rows and other in rows]

    def tally(part: pd.DataFrame) -> BySpeaker:
        return confusion(part, classes) if classes else measured(part, ())["ccc"]

    tables, ratio = {model: tally(part) for model, part in rows.items()}, ratio_of(folds, split)
    found: list[dict[str, Any]] = []
    for name in (TESTED if classes else OF_NUMBERS) if pairs else ():
        score = MEASURES[name]
        each = {model: by_split(part, tally, score) for model, part in rows.items()}
        ours = verdicts(
            [contrast([Term(1.0, tables[a], score), Term(-1.0, tables[b], score)], seed=seed) for a, b in pairs]
        )
        for (model, other), row in zip(pairs, ours.to_dict("records"), strict=True):
            tested = over_splits(
                each[model] - each[other], ratio, alternative="greater" if score.higher_is_better else "less"
            )
            head = {"model": model, "other": other, "measure": name, **_whole(row)}
            found.append(head | beside(tested, head["low"], head["high"]))
    return found


def of_claims(
    run: Run,
    claims: Sequence[Mapping[str, Any]],
    outputs: Outputs,
    missing: Mapping[Source, Mapping[str, Counted]] = MappingProxyType({}),
) -> None:
    """Write the paper's test into the contrasts of the claims "above" and "below" that compare models: `over_splits`.

    Args:
        run: the run; of another protocol than random_splits nothing is written.
        claims: as `claims.answered` returns them; changed in place.
        outputs: the predictions that they were answered from.
        missing: the answers with one modality alone, see `claim_scores.alone`.
    """
    if not sampled(run.experiment):
        return
    split, models = str(outputs.predictions["split"].iloc[0]), tuple(run.experiment.models)
    ratio = ratio_of(run.splits, split)
    for made in claims:
        claim = run.experiment.claims[made["claim"]]
        if claim.kind in (ABOVE, BELOW) and not isinstance(claim.minus, str):
            tests = _of_claim(claim, made, outputs, missing, run, models, ratio)
            for row in made["contrasts"]:
                if row["contrast"] in tests:
                    row["over_splits"] = beside(tests[row["contrast"]], row["low"], row["high"])


def _of_claim(
    claim: Claim,
    made: Mapping[str, Any],
    outputs: Outputs,
    missing: Mapping[Source, Mapping[str, Counted]],
    run: Run,
    models: Sequence[str],
    ratio: float,
) -> dict[str, OverSplits]:
    """Contrast in words -> the test, one-tailed in the direction that is claimed."""
    source = Source(str(claim.factor), claim.embedding, made["probe"], claim.alone)
    seen = missing.get(source, {})
    rows = {model: part for model, part in outputs.rows.get(source, {}).items() if len(part)}
    score = measure(str(claim.measure), ALL if made["clips"] == ALL else BALANCED)

    def tally(part: pd.DataFrame) -> BySpeaker:
        return outputs.counted(source.factor, part)

    each: dict[str, pd.Series[float]] = {}
    found = {}
    there = seen if claim.alone else rows
    for one in differences(claim, run.experiment.axes, [model for model in models if model in there]):
        for model in (*one.plus, *one.minus):
            if model not in each and claim.alone:
                each[model] = seen[model].by_fold(ALONE[claim.alone], COUNTED[str(claim.measure)])
            elif model not in each:
                each[model] = by_split(rows[model], tally, score)
        plus, minus = (
            pd.concat([each[name] for name in side], axis=1).mean(axis=1, skipna=False)
            for side in (one.plus, one.minus)
        )
        found[one.words] = over_splits(plus - minus, ratio, alternative="greater" if claim.kind == ABOVE else "less")
    return found


def beside(tested: OverSplits, low: float | None, high: float | None) -> dict[str, Any]:
    """The values of a test over splits beside an interval over speakers, unknown ones None.

    Returns:
        `splits, mean`; `t_low, t_high`: the interval of the t-test; `t, p_t`; `p_corrected`, see `OverSplits`;
        `variance`: the factor of the correction; `wider`: the width of the interval over speakers divided by that of
        the t-test.
    """
    known = low is not None and high is not None and tested.high > tested.low
    wider = (float(high) - float(low)) / (tested.high - tested.low) if known else math.nan  # type: ignore[arg-type]
    found = {
        **{"splits": tested.splits, "mean": tested.mean, "t_low": tested.low, "t_high": tested.high, "t": tested.t},
        **{"p_t": tested.p, "p_corrected": tested.corrected, "variance": tested.variance, "wider": wider},
    }
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in found.items()
    }


def too_sure(rows: Sequence[Mapping[str, Any]], *, named: bool = True) -> str:
    """Sentences on what the paper's test leaves out, and by how much; empty without a test.

    Args:
        rows: with the keys of `beside`, and `difference, separable`; the t-test says that the difference is above zero,
            or for errors below.
        named: whether speakers are named.
    """
    tested = [row for row in rows if row["p_t"] is not None]
    if not tested:
        return ""
    over, splits = noun(named), max(int(row["splits"]) for row in tested)
    sentences = [
        f"The one-tailed paired t-test over the {splits} splits (Goncalves & Busso 2022) takes their differences for "
        "independent, and they are not: the splits share training and test speakers."
    ]
    if widths := sorted(float(row["wider"]) for row in tested if row["wider"] is not None):
        ends = " to ".join(dict.fromkeys(f"{width:.1f}" for width in (widths[0], widths[-1])))
        sure = "It is too sure: the" if widths[0] > 1 else "The"
        few = " (so few splits make the t-test's wide)" if widths[-1] < 1 else ""
        sentences.append(f"{sure} intervals over {over}s are {ends} times as wide as its own{few}.")
    factor = float(np.median([row["variance"] for row in tested]))
    sentences.append(f"The correction of Nadeau & Bengio (2003) multiplies its variance by {factor:.1f}.")
    counts = [sum(row[key] is not None and row[key] < LEVEL for row in tested) for key in ("p_t", "p_corrected")]
    apart = sum(bool(row["separable"]) and row["p_t"] < 0.5 for row in tested)
    level, are = f"{LEVEL:g}".removeprefix("0"), "is" if apart == 1 else "are"
    sentences.append(
        f"p is below {level} in {counts[0]} of {counted(len(tested), 'comparison')} by that test and in {counts[1]} by "
        f"the corrected one; {apart} {are} separable in that direction over {over}s."
    )
    return " ".join(sentences)


def _whole(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row of our test with plain values."""
    plain = {str(key): value for key, value in row.items()}
    return plain | {"separable": bool(plain["separable"]), "speakers": int(plain["speakers"])}
