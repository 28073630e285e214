"""Distributions as they are learned, against losses written by hand: CEL, PLD and majority of Barsoum et al. 2016."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mien.data.batch import Batch, Sequence
from mien.data.soft import learning
from mien.data.targets import TargetSettings
from mien.models.objectives.losses import cross_entropy

SHARES = [[0.7, 0.2, 0.1, 0.0], [0.0, 0.0, 0.0, 1.0], [0.4, 0.4, 0.1, 0.1], [np.nan] * 4, [0.0, 0.25, 0.25, 0.5]]
KNOWN = [0, 1, 2, 4]
STEPS = 4_000


def batch(step=0, shares=SHARES, seed=0):
    labels = {"emotion": torch.tensor(shares, dtype=torch.float64)}
    clips, absent = len(shares), Sequence.absent(len(shares))
    names = tuple(map(str, range(clips)))
    return Batch(names, absent, absent, labels, torch.arange(clips), clips, seed, step)


def logits():
    return np.random.default_rng(0).normal(size=(len(SHARES), 4))


def log_probability(row, place):
    return row[place] - np.log(sum(np.exp(value) for value in row))


def loss(how, step=0):
    return float(cross_entropy(torch.from_numpy(logits()), learning(batch(step), "emotion", how)))


def test_a_distribution_is_learned_by_its_cross_entropy():
    """CEL: Albanie et al. 2018, Eq. 2."""
    total = 0.0
    for clip in KNOWN:
        for place in range(4):
            total -= SHARES[clip][place] * log_probability(logits()[clip], place)
    assert loss("distribution") == pytest.approx(total / len(KNOWN), rel=1e-12)


def test_the_majority_is_learned_as_one_class():
    first_of_the_most = {0: 0, 1: 3, 2: 0, 4: 3}
    total = -sum(log_probability(logits()[clip], place) for clip, place in first_of_the_most.items())
    assert loss("majority") == pytest.approx(total / len(KNOWN), rel=1e-12)


def test_a_sampled_label_is_learned_as_one_class():
    """PLD: Barsoum et al. 2016, section 3.2."""
    for step in range(20):
        labels = learning(batch(step), "emotion", "sampled").numpy()
        total = -sum(log_probability(logits()[clip], int(labels[clip].argmax())) for clip in KNOWN)
        assert loss("sampled", step) == pytest.approx(total / len(KNOWN), rel=1e-12)


@pytest.fixture(scope="module")
def sampled():
    """STEPS x clips x classes."""
    return np.stack([learning(batch(step), "emotion", "sampled").numpy() for step in range(STEPS)])


def test_sampled_labels_are_one_class_as_often_as_its_share(sampled):
    known = sampled[:, KNOWN]
    assert set(np.unique(known)) == {0.0, 1.0}
    assert (known.sum(axis=2) == 1).all()
    assert np.isnan(sampled[:, 3]).all()
    shares = np.array(SHARES)[KNOWN]
    error = np.sqrt(shares * (1 - shares) / STEPS)
    assert (np.abs(known.mean(axis=0) - shares) <= 4 * error).all(), "4 standard errors; none where a share is 0 or 1"


def test_sampled_labels_differ_between_steps_clips_seeds_and_factors():
    even = [[0.25] * 4] * 200
    first = learning(batch(0, even), "emotion", "sampled")
    assert torch.equal(first, learning(batch(0, even), "emotion", "sampled"))
    assert len(first.unique(dim=0)) == 4, "clips of one batch"
    labels = {"mood": batch(0, even).labels["emotion"]}
    others = [
        learning(batch(1, even), "emotion", "sampled"),
        learning(batch(0, even, seed=1), "emotion", "sampled"),
        learning(replace(batch(0, even), labels=labels), "mood", "sampled"),
    ]
    for other in others:
        alike = (other == first).all(dim=1).double().mean()
        assert alike == pytest.approx(0.25, abs=0.13), "as often as by chance, within 4 standard errors"


def test_the_expected_loss_of_sampled_labels_is_that_of_the_distribution(sampled):
    log_shares = np.array([[log_probability(row, place) for place in range(4)] for row in logits()])
    losses = -(sampled[:, KNOWN] * log_shares[KNOWN]).sum(axis=2).mean(axis=1)
    assert abs(losses.mean() - loss("distribution")) < 4 * losses.std() / np.sqrt(STEPS)
    assert losses.std() > 0.1


@pytest.mark.parametrize("how", ["distribution", "sampled", "majority"])
def test_a_process_learns_its_own_rows_alike(how):
    whole = learning(batch(5), "emotion", how)
    for rows in ([0, 1], [2, 3, 4], [4, 1], []):
        part = learning(batch(5).part(torch.tensor(rows, dtype=torch.int64)), "emotion", how)
        assert torch.equal(part.nan_to_num(9), whole[rows].nan_to_num(9))
        assert part.dtype == torch.float64


@pytest.mark.parametrize("how", ["sampled", "majority"])
def test_only_training_batches_are_changed_and_only_by_one_factor(make_loader, how):
    plain, changed = make_loader(), make_loader(soft={"votes": how})
    for before, after in zip(plain.epoch(0), changed.epoch(0), strict=True):
        assert torch.equal(after.labels["votes"].nan_to_num(9), learning(before, "votes", how).nan_to_num(9))
        assert not torch.equal(after.labels["votes"], before.labels["votes"])
        for factor in ("emotion", "speaker", "valence"):
            assert torch.equal(after.labels[factor], before.labels[factor])
        assert torch.equal(after.audio.values, before.audio.values)
    evaluated = make_loader(soft={"votes": how}, training=False)
    for before, after in zip(make_loader(training=False).epoch(0), evaluated.epoch(0), strict=True):
        assert torch.equal(after.labels["votes"], before.labels["votes"])


def test_an_epoch_samples_anew_and_two_processes_sample_as_one(make_loader):
    def labels(epoch, **place):
        batches = make_loader(soft={"votes": "sampled"}, **place).epoch(epoch)
        return {clip: row for one in batches for clip, row in zip(one.clips, one.labels["votes"].tolist(), strict=True)}

    assert labels(0) != labels(1)
    assert labels(0) == {**labels(0, rank=0, processes=2), **labels(0, rank=1, processes=2)}


@pytest.mark.parametrize("kind", ["classes", "numbers", "levels"])
def test_what_is_no_distribution_is_learned_in_one_way(kind):
    def settings(**given):
        return TargetSettings.model_validate_json(json.dumps(given))

    with pytest.raises(ValidationError, match="'learn' is of a distribution; leave it out, or write kind: soft"):
        settings(kind=kind, learn="sampled")
    assert settings(kind=kind, learn="distribution").learn == "distribution"
    assert settings(kind="soft", columns=["a", "b"], learn="majority").learn == "majority"
    with pytest.raises(ValidationError, match="learn"):
        settings(kind="soft", columns=["a", "b"], learn="mode")
