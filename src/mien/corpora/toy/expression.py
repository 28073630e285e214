"""The effect of an emotion on a voice and a face.

Voice: signs and rough sizes on which studies of vocal expression agree (Murray & Arnott 1993, table 1; Banse &
Scherer 1996): anger, fear and happiness raise pitch, widen its range and hasten speech, anger loudest and brightest,
fear unsteady, happiness with rising ends; sadness and disgust are lower, slower, softer and falling, sadness with the
narrowest range, disgust with the harshest voice. Effects are smaller than in acted speech, so that a single clip is
ambiguous.

Face: the muscles involved (Ekman & Friesen 1978): anger lowers and joins the brows and presses the lips, disgust
wrinkles the nose and raises the upper lip, fear lifts the brows, opens the eyes and stretches the mouth, happiness
lifts the corners of the mouth and the cheeks, sadness lifts the inner brows and lowers the corners.

Valence and arousal are ratings of a clip, numbers from 1 to 5, which follow from its cues alone (`ratings`).

A cue of a clip is (1 - difficulty) x the effect of the emotion x the person's expressiveness + difficulty x noise with
the standard deviation of the cue over the emotions.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from mien.corpora.toy.people import EMOTIONS


class Expression(NamedTuple):
    """The cues of one clip; all are zero for a neutral one.

    Attributes:
        pitch: shift of the median pitch in semitones.
        range: logarithm (base 2) of the factor on the movements of pitch.
        slope: rise of pitch from the beginning to the end in semitones.
        rate: logarithm (base 2) of the factor on tempo.
        energy: level in dB.
        tilt: brightness in dB per octave.
        tremor: unsteadiness of pitch and level.
        breath: noise in the voice in dB.
        inner: inner ends of the brows, up, in half-heights of the head, as are all lengths.
        outer: outer ends of the brows, up.
        lids: logarithm (base 2) of the factor on how far the eyes are open.
        corners: corners of the mouth, up.
        stretch: relative change of the mouth's width.
        upper: upper lip, up.
        wrinkle: furrows at the root of the nose, 0..1.
    """

    pitch: float
    range: float
    slope: float
    rate: float
    energy: float
    tilt: float
    tremor: float
    breath: float
    inner: float
    outer: float
    lids: float
    corners: float
    stretch: float
    upper: float
    wrinkle: float


# The effect of each emotion of `EMOTIONS` on each cue.
_TABLE = {
    #             anger disgust  fear happiness neutral sadness
    "pitch":     (+2.5,  -2.5,  +4.0,   +3.0,   0.0,   -1.5),
    "range":     (+0.6,  +0.1,  -0.2,   +0.7,   0.0,   -0.7),
    "slope":     (-1.0,  -2.0,  +0.5,   +2.5,   0.0,   -1.5),
    "rate":      (+.15,  -.30,  +.30,   +.10,   0.0,   -.25),
    "energy":    (+6.0,  -1.0,   0.0,   +3.0,   0.0,   -5.0),
    "tilt":      (+2.5,  -0.5,  +0.5,   +1.0,   0.0,   -2.5),
    "tremor":    (+.10,  +.25,  +.50,   -.05,   0.0,   +.05),
    "breath":    (-3.0,  +1.0,  +5.0,    0.0,   0.0,   +3.0),
    "inner":     (-.11,  -.07,  +.10,   +.03,   0.0,   +.10),
    "outer":     (+.03,  -.03,  +.05,   +.03,   0.0,   -.07),
    "lids":      (-.15,  -.60,  +.50,   -.25,   0.0,   -.40),
    "corners":   (-.04,  -.05,  -.03,   +.11,   0.0,   -.09),
    "stretch":   (-.12,  -.05,  +.22,   +.20,   0.0,   -.05),
    "upper":     ( 0.0,  +.06,   0.0,   +.01,   0.0,    0.0),
    "wrinkle":   ( 0.5,   1.0,   0.0,    0.0,   0.0,    0.0),
}  # fmt: skip
EFFECTS: Mapping[str, Expression] = MappingProxyType(
    {
        emotion: Expression(**{cue: sizes[place] for cue, sizes in _TABLE.items()})
        for place, emotion in enumerate(EMOTIONS)
    }
)
_SPREAD = np.std(list(EFFECTS.values()), axis=0)

# The cues of which a rating is the mean, each in standard deviations over the emotions, with their signs: arousal
# raises pitch, tempo, level and brightness (Banse & Scherer 1996); valence is ours, two cues of the voice, one of the
# face.
VALENCE: Mapping[str, int] = MappingProxyType({"slope": 1, "tremor": -1, "corners": 1})
AROUSAL: Mapping[str, int] = MappingProxyType({"pitch": 1, "rate": 1, "energy": 1, "tilt": 1})
MIDDLE, SCALE = 3.0, (1.0, 5.0)  # of the ratings; a clip without any expression has the middle


def express(emotion: str, expressiveness: float, difficulty: float, rng: Generator) -> Expression:
    """Sample the cues of a clip."""
    intended = expressiveness * np.asarray(EFFECTS[emotion])
    cues = (1 - difficulty) * intended + difficulty * _SPREAD * rng.standard_normal(len(intended))
    return Expression(*cues.tolist())


def ratings(cues: Expression) -> dict[str, float]:
    """Valence and arousal of a clip, on `SCALE`: `MIDDLE` and the mean of their standardised cues."""
    standard = dict(zip(Expression._fields, np.asarray(cues) / _SPREAD, strict=True))
    return {
        name: float(np.clip(MIDDLE + np.mean([sign * standard[cue] for cue, sign in signs.items()]), *SCALE))
        for name, signs in {"valence": VALENCE, "arousal": AROUSAL}.items()
    }
