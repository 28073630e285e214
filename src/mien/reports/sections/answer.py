"""The answer of a run in three parts: recognition, leakage, the split.

Each part is one sentence with its interval and chance. Leakage has further sentences if a claim measures what an
embedding leaks about a factor that it is not trained to predict. Details are in the sections of the page.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.statistics.verdict import FEWEST
from mien.common.leakage_tables import SIDES
from mien.common.units import noun
from mien.data.protocols import LEAKS
from mien.reports import words
from mien.reports.sections import certificate as certified
from mien.reports.sections import tasks
from mien.reports.words import counted, listed, percent
from mien.runs.run import Run

NAMED = 3  # other models that a sentence names
UNNAMED = "The corpus names no speakers: what embeddings give away about them is not measured."
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
        summary: `scores.summary` of the models of the experiment; models with auxiliary scores only are left out.
        differences: `compare.differences` of them, on the split that the run is scored on.
        leaks: see `leaks.speaker`.
        claims: see `claims.shown`.
    """
    speaker = leftover(leaks) if run.named else UNNAMED
    leakage = " ".join(sentence for sentence in (speaker, leaking(claims)) if sentence)
    summary = tasks.of_recognisers(run, summary)
    return [recognition(summary, differences, certified.seen(run), run.target), leakage, split(run)]


def recognition(
    summary: pd.DataFrame,
    differences: pd.DataFrame,
    seen: Mapping[str, tuple[int, int]] | None = None,
    target: str = "emotion",
) -> str:
    """Which model recognises the main target best, its score, and the models that it is separable from.

    Args:
        summary: see `answer`.
        differences: see `answer`.
        seen: see `certified.seen`; None if no speaker of validation and test is seen in training.
        target: the main target.
    """
    rows, part = summary[summary["split"] == "test"], "test"
    if rows.empty:
        rows, part = summary[summary["split"] == "validation"], "validation"
    if rows.empty:
        return "No model has been tested yet."
    named = bool((rows["speakers"] > 0).all())
    who = _whom(part, *(seen or {}).get(part, (0, 0))) if named else _which(part)
    name = "uar" if "uar" in rows else "ccc"
    measure = words.scale(name)
    best = rows.sort_values(name, ascending=False, kind="stable").iloc[0]
    verb = "reaches" if len(rows) == 1 else f"reaches the highest {measure.title}:"
    what = f"a {measure.title} of " if len(rows) == 1 else ""
    chance, unit = f"chance {measure.value(best[f'{name}_chance'])}", f"{SPACE}%" if measure.percent else ""
    low, high = best[f"{name}_low"], best[f"{name}_high"]
    if math.isnan(low):
        return (
            f"On {who} {best['model']} {verb} {what}{measure.value(best[name])}{unit} ({chance}). One "
            "speaker gives no interval: how other speakers are recognised is not known."
        )
    number = int(best["speakers"] if named else best["clips"])
    around = f"95{SPACE}% interval over {counted(number, noun(named))} {measure.span(low, high)}, {chance}"
    sentence = f"On {who} {best['model']} {verb} {what}{measure.value(best[name])}{unit} ({around})"
    if low <= best[f"{name}_chance"]:
        sentence += f"; the interval includes chance: {target} is not shown to be recognised better than chance"
    verdicts = _verdicts(differences, str(best["model"]), name, noun(named))
    other = "" if named else " Whose clips these are is not known, nor how other people are recognised."
    return f"{sentence}{'; it is ' if verdicts else ''}{verdicts}.{other}"


def leftover(leaks: pd.DataFrame) -> str:
    """How well the strongest probe identifies seen speakers: the highest and the lowest score, and after LEACE.

    Args:
        leaks: rows of `leaks.speaker`: `name, model, embedding, speakers, strongest, erased`, and the scores.
    """
    strongest = leaks[leaks["strongest"].astype(bool)] if len(leaks) else leaks
    side = next((side for side in SIDES if len(strongest) and (strongest["speakers"] == side).any()), None)
    if side is None:
        return "Speaker leakage was not measured in this run."
    rows = strongest[strongest["speakers"] == side]
    erased = rows[rows["erased"].astype(bool)]
    rows = rows[~rows["erased"].astype(bool)].sort_values("score", kind="stable")
    if rows.empty:
        return "Speaker leakage was measured only on embeddings from which the speaker was erased."
    ends = [rows.iloc[0]] if len(rows) == 1 else [rows.iloc[0], rows.iloc[-1]]
    scores = _range([f"{percent(row['score'])}{SPACE}% (from {_whence(row)}, {_interval(row)})" for row in ends])
    chance = percent(float(rows["chance"].mean()))
    sentence = f"The strongest probe identifies {side} speakers with a UAR {scores}; chance is {chance}{SPACE}%"
    if len(erased):
        low, high = percent(float(erased["score"].min())), percent(float(erased["score"].max()))
        after = low if low == high else f"{low} to {high}"
        sentence += f"; after LEACE it reaches {after}{SPACE}%"
    return f"{sentence}."


