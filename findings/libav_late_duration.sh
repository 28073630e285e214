#!/usr/bin/env bash
# PyAV 18.1.0 (libav 62): the duration of a Matroska or Ogg file whose stamps begin at 3 s includes these 3 s; that of mp4 does not.
#
# Source: https://pypi.org/project/av/18.1.0/ ; Matroska's Duration, https://www.matroska.org/technical/elements.html .
#
# Guess: container.duration is how long the file plays: 2 s of sound are 2 s, wherever the stamps begin (a cut with -copyts, a live
#   recorder).
# Behaviour: 2 s of sound whose first stamp is 3 s: Matroska, WebM and Ogg say 5.0 s with start_time 3.0, mp4 says 2.0 s with
#   start_time 3.0. So duration is an end stamp in some containers and a length in another.
# Why it matters here: a reader that compares what it decoded with the duration calls whole files truncated, or tells users 5.0 s for
#   2.0 s. mien takes the less of `duration` and `duration - start`.
# Output seen: "matroska 5.00 s from 3.00 s; webm 5.01 s from 3.00 s; ogg 5.01 s from 3.00 s; mp4 2.02 s from 2.98 s".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import av
import numpy as np

RATE, SECONDS, LATE = 48_000, 2, 3


def written(form: str, encoder: str) -> tuple[float, float]:
    """The duration and the start of a file, in seconds, as libav states them."""
    with av.open("sound", "w", format=form) as container:
        stream = container.add_stream(encoder, rate=RATE, layout="mono")
        size = stream.codec_context.frame_size or 960
        converter = av.AudioResampler(stream.codec_context.format, "mono", RATE)
        sound = np.random.default_rng(0).normal(0, 0.1, (1, RATE * SECONDS)).astype(np.float32)
        for begin in range(0, RATE * SECONDS, size):
            frame = av.AudioFrame.from_ndarray(sound[:, begin : begin + size], format="flt", layout="mono")
            frame.sample_rate, frame.pts = RATE, begin + LATE * RATE
            for converted in converter.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    with av.open("sound") as container:
        return container.duration / av.time_base, container.start_time / av.time_base


forms = {"matroska": "flac", "webm": "libopus", "ogg": "libopus", "mp4": "aac"}
found = {form: written(form, encoder) for form, encoder in forms.items()}
print("; ".join(f"{form} {length:.2f} s from {start:.2f} s" for form, (length, start) in found.items()))
assert all(abs(found[form][0] - SECONDS - LATE) < 0.1 for form in ("matroska", "webm", "ogg")), "the behaviour has changed"
assert abs(found["mp4"][0] - SECONDS) < 0.1, "the behaviour has changed"
assert all(abs(start - LATE) < 0.1 for _, start in found.values()), "the behaviour has changed"
print("as described")
PYTHON
