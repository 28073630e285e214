"""Harm done to commands, and what is lost by it: one row a harm, as a table in Markdown.

    python benchmarks/bench_faults.py [--harm kill,damage,...] [--trials 10] [--only train,...]

Each trial is a command in a process of its own, on a toy corpus. Its outcome is one of

- done: the command ended as it does without the harm, which came too late or was too little; or, as the row says, its
  answer or its files are those of the same command without the harm;
- sentence: one sentence with a way out, an exit code that is promised, and all that was good before is still there;
- lost: something that was good is not, or the same command does not go on without the harm;
- silent: an exit code of success, or no word, though something is missing;
- defect: a traceback, exit code 70, or a process that is left behind.

`disk` mounts small disks in memory, which takes root; without it the size of each file is limited instead. A harm is a
function that takes a `Bench` and yields rows, in `HARMS`; further ones are added there. `damage` has so many trials of
each kind of damage to each kind of folder, on files that are chosen at random.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from _faults import Bench, Row
from _file_harms import beside, damage, kill, two
from _process_harms import disk, interrupt, memory, orphan

HARMS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "kill": kill,
    "damage": damage,
    "two": two,
    "beside": beside,
    "interrupt": interrupt,
    "orphan": orphan,
    "disk": disk,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harm", default=",".join(HARMS), help="names, joined by commas")
    parser.add_argument("--only", default="", help="names of commands, joined by commas")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--show", action="store_true", help="print what the commands say")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        bench = Bench(Path(place), options.trials, options.only.split(",") if options.only else (), options.show)
        bench.make()
        print("| harm | command | trials | outcome | shown by |\n| --- | --- | --- | --- | --- |", flush=True)
        for harm in options.harm.split(","):
            for row in HARMS[harm](bench):
                told = ", ".join(f"{count} {outcome}" for outcome, count in row.outcomes.most_common())
                shown = f"`bench_faults.py --harm {harm} --trials {options.trials}`"
                trials = row.outcomes.total()
                print(f"| {row.harm} | `mien {row.command}` | {trials} | {told} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
