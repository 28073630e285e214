"""The clips of a toy corpus: person, sentence, emotion and modality of each."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from mien.corpora.toy.config import SENTENCES, ToyConfig
from mien.corpora.toy.people import EMOTIONS, Person


class Clip(NamedTuple):
    """A clip before it is made; `number` counts all clips, the last part of `name` those that differ in noise only.

    `sampling`: "entangled", "alike" (entangled, too) or "balanced" (exempt from the entanglement).
    """

    number: int
    name: str
    person: Person
    emotion: str
    sentence: str
    modality: str
    sampling: str


def plan(config: ToyConfig, people: list[Person], rng: Generator) -> list[Clip]:
    """Plan all clips.

    Each person has all emotions with one sentence, then with the next: six clips a round. Then a share e of each
    person's clips, sampled at random, gets the own emotion instead. Since 1/6 of them have it already, P(own emotion) =
    e + (1 - e) / 6. The last rounds of each person, as many as fit into the balanced share, keep their emotions; the
    rounds before them, as many as fit into the share `alike`, differ from the others in name alone.
    """
    single = rng.permutation(config.clips) < round(config.missing * config.clips)
    modality = np.where(single, np.where(np.cumsum(single) % 2, "voice", "face"), "voice+face")
    clips, takes = [], Counter[str]()
    emotions = [_emotions(config, number, person, rng) for number, person in enumerate(people)]
    for number in range(config.clips):
        turn, who = divmod(number, len(people))
        person, emotion = people[who], emotions[who][turn]
        sentence = turn // len(EMOTIONS) % len(SENTENCES)
        stem = f"{person.name}-s{sentence + 1}-{emotion}"
        takes[stem] += 1
        name = f"{stem}-{takes[stem]}"
        left = len(emotions[who]) - turn - config.spared(len(emotions[who]))
        sampling = "balanced" if left <= 0 else "alike" if left <= config.kept(len(emotions[who])) else "entangled"
        clips.append(Clip(number, name, person, emotion, SENTENCES[sentence], str(modality[number]), sampling))
    return clips


def _emotions(config: ToyConfig, number: int, person: Person, rng: Generator) -> list[str]:
    """The emotions of one person's clips, in order."""
    count = len(range(number, config.clips, config.people))
    entangled = count - config.spared(count)
    replaced = rng.permutation(entangled) < round(config.entanglement * entangled)
    rounds = [EMOTIONS[(turn + number) % len(EMOTIONS)] for turn in range(count)]
    return [person.own if own else emotion for own, emotion in zip(replaced, rounds, strict=False)] + rounds[entangled:]
