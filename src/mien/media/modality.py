"""The modalities of a recording: its sound and its pictures."""

from typing import Literal

Modality = Literal["audio", "video"]
