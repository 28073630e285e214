"""What `read_audio` and `stream_audio` promise about level, time, format, and parts of files."""

import math
import tracemalloc
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import MediaError
from mien.media import audio, soundtrack
from mien.media.audio import read_audio, stream_audio
from mien.media.containers import Part, open_media, probe

# name: (format, encoder, its rate, encoder's delay in samples where the format cannot declare it, least
# signal-to-error ratio in dB)
FORMATS = {
    "sound.wav": ("wav", "pcm_s16le", 48_000, 0, 70),
    "eight.wav": ("wav", "pcm_u8", 22_050, 0, 35),
    "float.wav": ("wav", "pcm_f32le", 44_100, 0, 80),
    "adpcm.wav": ("wav", "adpcm_ima_wav", 22_050, 0, 20),
    "sound.aiff": ("aiff", "pcm_s24be", 44_100, 0, 80),
    "sound.flac": ("flac", "flac", 44_100, 0, 70),
    "sound.mp3": ("mp3", "mp3", 44_100, 0, 20),
    "sound.m4a": ("mp4", "aac", 44_100, 0, 20),
    "sound.mov": ("mov", "aac", 48_000, 0, 20),
    "sound.webm": ("webm", "libopus", 48_000, 0, 30),
    "sound.mka": ("matroska", "aac", 44_100, 0, 20),
    "sound.ogg": ("ogg", "libopus", 48_000, 0, 30),
    "flac.ogg": ("ogg", "flac", 44_100, 0, 70),
    "sound.flv": ("flv", "aac", 44_100, 1024, 20),
    "sound.aac": ("adts", "aac", 44_100, 1024, 20),
    "sound.ts": ("mpegts", "aac", 48_000, 1024, 20),
    "sound.mpg": ("mpeg", "mp2", 44_100, 481, 20),
    "sound.avi": ("avi", "mp3", 44_100, 1105, 20),
}


def sound(rate: int, seconds: float = 3.0) -> NDArray[np.float32]:
    """Tones from 200 Hz to 3 kHz under a wandering envelope: the same function of time at any rate."""
    time = np.arange(round(rate * seconds)) / rate
    sweep = np.sin(2 * np.pi * (200 * time + 460 * time**2))
    return (0.3 * sweep * (0.6 + 0.4 * np.sin(2 * np.pi * 1.7 * time))).astype(np.float32)


def write(
    file: Path,
    samples: NDArray[np.floating],
    *,
    form: str = "wav",
    encoder: str = "pcm_s16le",
    rate: int = 16_000,
    layout: str = "mono",
    late: float = 0.0,
    hole: tuple[float, float] | None = None,
    pictures: float = 0.0,
) -> Path:
    """Encode (channels, N) samples, beginning `late` seconds into the file; `hole` = (from, how long) in its time."""
    with av.open(str(file), "w", format=form) as container:
        if pictures:
            video = container.add_stream("mpeg4", rate=10)
            video.width = video.height = 32
        if len(samples):
            stream = container.add_stream(encoder, rate=rate, layout=layout)
        for index in range(round(pictures * 10)):
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 7 * index % 256, np.uint8), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 10)
            container.mux(video.encode(picture))
        if pictures:
            container.mux(video.encode(None))
        if len(samples):
            values = np.atleast_2d(samples).astype(np.float32)
            size = stream.codec_context.frame_size or 1024
            converter = av.AudioResampler(stream.codec_context.format, layout, rate)
            for begin in range(0, values.shape[1], size):
                piece = values[:, begin : begin + size].T.reshape(1, -1)  # packed, as in mien.media.soundtrack
                frame = av.AudioFrame.from_ndarray(piece, format="flt", layout=layout)
                jump = hole[1] if hole is not None and begin >= hole[0] * rate else 0.0
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = begin + round((late + jump) * rate)
                for converted in converter.resample(frame):
                    container.mux(stream.encode(converted))
            container.mux(stream.encode(None))
    return file


