#!/usr/bin/env bash
# opensmile 2.6.0: descriptors and deltas of one sound have unequal numbers of rows, and their last rows one time.
#
# Source: https://pypi.org/project/opensmile/2.6.0/ , process_signal of the levels lld and lld_de of ComParE_2016.
#
# Guess: both levels have a row for each frame with a time of its own, so that lld.join(lld_de) gives a row of 130 values a frame: 95
#   frames of 60 ms every 10 ms in a second.
# Behaviour: lld has 96 rows and lld_de 98, of a second and of any other length (one more and three more than there are frames). They
#   come from flushing the smoothing and the regression at the end, and all bear the time of the last frame: .94 to 1 s twice in
#   lld, four times in lld_de. A join on the index multiplies them, 94 + 2 x 4 = 102 rows, without a warning. And the time is that of the
#   windows of 60 ms: energy, bands and MFCCs of the row "0 to 60 ms" are those of 0 to 20 ms, and frames of the last 40 ms are not there.
# Why it matters here: rows that are joined by time are not those of a frame, and a clip has more frames than its length allows. mien
#   takes both levels from one pass by the number of the row, of a sound that is mirrored beyond its ends, and drops what is beyond.
# Output seen: "lld 96, lld_de 98, joined 102; last frame 2 and 4 times; energy of row 10 is that of 100 to 120 ms".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opensmile==2.6.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import opensmile

rng = np.random.default_rng(0)
sound = rng.normal(0, 0.1, 16_000) * np.repeat(rng.uniform(0.1, 1, 50), 320)
levels = {
    level: opensmile.Smile(opensmile.FeatureSet.ComParE_2016, level).process_signal(sound.astype(np.float32), 16_000)
    for level in ("lld", "lld_de")
}
joined = levels["lld"].join(levels["lld_de"])
last = {level: int((rows.index == rows.index[-1]).sum()) for level, rows in levels.items()}


def energy(start: int, length: int) -> float:
    """Root mean square from a sample, averaged over the frame and its two neighbours."""
    return float(np.mean([np.sqrt(np.mean(sound[first : first + length] ** 2)) for first in (start - 160, start, start + 160)]))


row = float(levels["lld"]["pcm_RMSenergy_sma"].iloc[10])
short, long = energy(1600, 320), energy(1600, 960)
print(f"lld {len(levels['lld'])}, lld_de {len(levels['lld_de'])}, joined {len(joined)}; ", end="")
print(f"last frame {last['lld']} and {last['lld_de']} times; energy {row:.4f}, of 20 ms {short:.4f}, of 60 ms {long:.4f}")
assert (len(levels["lld"]), len(levels["lld_de"]), len(joined)) == (96, 98, 102), "the behaviour has changed"
assert last == {"lld": 2, "lld_de": 4}, "the behaviour has changed"
assert abs(row - short) < 1e-3 * short and abs(row - long) > 0.05 * long, "the behaviour has changed"
print("as described")
PYTHON
