"""What an experiment learns from: the clips of a prepared corpus with the labels of its scheme, and their features."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from torch import Tensor

from mien.common.settings import digest
from mien.corpora import readers, schemes
from mien.data import protocols
from mien.data.batch import Modality
from mien.data.batches import Examples
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.data.protocols import Fold, Protocol
from mien.data.settings import Data
from mien.data.store import ColumnStore, Store, open_store
from mien.errors import ConfigError, CorpusError, unknown

NOTHING = {
    frozenset({"audio"}): "no sound",
    frozenset({"video"}): "no video",
    frozenset({"audio", "video"}): "neither sound nor video",
}


@dataclass(frozen=True)
class Dataset:
    """The clips of one experiment.

    Attributes:
        prepared: the PREPARED folder, or several.
        clips: the usable clips, indexed by clip name: the corpus's columns and `label`, the class of the scheme (NA:
            not known, or not of the scheme).
        classes: the emotion classes in order.
        left_out: why clips have no class -> how many: an emotion that the scheme has not, "no emotion known", or
            nothing to hear or see, such as "no sound" (such clips are not among `clips`).
        stores: modality ("audio", "video") -> the store of its feature.
        copies: name -> store of a changed copy of the sound.
        unlabelled: see `data.settings.Data`.
    """

    prepared: Prepared | Joined
    clips: pd.DataFrame
    classes: tuple[str, ...]
    left_out: dict[str, int]
    stores: dict[Modality, Store]
    copies: dict[str, Store]
    unlabelled: Literal["leave out", "train"] = "leave out"

    @staticmethod
    def open(data: Data, prepared: Path | str | None = None) -> "Dataset":
        """Open the corpus of the settings, or another one under the same scheme and features."""
        folder = data.prepared if prepared is None else prepared
        if folder is None:
            raise ConfigError(
                "data.prepared is not set: prepare a corpus with 'mien prepare READER ROOT --out PREPARED' and give "
                "data.prepared=PREPARED"
            )
        corpus = Joined.open(folder) if isinstance(folder, dict) else Prepared.open(Path(folder))
        scheme = schemes.scheme(data.scheme)
        labels, left_out = schemes.apply(scheme, corpus.table["emotion"])
        clips = corpus.table.assign(label=labels).set_index("clip", drop=False)
        stores = {what: open_store(corpus, *feature) for what, feature in data.features.items()}
        silent = _lacking(clips, stores)
        reasons = {NOTHING[frozenset(stores)]: silent, "no emotion known": clips["emotion"].isna() & ~silent}
        heard = data.features.get("audio", ("", None))[0]
        return Dataset(
            prepared=corpus,
            clips=clips[~silent],
            classes=scheme.classes,
            left_out={**left_out, **{why: int(which.sum()) for why, which in reasons.items() if which.any()}},
            stores=stores,
            copies={key: open_store(corpus, heard, other) for key, other in data.feature_copies.items()},
            unlabelled=data.unlabelled,
        )

    @property
    def labelled(self) -> pd.DataFrame:
        """The clips with exactly one class of the scheme."""
        return self.clips[self.clips["label"].notna() & ~self.several]

    def miscounts(self, scheme: str) -> list[str]:
        """Sentences on what a corpus has more or fewer clips of than is published of the complete one."""
        whole = self.prepared
        parts = whole.parts.values() if isinstance(whole, Joined) else [whole]
        return [said for part in parts for said in readers.miscounts(part.card["name"], part.table, scheme)]

    @property
    def several(self) -> "pd.Series[bool]":
        """Which clips have more than one class."""
        return self.clips["label"].str.contains("+", regex=False, na=False)

    def folds(self, protocol: Protocol) -> list[Fold]:
        """The folds of a protocol over labelled clips.

        Where clips without one label are trained on, those of people who are neither validated nor tested are added to
        each fold's training clips.
        """
        folds = protocols.folds(self.labelled, protocol, apart=isinstance(self.prepared, Joined))
        if self.unlabelled == "leave out":
            return folds
        others = self.clips.drop(self.labelled.index)
        if protocol.name == "given":
            others = others[others["split"] == "train"]
        held = [set(self.clips.loc[[*fold.validation, *fold.test], "speaker"]) for fold in folds]
        return [
            fold._replace(train=(*fold.train, *others["clip"][~others["speaker"].isin(people)]))
            for fold, people in zip(folds, held, strict=True)
        ]

    def extract(self, *, workers: int, copies: bool = True, clips: Collection[str] | None = None) -> None:
        """Extract the features that the store lacks.

        Args:
            workers: processes.
            copies: whether of every changed copy, too.
            clips: names; None takes all.

        Raises:
            CorpusError: a file has gone bad since `prepare`.
        """
        wanted = [name for name in self.clips["clip"] if clips is None or name in clips]
        for store in (*self.stores.values(), *(self.copies.values() if copies else ())):
            problems = store.extract(wanted, workers=workers)
            if len(problems):
                first = problems.iloc[0]
                raise CorpusError(
                    f"{first['file']}: {first['problem']} ({len(problems)} such files); "
                    f"it was fine when {self.prepared.place} was prepared: run 'mien prepare' again"
                )

    def factor(self, factor: str, train: Sequence[str]) -> tuple[str, ...]:
        """The classes of a factor: the scheme's for emotion, else the values among the training clips, sorted."""
        if factor == "emotion":
            return self.classes
        if factor not in self.clips:
            raise ConfigError(unknown("factor", factor, {"emotion", *self.clips.columns} - {"label", "clip", "file"}))
        return tuple(sorted(self.clips.loc[list(train), factor].dropna().astype(str).unique()))

    def examples(self, clips: Sequence[str], factors: Mapping[str, Sequence[str]], *, copies: bool = False) -> Examples:
        """Examples of some clips.

        Args:
            clips: their names.
            factors: factor -> its classes in order; a value that is not among them is not known (-1).
            copies: whether every changed copy is an example too.
        """
        table = self.clips.loc[list(clips)]
        turns = 1 + (len(self.copies) if copies else 0)
        heard = [self.stores["audio"], *self.copies.values()][:turns] if "audio" in self.stores else []
        seen = [self.stores["video"]] * turns if "video" in self.stores else []
        labels = {
            factor: _numbers(table["label" if factor == "emotion" else factor], classes)
            for factor, classes in factors.items()
        }
        return Examples(
            clips=tuple(table["clip"]) * turns,
            speakers=tuple(table["speaker"]) * turns,
            audio=tuple(store for store in heard for _ in range(len(table))),
            labels={factor: numbers.repeat(turns) for factor, numbers in labels.items()},
            video=tuple(store for store in seen for _ in range(len(table))),
        )


