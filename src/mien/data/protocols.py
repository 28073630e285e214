"""Protocols: the speakers of training, validation and test. A protocol maps the clips of a corpus to folds.

No speaker is in two parts of a fold, with two exceptions: a given split, also one of clips that others published, is
taken as it is, and the protocols of `seen` speakers put every speaker into training. The split audit (`audit.splits`)
lists all that leaks and refuses it where the experiment does not accept it. Test is read once, with the weights of the
best validation epoch.
"""

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from mien.common.settings import Settings
from mien.data import dealing, published, turns
from mien.errors import ConfigError, LeakError, unknown

PARTS = turns.PARTS
SEEN = "seen"  # the part of other recordings of training speakers, where there is one
LEAKS = {
    "shared-speaker": "a speaker in two parts of a fold",
    "shared-recording": "a session, a recording or a file of several clips in two parts of a fold",
    "overlapping-audio": "parts of one file in two parts of a fold that share sound",
    "same-sentence": "a sentence by the same speaker in two parts of a fold",
    "identical-audio": "the same clip, bytes, samples or pixels in two parts of a fold",
    "near-duplicate": "one recording in two parts of a fold, changed in level, rate, coding or ends",
    "speaker-conflict": "a clip of one part with a speaker of another part",
    "validation-overlap": "a clip in both validation and test",
    "label-conflict": "one clip or recording under two labels in two parts of a fold",
    "test-statistics": "statistics that are taken from validation and test clips",
}  # what a split audit may find, see `mien.audit.splits.findings`
SPLITS, SEEN_SPEAKERS = "random_splits", "seen_speakers"
HOUSE = {  # of any corpus: name -> what it does, where it is from
    "leave_one_speaker_out": ("Leave one speaker out", "Li et al. 2020, section 5"),
    "group_k_fold": ("Groups of speakers, left out in turn", "Rana et al. 2019, section V"),
    "given": ("The split that the corpus gives", "the corpus"),
    SPLITS: ("Random splits by speaker, each sampled anew", "Goncalves & Busso 2022, section 5.1"),
    SEEN_SPEAKERS: (
        "All speakers are seen in training: clips are split, not speakers",
        "Peri et al. 2021, section 4.1",
    ),
}  # those of one corpus that others published are in `mien.data.published`
OWNERS = {  # setting -> the protocols that have it and give it a default
    **dict.fromkeys(("by", "test", "test_share", "validation"), (SEEN_SPEAKERS,)),
    "seed": (SEEN_SPEAKERS, SPLITS),
    **dict.fromkeys(("splits", "shares"), (SPLITS,)),
}
SHARED = ("validation", "seed")  # settings that published protocols of one fold have as well
_SPELT = {"dev": "validation", "development": "validation", "eval": "test", "evaluation": "test"}


