#!/usr/bin/env bash
# The wheel in an empty environment of each Python given, with whatever versions pip takes today: reads sound, predicts
# it, and turns a film upright that is stored on its side. `make test-all` gives the oldest and the newest Python at hand.
#
#     tests/install.sh WHEEL PYTHON [PYTHON ...]
set -euo pipefail
wheel=$(realpath "$1")
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for python in "$@"; do
    "$python" -m venv venv
    venv/bin/pip install --quiet --disable-pip-version-check "$wheel"
    venv/bin/python - <<'PYTHON'
import sys
import wave
from fractions import Fraction

import av
import numpy as np

from mien.media.streams import stream_media

with wave.open("talk.wav", "wb") as file:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(16_000)
    time = np.arange(3 * 16_000) / 16_000
    voice = sum(np.sin(2 * np.pi * 140 * n * time) / n for n in range(1, 20)) * (1 + np.sin(2 * np.pi * 4 * time))
    file.writeframes((3_000 * voice).astype("<i2").tobytes())
with av.open("film.mp4", "w") as film:
    stream = film.add_stream("mpeg4", rate=10)
    stream.width, stream.height = 64, 32
    stream.set_display_rotation(90)
    for number in range(10):
        picture = av.VideoFrame.from_ndarray(np.full((32, 64, 3), 20 * number, np.uint8), format="rgb24")
        picture.pts, picture.time_base = number, Fraction(1, 10)
        film.mux(stream.encode(picture))
    film.mux(stream.encode(None))
sizes = {picture.rgb().shape for picture in stream_media("film.mp4")}
print(f"Python {sys.version.split()[0]}, PyAV {av.__version__}: pictures of {sizes}")
assert sizes == {(64, 32, 3)}, "a film that is stored on its side is not turned upright"
PYTHON
    venv/bin/mien predict talk.wav
    rm -r venv
done
