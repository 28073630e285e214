"""Figures say their numbers, follow the page's colours, and are the same text for the same values."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from mien.common.tables import thin
from mien.reports.figures import canvas, plots, trends
from mien.reports.figures.agreement import CELLS, MOST, agreement

CELL = plots.Curve(np.arange(1.0, 301), np.geomspace(2, 0.1, 300), np.linspace(15, 60, 300))


def draw(kind: str, name: str = "a") -> str:
    random = np.random.default_rng(0)
    match kind:
        case "intervals":
            rows = [
                plots.Interval("one", 45.0, 40.0, 50.0, 14.3, parts=(44.0, 46.0)),
                plots.Interval("two", 50, *[np.nan] * 2, 14),
            ]
            return plots.intervals(rows, name=name, description="intervals", axis="UAR")
        case "matrix":
            return plots.matrix(
                np.array([[3.0, 1.0], [0.0, 0.0]]), ["anger", "joy & <pride>"], name=name, description="m"
            )
        case "curves":
            return plots.curves([CELL, CELL], name=name, description="curves", series=1, chance=14.3)
        case "scatter":
            groups = [f"s{number % 20}" for number in range(60)]
            return plots.scatter(random.normal(size=(60, 2)), groups, sorted(set(groups)), name=name, description="map")
        case "reliability":
            bins = trends.Bins(np.array([0.3, 0.6]), np.array([0.2, 0.7]), np.array([5.0, 80.0]))
            return trends.reliability(bins, bins, name=name, description="reliability", series=2)
        case "abstention":
            line = trends.Line(np.linspace(0.001, 1, 500), np.linspace(1, 0.4, 500), 3)
            return trends.abstention({"_a": line, "b": line}, name=name, description="abstention")
        case "agreement" | "cells":
            truth = random.normal(3, 1, 40 if kind == "agreement" else 2000)
            given = {"target": "arousal", "name": name, "description": kind, "series": 1}
            return agreement(truth, truth + random.normal(0, 0.5, len(truth)), **given)
        case "roc":
            line = trends.Line(np.linspace(0, 1, 50), np.linspace(0, 1, 50) ** 0.5, 3)
            return trends.roc({"a": line}, name=name, description="roc")
        case _:
            table = {"a": {"03": 40.0, "08": 60.0}, "_b": {"08": 50.0}}
            return plots.speakers(table, 20.0, name=name, description="speakers")


KINDS = (
    *("intervals", "matrix", "curves", "scatter", "speakers", "reliability", "abstention", "roc"),
    *("agreement", "cells"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_is_one_well_formed_element_with_a_description(kind: str) -> None:
    root = ElementTree.fromstring(draw(kind).replace("<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', 1))
    assert root.tag == "svg"
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]


@pytest.mark.parametrize("kind", KINDS)
def test_is_deterministic_and_its_identifiers_are_its_own(kind: str) -> None:
    assert draw(kind) == draw(kind)
    first, second = (set(re.findall(r'id="([^"]*)"', draw(kind, name))) for name in ("a", "b"))
    assert not first & second
    assert set(re.findall(r"[\"(]#([^\")]*)", draw(kind))) <= first


@pytest.mark.parametrize("kind", KINDS)
def test_every_colour_is_a_variable_of_the_page(kind: str) -> None:
    styles = "; ".join(re.findall(r'style="([^"]*)"', draw(kind)))
    assert set(re.findall(r"(?:fill|stroke): ([^;]*)", styles)) <= {"none"} | {
        f"var(--{name})" for name in canvas.VARIABLES.values()
    }
    assert not re.search("#0102|http|<style", draw(kind))


def test_a_confusion_matrix_is_percent_of_its_rows() -> None:
    text = re.findall(r"<text[^>]*>([^<]*)</text>", draw("matrix"))
    assert text.count("75") == text.count("25") == 1
    assert "anger (4)" in text
    assert "joy &amp; &lt;pride&gt; (0)" in text
    assert len(text) == 2 + 2 + 2 + 1  # two numbers, two names twice, the axis: an empty row has no numbers


def test_speakers_are_sorted_and_names_are_kept() -> None:
    text = re.findall(r"<text[^>]*>([^<]*)</text>", draw("speakers"))
    assert text.index("08") < text.index("03")
    assert "\N{ZERO WIDTH SPACE}_b" in text
    odd = plots.speakers({"cost $5 and $6": {"山": 40.0}}, 20.0, name="a", description="d")
    assert "cost $5 and $6" in odd
    assert "山" in odd


def test_long_curves_are_thinned_and_keep_both_ends() -> None:
    kept = thin(300, 100)
    assert (len(kept), kept[0], kept[-1]) == (100, 0, 299)
    np.testing.assert_array_equal(thin(5, 100), np.arange(5))
    assert len(draw("curves")) < 40_000


def test_models_share_the_colour_of_a_method_and_the_marker_of_a_size() -> None:
    methods, sizes = ("multitask", "gradient_reversal", "alternating", "confusion"), (2048, 256, 64)
    names = ["emotion_only", "speaker_only", *(f"{method}_{size}" for method in methods for size in sizes)]
    look = {
        name: (canvas.colour_of(number), canvas.marker_of(number))
        for name in names
        for number in [canvas.number_of(names, name)]
    }
    assert len(set(look.values())) == len(names)
    for method in methods:
        assert len({look[f"{method}_{size}"][0] for size in sizes}) == 1
    for size in sizes:
        assert len({look[f"{method}_{size}"][1] for method in methods}) == 1
    assert len({colour for colour, _ in look.values()}) == 6
    assert canvas.by_method(names)
    few = names[:8]
    assert [canvas.number_of(few, name) for name in few] == list(range(8))
    assert not canvas.by_method(few)
    plain = [f"model {letter}" for letter in "abcdefghij"]
    assert len({(canvas.colour_of(n), canvas.marker_of(n)) for n in map(plain.index, plain)}) == 10


def marks(text: str, kind: str) -> list[tuple[float, float]]:
    """Where the marks of a figure are."""
    uses = re.findall(r"<use [^>]*>", text)
    places = [re.search(r'x="([-\d.]+)" y="([-\d.]+)"', use) for use in uses if kind in use]
    return [(float(place[1]), float(place[2])) for place in places if place]


def test_agreement_has_a_mark_a_clip_and_the_same_ticks_on_both_axes() -> None:
    truth = np.array([1.0, 2.0, 3.0, 4.5])
    text = agreement(truth, truth, target="arousal", name="a", description="a", series=0)
    places = np.array(marks(text, "fill: var(--c0)"))
    assert len(places) == 4
    assert np.allclose(np.diff(places[:, 0]), -np.diff(places[:, 1]), atol=0.02), "equal numbers lie on the diagonal"
    words = re.findall(r"<text[^>]*>([^<]*)</text>", text)
    assert {words.count(tick) for tick in words if tick[0].isdigit()} == {2}
    assert {"arousal, true", "arousal, predicted"} < set(words)


def test_agreement_of_many_clips_is_drawn_by_cells_and_says_the_most() -> None:
    truth = np.concatenate([np.linspace(0, 1, MOST), np.full(250, 0.5)])
    text = agreement(truth, truth, target="arousal", name="a", description="a", series=0)
    (most,) = re.findall(r"most in a cell: (\d+) clips", text)
    assert 250 <= int(most) <= 250 + 2 * MOST / CELLS
    assert text.count("fill: var(--c0)") < 3 * CELLS


@pytest.mark.parametrize("count", [1, 3])
def test_agreement_of_equal_numbers_is_drawn(count: int) -> None:
    assert "<svg" in agreement(*np.full((2, count), 2.0), target="x", name="a", description="a", series=0)
