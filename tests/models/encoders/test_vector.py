"""The encoder of vectors, and dropout that belongs to a clip, not to a process."""

import pytest
import torch

from mien.data.batch import Batch, Sequence
from mien.models.encoders.vector import Config, Encoder
from mien.models.layers.dropout import dropout


def batch(clips: int = 6, frames: int = 1, size: int = 5, step: int = 0) -> Batch:
    values = torch.randn(clips, frames, size, generator=torch.Generator().manual_seed(3))
    names = tuple(map(str, range(clips)))
    valid = torch.ones(clips, frames, dtype=torch.bool)
    return Batch(names, Sequence(values, valid), Sequence.absent(clips), {}, torch.arange(clips), clips, 0, step)


def test_without_layers_it_is_the_limited_mean():
    given = batch(frames=4)
    expected = given.audio.values.mean(1).clamp(-0.5, 0.5)
    found = Encoder(Config(hidden=(), limit=0.5), "audio", (5,)).eval()(given)
    torch.testing.assert_close(found, expected)


def test_layers_are_torchs():
    encoder = Encoder(Config(hidden=(4, 3), limit=None), "audio", (5,)).eval()
    first, second = encoder.layers
    given = batch()
    expected = torch.relu(second(torch.relu(first(given.audio.values[:, 0]))))
    torch.testing.assert_close(encoder(given), expected)
    assert encoder.dimension == 3


def test_dropout_keeps_the_mean_and_drops_the_share():
    ones = torch.ones(2_000, 50)
    found = dropout(ones, batch(2_000), "here", 0.3, training=True)
    assert found.unique().tolist() == [0.0, pytest.approx(1 / 0.7)]
    assert (found == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert torch.equal(dropout(ones, batch(2_000), "here", 0.3, training=False), ones)


def test_dropout_depends_on_clip_step_and_layer():
    given, ones = batch(), torch.ones(6, 40)
    whole = dropout(ones, given, "here", 0.5, training=True)
    half = torch.tensor([4, 1])
    assert torch.equal(dropout(ones[half], given.part(half), "here", 0.5, training=True), whole[half])
    for other in (
        dropout(ones, given, "there", 0.5, training=True),
        dropout(ones, batch(step=1), "here", 0.5, training=True),
    ):
        assert not torch.equal(other, whole)


def test_video_and_sound_of_a_clip_have_dropout_of_their_own():
    given = batch()
    both = Batch(**{**vars(given), "video": given.audio})
    settings = Config(hidden=(), dropout=0.0, input_dropout=0.5)
    audio, video = (Encoder(settings, modality, (5,))(both) for modality in ("audio", "video"))
    assert not torch.equal(audio, video)
    assert torch.equal(*(Encoder(settings, modality, (5,)).eval()(both) for modality in ("audio", "video")))
