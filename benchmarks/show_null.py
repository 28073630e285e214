"""Check the audit's intervals and p values on random embeddings without leakage, and with planted leakage.

    python benchmarks/show_null.py --out null.csv [--repetitions 1000] [--clusters 10 20 50] [--workers 1]

Each repetition samples an embedding of `--clusters` speakers with `--clips` clips each. Clips of a speaker are alike:
the speaker's offset and the clip's own noise are both standard normal in each of `--dimension` dimensions. Without
leakage:

- emotion: four balanced classes in each speaker, independent of the embedding; probed across speakers;
- gender: two classes of whole speakers, likewise;
- speaker: an embedding without the offsets; probed on other clips of the same speakers;
- seen-emotion, seen-speaker: the same as in a run, probes fitted on training clips (as many as test clips), chosen on
  validation clips (half as many) and tested on test clips, all of the same speakers;
- unseen-emotion: likewise, of `--clusters` speakers that train, half as many that validate and as many that test.

With leakage (power, `--planted` repetitions, at 20 clusters): a linear factor, four emotions, each a step of
`--strength` standard deviations of the clips' noise in a direction of its own; and a factor that neither class means
nor a linear probe can predict: two classes, the product of the signs of two coordinates, both moved away from zero by
one. Both also as in a run of seen speakers (seen-linear, seen-product). And hidden: two classes that a straight line
tells on all clips, each class half a deviation off, while on the training clips the product of two signs tells them
wholly, and on no other clip; hidden-train: the same, where an inner part of the training clips chooses.

Printed: the share of 95 % intervals of the strongest probe that cover chance, lie above and below it (with the share's
own 95 % Clopper-Pearson interval), and how often p is <= .05; of planted leakage, how often p < .05 with the interval
above chance. Results are appended to the file after each block; finished repetitions are not computed again.
"""

import argparse
import os
from itertools import product
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.stats import binomtest

from mien.audit.leakage.leakage import predict, scored
from mien.audit.options import LeakageOptions
from mien.audit.probes.division import divide, given
from mien.audit.probes.task import Division, ProbingTask

NULL = ("emotion", "gender", "speaker", "seen-emotion", "seen-speaker", "unseen-emotion")
PLANTED = ("linear", "product", "seen-linear", "seen-product", "hidden", "hidden-train")
DIVIDED = {*NULL[:3], *PLANTED[:2]}  # without parts of a run
EMOTIONS, POWER_AT, BLOCK = 4, 20, 20
ORDER = (*NULL[:3], *PLANTED[:2], *NULL[3:], *PLANTED[2:])  # of the seeds
COLUMNS = ("kind", "clusters", "repetition", "probe", "score", "chance", "shuffled", "low", "high", "p", "n", "classes")

Array = NDArray[np.float64]
Names = NDArray[np.str_]


def sampled(kind: str, clusters: int, options: argparse.Namespace, seed: int) -> tuple[Array, Names, Names]:
    """An embedding, the labels, the speakers."""
    random = np.random.default_rng([seed, clusters, ORDER.index(kind)])
    who = np.repeat(np.arange(clusters), options.clips)
    speakers = np.char.add("s", who.astype(str))
    X = random.normal(size=(len(who), options.dimension))
    if kind == "speaker":
        return X, speakers, speakers
    if kind == "product":
        X[:, :2] += np.sign(X[:, :2])
        labels = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
        X[:, 2:] += random.normal(size=(clusters, options.dimension - 2))[who]
        return X, labels, speakers
    X += random.normal(size=(clusters, options.dimension))[who]
    emotions = np.concatenate([random.permutation(np.arange(options.clips) % EMOTIONS) for _ in range(clusters)])
    if kind == "linear":
        X += options.strength * np.linalg.qr(random.normal(size=(options.dimension, EMOTIONS)))[0].T[emotions]
    return X, (np.where(who % 2, "female", "male") if kind == "gender" else emotions.astype(str)), speakers


