"""The answer of a run from its figures, in three parts: recognition, what is left of the speaker, the split.

What probes read from an embedding that is for something else belongs to the second, where a claim stands on it. Each is
one sentence, that is a second one, and says no more than the figures: an interval, chance, and "not separable" belong
to it. What else there is to say stands in the sections of the page.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.comparison.tradeoff import BEFORE
from mien.audit.statistics.verdict import FEWEST
from mien.data.protocols import LEAKS
from mien.reports import words
from mien.reports.sections import certificate as certified
from mien.reports.sections import tasks
from mien.reports.words import counted, listed, percent
from mien.runs.run import Run

NAMED = 3  # other models that a sentence names
SPACE = "\N{NO-BREAK SPACE}"


def answer(
    run: Run,
    summary: pd.DataFrame,
    differences: pd.DataFrame,
    leaks: pd.DataFrame,
    claims: Mapping[str, Any] | None = None,
) -> list[str]:
    """Three sentences.

    Args:
        run: the run.
        summary: `scores.summary` of the models of the experiment; those whose emotion is only read stand back.
        differences: `compare.differences` of them, on the split that the run is judged by.
        leaks: see `leaks.speaker`.
        claims: see `claims.shown`.
    """
    left = " ".join(told for told in (leftover(leaks), leaking(claims)) if told)
    summary = tasks.of_recognisers(run, summary)
    return [recognition(summary, differences, certified.heard(run), run.target), left, split(run)]


def recognition(
    summary: pd.DataFrame,
    differences: pd.DataFrame,
    heard: Mapping[str, tuple[int, int]] | None = None,
    target: str = "emotion",
) -> str:
    """Which model recognises the main target best, by how much, and which models it can be told from.

    Args:
        summary: see `answer`.
        differences: see `answer`.
        heard: see `certified.heard`; None where nobody was.
        target: the main target.
    """
    judged, part = summary[summary["split"] == "test"], "test"
    if judged.empty:
        judged, part = summary[summary["split"] == "validation"], "validation"
    who = _whom(part, *(heard or {}).get(part, (0, 0)))
    if judged.empty:
        return "No model has been tested yet."
    name = "uar" if "uar" in judged else "ccc"
    measure = words.scale(name)
    best = judged.sort_values(name, ascending=False, kind="stable").iloc[0]
    verb = "reaches" if len(judged) == 1 else f"reaches the highest {measure.title}:"
    what = f"a {measure.title} of " if len(judged) == 1 else ""
    chance, unit = f"chance {measure.value(best[f'{name}_chance'])}", f"{SPACE}%" if measure.percent else ""
    low, high = best[f"{name}_low"], best[f"{name}_high"]
    if math.isnan(low):
        return (
            f"On {who} {best['model']} {verb} {what}{measure.value(best[name])}{unit} ({chance}); with one speaker "
            "there is no interval, and the figure says nothing about other people."
        )
    around = f"95{SPACE}% interval over {best['speakers']} speakers {measure.span(low, high)}, {chance}"
    told = f"On {who} {best['model']} {verb} {what}{measure.value(best[name])}{unit} ({around})"
    if low <= best[f"{name}_chance"]:
        told += f", an interval that holds chance, so that it recognises {target} is not shown"
    verdicts = _verdicts(differences, str(best["model"]), name)
    return f"{told}{'; it is ' if verdicts else ''}{verdicts}."


def leftover(leaks: pd.DataFrame) -> str:
    """How well the strongest probe names the speakers heard in training: the most and the least, and after LEACE.

    Args:
        leaks: rows of `leaks.speaker`: `name, speakers, strongest, erased`, and the scores.
    """
    strongest = leaks[leaks["strongest"].astype(bool)] if len(leaks) else leaks
    if len(leaks) and strongest.empty:
        return f"What is left of the speaker was {BEFORE}."
    sides = {"seen": "heard in training", "unseen": "not heard in training"}
    side = next((side for side in sides if len(strongest) and (strongest["speakers"] == side).any()), None)
    if side is None:
        return "What is left of the speaker was not measured in this run."
    rows = strongest[strongest["speakers"] == side]
    erased = rows[rows["erased"].astype(bool)]
    rows = rows[~rows["erased"].astype(bool)].sort_values("score", kind="stable")
    if rows.empty:
        return "What is left of the speaker was measured only where it had been erased."
    ends = [rows.iloc[-1]] if len(rows) == 1 else [rows.iloc[-1], rows.iloc[0]]
    each = [f"{percent(row['score'])}{SPACE}% from {_whence(row['name'])} ({_interval(row)})" for row in ends]
    middle = " and at least ".join(each) if len(each) == 2 else each[0]
    most = "at most " if len(each) == 2 else ""
    chance = percent(float(rows["chance"].mean()))
    told = f"Of the speaker, the strongest probe still reads {most}{middle}, chance {chance} among people {sides[side]}"
    if len(erased):
        low, high = percent(float(erased["score"].min())), percent(float(erased["score"].max()))
        after = low if low == high else f"{low} to {high}"
        told += f"; after LEACE it reads {after}{SPACE}%"
    return f"{told}."


def leaking(claims: Mapping[str, Any] | None) -> str:
    """What embeddings tell of what they are not for, the most and the least; empty where that was not measured.

    Args:
        claims: see `claims.shown`.
    """
    told = []
    for leak in (claims or {}).get("leaks", []):
        rows = sorted(leak["rows"], key=lambda row: float(row["score"]))
        ends = [rows[-1]] if len(rows) == 1 else [rows[-1], rows[0]]
        each = [f"{percent(row['score'])}{SPACE}% from {row['model']}" for row in ends]
        middle = f"at most {each[0]} and at least {each[1]}" if len(each) == 2 else each[0]
        floor = leak["floor"]
        beside = "" if floor is None else f"; the true speaker alone tells {percent(floor)}{SPACE}%"
        whose = f"Of {leak['factor']}, the {leak['embedding']} embedding tells a one-hidden-layer probe"
        told.append(f"{whose} {middle} ({leak['measure']}, balanced){beside}.")
    return " ".join(told)


def split(run: Run) -> str:
    """Whether the split is clean, what was accepted, and how much of it was examined."""
    certificate = run.certificate
    broken, found = certified.broken(run), certified.leaks(run)
    partly, untold = certificate.get("examined_in_part", {}), certificate.get("not_examined", {})
    examined = [name for name in LEAKS if name in certificate.get("examined", []) and name not in partly]
    skipped = [name for name in LEAKS if name not in examined and name not in partly]
    kinds = f"{counted(len(examined), 'kind')} of leak examined"
    kinds += f", {len(partly)} in part" if partly else ""
    kinds += f", {len(skipped)} not" if skipped else ""
    reasons = []
    if broken:
        reasons.append(
            f"somebody is in two parts of {'folds' if len(broken) > 1 else 'fold'} {listed(map(str, broken))}"
        )
    if found:
        reasons.append(f"the certificate finds {listed(found)}")
    if run.marks:
        reasons.append("this was accepted when it was trained" if reasons else "it was accepted with a mark")
    if reasons:
        return f"The split is not clean: {'; '.join(reasons)} ({kinds})."
    where = f"each of the {len(run.splits)} folds" if len(run.splits) > 1 else "the one fold"
    if any(name not in untold for name in skipped):
        were = "was" if len(skipped) == 1 else "were"
        return f"In {where} nobody is in two parts; {counted(len(skipped), 'kind')} of leak {were} not examined."
    return f"The split is clean: in {where} nobody is in two parts, and no leak was found ({kinds})."


def _whom(part: str, heard: int, people: int) -> str:
    """Who judged, as a sentence has it: people of a part, how many of them were heard in training, of how many."""
    if heard:
        chose = "who also chose the epoch, and " if part == "validation" else ""
        return f"{part} speakers, {chose}{heard} of {people} of whom were heard in training,"
    return "people never heard in training" if part == "test" else "validation speakers, who also chose the epoch,"


def _verdicts(differences: pd.DataFrame, best: str, measure: str) -> str:
    """Which models the best is above, and from which it is not separable, as the end of a sentence."""
    pairs = differences[
        (differences["measure"] == measure) & ((differences["model"] == best) | (differences["other"] == best))
    ]
    apart: list[str] = []
    together: list[str] = []
    for row in pairs.to_dict("records"):
        (apart if row["separable"] else together).append(_other(row, best))
    few = int(pairs["speakers"].min()) if len(pairs) else FEWEST
    why = f", for {counted(few, 'speaker')} can separate nothing" if few < FEWEST else ""
    parts = [f"above {_some(apart)}"] if apart else []
    return " and ".join(parts + ([f"not separable from {_some(together)}{why}"] if together else []))


def _other(row: Mapping[Any, Any], best: str) -> str:
    return str(row["model"] if row["other"] == best else row["other"])


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return listed([*names[:NAMED], *more])


def _whence(name: str) -> str:
    """A model, or, where it has several embeddings (`leaks.summed`), one of them, as a sentence has it."""
    model, _, embedding = name.partition(", ")
    return f"the embedding {embedding} of {model}" if embedding else model


def _interval(row: Any) -> str:
    if math.isnan(row["low"]):
        return "no interval"
    whose = "95\N{NO-BREAK SPACE}% interval" if row["interval"] != "training" else "interval of a single training"
    return f"{whose} {words.span(row['low'], row['high'])}"
