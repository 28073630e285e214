"""The data of an experiment: the clips of a prepared corpus with the labels of its scheme, and their features."""

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from mien import features
from mien.common.settings import digest
from mien.corpora import readers
from mien.corpora.recordings import together
from mien.corpora.schemes import SCHEMES, Scheme
from mien.data import embedded, frame_vectors, labelled, protocols, published
from mien.data.batch import Modality
from mien.data.batches import Examples
from mien.data.joined import Joined
from mien.data.mix import Pool, mixed
from mien.data.protocols import Fold, Protocol
from mien.data.settings import Data
from mien.data.store import ColumnStore, JoinedStore, Store, open_store
from mien.data.targets import Target, TargetSettings, fitted, main_target, refuse_outside
from mien.errors import ConfigError, CorpusError
from mien.features import images

OF_ANY_CORPUS = "canonical"  # the scheme of a reader that has no classes of its own, such as `table`
NOTHING = {
    frozenset({"audio"}): "no sound",
    frozenset({"video"}): "no video",
    frozenset({"audio", "video"}): "neither sound nor video",
}
NOBODY = "no speaker known"
SAMPLED = {"labelled", "unlabelled_speakers", "mix"}  # settings that change neither clips nor features


class TrainingPart(NamedTuple):
    """The training clips of a fold and a seed.

    Attributes:
        clips: those that are training examples.
        withheld: of these, the ones whose label of the main target is not known in training.
    """

    clips: tuple[str, ...]
    withheld: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Dataset:
    """The clips of one experiment.

    Attributes:
        prepared: the PREPARED folder, or several.
        clips: the usable clips, indexed by clip name: the corpus's columns and `label`, the true class or number of the
            main target (missing: not known, or not of the scheme).
        main: the main target, as far as it does not depend on the fold.
        settings: the experiment's settings of data.
        left_out: reason why clips are not labelled ones -> how many: a value that is no class, "no emotion known",
            `NOBODY`, or a missing modality, such as "no sound" (such clips are not among `clips`).
        stores: modality ("audio", "video") -> the store of its feature.
        copies: name -> store of a changed copy of the sound.
        teacher: the store of what a teacher says; None without one, and of another corpus than that of the settings.
    """

    prepared: Joined
    clips: pd.DataFrame
    main: Target
    settings: Data
    left_out: dict[str, int]
    stores: dict[Modality, Store]
    copies: dict[str, Store]
    teacher: Store | None = None

    @staticmethod
    def open(
        data: Data, target: str = "emotion", prepared: Path | str | None = None, cache: Path | None = None
    ) -> "Dataset":
        """Open the corpus of the settings, or another one under the same classes and features.

        Of another corpus, a model of single images reads the faces of films (`features.images.in_films`), and a target
        with a distribution is read from one column of its name where the columns of the shares are missing.

        Args:
            data: the settings.
            target: the main target.
            prepared: another corpus.
            cache: a folder for features that a PREPARED folder lacks and cannot take, see `Prepared`.

        Raises:
            ConfigError: no corpus is named, the target is not in its table, or a value of it is outside its scale.
        """
        folder = data.prepared if prepared is None else prepared
        if folder is None:
            raise ConfigError(
                "data.prepared is not set: prepare a corpus with 'mien prepare READER ROOT --out PREPARED' and give "
                "data.prepared=PREPARED"
            )
        corpus = Joined.open(folder, cache)
        data = data if prepared is None else _for_another(data, target, corpus)
        _refuse_unfitting(corpus, data)
        how = data.targets.get(target, TargetSettings())
        main = main_target(target, how, data.classes or _scheme(corpus, target, how), corpus.table)
        clips = corpus.table.assign(label=main.truth(corpus.table)).set_index("clip", drop=False)
        stores = {modality: open_store(corpus, *feature) for modality, feature in data.features.items()}
        lacking = _lacking(clips, stores)
        unlabelled = clips[main.columns[0] if main.kind == "classes" else "label"].isna()
        nameless = without_speaker(clips[~lacking])
        reasons = {NOTHING[frozenset(stores)]: lacking, f"no {target} known": unlabelled & ~lacking, NOBODY: nameless}
        sound = data.features.get("audio", ("", None))[0]
        unmapped = main.unmapped(corpus.table)
        return Dataset(
            prepared=corpus,
            clips=clips[~lacking],
            main=main,
            settings=data,
            left_out={**unmapped, **{why: int(which.sum()) for why, which in reasons.items() if which.any()}},
            stores=stores,
            copies={key: open_store(corpus, sound, other) for key, other in data.feature_copies.items()},
            teacher=open_store(corpus, *data.teaching) if data.teaching is not None and prepared is None else None,
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the main target, in order; none where it is a number."""
        how = self.settings.targets.get(self.main.factor, TargetSettings())
        return how.derived or (() if self.main.kind == "numbers" else self.main.classes)

    @property
    def scheme(self) -> str | None:
        """The scheme of the corpus, as a value of the setting `data.scheme`; None where the settings decide."""
        how = self.settings.targets.get(self.main.factor, TargetSettings())
        if self.settings.scheme is not None or how.kind != "classes" or how.classes is not None:
            return None
        own = _scheme(self.prepared, self.main.factor, how)
        return json.dumps({"classes": self.main.classes}) if own is None else own.name

    @property
    def labelled(self) -> pd.DataFrame:
        """The clips with exactly one label of the main target that are not `nameless`."""
        return self.clips[self.clips["label"].notna() & ~self.several & ~self.nameless]

    @property
    def nameless(self) -> "pd.Series[bool]":
        """Which clips train without their label, if at all, see `without_speaker`."""
        return without_speaker(self.clips)

    def miscounts(self) -> list[str]:
        """Sentences on classes with more or fewer clips than the published corpus has."""
        scheme = self.settings.scheme
        if not isinstance(scheme, str):
            return []
        parts = self.prepared.parts.values()
        return [sentence for part in parts for sentence in readers.miscounts(part.card["name"], part.table, scheme)]

    @property
    def several(self) -> "pd.Series[bool]":
        """Which clips have more than one class."""
        if self.main.kind == "numbers":
            return pd.Series(False, index=self.clips.index)
        return self.clips["label"].str.contains("+", regex=False, na=False)

    def folds(self, protocol: Protocol) -> list[Fold]:
        """The folds of a protocol over labelled clips.

        With `unlabelled: train`, the other clips of speakers who are neither validated nor tested train in each fold,
        and those of unknown speakers; where a protocol shares speakers, those of all speakers, but none of a recording
        that is validated or tested.
        """
        used = self.clips if self.settings.unlabelled == "train" else self.labelled
        if self.settings.normalisation == "speaker" and (unnamed := int(used["speaker"].isna().sum())):
            which = "" if unnamed == len(used) else f" for {unnamed} of {len(used)} clips"
            raise ConfigError(
                f"data.normalisation: speaker, and {self.prepared.place} names no speakers{which}; give train or none"
            )
        if protocol.published is not None:
            published.refuse_other(protocol.published, [part.card["name"] for part in self.prepared.parts.values()])
        made = protocols.folds(self.labelled, protocol, apart=len(self.prepared.parts) > 1)
        folds = self._with_unlabelled(made, protocol)
        if not any(fold.seen for fold in folds):
            return folds
        recording = together(self.clips)  # of what is kept back nothing trains
        held = [set(recording[list(fold.seen)]) for fold in folds]
        return [
            fold._replace(train=tuple(clip for clip in fold.train if recording[clip] not in out))
            for fold, out in zip(folds, held, strict=True)
        ]

    def differences(self, protocol: Protocol) -> list[str]:
        """Sentences on a protocol that others published: whose it is, what is other here; none of the others."""
        own = protocol.published
        return [] if own is None else published.notes(own, set(self.labelled[own.of]))

    def _with_unlabelled(self, folds: list[Fold], protocol: Protocol) -> list[Fold]:
        """The folds with the clips that train without a label, where the settings say so."""
        if self.settings.unlabelled == "leave out":
            return folds
        others = self.clips.drop(self.labelled.index)
        if protocol.name == "given":
            others = others[others["split"] == "train"]
        if protocol.seen:
            recording = together(self.clips)
            held = [set(recording[[*fold.validation, *fold.test]]) for fold in folds]
            return _with_others(folds, others["clip"], recording[others.index], held)
        held = [set(self.clips.loc[[*fold.validation, *fold.test], "speaker"].dropna()) for fold in folds]
        return _with_others(folds, others["clip"], others["speaker"], held)

    def extract(self, *, workers: int, copies: bool = True, clips: Collection[str] | None = None) -> None:
        """Extract the features that the store lacks.

        Args:
            workers: processes.
            copies: whether to extract those of every changed copy, too.
            clips: names; None takes all.

        Raises:
            CorpusError: a file has gone bad since `prepare`, or the recordings are no longer where they were.
        """
        wanted = [name for name in self.clips["clip"] if clips is None or name in clips]
        teacher = () if self.teacher is None else (self.teacher,)
        for store in (*self.stores.values(), *teacher, *(self.copies.values() if copies else ())):
            problems = store.extract(wanted, workers=workers)
            if len(problems):
                self._refuse_moved_recordings(wanted)
                first = problems.iloc[0]
                raise CorpusError(
                    f"{first['file']}: {first['problem']} ({len(problems)} such files); "
                    f"it was fine when {self.prepared.place} was prepared: run 'mien prepare' again"
                )

    def _refuse_moved_recordings(self, clips: Sequence[str]) -> None:
        """Raise CorpusError, with the way out, for a corpus of which recordings are not where they were."""
        for corpus, own in self.prepared.divided(clips).items():
            part = self.prepared.parts[corpus]
            if missing := part.missing_media(own):
                command = part.prepared_from("NEWPLACE")
                anew = " and give data.prepared=NEWPREPARED" if command.count("NEWPREPARED") else ""
                raise CorpusError(
                    f"{part.folder}: lacks features, and {len(missing)} of the recordings are not there, such as "
                    f"{missing[0]}; if they were moved, run '{command}'{anew}"
                )

    def kept(self, fold: Fold, seed: int) -> tuple[str, ...]:
        """The labelled training clips of a fold whose label is known in training: the share `data.labelled` of them.

        Raises:
            ConfigError: there are fewer than classes.
        """
        share, known = self.settings.labelled, set(self.labelled["clip"])
        clips = [clip for clip in fold.train if clip in known]
        if share == 1:
            return tuple(clips)
        table, levels = self.clips.loc[clips], len(self.classes)
        one_class = self.main.kind == "numbers"  # the limits of levels are not known before the share is
        kinds = [""] * len(table) if one_class else list(table["label"])
        number, classes = labelled.count(share, len(clips)), levels if one_class else len(set(kinds))
        if number < classes:
            least = min(1.0, math.ceil(1000 * classes / len(clips)) / 1000)
            raise ConfigError(
                f"data.labelled: {share:g} of the {len(clips)} labelled training clips of fold {fold.number} are "
                f"{number}, fewer than the {classes} classes; give {least:g} or more"
            )
        chosen = set(labelled.in_order(clips, list(table["speaker"]), kinds, seed)[:number])
        return tuple(clip for clip in clips if clip in chosen)

    def training(self, fold: Fold, seed: int) -> TrainingPart:
        """The training clips of a fold and a seed; raises as `kept` does."""
        hidden = set(self.clips["clip"][self.nameless])
        if self.settings.labelled < 1:
            hidden |= set(self.labelled["clip"]) - set(self.kept(fold, seed))
        withheld = hidden.intersection(fold.train)
        if self.settings.unlabelled == "train":
            return TrainingPart(self._of_some_speakers(fold, seed), frozenset(withheld))
        return TrainingPart(tuple(clip for clip in fold.train if clip not in withheld))

    def speakers_without_label(self, fold: Fold, seed: int) -> list[str]:
        """The speakers of training clips of whom no clip of the corpus has a label, in the order they are sampled in.

        Raises:
            ConfigError: there are fewer than `data.unlabelled_speakers`.
        """
        speaker = self.clips["speaker"]
        found = set(speaker[list(fold.train)].dropna()) - set(self.labelled["speaker"])
        if (wanted := self.settings.unlabelled_speakers) is not None and wanted > len(found):
            raise ConfigError(
                f"data.unlabelled_speakers: {wanted}, and fold {fold.number} trains on {len(found)} speakers without a "
                f"label; give {f'{len(found)} or fewer, or ' if found else ''}null to take all"
            )
        return labelled.hashed(found, seed)

    def _of_some_speakers(self, fold: Fold, seed: int) -> tuple[str, ...]:
        """The training clips but those of speakers without a label that are not sampled."""
        if (wanted := self.settings.unlabelled_speakers) is None:
            return fold.train
        gone = self.clips["speaker"].isin(self.speakers_without_label(fold, seed)[wanted:])
        return tuple(clip for clip in fold.train if not gone[clip])

    def embedded(self, fold: Fold) -> tuple[str, ...]:
        """The training clips of a fold that have embeddings in a run: all labelled ones, and `embedded.some` others."""
        labelled = set(self.labelled["clip"])
        others = [clip for clip in fold.train if clip not in labelled]
        chosen = labelled.union(embedded.some(others, self.clips.loc[others, "speaker"].tolist()))
        return tuple(clip for clip in fold.train if clip in chosen)

    def recordings(self, clips: Sequence[str]) -> torch.Tensor:
        """The number of the recording of each clip, N int64; one clip may come several times."""
        return torch.tensor(together(self.clips)[list(clips)].to_numpy())

    def pools(self, clips: Sequence[str], withheld: Collection[str], batch: int) -> tuple[Pool, ...]:
        """The pools of training examples by `data.mix`; none without it.

        Args:
            clips: of each example; one may come several times, as changed copies.
            withheld: those whose label of the main target is not known in training.
            batch: clips in a batch.

        Raises:
            ConfigError: an example is in no pool, or there are more pools than clips in a batch.
        """
        if not self.settings.mix:
            return ()
        known = set(self.labelled["clip"]).difference(withheld)
        corpora = [self.prepared.own(clip)[0] for clip in clips]
        return mixed(self.settings.mix, [clip in known for clip in clips], corpora, batch)

    def target(self, factor: str, train: Sequence[str], withheld: Collection[str] = ()) -> Target:
        """A factor of these clips, main target or not, fitted on the training clips.

        Args:
            factor: its name.
            train: the training clips.
            withheld: those of them whose label of the main target is not known in training.

        Raises:
            ConfigError: the table has no such column, no training clip has a label that can be used, or a clip has a
                value outside the scale.
        """
        how = self.settings.targets.get(factor, TargetSettings())
        hidden = withheld if self._shows_main(how.columns or (factor,)) else ()
        target = fitted(factor, how, self.main, self.clips.loc[[clip for clip in train if clip not in hidden]])
        refuse_outside(factor, how, self.prepared.table)
        return target

    def knows(self, factor: str, clips: Sequence[str]) -> bool:
        """Whether one of these clips has a value in a column of a factor, or the table has no such column."""
        columns = self.settings.targets.get(factor, TargetSettings()).columns or (factor,)
        there = self.clips.loc[list(clips), [name for name in columns if name in self.clips]]
        return there.empty or bool(there.notna().any(axis=None))

    def _shows_main(self, columns: Collection[str]) -> bool:
        """Whether the main target is read from some of the columns; another factor may be, such as levels of it."""
        return bool({*columns} & {*self.main.columns})

    def examples(
        self,
        clips: Sequence[str],
        targets: Mapping[str, Target],
        *,
        copies: bool = False,
        withheld: Collection[str] = (),
    ) -> Examples:
        """Examples of some clips.

        Args:
            clips: their names.
            targets: factor -> how its labels are read; a value that is none of its classes is not known.
            copies: whether every changed copy is an example too.
            withheld: clips whose label of the main target is not known, nor of a factor that is read from its columns.
        """
        table = self.clips.loc[list(clips)]
        turns = 1 + (len(self.copies) if copies else 0)
        audio = [self.stores["audio"], *self.copies.values()][:turns] if "audio" in self.stores else []
        video = [self.stores["video"]] * turns if "video" in self.stores else []
        labels = {factor: target.labels(table) for factor, target in targets.items()}
        if withheld:
            hidden = torch.tensor([clip in withheld for clip in table["clip"]])
            shown = {factor for factor, target in targets.items() if not self._shows_main(target.columns)}
            labels = {f: values if f in shown else _without(values, hidden) for f, values in labels.items()}
        return Examples(
            clips=tuple(table["clip"]) * turns,
            speakers=tuple(table["speaker"]) * turns,
            audio=tuple(store for store in audio for _ in range(len(table))),
            labels={factor: values.repeat(turns, *[1] * (values.dim() - 1)) for factor, values in labels.items()},
            video=tuple(store for store in video for _ in range(len(table))),
            teacher=() if self.teacher is None else (self.teacher,) * (len(table) * turns),
        )


def _with_others(
    folds: Sequence[Fold], clips: "pd.Series[str]", of: "pd.Series[Any]", held: Sequence[Collection[Any]]
) -> list[Fold]:
    """Folds that train on more clips, but on none whose value `of` is held out in the fold."""
    return [
        fold._replace(train=(*fold.train, *clips[~of.isin(list(out))])) for fold, out in zip(folds, held, strict=True)
    ]


def open_all(
    data: Mapping[str, Data], target: str, prepared: Path | str | None = None, cache: Path | None = None
) -> dict[str, Dataset]:
    """Model -> its dataset; models with the same settings of data share one.

    Args:
        data: model -> its settings of data.
        target: the main target.
        prepared: another corpus than that of the settings.
        cache: see `Dataset.open`.
    """
    opened: dict[str, Dataset] = {}
    made: dict[str, Dataset] = {}
    found: dict[str, Dataset] = {}
    for model, own in data.items():
        key, whole = (digest(own.model_dump(mode="json", exclude=out)) for out in (SAMPLED, None))
        if key not in opened:
            opened[key] = Dataset.open(own, target, prepared, cache)
        if whole not in made:
            changes = {name: getattr(own, name) for name in SAMPLED}
            made[whole] = replace(opened[key], settings=opened[key].settings.model_copy(update=changes))
        found[model] = made[whole]
    return found


def _without(labels: Tensor, hidden: Tensor) -> Tensor:
    """Labels as in `Batch`, not known where `hidden` (N bool)."""
    if labels.dim() == 1:
        return labels.masked_fill(hidden, -1)
    return labels.masked_fill(hidden[:, None], torch.nan)


def without_speaker(clips: pd.DataFrame) -> "pd.Series[bool]":
    """Which clips have a `label` and no `speaker`, where others have both; none where nobody is named.

    The speaker may be one of another part of a fold, so such a clip is never scored, and its label is not learned.
    """
    labelled, unknown = clips["label"].notna(), clips["speaker"].isna()
    return labelled & unknown & bool((labelled & ~unknown).any())


def different(datasets: Iterable[Dataset]) -> list[Dataset]:
    """Each of the datasets once."""
    return list({id(dataset): dataset for dataset in datasets}.values())


def _for_another(data: Data, target: str, corpus: Joined) -> Data:
    """The settings by which another corpus is read than that of the training.

    A model of images reads the faces of films, as crops. Where the columns of a distribution are missing and there is
    one of the target's name, that has the classes.
    """
    changes: dict[str, Any] = {}
    config = data.features.get("video", ("", None))[1]
    if isinstance(config, images.Config) and not any(part.images for part in corpus.parts.values()):
        changes["video"] = {"name": "crops", **images.in_films(config).model_dump()}
    how = data.targets.get(target, TargetSettings())
    if how.kind == "soft" and not {*(how.columns or ())} <= {*corpus.table} and target in corpus.table:
        hard = TargetSettings(classes=how.classes or how.columns)
        changes["targets"] = {**data.targets, target: hard}
    return data.model_copy(update=changes)


def _refuse_unfitting(corpus: Joined, data: Data) -> None:
    """Raise ConfigError for a corpus of images without the feature `images`, and for no corpus of images with it."""
    sources = {features.source_of(name): f"data.{modality}" for modality, (name, _) in data.features.items()}
    for modality, (name, config) in data.features.items():
        for part in corpus.parts.values() if features.source_of(name) == "frames" else ():
            held = part.card.get("frames", {})
            frame_vectors.refuse_unfitting(f"data.{modality}: {name}", config, held, part.place)
    for part in corpus.parts.values() if not {"images", "columns", "files"} & set(sources) else ():
        if part.images:
            key = next(iter(sources.values()))
            raise ConfigError(
                f"{key}: the clips of {part.folder} are single images, without sound or film; give data.video={{name: "
                "images}"
            )
    if sources.keys() == {"images"} and (without := [part for part in corpus.parts.values() if not part.images]):
        raise ConfigError(
            f"data.video: images: {without[0].folder} has files, and no images in its table; the faces of films are "
            "the feature crops"
        )


def _lacking(clips: pd.DataFrame, stores: Mapping[Modality, Store]) -> "pd.Series[bool]":
    """Which clips have none of the modalities, as far as the table shows."""
    present = pd.Series(False, index=clips.index)
    files = [one for one in stores.values() if isinstance(one, JoinedStore) and features.source_of(one.name) == "files"]
    for store in files:
        present |= clips["clip"].map(store.has)
    stores = {modality: store for modality, store in stores.items() if store not in files}
    if "audio" in stores:
        present |= clips["seconds"] > 0
    if isinstance(video := stores.get("video"), ColumnStore):
        present |= clips["clip"].map(video.length) > 0
    elif video is not None and features.source_of(video.name) == "images":
        present |= clips["file"].isna()
    elif video is not None and features.source_of(video.name) == "frames":
        present |= True
    elif video is not None and "video_seconds" in clips:
        present |= clips["video_seconds"] > 0
    return ~present


def _scheme(corpus: Joined, target: str, how: TargetSettings) -> Scheme | None:
    """The corpora's own scheme of emotions, of those that know any.

    None for other targets, and where the column's values are the classes.
    """
    if target != "emotion" or how.kind != "classes" or how.classes is not None:
        return None
    knowing = [part for part in corpus.parts.values() if part.table["emotion"].notna().any()]
    names = {str(part.card.get("scheme", OF_ANY_CORPUS)) for part in knowing} or {OF_ANY_CORPUS}
    if len(names) > 1:
        known = ", ".join(sorted(names))
        raise ConfigError(f"data.scheme is not set, and the corpora have different ones ({known}); name one")
    (name,) = names
    return SCHEMES[name] if name in SCHEMES and name != OF_ANY_CORPUS else None
