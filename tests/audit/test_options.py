"""The options of the leakage audit: checked once, the same as keywords of `mien.leakage` and on the command line."""

from typing import get_type_hints

import numpy as np
import pytest

import mien
from mien.audit.options import LeakageKeywords, LeakageOptions
from mien.audit.probes.task import ProbingTask
from mien.errors import AuditError, ConfigError


def test_the_keywords_are_the_fields() -> None:
    fields = get_type_hints(LeakageOptions)
    del fields["factor"]  # beside the labels
    assert get_type_hints(LeakageKeywords) == fields


def test_factors_are_named_once_and_the_changed_options_are_known() -> None:
    assert LeakageOptions().factors == ("speaker",)
    assert LeakageOptions(factor=("age", "sex", "age")).factors == ("age", "sex")
    assert LeakageOptions(balanced="emotion", seed=0).changed == {"balanced": "emotion"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"speakers": "both"}, "^speakers = 'both' is neither seen nor unseen$"),
        ({"seed": -1}, "^seed = -1 is negative; give 0 or more$"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_read(options: dict, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        mien.leakage("nothing.npy", "nothing.csv", **options)


def test_a_task_has_one_value_for_each_clip() -> None:
    with pytest.raises(AuditError, match=r"^there are 7 sentences for 30 clips; give one for each clip$"):
        ProbingTask(np.arange(30) % 3, sentences=["a"] * 7)
