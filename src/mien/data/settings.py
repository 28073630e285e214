"""The settings of an experiment's data: what stands under `data`."""

import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from mien import features
from mien.common.settings import Named, Settings, parse
from mien.corpora.schemes import SCHEMES, Scheme
from mien.data.batch import Modality
from mien.data.distortion import Distortion
from mien.data.length import Length
from mien.data.masking import Masking
from mien.data.mix import LABELLED, UNLABELLED
from mien.data.normalisation import Kind
from mien.data.targets import TargetSettings
from mien.errors import ConfigError, unknown
from mien.features._checkpoint import Checkpoint
from mien.features._config import FeatureConfig

Share = Annotated[float, Field(gt=0)]
OWN = "own"  # the name in tables of a scheme that is written in the experiment file


class OwnScheme(Settings):
    """The classes of the main target, written in the experiment file.

    Attributes:
        classes: in the order of a model's outputs.
        merge: value -> class, for values that count as one of the classes.
    """

    classes: tuple[str, ...] = Field(min_length=2)
    merge: dict[str, str] = Field({})

    @model_validator(mode="after")
    def _known(self) -> "OwnScheme":
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("a class is named twice; name each once")
        for value, name in self.merge.items():
            if name not in self.classes:
                raise ValueError(f"merge.{value}: {unknown('class', name, self.classes)}")
            if value in self.classes:
                raise ValueError(f"merge.{value}: '{value}' is a class itself; leave one of the two out")
        return self


