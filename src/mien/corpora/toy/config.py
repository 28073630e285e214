"""What can be asked of the generator of toy corpora."""

from pydantic import Field, model_validator

from mien.common.settings import Settings
from mien.corpora.toy.people import EMOTIONS

SENTENCES = ("mana luse tibo", "sofi wenda nula", "dima shola petu rina", "bela vuno sami")


class ToyConfig(Settings):
    """Settings of a toy corpus; the same settings give the same bytes on one machine.

    Attributes:
        people: how many there are; every second one is a man.
        clips: how many there are; person and sentence take turns, so each person speaks each sentence as often.
        entanglement: how much of the person's identity tells the emotion, e. Each person has an own emotion, and
            P(own emotion) = e + (1 - e) / 6: at 0 all six are balanced for each person, at 1 there is only the own.
        balanced: share of each person's clips that stand outside of the entanglement, the last ones, in whole rounds of
            the six emotions: a set to test on in which nobody is told by an emotion, nor an emotion by somebody.
        difficulty: share of an expression that is chance, d: each cue of voice and face is (1 - d) x what the emotion
            does to it + d x noise of the same size. At 0 all say it alike, at 1 nothing tells the emotion.
        seconds: length of a clip, about; sentences, rates and pauses differ.
        frame_rate: frames of video a second.
        size: height and width of the video in pixels, even.
        missing: share of clips that have one modality only, voice and face by turns.
        snr: signal-to-noise ratio of a neutral voice in dB, give or take 3.
        seed: of everything that is drawn.
    """

    people: int = Field(default=10, ge=2, le=999)
    clips: int = Field(default=240, ge=1)
    entanglement: float = Field(default=0.0, ge=0, le=1)
    balanced: float = Field(default=0.0, ge=0, le=1)
    difficulty: float = Field(default=0.2, ge=0, le=1)
    seconds: float = Field(default=2.0, ge=1, le=30)
    frame_rate: int = Field(default=15, ge=5, le=60)
    size: int = Field(default=64, ge=32, le=512, multiple_of=2)
    missing: float = Field(default=0.0, ge=0, le=1)
    snr: float = Field(default=30.0, ge=-20, le=80)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _a_round(self) -> "ToyConfig":
        if self.balanced and not self.spared(self.clips // self.people):
            raise ValueError(
                f"'balanced' is {self.balanced:g} of {self.clips // self.people} clips a person, which is no round of "
                f"the {len(EMOTIONS)} emotions; ask for more clips, or a larger share"
            )
        return self

    def spared(self, count: int) -> int:
        """How many of so many clips of a person are balanced: whole rounds of all emotions."""
        return round(self.balanced * count) // len(EMOTIONS) * len(EMOTIONS)
