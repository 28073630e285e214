"""How an ensemble answers plain speech, which has no acted emotion: a threshold, and what it gives on other speakers.

A model of acted emotions is sure of itself on speech that it knows nothing of. Plain speech, read aloud for example,
shows how sure: half of its speakers choose a threshold under which little of it gets an emotion, and the other half
measures what comes of it. The windows are those of `mien predict` with its default settings.
"""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.statistics import calibration, scores
from mien.common.progress import progress
from mien.common.tables import records
from mien.corpora import readers
from mien.data.dataset import Dataset
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.errors import ConfigError, CorpusError
from mien.media import activity
from mien.runs import timeline
from mien.runs.answers import HOP, WINDOW, least_sound
from mien.runs.description import Answered, Plain
from mien.runs.ensemble import Ensemble

NEUTRAL = "neutral"


class Windows(NamedTuple):
    """The windows of a corpus that have a voice: `probabilities` N x K, and the N names of their speakers."""

    probabilities: NDArray[np.float64]
    speakers: NDArray[np.str_]

    def of(self, speakers: Collection[str]) -> "Windows":
        """The windows of some speakers."""
        keep = np.isin(self.speakers, list(speakers))
        return Windows(self.probabilities[keep], self.speakers[keep])


class Listened(NamedTuple):
    """A corpus of plain speech: the windows of the speakers who choose, and of those who measure."""

    dataset: Dataset
    choosing: Windows
    measuring: Windows


def refuse_acted(dataset: Dataset) -> None:
    """Raise ConfigError for a corpus whose reader says that its speech is acted."""
    for part in dataset.prepared.parts.values():
        name = str(part.card["reader"])
        if "acted" in (speech := readers.reader(name).SPEECH):
            raise ConfigError(
                f"--plain {dataset.prepared.place}: holds {name}, whose speech is no plain speech ({speech}); give a "
                "corpus without acted emotion, such as LibriSpeech"
            )


def doubts(datasets: Collection[Dataset], classes: Collection[str]) -> list[str]:
    """Sentences on what makes the shares of plain speech mean something else than they seem to.

    Args:
        datasets: corpora of plain speech.
        classes: of the model.
    """
    sentences = []
    if datasets and NEUTRAL not in classes:
        sentences.append(
            "the model has no class 'neutral', so every answer counts as an emotion, and plain speech is right only "
            "where it is unsure"
        )
    for dataset in datasets:
        known = dataset.prepared.table["emotion"].dropna()
        if emotional := int((known != NEUTRAL).sum()):
            sentences.append(
                f"{emotional} of {len(dataset.prepared.table)} clips of {dataset.prepared.card['name']} are labelled "
                "with an emotion other than neutral, and plain speech has none"
            )
    return sentences


def listen(ensemble: Ensemble, dataset: Dataset) -> Listened:
    """Classify all windows of a corpus of plain speech, and divide its speakers in two.

    Raises:
        ConfigError: the model predicts something else than emotion, or has no voice among its inputs.
        CorpusError: the corpus has fewer than four speakers, a file of several speakers, or no window with a voice.
        MediaError: a file cannot be read.
    """
    return Listened(dataset, *divided(ensemble, dataset.prepared, dataset.clips))


def divided(ensemble: Ensemble, corpus: Prepared | Joined, clips: pd.DataFrame) -> tuple[Windows, Windows]:
    """The windows of the speakers who choose, and of those who measure; see `listen`.

    Args:
        ensemble: a model of emotion by voice.
        corpus: finds the files.
        clips: those of its table that are taken.
    """
    place = corpus.place
    if ensemble.target != "emotion" or "audio" not in ensemble.modalities:
        what = f"predicts '{ensemble.target}'" if ensemble.target != "emotion" else "takes no sound"
        raise ConfigError(
            f"--plain {place}: {ensemble.name} {what}, and plain speech does not measure that; leave it out"
        )
    several = clips.groupby("file")["speaker"].nunique()
    if (several > 1).any():
        raise CorpusError(f"{place}: {several.idxmax()} holds several speakers; --plain needs one speaker a file")
    first, second = halves(clips)
    found = _windows(ensemble, corpus, clips)
    for part in (first, second):
        if not np.isin(found.speakers, part).any():
            raise CorpusError(f"{place}: has no voice in the files of {', '.join(part[:5])}; give another --plain")
    return found.of(first), found.of(second)


