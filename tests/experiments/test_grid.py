"""Grids: which variants an experiment has, under which settings and names, and what may not be varied."""

from pathlib import Path

import pytest
import yaml

from mien import experiments
from mien.errors import ConfigError

REMOVE = "models.MEnAN.embeddings.main.remove.speaker"


def grid(*groups: str) -> experiments.Experiment:
    """The Li experiment with a grid."""
    return experiments.load("li2020", [f"grid.{group}" for group in groups])


def settings(experiment: experiments.Experiment, model: str) -> dict[str, object]:
    """All settings that decide a training run, resolved."""
    whole = experiment.model_dump(mode="json", include={"data", "training", "optimiser", "protocol", "seeds"})
    return {
        **whole,
        "model": experiment.model(model),
        "encoders": experiment.encoders,
        "features": experiment.features,
        "copies": experiment.data.feature_copies,
    }


@pytest.mark.parametrize(
    ("group", "name", "overrides"),
    [
        (f"steps={{{REMOVE}.adversary_steps: [5]}}", "MEnAN-steps-5", [f"{REMOVE}.adversary_steps=5"]),
        (
            "lambda={models.MEnAN.embeddings.main: {'0.1': {tasks: {emotion: 0.1}, remove: {speaker: {weight: 0.9}}}}}",
            "MEnAN-lambda-0.1",
            ["models.MEnAN.embeddings.main.tasks.emotion=0.1", f"{REMOVE}.weight=0.9"],
        ),
        ("speed={data.audio.speed_by: [tempo]}", "multitask-speed-tempo", ["data.audio.speed_by=tempo"]),
        ("encoder={encoder.channels: [8]}", "emotion_only-encoder-8", ["encoder.channels=8"]),
        ("rate={optimiser.lr.adversaries: [1e-2]}", "MEnAN-rate-0.01", ["optimiser.lr.adversaries=0.01"]),
        ("copies={data.copies: {one: {speed_080: null, speed_090: null, speed_110: null}}}", "MEnAN-copies-one", []),
        ("patience={training.patience: [3]}", "MEnAN-patience-3", ["training.patience=3"]),
        (
            f"cross={{{REMOVE}.warmup: [0.5], training.epochs: [2]}}",
            "MEnAN-cross-0.5-2",
            [f"{REMOVE}.warmup=0.5", "training.epochs=2"],
        ),
    ],
)
def test_a_variant_is_the_experiment_with_the_same_settings_as_overrides(group, name, overrides):
    if "copies" in name:
        overrides = [f"data.copies.speed_{speed}=null" for speed in ("080", "090", "110")]
    variant = grid(group).trained[name]
    assert settings(variant, name) == settings(experiments.load("li2020", overrides), name.split("-")[0])
    assert list(variant.models) == [name]
    assert not variant.grid


def test_keys_of_a_group_are_crossed_and_groups_stand_side_by_side():
    found = grid(
        f"a={{{REMOVE}.adversary_steps: [2, 5], training.epochs: {{few: 3, many: 9}}}}",
        "b={data.normalisation: [train], models: [MEnAN, multitask]}",
        "c={training.batch: [8]}",
    )
    base = ["emotion_only", "multitask", "gradient_reversal", "MEnAN"]
    crossed = ["MEnAN-a-2-few", "MEnAN-a-2-many", "MEnAN-a-5-few", "MEnAN-a-5-many"]
    every = [f"{model}-c-8" for model in base]
    assert list(found.trained) == [*base, *crossed, "MEnAN-b-train", "multitask-b-train", *every]
    assert found.trained["MEnAN"] is found
    assert found.trained["MEnAN-a-2-many"].training.epochs == 9


def test_a_key_of_another_model_does_not_cross():
    reversal = "models.gradient_reversal.embeddings.main.remove.speaker.schedule"
    found = grid(f"both={{{REMOVE}.adversary_steps: [2, 5], {reversal}: [ganin], training.epochs: [3]}}")
    names = [point.name for point in found.sweep]
    assert names == ["MEnAN-both-2-3", "MEnAN-both-5-3", "gradient_reversal-both-ganin-3"]


@pytest.mark.parametrize(
    "group",
    [
        f"a={{{REMOVE}.adversary_steps: [1]}}",  # a default that no file names
        "a={models.MEnAN.embeddings.main: {half: {tasks: {emotion: 0.5}, remove: {speaker: {weight: 0.5}}}}}",
        "a={data.audio.speed_by: [resampling], models: [MEnAN]}",
        "a={encoder: [cnn_gru], models: [MEnAN]}",
    ],
)
def test_a_point_that_is_the_base_is_not_trained_twice(group):
    found = grid(group)
    assert [(point.name, point.base) for point in found.sweep] == [("MEnAN", "MEnAN")]
    assert list(found.trained) == list(found.models)


