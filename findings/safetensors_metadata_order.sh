#!/usr/bin/env bash
# safetensors 0.8.0 with numpy 2.4.2: the same tensors with the same metadata are other bytes at every call.
#
# Source: https://pypi.org/project/safetensors/0.8.0/ , module safetensors.numpy (save and save_file alike).
#
# Guess: a file is a function of its tensors and metadata, as tensors are written in an order of their own (by type, then
#   by name), so that two runs of one training can be compared by the SHA-256 of their files.
# Behaviour: tensors do come in one order, but the entries of the metadata in any, within one process too: with four
#   entries up to 24 different files. With one entry, or none, the bytes are always the same.
# Why it matters here: a hash of a file is how weights are named in cards and how features are found again; a resumed run
#   that is equal bit by bit looks like another one. Put everything into one entry, or sort the header afterwards.
# Output seen: "4 entries: more than one file; 1 entry: one file; no metadata: one file".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.2
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import safetensors
from safetensors.numpy import load, save

tensors = {"b": np.ones(2, np.float32), "a": np.zeros(3, np.float32), "c": np.arange(4)}
entries = {"clips": "x", "keys": "y", "seconds": "1", "version": "2"}
metadata = {"4 entries": entries, "1 entry": {"all": "x"}, "no metadata": None}
files = {name: {bytes(save(tensors, own)) for _ in range(60)} for name, own in metadata.items()}
for several in files.values():
    for one in several:
        assert all(np.array_equal(value, tensors[name]) for name, value in load(one).items())
print("safetensors", safetensors.__version__)
print("; ".join(f"{name}: {'one file' if len(own) == 1 else 'more than one file'}" for name, own in files.items()))
assert {name: len(own) > 1 for name, own in files.items()} == {
    "4 entries": True,
    "1 entry": False,
    "no metadata": False,
}, "it has changed"
print("as described")
PYTHON
