"""What derived classes mean, in words."""

import pytest

from mien.reports.sections.derived import meaning


def value(mean, low=None, high=None):
    return {"mean": mean, "low": mean if low is None else low, "high": mean if high is None else high}


LEVELS = {"classes": ["low", "medium", "high"], "columns": ["valence"]}
CLUSTERS = {"classes": ["cluster 1", "cluster 2"], "columns": ["valence", "activation"], "given": False}
POINTS = {"cluster 1": [value(1.5), value(3)], "cluster 2": [value(4.25, 4, 4.5), value(2)]}


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            {**LEVELS, "given": True, "folds": 5, "limits": [value(2.0), value(3.5)]},
            "valence: low ≤ 2 < medium ≤ 3.5 < high (given limits)",
        ),
        (
            {**LEVELS, "given": False, "folds": 1, "limits": [value(2.0), value(3.5)]},
            "valence: low < 2 ≤ medium < 3.5 ≤ high (quantiles of the training clips)",
        ),
        (
            {**LEVELS, "given": False, "folds": 2, "limits": [value(2.0, 1.9, 2.1), value(3.5)]},
            "valence: low < 2 (1.9 to 2.1) ≤ medium < 3.5 ≤ high (quantiles of the training clips, mean over 2 folds, "
            "least and greatest in brackets)",
        ),
        (
            {**CLUSTERS, "folds": 2, "midpoints": POINTS},
            "midpoints of cluster 1: valence 1.5, activation 3; cluster 2: valence 4.25 (4 to 4.5), activation 2 (mean "
            "over 2 folds, least and greatest in brackets)",
        ),
    ],
)
def test_limits_and_midpoints_are_said_in_words(found, text):
    assert meaning(found) == text