def leaking(claims: Mapping[str, Any] | None) -> str:
    """Leakage of the factors that embeddings are not trained to predict: highest and lowest score, or empty.

    Args:
        claims: see `claims.shown`.
    """
    sentences = []
    for leak in (claims or {}).get("leaks", []):
        rows = sorted(leak["rows"], key=lambda row: float(row["score"]))
        ends = [rows[0]] if len(rows) == 1 else [rows[0], rows[-1]]
        scores = _range([f"{percent(row['score'])}{SPACE}% (from {row['model']})" for row in ends])
        floor = leak["floor"]
        beside = "" if floor is None else f"; the true speaker alone gives {percent(floor)}{SPACE}%"
        whose = f"From the {leak['embedding']} embedding, a probe with one hidden layer predicts {leak['factor']}"
        sentences.append(f"{whose} with a {leak['measure']} {scores}, all classes with equal weight{beside}.")
    return " ".join(sentences)


def _range(scores: Sequence[str]) -> str:
    """One score, or the lowest and the highest, as a part of a sentence."""
    return f"between {scores[0]} and {scores[1]}" if len(scores) > 1 else f"of {scores[0]}"


def split(run: Run) -> str:
    """Whether the split is clean, what was accepted, and which kinds of leak were examined."""
    certificate = run.certificate
    broken, found = certified.broken(run), certified.leaks(run)
    partly, reasoned = certificate.get("examined_in_part", {}), certificate.get("not_examined", {})
    examined = [name for name in LEAKS if name in certificate.get("examined", []) and name not in partly]
    skipped = [name for name in LEAKS if name not in examined and name not in partly]
    kinds = f"{counted(len(examined), 'kind')} of leak examined"
    kinds += f", {len(partly)} in part" if partly else ""
    kinds += f", {len(skipped)} not" if skipped else ""
    reasons = []
    if broken:
        reasons.append(
            f"a speaker is in two splits of {'folds' if len(broken) > 1 else 'fold'} {listed(map(str, broken))}"
        )
    if found:
        reasons.append(f"the certificate reports {listed(found)}")
    if run.marks:
        reasons.append("this was accepted when it was trained" if reasons else "it was accepted with a mark")
    if reasons:
        return f"The split is not clean: {'; '.join(reasons)} ({kinds})."
    if not run.named:
        return f"The corpus names no speakers, so one person may be in two splits; no other leak was found ({kinds})."
    where = f"each of the {len(run.splits)} folds" if len(run.splits) > 1 else "the one fold"
    where += f", as far as is known ({partly['shared-speaker']})," if "shared-speaker" in partly else ""
    if any(name not in reasoned for name in skipped):
        were = "was" if len(skipped) == 1 else "were"
        return f"In {where} no speaker is in two splits; {counted(len(skipped), 'kind')} of leak {were} not examined."
    return f"The split is clean: in {where} no speaker is in two splits, and no leak was found ({kinds})."


def _whom(part: str, seen: int, speakers: int) -> str:
    """The speakers of a part for a sentence, with how many of them are seen in training."""
    notes = ["the epoch was chosen on them"] if part == "validation" else []
    notes += [f"{seen} of {speakers} seen in training"] if seen else []
    if part == "test" and not seen:
        return "unseen speakers"
    return f"{part} speakers ({', '.join(notes)})"


def _which(part: str) -> str:
    """The clips of a part for a sentence, where no speakers are named."""
    return f"{part} clips (the epoch was chosen on them)" if part == "validation" else f"{part} clips"


def _verdicts(differences: pd.DataFrame, best: str, measure: str, unit: str) -> str:
    """The models that the best is above, and those it is not separable from, as the end of a sentence."""
    pairs = differences[
        (differences["measure"] == measure) & ((differences["model"] == best) | (differences["other"] == best))
    ]
    apart: list[str] = []
    together: list[str] = []
    for row in pairs.to_dict("records"):
        (apart if row["separable"] else together).append(_other(row, best))
    few = int(pairs["speakers"].min()) if len(pairs) else FEWEST
    why = f" ({counted(few, unit)}; {FEWEST} are needed)" if few < FEWEST else ""
    parts = [f"above {_some(apart)}"] if apart else []
    return " and ".join(parts + ([f"not separable from {_some(together)}{why}"] if together else []))


def _other(row: Mapping[Any, Any], best: str) -> str:
    return str(row["model"] if row["other"] == best else row["other"])


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return listed([*names[:NAMED], *more])


def _whence(row: Any) -> str:
    """The model of a row of `leaks.speaker` for a sentence, or one of its embeddings if it has several."""
    return str(row["model"]) if row["name"] == row["model"] else f"the embedding {row['embedding']} of {row['model']}"


def _interval(row: Any) -> str:
    if math.isnan(row["low"]):
        return "no interval"
    whose = "95\N{NO-BREAK SPACE}% interval" if row["interval"] != "training" else "interval of a single training run"
    return f"{whose} {words.span(row['low'], row['high'])}"
