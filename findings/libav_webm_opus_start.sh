#!/usr/bin/env bash
# PyAV 18.1.0 (libav 62): start_time of Opus in WebM lies 6 to 32 ms after the first decoded sample.
#
# Source: https://pypi.org/project/av/18.1.0/ ; Matroska's CodecDelay, https://www.matroska.org/technical/codec_specs.html ; the
#   rate of Opus's pre-skip is always 48,000 Hz (RFC 7845, section 4).
#
# Guess: container.start_time is the time stamp of the first sample that is decoded, as with Opus in Ogg, and the first frame's time
#   less start_time is 0.
# Behaviour: for files encoded from 8, 12, 16 and 24 kHz sound, start_time is 32, 19, 13 and 6 ms, while the first decoded frame has
#   the time stamp 0; from 48 kHz it is 0. The samples that a decoder drops (312 at 48 kHz) are counted at the rate in the header.
# Why it matters here: who places sound by `frame.time - container.start_time` puts speech that was recorded at 16 kHz, the
#   commonest rate of speech, 13 ms early, or cuts its first 13 ms. mien counts the delay at 48 kHz.
# Output seen: "8000 Hz: 32 ms, 12000 Hz: 19 ms, 16000 Hz: 13 ms, 24000 Hz: 6 ms, 48000 Hz: 0 ms; Ogg from 16000 Hz: 0 ms".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import av
import numpy as np


def early(form: str, rate: int) -> int:
    """Milliseconds from the first decoded sample to the container's start_time."""
    with av.open("sound", "w", format=form) as container:
        stream = container.add_stream("libopus", rate=rate, layout="mono")
        stream.codec_context.open()
        size = stream.codec_context.frame_size
        sound = np.random.default_rng(0).normal(0, 0.1, (1, 100 * size)).astype(np.float32)
        converter = av.AudioResampler(stream.codec_context.format, "mono", rate)
        for begin in range(0, sound.shape[1], size):
            frame = av.AudioFrame.from_ndarray(sound[:, begin : begin + size], format="flt", layout="mono")
            frame.sample_rate, frame.pts = rate, begin
            for converted in converter.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    with av.open("sound") as container:
        first = next(container.decode(audio=0))
        return round(1000 * (container.start_time / av.time_base - first.pts * first.time_base))


found = {rate: early("webm", rate) for rate in (8_000, 12_000, 16_000, 24_000, 48_000)}
print(", ".join(f"{rate} Hz: {lag} ms" for rate, lag in found.items()), end="; ")
print(f"Ogg from 16000 Hz: {early('ogg', 16_000)} ms")
assert found == {8_000: 32, 12_000: 19, 16_000: 13, 24_000: 6, 48_000: 0}, "the behaviour has changed"
print("as described")
PYTHON
