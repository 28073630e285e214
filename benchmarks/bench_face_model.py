"""Milliseconds a face of an exported model of faces, beside the detector that finds the face, on one thread.

    python benchmarks/bench_face_model.py [--model face-small] [--batch 16] [--repeats 30]

Faces are random pixels of the model's size. The detector searches a picture of 320 x 240 px with one face, drawn as in
the toy corpus. Times are medians, and the ratio is of one run.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from mien.corpora.toy import face
from mien.corpora.toy.expression import express
from mien.corpora.toy.people import sample_people
from mien.data.batch import Batch, Sequence
from mien.media.faces import Crops
from mien.media.faces.detectors import detector
from mien.runs.ensemble import Ensemble
from mien.runs.exported import WEIGHTS, locate


def main() -> None:
    """Print one line each for the model and the detector."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="face-small")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=30)
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder = locate(given.model)
    ensemble = Ensemble.open(folder, torch.device("cpu"))
    faces = ensemble.faces
    assert faces is not None, "a model of faces"
    rng = np.random.default_rng(0)
    shape = (1, faces.channels, faces.size, faces.size)
    crops = [
        Crops(rng.integers(0, 256, shape, dtype=np.uint8), np.zeros(1, np.uint8), faces.every)
        for _ in range(given.batch)
    ]
    answered = _median(lambda: ensemble.infer([None] * given.batch, crops), given.repeats) / given.batch
    recipe = ensemble.models[0].recipe
    pixels = torch.from_numpy(np.stack([one.pixels for one in crops]))
    names, nothing = tuple(map(str, range(given.batch))), Sequence.absent(given.batch)
    shown = Sequence(pixels, torch.ones(given.batch, 1, dtype=torch.bool))
    batch = Batch(names, nothing, shown, {}, torch.arange(given.batch), given.batch, 0, 0).to(torch.device("cpu"))
    with torch.inference_mode():
        network = _median(lambda: recipe.predict(batch), given.repeats) / given.batch
    detect, picture = detector("auto"), _picture(rng)
    assert detect(picture), "the detector finds the drawn face"
    found = _median(lambda: detect(picture), given.repeats)
    parameters = sum(value.numel() for value in recipe.parameters())
    print(f"{given.model}: {parameters:,} parameters, {(folder / WEIGHTS).stat().st_size / 1e6:.2f} MB")
    print(f"network: {network:.2f} ms a face in batches of {given.batch}, with its batches made {answered:.2f} ms")
    print(f"detector: {found:.2f} ms a picture of 320 x 240; {found / answered:.1f} times a face of the model")


def _picture(rng: np.random.Generator) -> np.ndarray:
    """A drawn face of 160 px in the middle of a grey picture, (240, 320, 3) uint8."""
    (person,) = sample_people(1, rng)
    shown = express("happiness", 1.0, 0.1, rng)
    drawn = face.draw(person, shown, face.move(np.zeros(1), 1.0, rng), 160, rng)[0]
    picture = np.full((240, 320, 3), 160, np.uint8)
    picture[40:200, 80:240] = drawn
    return picture


def _median(call: Callable[[], object], repeats: int) -> float:
    """Milliseconds of a call."""
    times = []
    for number in range(repeats + 3):
        began = time.perf_counter()
        call()
        if number >= 3:
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


if __name__ == "__main__":
    main()
