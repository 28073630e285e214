"""The model card: the training data of its members, and scores that can be reproduced from the run."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

import mien
from mien.audit.statistics import scores
from mien.runs import exported
from mien.runs.run import Run
from sealing import reseal


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """The tiny run's MEnAN, exported."""
    out = tmp_path_factory.mktemp("exported") / "voice-tiny"
    mien.export(run / "models" / "MEnAN", out=out)
    return out


def test_the_card_tells_the_figures_of_the_run(run, folder):
    opened, description, card = Run.open(run), exported.describe(folder), (folder / exported.CARD).read_text()
    score = opened.metrics["models"]["MEnAN"]["test"]
    for key in ("uar", "uar_low", "uar_high", "uar_chance", "wa"):
        assert getattr(description.scores[0], key) == pytest.approx(
            score[key], abs=1e-4
        )  # one seed: nothing is averaged
    assert [one.who for one in description.scores] == ["everybody", "female", "male"]
    women = opened.predictions.merge(opened.clips["gender"], left_on="clip", right_index=True)
    women = women[(women["gender"] == "female") & (women["split"] == "test") & (women["model"] == "MEnAN")]
    assert description.scores[1].uar == pytest.approx(scores.summary(women, opened.classes)["uar"].iloc[0], abs=1e-4)
    for figure in (
        description.scores[0].uar,
        description.scores[0].uar_low,
        description.unsure.coverage,
        description.unsure.accuracy,
    ):
        assert f"{figure:.3f}".removeprefix("0") in card
    for text in (
        description.sha256,
        f"{description.unsure.threshold:.4f}",
        "as stated by the owner of the recordings",
        "Article 5(1)(f)",
    ):
        assert text in card
    assert description.unsure.coverage >= 0.8
    validation = opened.predictions.query("split == 'validation' and model == 'MEnAN'")
    logits = np.log(np.maximum(validation[list(opened.classes)].to_numpy(), 5e-7))
    probabilities = softmax(logits / description.temperature, axis=1)
    answered = probabilities.max(axis=1) >= description.unsure.threshold
    right = np.array(opened.classes)[probabilities.argmax(axis=1)] == validation["truth"]
    assert description.unsure.coverage == pytest.approx(answered.mean(), abs=1e-4)
    assert description.unsure.accuracy == pytest.approx(right[answered].mean(), abs=1e-4)


def test_the_card_counts_only_the_clips_its_members_trained_on(run, folder, tmp_path):
    whole = (folder / exported.CARD).read_text()
    assert "Every one of these speakers is in the training data of some member" in whole
    assert "of 4 speakers" in whole
    assert "| prepared | 36 | 18 | 18 | 4 |" in whole
    assert "boredom (4 clips)" in whole
    assert "4 validation speakers are tested in another fold" in " ".join(whole.split())
    for unknown in ("research", "acted", "quiet"):  # the kind of speech is not given, or for what it may be used
        assert unknown not in whole
    mien.export(run / "models" / "MEnAN" / "fold-2-seed-0", out=tmp_path / "one")
    alone = (tmp_path / "one" / exported.CARD).read_text()
    assert "These are all its members, so the scores are those of this model.\n" in alone
    assert "| prepared | 18 | 9 | 9 | 2 |" in alone
    mien.export(run / "models" / "MEnAN", out=tmp_path / "two", cells=["fold-0-seed-0", "fold-1-seed-0"])
    some = (tmp_path / "two" / exported.CARD).read_text()  # the two swap roles: neither is learned from
    assert "The ensemble of all members was not scored.\n" in some
    assert "| prepared | 18 | 9 | 9 | 2 |" in some


def test_calibration_on_test_is_chosen_without_those_who_are_tested(run, folder):
    opened, card = Run.open(run), (folder / exported.CARD).read_text()
    classes, rows = list(opened.classes), opened.predictions.query("model == 'MEnAN'")
    truth, after, enough = [], [], []
    for _, tested in rows[rows["split"] == "test"].groupby("fold"):
        held = rows[(rows["split"] == "validation") & ~rows["speaker"].isin(tested["speaker"])]
        logits, place = (np.log(np.maximum(part[classes].to_numpy(), 5e-7)) for part in (held, tested))
        names = pd.Categorical(held["truth"], classes).codes
        grid = np.exp(np.linspace(np.log(0.05), np.log(20), 20_001))
        losses = [-np.log(softmax(logits / t, axis=1)[np.arange(len(names)), names]).mean() for t in grid]
        best = grid[int(np.argmin(losses))]
        sure = np.sort(softmax(logits / best, axis=1).max(axis=1))[::-1]
        calibrated = softmax(place / best, axis=1)
        enough += list(calibrated.max(axis=1) >= sure[int(np.ceil(0.8 * len(sure))) - 1] - 1e-4)
        after += list(calibrated)
        truth += list(pd.Categorical(tested["truth"], classes).codes)
    loss = -np.log(np.array(after)[np.arange(len(truth)), truth]).mean()
    lines = {line.split(" | ")[0]: line.removesuffix(" |").split(" | ")[-1] for line in card.splitlines()}
    assert float(lines["| negative log likelihood in nats, after"]) == pytest.approx(loss, abs=2e-3)
    assert float(lines["| share of clips that are answered"]) == pytest.approx(np.mean(enough), abs=1e-3)


def test_the_card_tells_the_line_that_trained_it_with_its_overrides(run, folder, tmp_path):
    opened = Run.open(run)
    line = "mien train tiny.yaml data.prepared=PREPARED --out RUN"
    assert opened.environment["command"] == line
    assert line in (folder / exported.CARD).read_text()
    older = tmp_path / "run"
    shutil.copytree(run, older)
    environment = {key: value for key, value in opened.environment.items() if key != "command"}
    (older / "environment.json").write_text(json.dumps(environment))
    reseal(older)
    mien.export(older, out=tmp_path / "out")
    assert f"```sh\n{opened.experiment.command}\n" in (tmp_path / "out" / exported.CARD).read_text()
