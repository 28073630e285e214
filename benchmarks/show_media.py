"""When a sound lies in each format that mien reads, against when it was written.

    python benchmarks/show_media.py

Three seconds of noise between 300 Hz and 3 kHz, whose autocorrelation has one narrow peak, are encoded by PyAV in each
format, decoded by `mien.media.audio.read_audio` at 48 kHz, and compared with what was written. Printed, as a Markdown
table: the milliseconds by which the sound lies late (early is negative), to a hundredth, the seconds that the result is
longer than what was written, and whether a part from the middle equals that of the whole. Formats whose encoder this
build of libav lacks are named. A second table has the same noise in one of several channels of a wav file, and in two
that cancel each other: the level of what is read, and the seconds that count as active.

Exits with 1 where a format that declares its delay is off by .1 ms or more.
"""

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfiltfilt

from mien.media.activity import detector, frame_size
from mien.media.audio import SAMPLE_RATE, read_audio, stream_audio

RATE, SECONDS = 48_000, 3.0
Waveform = NDArray[np.float64]


class Format(NamedTuple):
    """How a file is written: name of the file, muxer, encoder, rate in Hz, and whether it declares its delay."""

    name: str
    muxer: str
    encoder: str
    rate: int
    declares: bool = True


FORMATS = (
    Format("wav, 16 bit", "wav", "pcm_s16le", 48_000),
    Format("wav, 8 bit", "wav", "pcm_u8", 16_000),
    Format("wav, float", "wav", "pcm_f32le", 44_100),
    Format("wav, IMA ADPCM", "wav", "adpcm_ima_wav", 44_100),
    Format("w64", "w64", "pcm_s16le", 44_100),
    Format("aiff, 24 bit", "aiff", "pcm_s24be", 44_100),
    Format("au, mu-law", "au", "pcm_mulaw", 8_000),
    Format("caf, ALAC", "caf", "alac", 44_100),
    Format("flac", "flac", "flac", 44_100),
    Format("WavPack", "wv", "wavpack", 44_100),
    Format("ogg, Opus", "ogg", "libopus", 48_000),
    Format("ogg, flac", "ogg", "flac", 44_100),
    Format("webm, Opus", "webm", "libopus", 48_000),
    Format("webm, Opus from 16 kHz", "webm", "libopus", 16_000),
    Format("mka, AAC", "matroska", "aac", 44_100),
    Format("mp3", "mp3", "libmp3lame", 44_100),
    Format("m4a, AAC", "mp4", "aac", 44_100),
    Format("m4a, AAC at 16 kHz", "mp4", "aac", 16_000),
    Format("m4a, ALAC", "mp4", "alac", 44_100),
    Format("mov, AAC", "mov", "aac", 48_000),
    Format("aac (ADTS)", "adts", "aac", 44_100, False),
    Format("aac (ADTS) at 16 kHz", "adts", "aac", 16_000, False),
    Format("ts, AAC", "mpegts", "aac", 48_000, False),
    Format("ts, MP2", "mpegts", "mp2", 48_000, False),
    Format("mpg, MP2", "mpeg", "mp2", 44_100, False),
    Format("flv, AAC", "flv", "aac", 44_100, False),
    Format("flv, mp3", "flv", "libmp3lame", 44_100, False),
    Format("avi, mp3", "avi", "libmp3lame", 44_100, False),
    Format("avi, 16 bit", "avi", "pcm_s16le", 44_100),
    Format("wmv/asf, WMA 2", "asf", "wmav2", 44_100, False),
    Format("ac3", "ac3", "ac3", 48_000, False),
    Format("eac3", "eac3", "eac3", 48_000, False),
    Format("amr, narrow band", "amr", "libopencore_amrnb", 8_000, False),
    Format("wav, G.722", "wav", "g722", 16_000, False),
)


def noise() -> Waveform:
    """(N,) at 48 kHz."""
    white = np.random.default_rng(0).normal(0, 1, round(RATE * SECONDS))
    band = sosfiltfilt(butter(6, [300, 3_000], "bandpass", fs=RATE, output="sos"), white)
    return np.asarray(0.2 * band / np.abs(band).std(), np.float64).clip(-0.95, 0.95)