class Protocol(Settings):
    """How speakers are divided.

    Attributes:
        name: "leave_one_speaker_out": every speaker is tested once. The two speakers of a session swap the roles of
            validation and test (Li et al. 2020, section 5); in a corpus without sessions speakers are paired in sorted
            order, a woman with a man as long as there are both, and with an odd number the last three form a ring.
            "group_k_fold": speakers in sorted order form `groups` groups of neighbours; each is tested once, the next
            one validates. "Ten folds stratified on speaker id" (Rana et al. 2019, section V) can mean this, or the
            same with `speakers: seen`.
            "given": one fold, from the corpus's column `split` (train, validation, test; empty: unused; seen: clips of
            training speakers that do not train, see `seen_share`).
            "random_splits": in each of `splits` folds the speakers are divided at random by `shares`, each fold anew
            (Goncalves & Busso 2022, section 5.1: 20 times 70, 15 and 15 %). So a speaker may be tested in several
            folds or in none, and scores of folds are not independent: they share training and test speakers. Where a
            clip is tested in several folds, it counts once, with the mean of its folds (`audit.statistics.repeated`).
            Of several corpora together, speakers are paired within their corpus, every group holds neighbours of each
            corpus, as evenly as the numbers allow, the speakers of each corpus are sampled by themselves, and every
            corpus must give a split.
            A name of `mien.data.published`, such as "ravdess_five_folds": folds that others published for one corpus.
            Each tests what the publication tests; the next one validates, or of a single fold the share `validation`
            of the other clips of each speaker and class; the rest trains. Folds of clips may share speakers.
            "seen_speakers": one fold in which every speaker is in training, as in Peri et al. 2021, section 4.1: it
            measures how well emotions of seen speakers are recognised; the experiment needs `seen_speakers: true`.
            The clips of each speaker and class are ordered by a hash of their names and split: a single clip
            trains; of two, one trains; of three, each part has one. Clips of one recording (the column `recording`,
            else a file of several clips) are dealt as one, unless a part would then be empty. With `by`, the clips to
            test are given instead.
        groups: of group_k_fold.
        speakers: of group_k_fold. "unseen": groups of speakers. "seen": the clips of each speaker and class, in the
            order of a hash of their names, are dealt to the groups in turn, so that every clip is tested once, and
            every tested speaker is in training; the experiment needs `seen_speakers: true`. Clips of one recording are
            dealt as one, as in the protocol seen_speakers.
        fewer: of group_k_fold: whether a corpus of fewer speakers has as many groups as speakers, also where these are
            seen; else it is refused where they are unseen.
        folds: the folds that are trained, by number; None trains all.
        by: of seen_speakers: a column of the corpus that says which clips to test, such as `repetition`; a clip without
            a value in it is not used. None splits the clips by their hashes.
        test: of seen_speakers: the values of `by` that are tested.
        test_share: of seen_speakers without `by`: the share of a speaker's clips of one class that is tested; 0.25.
        together: of seen_speakers, of group_k_fold with seen speakers, and of `seen_share`: columns of the corpus;
            clips with equal values in all of them are in one part of a fold. So `[speaker, emotion, sentence]` keeps
            the repetitions of a sentence, which nearly equal each other, on one side. A clip that lacks one of the
            values is like none.
        validation: of seen_speakers and of published protocols of one fold: the share of the clips which are not tested
            that validates; 0.2.
        splits: of random_splits: how many; 20. No two are alike, and the first of many are those of few.
        shares: of random_splits: of the speakers in training, validation and test; 0.7, 0.15 and 0.15. Each part has
            one speaker at least, and as many of the others as come nearest to its share.
        seen_share: of protocols of unseen speakers: the share of each training speaker's recordings, one at least of
            two or more, by the hashes of their names, that does not train and is scored beside test, as the split
            `seen`: how well known speakers are recognised. None keeps none back. It chooses nothing.
        seed: of seen_speakers, of random_splits, of published protocols of one fold, and of group_k_fold with seen
            speakers: of the split; 0.
    """

    name: str
    groups: int = Field(5, ge=3)
    speakers: Literal["unseen", "seen"] = "unseen"
    fewer: bool = False
    folds: tuple[int, ...] | None = Field(None, min_length=1)
    by: str | None = None
    test: tuple[str, ...] = ()
    test_share: float | None = Field(None, gt=0, lt=1)
    together: tuple[str, ...] = ()
    validation: float | None = Field(None, gt=0, lt=1)
    splits: int | None = Field(None, ge=1)
    shares: turns.Shares | None = None
    seen_share: float | None = Field(None, gt=0, lt=1)
    seed: int | None = Field(None, ge=0)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in HOUSE and name not in published.names():
            raise ValueError(unknown("protocol", name, (*HOUSE, *published.names())))
        return name

    @field_validator("folds")
    @classmethod
    def _once(cls, folds: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if folds and len(set(folds)) < len(folds):
            raise ValueError("a fold is named twice; name each once")
        return folds

    @model_validator(mode="after")
    def _of_one_protocol(self) -> "Protocol":
        self._refuse_settings_of_others()
        if (self.by is None) != (not self.test):
            raise ValueError("'by' and 'test' belong together: a column, and which of its values are tested")
        if self.by is not None and self.test_share is not None:
            raise ValueError("'test_share' and 'by' both choose the clips to test; leave one of the two out")
        if self.together and not self.seen and self.seen_share is None:
            raise ValueError(
                f"'together' is of protocols of seen speakers and of seen_share, and this is {self.title}; leave it out"
            )
        if self.seen_share is not None and (self.seen or self.by_clip):
            raise ValueError(
                f"'seen_share' is of protocols of unseen speakers, and this is {self.title}; leave it out"
                + (", or write seen into the corpus's column 'split'" if self.name == "given" else "")
            )
        defaults: dict[str, Any] = {}  # they stand in the settings of their protocol and in those of no other
        if self.name == SEEN_SPEAKERS:
            defaults = {"validation": 0.2, "seed": 0} | ({} if self.by else {"test_share": 0.25})
        elif self.name == SPLITS:
            defaults = {"splits": 20, "shares": turns.Shares(), "seed": 0}
        elif self._of_one_fold:
            defaults = {"validation": published.HELD, "seed": 0}
        elif self.speakers == "seen":
            defaults = {"seed": 0}
        for name, value in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        return self

    def _refuse_settings_of_others(self) -> None:
        """Raise ValueError for a setting that another protocol has and this one has not."""
        groups = {} if self.name == "group_k_fold" else {"speakers": ("group_k_fold",)}
        if self.name == SPLITS:
            groups |= dict.fromkeys(("groups", "fewer"), ("group_k_fold",))
        for name, owners in {**groups, **OWNERS}.items():
            given = getattr(self, name) != type(self).model_fields[name].default
            also = (name == "seed" and self.speakers == "seen") or (name in SHARED and self._of_one_fold)
            if given and self.name not in owners and not also:
                protocols = f"protocol{'s' if len(owners) > 1 else ''} {' and '.join(owners)}"
                default = {"groups": "5", "fewer": "false"}.get(name)
                inherited = f", or write {name}: {default} where an extended experiment has it" if default else ""
                raise ValueError(
                    f"'{name}' is a setting of the {protocols} and not of {self.name}; leave it out{inherited}"
                )

    @property
    def seen(self) -> bool:
        """Whether every tested speaker is in training."""
        return self.name == "seen_speakers" or self.speakers == "seen"

    @property
    def published(self) -> published.Published | None:
        """The protocol that others published; None for the others."""
        return None if self.name in HOUSE else published.get(self.name)

    @property
    def by_clip(self) -> bool:
        """Whether it is a split of clips that is taken as it is, also where it shares speakers."""
        return self.name == "given" or (self.published is not None and self.published.of == "clip")

    @property
    def _of_one_fold(self) -> bool:
        return self.published is not None and len(self.published.folds) == 1

    @property
    def title(self) -> str:
        """Its name in errors, with what makes it one of seen speakers."""
        return f"{self.name} with speakers: seen" if self.speakers == "seen" else self.name


class Fold(NamedTuple):
    """One fold: its number, and the clips of its parts in the corpus's order.

    `seen` are clips of training speakers that do not train; few protocols have any.
    """

    number: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    seen: tuple[str, ...] = ()


def folds(clips: pd.DataFrame, protocol: Protocol, *, apart: bool = False) -> list[Fold]:
    """Divide clips into folds.

    Args:
        clips: one row a clip, with `clip` and `speaker`, known of all clips or of none; `session`, `gender`, `split`,
            the column `protocol.by`, and `label` (else `emotion`) are used where they are.
        protocol: how.
        apart: whether each corpus (column `corpus`) is divided by itself.

    Returns:
        The folds that are to be trained.

    Raises:
        ConfigError: when the corpus names no speakers and the protocol is not given, has too few speakers, lacks the
            column that the protocol needs, or has other words in it.
        LeakError: when a speaker is in two parts of a fold; never with the protocol given, with published folds of
            clips, and with those of seen speakers.
    """
    nameless = int(clips["speaker"].isna().sum())
    if nameless and protocol.name != "given":
        raise ConfigError(
            f"protocol {protocol.name}: it divides by speaker, and the corpus names none for {nameless} of its clips; "
            "if a column of your own table names them, call it 'speaker' and prepare it again, or give protocol={name: "
            "given}, which takes the corpus's own split"
        )
    if protocol.name == "given":
        made = [_given(clips, apart=apart)]
    elif protocol.name == "seen_speakers":
        made = [_seen_speakers(clips, protocol)]
    elif protocol.seen:
        made = _seen_groups(clips, protocol)
    elif protocol.published is not None:
        made = _published(clips, protocol, protocol.published)
    else:
        people = clips.groupby("speaker", sort=True).first()
        corpora = [part for _, part in people.groupby("corpus", sort=True)] if apart else [people]
        speakers = list(people.index)
        if protocol.name == "leave_one_speaker_out":
            taken = turns.swapped(corpora)
        elif protocol.name == SPLITS:
            named = {str(part["corpus"].iloc[0]) if apart else "": sorted(part.index) for part in corpora}
            taken = turns.sampled(named, protocol.shares or turns.Shares(), protocol.splits or 0, protocol.seed or 0)
        else:
            taken = turns.rotated([sorted(part.index) for part in corpora], _groups(protocol, len(speakers)))
        if not taken or not set(speakers) - set(taken[0][0]) - set(taken[0][1]):
            raise ConfigError(
                f"protocol {protocol.name}: {len(speakers)} speakers with usable clips are too few for training, "
                "validation and test"
            )
        made = _folds(clips, clips["speaker"], taken)
    for fold in made if not protocol.by_clip and not protocol.seen else ():
        refuse_shared_speakers(clips, fold)
    if protocol.seen_share is not None:
        made = [_kept_back(clips, fold, protocol, protocol.seen_share) for fold in made]
    if protocol.folds is None:
        return made
    if missing := [number for number in protocol.folds if not 0 <= number < len(made)]:
        raise ConfigError(f"protocol.folds: there is no fold {missing[0]}; the folds are 0 to {len(made) - 1}")
    return [made[number] for number in protocol.folds]


def _folds(clips: pd.DataFrame, of: "pd.Series[str]", taken: Sequence[turns.Turn]) -> list[Fold]:
    """Folds from turns (validation, test) of values that each clip has one `of`; all others train."""
    made = []
    for number, (validation, test) in enumerate(taken):
        part = of.map(lambda s, v=validation, t=test: "validation" if s in v else "test" if s in t else "train")
        made.append(Fold(number, *(tuple(clips["clip"][part == name]) for name in PARTS)))
    return made


def _groups(protocol: Protocol, speakers: int) -> int:
    """The number of groups for a number of speakers."""
    return max(3, min(protocol.groups, speakers)) if protocol.fewer else protocol.groups


def _seen_groups(clips: pd.DataFrame, protocol: Protocol) -> list[Fold]:
    """Folds in which the clips of every speaker are divided into groups."""
    speaker = dict(zip(clips["clip"], clips["speaker"], strict=True))
    count = _groups(protocol, len(set(speaker.values())))
    for whole in _units(clips, protocol):
        groups = dealing.groups(dealing.ordered(clips, whole, protocol.seed), count)
        taken = [(groups[(number + 1) % count], groups[number]) for number in range(count)]
        unseen = dealing.speakers_without_training(taken, speaker)
        if all(groups) and not unseen:
            return _folds(clips, clips["clip"], taken)
    if not all(groups):
        raise ConfigError(
            f"protocol.groups: {count} groups need at least as many clips; there are {len(clips)}; give fewer groups"
        )
    lonely = sorted({who for speakers in unseen.values() for who in speakers})
    raise ConfigError(
        f"protocol {protocol.title}: {len(lonely)} speakers would be tested and have no clip to train on ("
        f"{', '.join(lonely[:5])}{', ...' if len(lonely) > 5 else ''}); each needs three clips: leave them out, or "
        "give speakers: unseen"
    )


def _kept_back(clips: pd.DataFrame, fold: Fold, protocol: Protocol, share: float) -> Fold:
    """The fold with a share of each training speaker's recordings as its part of seen speakers."""
    _refuse_unknown_columns(clips, protocol)
    there = clips[clips["clip"].isin(fold.train)]
    held = dealing.held(there, share, protocol.together)
    if not held:
        raise ConfigError(
            f"protocol.seen_share: no training speaker of fold {fold.number} has two recordings, so none can be kept "
            "back; give null, or prepare the corpus with the names of people who are in several recordings (films that "
            "were labelled: --option speaker=folder or a table)"
        )
    return fold._replace(
        train=tuple(clip for clip in fold.train if clip not in held),
        seen=tuple(clip for clip in fold.train if clip in held),
    )


def refuse_shared_speakers(clips: pd.DataFrame, fold: Fold) -> None:
    """Raise LeakError when a speaker has clips in two parts of a fold."""
    speaker = clips.set_index("clip")["speaker"]
    members = {name: set(speaker[list(getattr(fold, name))]) for name in PARTS}
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if shared := sorted(members[first] & members[second]):
            raise LeakError(
                f"fold {fold.number}: {len(shared)} speakers are in both {first} and {second} "
                f"({', '.join(shared[:5])}{', ...' if len(shared) > 5 else ''}); "
                "a score on seen speakers does not hold for unseen ones: divide the corpus by speaker"
            )


def _given(clips: pd.DataFrame, *, apart: bool) -> Fold:
    if "split" not in clips:
        raise ConfigError("protocol given: the corpus has no column 'split' with train, validation and test")
    if apart and (without := sorted(set(clips["corpus"]) - set(clips["corpus"][clips["split"].notna()]))):
        raise ConfigError(
            f"protocol given: the corpus '{without[0]}' has no split; use another protocol, or leave it out"
        )
    words = sorted(clips["split"].dropna().astype(str).unique())
    if strange := [word for word in words if word not in (*PARTS, SEEN)]:
        word = strange[0].lower()
        near = [_SPELT[word]] if word in _SPELT else get_close_matches(word, PARTS, n=1, cutoff=0.4)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConfigError(
            f"protocol given: the column 'split' holds '{strange[0]}'.{hint} "
            "Known: train, validation, test, and an empty cell for a clip that is not used."
        )
    parts = {name: tuple(clips["clip"][clips["split"] == name]) for name in (*PARTS, SEEN)}
    if empty := [name for name in PARTS if not parts[name]]:
        raise ConfigError(f"protocol given: no clip has split '{empty[0]}'; the column holds: {', '.join(words)}")
    return Fold(0, **parts)


def _published(clips: pd.DataFrame, protocol: Protocol, own: published.Published) -> list[Fold]:
    """The folds that others published, of the speakers or clips that are there."""
    there = set(clips[own.of])
    if own.of == "speaker" and (strange := sorted(there - (own.listed or there))):
        raise ConfigError(
            f"protocol {own.name}: the speaker '{strange[0]}' is in none of its folds, which divide "
            f"{', '.join(sorted(own.listed or ()))}; leave these clips out, or give another protocol"
        )
    tested = [fold & there for fold in own.folds]
    full = [number for number, fold in enumerate(tested) if fold]
    if len(tested) > 1 and len(full) < len(PARTS):
        raise ConfigError(
            f"protocol {own.name}: the corpus has clips of {len(full)} of its {len(tested)} folds, and training, "
            "validation and test need three; prepare the whole corpus"
        )
    wanted = range(len(tested)) if protocol.folds is None else protocol.folds
    if empty := [number for number in wanted if number < len(tested) and number not in full]:
        some = ", ".join(sorted(own.folds[empty[0]])[:5]) + (", ..." if len(own.folds[empty[0]]) > 5 else "")
        others = f", or train the other folds alone: protocol.folds={full}" if full else ""
        raise ConfigError(
            f"protocol {own.name}: the corpus has no usable clip of what fold {empty[0]} tests ({some}); prepare the "
            f"whole corpus{others}"
        )
    used = clips if own.listed is None else clips[clips[own.of].isin(own.listed)]
    if len(tested) == 1:
        parts = _parted(used, protocol, {clip: clip in tested[0] for clip in used["clip"]})
        if lacking := [name for name in PARTS if not parts[name]]:
            raise ConfigError(
                f"protocol {own.name}: the clips that it uses and that are there leave none for {lacking[0]}; prepare "
                "the whole corpus"
            )
        return [Fold(0, **parts)]
    taken = []
    for number, fold in enumerate(tested):
        later = [*tested[number + 1 :], *tested[:number]]
        taken.append((set(next(other for other in later if other)), set(fold)))
    return _folds(used, used[own.of], taken)


def _parted(clips: pd.DataFrame, protocol: Protocol, tested: Mapping[str, bool] | None) -> dict[str, tuple[str, ...]]:
    """The clips of each part, see `_dealt`; recordings are dealt whole, unless a part would be empty."""
    for whole in _units(clips, protocol, tested):
        part = _dealt(clips, protocol, tested, whole)
        if set(PARTS) <= set(part.values()):
            break
    return {name: tuple(clip for clip in clips["clip"] if part.get(clip) == name) for name in PARTS}


def _seen_speakers(clips: pd.DataFrame, protocol: Protocol) -> Fold:
    parts = _parted(clips, protocol, _by(clips, protocol))
    speaker = dict(zip(clips["clip"], clips["speaker"], strict=True))
    unseen = sorted({speaker[clip] for clip in parts["test"]} - {speaker[clip] for clip in parts["train"]})
    if unseen:
        raise ConfigError(
            f"protocol seen_speakers: {len(unseen)} speakers would be tested and have no clip to train on ("
            f"{', '.join(unseen[:5])}{', ...' if len(unseen) > 5 else ''}); leave them out, or test other values "
            f"of '{protocol.by}' than {', '.join(protocol.test)}"
        )
    if empty := [name for name in PARTS if not parts[name]]:
        raise ConfigError(
            f"protocol seen_speakers: {len(clips)} clips leave none for {empty[0]}; each speaker and class needs three "
            "clips, or two that are not tested where 'by' chooses the tested ones"
        )
    return Fold(0, **parts)


def _units(
    clips: pd.DataFrame, protocol: Protocol, tested: Mapping[str, bool] | None = None
) -> list[NDArray[np.integer[Any]]]:
    """What is dealt as one: recordings, and, where a part would then be empty, less.

    What single clips share where there are too few recordings is named by the split audit.

    Raises:
        ConfigError: a column of `protocol.together` does not exist, or `by` tests some of the clips that are together.
    """
    _refuse_unknown_columns(clips, protocol)
    units = dealing.units_of(clips, protocol.together)
    if protocol.together and tested is not None:
        whose = clips["clip"].map(tested)
        apart = whose.groupby(units[-1]).nunique()
        if (apart > 1).any():
            some = clips["clip"][units[-1] == apart.idxmax()]
            raise ConfigError(
                f"protocol.together: '{protocol.by}' tests some of the clips that {', '.join(protocol.together)} keep "
                f"together, and not others ({', '.join(some[:2])}); leave one of the two settings out"
            )
    return units


def _refuse_unknown_columns(clips: pd.DataFrame, protocol: Protocol) -> None:
    for column in protocol.together:
        if column not in clips:
            raise ConfigError(f"protocol.together: {unknown('column of the corpus', column, map(str, clips.columns))}")


def _dealt(
    clips: pd.DataFrame, protocol: Protocol, tested: Mapping[str, bool] | None, whole: NDArray[np.integer[Any]]
) -> dict[str, str]:
    """Clip -> its part, where the clips of each speaker and class are dealt in the order of their hashes.

    Args:
        clips: the clips.
        protocol: the shares and the seed.
        tested: whether each clip is tested; None deals the tested ones, too.
        whole: see `dealing.ordered`.
    """
    part: dict[str, str] = {}
    for order in dealing.ordered(clips, whole, protocol.seed, tested).values():
        if tested is None:
            count = _count_of(protocol.test_share, len(order), 2)
            testing, rest = order[:count], order[count:]
        else:
            testing, rest = ([[c for c in names if tested[c] is chosen] for names in order] for chosen in (True, False))
            rest = [names for names in rest if names]
        validating = _count_of(protocol.validation, len(rest), 1)
        for name, chosen in zip(PARTS, (rest[validating:], rest[:validating], testing), strict=True):
            part |= dict.fromkeys((clip for names in chosen for clip in names), name)
    return part


def _by(clips: pd.DataFrame, protocol: Protocol) -> dict[str, bool] | None:
    """Whether each clip is tested, of those that have a value in the column `by`; None without such a column."""
    if protocol.by is None:
        return None
    if protocol.by not in clips:
        raise ConfigError(f"protocol.by: {unknown('column of the corpus', protocol.by, map(str, clips.columns))}")
    values = clips.set_index("clip")[protocol.by].dropna().astype("str")
    if strange := [value for value in protocol.test if value not in set(values)]:
        known = sorted(set(values))[:20]
        raise ConfigError(f"protocol.test: {unknown(f'value of {protocol.by}', strange[0], known)}")
    return {str(clip): value in protocol.test for clip, value in values.items()}


def _count_of(share: float | None, count: int, left: int) -> int:
    """How many of `count` clips a part gets: its share, at least 1, where `left` clips remain, or 1 of fewer clips."""
    return min(count - min(left, count - 1), max(1, math.floor((share or 0.0) * count + 0.5))) if count > 1 else 0