def shift(sound: NDArray[np.float32], truth: NDArray[np.float32]) -> int:
    """By how many samples `sound` lags behind `truth`, from the peak of their cross-correlation."""
    size = 2 * max(len(sound), len(truth))
    product = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(truth, size)))
    lag = int(np.argmax(product))
    return lag if lag < size // 2 else lag - size


def fidelity(sound: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Signal-to-error ratio in dB, away from the edges."""
    count = min(len(sound), len(truth))
    inner = slice(800, count - 800)
    error = sound[:count][inner] - truth[:count][inner]
    return float(10 * np.log10(np.mean(truth[:count][inner] ** 2) / (np.mean(error**2) + 1e-20)))


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same three seconds in every format."""
    folder = tmp_path_factory.mktemp("encoded")
    return {
        name: write(folder / name, sound(rate), form=form, encoder=encoder, rate=rate)
        for name, (form, encoder, rate, _, _) in FORMATS.items()
    }


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_sound_at_the_same_time(encoded: dict[str, Path], name: str) -> None:
    *_, rate, delay, least = FORMATS[name]
    decoded, truth = read_audio(encoded[name], rate=rate), sound(rate)
    assert shift(decoded, truth) == delay
    assert fidelity(decoded[delay:], truth) > least
    assert len(read_audio(encoded[name])) == pytest.approx(48_000, abs=1600)
    assert decoded.dtype == np.float32
    assert probe(encoded[name]).seconds == pytest.approx(3, abs=0.1)
    assert probe(encoded[name])[1:] == (True, False)


def test_sixteen_bit_sound_at_its_own_rate_is_exact(tmp_path: Path) -> None:
    integers = np.random.default_rng(0).integers(-(2**15), 2**15, 20_000).astype("<i2")
    with wave.open(str(tmp_path / "exact.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(integers.tobytes())
    assert np.array_equal(read_audio(tmp_path / "exact.wav"), integers / np.float32(2**15))


def test_mono_is_the_mean_of_the_channels(tmp_path: Path) -> None:
    left, noise = sound(16_000), np.random.default_rng(0).normal(0, 0.1, (6, 16_000)).astype(np.float32)
    whole = write(tmp_path / "mono.wav", left)
    same = write(tmp_path / "same.wav", np.stack([left, left]), layout="stereo")
    half = write(tmp_path / "half.wav", np.stack([left, 0 * left]), layout="stereo")
    six = write(tmp_path / "six.wav", noise, encoder="pcm_f32le", layout="5.1")
    assert np.array_equal(read_audio(same), read_audio(whole))
    assert np.array_equal(read_audio(half), read_audio(whole) / 2)
    assert np.abs(read_audio(six) - noise.mean(axis=0)).max() < 1e-6


@pytest.mark.parametrize(
    ("form", "encoder", "layout", "least"),
    [
        ("mp4", "aac", "5.1", 20),
        ("matroska", "libopus", "5.1", 20),
        ("wv", "wavpack", "5.1", 30),  # 8 bits, the first kind of sample that this encoder offers
        ("matroska", "pcm_s16le", "hexadecagonal", 70),
    ],
)
def test_frames_of_many_channels_are_packed_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, encoder: str, layout: str, least: float
) -> None:
    monkeypatch.setattr(soundtrack, "PACKED_FROM", 2)
    count = av.AudioLayout(layout).nb_channels
    levels = np.linspace(0.2, 1, count)
    levels[3] = 0  # that of low frequencies in 5.1
    values = np.outer(levels, sound(48_000))
    file = write(tmp_path / "a", values, form=form, encoder=encoder, rate=48_000, layout=layout)
    found = read_audio(file, rate=48_000)
    assert fidelity(found, values.mean(axis=0)) > least
    blocks = list(stream_audio(file, rate=48_000, channels=True))
    assert np.array_equal(np.concatenate([block.samples for block in blocks]), found)
    channels = np.concatenate([block.channels for block in blocks], axis=1)
    assert channels.shape == (count, len(found))
    assert np.abs(channels.mean(axis=0) - found).max() < 1e-6


def test_channels_are_resampled_as_their_mean_is(tmp_path: Path) -> None:
    for count in (1, 2, 64):
        values = np.random.default_rng(0).normal(0, 0.1, (count, 44_100)).astype(np.float32)
        with wave.open(str(tmp_path / "a.wav"), "wb") as file:
            file.setparams((count, 2, 44_100, 0, "NONE", ""))
            file.writeframes((2**15 * values.T).astype("<i2").tobytes())
        blocks = list(stream_audio(tmp_path / "a.wav", channels=True))
        joined = np.concatenate([block.samples for block in blocks])
        assert np.array_equal(joined, read_audio(tmp_path / "a.wav"))
        if count == 1:
            assert blocks[0].channels is None
        if count == 2:
            mean = np.concatenate([block.channels for block in blocks], axis=1).mean(axis=0)
            assert np.abs(mean - joined).max() < 1e-6
        if count == 64:
            assert len(blocks[0].channels) == 63


@pytest.mark.parametrize(
    ("rate", "count", "length"),
    [
        (44_100, 1, 1),
        (44_100, 100, 37),
        (48_000, 100, 34),
        (8_000, 1, 2),
        (8_000, 50, 100),
        (8_000, 100, 200),
        (96_000, 721, 121),
        (16_000, 1, 1),
    ],
)
def test_very_short_sound_keeps_its_length_and_its_level(tmp_path: Path, rate: int, count: int, length: int) -> None:
    tone = (8000 * np.cos(2 * np.pi * 200 * np.arange(count) / rate)).astype("<i2")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(tone.tobytes())
    found = read_audio(tmp_path / "a.wav", silent="allow")
    assert len(found) == length
    truth = 8000 / 2**15 * np.cos(2 * np.pi * 200 * np.arange(length) / 16_000)
    assert np.abs(found - truth).max() < 0.02
    assert sum(len(block.samples) for block in stream_audio(tmp_path / "a.wav")) == length


def test_opposite_channels_cancel_and_are_refused(tmp_path: Path) -> None:
    left = sound(16_000)
    file = write(tmp_path / "opposite.wav", np.stack([left, -left]), encoder="pcm_f32le", layout="stereo")
    assert np.array_equal(read_audio(file, silent="allow"), np.zeros(48_000, np.float32))
    with pytest.raises(MediaError) as error:
        read_audio(file)
    assert error.value.cause == (
        "is silent: the mean of its channels stays below 1.5e-05 of full scale; its channels cancel each other: keep "
        "one of them, as 'ffmpeg -i opposite.wav -af pan=mono|c0=c0 FILE.wav'"
    )


def test_full_scale_does_not_clip_and_float_beyond_it_is_kept(tmp_path: Path) -> None:
    loud = np.tile(1.9 * np.sin(np.arange(32_000) / 8).astype(np.float32), (2, 1))
    kept = read_audio(write(tmp_path / "a.wav", loud, encoder="pcm_f32le", layout="stereo"))
    changed = read_audio(write(tmp_path / "b.wav", loud, encoder="pcm_f32le", layout="stereo", rate=32_000))
    assert np.array_equal(kept, loud[0])
    assert changed[200:-200].max() == pytest.approx(1.9, abs=0.01)


@pytest.mark.parametrize("source", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_level_and_phase_of_a_tone(tmp_path: Path, source: int) -> None:
    tone = np.sin(2 * np.pi * 1234.5 * np.arange(source * 2) / source)
    decoded = read_audio(write(tmp_path / "tone.wav", tone, encoder="pcm_f32le", rate=source))
    truth = np.sin(2 * np.pi * 1234.5 * np.arange(32_000) / 16_000)
    assert len(decoded) == 32_000
    assert np.abs(decoded - truth)[200:-200].max() < 2e-4


@pytest.mark.parametrize(("hertz", "low", "high"), [(7000, -0.1, 0.1), (8400, -np.inf, -95), (12_000, -np.inf, -95)])
def test_resampling_passes_what_the_rate_can_hold_and_nothing_folds_back(
    tmp_path: Path, hertz: int, low: float, high: float
) -> None:
    tone = np.sin(2 * np.pi * hertz * np.arange(96_000) / 48_000)
    decoded = read_audio(write(tmp_path / "tone.wav", tone, encoder="pcm_f32le", rate=48_000), silent="allow")
    level = 10 * np.log10(2 * np.mean(decoded[1000:-1000].astype(np.float64) ** 2) + 1e-30)
    assert low <= level <= high


@pytest.mark.parametrize("rate", [16_000, 8_000, 22_050])
@pytest.mark.parametrize("name", ["sound.wav", "eight.wav", "sound.flac", "flac.ogg", "sound.aiff"])
def test_a_part_of_a_lossless_file_is_that_slice_of_the_whole(encoded: dict[str, Path], name: str, rate: int) -> None:
    whole = read_audio(encoded[name], rate=rate)
    for start, end in [(0.0, 0.1), (0.05, 1.0), (1.3701, 2.2203), (2.5, None), (None, 1.7), (2.9, 3.0)]:
        part = read_audio(encoded[name], start=start, end=end, rate=rate)
        first, last = round((start or 0) * rate), None if end is None else round(end * rate)
        assert np.array_equal(part, whole[first:last])


@pytest.mark.parametrize("name", [name for name in FORMATS if FORMATS[name][4] < 30])
def test_a_part_of_a_compressed_file_is_that_slice_of_the_whole(encoded: dict[str, Path], name: str) -> None:
    whole = read_audio(encoded[name])
    part = read_audio(encoded[name], start=2.2, end=2.8)
    assert len(part) == 9600
    assert np.abs(part - whole[35_200:44_800]).max() < 1e-3


def test_a_part_decodes_its_neighbourhood_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "long.flac", sound(16_000, 60.0), form="flac", encoder="flac")
    whole = read_audio(file)
    decoded = []
    mono = audio.Track._mono
    monkeypatch.setattr(audio.Track, "_mono", lambda self, frame: (decoded.append(frame.samples), mono(self, frame))[1])
    part = read_audio(file, start=50.0, end=51.0)
    assert np.array_equal(part, whole[800_000:816_000])
    assert 16_000 <= sum(decoded) < 5 * 16_000


def test_nan_bounds_mean_the_whole_file(encoded: dict[str, Path]) -> None:
    whole = read_audio(encoded["sound.wav"])
    assert np.array_equal(read_audio(encoded["sound.wav"], start=float("nan"), end=float("nan")), whole)


@pytest.mark.parametrize(("start", "end"), [(2.0, 3.2), (3.5, 4.0), (9.0, math.inf)])
@pytest.mark.parametrize(("name", "jumps"), [("sound.wav", True), ("sound.mp3", False)])
def test_a_part_that_is_not_there_is_refused(
    encoded: dict[str, Path], name: str, jumps: bool, start: float, end: float
) -> None:
    with open_media(encoded[name]) as media:
        expected = media.ends_early(Part(start, end), None if jumps and start > 4 else 3.0)
    with pytest.raises(MediaError) as error:
        read_audio(encoded[name], start=start, end=end)
    assert str(error.value) == str(expected)


@pytest.mark.parametrize(("start", "end"), [(-1.0, None), (2.0, 2.0)])
def test_a_part_without_a_sample_is_refused(encoded: dict[str, Path], start: float, end: float | None) -> None:
    with open_media(encoded["sound.wav"]) as media, pytest.raises(MediaError) as expected:
        media.part(start, end, 16_000)
    with pytest.raises(MediaError) as error:
        read_audio(encoded["sound.wav"], start=start, end=end)
    assert str(error.value) == str(expected.value)


def test_a_part_may_end_a_rounding_error_beyond_the_file(encoded: dict[str, Path]) -> None:
    whole = read_audio(encoded["sound.wav"])
    assert np.array_equal(read_audio(encoded["sound.wav"], start=1.0, end=3.05), whole[16_000:])


@pytest.mark.parametrize("form", ["matroska", "mp4"])
def test_sound_that_begins_late_or_has_a_hole_stays_in_media_time(tmp_path: Path, form: str) -> None:
    truth, frame = sound(16_000), 4608  # the encoder's frame: the hole lies between two
    how = {"form": form, "encoder": "flac", "late": 0.75, "hole": (4 * frame / 16_000, 0.5), "pictures": 5.0}
    file = write(tmp_path / f"late.{form}", truth, **how)
    first, second = truth[: 4 * frame], truth[4 * frame :]
    expected = np.concatenate([np.zeros(12_000), first, np.zeros(8000), second])
    decoded = read_audio(file)
    assert len(decoded) == len(expected)
    assert np.abs(decoded - expected).max() < 1e-4
    assert probe(file) == (pytest.approx(5.0, abs=0.05), True, True)


def test_a_video_without_sound_gives_an_empty_waveform(tmp_path: Path) -> None:
    file = write(tmp_path / "mute.mp4", np.zeros(0), form="mp4", pictures=2.0)
    assert read_audio(file).shape == (0,)
    assert list(stream_audio(file)) == []
    assert probe(file) == (pytest.approx(2.0), False, True)


@pytest.mark.parametrize("name", ["sound.wav", "sound.flac", "sound.mp3", "sound.m4a", "sound.webm"])
@pytest.mark.parametrize("block", [0.1, 0.7, 10.0])
def test_streamed_pieces_join_to_what_read_audio_gives(encoded: dict[str, Path], name: str, block: float) -> None:
    pieces = list(stream_audio(encoded[name], block=block))
    size = round(block * 16_000)
    assert np.array_equal(np.concatenate([piece.samples for piece in pieces]), read_audio(encoded[name]))
    assert all(len(piece.samples) == size for piece in pieces[:-1])
    assert [piece.start for piece in pieces] == [index * size / 16_000 for index in range(len(pieces))]


def test_a_stream_needs_no_more_memory_for_a_longer_file(tmp_path: Path) -> None:
    peaks, minute = {}, (2**15 * sound(8_000, 60.0)).astype("<i2").tobytes()
    for minutes in (1, 6):
        with wave.open(str(tmp_path / "long.wav"), "wb") as file:
            file.setparams((1, 2, 8_000, 0, "NONE", ""))
            file.writeframes(minute * minutes)
        tracemalloc.start()
        seconds = sum(len(piece.samples) for piece in stream_audio(tmp_path / "long.wav")) / 16_000
        peaks[minutes] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert seconds == minutes * 60
    assert peaks[6] < peaks[1] + 200_000  # bytes; the longer waveform would be 23 million, five minutes of it 19


def test_a_waveform_has_a_longest_length_and_a_stream_has_none(
    encoded: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "MAX_SECONDS", 2.0)
    with pytest.raises(MediaError) as error:
        read_audio(encoded["sound.wav"])
    assert error.value.cause == "is longer than 2 seconds; read a part of it, or stream it"
    assert len(read_audio(encoded["sound.wav"], start=0.5, end=2.5)) == 32_000
    assert len(list(stream_audio(encoded["sound.wav"]))) == 3


def test_a_block_shorter_than_a_sample_is_refused(encoded: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=r"^block=1e-06 s is less than one sample at 16000 Hz; give a longer block$"):
        next(stream_audio(encoded["sound.wav"], block=1e-6))