def parted(kind: str, clusters: int, options: argparse.Namespace, seed: int) -> tuple[Array, Names, Names, Division]:
    """An embedding of the clips of one fold of a run, the labels, the speakers, and the fold."""
    random = np.random.default_rng([seed, clusters, ORDER.index(kind)])
    parts = ("train", "validation", "test")
    sizes = dict(zip(parts, (options.clips, options.clips // 2, options.clips), strict=True))
    if kind == "unseen-emotion":
        people = np.repeat(parts, (clusters, clusters // 2, clusters))
        part, who = np.repeat(people, options.clips), np.repeat(np.arange(len(people)), options.clips)
    else:
        each = np.repeat(parts, tuple(sizes.values()))
        part, who = np.tile(each, clusters), np.repeat(np.arange(clusters), len(each))
    speakers = np.char.add("s", who.astype(str))
    X = random.normal(size=(len(who), options.dimension))
    if kind == "seen-speaker":
        labels = speakers
    elif kind == "seen-product":
        X[:, :2] += np.sign(X[:, :2])
        labels = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
        X[:, 2:] += random.normal(size=(who.max() + 1, options.dimension - 2))[who]
    elif kind.startswith("hidden"):
        two = random.integers(0, 2, len(who))
        signs = random.choice([-1, 1], size=(len(who), 2))
        train = part == "train"
        signs[train, 1] = signs[train, 0] * (2 * two[train] - 1)
        X[:, :2] = 3 * signs + 0.5 * X[:, :2]
        X[:, 2] += 2 * two - 1
        X[:, 3:] += random.normal(size=(who.max() + 1, options.dimension - 3))[who]
        labels = two.astype(str)
    else:
        X += random.normal(size=(who.max() + 1, options.dimension))[who]
        emotions = np.concatenate(
            [random.permutation(np.arange(count) % EMOTIONS) for count in _runs(np.char.add(speakers, part))]
        )
        if kind == "seen-linear":
            X += options.strength * np.linalg.qr(random.normal(size=(options.dimension, EMOTIONS)))[0].T[emotions]
        labels = emotions.astype(str)
    choosing = None if kind == "hidden-train" else part == "validation"
    groups = speakers if kind == "unseen-emotion" else None
    fold = given([(part == "train", part == "test")], len(who), "a fold of a run", groups, choosing)
    return X, labels, speakers, fold


def _runs(names: Names) -> NDArray[np.intp]:
    """The lengths of runs of equal names."""
    ends = np.flatnonzero(np.concatenate([names[1:] != names[:-1], [True]]))
    return np.diff(ends, prepend=-1)


def measured(kind: str, clusters: int, seed: int, options: argparse.Namespace) -> list[dict[str, object]]:
    """The UAR rows of one embedding."""
    division = None
    if kind in DIVIDED:
        X, labels, speakers = sampled(kind, clusters, options, seed)
    else:
        X, labels, speakers, division = parted(kind, clusters, options, seed)
    factor = {"gender": "gender", "speaker": "speaker", "seen-speaker": "speaker"}.get(kind, "emotion")
    task = ProbingTask(labels, factor, speakers=speakers, division=division, options=LeakageOptions(seed=seed))
    found = predict(X, labels, division or divide(task), seed=seed)
    if kind in NULL:  # the strongest probe alone: scoring takes as long as fitting
        best = max(found.validation, key=lambda name: found.validation[name])
        found = found._replace(predicted={best: found.predicted[best]})
    table = scored(found, task)
    rows = table[table["measure"] == "uar"].to_dict("records")
    place = {"kind": kind, "clusters": clusters, "repetition": seed}
    return [place | {name: row[name] for name in COLUMNS[3:]} for row in rows]


def compute(options: argparse.Namespace) -> pd.DataFrame:
    done = pd.read_csv(options.out) if options.out.exists() else pd.DataFrame(columns=list(COLUMNS))
    there = set(zip(done["kind"], done["clusters"], done["repetition"], strict=True))
    seeds = range(options.first, options.first + options.repetitions)
    wanted = [(k, c, r) for r, c, k in product(seeds, options.clusters, options.factors)]
    wanted += [(k, POWER_AT, r) for r in range(options.planted) for k in options.leaks]
    wanted.sort(key=lambda key: key[2])  # the first blocks have all kinds
    left = [key for key in wanted if key not in there]
    size = BLOCK * options.workers
    with Parallel(n_jobs=options.workers) as parallel:
        for start in range(0, len(left), size):
            found = parallel(delayed(measured)(*key, options) for key in left[start : start + size])
            rows = pd.DataFrame([row for part in found for row in part], columns=list(COLUMNS))
            rows.to_csv(options.out, mode="a", header=not options.out.exists(), index=False)
    return pd.read_csv(options.out)


def share(hits: "pd.Series[bool]") -> str:
    ends = binomtest(int(hits.sum()), len(hits)).proportion_ci()
    return f"{100 * hits.mean():5.1f} % ({100 * ends.low:.1f} to {100 * ends.high:.1f})"


def show(table: pd.DataFrame) -> None:
    strongest = table[table["probe"] == "strongest"]
    print("without leakage: 95 % intervals of the strongest probe")
    for kind, clusters in product(NULL, sorted(set(table["clusters"]))):
        rows = strongest[(strongest["kind"] == kind) & (strongest["clusters"] == clusters)]
        if len(rows):
            above, below = rows["low"] > rows["chance"], rows["high"] < rows["chance"]
            print(
                f"{kind:14} {clusters:3} speakers, n {rows['n'].iloc[0]:4}, {rows['classes'].iloc[0]:2} classes, "
                f"{len(rows):4} times: cover {share(~above & ~below)}, above {100 * above.mean():.1f} %, below "
                f"{100 * below.mean():.1f} %, p <= .05 in {share(rows['p'] <= 0.05)}, mean {rows['score'].mean():.4f} "
                f"(chance {rows['chance'].mean():.4f}), deviation {rows['score'].std():.4f}, half an interval "
                f"{(rows['high'] - rows['low']).mean() / 2:.4f}"
            )
    print("with planted leakage: p < .05 and the interval above chance")
    planted = table[table["kind"].isin(PLANTED)]
    for (kind, probe), rows in planted.groupby(["kind", "probe"], sort=False):
        found = (rows["p"] < 0.05) & (rows["low"] > rows["chance"])
        print(f"{kind:12} {probe:12} {len(rows):4} times: found {share(found)}, mean {rows['score'].mean():.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a CSV file, new or of the same options")
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="first seed of the repetitions without leakage")
    parser.add_argument("--planted", type=int, default=300, help="repetitions of each planted factor")
    parser.add_argument("--clusters", type=int, nargs="+", default=[10, 20, 50])
    parser.add_argument("--factors", nargs="+", choices=NULL, default=list(NULL))
    parser.add_argument("--leaks", nargs="+", choices=PLANTED, default=list(PLANTED))
    parser.add_argument("--clips", type=int, default=8, help="clips of each speaker")
    parser.add_argument("--dimension", type=int, default=8)
    parser.add_argument("--strength", type=float, default=1.5)
    parser.add_argument("--workers", type=int, default=1)
    show(compute(parser.parse_args()))


if __name__ == "__main__":
    main()
