import pytest
import torch

from mien.data.batch import Batch, Sequence
from mien.models.layers.fusions import FUSIONS, Auxiliary, Branch, Fusion, placed, token

SIZES = {"layers": 2, "self_layers": 2, "heads": 2, "feed_forward": 2}
BOTH = ("audio", "video")
LENGTHS = {"audio": (8, 3, 8, 0, 0), "video": (5, 6, 0, 6, 0)}  # the last clip has nothing


def settings(**changes):
    sizes = {k: v for k, v in SIZES.items() if k != "self_layers" or changes.get("name") != "interleaved"}
    return Fusion.model_validate({**sizes, **changes})


def sequences(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    parts = {}
    for name, lengths in LENGTHS.items():
        valid = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        values = torch.randn(len(lengths), max(lengths), 6, generator=generator, dtype=dtype)
        parts[name] = placed((torch.where(valid[:, :, None], values, 0.0), valid))
    return parts


def batch(clips=5):
    nothing = Sequence.absent(clips)
    return Batch(tuple(map(str, range(clips))), nothing, nothing, {}, torch.arange(clips), clips, 0, 0)


def made(name, modalities=BOTH, **changes):
    torch.manual_seed(0)
    return FUSIONS[name](settings(name=name, **changes), modalities, 6, 3).double().eval()


every_network = pytest.mark.parametrize("name", list(FUSIONS))


def count(module):
    return sum(value.numel() for value in module.parameters())


def test_the_papers_network_has_as_many_parameters_as_its_layers():
    """130 wide, 5 + 5 layers a branch, feed-forward layers of 520, a head of 260 and 260, six classes."""
    width, hidden = 130, 520
    attention = 4 * (width * width + width)
    plain = attention + width * hidden + hidden + hidden * width + width + 2 * 2 * width
    main = 2 * (5 * (plain + 2 * width) + 5 * (plain + 2) + 2 * width)
    head = 2 * (260 * 260 + 260) + 260 * 6 + 6
    assert count(FUSIONS["auxformer"](Fusion(), BOTH, 130, 6)) == main + head == 4_230_226
    auxiliary = 5 * plain + 2 * width + 2 * (130 * 130 + 130) + 130 * 6 + 6
    assert count(Auxiliary(Fusion(), 130, 6)) == auxiliary == 1_057_556
    assert count(FUSIONS["mult"](Fusion(), BOTH, 130, 6)) == main - 2 * 5 * 2 + head
    interleaved = 2 * (5 * (2 * plain + 2 * width) + 2 * width) + 260 * 6 + 6
    assert count(FUSIONS["interleaved"](Fusion(name="interleaved"), BOTH, 130, 6)) == interleaved
    alone = 5 * plain + 5 * (plain + 2) + 2 * width + 130 * 260 + 260 + 260 * 260 + 260 + 260 * 6 + 6
    assert count(FUSIONS["auxformer"](Fusion(), ("audio",), 130, 6)) == alone


@every_network
def test_padding_and_what_is_not_valid_never_change_a_vector(name):
    network, parts = made(name), sequences()
    expected = network(parts, batch())
    for more in (1, 9):
        longer = {
            modality: (
                torch.cat([values, values.new_full((5, more, 6), 7.0)], dim=1),
                torch.cat([valid, valid.new_zeros(5, more)], dim=1),
            )
            for modality, (values, valid) in parts.items()
        }
        junk = {m: (torch.where(valid[:, :, None], values, -50.0), valid) for m, (values, valid) in longer.items()}
        for changed in (longer, junk):
            torch.testing.assert_close(network(changed, batch()), expected, rtol=0, atol=1e-12)


@every_network
def test_a_clip_gets_the_vector_that_it_has_alone(name):
    network, parts = made(name), sequences()
    whole = network(parts, batch())
    for row in range(5):
        alone = {
            modality: (values[row : row + 1, : max(1, length)], valid[row : row + 1, : max(1, length)])
            for modality, (values, valid) in parts.items()
            for length in [LENGTHS[modality][row]]
        }
        torch.testing.assert_close(network(alone, batch(1))[0], whole[row], rtol=0, atol=1e-12)


@every_network
def test_a_branch_without_its_modality_is_zero_and_the_other_goes_on(name):
    vectors = made(name)(sequences(), batch())
    for row, (sound, face) in enumerate(zip(*LENGTHS.values(), strict=True)):
        assert bool(vectors[row, :6].any()) == (sound > 0)
        assert bool(vectors[row, 6:].any()) == (face > 0)
    assert vectors.isfinite().all()


@every_network
def test_each_branch_depends_on_the_other_modality(name):
    network, parts = made(name), sequences()
    before = network(parts, batch())
    louder = {**parts, "audio": (parts["audio"][0] + torch.linspace(0, 2, 6), parts["audio"][1])}
    changed = (network(louder, batch()) != before)[:, 6:].any(dim=1)
    assert changed.tolist() == [sound > 0 and face > 0 for sound, face in zip(*LENGTHS.values(), strict=True)]


@every_network
def test_one_modality_alone_pays_attention_to_itself(name):
    network, parts = made(name, ("audio",)), sequences()
    assert network.dimension == 6
    found = network({"audio": parts["audio"]}, batch())
    assert torch.equal(network(parts, batch()), found), "the other one is not read"
    assert not any("others" in key for key, _ in network.named_parameters())
    assert network.logits(found).shape == (5, 3)


def test_scales_are_learned_in_the_auxformers_own_layers_alone():
    def scales(network):
        return {key.split(".")[0] for key, _ in network.named_parameters() if key.endswith(("alpha", "beta"))}

    assert scales(made("auxformer")) == {"within"}
    assert scales(made("mult")) == scales(made("interleaved")) == set()


@pytest.mark.parametrize("which", ["last", "first", "mean"])
def test_a_token_is_of_valid_frames(which):
    values = torch.arange(12, dtype=torch.float64).view(2, 6, 1)
    valid = torch.tensor([[False, True, True, False, True, False], [False] * 6])
    expected = {"last": 4.0, "first": 1.0, "mean": 7 / 3}[which]
    assert token(values, valid, which)[:, 0].tolist() == pytest.approx([expected, 0.0])


def test_a_branch_ends_with_a_layer_normalisation():
    torch.manual_seed(0)
    vectors = Branch(settings(), 6, 2).double().eval()(sequences()["audio"], batch(), "x")
    assert vectors[:3].mean(dim=1).abs().max() < 1e-12
    assert vectors[:3].var(dim=1, correction=0).tolist() == pytest.approx([1] * 3, abs=1e-3)


def test_positions_are_added_to_valid_frames_alone():
    valid = torch.tensor([[True, False, True]])
    values, still = placed((torch.zeros(1, 3, 4), valid))
    assert torch.equal(still, valid)
    assert values[0, 0].tolist() == [0, 1, 0, 1]
    assert not values[0, 1].any()
    assert values[0, 2].any()
