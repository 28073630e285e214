"""The sentences of learning curves say no more than the intervals, and the figure shows every model."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from mien.audit.comparison.learning_curves import COLUMNS, Curves, Learner
from mien.reports.comparison_text import WIDTH
from mien.reports.learning_curves import answers, lead, section, text

SUPERVISED, ADVERSARIAL = Learner(False, (), False, True), Learner(False, (), True, False)
MULTITASK, BOTH = Learner(True, (), False, False), Learner(True, (), True, False)
FEW, HALF, ALL = 0.1, 0.5, 1.0


def row(system: str, share: float, score: float, *difference: float, base: str = "CNN", **more: object) -> dict:
    middle, low, high = difference or (float("nan"),) * 3
    values: dict[str, object] = {
        **{"system": system, "run": "rana", "model": system, "labelled": share, "variant": system},
        **{"labelled_clips": 600 * share, "unlabelled_clips": 1600 - 600 * share, "measure": "uar"},
        **{"score": score, "low": score - 0.04, "high": score + 0.05, "chance": 0.25},
        **{"speakers": 18, "clips": 700, "seeds": 2, "baseline": base if difference else ""},
        **{"difference": middle, "difference_low": low, "difference_high": high},
        **{"p": 0.01, "p_holm": 0.03, "separable": bool(difference) and (low > 0 or high < 0)},
    }
    return values | more


def curves(*rows: dict, learners: dict[str, Learner] | None = None, **more: object) -> Curves:
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    known = {"CNN": SUPERVISED, "CNN_multitask": MULTITASK, "AAE": ADVERSARIAL, "AAE_multitask": BOTH}
    found = Curves("uar", "test", True, table, known | (learners or {}), ())
    return replace(found, **more)


BASE = [row("CNN", FEW, 0.3), row("CNN", ALL, 0.5)]


def plain(sentences: list[str]) -> list[str]:
    return [sentence.replace("\N{NO-BREAK SPACE}", " ") for sentence in sentences]


@pytest.mark.parametrize(
    ("system", "differences", "sentence"),
    [
        (
            "AAE",
            [(0.03, 0.01, 0.05), (0.01, -0.01, 0.03)],
            "the unlabelled speech adds .03 [.01, .05] at 10 % of the labels, nothing that can be shown at 100 %",
        ),
        (
            "AAE_multitask",
            [(0.031, 0.011, 0.052), (-0.02, -0.031, -0.009)],
            "the auxiliary tasks and the unlabelled speech add .03 [.01, .05] at 10 % of the labels, take .02 [.01, "
            ".03] at 100 %",
        ),
        (
            "CNN_multitask",
            [(0.0, -0.02, 0.02), (0.2, 0.1, 0.3)],
            "the auxiliary tasks add nothing that can be shown at 10 % of the labels, .20 [.10, .30] at 100 %",
        ),
        (
            "AAE",
            [(0.01, -0.01, 0.03), (-0.01, -0.03, 0.01)],
            "the unlabelled speech adds nothing that can be shown at 10 % and 100 % of the labels",
        ),
        (
            "AAE",
            [(-0.03, -0.05, -0.002), (float("nan"),) * 3],
            "the unlabelled speech takes .030 [.002, .050] at 10 % of the labels, nothing that can be shown at 100 %",
        ),
    ],
)
def test_a_sentence_says_what_the_intervals_show(system, differences, sentence) -> None:
    rows = [row(system, share, 0.4, *own) for share, own in zip((FEW, ALL), differences, strict=True)]
    assert plain(answers(curves(*BASE, *rows))) == [f"{system}: {sentence}."]


def test_a_difference_that_is_not_separable_is_marked() -> None:
    unsure = row("AAE", FEW, 0.4, 0.03, 0.01, 0.05, separable=False, p_holm=0.08)
    few = row("AAE", ALL, 0.4, 0.03, 0.01, 0.05, separable=False, speakers=4)
    assert plain(answers(curves(*BASE, unsure, few))) == [
        "AAE: the unlabelled speech adds .03 [.01, .05] (not separable: p .080) at 10 % of the labels, .03 [.01, .05] "
        "(not separable: 4 speakers) at 100 %."
    ]


def test_unlabelled_speech_is_named_where_there_is_some() -> None:
    gain = (0.03, 0.01, 0.05)
    all_known = [row("AAE", FEW, 0.4, *gain), row("AAE", ALL, 0.5, *gain, unlabelled_clips=0.0)]
    assert plain(answers(curves(*BASE, *all_known))) == [
        "AAE: the unlabelled speech adds .03 [.01, .05] at 10 % and 100 % of the labels (no clip is unlabelled)."
    ]
    left_out = [row("AAE", share, 0.4, *gain, unlabelled_clips=0.0) for share in (FEW, ALL)]
    assert "AAE: the losses without labels add .03" in answers(curves(*BASE, *left_out))[0]
    assert "AAE: the unlabelled clips add .03" in answers(curves(*BASE, *all_known, heard=False))[0]
    removal = {"MEnAN": Learner(False, ("speaker",), False, False)}
    rows = [row("MEnAN", FEW, 0.4, *gain)]
    assert "MEnAN: the removal of speaker adds .03" in answers(curves(*BASE, *rows, learners=removal))[0]


def test_against_a_model_that_is_not_supervised_nothing_is_attributed() -> None:
    rows = [row("AAE", FEW, 0.3), row("AAE", ALL, 0.5)]
    rows += [row("CNN", FEW, 0.4, -0.03, -0.05, -0.01, base="AAE"), row("CNN", ALL, 0.4, 0, -0.1, 0.1, base="AAE")]
    rows += [row("AAE_multitask", FEW, 0.4, 0.03, 0.01, 0.05, base="AAE")]
    assert plain(answers(curves(*rows))) == [
        "CNN: .03 [.01, .05] below AAE at 10 % of the labels, no difference from AAE that can be shown at 100 %.",
        "AAE_multitask: .03 [.01, .05] above AAE at 10 % of the labels.",
    ]


def test_without_a_baseline_there_is_no_sentence_and_no_difference() -> None:
    found = curves(*BASE)
    assert answers(found) == []
    assert "Differences" not in lead(found)
    assert not any("difference" in line for line in text(found))
    assert ".csv" not in " ".join(text(found))


def test_the_lead_counts_clips_with_and_without_a_label() -> None:
    (said,) = plain([lead(curves(*BASE, row("AAE", FEW, 0.4, 0.03, 0.01, 0.05)))])
    assert said == (
        "UAR on 18 test speakers against the share of the training labels that is known, with 95 % intervals over "
        "speakers. Training clips with a label: 60 at 10 %, 600 at 100 %; without one: 1,540 at 10 %, 1,000 at 100 % "
        "(means over folds and seeds). Differences are from CNN (supervised) at the same share."
    )
    unknown = [{**one, "labelled_clips": float("nan"), "unlabelled_clips": float("nan")} for one in BASE]
    assert "clips" not in lead(curves(*unknown))


def test_text_fits_a_terminal_whatever_names_and_shares_there_are() -> None:
    name = "AAE_with_a_name_that_is_longer_than_any_column_of_a_terminal_of_eighty_columns_has_room_for"
    shares = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
    rows = [row("CNN", share, 0.3) for share in shares]
    rows += [row(name, share, 0.4, -0.131, -0.155, -0.107) for share in shares]
    lines = text(curves(*rows, learners={name: ADVERSARIAL}))
    assert max(map(len, lines)) <= WIDTH
    together = " ".join(" ".join(lines).split()).replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")
    assert "UAR, % 1 % 5 % 10 %" in together
    assert together.count("-13.1 [-15.5, -10.7]*") == len(shares)
    assert together.count("30.0 [26.0, 35.0]") == len(shares)


def test_the_figure_shows_every_model_its_clips_and_chance() -> None:
    found = curves(*BASE, row("_AAE", FEW, 0.4, 0.03, 0.01, 0.05), learners={"_AAE": ADVERSARIAL})
    svg = section(found)["figure"]
    for words in ("CNN", "_AAE", "chance", "UAR, %", "labels known in training", "60 clips", "600 clips"):
        assert re.search(f">\N{ZERO WIDTH SPACE}?{re.escape(words)}</text>", svg), words
    assert "of CNN and _AAE. _AAE: the unlabelled speech adds .03 [.01, .05]" in svg.split('viewBox="')[0]
    assert {"var(--c0)", "var(--c1)"} < set(re.findall(r"var\(--\w+\)", svg))
    assert svg.count("stroke-dasharray") == 2  # chance, and its entry in the legend
    assert section(found)["figure"] == svg


def test_intervals_that_are_not_known_are_left_out_of_the_figure() -> None:
    alone = curves(*({**one, "low": float("nan"), "high": float("nan")} for one in BASE))
    assert "nan" not in section(alone)["figure"].lower()


def test_numbers_are_shown_by_their_own_measure() -> None:
    rows = [{**row("AAE", share, 0.4, 0.03, 0.01, 0.05), "measure": "ccc", "chance": 0.0} for share in (FEW, ALL)]
    base = [{**one, "measure": "ccc", "chance": 0.0} for one in BASE]
    found = curves(*base, *rows, measure="ccc")
    assert "0.400 [0.360, 0.450]" in " ".join(text(found))
    assert ">CCC</text>" in section(found)["figure"]
    assert "adds .03 [.01, .05]" in answers(found)[0]
