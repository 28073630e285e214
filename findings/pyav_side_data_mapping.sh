#!/usr/bin/env bash
# PyAV 18.1.0: `frame.side_data` is a `collections.abc.Mapping` whose iteration gives values, not keys.
#
# Guess, written down first: iterating a Mapping gives its keys, so that `dict(frame.side_data)`, `.keys()`, `.items()` and
# `key in frame.side_data` work as they do for every other mapping.
# Behaviour: `list(frame.side_data)` is a list of SideData objects. What `Mapping` derives from iteration follows: `keys()`
# and `items()` raise KeyError, and no object that iteration gives is `in` the container. `get("SEI_UNREGISTERED")`, by the
# name of the type, works. It matters for the rotation of films: who looks for DISPLAYMATRIX among the keys finds none, and
# sees portrait films lie on their side. PyAV 19.0.2 gives keys: code for both asks by `get`.
# Source: https://pypi.org/project/av/18.1.0/ ; av/sidedata/sidedata.py, class SideDataContainer: `__iter__` iterates the list of SideData, `__getitem__` takes an
# index or a type.
# Output seen:
#   av 18.1.0: Mapping: True, iteration gives: SideData, in: False, keys(): KeyError, get by name: SideData
#   av 19.0.2: Mapping: True, iteration gives: Type, in: True, keys(): 1, get by name: SideData
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/look.py" <<'PYTHON'
"""A film of 8 grey pictures in H.264, whose encoder leaves a note beside the first, is written and read."""
import sys
from collections.abc import Mapping

import av
import numpy as np

path = sys.argv[1]
with av.open(path, "w") as film:
    stream = film.add_stream("libx264", rate=25)
    stream.width = stream.height = 64
    for number in range(8):
        picture = np.full((64, 64, 3), 20 * number, np.uint8)
        film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    film.mux(stream.encode(None))
with av.open(path) as film:
    beside = next(film.decode(video=0)).side_data
found = list(beside)
try:
    keys = str(len(list(beside.items())))
except KeyError:
    keys = "KeyError"
print(
    f"av {av.__version__}: Mapping: {isinstance(beside, Mapping)}, iteration gives: {type(found[0]).__name__}, "
    f"in: {found[0] in beside}, keys(): {keys}, get by name: {type(beside.get('SEI_UNREGISTERED')).__name__}"
)
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
seen=$("$folder/venv/bin/python" "$folder/look.py" "$folder/film.mp4")
printf '%s\n' "$seen"
# fails if the behaviour has changed
test "$seen" = "av 18.1.0: Mapping: True, iteration gives: SideData, in: False, keys(): KeyError, get by name: SideData"
