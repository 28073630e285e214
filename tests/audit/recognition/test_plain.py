"""Speakers of plain speech are halved by gender, and the answers of one half are counted with an interval over them."""

import numpy as np
import pandas as pd
import pytest

from mien.audit.recognition.plain import Windows, answered, halves
from mien.errors import CorpusError

CLASSES = ("anger", "neutral", "sadness")


def test_each_half_has_half_of_every_gender():
    people = (
        {f"f{number}": "female" for number in range(6)} | {f"m{number}": "male" for number in range(4)} | {"x": None}
    )
    table = pd.DataFrame({"speaker": [*people, *people], "gender": [*people.values(), *people.values()]})
    first, second = halves(table.sample(frac=1, random_state=0))
    assert sorted([*first, *second]) == sorted(people)
    for gender, count in (("f", 3), ("m", 2)):
        assert (
            sum(name.startswith(gender) for name in first) == sum(name.startswith(gender) for name in second) == count
        )
    assert halves(table) == (first, second)
    with pytest.raises(
        CorpusError, match=r"has 3 speakers, and needs four or more: half of them choose, half measure$"
    ):
        halves(table[table["speaker"].isin(["f0", "m1", "m2"])])


def test_answers_are_shares_of_all_windows_with_an_interval_over_speakers():
    generator = np.random.default_rng(0)
    best = generator.integers(0, 3, 400)
    sure = generator.random(400)
    rows = np.full((400, 3), 0.05)
    rows[np.arange(400), best] = np.where(sure < 0.5, 0.6, 0.9)
    speakers = np.array([f"s{number % 8}" for number in range(400)])
    found = answered(Windows(rows, speakers), CLASSES, 0.8)
    assert found.emotions == pytest.approx(((best != 1) & (sure >= 0.5)).mean(), abs=1e-4)
    assert found.answers["neutral"] == pytest.approx(((best == 1) & (sure >= 0.5)).mean(), abs=1e-4)
    assert sum(found.answers.values()) == pytest.approx((sure >= 0.5).mean(), abs=2e-4)
    assert found.low < found.emotions < found.high
    alike = np.where(speakers < "s4", 0, 1)  # half of the speakers always get an emotion: people differ, not windows
    rows = np.full((400, 3), 0.05)
    rows[np.arange(400), alike] = 0.9
    apart = answered(Windows(rows, speakers), CLASSES, 0.8)
    assert apart.emotions == 0.5
    assert apart.high - apart.low > 0.6 > 3 * (found.high - found.low)
    alone = answered(Windows(rows[:4], np.array(["one"] * 4)), CLASSES, 0.0)
    assert (alone.low, alone.high) == (None, None)
