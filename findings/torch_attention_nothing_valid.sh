#!/usr/bin/env bash
# torch 2.13.0 (CPU): attention to a sequence of which every key is padding is 0 in training and nan in evaluation.
#
# Source: https://pypi.org/project/torch/2.13.0/ , torch.nn.MultiheadAttention and TransformerEncoderLayer with a key padding mask.
#
# Guess: a softmax over nothing is nan, or is made zero, and either way the same in training and in evaluation.
# Behaviour: in training, without the weights, the sequence is answered by zeros (plus the bias of the output), as
#   scaled_dot_product_attention answers it. In evaluation without gradient a layer takes another path, and the same weights give
#   nan for the same sequence; so they do in training where the weights of attention are asked for. Sequences beside it are right in
#   all cases.
# Why it matters here: a clip without a face is a sequence with nothing valid. Such a model trains without a sign of it and answers nan
#   when it is used. mien calls scaled_dot_product_attention itself, and sets what has no valid key to zero in both modes.
# Output seen: "attention: training finite, with weights nan, evaluation nan; layer: training finite, evaluation nan; the other
#   sequence differs by 3.0e-08 to 1.2e-07 between modes".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.2
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch import nn

torch.manual_seed(0)
frames = torch.randn(2, 3, 8)
padding = torch.tensor([[False, False, True], [True, True, True]])  # of the second sequence nothing is valid
attention = nn.MultiheadAttention(8, 2, batch_first=True)
layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)


def attended(weights: bool) -> torch.Tensor:
    return attention(frames, frames, frames, key_padding_mask=padding, need_weights=weights)[0]


def word(values: torch.Tensor) -> str:
    return "nan" if values.isnan().any() else "finite"


trained, asked, passed = attended(False), attended(True), layer(frames, src_key_padding_mask=padding)
attention.eval(), layer.eval()
with torch.no_grad():
    used, passed_then = attended(False), layer(frames, src_key_padding_mask=padding)
differ = [float((one[0, :2] - two[0, :2]).detach().abs().max()) for one, two in ((trained, used), (passed, passed_then))]
found = [word(one[1]) for one in (trained, asked, used, passed, passed_then)]
print("torch", torch.__version__)
print(
    f"attention: training {found[0]}, with weights {found[1]}, evaluation {found[2]}; layer: training {found[3]}, "
    f"evaluation {found[4]}; the other sequence differs by {min(differ):.1e} to {max(differ):.1e} between modes"
)
assert found == ["finite", "nan", "nan", "finite", "nan"], "it has changed"
assert max(differ) < 1e-5, "it has changed"
print("as described")
PYTHON
