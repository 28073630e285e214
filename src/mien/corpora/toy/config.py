"""The settings of a toy corpus."""

from pydantic import Field, model_validator

from mien.common.settings import Settings
from mien.corpora.toy.people import EMOTIONS

SENTENCES = ("mana luse tibo", "sofi wenda nula", "dima shola petu rina", "bela vuno sami")


class ToyConfig(Settings):
    """Settings of a toy corpus; the same settings give the same bytes on one machine.

    Attributes:
        people: number of people; every second one is a man.
        clips: number of clips; people and sentences take turns, so each person speaks each sentence equally often.
        entanglement: how strongly the person predicts the emotion, e. Each person has an own emotion, and
            P(own emotion) = e + (1 - e) / 6: at 0 all six are balanced for each person, at 1 each person has only one.
        balanced: share of each person's clips, the last ones, that are exempt from the entanglement, in whole rounds of
            the six emotions: a test set in which the person does not predict the emotion, nor the emotion the person.
        alike: share of each person's clips, those before the balanced ones and as many as whole rounds have, that are
            entangled as all others and named apart: a test set in which the person predicts the emotion as in training.
        difficulty: share of noise in an expression, d: each cue of voice and face is (1 - d) x effect of the emotion +
            d x noise of the same size. At 0 all people express it alike, at 1 nothing predicts the emotion.
        seconds: approximate length of a clip; sentences, rates and pauses differ.
        frame_rate: frames of video a second.
        size: height and width of the video in pixels, even.
        missing: share of clips with one modality only, alternately voice and face.
        snr: signal-to-noise ratio of a neutral voice in dB, give or take 3.
        seed: seed of all random numbers.
    """

    people: int = Field(default=10, ge=2, le=999)
    clips: int = Field(default=240, ge=1)
    entanglement: float = Field(default=0.0, ge=0, le=1)
    balanced: float = Field(default=0.0, ge=0, le=1)
    alike: float = Field(default=0.0, ge=0, le=1)
    difficulty: float = Field(default=0.2, ge=0, le=1)
    seconds: float = Field(default=2.0, ge=1, le=30)
    frame_rate: int = Field(default=15, ge=5, le=60)
    size: int = Field(default=64, ge=32, le=512, multiple_of=2)
    missing: float = Field(default=0.0, ge=0, le=1)
    snr: float = Field(default=30.0, ge=-20, le=80)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _a_round(self) -> "ToyConfig":
        count = self.clips // self.people
        for name in ("balanced", "alike"):
            share = getattr(self, name)
            if share and not _rounds(share, count):
                raise ValueError(
                    f"'{name}' is {share:g} of {count} clips a person, less than one round of the {len(EMOTIONS)} "
                    "emotions; take more clips or a larger share"
                )
        if self.balanced + self.alike > 1:
            raise ValueError(f"'balanced' and 'alike' are {self.balanced + self.alike:g} of the clips; take 1 at most")
        return self

    def spared(self, count: int) -> int:
        """How many of a person's `count` clips are balanced: whole rounds of all emotions."""
        return _rounds(self.balanced, count)

    def kept(self, count: int) -> int:
        """How many of a person's `count` clips are alike: as many as whole rounds have."""
        return _rounds(self.alike, count)


def _rounds(share: float, count: int) -> int:
    return round(share * count) // len(EMOTIONS) * len(EMOTIONS)
