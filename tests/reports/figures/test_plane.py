"""Every method has a mark on the plane, those on the frontier a ring."""

import math

from mien.audit.comparison.tradeoff import Point, frontier
from mien.reports.figures.plane import plane

POINTS = [
    Point("plain", 0.5, 0.4, 0.6, 0.6, 0.55, 0.65, "model", 0.125),
    Point("plain after LEACE", 0.48, 0.4, 0.6, 0.2, 0.15, 0.25, "erased", 0.125, method="plain"),
    Point("worse", 0.4, 0.3, 0.5, 0.7, math.nan, math.nan, "model", 0.125),
    Point("inputs", 0.55, 0.5, 0.6, 0.9, 0.85, 0.95, "ceiling", 0.125),
]
POINTS = [point._replace(optimal=on) for point, on in zip(POINTS, frontier(POINTS), strict=True)]


def test_marks_names_and_frontier() -> None:
    svg = plane(POINTS, name="plane", description="Accuracy & leakage")
    for point in POINTS:
        assert f">{point.label}</text>" in svg
    assert 'aria-label="Accuracy &amp; leakage"' in svg
    assert "nan" not in svg.lower()
    assert ">frontier</text>" in svg
    assert svg == plane(POINTS, name="plane", description="Accuracy & leakage")
    assert len(plane([*POINTS, POINTS[0]._replace(label="again", score=0.9)], name="p", description="")) > len(svg)


def test_a_method_keeps_its_colour_where_others_are_missing() -> None:
    named = {"name": "p", "description": "one"}
    assert "var(--c0)" in plane(POINTS[:1], **named)
    second = plane(POINTS[:1], **named, models=["worse", "plain"])
    assert "var(--c1)" in second
    assert "var(--c0)" not in second
    assert "var(--c1)" in plane(POINTS[1:2], **named, models=["worse", "plain"]), "also after an eraser"


def test_one_point_and_other_chances_are_plotted() -> None:
    alone = plane(POINTS[:1], name="p", description="one")
    assert ">plain</text>" in alone
    mixed = plane([POINTS[0], POINTS[2]._replace(chance=0.5)], name="p", description="two")
    assert mixed.count("stroke-dasharray") == alone.count("stroke-dasharray") - 1  # no one level of chance, no line
