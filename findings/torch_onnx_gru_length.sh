#!/usr/bin/env bash
# torch 2.13.0 with onnxscript 0.7.2 and onnxruntime 1.32.0: of a recurrent layer, the length of the example is written as
# that of every output.
#
# Source: https://pypi.org/project/torch/2.13.0/ , torch.onnx.export(..., dynamo=True, dynamic_shapes=...), the default.
#
# Guess: an axis that is declared dynamic is dynamic in the outputs that follow from it.
# Behaviour: with a GRU of clips x time, time is symbolic in the input of the graph and 20, the length of the example, in
#   its output. The numbers are right at any length; onnxruntime warns of each other length on its error stream, and a program
#   that makes room by the declared shape makes the wrong one. The exporter by tracing (dynamo=False) declares it dynamic.
# Why it matters here: a model for sound of any length says that it is for two hundred milliseconds.
# Output seen: "by torch.export: input ['clips', 'time', 3], output ['clips', 20, 4], equal at 20 and 31;
#   by tracing: output ['clips', 'time', 4]".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - "$folder/model.onnx" 2>/dev/null <<'PYTHON'
import sys
import warnings

import numpy as np
import onnxruntime
import torch

warnings.simplefilter("ignore")
place = sys.argv[1]


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.GRU(3, 4, batch_first=True)

    def forward(self, given):
        return self.layer(given)[0]


torch.manual_seed(0)
module, example = Recurrent().eval(), torch.randn(2, 20, 3)
axes = {0: torch.export.Dim("clips", min=1, max=64), 1: torch.export.Dim("time", min=2, max=1000)}
torch.onnx.export(module, (example,), dynamo=True, dynamic_shapes={"given": axes}, verbose=False).save(place)
session = onnxruntime.InferenceSession(place)
(given,), (output,) = session.get_inputs(), session.get_outputs()
for length in (20, 31):
    values = torch.randn(2, length, 3)
    found = session.run(None, {given.name: values.numpy()})[0]
    assert np.allclose(found, module(values).detach().numpy(), atol=1e-6)
named = {"given": {0: "clips", 1: "time"}, "out": {0: "clips", 1: "time"}}
torch.onnx.export(
    module, (example,), place, input_names=["given"], output_names=["out"], dynamic_axes=named, dynamo=False
)
(traced,) = onnxruntime.InferenceSession(place).get_outputs()
print("torch", torch.__version__, "onnxruntime", onnxruntime.__version__)
print(f"by torch.export: input {given.shape}, output {output.shape}, equal at 20 and 31; by tracing: output {traced.shape}")
assert (given.shape, output.shape) == (["clips", "time", 3], ["clips", 20, 4]), "it has changed"
assert traced.shape == ["clips", "time", 4], "it has changed"
print("as described")
PYTHON
