"""Published scores are read under our names, with their corpus, in every notation."""

import pytest

from mien import experiments
from mien.experiments import reference
from mien.experiments.reference import EVALUATION, RUN, named, published

LI = experiments.load("li2020")


def test_figures_are_percent_or_fractions_and_deltas_follow() -> None:
    ours = {"uar test": 0.5745, "wa validation": 0.585, "wa mean": 0.3135, "mean ROC AUC": 0.71}
    percent = {"UA test": 57.45, "WA val": 58.5, "accuracy mean": 31.35, "mean ROC AUC": 0.71}
    fractions = {"uar test": 0.5745, "wa_dev": 0.585, "Accuracy mean": 0.3135, "mean ROC AUC": 0.71}
    assert named(percent) == pytest.approx(ours)
    assert named(fractions) == pytest.approx(ours)
    assert named({"UA test": 60, "UA validation": 62})["uar delta"] == pytest.approx(-0.02)


def test_a_small_figure_beside_large_ones_is_percent_too() -> None:
    assert named({"WA dev": 1, "WA test": 20})["wa validation"] == 0.01
    assert named({"WA dev": 1, "WA test": 1.0, "WA delta": 0.0})["wa validation"] == 1
    assert named({"UA test": 59.91, "UA delta": -0.23})["uar delta"] == pytest.approx(-0.0023)
    assert named({"UA test": 0.6, "UA delta": -0.23})["uar delta"] == -0.23
    apart = LI.model_copy(update={"reference": {"MEnAN": {"A": {"UA test": 59.91}, "B": {"UA delta": -0.23}}}})
    one = published(apart, "MEnAN", ("delta",), corpus="B")
    assert one is not None
    assert one.figures == {"uar delta": pytest.approx(-0.0023)}, "a model's tables have one unit"


def test_a_reported_delta_takes_precedence_over_the_difference() -> None:
    table = named({"UA test": 60, "UA validation": 62, "UA delta": -1.9})
    assert table["uar delta"] == pytest.approx(-0.019)
    first = published(LI, "emotion_only", RUN)
    assert first is not None
    assert first.figures["wa delta"] == pytest.approx(-0.0256), "the paper's own, not 55.92 - 58.50"


def test_the_experiment_contains_the_tables_of_the_paper() -> None:
    table2 = published(LI, "MEnAN", RUN)
    assert table2 is not None
    assert (table2.corpus, table2.source) == ("IEMOCAP", "Li et al. 2020 on IEMOCAP")
    assert table2.figures["uar test"] == pytest.approx(0.5991)
    assert table2.figures["wa delta"] == pytest.approx(-0.0023)
    table3 = published(LI, "MEnAN", EVALUATION)
    assert table3 is not None
    assert table3.corpus == "CMU-MOSEI"
    assert table3.figures == {
        "wa mean": pytest.approx(0.3324),
        "wa min": pytest.approx(0.2884),
        "wa max": pytest.approx(0.3985),
    }
    assert published(LI, "multitask", EVALUATION) is None
    line = reference.sentence(table3, ("uar", "wa"), EVALUATION)
    assert line == "Li et al. 2020 on CMU-MOSEI: mean WA 0.332, min WA 0.288, max WA 0.399"
    assert reference.sentence(None, ("uar",), RUN) == ""


def test_other_experiments_inherit_the_figures_with_their_corpus() -> None:
    inherited = published(experiments.load("li2020-emodb"), "MEnAN", RUN, corpus="emodb")
    assert inherited is not None
    assert inherited.corpus == "IEMOCAP"


def test_of_several_corpora_the_corpus_of_the_run_is_taken() -> None:
    several = LI.model_copy(update={"reference": {"MEnAN": {"IEMOCAP": {"UA test": 60}, "CMU-MOSEI": {"UA test": 40}}}})
    assert published(several, "MEnAN", RUN, corpus="cmu_mosei").corpus == "CMU-MOSEI"  # type: ignore[union-attr]
    assert published(several, "MEnAN", RUN, corpus="emodb").corpus == "IEMOCAP"  # type: ignore[union-attr]
    flat = published(LI.model_copy(update={"reference": {"MEnAN": {"UA test": 60.0}}}), "MEnAN", RUN)
    assert flat is not None
    assert flat.source == "Li et al. 2020, on its own data"
    assert published(LI.model_copy(update={"reference": {}}), "MEnAN", RUN) is None


def test_figures_under_names_of_their_own_are_found_by_a_word() -> None:
    paper = experiments.load("albanie2018")
    areas = reference.others(paper, "student", "AUC")
    assert areas == "EmoVoxCeleb: mean AUC, unseen speakers 0.69, mean AUC, seen speakers 0.71"
    maps = reference.others(paper, "student", "affine")
    assert "RML: WA, affine, 10 folds over clips 0.497, affine, of the teacher on faces 0.726; eNTERFACE: " in maps
    assert "Noroozi" not in maps
    assert reference.others(LI, "emotion_only", "UAR") == "", "those that have a name of ours stand in the tables"
