"""Which epoch is kept, by which score, and what inference brings back."""

import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from mien.engine.fit import Training, best_record, fit
from mien.engine.inference import infer
from mien.engine.minimise import Optimiser
from mien.errors import ConfigError, TrainingError

SETTINGS = {
    "embeddings": {
        "emotion": {"dim": 4, "tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": "confusion"}}},
        "speaker": {"dim": 3, "tasks": {"speaker": 0.5}, "auxiliary": ["emotion"]},
    }
}


def run(make_recipe, make_loader, folder, scores, best, patience=None):
    """The epoch whose weights are kept, of as many as there are scores, and the history."""
    recipe, states, given = make_recipe(SETTINGS, encoder="vector"), [], iter(scores)

    def validate():
        states.append({name: value.clone() for name, value in recipe.state_dict().items()})
        return next(given)

    training = Training(epochs=len(scores), batch=24, best=best, patience=patience)
    optimiser = Optimiser(lr={"default": 0.01})
    history = fit(recipe, make_loader(batch_size=24), validate, training=training, optimiser=optimiser, folder=folder)
    kept = recipe.state_dict()
    (epoch,) = [
        number for number, state in enumerate(states, 1) if all(torch.equal(state[name], kept[name]) for name in kept)
    ]
    return epoch, history


@pytest.mark.parametrize(
    ("best", "epoch"), [("uar", 1), ("wa", 2), ("cross_entropy", 3), ("tasks", 2), ("disentanglement", 3), ("last", 4)]
)
def test_the_named_score_chooses_the_epoch(make_recipe, make_loader, tmp_path, best, epoch):
    names = ("uar", "wa", "cross_entropy", "tasks", "disentanglement")
    rows = ((0.9, 0.1, 3.0, 0.2, -0.1), (0.1, 0.9, 2.0, 0.9, 0.1), (0.1, 0.1, 1.0, 0.9, 0.2), (0.1, 0.1, 2.0, 0.1, 0.2))
    scores = [dict(zip(names, row, strict=True)) for row in rows]
    kept, history = run(make_recipe, make_loader, tmp_path, scores, best)
    assert kept == epoch
    assert best == "last" or best_record(history, best)["epoch"] == epoch
    assert [row["validation tasks"] for row in history] == [0.2, 0.9, 0.9, 0.1]


@pytest.mark.parametrize(
    ("patience", "epochs", "kept"), [(1, 3, 2), (2, 4, 2), (3, 6, 5), (None, 6, 5)], ids=["1", "2", "3", "never"]
)
def test_training_stops_early_on_the_development_loss(make_recipe, make_loader, tmp_path, patience, epochs, kept):
    """Cross-entropy, of which less is better: 3, 2, then two epochs that are worse, 1, and one that is worse."""
    losses = (3.0, 2.0, 2.5, 2.1, 1.0, 1.5)
    scores = [{"cross_entropy": loss, "uar": 0.1 * number} for number, loss in enumerate(losses)]
    epoch, history = run(make_recipe, make_loader, tmp_path, scores, "cross_entropy", patience)
    assert (epoch, len(history)) == (kept, epochs)
    assert [row["validation cross_entropy"] for row in history] == list(losses[:epochs])


def test_a_score_that_is_not_there_is_named(make_recipe, make_loader, tmp_path):
    with pytest.raises(ConfigError) as error:
        run(make_recipe, make_loader, tmp_path, [{"uar": 0.1, "wa": 1.0}], "disentanglement")
    assert str(error.value) == (
        "training.best: this model has no validation score 'disentanglement', its scores are uar, wa; choose one of "
        "them, or 'last'"
    )
    assert not (tmp_path / "state.pt").exists()


def test_a_score_that_is_no_number_chooses_nothing(make_recipe, make_loader, tmp_path):
    with pytest.raises(TrainingError) as error:
        run(make_recipe, make_loader, tmp_path, [{"uar": 0.1, "tasks": float("nan")}], "tasks")
    assert str(error.value) == (
        "training.best: the validation score 'tasks' of epoch 1 is nan; choose another, or see that clips of the "
        "validation part have the labels that it needs"
    )
    _, history = run(make_recipe, make_loader, tmp_path, [{"uar": 0.1, "tasks": float("nan")}], "uar")
    assert "validation tasks" not in history[0]
    assert json.loads((tmp_path / "history.jsonl").read_text())["validation uar"] == 0.1


@pytest.mark.parametrize(("at_risk", "again"), [(0.0, []), (1e9, [0, 0, 1])], ids=["each epoch", "the end alone"])
def test_a_run_of_given_steps_is_resumed_with_the_same_bits(
    make_recipe, make_loader, tmp_path, monkeypatch, at_risk, again
):
    """Also where the state of no epoch but the last was written: what is lost is trained again, and recorded once."""
    monkeypatch.setattr("mien.engine.fit.AT_RISK", at_risk)
    training = Training(epochs=3, batch=7, steps=5, best="last")
    optimiser, progress, weights, histories = Optimiser(schedule={"name": "polynomial"}), [], [], []
    for name, kills in (("whole", []), ("killed", [1, 2])):
        for kill in [*kills, None]:
            recipe = make_recipe(SETTINGS, encoder="vector")
            step = recipe.step

            def noted(batch, minimise, step=step):
                progress.append(minimise.progress)
                return step(batch, minimise)

            def watch(record, kill=kill):
                if record["epoch"] == kill:
                    raise KeyboardInterrupt

            recipe.step = noted
            places = {"training": training, "optimiser": optimiser, "folder": tmp_path / name, "watch": watch}
            with nullcontext() if kill is None else pytest.raises(KeyboardInterrupt):
                fit(recipe, make_loader(steps=5), lambda: {"uar": 0.5}, **places)
        weights.append(recipe.state_dict())
        lines = (tmp_path / name / "history.jsonl").read_text().splitlines()
        histories.append([json.loads(line) | {"seconds": 0} for line in lines])
    assert progress == [(5 * epoch + step) / 15 for epoch in (0, 1, 2, *again, 0, 1, 2) for step in range(5)]
    assert histories[0] == histories[1]
    assert [record["epoch"] for record in histories[1]] == [1, 2, 3]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())


def test_inference_gives_what_is_wanted(make_recipe, make_loader):
    recipe, loader = make_recipe(SETTINGS), make_loader(batch_size=10)
    plain, full = infer(recipe, loader, embed=False), infer(recipe, loader, branches=True)
    assert plain.embeddings == {}
    assert plain.branches == {}
    assert {str(name): values.shape for name, values in full.branches.items()} == {
        "emotion-speaker": (24, 3),
        "speaker-emotion": (24, 4),
    }
    assert {name: values.shape for name, values in full.embeddings.items()} == {"emotion": (24, 4), "speaker": (24, 3)}
    for factor, logits in full.outputs.items():
        np.testing.assert_array_equal(plain.outputs[factor], logits)
    with torch.no_grad():
        alone = recipe.eval().branches(loader.batch(list(range(24)), step=0))
    row = full.clips.index("clip03")
    for name, values in full.branches.items():
        np.testing.assert_allclose(values[row], alone[name][3], atol=1e-6)
        assert values.dtype == np.float32
