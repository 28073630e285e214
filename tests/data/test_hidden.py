"""What is missing is not valid, and a clip that lacks every frame is one without the modality."""

import numpy as np
import torch

from conftest import Memory
from mien.data.batches import Examples, Loader, Stream
from mien.data.hidden import Hidden
from mien.data.length import Length

CLIPS = {"a": torch.arange(10.0)[:, None], "b": torch.arange(6.0)[:, None]}


def test_missing_frames_are_not_valid_and_others_stay():
    memory = Memory(CLIPS, {"a": [1]})
    hidden = Hidden(memory, lambda clip, frames: np.arange(frames) >= 4)
    assert hidden.length("a") == 10
    assert hidden.valid("a").tolist() == [True, False, True, True] + [False] * 6
    assert torch.equal(hidden.frames("a"), CLIPS["a"])
    nothing = Hidden(memory, lambda clip, frames: np.zeros(frames, bool))
    assert torch.equal(nothing.valid("a"), memory.valid("a"))


def test_a_clip_without_a_frame_makes_the_batch_of_one_without_the_modality():
    def batch(source):
        examples = Examples(("a", "b"), ("", ""), (source,) * 2, {})
        stream = Stream(0.1, lambda frames, speaker: frames)
        return Loader(examples, batch_size=2, length=Length(seconds=0.8, short="constant"), audio=stream).batch(
            [0, 1], step=0
        )

    gone = batch(Hidden(Memory(CLIPS), lambda clip, frames: np.full(frames, clip == "b")))
    absent = batch(Memory({**CLIPS, "b": CLIPS["b"][:0]}))
    assert torch.equal(gone.audio.values, absent.audio.values)
    assert torch.equal(gone.audio.valid, absent.audio.valid)
    assert not gone.audio.valid[1].any()