def open_all(data: Mapping[str, Data], prepared: Path | str | None = None) -> dict[str, Dataset]:
    """Model -> what it learns from; models with the same settings share one.

    Args:
        data: model -> its settings of data.
        prepared: another corpus than that of the settings.
    """
    found: dict[str, Dataset] = {}
    shared: dict[str, Dataset] = {}
    for model, own in data.items():
        key = digest(own.model_dump(mode="json"))
        if key not in shared:
            shared[key] = Dataset.open(own, prepared)
        found[model] = shared[key]
    return found


def different(datasets: Iterable[Dataset]) -> list[Dataset]:
    """Each of the datasets once."""
    return list({id(one): one for one in datasets}.values())


def _lacking(clips: pd.DataFrame, stores: Mapping[Modality, Store]) -> "pd.Series[bool]":
    """Which clips have nothing for any of the modalities, as far as the table tells."""
    there = pd.Series(False, index=clips.index)
    if "audio" in stores:
        there |= clips["seconds"] > 0
    if isinstance(seen := stores.get("video"), ColumnStore):
        there |= clips["clip"].map(seen.length) > 0
    elif seen is not None and "video_seconds" in clips:
        there |= clips["video_seconds"] > 0
    return ~there


def _numbers(values: pd.Series, classes: Sequence[str]) -> Tensor:
    number = {name: place for place, name in enumerate(classes)}
    return torch.tensor([-1 if pd.isna(value) else number.get(str(value), -1) for value in values], dtype=torch.int64)