def test_an_experiment_with_a_grid_round_trips_through_its_resolved_file(tmp_path):
    found = grid("a={models.MEnAN.embeddings.main: {0.1: {tasks: {emotion: 0.1}}}}", "b={data.length.seconds: [1.0]}")
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml.safe_dump(found.model_dump(mode="json"), sort_keys=False))
    again = experiments.load(file)
    assert again == found
    assert again.trained == found.trained


def test_what_a_variant_changes_is_ours_and_no_figure_of_the_paper_is_its():
    base = grid(f"a={{{REMOVE}.weight: [0.3]}}")
    variant = base.trained["MEnAN-a-0.3"]
    changed = "models.MEnAN-a-0.3.embeddings.main.remove.speaker"
    assert base.provenance[f"{REMOVE}.weight"] == "paper"
    assert variant.provenance[f"{changed}.weight"] == "ours"
    assert variant.provenance[f"{changed}.how"] == "paper"
    assert not [key for key in variant.provenance if key.startswith(("models.MEnAN.", "models.multitask"))]
    assert "MEnAN" in base.reference
    assert not variant.reference


def test_labels_are_fit_for_a_folder():
    values = "{a/b: 1, 'c d': 2, '..': 3, true: 4, 'é': 5}"
    names = [point.name for point in grid(f"x={{training.epochs: {values}, models: [MEnAN]}}").sweep]
    assert names == ["MEnAN-x-a_b", "MEnAN-x-c_d", "MEnAN-x-..", "MEnAN-x-true", "MEnAN-x-_"]
    assert all(Path(name).name == name for name in names)
    plain = [point.label for point in grid("x={training.patience: [null, 1, 10], models: [MEnAN]}").sweep]
    assert plain == ["null", "1", "10"]


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (
            f"x={{{REMOVE}.adversary_step: [2]}}",
            "grid.x: models.MEnAN: unknown key 'embeddings.main.remove.speaker.adversary_step'. Did you mean "
            "'adversary_steps'? Known: adversaries, adversary_steps, bound, how, restart, schedule, warmup, weight",
        ),
        (
            "x={models.MEnNA.hidden: {a: [3]}}",
            "grid.x: 'models.MEnNA.hidden': unknown model 'MEnNA'. Did you mean 'MEnAN'? Known: MEnAN, "
            "emotion_only, gradient_reversal, multitask.",
        ),
        (
            "x={models: [MEnNA], training.epochs: [3]}",
            "grid.x: unknown model 'MEnNA'. Did you mean 'MEnAN'? Known: MEnAN, emotion_only, gradient_reversal, "
            "multitask.",
        ),
        ("x={models: MEnAN, training.epochs: [3]}", "grid.x: 'models' is a list of names, such as [emotion_only]"),
        (f"x={{models: [MEnAN], {REMOVE}.warmup: [0.5]}}", "grid.x: its keys name models already; leave 'models' out"),
        (
            "x={traning.epochs: [3]}",
            "grid.x: 'traning.epochs' is no setting that may be varied. Did you mean 'training'? Known: models, "
            "encoder, data, training, optimiser",
        ),
        (
            "x={training.epoch: [3]}",
            "grid.x: unknown key 'training.epoch'. Did you mean 'epochs'? Known: batch, best, class_weight, epochs,"
            " one_of, patience, precision, sampling, steps",
        ),
        (
            "x={data.audio.sped_by: [tempo]}",
            "grid.x: data.audio: unknown key 'sped_by'. Did you mean 'speed_by'? Known: ballast, delta_pitch, high,"
            " low, lowpass, lowpass_width, max_f0, mels, min_f0, noise_db, penalty_factor, preemphasis, "
            "resample_rate, sample_rate, shift, soft_min_f0, speed, speed_by, taper, upsample_width, window",
        ),
        ("x={training: [3]}", "grid.x: 'training': name one of its settings, as in 'training.NAME'"),
        (
            "x={training.epochs.more: [3]}",
            "grid.x: 'training.epochs.more': 'epochs' is one value and has no keys below it",
        ),
        (
            "x={data.prepared: [a, b]}",
            "grid.x: 'data.prepared' may not be varied: all variants are scored on the same clips",
        ),
        (
            "x={data.prepared.emodb: [a, b]}",
            "grid.x: 'data.prepared.emodb' may not be varied: all variants are scored on the same clips",
        ),
        ("x={data.scheme: [common]}", "grid.x: 'data.scheme' may not be varied: all variants have the same classes"),
        ("x={data.unlabelled: [train]}", "grid.x: 'data.unlabelled' may not be varied: all variants share one split"),
        (
            "x={protocol.folds: {a: [1]}}",
            "grid.x: 'protocol.folds' may not be varied: all variants are scored on the same speakers",
        ),
        ("x={seeds: {a: [1]}}", "grid.x: 'seeds' may not be varied: every variant is trained with every seed"),
        ("x={recipe: [disentangle]}", "grid.x: 'recipe' may not be varied: a model is of one recipe"),
        (
            "x={hold_test: [true]}",
            "grid.x: 'hold_test' is no setting that may be varied. Did you mean 'models'? Known: models, encoder, "
            "data, training, optimiser",
        ),
        (
            "x={provenance.training: [ours]}",
            "grid.x: 'provenance.training' is no setting that may be varied. Known: models, encoder, data, "
            "training, optimiser",
        ),
        (
            "x={training.epochs: 3}",
            "grid.x: 'training.epochs': 3 is neither a list of values nor a mapping from labels to values",
        ),
        (
            "x={data.copies: [null]}",
            "grid.x: 'data.copies' is a mapping and null would take all of it away; name what goes, as in 'none: "
            "{speed_080: null}'",
        ),
        (
            "x={data.copies: {none: null}}",
            "grid.x: 'data.copies' is a mapping and null would take all of it away; name what goes, as in 'none: "
            "{speed_080: null}'",
        ),
        (
            "x={models.MEnAN.embeddings.main.remove: [null]}",
            "grid.x: 'models.MEnAN.embeddings.main.remove' is a mapping and null would take all of it away; name "
            "what goes, as in 'none: {speaker: null}'",
        ),
        ("x={training.epochs: []}", "grid.x: 'training.epochs': no value is given"),
        (
            "x={training.epochs: [[3]]}",
            "grid.x: 'training.epochs': a value of a list is plain; write a mapping from labels to such values",
        ),
        (
            "x={training.epochs: [3, 3]}",
            "grid.x: 'training.epochs': two values have the label '3'; write a mapping from labels to values",
        ),
        (
            "x={training.epochs: {a b: 3, a_b: 4}}",
            "grid.x: 'training.epochs': two values have the label 'a_b'; write a mapping from labels to values",
        ),
        ("x={training.epochs: {'': 3}}", "grid.x: 'training.epochs': a label is empty; it is part of a folder's name"),
        ("x={}", "grid.x: no setting is varied; name one, or leave the group out"),
        ("x={models: [MEnAN]}", "grid.x: no setting is varied; name one, or leave the group out"),
        ("x y={training.epochs: [3]}", "grid: group 'x y': a group's name has letters, digits, '_' and '-' only"),
        ("x=3", "grid.x: input should be an object (found 3)"),
    ],
)
def test_what_may_not_be_varied_is_refused_with_the_way_out(group, message):
    with pytest.raises(ConfigError) as error:
        grid(group)
    assert str(error.value).removeprefix("li2020: ") == message


