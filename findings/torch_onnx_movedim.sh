#!/usr/bin/env bash
# torch 2.13.0 with onnx 1.23.2 and onnxruntime 1.32.0: an axis that `movedim` counts from the end becomes no axis.
#
# Source: https://pypi.org/project/torch/2.13.0/ , torch.onnx.export(..., dynamo=False).
#
# Guess: negative axes are brought to positive ones before a graph is written, as they are for `transpose` and `flatten`.
# Behaviour: `values.movedim(-1, 1)` of four axes is written as a Transpose whose permutation holds a number that is no
#   axis. The export ends without an error or a warning, and onnx's checker passes the graph. onnxruntime refuses to
#   load it. `values.movedim(3, 1)` is written as it should be.
# Why it matters here: an encoder that brings its channels to the end and back exports well, and the model fails where it is
#   deployed. Load what was exported, and compare it, before it leaves.
# Output seen: "movedim(-1, 1): checked, not loaded; movedim(3, 1): checked, loaded, equal".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - "$folder/model.onnx" <<'PYTHON'
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import torch

place, values = sys.argv[1], torch.arange(120.0).view(2, 3, 4, 5)


class Moves(torch.nn.Module):
    def __init__(self, last):
        super().__init__()
        self.last = last

    def forward(self, given):
        return given.movedim(self.last, 1) + 1


def outcome(last):
    module = Moves(last)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module, (values,), place, input_names=["given"], dynamic_axes={"given": {0: "n"}}, dynamo=False
        )
    onnx.checker.check_model(onnx.load(place))
    try:
        session = onnxruntime.InferenceSession(place)
    except Exception as error:
        assert "perm" in str(error), error
        return "checked, not loaded"
    same = np.array_equal(session.run(None, {"given": values.numpy()})[0], module(values).numpy())
    return f"checked, loaded, {'equal' if same else 'not equal'}"


found = {last: outcome(last) for last in (-1, 3)}
print("torch", torch.__version__, "onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
print("; ".join(f"movedim({last}, 1): {what}" for last, what in found.items()))
assert found == {-1: "checked, not loaded", 3: "checked, loaded, equal"}, "it has changed"
print("as described")
PYTHON
