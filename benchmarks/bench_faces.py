"""Milliseconds of processor time a picture of finding faces, cutting them out and watching mouths, on one thread.

    python benchmarks/bench_faces.py VIDEO [--pictures 50] [--long-side 320]

The pictures of a real clip, brought to 640 x 360 and 1280 x 720, for both detectors. `detect` and `crop` (224 px) are
done every .24 s alone, `motion` (one mouth, with the test for cuts) for each picture; `25 a second` is what that comes
to for each picture of such a video with one person.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from mien.media.faces import crops, speaking
from mien.media.faces.detectors import detector, names
from mien.media.faces.tracking import Cuts
from mien.media.pictures import Picture
from mien.media.streams import stream_media

SIZES = ((360, 640), (720, 1280))
EVERY = 6  # pictures at 25 a second


def milliseconds(work: Callable[..., object], inputs: Sequence[tuple[object, ...]]) -> float:
    """The median over all inputs, after one run to warm up."""
    work(*inputs[0])
    times = []
    for values in inputs:
        start = time.process_time()
        work(*values)
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times)


def scaled(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    pixels = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    changed = F.interpolate(pixels, size, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    return np.ascontiguousarray(changed.numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--long-side", type=int, default=320)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    film = (item for item in stream_media(arguments.video) if isinstance(item, Picture))
    pictures = [picture.rgb() for picture in islice(film, arguments.pictures)]
    print(f"milliseconds a picture, {len(pictures)} pictures, one thread, detector at {arguments.long_side} px")
    print(f"{'':<28}{'detect':>8}{'crop':>8}{'motion':>8}{'25 a second':>13}")
    for name in names():
        detect = detector(name, long_side=arguments.long_side)
        for size in SIZES:
            inputs = [scaled(rgb, size) for rgb in pictures]
            greys = [crops.grey(rgb.transpose(2, 0, 1))[0] for rgb in inputs]
            face, cuts = detect(inputs[0])[0], Cuts()

            def watch(before: NDArray[np.uint8], now: NDArray[np.uint8], cuts: Cuts = cuts, box=face.box) -> None:
                cuts.between(now)
                speaking.mouth_motion(before, now, box)

            def cut_out(rgb: NDArray[np.uint8], face=face) -> None:
                crops.crop(rgb, face.box, size=224, margin=0.15, eyes=face.eyes)

            found = milliseconds(detect, [(rgb,) for rgb in inputs])
            cut = milliseconds(cut_out, [(rgb,) for rgb in inputs])
            motion = milliseconds(watch, list(pairwise(greys)))
            title = f"{name} {size[1]} x {size[0]}"
            print(f"{title:<28}{found:>8.2f}{cut:>8.2f}{motion:>8.2f}{(found + cut) / EVERY + motion:>13.2f}")


if __name__ == "__main__":
    main()