def halves(clips: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The speakers of a table of clips in two halves, each with half of every gender; by name, so always the same.

    Raises:
        CorpusError: there are fewer than four speakers.
    """
    people = clips.groupby("speaker")["gender"].first().fillna("")
    ordered = sorted(people.index, key=lambda speaker: (people[speaker], speaker))
    if len(ordered) < 4:
        raise CorpusError(
            f"--plain: has {len(ordered)} speakers, and needs four or more: half of them choose, half measure"
        )
    return ordered[::2], ordered[1::2]


def threshold(listened: Listened, classes: tuple[str, ...], limit: float) -> float:
    """The least threshold with which at most a share `limit` of the choosing windows gets an emotion."""
    return calibration.quiet_threshold(listened.choosing.probabilities, _neutral(classes), limit)


def plain(listened: Listened, ensemble: Ensemble, *, limit: float, before: float) -> Plain:
    """What the threshold of an ensemble gives on the measuring speakers, beside another threshold, `before`."""
    corpus, measuring = listened.dataset.prepared, listened.measuring
    return Plain(
        corpus=corpus.called,
        speech=readers.reader(corpus.card["name"]).SPEECH,
        limit=limit,
        choosing=len(np.unique(listened.choosing.speakers)),
        threshold=threshold(listened, ensemble.classes, limit),
        speakers=len(np.unique(measuring.speakers)),
        windows=len(measuring.speakers),
        before=answered(measuring, ensemble.classes, before),
        after=answered(measuring, ensemble.classes, ensemble.unsure),
    )


def answered(windows: Windows, classes: tuple[str, ...], threshold: float) -> Answered:
    """The answers on some windows with one threshold."""
    best, sure = windows.probabilities.argmax(axis=1), windows.probabilities.max(axis=1) >= threshold
    emotional = sure & (best != _neutral(classes))
    speakers, who = np.unique(windows.speakers, return_inverse=True)
    counts = np.stack([np.bincount(who, weights) for weights in (emotional.astype(float), np.ones(len(who)))])
    drawn = counts @ scores.draws([str(name) for name in speakers], seed=0).T
    low, high = scores.interval(drawn[0] / np.maximum(drawn[1], 1), len(speakers))
    shares = np.bincount(best[sure], minlength=len(classes)) / len(best)
    return Answered(
        threshold=round(threshold, 4),
        emotions=round(float(emotional.mean()), 4),
        low=None if np.isnan(low) else round(low, 4),
        high=None if np.isnan(high) else round(high, 4),
        answers={name: round(float(share), 4) for name, share in zip(classes, shares, strict=True)},
    )


def _neutral(classes: tuple[str, ...]) -> int | None:
    return classes.index(NEUTRAL) if NEUTRAL in classes else None


def _windows(ensemble: Ensemble, corpus: Prepared | Joined, clips: pd.DataFrame) -> Windows:
    """The windows of all files of known speakers with a voice that is long enough for an answer."""
    files = clips[clips["speaker"].notna()].drop_duplicates("file")
    window, least = min(WINDOW, ensemble.longest or WINDOW), least_sound(ensemble)
    probabilities, speakers = [], []
    with progress(len(files), "plain speech", "files") as advance:
        for clip in records(files[["file", "speaker"]]):
            detect = activity.detector("energy", ensemble.rate)
            found = timeline.predictions(
                corpus.media(clip), ensemble, ensemble.faces, window=window, hop=HOP, detect=detect
            )
            own = [one.probabilities for one in found if "audio" in one.modality and one.end - one.start >= least]
            probabilities += [one for one in own if one is not None]
            speakers += [clip["speaker"]] * len(own)
            advance()
    return Windows(np.reshape(probabilities, (-1, len(ensemble.classes))), np.array(speakers, dtype=np.str_))
