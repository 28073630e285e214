"""A new name that is nearly one of those that are changed is asked about; one that is not there is not taken away."""

import pytest

from mien import experiments
from mien.errors import ConfigError
from mien.experiments.library import names

ASKED = "models.MEnAM is new; did you mean 'MEnAN'?"
WHOLE = "{embeddings: {main: {tasks: {emotion: 0.5}, remove: {speaker: {how: max_entropy, weight: 0.3}}}}}"


@pytest.fixture
def own(tmp_path):
    def write(settings: str, base: str = "li2020-emodb", name: str = "own.yaml"):
        (tmp_path / name).write_text(f"extends: {base}\n{settings}\n")
        return tmp_path / name

    return write


def test_a_part_of_a_misspelt_model_is_refused_with_the_question(own):
    file = own("models: {MEnAM: {embeddings: {main: {remove: {speaker: {weight: 0.3}}}}}}")
    with pytest.raises(ConfigError) as error:
        experiments.load(file)
    assert str(error.value) == (
        f"{file}: {ASKED} If not: models.MEnAM: 'embeddings.main.tasks' is missing; models.MEnAM: "
        "'embeddings.main.remove.speaker.how' is missing"
    )
    with pytest.raises(
        ConfigError, match=r"^li2020-emodb: models\.MEnAM is new; did you mean 'MEnAN'\? If not: models"
    ):
        experiments.load("li2020-emodb", ["models.MEnAM.embeddings.main.remove.speaker.weight=0.3"])


def test_the_question_comes_first_where_a_key_is_misspelt_too(own):
    with pytest.raises(ConfigError) as error:
        experiments.load(own("models: {MEnAM: {embedings: {main: {tasks: {emotion: 0.5}}}}}"))
    assert f"own.yaml: {ASKED} If not: models.MEnAM: " in str(error.value)
    assert "unknown key 'embedings'. Did you mean 'embeddings'?" in str(error.value)


def test_a_file_may_extend_and_an_override_may_not(own):
    with pytest.raises(ConfigError) as error:
        experiments.load(own("extend: emodb"))
    assert "unknown key 'extend'. Did you mean 'extends'? Known: accept, auc_classes, axes, " in str(error.value)
    assert ", expected, extends, grid, " in str(error.value)
    with pytest.raises(ConfigError) as error:
        experiments.load("emodb", ["extend=voice"])
    assert "extends" not in str(error.value)
    with pytest.raises(ConfigError) as error:
        experiments.load("emodb", ["extends=voice"])
    assert str(error.value) == (
        "override 'extends=voice': 'extends' stands in an experiment file; name the other experiment itself"
    )


def test_a_whole_model_is_trained_and_asked_about(own):
    file = own(f"models: {{MEnAM: {WHOLE}}}")
    assert set(experiments.load(file).models) >= {"MEnAN", "MEnAM"}
    assert experiments.questions(file) == [ASKED]
    assert experiments.questions(own("seeds: [1]", base="own.yaml", name="next.yaml")) == [ASKED]
    assert experiments.questions("li2020-emodb", [f"models.MEnAM={WHOLE}"]) == [ASKED]


@pytest.mark.parametrize("name", ["MEnAN_weak", "MEnAN2", "mine"])
def test_a_name_that_goes_on_or_is_another_is_not_asked_about(own, name):
    assert experiments.questions(own(f"models: {{{name}: {WHOLE}}}")) == []


def test_another_number_is_another_name():
    assert experiments.questions("li2020-emodb", ["data.copies={speed_085: {speed: 0.85}}"]) == []
    assert experiments.questions("li2020-emodb", ["data.copies={sped_080: {speed: 0.85}}"]) == [
        "data.copies.sped_080 is new; did you mean 'speed_080'?"
    ]


def test_a_model_that_replaces_another_is_not_asked_about(own):
    assert experiments.questions(own(f"models: {{MEnAN: null, MEnAM: {WHOLE}}}")) == []


@pytest.mark.parametrize("name", names())
def test_the_experiments_that_come_with_mien_are_not_asked_about(name):
    assert experiments.questions(name) == []


def test_what_is_not_there_is_not_taken_away(own):
    known = "Did you mean 'MEnAN'? Known: emotion_only, multitask, gradient_reversal, MEnAN."
    file = own("models: {MEnAM: null}")
    with pytest.raises(ConfigError) as error:
        experiments.load(file)
    assert str(error.value) == f"{file}: models: null takes 'MEnAM' away, which is not there. {known}"
    with pytest.raises(ConfigError) as error:
        experiments.load("li2020-emodb", ["models.MEnAM=null"])
    assert str(error.value) == (
        f"override 'models.MEnAM=null': models: null takes 'MEnAM' away, which is not there. {known}"
    )
    assert "MEnAN" not in experiments.load(own("models: {MEnAN: null}")).models