def test_two_variants_of_one_name_are_refused():
    with pytest.raises(ConfigError) as error:
        grid("a-b={training.epochs: [3], models: [MEnAN]}", "a={training.epochs: {b-3: 4}, models: [MEnAN]}")
    assert str(error.value) == ("li2020: grid.a: the name 'MEnAN-a-b-3' is in group 'a-b' too; choose another label")
    with pytest.raises(ConfigError) as error:
        experiments.load(
            "li2020",
            ["models.MEnAN-a-3={embeddings: {main: {tasks: {emotion: 1.0}}}}", "grid.a={training.epochs: [3]}"],
        )
    assert str(error.value) == "li2020: grid.a: the name 'MEnAN-a-3' is another model's; choose another label"


def test_overrides_take_groups_away_and_vary_more(tmp_path):
    (tmp_path / "mine.yaml").write_text(f"extends: li2020\ngrid: {{a: {{{REMOVE}.warmup: [0.5]}}, b: {{x.y: [1]}}}}\n")
    with pytest.raises(ConfigError) as error:
        experiments.load(tmp_path / "mine.yaml")
    assert str(error.value) == (
        f"{tmp_path / 'mine.yaml'}: grid.b: 'x.y' is no setting that may be varied. Known: models, encoder, data, "
        "training, optimiser"
    )
    found = experiments.load(tmp_path / "mine.yaml", ["grid.b=null", f"grid.a.{REMOVE}.warmup=[0.1, 0.2]"])
    assert [point.name for point in found.sweep] == ["MEnAN-a-0.1", "MEnAN-a-0.2"]
    assert experiments.load(tmp_path / "mine.yaml", ["grid=null"]).sweep == ()


def test_a_model_in_a_file_has_no_dot_in_its_name(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: li2020\nmodels: {a.b: {embeddings: {main: {tasks: {emotion: 1.0}}}}}")
    with pytest.raises(ConfigError) as error:
        experiments.load(tmp_path / "mine.yaml")
    assert str(error.value) == (
        f"{tmp_path / 'mine.yaml'}: models: model 'a.b': a model's name has no dot, which separates keys"
    )


def test_the_shipped_sweep_varies_what_the_paper_leaves_open():
    found = experiments.load("li2020-sweep")
    assert found.hold_test
    assert all(one.hold_test for one in found.trained.values())
    assert list(dict.fromkeys(point.group for point in found.sweep)) == list(found.grid)
    weights = {name: one.model(name).embeddings["main"] for name, one in found.trained.items() if "-lambda-" in name}
    assert len(weights) == 4
    for one in weights.values():  # Eq. 5: lambda and 1 - lambda
        assert one.tasks["emotion"] + one.remove["speaker"].weight == pytest.approx(1)
