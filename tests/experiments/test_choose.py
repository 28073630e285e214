"""Choices: which candidates a model has, under which settings, and what may not be chosen."""

import pytest
import yaml

from mien import experiments
from mien.errors import ConfigError

REMOVE = "models.MEnAN.embeddings.main.remove.speaker"
WEIGHT = f"choose.{REMOVE}.weight={{on: validation, of: [0.2, 0.6]}}"
STEPS = f"choose.{REMOVE}.adversary_steps={{on: validation, of: {{one: 1, five: 5}}}}"


def settings(experiment: experiments.Experiment, model: str) -> dict[str, object]:
    """All settings that decide a training run, resolved."""
    whole = experiment.model_dump(mode="json", include={"data", "training", "optimiser", "protocol", "seeds"})
    return whole | {"model": experiment.model(model), "encoders": experiment.encoders, "features": experiment.features}


def test_a_candidate_is_the_experiment_with_the_same_settings_as_overrides():
    found = experiments.load("li2020", [WEIGHT, STEPS, "choose.optimiser.lr.default={on: validation, of: [0.01]}"])
    assert [one.label for one in found.candidates["MEnAN"]] == [
        "0.2-one-0.01",
        "0.2-five-0.01",
        "0.6-one-0.01",
        "0.6-five-0.01",
    ]
    changes = {f"{REMOVE}.weight": 0.6, f"{REMOVE}.adversary_steps": 5, "optimiser.lr.default": 0.01}
    last = found.candidates["MEnAN"][-1]
    assert last.changes == changes
    same = experiments.load("li2020", [f"{key}={value}" for key, value in changes.items()])
    assert settings(last.experiment, "MEnAN") == settings(same, "MEnAN")
    assert list(last.experiment.models) == ["MEnAN"]
    assert not last.experiment.choose


def test_a_key_of_one_model_is_chosen_for_it_alone():
    found = experiments.load("li2020", [WEIGHT])
    assert list(found.candidates) == ["MEnAN"]
    assert list(found.attempts) == ["emotion_only", "multitask", "gradient_reversal", "MEnAN/0.2", "MEnAN/0.6"]
    every = experiments.load("li2020", ["choose.training.batch={on: validation, of: [8, 16]}"])
    assert list(every.attempts) == [f"{model}/{batch}" for model in found.models for batch in (8, 16)]


def test_variants_of_a_grid_have_the_same_candidates():
    found = experiments.load("li2020", [WEIGHT, f"grid.a={{{REMOVE}.warmup: [0.5]}}", "grid.b={training.batch: [8]}"])
    assert list(found.candidates) == ["MEnAN", "MEnAN-a-0.5", "MEnAN-b-8"]
    one = found.candidates["MEnAN-a-0.5"][1].experiment.model("MEnAN-a-0.5")
    removal = one.embeddings["main"].remove["speaker"]
    assert (removal.warmup, removal.weight) == (0.5, 0.6)
    assert found.candidates["MEnAN-b-8"][0].experiment.training.batch == 8


def test_it_round_trips_through_the_resolved_file_of_a_run(tmp_path):
    found = experiments.load("li2020", [WEIGHT, STEPS])
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml.safe_dump(found.model_dump(mode="json"), sort_keys=False))
    again = experiments.load(file)
    assert again == found
    assert again.candidates == found.candidates


def test_what_is_chosen_is_ours():
    own = experiments.load("li2020", [WEIGHT]).candidates["MEnAN"][0].experiment
    assert own.provenance[f"{REMOVE}.weight"] == "ours"
    assert own.provenance[f"{REMOVE}.how"] == "paper"


def test_choices_go_with_their_model_or_by_null(tmp_path):
    file = tmp_path / "mine.yaml"
    choice = "{on: validation, of: [0.2]}"
    file.write_text(
        f"extends: li2020\nchoose: {{{REMOVE}.weight: {choice}, training.batch: {choice.replace('0.2', '8')}}}\n"
    )
    assert set(experiments.load(file).candidates) == {"emotion_only", "multitask", "gradient_reversal", "MEnAN"}
    assert list(experiments.load(file, ["models.MEnAN=null", "models.multitask=null"]).choose) == ["training.batch"]
    assert list(experiments.load(file, ["choose.training.batch=null"]).candidates) == ["MEnAN"]
    assert not experiments.load(file, ["choose=null"]).candidates


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["choose.training.batch={on: test, of: [8]}"],
            "choose.training.batch.on: a choice on 'test' would fit the setting to the clips that are to show how well "
            "it does; give validation",
        ),
        (
            ["choose.training.batch={on: train, of: [8]}"],
            "choose.training.batch.on: input should be 'validation' (found \"train\")",
        ),
        (["choose.training.batch={on: validation}"], "'choose.training.batch.of' is missing"),
        (["choose.training.batch=[8]"], "choose.training.batch: a choice is {on: validation, of: VALUES} (found [8])"),
        (
            ["choose.training.batch={on: validation, of: [8]}", "training.best=last"],
            "choose: 'training.batch' is chosen by a validation score, and training.best: last has none; name a score "
            "there, such as uar",
        ),
        (
            ["choose.training.best={on: validation, of: [uar, wa]}"],
            "choose: 'training.best' may not be chosen: candidates are compared by it",
        ),
        (
            ["choose.training.batch={on: validation, of: [8]}", "grid.a={training.batch: [4]}"],
            "choose: 'training.batch' is varied by grid.a as well, where every value is kept; leave one of the two out",
        ),
        (
            ["choose.encoder.channels={on: validation, of: [8]}", "grid.a={encoder: {b: {channels: 4}}}"],
            "choose: 'encoder.channels' is varied by grid.a as well, where every value is kept; leave one of the two "
            "out",
        ),
        (
            ["choose.protocol.folds={on: validation, of: {a: [1]}}"],
            "choose: 'protocol.folds' may not be varied: all variants are scored on the same speakers",
        ),
        (
            ["choose.traning.epochs={on: validation, of: [8]}"],
            "choose: 'traning.epochs' is no setting that may be varied. Did you mean 'training'? Known: models, "
            "encoder, data, training, optimiser",
        ),
        (
            ["choose.models.MEnNA.hidden={on: validation, of: {a: [8]}}"],
            "choose: 'models.MEnNA.hidden': unknown model 'MEnNA'. Did you mean 'MEnAN'? Known: MEnAN, emotion_only, "
            "gradient_reversal, multitask.",
        ),
        (
            ["choose.training.epoch={on: validation, of: [8]}"],
            "choose: unknown key 'training.epoch'. Did you mean 'epochs'? Known: batch, best, class_weight, epochs,"
            " one_of, patience, precision, sampling, steps",
        ),
        (["choose.training.batch={on: validation, of: []}"], "choose: 'training.batch': no value is given"),
        (
            ["choose.training.batch={on: validation, of: {..: 8}}"],
            "choose: the label '..': it has to name a folder; write a mapping from other labels to the values",
        ),
        (
            [
                "choose.training.batch={on: validation, of: {a-b: 8, a: 4}}",
                "choose.training.epochs={on: validation, of: {c: 8, b-c: 4}}",
            ],
            "choose: the label 'a-b-c': two candidates have it; write a mapping from other labels to the values",
        ),
    ],
)
def test_what_may_not_be_chosen_is_refused_with_the_way_out(overrides, message):
    with pytest.raises(ConfigError) as error:
        experiments.load("li2020", overrides)
    assert str(error.value).removeprefix("li2020: ") == message
