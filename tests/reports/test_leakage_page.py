"""What a table of leakage says in sentences, and its page: they begin with the answer, and stand alone."""

import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from mien.common.leakage_tables import LEAKAGE
from mien.reports import leakage_page, leakage_text


def row(**values: Any) -> dict[str, Any]:
    head = {"eraser": "", "balanced": "", "model": "E", "embedding": "E", "factor": "speaker", "speakers": None}
    how = {"probe": "strongest", "role": "measured", "measure": "uar", "split": "disjoint <clips>", "n": 320}
    numbers = {"score": 0.85, "low": 0.81, "high": 0.89, "chance": 1 / 16, "shuffled": 0.06, "classes": 16}
    return {**head, **how, **numbers, "p": 0.001, "p_corrected": 0.002, **values}


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows).reindex(columns=list(LEAKAGE))


FLOOR = row(role="floor", model="baseline", embedding="emotion label", score=0.2)
LEACE = row(eraser="leace", score=0.1, low=0.05, high=0.16)


def test_the_answer_is_a_sentence_with_interval_and_guessing() -> None:
    found = leakage_text.answers(table(row(), LEACE, FLOOR))
    assert found == [
        "From these embeddings a fresh probe names the speaker, one of 16, in 85 of 100 clips (81 to 89; guessing: 6). "
        "After LEACE: 10 (5 to 16)."
    ]


@pytest.mark.parametrize(
    ("low", "end"),
    [
        (0.05, "; the interval includes guessing: leakage is not shown."),
        (0.15, "; the interval includes the floor, 20: leakage is not shown."),
        (0.25, " (25 to 40; guessing: 6)."),
        (float("nan"), "; there are too few speakers or folds for an interval: leakage is not shown."),
    ],
)
def test_what_is_not_above_guessing_and_floor_is_no_leakage(low: float, end: str) -> None:
    (found,) = leakage_text.answers(table(row(score=0.3, low=low, high=0.4 if low == low else low), FLOOR))
    assert found.endswith(end)
    assert ("not shown" in found) == (low != 0.25)


def test_of_several_embeddings_the_lowest_and_the_highest_are_named() -> None:
    rows = [
        row(model=model, score=score, low=score - 0.1, high=score + 0.1)
        for model, score in {"a": 0.5, "b": 0.3, "c": 0.7}.items()
    ]
    (found,) = leakage_text.answers(table(*(one | {"speakers": "seen"} for one in rows), FLOOR))
    assert found == (
        "From the 3 embeddings a fresh probe names the seen speaker, one of 16, in 30 (b; 20 to 40) to 70 (c; 60 "
        "to 80) of 100 clips (guessing: 6)."
    )


def test_of_several_embeddings_those_without_leakage_are_named() -> None:
    scores = {"a": 0.9, "b": 0.15}
    rows = [row(embedding=name, score=score, low=score - 0.1, high=score + 0.1) for name, score in scores.items()]
    (found,) = leakage_text.answers(table(*rows, FLOOR))
    assert found.endswith("(guessing: 6); leakage is not shown for b.")
    assert leakage_text.answers(table(*(one | {"score": 0.1, "low": 0.0} for one in rows)))[0].endswith(
        "leakage is not shown for any of them."
    )


def test_a_p_above_the_level_is_no_leakage() -> None:
    (found,) = leakage_text.answers(table(row(p_corrected=0.214), FLOOR))
    assert found.endswith("; p is 0.21 after Holm's correction: leakage is not shown.")


def test_emotion_is_what_an_embedding_is_for() -> None:
    own = {"factor": "emotion", "classes": 4, "chance": 0.25}
    rows = [row(**own, score=0.2, low=0.1, high=0.3), LEACE | own]
    assert leakage_text.answers(table(*rows))[0] == (
        "From these embeddings a fresh probe names the emotion in 20 of 100 clips (10 to 30; guessing: 25); the "
        "interval includes guessing: that it can be recognised is not shown. After LEACE on the speaker: 10 (5 to 16)."
    )


def test_ends_that_are_the_same_number_stand_once() -> None:
    rows = [row(embedding=name, score=score) for name, score in {"a": 0.846, "b": 0.854}.items()]
    assert " in 85 (b; 81 to 89) of 100 clips" in leakage_text.answers(table(*rows, FLOOR))[0]
    assert "guessing: 13" in leakage_text.answers(table(row(chance=0.125)))[0], "a half is rounded upwards"


def test_verification_is_a_sentence_too() -> None:
    pairs = {"probe": "cosine", "low": 0.25, "high": 0.35, "chance": 0.5}
    rows = [row(measure="eer", score=0.31, **pairs), row(measure="linkability", score=0.4, **pairs)]
    assert leakage_text.answers(table(row(), *rows))[1] == (
        "Verification of speakers by cosine errs in 31 (25 to 35) of 100 pairs (EER; private: 50); linkability: 0.40, "
        "private: 0."
    )
    assert set(leakage_text.words_of(table(row(), *rows))) == {"Guessing", "Shuffled", "EER", "Linkability"}
    assert {"Floor", "LEACE"} <= set(leakage_text.words_of(table(row(), LEACE, FLOOR)))


def test_the_page_begins_with_the_answer_and_stands_alone() -> None:
    pairs = row(measure="eer", probe="cosine", score=0.31, low=0.25, high=0.35)
    probes = [row(probe=probe, score=score) for probe, score in (("linear", 0.85), ("mlp", 0.44))]
    whole = table(row(), LEACE, *probes, pairs, row(measure="hsic", probe="kernel", score=0.01), FLOOR)
    written: dict[str, str] = {}
    leakage_page.write(
        written.__setitem__,
        whole,
        title="Leakage of <E>",
        facts={"Speakers": "16"},
        notes=["said & done"],
        marks=["a & b"],
    )
    assert set(written) == {"leakage.svg", "leakage.html"}
    page = written["leakage.html"]
    text = re.sub(r"<style.*?</style>", "", page, flags=re.S)
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert page.index("a &amp; b") < page.index("<h1>Leakage of &lt;E&gt;") < page.index("From these embeddings")
    assert page.index("From these embeddings") < page.index("<table")
    assert "said &amp; done" in page
    for figure in ("85.0", "81.0 to 89.0", "44.0", "31.0", "20.0", "6.2", ".002", ">320<", ">16<"):
        assert figure in text, figure
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag not in {"meta", "br", "path", "use", "rect"}:
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag not in {"path", "use", "rect"}:
                assert opened.pop() == tag

    Reader().feed(page)
    assert opened == []
