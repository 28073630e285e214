"""The page of a comparison loads nothing, escapes text, and is bold only for separable differences."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from mien.audit.comparison.comparison import Comparison, contrast
from mien.audit.comparison.systems import gather
from mien.reports.comparison import render
from mien.reports.comparison_text import WIDTH, escape, latex, text
from mien.reports.words import probability
from mien.runs.run import Run
from sealing import reseal

MARK = "Seen: test speakers were seen <in> training."


@pytest.fixture(scope="module")
def found(make_run: Callable[..., Run]) -> Comparison:
    run = make_run(models=("emotion_only", "MEnAN", "gradient_reversal"), seeds=(0,), clips=20, epochs=2, shown=False)
    run.write_json("certificate.json", {**run.certificate, "marks": [MARK]})
    reseal(run.folder)
    return contrast(gather([run.folder]))


def test_the_page_is_closed_and_every_table_has_the_mark(found: Comparison) -> None:
    page = render(found)
    assert "default-src 'none'" in page
    assert not re.search(r"<script|https?://|<link|@import|url\((?!#)", page.replace("http://www.w3.org", ""))
    assert page.count("Seen: test speakers were seen &lt;in&gt; training.") == 5
    assert page.count("<table") == 3
    assert render(found) == page


def test_bold_is_what_is_separable_and_nothing_else(found: Comparison) -> None:
    assert found.pairs["separable"].astype(bool).any()
    assert not found.pairs["separable"].astype(bool).all()
    apart = int((found.pairs["separable"] == True).sum())  # noqa: E712 - of predictions it is None
    page, table = render(found), latex(found)
    assert page.count("<strong>separable</strong>") == apart
    best = int(found.systems[["uar_best", "wa_best", "f1_best"]].to_numpy().sum())
    assert table.count(r"\textbf{") == apart + best
    none = found.pairs.assign(separable=False)
    plain = found.systems.assign(uar_best=False, wa_best=False, f1_best=False)
    quiet = replace(found, systems=plain, pairs=none)
    assert r"\textbf" not in latex(quiet)
    assert "separably" not in " ".join(text(quiet).split("*")[0].split())


def test_text_fits_a_terminal_and_names_the_best_system(found: Comparison) -> None:
    shown = text(found)
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert " ".join(shown.split()).startswith(MARK)
    best = found.systems.sort_values("uar").iloc[-1]
    assert f"is {best['system']}'s: {100 * best['uar']:.1f}" in " ".join(shown.split()).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert "not separable" in shown


def test_hostile_names_stay_names(found: Comparison) -> None:
    name = r"50%_of_{\input{x}}&<b>$#^~"
    systems = found.systems.assign(system=name * 2)
    strange = replace(found, systems=systems)
    page = render(strange)
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert max(map(len, text(strange).splitlines())) <= WIDTH
    table = latex(strange)
    assert r"\input" not in table
    assert escape("a_b%\\") == r"a\_b\%\textbackslash{}"
    rows = [line for line in table.splitlines() if line.endswith(r"\\")]
    ends = {len(re.findall(r"(?<!\\)&", row)) for row in rows}
    assert ends == {7, 5}  # the columns of the two tables
    plain = re.sub(r"\\[{}\\]", "", table)
    assert plain.count("{") == plain.count("}")


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.0004, "< .001"), (0.0196, ".020"), (0.05, ".050"), (0.5, ".50"), (1.0, "1.00"), (None, "\N{EN DASH}")],
)
def test_a_probability_has_no_zero_in_front(p: float | None, expected: str) -> None:
    assert probability(p) == expected
