#!/usr/bin/env bash
# A new user's way, in an empty home and folder: a wheel without constraints, a corpus of one's own with German words,
# semicolons and absolute paths, `voice`, its page, an export, a folder of files, and embeddings of another program. Each
# command, its answer and its exit code are printed; a code that is not the expected one ends the walk with 1.
#
#     tests/walk.sh                            # builds and installs the wheel first, with whatever versions pip takes today
#     PYTHON=.venv/bin/python tests/walk.sh    # with what this Python has: a few minutes
set -uo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:+$(cd "$(dirname "$PYTHON")" && pwd)/$(basename "$PYTHON")}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/home" "$folder/work"
export HOME=$folder/home MPLCONFIGDIR=$folder/home OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
cd "$folder/work" || exit 1

step() { # EXPECTED COMMAND...: runs a command of mien, or a program, and ends the walk if its exit code is another
    local expected=$1 code
    shift
    printf '\n$ %s\n' "$*"
    case $1 in
        mien) "$python" -m "$@" ;;
        python) shift && "$python" "$@" ;;
        *) "$@" ;;
    esac
    code=$?
    printf '[exit %s]\n' "$code"
    if [ "$code" != "$expected" ]; then
        printf 'the walk ends here: exit %s was expected\n' "$expected"
        exit 1
    fi
}

if [ -z "$python" ]; then
    step 0 python3 -m pip wheel --quiet --no-deps --wheel-dir "$folder/wheel" "$here"
    step 0 python3 -m venv "$folder/venv"
    python=$folder/venv/bin/python
    wheel=$(echo "$folder"/wheel/mien-*.whl)
    step 0 python -m pip install --quiet --disable-pip-version-check "${wheel}[train]"
fi

step 0 mien --version
step 0 mien list readers
step 0 python -m mien.corpora.toy recordings people=8 clips=96 size=32 difficulty=0
cat >own.py <<'PYTHON'
"""The table of one's own: German words, semicolons, absolute paths, and the mark with which Excel begins a file."""
import csv
from pathlib import Path

WORDS = {"happiness": "Freude", "anger": "Wut", "sadness": "Trauer", "fear": "Angst", "disgust": "Ekel"}
labels = list(csv.DictReader(Path("recordings/labels.csv").open(encoding="utf-8")))
with Path("Aufnahmen.csv").open("w", encoding="utf-8-sig", newline="") as file:
    table = csv.writer(file, delimiter=";")
    table.writerow(["File", "Speaker", "Emotion"])
    for row in labels:
        place = (Path("recordings") / row["file"]).resolve()
        table.writerow([place, row["speaker"], WORDS.get(row["emotion"], row["emotion"])])
PYTHON
step 0 python own.py
step 0 head -3 Aufnahmen.csv

step 1 mien prepare table Aufnahmen.csv --for voice --out prepared # lists the words that it does not know
step 0 mien prepare table Aufnahmen.csv --for voice --out prepared \
    --option emotions=freude:happiness,wut:anger,trauer:sadness,angst:fear,ekel:disgust
step 2 mien train li2020-iemocap data.prepared=prepared --out run # there is none of this name
step 2 mien train li2020-ravdess data.prepared=prepared --out run # made for another corpus
step 0 mien train voice data.prepared=prepared training.epochs=5 'protocol.folds=[0,1]' --out run
cat >page.py <<'PYTHON'
"""What the page says first."""
import re
from pathlib import Path

page = Path("run/report.html").read_text(encoding="utf-8")
body = re.sub(r"(?s)<(style|svg|script).*?</\1>|<[^>]+>", " ", page[page.index("<body") :])
print(" ".join(body.split())[:1500])
PYTHON
step 0 python page.py
step 0 mien export run --out voice-own
step 0 mien predict recordings/p01 --model voice-own --out p01.csv
step 0 head -3 p01.csv
step 0 mien predict recordings/p01/p01-s1-anger-1.mp4 # by the model that comes with mien

cat >embeddings.py <<'PYTHON'
"""Embeddings as another program would make them: 8 speakers, columns in units of their own, in three scales."""
import numpy as np

generator = np.random.default_rng(0)
speakers = np.repeat(np.arange(8), 15)
raw = (0.7 * generator.standard_normal((8, 24))[speakers] + generator.standard_normal((120, 24))) * np.logspace(-2, 2, 24)
raw += np.linspace(-50, 50, 24)
np.save("raw.npy", raw)
np.save("thousand.npy", raw * 1000)
np.save("standardised.npy", (raw - raw.mean(axis=0)) / raw.std(axis=0))
with open("labels.csv", "w", encoding="utf-8") as file:
    file.write("speaker,recording\n" + "".join(f"s{who},r{row}\n" for row, who in enumerate(speakers)))
PYTHON
step 0 python embeddings.py
for scale in raw thousand standardised; do
    step 0 mien audit --embeddings "$scale.npy" --labels labels.csv --factor speaker --out "leakage-$scale"
done
cat >equal.py <<'PYTHON'
"""The equal error rate does not depend on the units of the columns."""
import csv
import sys
from pathlib import Path

rates = {}
for scale in ("raw", "thousand", "standardised"):
    rows = csv.DictReader(Path(f"leakage-{scale}/leakage.csv").open(encoding="utf-8"))
    rates[scale] = {row["measure"]: float(row["score"]) for row in rows if row["probe"] == "cosine"}
    print(scale, rates[scale])
equal = all(abs(own["eer"] - rates["raw"]["eer"]) < 1e-6 for own in rates.values())
sys.exit(not equal)
PYTHON
step 0 python equal.py
printf '\nthe walk is done\n'
