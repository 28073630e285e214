#!/usr/bin/env bash
# audmetric 1.4.2: the equal error rate of a verifier that gives everybody one score is 1.0.
#
# Source: https://pypi.org/project/audmetric/1.4.2/ , equal_error_rate.
#
# Guess: scores that are all the same tell nothing, so the rate is .5, as it nearly is for random scores.
# Behaviour: if all scores are equal, the only threshold accepts everybody: false matches 1, false non-matches 0. The curves
#   do not cross, a RuntimeWarning says so, and 1.0 is returned: worse than chance, the value of a verifier that is always wrong. With
#   warnings off (a batch job) nothing shows it. One impostor above 999 ties gives .5, one target above them .499.
# Why it matters here: an embedding that collapsed, the success of a removal, has equal cosines, and would be reported as EER 1.0.
#   mien joins the points of the curve by straight lines from (1, 0) to (0, 1), which gives .5 for ties.
# Output seen: "all equal 1.0, random 0.53".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet audmetric==1.4.2
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import audmetric
import numpy as np

same_person = np.arange(1000) % 2
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    ties, _ = audmetric.equal_error_rate(same_person, np.full(1000, 0.7))
chance, _ = audmetric.equal_error_rate(same_person, np.random.default_rng(0).random(1000))
print(f"all equal {ties}, random {chance:.2f}; warned: {[str(one.message) for one in caught]}")
for label, name in ((0, "impostor"), (1, "target")):
    scores = np.full(1000, 0.7)
    scores[label] = 0.9
    print(f"one {name} above ties: {audmetric.equal_error_rate(same_person, scores)[0]}")
assert ties == 1.0 and abs(chance - 0.5) < 0.05, "the behaviour has changed"
print("as described")
PYTHON
