"""What a table of leakage says, as sentences: what a probe reads, after LEACE, and without a probe.

A table has the columns of `leakage.csv` or of `leakage_summary.csv`. Scores are fractions; in the sentences a UAR is a
number of 100 clips, where all classes have equal weight.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mien.audit.leakage.floors import projected
from mien.common.leakage_tables import CEILING, FLOOR, MEASURED, SPEAKER, STRONGEST, after_eraser, factor_name
from mien.reports.figures.squares import squares
from mien.reports.words import listed

UTILITY = "emotion"  # the factor that an embedding is for: a probe recognises it, and LEACE erases the speaker
LEVEL = 0.05  # of p
NAMED = 3  # embeddings that a sentence names
WORDS = {
    "Guessing": "the score of chance: one in the number of classes.",
    "Floor": "the best score without the embedding, from the most frequent class or from the true label of another "
    "factor, and guessing at least. Only what exceeds it is leakage.",
    "Untrained": "the score of the same probe on a random projection of the inputs, as wide as the embedding.",
    "Ceiling": "the score of the same probe on the inputs of the encoder.",
    "Shuffled": "the score of the same probe after the labels were shuffled; near guessing, unless something is wrong.",
    "LEACE": "erases the linear information on the factor (of emotion: on the speaker) that the training clips of the "
    "probes hold (Belrose et al. 2023). What is read afterwards is not linear, or differs in clips that LEACE has not "
    "seen.",
    "CCC": "concordance correlation coefficient of a number that a probe predicts (Lin 1989): 0 is guessing, at 1 both "
    "are equal.",
    "EER": "equal error rate of speaker verification by the cosine of two embeddings: 50 % is private, at 0 % every "
    "speaker is recognised.",
    "Linkability": "how far pairs of clips of one speaker stand out by their cosine: 0 is private, 1 is linked.",
    "HSIC, CKA": "statistical dependence of embedding and factor, without a probe; 0 is independent.",
}


def answers(table: pd.DataFrame) -> list[str]:
    """Sentences on each factor: what the strongest probe reads, what is left after LEACE, and verification.

    Args:
        table: rows of all roles and measures; of several embeddings, the lowest and the highest score are given.
    """
    uar = table[table["measure"] == "uar"]
    floors, measured = uar[uar["role"] == FLOOR], strongest(uar)
    sentences = []
    for (_, _, side), rows in measured.groupby(["factor", "balanced", "speakers"], sort=False, dropna=False):
        plain, erased = (rows[(rows["eraser"] != "") == after] for after in (False, True))
        if plain.empty:
            continue
        sentence = _read(plain, floors, side if isinstance(side, str) else "")
        if len(erased):
            what = " on the speaker" if plain.iloc[0]["factor"] == UTILITY else ""
            sentence += f" After LEACE{what}: {_ends(erased)}."
        sentences.append(sentence)
    return [*sentences, *_of_numbers(table), *_verified(table)]


def strongest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the embeddings themselves by their strongest probe."""
    return table[(table["role"] == MEASURED) & (table["probe"] == STRONGEST)]


def words_of(table: pd.DataFrame) -> dict[str, str]:
    """The terms that the table has, with their meaning: `WORDS` without those that it does not have."""
    measures, roles = set(table["measure"]), set(table["role"])
    absent = {
        "Floor": FLOOR not in roles,
        "Untrained": not projected(table).any(),
        "Ceiling": CEILING not in roles,
        "LEACE": not (table["eraser"] != "").any(),
        "CCC": "ccc" not in measures,
        "EER": "eer" not in measures,
        "Linkability": "linkability" not in measures,
        "HSIC, CKA": not measures & {"hsic", "cka"},
    }
    return {name: text for name, text in WORDS.items() if not absent.get(name, False)}


def name_of(row: Mapping[Any, Any]) -> str:
    """The name of an embedding: its model, and its own where they differ, after an eraser."""
    return after_eraser(" ".join(dict.fromkeys((str(row["model"]), str(row["embedding"])))), row["eraser"])


def _read(rows: pd.DataFrame, floors: pd.DataFrame, side: str) -> str:
    """What the strongest probe reads of a factor from one embedding, or from several."""
    first = rows.iloc[0]
    whose = f"the {factor_name(first['factor'], first['balanced'])}"
    if first["factor"] == SPEAKER:
        numbers = sorted({int(float(number)) for number in rows["classes"].dropna()})
        whose = f"the {side} speaker".replace("  ", " ") + (f", one of {numbers[0]}," if len(numbers) == 1 else "")
    elif side:
        whose += f" of {side} speakers"
    guessing = f"guessing: {_hundred(first['chance'])}"
    why = {
        name: _not_shown(row, square.floor)
        for name, row, square in zip(_names(rows), rows.to_dict("records"), squares(rows, floors), strict=True)
    }
    what = "that it can be recognised" if first["factor"] == UTILITY else "leakage"
    if len(rows) > 1:
        sentence = (
            f"From the {len(rows)} embeddings a fresh probe names {whose} in {_ends(rows)} of 100 clips ({guessing})"
        )
        missing = [name for name, reason in why.items() if reason]
        if not missing:
            return f"{sentence}."
        some = "any of them" if len(missing) == len(rows) else _some(missing)
        return f"{sentence}; {what} is not shown for {some}."
    low, high = float(first["low"]), float(first["high"])
    inside = guessing if math.isnan(low) else f"{_hundred(low)} to {_hundred(high)}; {guessing}"
    sentence = (
        f"From these embeddings a fresh probe names {whose} in {_hundred(first['score'])} of 100 clips ({inside})"
    )
    (reason,) = why.values()
    return f"{sentence}; {reason}: {what} is not shown." if reason else f"{sentence}."


