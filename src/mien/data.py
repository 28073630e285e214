"""What an experiment learns from: the settings under `data`."""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from mien.features.batches import Masking
from mien.features.length import Length
from mien.features.normalisation import Kind
from mien.provenance import Named
from mien.settings import Settings


class Data(Settings):
    """What is learned from.

    Attributes:
        prepared: the PREPARED folder, or several: name -> folder. A relative path is taken from the working directory
            and made absolute.
        scheme: the emotion classes, a name in `corpora.schemes`.
        audio: what is heard: a feature by name, with its settings; None hears nothing.
        video: what is seen: `crops` or `columns`, with its settings; None sees nothing.
        copies: name -> settings of the audio feature that differ; each is one more training example of every clip.
        length: how long clips are made.
        normalisation: none, by the training frames, or by each speaker's frames (uses statistics of test data). Of
            sound and of vectors; pixels are taken as they are.
        masking: of training batches.
        unlabelled: clips without an emotion of the scheme are left out, or train what needs no emotion.
    """

    prepared: str | dict[str, str] | None = None
    scheme: str
    audio: Named | None = None
    video: Named | None = None
    copies: dict[str, Named] = Field({})
    length: Length = Length()
    normalisation: Kind = "none"
    masking: Masking = Masking()
    unlabelled: Literal["leave out", "train"] = "leave out"

    @model_validator(mode="after")
    def _something(self) -> "Data":
        if self.audio is None and self.video is None:
            raise ValueError("neither 'audio' nor 'video' is given; name a feature for one of them at least")
        if self.copies and self.audio is None:
            raise ValueError("'copies' are of sound, and 'audio' is not given")
        return self

    @field_validator("prepared", mode="wrap")
    @classmethod
    def _absolute(cls, prepared: Any, _: Any) -> str | dict[str, str] | None:
        if prepared is None:
            return None
        if isinstance(prepared, str):
            return str(Path(prepared).absolute())
        if not isinstance(prepared, dict) or not all(isinstance(folder, str) for folder in prepared.values()):
            raise ValueError("not a PREPARED folder, nor a mapping such as {emodb: PREPARED, ravdess: PREPARED}")
        if not prepared:
            raise ValueError("no corpus is named; write NAME: PREPARED for each")
        for name in prepared:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
                raise ValueError(f"corpus '{name}': a corpus's name is a letter, then letters, digits, '_' and '-'")
        return {name: str(Path(prepared[name]).absolute()) for name in sorted(prepared)}