def write(file: Path, form: Format, sound: Waveform, layout: str = "mono") -> None:
    """Encode (N,) mono samples, or (N, C) of a layout, at the format's rate."""
    with av.open(str(file), "w", format=form.muxer) as container:
        stream = container.add_stream(form.encoder, rate=form.rate, layout=layout)
        if form.encoder == "wmav2":
            stream.bit_rate = 128_000  # it has no default
        size = stream.codec_context.frame_size or 1024
        converter = av.AudioResampler(stream.codec_context.format, layout, form.rate)
        values = sound.astype(np.float32)
        for begin in range(0, len(values), size):
            piece = values[begin : begin + size].reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(piece, format="flt", layout=layout)
            frame.sample_rate, frame.pts = form.rate, begin
            for converted in converter.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))


def lateness(found: Waveform, truth: Waveform) -> float:
    """Milliseconds by which `found` lags behind `truth`, both at `RATE`: the vertex of a parabola at the peak."""
    size = 2 * max(len(found), len(truth))
    product = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(truth, size)))
    at = int(np.argmax(product))
    before, peak, after = (product[(at + step) % size] for step in (-1, 0, 1))
    lag = at if at < size // 2 else at - size
    return float(1000 / RATE * (lag + 0.5 * (before - after) / (before - 2 * peak + after)))


def channels(folder: Path) -> None:
    """Print the table of channels."""
    print("\n| noise in | level of what is read, dB | active, s |\n| --- | --- | --- |")
    sound, size, wav = resample_poly(noise(), SAMPLE_RATE, RATE), frame_size(SAMPLE_RATE), FORMATS[0]
    cases = {
        "one channel of one": ("mono", [1.0]),
        "both channels of stereo": ("stereo", [1.0, 1.0]),
        "the left channel of stereo": ("stereo", [1.0, 0.0]),
        "the centre of 5.1": ("5.1", [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
        "both channels of stereo, one turned over": ("stereo", [1.0, -1.0]),
    }
    for number, (name, (layout, shares)) in enumerate(cases.items()):
        file = folder / f"channels-{number}.wav"
        write(file, wav._replace(rate=SAMPLE_RATE), sound[:, None] * np.array(shares), layout)
        active, detect, power = 0, detector("energy", SAMPLE_RATE), 0.0
        for block in stream_audio(file, channels=True, block=size / SAMPLE_RATE):
            power += float(np.square(block.samples, dtype=np.float64).sum())
            rows = block.samples[None, None] if block.channels is None else block.channels[None]
            active += int(detect(rows).sum()) if rows.shape[-1] == size else 0
        ratio = power / float(np.square(sound).sum())
        level = f"{10 * np.log10(ratio):+.1f}" if ratio > 1e-12 else "nothing"
        print(f"| {name} | {level} | {active * size / SAMPLE_RATE:.1f} |")


def main() -> int:
    """Print the tables."""
    truth, lacking, wrong = noise(), [], 0
    print("| format | late, ms | longer, s | a part equals the whole |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for number, form in enumerate(FORMATS):
            file = Path(folder) / f"{number}"
            try:
                write(file, form, resample_poly(truth, form.rate, RATE))
            except (av.FFmpegError, ValueError):
                lacking.append(form.name)
                continue
            whole = read_audio(file, rate=RATE)
            part = read_audio(file, start=1.0, end=2.0, rate=RATE)
            found = lateness(whole.astype(np.float64), truth)
            same = np.abs(part - whole[RATE : 2 * RATE]).max() < 2**-15
            wrong += form.declares and abs(found) >= 0.1
            late = "0.00" if abs(found) < 0.005 else f"{found:.2f}"
            print(f"| {form.name} | {late} | {len(whole) / RATE - SECONDS:.3f} | {'yes' if same else 'no'} |")
        channels(Path(folder))
    if lacking:
        print(f"\nNo encoder for: {', '.join(lacking)}.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
