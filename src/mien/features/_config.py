"""The settings that all features share: the sound's sampling rate, and its perturbation.

Sound is mono float32 at full scale [-1, 1]; times are seconds, frequencies hertz, levels decibels. A perturbed copy
(`speed`, `noise_db`) is a setting like any other, so that it has its own place in the feature store.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from mien.common.settings import Settings


class FeatureConfig(Settings):
    """Settings of any feature.

    Attributes:
        sample_rate: samples a second of the waveforms that are given. 16 kHz is the rate of every corpus here.
        speed: ratio of the speaking rate; 1 leaves the sound as it is. Li et al. 2020, section 5: .8, .9, 1.1, 1.2.
        speed_by: "resampling" moves pitch and formants with the rate, as a tape does; "tempo" keeps them. The paper
            ("slightly modifying the speaking rate") does not say which.
        noise_db: signal-to-noise ratio in decibels of white noise that is added; None adds none.
    """

    sample_rate: int = Field(default=16_000, ge=1_000, le=384_000)
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    speed_by: Literal["resampling", "tempo"] = "resampling"
    noise_db: float | None = Field(default=None, ge=-100, le=100)


class FrameConfig(FeatureConfig):
    """Settings of a feature of a window that is moved in even steps; see `mien.features._frames`.

    Attributes:
        window: length of the window in seconds. Li et al. 2020, section 5: 40 ms.
        shift: step from one frame to the next in seconds. Li et al. 2020, section 5: 10 ms.
    """

    window: float = Field(default=0.040, gt=0, le=1)
    shift: float = Field(default=0.010, gt=0, le=1)

    @property
    def window_size(self) -> int:
        """The window in samples."""
        return round(self.window * self.sample_rate)

    @property
    def shift_size(self) -> int:
        """The shift in samples."""
        return round(self.shift * self.sample_rate)

    @model_validator(mode="after")
    def _windows_overlap(self) -> Self:
        if self.shift_size < 1 or self.window_size < max(2, self.shift_size):
            raise ValueError(
                f"a window of {self.window} s moved by {self.shift} s skips samples at {self.sample_rate} Hz; "
                "let shift be at least one sample and at most window"
            )
        return self
