"""Peak memory of `mien train`, and its time after the last epoch, with 1,000 and with 10,000 unlabelled clips.

python benchmarks/bench_stream.py

One labelled corpus beside one without emotions, of made frames of 1 s; as many steps of the AAE of rana2019-small with
both. Each corpus and each training is a process of its own, so that no peak is that of another. Goals: at most 1.10
times the memory, and less than twice the time after the last epoch; the exit code is 1 where one is missed.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COUNTS = (1_000, 10_000)
MOST, LONGEST = 1.10, 2.0
SPEAKERS, EACH, OF_ONE = 6, 20, 5  # labelled speakers, clips of each; unlabelled clips of each speaker
SHARD = 256
SETTINGS = (
    *("training.steps=20", "training.epochs=2", "protocol.folds=[0]", "grid=null", "claims=null", "axes=null"),
    *(f"models.{name}=null" for name in ("CNN", "CNN_multitask", "AE_multitask", "AAE_multitask")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs=2, default=COUNTS)
    few, many = parser.parse_args().counts
    with tempfile.TemporaryDirectory() as place:
        _itself("make", place, "mine", str(SPEAKERS * EACH))
        found = {}
        for count in (few, many):
            _itself("make", place, f"more{count}", str(count))
            found[count] = json.loads(_itself("train", place, str(count)))
            one = found[count]
            print(
                f"{count:,} unlabelled clips: {one['peak']:.0f} MiB at most, {one['whole']:.0f} s, of these "
                f"{one['after']:.0f} s after the last epoch",
                flush=True,
            )
    memory, after = (found[many][key] / found[few][key] for key in ("peak", "after"))
    print(f"memory: {memory:.3f} times (goal {MOST}); time after the last epoch: {after:.2f} times (goal {LONGEST})")
    sys.exit(memory > MOST or after > LONGEST)


def _itself(*arguments: str) -> str:
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def make(folder: Path, count: int, *, labelled: bool) -> None:
    """A PREPARED folder of clips whose frames are noise."""
    import numpy as np
    import pandas as pd

    from mien import experiments
    from mien.audit.splits import fingerprints
    from mien.common import shards
    from mien.corpora.corpus import check, problem_table
    from mien.data import prepared, store

    names = [f"c{number:05d}" for number in range(count)]
    rows = [
        {
            "clip": name,
            "file": f"{name}.wav",
            "speaker": f"s{number // (EACH if labelled else OF_ONE)}",
            "gender": "female" if number // EACH % 2 else "male",
            "emotion": ("anger", "neutral", "sadness")[number % 3] if labelled else None,
        }
        for number, name in enumerate(names)
    ]
    about = {"name": "table", "root": folder, "licence": "", "source": "", "expected": None, "scheme": "canonical"}
    corpus = check(table=pd.DataFrame(rows), users=True, **about)
    table = corpus.table.assign(seconds=1.0, sha256=[f"{folder.name}{name}".ljust(64, "0") for name in names])
    prepared.write(folder, corpus, table, problem_table([]), place=folder)
    keys, random = prepared.keys(table), np.random.default_rng(count)
    features = [*experiments.load("rana2019-small").data.extracted, (fingerprints.FEATURE, fingerprints.CONFIG)]
    for feature, config in features:
        target = store.target(folder, feature, config)
        shape = (round(1 / config.shift), config.bins if feature == "spectrogram" else config.mels)
        for first in range(0, count, SHARD):
            some = names[first : first + SHARD]
            shards.write(
                target.folder,
                [shards.Frames(clip, keys[clip], 1.0, random.normal(size=shape).astype(np.float32)) for clip in some],
            )


def train(place: Path, count: int) -> None:
    """Train on both corpora in this process; print its peak memory and its times."""
    import mien

    given = [f"data.prepared.mine={place / 'mine'}", f"data.prepared.more={place / f'more{count}'}", *SETTINGS]
    began, out = time.time(), place / f"run{count}"
    mien.train("rana2019-small", given, out=out)
    ended, (history,) = time.time(), out.glob("models/*/*/history.jsonl")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak": peak, "whole": ended - began, "after": ended - history.stat().st_mtime}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]) / sys.argv[3], int(sys.argv[4]), labelled=sys.argv[3] == "mine")
    elif sys.argv[1:2] == ["train"]:
        train(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
