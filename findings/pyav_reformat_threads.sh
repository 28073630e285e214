#!/usr/bin/env bash
# PyAV 18.1.0 (pip, with its own libswscale 9.5.102): VideoFrame.reformat gives other pixels from call to call.
#
# Source: https://pypi.org/project/av/18.1.0/ ; threads are the default since PyAV pull request 2187.
#
# Guess (a test of pictures relied on it): a conversion depends on the frame alone, not on the number of threads.
# Behaviour: of an RGB picture whose width is no multiple of the vector width (65), converted to more than 8 bits
#   (yuv444p16le, yuv420p10le, gray16le) by several threads, some calls have wrong pixels, and not the same ones each
#   time; values are off by tens of grey levels, inside the picture as well as at its edges. Widths of 64 and 320, 8-bit
#   targets and one thread gave one result in all calls.
# Why it matters here: pictures of a test, and so a figure, depend on how busy the machine is. Convert with threads=1.
# Output seen (two cores): "65 wide, gray16le: 10 results of 400 with 8 threads, 1 with one thread".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.2
"$folder/venv/bin/python" - <<'PYTHON'
import av
import numpy as np


def results(width: int, kind: str, threads: int, calls: int = 400) -> int:
    """How many different pictures some calls give of one."""
    picture = np.random.default_rng(0).integers(0, 256, (47, width, 3), dtype=np.uint8)
    given = set()
    for _ in range(calls):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        made = frame.reformat(format=kind, threads=threads)
        given.add(made.reformat(format="rgb24", threads=1).to_ndarray().tobytes())
    return len(given)


print("av", av.__version__, "libswscale", av.library_versions["libswscale"])
for kind in ("gray16le", "yuv444p16le", "yuv420p10le"):
    several, one = results(65, kind, 8), results(65, kind, 1)
    print(f"65 wide, {kind}: {several} results of 400 with 8 threads, {one} with one thread")
    assert several > 1 == one, "the behaviour has changed"
assert results(64, "gray16le", 8) == 1 == results(65, "gray", 8), "the behaviour has changed"
print("as described")
PYTHON
