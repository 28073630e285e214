"""Media files of a toy corpus: the same bytes each time on one machine.

Sound alone is 16-bit PCM in wav; pictures are H.264 in mp4, with AAC if there is a voice. So that the bytes are equal,
one thread encodes, and the container has no time of creation and no names of encoders.
"""

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags as CodecFlags
from numpy.typing import NDArray

VIDEO = {"preset": "ultrafast", "tune": "zerolatency", "crf": "16"}
AUDIO, AUDIO_BITS = {"aac_coder": "fast"}, 64_000  # bits a second


def write_wav(file: Path, samples: NDArray[np.float32], rate: int) -> None:
    """Write (N,) samples of full scale 1 as mono PCM."""
    with wave.open(str(file), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def write_mp4(
    file: Path,
    frames: NDArray[np.uint8],
    frame_rate: int,
    samples: NDArray[np.float32] | None = None,
    rate: int = 16_000,
) -> None:
    """Write (T, H, W, 3) frames, and (N,) samples of full scale 1 if there are any, as mp4."""
    with av.open(str(file), "w", format="mp4", container_options={"fflags": "bitexact"}) as container:
        video = container.add_stream("libx264", rate=frame_rate, options=VIDEO)
        video.height, video.width, video.pix_fmt = *frames.shape[1:3], "yuv420p"
        video.codec_context.thread_count = 1
        video.codec_context.flags |= CodecFlags.bitexact.value
        audio = None
        if samples is not None:
            audio = container.add_stream("aac", rate=rate, layout="mono", bit_rate=AUDIO_BITS, options=AUDIO)
            audio.codec_context.flags |= CodecFlags.bitexact.value
            sound = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
            sound.sample_rate, sound.time_base, sound.pts = rate, Fraction(1, rate), 0
            container.mux(audio.encode(sound))
            container.mux(audio.encode(None))
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, frame_rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
