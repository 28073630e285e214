#!/usr/bin/env bash
# PyAV 18.1.0 (pip, with its own libswresample): a float stereo sound becomes mono 3 dB louder than an integer one.
#
# Source: https://pypi.org/project/av/18.1.0/ ; the matrix is that of libswresample, https://ffmpeg.org/ffmpeg-resampler.html
#   (option rematrix_maxval: by default no limit for float samples, 1.0 for all others).
#
# Guess: AudioResampler(layout="mono") gives the mean of both channels, in every sample format, so that equal channels
#   keep their level.
# Behaviour: with s16 and s32, two equal channels of .5 give .5; with flt, fltp and dblp, .7071 (each channel times the root of one
#   half), and channels of .9 give 1.27, beyond full scale. The same file has two levels by the format it was decoded to.
# Why it matters here: features of energy differ by 3 dB between a corpus of flac files (integer) and of aac or mp3 (float); a threshold
#   of loudness is no longer one. mien takes the mean itself.
# Output seen: "s16 0.5000, s32 0.5000, flt 0.7071, fltp 0.7071, dblp 0.7071; fltp of .9: 1.2728".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.2
"$folder/venv/bin/python" - <<'PYTHON'
import av
import numpy as np

KINDS = {"s16": np.int16, "s32": np.int32, "flt": np.float32, "fltp": np.float32, "dblp": np.float64}


def mono(kind: str, level: float) -> float:
    """The level in mono, as a share of full scale, of two channels that hold a constant."""
    dtype = KINDS[kind]
    scale = 2.0 ** (8 * np.dtype(dtype).itemsize - 1) if np.issubdtype(dtype, np.integer) else 1.0
    shape = (2, 1600) if kind.endswith("p") else (1, 3200)
    frame = av.AudioFrame.from_ndarray(np.full(shape, level * scale, dtype), format=kind, layout="stereo")
    frame.sample_rate = 16_000
    (made,) = av.AudioResampler(kind, "mono", 16_000).resample(frame)
    return float(made.to_ndarray().ravel()[800] / scale)


found = {kind: mono(kind, 0.5) for kind in KINDS}
print(", ".join(f"{kind} {level:.4f}" for kind, level in found.items()), end="; ")
print(f"fltp of .9: {mono('fltp', 0.9):.4f}")
assert all(abs(found[kind] - 0.5) < 1e-4 for kind in ("s16", "s32")), "the behaviour has changed"
assert all(abs(found[kind] - 0.5**0.5) < 1e-4 for kind in ("flt", "fltp", "dblp")), "the behaviour has changed"
print("as described")
PYTHON
