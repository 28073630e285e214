#!/usr/bin/env bash
# safetensors 0.8.0 with numpy 2.4.2: safetensors.numpy.save writes an array's memory as it lies, whatever its strides.
#
# Source: https://pypi.org/project/safetensors/0.8.0/ , module safetensors.numpy.
#
# Guess: an array that is not in C order is copied first, as numpy.save and tobytes do it, or is refused, as
#   safetensors.torch.save_file refuses a tensor that is not contiguous.
# Behaviour: shape and dtype come back, the values are scrambled, and there is no error. The transpose of a (D, T) array,
#   which is what most feature extractors return, and a view with a step are both affected.
# Why it matters here: frames of a feature would be stored in another order, and a model trained on them, unseen. Pass
#   numpy.ascontiguousarray.
# Output seen: "Fortran order: other values; transpose: other values; step of two: other values; C order: the same".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.2
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import safetensors
from safetensors.numpy import load, save

right = np.arange(12, dtype=np.float32).reshape(4, 3)
arrays = {
    "Fortran order": np.asfortranarray(right),
    "transpose": np.ascontiguousarray(right.T).T,
    "step of two": np.repeat(right, 2, axis=1)[:, ::2],
    "C order": right,
}
same = {}
for name, values in arrays.items():
    assert np.array_equal(values, right)
    read = load(save({"frames": values}))["frames"]
    assert read.shape == right.shape
    same[name] = bool(np.array_equal(read, right))
print("safetensors", safetensors.__version__)
print("; ".join(f"{name}: {'the same' if equal else 'other values'}" for name, equal in same.items()))
assert same == {"Fortran order": False, "transpose": False, "step of two": False, "C order": True}, "it has changed"
print("as described")
PYTHON
