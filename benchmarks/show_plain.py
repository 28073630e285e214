"""How often a model calls speech without acted emotion an emotion, window by window as `mien predict` does.

python benchmarks/show_plain.py PREPARED [--model MODEL] [--threshold T ...]

PREPARED is a corpus of plain speech with one speaker a file, such as LibriSpeech, that the model was not trained on.
Shares are of the windows with a voice of the speakers who do not choose the threshold in `mien export --plain`, with
95 % intervals over these speakers; the speakers who choose stand beside them.
"""

import argparse

import torch

from mien.audit.recognition import plain
from mien.data.prepared import Prepared
from mien.runs.ensemble import Ensemble
from mien.runs.exported import DEFAULT, locate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared")
    parser.add_argument("--model", default=DEFAULT, help="RUN, RUN/models/MODEL, an exported folder or a name")
    parser.add_argument("--threshold", type=float, nargs="*", default=[], help="besides the model's own")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ensemble = Ensemble.open(locate(options.model), torch.device("cpu"))
    corpus = Prepared.open(options.prepared)
    choosing, measuring = plain.divided(ensemble, corpus, corpus.table)
    for threshold in sorted({ensemble.unsure, *options.threshold}):
        for who, windows in (("choosing", choosing), ("measuring", measuring)):
            found = plain.answered(windows, ensemble.classes, threshold)
            shares = ", ".join(f"{name} {share:.3f}" for name, share in found.answers.items())
            print(
                f"{threshold:.4f} {who:9} {len(windows.speakers)} windows: an emotion other than neutral "
                f"{found.emotions:.3f} [{found.low:.3f}, {found.high:.3f}]; {shares}, "
                f"unsure {1 - sum(found.answers.values()):.3f}"
            )


if __name__ == "__main__":
    main()
