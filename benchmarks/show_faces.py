"""The faces that `mien predict` finds in films, with the answer of a model of faces to each, as one picture.

    python benchmarks/show_faces.py FILE ... --out faces.png [--model face-small] [--outline] [--columns 4]

A panel shows a picture from the middle of the file's first window in which there is a face, a box around each person,
and the likeliest emotion of that window with its probability. `--outline` draws the boxes without the picture.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import torch

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from mien.media.activity import detector
from mien.media.faces import Reason
from mien.media.faces.people import People
from mien.media.pictures import Picture
from mien.media.streams import stream_media
from mien.media.windows import Window, windows
from mien.runs.answers import HOP, WINDOW
from mien.runs.ensemble import Ensemble
from mien.runs.exported import locate


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="face-small")
    parser.add_argument("--outline", action="store_true")
    parser.add_argument("--columns", type=int, default=4)
    given = parser.parse_args()
    torch.set_num_threads(1)
    ensemble = Ensemble.open(locate(given.model), torch.device("cpu"))
    rows = -(-len(given.files) // given.columns)
    figure, axes = plt.subplots(rows, given.columns, figsize=(3.2 * given.columns, 2.7 * rows), squeeze=False)
    for panel in axes.flat:
        panel.axis("off")
    for panel, file in zip(axes.flat, given.files, strict=False):
        window = _window(file, ensemble)
        picture = _picture(file, (window.start + window.end) / 2)
        height, width = picture.shape[:2]
        panel.imshow(np.full_like(picture, 245) if given.outline else picture)
        panel.set_title(f"{file.name}, {window.start:.0f} - {window.end:.1f} s", fontsize=8)
        usable = [one for one in window.people if (one.reasons == Reason.VALID).any()]
        found = ensemble.infer([None] * len(usable), usable) if usable else []
        for one, probabilities in zip(usable, found, strict=True):
            left, top, right, bottom = one.box
            box = (left * width, top * height), (right - left) * width, (bottom - top) * height
            panel.add_patch(Rectangle(*box, fill=False, linewidth=1.5, edgecolor="#d62728"))
            best = int(probabilities.argmax())
            label = f"{one.person}: {ensemble.classes[best]} {probabilities[best]:.0%}"
            place = (left * width, max(0.0, top * height - 0.02 * height))
            panel.text(*place, label, fontsize=7, va="bottom", color="white", backgroundcolor="#d62728")
    figure.tight_layout()
    figure.savefig(given.out, dpi=150)


def _window(file: Path, ensemble: Ensemble) -> Window:
    """The first window in which there is a face, or the first."""
    assert ensemble.faces is not None, "a model of faces"
    look = People(ensemble.faces, rate=ensemble.rate)
    detect = detector("energy", ensemble.rate)
    every = list(windows(file, length=WINDOW, hop=HOP, detect=detect, rate=ensemble.rate, look=look))
    return next((one for one in every if any((who.reasons == Reason.VALID).any() for who in one.people)), every[0])


def _picture(file: Path, time: float) -> np.ndarray:
    """The picture that is shown at a media second, (H, W, 3) uint8."""
    shown = None
    for item in stream_media(file):
        if isinstance(item, Picture):
            if item.time > time and shown is not None:
                break
            shown = item.rgb()
    assert shown is not None, f"{file}: no picture"
    return shown


if __name__ == "__main__":
    main()
