"""Recalls of speakers: within a cell their mean is the UAR, and a run's interval resamples speakers, not folds."""

import numpy as np
import pandas as pd
import pytest

from mien.audit.leakage.leakage import predict, scored
from mien.audit.probes.division import divide
from mien.audit.probes.task import ProbingTask
from mien.audit.run_leakage import beside
from mien.audit.run_leakage.summary import leakage_summary
from mien.audit.statistics.scores import DRAWS


def clips(leak: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    who = np.repeat([f"s{number}" for number in range(6)], 12)
    return random.normal(size=(72, 4)) + leak * random.normal(size=(6, 4))[np.arange(72) // 12], who


@pytest.mark.parametrize("leak", [0.0, 3.0])
def test_the_mean_recall_is_the_uar_of_every_probe(leak: float) -> None:
    X, who = clips(leak)
    task = ProbingTask(who)
    found = predict(X, who, divide(task), probes=("nearest_mean", "linear"))
    table = scored(found, task)
    means = beside.recalls_of(found, who).groupby("probe")["recall"].mean()
    uar = table[table["measure"] == "uar"].set_index("probe")["score"]
    assert means.to_dict() == pytest.approx(uar.to_dict())
    assert (means["strongest"] > 0.8) == (leak > 0)


def people(folds: int, spread: float) -> pd.DataFrame:
    """Each fold lacks the speaker of its number. A speaker has the same recall in every fold."""
    each = 0.5 + spread * np.linspace(-1, 1, 10)
    rows = [
        {"fold": f, "seed": 0, "speaker": f"s{n}", "recall": each[n]} for f in range(folds) for n in range(10) if n != f
    ]
    return pd.DataFrame(rows).assign(
        model="a", embedding="main", eraser="", probe="strongest", speakers="seen", clips=9
    )


def test_an_interval_over_speakers_is_not_narrowed_by_more_folds() -> None:
    widths = []
    for folds in (2, 8):
        wide = beside.recalls_by_fold(people(folds, 0.3))
        drawn = beside.resampled_recalls(wide)
        assert drawn.shape == (DRAWS,)
        assert drawn.mean() == pytest.approx(np.nanmean(wide.to_numpy(), 1).mean(), abs=0.01)
        widths.append(drawn.std())
    error = 0.3 * np.linspace(-1, 1, 10).std() / np.sqrt(10)
    assert widths == pytest.approx([error, error], rel=0.15)
    assert beside.resampled_recalls(beside.recalls_by_fold(people(3, 0.0))).std() == pytest.approx(0)


def test_the_summary_has_intervals_over_seen_speakers_if_known() -> None:
    rows = [
        {"fold": fold, "seed": 0, "speakers": side, "score": 0.5, "low": 0.4, "high": 0.6}
        for fold in range(8)
        for side in ("seen", "unseen")
    ]
    named = {
        "model": "a",
        "embedding": "main",
        "eraser": "",
        "balanced": "",
        "factor": "speaker",
        "probe": "strongest",
        "role": "measured",
    }
    more = {"measure": "uar", "chance": 0.1, "shuffled": 0.1, "p": 0.01, "n": 90, "classes": 9, "split": "clips"}
    table, units = pd.DataFrame(rows).assign(**named, **more), {fold: fold for fold in range(8)}
    summary = leakage_summary(table, units, people(8, 0.3)).set_index("speakers")
    assert (summary.loc["seen", "interval"], summary.loc["seen", "number"]) == ("speakers", 10)
    assert summary.loc["seen", "low"] < 0.4 < 0.6 < summary.loc["seen", "high"]
    assert summary.loc["unseen", "interval"] == "training"  # eight folds of one score are one measurement
    assert leakage_summary(table, units).set_index("speakers").loc["seen", "interval"] == "training"
