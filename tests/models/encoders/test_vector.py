"""The encoder of vectors, and dropout that belongs to a clip, not to a process."""

import pytest
import torch

from mien.common.settings import parse
from mien.data.batch import Batch, Sequence
from mien.errors import ConfigError
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


def related(clips: int, size: int = 5) -> Batch:
    """Clips whose values depend on each other."""
    given = batch(clips, size=size)
    mix = torch.randn(size, size, generator=torch.Generator().manual_seed(1))
    values = given.audio.values @ mix + torch.arange(size)
    return Batch(**{**vars(given), "audio": Sequence(values, given.audio.valid)})


def test_components_are_scikit_learns_whitened_ones():
    decomposition = pytest.importorskip("sklearn.decomposition")
    given = related(40)
    encoder = Encoder(Config(hidden=(4,), limit=None, components=3), "audio", (5,)).eval()
    encoder.fit([given.part(torch.arange(25)), given.part(torch.arange(25, 40))])
    values = given.audio.values[:, 0]
    expected = decomposition.PCA(3, whiten=True, svd_solver="full").fit_transform(values.numpy())
    found = (values - encoder.mean) @ encoder.components
    torch.testing.assert_close(found.abs(), torch.from_numpy(expected).abs(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.T.cov(), torch.eye(3), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(encoder(given), torch.relu(encoder.layers[0](found)))


def test_what_clips_do_not_span_is_zero():
    few = related(3)
    encoder = Encoder(Config(hidden=(4,), components=4), "audio", (5,))
    encoder.fit([few])
    assert (encoder.components != 0).any(dim=0).tolist() == [True, True, False, False]
    encoder.fit([few.part(torch.arange(0))])
    assert not encoder.components.any()
    assert encoder.eval()(few).isfinite().all()


def test_clips_without_a_valid_vector_fit_nothing():
    given = related(20)
    valid = given.audio.valid.clone()
    valid[10:] = False
    some = Batch(**{**vars(given), "audio": Sequence(given.audio.values, valid)})
    one, other = (Encoder(Config(components=2, limit=None), "audio", (5,)) for _ in range(2))
    one.fit([some])
    other.fit([given.part(torch.arange(10))])
    torch.testing.assert_close(one.mean, other.mean)
    torch.testing.assert_close(one.components, other.components)


def test_merged_it_answers_the_same():
    given = related(30)
    encoder = Encoder(Config(hidden=(4, 3), limit=1.5, components=3), "audio", (5,)).eval()
    encoder.fit([given])
    plain = Encoder(Config(hidden=(4, 3), limit=1.5), "audio", (5,)).eval()
    plain.load_state_dict(encoder.merged())
    torch.testing.assert_close(plain(given), encoder(given), atol=1e-5, rtol=1e-5)
    assert plain.merged().keys() == plain.state_dict().keys()


def test_components_need_a_layer():
    with pytest.raises(ConfigError) as error:
        parse(Config, {"hidden": [], "components": 3}, "encoder")
    assert "components are read by the first layer, and hidden is empty; give a layer, or leave them out" in str(
        error.value
    )