class Data(Settings):
    """The corpus, its labels and the features that models are trained on.

    Attributes:
        prepared: the PREPARED folder, or several: name -> folder. A relative path is taken from the working directory
            and made absolute.
        scheme: the classes of the main target: a name in `corpora.schemes`, of emotions, or {classes: [...], merge:
            {VALUE: CLASS}}. None takes the corpus's own scheme for emotions. For other targets, and for emotions of the
            reader `table`, it takes the values that the column has.
        targets: factor -> how its labels are read, see `data.targets.TargetSettings`; one that is not named here is a
            column of its name, with classes.
        audio: the feature of the sound by name, with its settings; None uses no sound.
        video: the feature of the pictures, `crops`, `columns`, `images` or `face_vectors`, with its settings; None uses
            no pictures.
        teacher: what another model says of the pictures, from which a model of the sound learns, with its settings:
            `frame_logits`, or another feature of the pictures; None without a teacher. It is a target, and no input: it
            is cut at the same seconds as the sound, as it is, and no other corpus needs it.
        copies: name -> changed settings of the audio feature; each copy is one more training example of every clip.
        length: how long clips are made.
        normalisation: none, by the training frames, by each speaker's frames (uses statistics of test data), or by the
            frames of each clip by itself. It applies to sound and vectors; pixels are taken as they are, and so are
            the frames of a teacher.
        masking: of the sound of training batches.
        distortion: of the pixels of training batches.
        unlabelled: clips without a class of the scheme are left out, or train the parts that need no such label.
        labelled: the share of the labelled training clips whose label of the main target is known in training, sampled
            by speaker and class, the same clips for all models of a seed (`data.labelled`). The others are treated as
            `unlabelled` says. Validation and test keep their labels.
        unlabelled_speakers: how many of the speakers without any label train, sampled by the seed, fewer ones among
            more (Rana et al. 2019, Fig. 3); None takes all. Clips of unknown speakers train either way.
        mix: pool -> its share of each training batch, relative to their sum: `labelled` and `unlabelled` are the
            training examples with and without a label of the main target, and the name of one of several corpora is all
            of its examples that these two do not take. Every example is in one pool; a pool without examples gives its
            share to the others. An epoch passes the labelled examples once. Without a mix all examples are one pool.
    """

    prepared: str | dict[str, str] | None = None
    scheme: str | OwnScheme | None = None
    targets: dict[str, TargetSettings] = Field({})
    audio: Named | None = None
    video: Named | None = None
    teacher: Named | None = None
    copies: dict[str, Named] = Field({})
    length: Length = Length()
    normalisation: Kind = "none"
    masking: Masking = Masking()
    distortion: Distortion = Distortion()
    unlabelled: Literal["leave out", "train"] = "leave out"
    labelled: float = Field(1.0, gt=0, le=1)
    unlabelled_speakers: int | None = Field(None, ge=1)
    mix: dict[str, Share] = Field({})

    @model_validator(mode="after")
    def _something(self) -> "Data":
        if self.audio is None and self.video is None:
            raise ValueError("neither 'audio' nor 'video' is given; name a feature for one of them at least")
        if self.copies and self.audio is None:
            raise ValueError("'copies' are of sound, and 'audio' is not given")
        if self.unlabelled_speakers is not None and self.unlabelled == "leave out":
            raise ValueError("'unlabelled_speakers' samples clips that 'unlabelled: leave out' leaves out; write train")
        return self

    @field_validator("scheme", mode="before")
    @classmethod
    def _known_scheme(cls, scheme: Any) -> Any:
        if isinstance(scheme, str) and scheme not in SCHEMES:
            raise ValueError(
                f"{unknown('scheme', scheme, SCHEMES)} Your own one is written {{classes: [...], merge: {{...}}}}."
            )
        return parse(OwnScheme, scheme, "data.scheme") if isinstance(scheme, dict) else scheme

    @property
    def classes(self) -> Scheme | None:
        """The scheme, by its name or as it stands here; None where the corpus decides."""
        if isinstance(self.scheme, OwnScheme):
            return Scheme(OWN, self.scheme.classes, self.scheme.merge)
        return None if self.scheme is None else SCHEMES[self.scheme]

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

    @field_validator("mix")
    @classmethod
    def _in_order(cls, mix: dict[str, float]) -> dict[str, float]:
        return {name: mix[name] for name in sorted(mix)}

    @property
    def folders(self) -> list[str]:
        """The PREPARED folders."""
        several = self.prepared.values() if isinstance(self.prepared, dict) else [self.prepared]
        return [folder for folder in several if folder is not None]

    @property
    def features(self) -> dict[Modality, tuple[str, Any]]:
        """Modality ("audio", "video") -> the name and the settings of its feature, of those that are given."""
        given: dict[Modality, Named | None] = {"audio": self.audio, "video": self.video}
        return {
            modality: _feature(settings, f"data.{modality}")
            for modality, settings in given.items()
            if settings is not None
        }

    @property
    def teaching(self) -> tuple[str, Any] | None:
        """The name and the settings of the teacher's feature; None without one."""
        return None if self.teacher is None else _feature(self.teacher, "data.teacher")

    @property
    def used(self) -> list[tuple[str, Any]]:
        """The names and settings of the features of all modalities, and of the teacher's."""
        return [*self.features.values(), *([] if self.teaching is None else [self.teaching])]

    @property
    def pinned(self) -> "Data":
        """The same with the folders of models that features come from written out: absolute paths, hashes, frames."""
        given = {"audio": self.audio, "video": self.video, "teacher": self.teacher}
        found = [*self.features.items(), *([] if self.teaching is None else [("teacher", self.teaching)])]
        changed = {
            key: {**(given[key] or {}), **{one: config.model_dump(mode="json")[one] for one in config.pinned}}
            for key, (_, config) in found
            if isinstance(config, Checkpoint) and config.folder is not None
        }
        return self.model_copy(update=changed)

    @property
    def front_ends(self) -> list[tuple[str, Checkpoint]]:
        """The names and settings of the features that come from the folder of a model."""
        return [(name, config) for name, config in self.used if isinstance(config, Checkpoint)]

    @property
    def hops(self) -> dict[Modality, float]:
        """Modality -> seconds between its frames; infinite where a clip has one vector."""
        return {modality: _hop(*feature) for modality, feature in self.features.items()}

    @property
    def light(self) -> bool:
        """Whether there are no pixels; those of many clips do not fit into memory at once."""
        return all(len(features.shape(*feature)) == 1 for feature in self.features.values())

    @property
    def feature_copies(self) -> dict[str, FeatureConfig]:
        """Name -> settings of each changed copy of the audio feature; raises ConfigError where its frames differ."""
        if self.audio is None or not self.copies:
            return {}
        name, _ = self.features["audio"]
        if features.source_of(name) == "files":
            raise ConfigError(
                f"data.copies: '{next(iter(self.copies))}' changes the sound, and {name} is read from files; leave it "
                "out"
            )
        whole = _frames(*self.features["audio"])
        copies: dict[str, FeatureConfig] = {}
        for name, changes in self.copies.items():
            feature, copies[name] = _feature({**self.audio, **changes}, f"data.copies.{name}")
            for key, value in _frames(feature, copies[name]).items():
                if value != whole[key]:
                    raise ConfigError(
                        f"data.copies.{name}: its {key} is {value} and that of data.audio {whole[key]}; a copy may "
                        "change the sound (speed, noise_db), not the frames"
                    )
            timed = any(features.modality(one) == "video" and not math.isinf(_hop(one, own)) for one, own in self.used)
            if copies[name].speed != 1 and timed:
                raise ConfigError(
                    f"data.copies.{name}: at another speed sound and pictures are no longer in step; leave it out"
                )
        return copies

    @property
    def extracted(self) -> list[tuple[str, Settings]]:
        """The names and settings of all that is extracted from media or images: features and copies."""
        elsewhere = ("columns", "files")
        found = [one for one in self.used if features.source_of(one[0]) not in elsewhere]
        return found + [(self.features["audio"][0], config) for config in self.feature_copies.values()]

    def check(self) -> None:
        """Read all features.

        Raises:
            ConfigError: a length or masks in time where a clip has one vector, or a mix of what there is not.
        """
        hops, _, _ = self.hops, self.feature_copies, self.teaching
        sound = {modality: hop for modality, hop in hops.items() if modality == "audio"}
        for key, wanted, present in (
            ("data.length", self.length != Length(), hops),
            ("data.masking.seconds", self.masking.seconds > 0, sound),
        ):
            if wanted and present and all(map(math.isinf, present.values())):
                feature = self.features[next(iter(present))]
                one = "vector" if len(features.shape(*feature)) == 1 else "image"
                raise ConfigError(
                    f"{key}: feature '{feature[0]}' has one {one} a clip, and no frames in time; leave it out"
                )
        if self.masking.count > 0 and not sound:
            raise ConfigError("data.masking: masks apply to sound, and data.audio is not given; leave it out")
        if self.distortion.some and self.light:
            raise ConfigError("data.distortion: pixels are distorted, and data.video has none; leave it out")
        if self.mix and self.prepared is not None:
            self._check_mix(self.prepared if isinstance(self.prepared, dict) else ())

    def _check_mix(self, corpora: Collection[str]) -> None:
        own = (LABELLED, UNLABELLED)
        if taken := [name for name in own if name in corpora]:
            raise ConfigError(
                f"data.prepared: a corpus is called '{taken[0]}', which is another pool of data.mix; call it otherwise"
            )
        if strange := [name for name in self.mix if name not in (*own, *corpora)]:
            raise ConfigError(f"data.mix: {unknown('pool', strange[0], (*own, *corpora))}")


def _hop(name: str, config: Settings) -> float:
    """Seconds between the frames of a feature; infinite where a clip has one vector."""
    return float(features.feature(name).hop(config))


def _frames(name: str, config: FeatureConfig) -> Named:
    """The properties that all examples of a batch must share."""
    module = features.feature(name)
    return {"feature": name, "dimension": module.dimension(config), "hop": module.hop(config)}


def _feature(settings: Named, where: str) -> tuple[str, Any]:
    settings = dict(settings)
    name = settings.pop("name", None)
    known = features.names("video" if where in ("data.video", "data.teacher") else "audio")
    if not isinstance(name, str):
        raise ConfigError(f"{where}: 'name' is missing; known features: {', '.join(known)}")
    if name not in known:
        raise ConfigError(f"{where}: {unknown('feature', name, known)}")
    return name, parse(features.feature(name).Config, settings, where)
