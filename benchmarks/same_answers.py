"""Whether two builds answer alike: `mien predict` on all sound below a folder, row by row.

python benchmarks/same_answers.py FOLDER --base CHECKOUT [--model voice-small]

Prints how many rows there are, how many have another emotion, and how far probabilities lie apart.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd


def rows(source: Path, files: list[str], model: str, place: Path) -> pd.DataFrame:
    """The rows of a build."""
    command = [sys.executable, "-m", "mien", "predict", *files, "--model", model, "--out", str(place)]
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):  # 1: some files cannot be read, by either build
        sys.exit(done.stderr)
    return pd.read_csv(place, dtype={"person": str}, keep_default_na=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--model", default="voice-small")
    options = parser.parse_args()
    endings = {".wav", ".flac", ".mp3", ".ogg", ".mp4"}
    files = sorted(str(path) for path in options.folder.rglob("*") if path.suffix.lower() in endings)
    with tempfile.TemporaryDirectory() as place:
        own, base = (
            rows(source, files, options.model, Path(place) / f"{number}.csv")
            for number, source in enumerate((Path(__file__).parents[1], options.base))
        )
    keys = ["file", "start", "end", "person", "modality"]
    assert own[keys].equals(base[keys]), "the builds see other windows"
    classes = [name for name in own if name in base and name not in {*keys, "emotion", "scheme", "model", "missing"}]
    numbers = [table[classes].apply(pd.to_numeric, errors="coerce").to_numpy() for table in (own, base)]
    apart = np.nan_to_num(np.abs(numbers[0] - numbers[1]))
    other = own["emotion"] != base["emotion"]
    print(f"{len(files)} files, {len(own)} rows: {int(other.sum())} with another emotion or unsure instead of it")
    print(f"probabilities: at most {apart.max():.5f} apart, {(apart.max(axis=1) > 1e-3).sum()} rows by more than .001")
    for row in own[other].index[:10]:
        print(own.loc[row, "file"], own.loc[row, "emotion"], base.loc[row, "emotion"], f"{numbers[0][row].max():.4f}")


if __name__ == "__main__":
    main()
