"""How the faces of FER2013 lie in their images: the margin that a detector's box would need to give the same crop.

    python benchmarks/show_face_margin.py PREPARED [--images 400]

PREPARED is of the reader `ferplus` with the feature `images`. Images of the training part, sampled with seed 0, are
enlarged threefold in the middle of a grey picture of 320 x 320 px; the margin m of a face solves
side of the box x (1 + 2 m) = side of the image.
"""

import argparse

import numpy as np

from mien.data.prepared import Prepared
from mien.data.store import FeatureStore
from mien.features.images import Config
from mien.media.faces.detectors import detector, names

SIDE, TIMES = 320, 3


def main() -> None:
    """Print a line for each detector."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prepared")
    parser.add_argument("--images", type=int, default=400)
    given = parser.parse_args()
    prepared = Prepared.open(given.prepared)
    clips = prepared.table.query("split == 'train'")["clip"].to_numpy()
    sampled = np.random.default_rng(0).choice(clips, min(given.images, len(clips)), replace=False)
    frames = FeatureStore(prepared, "images", Config())
    for name in names():
        detect, boxes = detector(name, long_side=SIDE), []
        for clip in sampled:
            image = frames.frames(clip)[0, 0].numpy().repeat(TIMES, axis=0).repeat(TIMES, axis=1)
            picture = np.full((SIDE, SIDE, 3), 128, np.uint8)
            begin = (SIDE - len(image)) // 2
            picture[begin : begin + len(image), begin : begin + len(image)] = image[..., None]
            boxes += [(np.array(face.box) - begin) / len(image) for face in detect(picture)[:1]]
        left, top, right, bottom = np.array(boxes).T
        margins = (1 / np.maximum(right - left, bottom - top) - 1) / 2
        low, middle, high = np.percentile(margins, [10, 50, 90])
        print(
            f"{name}: {len(boxes)} of {len(sampled)} images have a face; centre {((left + right) / 2).mean():.3f}, "
            f"{((top + bottom) / 2).mean():.3f}; margin {middle:+.3f} (median), {low:+.3f} to {high:+.3f} (10 to 90 %)"
        )


if __name__ == "__main__":
    main()