def _of_numbers(table: pd.DataFrame) -> Iterator[str]:
    """Sentences on factors that are numbers, one a side: what the strongest probe predicts, and after LEACE."""
    ccc = table[table["measure"] == "ccc"]
    floors = ccc[ccc["role"] == FLOOR]
    for (factor, side), rows in strongest(ccc).groupby(["factor", "speakers"], sort=False, dropna=False):
        plain, erased = (rows[(rows["eraser"] != "") == after] for after in (False, True))
        whose = f"the {factor} of {side} speakers" if isinstance(side, str) and side else f"the {factor}"
        source = "these embeddings" if len(plain) == 1 else f"the {len(plain)} embeddings"
        found = zip(plain.to_dict("records"), squares(plain, floors), strict=True)
        why = [_not_shown(row, own.floor, _plain) for row, own in found]
        missing = [name for name, reason in zip(_names(plain), why, strict=True) if reason]
        said = f"; {why[0]}: leakage is not shown" if len(plain) == 1 and missing else ""
        if len(plain) > 1 and missing:
            said = f"; leakage is not shown for {'any of them' if len(missing) == len(plain) else _some(missing)}"
        after = f" After LEACE on the speaker: {_ends(erased, _plain)}." if len(erased) else ""
        yield f"From {source} a fresh probe predicts {whose} with a CCC of {_ends(plain, _plain)}{said}.{after}"


def _not_shown(row: Mapping[Any, Any], floor: float, shown: Callable[[float], str] | None = None) -> str:
    """Why a score is not shown to be above guessing and floor; empty if it is."""
    low, p = float(row["low"]), row.get("p_corrected")
    p = row["p"] if p is None or p != p else p
    if math.isnan(low):
        return "there are too few speakers or folds for an interval"
    if low <= row["chance"]:
        return "the interval includes guessing"
    if low <= floor:
        return f"the interval includes the floor, {(shown or _hundred)(floor)}"
    return f"p is {p:.2g} after Holm's correction" if p is not None and p == p and p >= LEVEL else ""


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return listed([*names[:NAMED], *more])


def _names(rows: pd.DataFrame) -> list[str]:
    """The names of several embeddings, by what they differ in: model, embedding or both."""
    models, embeddings = rows["model"].nunique(), rows["embedding"].nunique()
    if models == 1 or embeddings == 1:
        return [str(name) for name in rows["embedding" if models == 1 else "model"]]
    return [name_of({**row, "eraser": ""}) for row in rows.to_dict("records")]


def _ends(rows: pd.DataFrame, shown: Callable[[float], str] | None = None) -> str:
    """The score of one row with its interval, or the lowest and the highest with the names of their embeddings."""
    ordered = rows.assign(called=_names(rows)).sort_values("score", kind="stable")
    ends, text = [ordered.iloc[0], ordered.iloc[-1]], shown or _hundred
    if len(rows) == 1 or text(ends[0]["score"]) == text(ends[1]["score"]):
        ends = ends[1:]
    texts = []
    for row in ends:
        inside = [] if len(rows) == 1 else [row["called"]]
        inside += [] if math.isnan(row["low"]) else [f"{text(row['low'])} to {text(row['high'])}"]
        texts.append(f"{text(row['score'])} ({'; '.join(inside)})" if inside else text(row["score"]))
    return " to ".join(texts)


def _verified(table: pd.DataFrame) -> Iterator[str]:
    """Sentences on verification, one a side: the EER of one embedding, or the lowest and the highest of several."""
    own = table[(table["role"] == MEASURED) & (table["eraser"] == "")]
    own = own.assign(speakers=own["speakers"].fillna(""))
    rows_of = own[own["measure"] == "eer"]
    for side in rows_of["speakers"].unique():
        rows = rows_of[rows_of["speakers"] == side]
        whose = f"{side} speakers" if side else "speakers"
        linked = own[(own["measure"] == "linkability") & (own["speakers"] == side)]["score"].dropna()
        values = list(dict.fromkeys(f"{value:.2f}" for value in (linked.min(), linked.max()))) if len(linked) else []
        also = f"; linkability: {' to '.join(values)}, private: 0" if values else ""
        yield f"Verification of {whose} by cosine errs in {_ends(rows)} of 100 pairs (EER; private: 50){also}."


def _plain(score: float) -> str:
    """A correlation with two decimals."""
    return f"{round(float(score), 2) + 0.0:.2f}"


def _hundred(share: float) -> str:
    """A fraction as a number of 100, halves upwards; with one decimal where it is below 1."""
    value = 100 * float(share)
    return f"{value:.1f}" if 0 < value < 0.95 else f"{math.floor(value + 0.5)}"
