#!/usr/bin/env bash
# audonnx 1.0.1 with onnx 1.23.2 and onnxruntime 1.32.0: an input with two axes of any length takes no array.
#
# Source: https://pypi.org/project/audonnx/1.0.1/ , audonnx.Model.
#
# Guess: a graph gets what the transform gives, and onnxruntime checks its shape.
# Behaviour: the array is first reshaped to the shape of the input, in which each axis that is not fixed counts as -1.
#   With clips x time x values, the usual input of a network for sequences, that is a ValueError of numpy which names no
#   input; with one axis of any length an array of another shape passes silently, if only its size is a multiple:
#   6 x 2 values, given as 3 x 4 to an input of any length x 2, are read in another order.
# Why it matters here: a model that is exported for batches has to be written once more for one clip, and a transform that
#   returns values x time instead of time x values is not refused.
# Output seen: "two axes: ValueError; one axis: 3 x 4 is taken as 6 x 2".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet audonnx==1.0.1 numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import audonnx
import numpy as np
import onnx
from onnx import TensorProto, helper

folder = Path(sys.argv[1])


def model(*axes):
    """A graph that gives back its input."""
    put, got = (helper.make_tensor_value_info(name, TensorProto.FLOAT, list(axes)) for name in ("put", "got"))
    graph = helper.make_graph([helper.make_node("Identity", ["put"], ["got"])], "same", [put], [got])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, folder / "model.onnx")
    return audonnx.Model(str(folder / "model.onnx"))


try:
    model("clips", "time", 2)(np.zeros((2, 3, 2), np.float32))
    two = "taken"
except ValueError:
    two = "ValueError"
values = np.arange(12, dtype=np.float32).reshape(3, 4)
found = model("time", 2)(values)
print("audonnx", audonnx.__version__)
print(f"two axes: {two}; one axis: 3 x 4 is taken as {' x '.join(map(str, found.shape))}")
assert two == "ValueError", "it has changed"
assert found.shape == (6, 2), "it has changed"
assert np.array_equal(found, values.reshape(6, 2)), "it has changed"
print("as described")
PYTHON
