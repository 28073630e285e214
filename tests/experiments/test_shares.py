"""Which variants of a model differ from it in the share of the labels alone."""

from learners import MODELS, experiment
from mien.experiments.shares import by_share


def test_a_curve_has_the_model_and_its_variants_by_share():
    found = experiment({"CNN": MODELS["CNN"], "AAE": {}}, [0.25, 1.0, 0.1])
    assert list(by_share(found, "AAE")) == [0.1, 0.25, 1.0]
    assert list(by_share(found, "AAE").values()) == ["AAE-labelled-0.1", "AAE-labelled-0.25", "AAE"]
    assert by_share(experiment({"AAE": {}}, []), "AAE") == {1.0: "AAE"}


def test_a_model_that_is_trained_with_a_share_itself_has_its_place():
    found = experiment({"AAE": {}}, [0.1, 1.0], data={"labelled": 0.5})
    assert by_share(found, "AAE") == {0.1: "AAE-labelled-0.1", 0.5: "AAE", 1.0: "AAE-labelled-1.0"}


def test_variants_that_differ_in_more_are_on_no_curve():
    both = {"data.labelled": [0.1, 1.0], "models.AAE.alpha": [0.4, 0.8]}
    grid = {"both": both, "epochs": {"training.epochs": [2]}}
    found = experiment({"AAE": {}, "CNN": MODELS["CNN"]}, [], grid=grid)
    assert len(found.trained) == 7
    assert by_share(found, "AAE") == {0.1: "AAE-both-0.1-0.4", 1.0: "AAE"}
    assert by_share(found, "CNN") == {1.0: "CNN"}
