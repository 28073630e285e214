import numpy as np
import pytest
import torch
from torch import nn

from mien.data.batch import Batch, Sequence
from mien.models.layers.attention import Attention, AttentionLayer, positions
from mien.models.layers.dropout import dropout

WIDTH, HEADS, HIDDEN = 12, 3, 20


def batch(clips=4, *, rows=None, size=None, step=0):
    rows = torch.arange(clips) if rows is None else rows
    nothing = Sequence.absent(len(rows))
    names = tuple(f"c{row}" for row in rows.tolist())
    return Batch(names, nothing, nothing, {}, rows, size or clips, 0, step)


@pytest.fixture
def sequence():
    """Four clips of 9 frames: whole, short, with a hole, and with nothing valid."""
    generator = torch.Generator().manual_seed(3)
    values = torch.randn(4, 9, WIDTH, generator=generator, dtype=torch.float64)
    valid = torch.arange(9) < torch.tensor([9, 4, 9, 0])[:, None]
    valid[2, 3:6] = False
    return values, valid


@pytest.fixture
def other():
    generator = torch.Generator().manual_seed(4)
    valid = torch.arange(7) < torch.tensor([7, 2, 0, 5])[:, None]
    return torch.randn(4, 7, WIDTH, generator=generator, dtype=torch.float64), valid


def layer(**settings):
    torch.manual_seed(0)
    rates = {"attention_dropout": 0.0, "residual_dropout": 0.0}
    return AttentionLayer(WIDTH, HEADS, HIDDEN, **{**rates, **settings}).double()


def copied(attention):
    """torch's attention with the same weights."""
    theirs = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True).double()
    with torch.no_grad():
        for name in ("weight", "bias"):
            both = torch.cat([getattr(attention.queries, name), getattr(attention.keys_values, name)])
            getattr(theirs, f"in_proj_{name}").copy_(both)
            getattr(theirs.out_proj, name).copy_(getattr(attention.output, name))
    return theirs


def test_attention_equals_torchs_where_a_key_is_valid(sequence, other):
    torch.manual_seed(0)
    ours = Attention(WIDTH, HEADS).double()
    (queries, _), (keys, valid) = sequence, other
    expected, _ = copied(ours)(queries, keys, keys, key_padding_mask=~valid, need_weights=False)
    some = valid.any(dim=1)
    torch.testing.assert_close(ours(queries, keys, valid)[some], expected[some], rtol=0, atol=1e-14)
    assert torch.equal(ours(queries, keys, valid)[~some], torch.zeros_like(queries[~some]))
    assert sum(value.numel() for value in ours.parameters()) == 4 * WIDTH * (WIDTH + 1)


def test_a_layer_equals_torchs_encoder_layer(sequence):
    values, valid = sequence
    ours = layer().eval()
    theirs = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, dropout=0, batch_first=True, norm_first=True).double()
    theirs.self_attn = copied(ours.attention)
    theirs.norm1, theirs.norm2, theirs.linear1, theirs.linear2 = ours.before, ours.between, ours.first, ours.second
    some = valid.any(dim=1)
    expected = theirs.train()(values[some], src_key_padding_mask=~valid[some])
    torch.testing.assert_close(ours(values, valid, batch(), "x")[some], expected, rtol=0, atol=1e-12)


def test_learnable_scales_weigh_what_is_added_to(sequence):
    values, valid = sequence
    plain, scaled = layer().eval(), layer(scaled=True).eval()
    assert torch.equal(plain(values, valid, batch(), "x"), scaled(values, valid, batch(), "x")), "they begin at 1"
    with torch.no_grad():
        scaled.alpha.fill_(0.5)
        scaled.beta.fill_(-2.0)
    inner = scaled.attention(scaled.before(values), scaled.before(values), valid) + 0.5 * values
    expected = scaled.second(scaled.first(scaled.between(inner)).relu()) - 2.0 * inner
    torch.testing.assert_close(scaled(values, valid, batch(), "x"), expected, rtol=0, atol=1e-14)


def test_a_crossed_layer_reads_the_other_sequence_alone(sequence, other):
    values, valid = sequence
    crossed = layer(crossed=True).eval()
    found = crossed(values, valid, batch(), "x", other)
    changed = torch.where(other[1][:, :, None], other[0], 1e3)
    assert torch.equal(crossed(values, valid, batch(), "x", (changed, other[1])), found), "what is not valid is no key"
    turned = crossed(values, valid, batch(), "x", (other[0].flip(1), other[1].flip(1)))
    torch.testing.assert_close(turned, found, rtol=0, atol=1e-12, msg="the order of the keys is in their positions")
    nobody = other[1].any(dim=1)
    moved = crossed(values, valid, batch(), "x", (other[0] + torch.linspace(0, 3, WIDTH), other[1]))
    assert (moved != found).flatten(1).any(dim=1).tolist() == nobody.tolist()
    plain = values + crossed.second(crossed.first(crossed.between(values)).relu())
    torch.testing.assert_close(found[~nobody], plain[~nobody], rtol=0, atol=1e-14)


def test_gradients_are_finite_where_nothing_is_valid(sequence):
    values, valid = sequence
    values.requires_grad_()
    layer()(values, torch.zeros_like(valid), batch(), "x").sum().backward()
    assert values.grad.isfinite().all()


@pytest.mark.parametrize("width", [6, 7])
def test_positions_are_sines_and_cosines_of_falling_frequency(width):
    found = positions(torch.zeros(1, 50, width, dtype=torch.float64)).numpy()
    place, column = np.arange(50)[:, None], np.arange(width)[None]
    angles = place / 10_000 ** (2 * (column // 2) / width)
    np.testing.assert_allclose(found, np.where(column % 2, np.cos(angles), np.sin(angles)), atol=1e-12)


def test_dropout_of_sequences_drops_a_share_and_keeps_the_mean():
    values = torch.ones(50, 40, 30, dtype=torch.float64)
    found = dropout(values, batch(50), "x", 0.3, training=True)
    kept = found > 0
    assert kept.double().mean().item() == pytest.approx(0.7, abs=0.01)
    assert found.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.allclose(found[kept], torch.tensor(1 / 0.7, dtype=torch.float64), atol=1e-4)
    per = [kept.double().mean(dim=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    assert all(one.std() < 0.03 for one in per), "clips, frames and values are dropped alike"
    assert torch.equal(dropout(values, batch(50), "x", 0.3, training=False), values)
    assert not torch.equal(dropout(values, batch(50), "y", 0.3, training=True), found)
    assert not torch.equal(dropout(values, batch(50, step=1), "x", 0.3, training=True), found)


def test_dropout_of_sequences_depends_on_neither_processes_nor_padding():
    values = torch.ones(6, 9, 5)
    whole = dropout(values, batch(6), "x", 0.5, training=True)
    rows = torch.tensor([4, 1])
    assert torch.equal(dropout(values[rows], batch(rows=rows, size=6), "x", 0.5, training=True), whole[rows])
    longer = dropout(torch.ones(6, 14, 5), batch(6), "x", 0.5, training=True)
    assert torch.equal(longer[:, :9], whole)
