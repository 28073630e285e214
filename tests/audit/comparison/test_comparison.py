"""Simulated differences are found and no others; scores and p equal those of scikit-learn, scipy and statsmodels."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, recall_score
from statsmodels.stats.multitest import multipletests

from mien.audit.comparison.comparison import LEVEL, PAIRS, SYSTEMS, contrast, powerless
from mien.audit.comparison.systems import gather
from mien.audit.statistics.verdict import FEWEST
from mien.errors import RunError
from mien.runs.run import Run
from sealing import reseal

Make = Callable[..., Run]
Row = Callable[..., "pd.Series[object]"]
EXACT = {"rel": 1e-10, "abs": 1e-12}
SCORES = ("uar", "wa", "f1")


def sklearn_score(rows: pd.DataFrame, measure: str) -> float:
    truth, guess = rows["truth"], rows["predicted"]
    if measure == "wa":
        return float(accuracy_score(truth, guess))
    labels = sorted(truth.unique())
    score = recall_score if measure == "uar" else f1_score
    return float(score(truth, guess, labels=labels, average="macro", zero_division=0))


@pytest.fixture(scope="module")
def run(make_compared: Make) -> Run:
    models = {"good": 0.85, "poor": 0.3, "also_poor": 0.3}
    return make_compared("run", models, leaks={"good": 0.8, "poor": 0.3, "also_poor": 0.3}, clips=20, seeds=(0,))


@pytest.fixture(scope="module")
def found(run: Run):
    return contrast(gather([run.folder]))


def test_only_a_simulated_difference_is_separable(found, row: Row) -> None:
    assert tuple(found.pairs.columns) == PAIRS
    ends = [f"{measure}{end}" for measure in SCORES for end in ("", "_low", "_high", "_best")]
    assert list(found.systems.columns) == ["system", *ends, *SYSTEMS]
    assert found.measures == list(SCORES)
    for measure in SCORES:
        better = row(found.pairs, model="good", other="poor", measure=measure)
        assert better["separable"]
        assert 0.2 < better["low"] < better["difference"] < better["high"]
        assert not row(found.pairs, model="poor", other="also_poor", measure=measure)["separable"]
        assert list(found.systems[f"{measure}_best"]) == [True, False, False]
    leaks = found.pairs[found.pairs["measure"] == "leakage"]
    assert row(leaks, other="poor")["difference"] == pytest.approx(0.5, abs=0.03)
    assert list(leaks["separable"]) == [True, True, False]
    assert found.systems["optimal"].iloc[0]


def test_scores_and_paired_tests_equal_scikit_learn_and_scipy(run: Run, found, row: Row) -> None:
    table = run.predictions[run.predictions["split"] == "test"]
    for one, two in (("good", "poor"), ("poor", "also_poor")):
        for measure in SCORES:
            pair = row(found.pairs, model=one, other=two, measure=measure)
            sides = [table[table["model"] == model] for model in (one, two)]
            scores = [sklearn_score(side, measure) for side in sides]
            assert (pair["score"], pair["other_score"]) == pytest.approx(scores, **EXACT)
            assert pair["difference"] == pytest.approx(scores[0] - scores[1], **EXACT)
            by_speaker = [[sklearn_score(part, measure) for _, part in side.groupby("speaker")] for side in sides]
            assert pair["p_paired_t"] == pytest.approx(
                stats.ttest_rel(*by_speaker, alternative="greater").pvalue, **EXACT
            )
            apart = np.subtract(*by_speaker).round(14)
            if measure == "uar":  # scipy takes a second for ties
                assert pair["p_wilcoxon"] == pytest.approx(stats.wilcoxon(apart[apart != 0]).pvalue, **EXACT)
            by_fold = [[sklearn_score(part, measure) for _, part in side.groupby("fold")] for side in sides]
            oracle = stats.ttest_rel(*by_fold, alternative="greater").pvalue
            assert pair["p_paired_t_cells"] == pytest.approx(oracle, **EXACT)
            x = np.subtract(*by_fold)
            t = x.mean() / np.sqrt((1 / 8 + 20 / 120) * x.var(ddof=1))  # 8 folds, 20 clips tested, 120 trained on
            assert pair["p_corrected_resampled_t"] == pytest.approx(2 * stats.t.sf(abs(t), 7), **EXACT)


def test_a_one_tailed_test_asks_for_less_cross_entropy(make_compared: Make) -> None:
    run = make_compared("soft", {"good": 0.85, "poor": 0.3}, clips=10, seeds=(0,))
    table = run.predictions
    given = {f"truth_{name}": (table["truth"] == name).astype(float) for name in run.classes}
    run.write_predictions(table.assign(**given))
    reseal(run.folder)
    pair = contrast(gather([run.folder])).pairs.set_index("measure").loc["cross_entropy"]
    assert pair["difference"] < 0
    table = table[table["split"] == "test"]
    of_truth = np.array([row[row["truth"]] for row in table.to_dict("records")], float)
    losses = table.assign(loss=-np.log(of_truth)).pivot_table("loss", "speaker", "model")
    oracle = stats.ttest_rel(losses["good"], losses["poor"], alternative="less").pvalue
    assert pair["p_paired_t"] == pytest.approx(oracle, rel=1e-6)
    assert pair["p_paired_t"] < 0.01


def test_seeds_are_averaged_for_scores_and_for_predictions(make_compared: Make) -> None:
    run = make_compared("seeds", {"a": 0.6, "b": 0.5}, clips=10, seeds=(0, 1, 2))
    pairs = contrast(gather([run.folder])).pairs.set_index("measure")
    table = run.predictions[run.predictions["split"] == "test"]
    hits = table.assign(hit=table["truth"] == table["predicted"]).pivot_table("hit", ["speaker", "seed"], "model")
    by_speaker = hits.groupby("speaker").mean()
    assert pairs.loc["wa", "p_paired_t"] == pytest.approx(
        stats.ttest_rel(by_speaker["a"], by_speaker["b"], alternative="greater").pvalue, **EXACT
    )
    right = {}
    for model, rows in table.groupby("model"):
        means = rows.groupby("clip")[list(run.classes)].mean()
        right[model] = means.idxmax(axis=1) == rows.drop_duplicates("clip").set_index("clip")["truth"]
    alone, other = (right["a"] & ~right["b"]).sum(), (right["b"] & ~right["a"]).sum()
    pair = pairs.loc["predictions"]
    assert pair["p_mcnemar"] == pytest.approx(stats.binomtest(alone, alone + other).pvalue, **EXACT)
    assert (pair["score"], pair["number"], pair["over"]) == (right["a"].mean(), 80, "clips")
    assert pair["separable"] is None
    assert 0 < pair["p_stuart_maxwell"] <= 1


def test_p_is_corrected_over_the_pairs_of_a_measure(found) -> None:
    for measure, rows in found.pairs.groupby("measure"):
        for test in {"uar": ("wilcoxon", "paired_t_cells"), "predictions": ("mcnemar",)}.get(str(measure), ()):
            p = rows[f"p_{test}"].dropna()
            if len(p):
                oracle = multipletests(p, method="holm")[1]
                assert rows.loc[p.index, f"p_{test}_holm"].to_numpy(float) == pytest.approx(oracle, **EXACT)
        if measure != "predictions":
            outside = (rows["low"] > 0) | (rows["high"] < 0)
            rule = outside & (rows["number"] >= FEWEST) & (rows["p_wilcoxon_holm"] < LEVEL)
            assert list(rows["separable"]) == list(rule)


def test_with_five_speakers_a_note_says_that_nothing_is_separable(make_compared: Make) -> None:
    for speakers in (5, 6):
        run = make_compared("few", {"good": 1.0, "poor": 0.0}, speakers=speakers, seeds=(0,))
        found = contrast(gather([run.folder]))
        uar = found.pairs.set_index("measure").loc["uar"]
        assert uar["low"] > 0
        assert uar["separable"] == (speakers == 6)
        assert ("Nothing can be separable in scores: 5 speakers are too few." in found.notes) == (speakers == 5)


def test_seven_speakers_are_enough_only_against_a_baseline(make_compared: Make) -> None:
    run = make_compared("many", {"a": 1.0, "b": 0.1, "c": 0.1, "d": 0.1}, speakers=7, seeds=(0,), clips=12)
    found = contrast(gather([run.folder]))
    assert not found.pairs["separable"].astype(bool).any()
    assert "Nothing can be separable in scores: 7 speakers are too few for 6 pairs; compare fewer." in found.notes
    found = contrast(gather([run.folder]), baseline="d")
    assert (set(found.pairs["other"]), found.baseline) == ({"d"}, "d")
    assert list(found.systems["uar_best"]) == [True, False, False, False]


def test_equal_systems_are_not_separable(make_compared: Make) -> None:
    run = make_compared("alike", {f"m{number}": 0.5 for number in range(6)}, speakers=10, clips=8, seeds=(0,))
    pairs = contrast(gather([run.folder])).pairs
    uar = pairs[pairs["measure"] == "uar"]
    assert (len(uar), uar["separable"].sum()) == (15, 0)
    assert (uar["p_wilcoxon_holm"] > LEVEL).all()


def test_tests_over_training_runs_are_left_out_if_seeds_differ(run: Run, make_compared: Make) -> None:
    other = make_compared("other", {"good": 0.85}, leaks={"good": 0.6}, clips=20, seeds=(4, 5))
    found = contrast(gather([run.folder / "models/good", other.folder]))
    rows = found.pairs.set_index("measure")
    left_out = ["p_paired_t_cells", "p_corrected_resampled_t"]
    assert rows[left_out].isna().all(axis=None)
    assert rows.loc[list(SCORES), ["p_paired_t", "p_wilcoxon", "difference", "low"]].notna().all(axis=None)
    means = [one.leakage.query("model == 'good'")["score"].mean() for one in (run, other)]
    assert rows.loc["leakage", "difference"] == pytest.approx(means[0] - means[1], **EXACT)
    assert (rows.loc["leakage", "number"], rows.loc["leakage", "over"]) == (8, "units of folds")
    assert (
        "No tests over training runs for run with other: their seeds differ (0 against 4, 5). Seeds are averaged "
        "within a speaker." in found.notes
    )


def test_a_baseline_is_a_name_or_a_folder(run: Run) -> None:
    together = gather([run.folder])
    for baseline in (f"{run.folder}/poor", f"{run.folder}/models/poor"):
        assert contrast(together, baseline=baseline).baseline == "poor"
    with pytest.raises(RunError, match=r"unknown system 'pooor'\. Did you mean 'poor'"):
        contrast(together, baseline="pooor")
    first = contrast(together, baseline="poor").systems.iloc[0]
    assert first["paper_uar"] == pytest.approx(0.575)
    assert np.isnan(first["paper_wa"])


@pytest.mark.parametrize(("number", "words"), [(1, "1 unit of folds is"), (2, "2 units of folds are")])
def test_what_is_too_few_is_counted(number: int, words: str) -> None:
    row = {"measure": "leakage", "over": "units of folds", "model": "a", "other": "b", "number": number}
    assert list(powerless(pd.DataFrame([row]))) == [f"Nothing can be separable in leakage: {words} too few."]
