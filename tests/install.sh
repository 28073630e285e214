#!/usr/bin/env bash
# The wheel in an empty environment of each Python given, with whatever versions pip takes today and no compiler. First
# the base install: it lists, reads and predicts sound, turns a film upright that is stored on its side, and a command
# that needs more says so and writes nothing. Then with the extra `train`, which predicts the same. `make test-all`
# gives the oldest and the newest Python at hand.
#
#     tests/install.sh WHEEL PYTHON [PYTHON ...]
#     TORCH="torch --index-url URL" tests/install.sh ...    # with this build of torch: pip's own brings 5 GB for GPUs
set -euo pipefail
wheel=$(realpath "$1")
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
size() { # EXTRA: the size of what is installed
    printf '%s: %s MB installed\n' "$1" "$(du -sm venv/lib/python*/site-packages | cut -f1)"
}
for python in "$@"; do
    "$python" -m venv venv
    CC=false CXX=false venv/bin/pip install --quiet --disable-pip-version-check "$wheel"
    if venv/bin/python -c "import torch" 2>/dev/null || venv/bin/python -c "import sklearn" 2>/dev/null; then
        echo "the base install brings torch or scikit-learn"
        exit 1
    fi
    size base
    venv/bin/mien --help >/dev/null
    venv/bin/mien list readers >/dev/null
    code=0
    said=$(venv/bin/mien train voice --out made 2>&1) || code=$?
    printf '%s\n' "$said"
    if [ "$code" != 2 ] || [ -e made ] || [[ $said != *"pip install 'mien[train]'"* ]]; then
        echo "mien train without the extra: exit $code, where 2 and its sentence were expected"
        exit 1
    fi
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
    venv/bin/mien predict talk.wav | tee base.txt
    # shellcheck disable=SC2086  # words of a command line
    [ -z "${TORCH:-}" ] || venv/bin/pip install --quiet --disable-pip-version-check $TORCH
    CC=false CXX=false venv/bin/pip install --quiet --disable-pip-version-check "$wheel[train]"
    size train
    venv/bin/mien predict talk.wav | diff base.txt -
    venv/bin/mien list encoders >/dev/null
    venv/bin/python -m mien.corpora.toy toy people=4 clips=12 size=32 >/dev/null
    venv/bin/mien prepare toy toy --out prepared >/dev/null
    rm -r venv toy prepared
done
