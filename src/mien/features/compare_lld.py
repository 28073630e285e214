"""The low-level descriptors of ComParE_2016 by openSMILE, (T, 130) float32: 65 descriptors, then their 65 deltas.

These are the descriptors of the Interspeech 2013 challenge (Schuller et al. 2013), smoothed over three frames: F0,
voicing, jitter, shimmer, harmonics to noise; loudness, energy, zero crossings; 26 auditory bands, 15 spectral shapes
and 14 MFCCs. A delta is a regression over five frames. `names` has the name of each.

openSMILE's configuration is the package's own but for the frames: here all descriptors have one window of 32 ms every
16 ms, as Goncalves & Busso 2022 have them. The set as it is shipped has 20 ms for all but pitch, voice quality and zero
crossings, which have 60 ms, every 10 ms: `window: .02, pitch_window: .06, shift: .01`. In 32 ms there are 1.7 periods
of the lowest pitch that is looked for, 52 Hz.

Frames lie on the grid of all features (`_frames`), of sound that is mirrored at both ends (`_opensmile`, which rounds
samples to 16 bits, too). A window of pitch that is longer begins with the other one, and so is centred later. With
`average`, consecutive frames are averaged into one, the last few too where they are fewer; frame t is then centred on
the middle of those it averages.

The licence of openSMILE is for research and other non-commercial use, and is said at the first use.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mien.errors import ConfigError
from mien.features import _opensmile
from mien.features._config import FrameConfig

SOURCE = "openSMILE, ComParE_2016 (Eyben et al. 2013), for research only: pip install 'mien[opensmile]'"
NOTICE = _opensmile.notice("compare_lld")
VERSION = 1
DESCRIPTORS = 65
MARGIN = _opensmile.MARGIN

Array = NDArray[np.float32]

# The lines of the shipped configuration that are changed: their text, and how often it stands there.
_LINES = {"frameSize = 0.060": 1, "frameSize = 0.020": 1, "frameStep = 0.010": 2}
_LEVELS = ("is13_lld_nzsmo", "is13_lldA_smo", "is13_lldB_smo")
_CONFIG = """\
[componentInstances:cComponentManager]
instance[dataMemory].type=cDataMemory

\\{\\cm[source{?}:include external source]}
\\{ComParE_2016_core.lld.conf.inc}

[componentInstances:cComponentManager]
instance[both].type=cVectorConcat

[both:cVectorConcat]
reader.dmLevel = LEVELS
writer.dmLevel = both
includeSingleElementFields = 1

\\{\\cm[sink{?}:include external sink]}
"""


class Config(FrameConfig):
    """Settings of the frames.

    Attributes:
        sample_rate: samples a second; bands reach to 8 kHz, so no fewer than 16,000.
        window: length of the window in seconds.
        pitch_window: that of pitch, voice quality and zero crossings; None is `window`.
        shift: step from one frame to the next in seconds, before `average`.
        average: how many consecutive frames are averaged into one.
    """

    sample_rate: int = Field(default=16_000, ge=16_000, le=384_000)
    window: float = Field(default=0.032, gt=0, le=1)
    pitch_window: float | None = Field(default=None, gt=0, le=1)
    shift: float = Field(default=0.016, gt=0, le=1)
    average: int = Field(default=1, ge=1, le=1_000)

    @property
    def longest(self) -> int:
        """The longer window in samples."""
        return max(self.window_size, round((self.pitch_window or 0) * self.sample_rate))

    @model_validator(mode="after")
    def _pitch_fits(self) -> Self:
        if self.pitch_window is not None and self.pitch_window < self.window:
            raise ValueError(
                f"pitch_window: {self.pitch_window} s is shorter than window, {self.window} s; let it be as long at "
                "least"
            )
        return self


def dimension(config: Config) -> int:
    """130: descriptors and deltas."""
    return 2 * DESCRIPTORS


def hop(config: Config) -> float:
    """Seconds from one frame to the next."""
    return config.average * config.shift_size / config.sample_rate


def ready(config: Config) -> str:
    """What is said before the first use; raises ConfigError where openSMILE is not installed."""
    _opensmile.package("compare_lld")
    return NOTICE


def names(config: Config) -> list[str]:
    """What each value of a frame is, in openSMILE's words; raises ConfigError where it is not installed."""
    with _opened(config) as smile:
        return [str(name) for name in smile.column_names]


def extract(waveforms: Sequence[Array], config: Config) -> list[Array]:
    """The (T, 130) float32 descriptors of each waveform, (N,) float32 at full scale; (0, 130) of one without a frame.

    Raises:
        ConfigError: openSMILE is not installed, or another version of it has another configuration.
    """
    if not waveforms:
        return []
    with _opened(config) as smile:
        return [_averaged(_opensmile.rows(waveform, smile, config, config.longest), config) for waveform in waveforms]


def _averaged(values: Array, config: Config) -> Array:
    """Frames averaged by `config.average`, the last ones too where they are fewer."""
    if config.average == 1 or not len(values):
        return values
    starts = np.arange(0, len(values), config.average)
    sums = np.add.reduceat(values, starts, axis=0, dtype=np.float64)
    return (sums / np.diff(starts, append=len(values))[:, None]).astype(np.float32)


@contextmanager
def _opened(config: Config) -> Iterator[Any]:
    """The package with its own configuration for these frames."""
    opensmile = _opensmile.package("compare_lld")
    shipped = Path(opensmile.__file__).parent / "core" / "config"
    part = "ComParE_2016_core.lld.conf.inc"
    text = (shipped / "compare" / part).read_text(encoding="utf-8")
    if wrong := [line for line, times in _LINES.items() if text.count(line) != times]:
        raise ConfigError(
            f"compare_lld: openSMILE {opensmile.__version__} has another configuration of ComParE_2016 ('{wrong[0]}' "
            "is not where it was); take version 2.6: pip install 'opensmile>=2.6,<2.7'"
        )
    samples = dict(zip(_LINES, (config.longest, config.window_size, config.shift_size), strict=True))
    own_text = re.sub(
        "|".join(map(re.escape, _LINES)),
        lambda line: f"{line[0].rpartition(' ')[0]} {samples[line[0]] / config.sample_rate:.12f}",
        text,
    )
    with tempfile.TemporaryDirectory(prefix="mien-opensmile-") as folder:
        own = Path(folder) / "compare"
        own.mkdir()
        (Path(folder) / "shared").mkdir()
        for file in (shipped / "shared").iterdir():
            (Path(folder) / "shared" / file.name).write_bytes(file.read_bytes())
        (own / part).write_text(own_text, encoding="utf-8")
        levels = ";".join([*_LEVELS, *(f"{level}_de" for level in _LEVELS)])
        (own / "both.conf").write_text(_CONFIG.replace("LEVELS", levels), encoding="utf-8")
        yield opensmile.Smile(str(own / "both.conf"), "both", loglevel=0)
