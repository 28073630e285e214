"""Emotion schemes: the classes of a model, and which emotions of a corpus fall into each.

Readers use the canonical names of `EMOTIONS` and merge nothing; merging emotions into a class is up to the scheme. An
emotion without a class in the scheme is counted and listed, never dropped silently.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pandas as pd

from mien.errors import ConfigError, unknown

EMOTIONS = (
    "anger",
    "boredom",
    "calm",
    "contempt",
    "disgust",
    "excitement",
    "fear",
    "frustration",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
    "other",
)

SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("angry", "ang"), "anger"),
        **dict.fromkeys(("bored", "bor"), "boredom"),
        **dict.fromkeys(("calmness",), "calm"),
        **dict.fromkeys(("disgusted", "dis"), "disgust"),
        **dict.fromkeys(("excited", "exc"), "excitement"),
        **dict.fromkeys(("fearful", "fea", "afraid", "anxiety"), "fear"),
        **dict.fromkeys(("frustrated", "fru"), "frustration"),
        **dict.fromkeys(("happy", "hap", "joy"), "happiness"),
        **dict.fromkeys(("neu", "neutral state"), "neutral"),
        **dict.fromkeys(("sad",), "sadness"),
        **dict.fromkeys(("surprised", "sur"), "surprise"),
        **dict.fromkeys(("oth",), "other"),
    }
)


@dataclass(frozen=True)
class Scheme:
    """The emotion classes of a model.

    Attributes:
        name: its name.
        classes: the classes, in the order of a model's outputs; empty for a corpus without emotions.
        merge: emotion -> class, for emotions that count as one of the classes.
    """

    name: str
    classes: tuple[str, ...]
    merge: Mapping[str, str] = field(default_factory=dict)

    def label(self, emotion: object) -> frozenset[str]:
        """The classes that an emotion ("a", or "a+b" for several) falls into; empty if unknown or without a class."""
        return frozenset(self._class(part) for part in _parts(emotion)) & frozenset(self.classes)

    def unmapped(self, emotion: object) -> list[str]:
        """The parts of an emotion that have no class here."""
        return [part for part in _parts(emotion) if self._class(part) not in self.classes]

    def _class(self, part: str) -> str:
        return self.merge.get(part, part)


SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        scheme.name: scheme
        for scheme in (
            Scheme("none", ()),
            Scheme("canonical", tuple(emotion for emotion in EMOTIONS if emotion != "other")),
            Scheme("basic", ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")),
            Scheme("emodb", ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")),
            Scheme("ravdess", ("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")),
            Scheme("nemo", ("anger", "fear", "happiness", "neutral", "sadness", "surprise")),
            Scheme("crema_d", ("anger", "disgust", "fear", "happiness", "neutral", "sadness")),
            Scheme("enterface", ("anger", "disgust", "fear", "happiness", "sadness", "surprise")),
            Scheme("rml", ("anger", "disgust", "fear", "happiness", "sadness", "surprise")),
            Scheme("iemocap", ("anger", "happiness", "neutral", "sadness"), {"excitement": "happiness"}),
            Scheme("tess", ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")),
            Scheme("cmu_mosei", ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")),
            # Peri et al. 2021, section 4.1: rare in interviews, so one class.
            Scheme(
                "emovoxceleb",
                ("anger", "happiness", "neutral", "sadness", "other"),
                dict.fromkeys(("contempt", "disgust", "fear", "surprise"), "other"),
            ),
            Scheme(
                "ferplus",
                ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
            ),
            Scheme(
                "msp_podcast",
                ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
            ),
            Scheme("toy", ("anger", "disgust", "fear", "happiness", "neutral", "sadness")),
            # What EmoDB and RAVDESS have in common; calm is no merge of neutral: RAVDESS has both.
            Scheme("shared", ("anger", "disgust", "fear", "happiness", "neutral", "sadness")),
        )
    }
)


def scheme(name: str) -> Scheme:
    """The scheme of that name; raises ConfigError with the nearest one."""
    if name not in SCHEMES:
        raise ConfigError(unknown("scheme", name, SCHEMES))
    return SCHEMES[name]


def canonical(emotion: str) -> str:
    """An emotion as `EMOTIONS` spells it ("Happy" -> "happiness"); in lower case if it is none of them."""
    return "+".join(SYNONYMS.get(part, part) for part in _parts(emotion.lower()))


def apply(scheme: Scheme, emotions: "pd.Series[str]") -> tuple["pd.Series[str]", dict[str, int]]:
    """Turn emotions into classes.

    Args:
        scheme: the classes.
        emotions: one a clip, as in a corpus's table; missing if unknown.

    Returns:
        The class of each clip (text; several joined by "+" in the scheme's order; missing if there is none), with
        the index of `emotions`; and, sorted by name, the emotions without a class with the number of clips they have.
    """
    labels = []
    lost: Counter[str] = Counter()
    for emotion in emotions:
        classes = scheme.label(emotion)
        labels.append("+".join(name for name in scheme.classes if name in classes) or None)
        lost.update(scheme.unmapped(emotion))
    return pd.Series(labels, index=emotions.index, dtype="str", name="label"), dict(sorted(lost.items()))


def _parts(emotion: object) -> list[str]:
    """The names in "a+b", each once; empty for a missing emotion."""
    if not isinstance(emotion, str):
        return []
    return list(dict.fromkeys(part.strip() for part in emotion.split("+") if part.strip()))
