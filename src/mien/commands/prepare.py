"""`mien prepare`: read a corpus and write a PREPARED folder: a checked table, its problems, and features."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from mien import experiments
from mien import features as known_features
from mien.audit.splits import fingerprints, sounds
from mien.commands import Outcome
from mien.common import manifests
from mien.common.cluster import joined
from mien.common.files import contents, sha256
from mien.common.locks import writing
from mien.common.progress import duration, progress, say
from mien.corpora import columns, readers, schemes
from mien.corpora.corpus import Corpus, Problem, places, problem_table, read_table
from mien.data import extraction, frame_vectors, images, located, prepared, release, shards, silence, store
from mien.data.extraction import Reading, Source, Target
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.errors import ConfigError, CorpusError
from mien.experiments.experiment import Experiment
from mien.features._checkpoint import Checkpoint
from mien.media import limits as on_files
from mien.media.faces import Faces
from mien.media.faces.detectors import detector

# features that are extracted where neither features nor an experiment are named, of recordings and of images
DEFAULT, DEFAULT_IMAGES = ("mfb43",), ("images",)
ALIKE = 5  # equal images that are named of each
LISTED = 20  # words of a column that a sentence lists


def prepare(
    reader: str,
    root: Path | str,
    *,
    out: Path | str,
    options: Mapping[str, str] = MappingProxyType({}),
    features: Sequence[str] | None = None,
    experiment: str | Path | None = None,
    cut_silence: bool = False,
    workers: int | None = None,
    cluster: str | None = None,
    limits: Mapping[str, float] = MappingProxyType({}),
) -> Outcome:
    """Read a corpus, hash and decode every clip, extract features. Finished work is not done again.

    Where the files of the corpus's release are known, one line says how many are the same byte by byte, and whether
    clips are shorter (`mien.data.release`).

    A clip that cannot be decoded is reported as a problem and left out. What is kept all the same (files that are
    identical byte by byte, films without all their sound), and what the option `leave_out` names, is listed and no
    problem. Where a corpus was moved since it was prepared, `out` goes on from its new place if all clips are the same
    there, byte by byte.

    Args:
        reader: a name in `corpora.readers`.
        root: the folder of the corpus; for `table` a CSV file.
        out: the PREPARED folder: new, or of the same reader, corpus and options.
        options: options of the reader, by name; see its `OPTIONS`.
        features: names of features, extracted with their default settings; without `experiment`, mfb43 by default, or
            images for a corpus of single images.
        experiment: a name from `mien list experiments`, or a YAML file. All that it needs is extracted: its features
            with its settings, their copies, and the fingerprints by which `train` compares recordings. Vectors from
            files whose place it does not say are left to `train`. Options of the reader that it states are taken, where
            `options` does not have them.
        cut_silence: whether the silence at both ends of each clip is cut (`mien.data.silence`): `start` and `end` are
            then where its sound begins and ends, and of a film pictures are cut with the sound. Silence is what stays
            below -55 dB of full scale, so that the pauses of a noisy recording are not found. A clip in which nothing
            is louder stays as it is, and is listed.
        workers: number of processes; None for one, or with `cluster` for one in each of its threads.
        cluster: address of a dask scheduler, such as tcp://host:8786, on whose machines the processes run; they have to
            see `out` and what is read. None for this machine.
        limits: limits on a file beyond which it is not read, by name, where they are not those of
            `mien.media.limits.Limits`. What is extracted later of this folder has them too.

    Raises:
        ConfigError: an unknown reader, option, feature or experiment, features and an experiment, or the extra of a
            feature is not installed.
        BusyError: another process writes to `out`.
        ClusterError: the cluster cannot be used as it is.
        CorpusError: `root` is not that corpus, no clip can be used, or `out` holds something else.
    """
    most = on_files.limits_of(limits)
    readers.reader(reader)
    with writing(out, "mien prepare"), joined(cluster, workers, writes=out, reads=[root]) as at_once:
        return _prepare(reader, Path(root), Path(out), options, features, experiment, cut_silence, at_once, most)


def _prepare(
    reader: str,
    root: Path,
    out: Path,
    options: Mapping[str, str],
    features: Sequence[str] | None,
    experiment: str | Path | None,
    cut_silence: bool,
    workers: int,
    most: on_files.Limits,
) -> Outcome:
    if experiment is not None and features is not None:
        raise ConfigError(
            f"--features and --for: {experiment} says which features it needs; leave --features out, and run the same "
            "command again with --features for more"
        )
    settings = None if experiment is None else experiments.load(experiment)
    if settings is not None and settings.reader == reader:
        options = {**settings.reader_options, **options}
    elif settings is not None and settings.reader is not None:
        say(f"{experiment} is made for the corpus {settings.reader}; its features are extracted from {reader}")
    still = "file" in readers.lacks(reader)
    if features is None:
        features = DEFAULT_IMAGES if still else DEFAULT
    targets = _targets(out, features) if settings is None else _needed(out, settings, still=still)
    _refuse_unfitting(reader, targets, "--features" if settings is None else f"--for {experiment}")
    for target in targets:
        known_features.ready(target.name, target.config)
    files = [] if settings is None else _of_files(settings)
    for name, config in files:
        key = f"data.{known_features.modality(name)}"
        if config.folder is None and config.column is None:
            say(f"{experiment} says no place of {name}: 'mien train' reads these vectors, with {key}.folder=FOLDER")
        else:
            located.refuse_unplaced(name, config, key)
    if still and cut_silence:
        raise ConfigError(f"--cut-silence: the clips of {reader} are single images, without sound; leave it out")
    card = _refuse_other(out, reader, root, options, cut_silence=cut_silence)
    corpus = readers.read(reader, root, options)
    if card is None:
        _refuse_other_table(out, root, corpus)
    held = [target for target in targets if frame_vectors.of(target)]
    asked = "--features" if settings is None else f"--for {experiment}"
    _refuse_frames(held, corpus, root, asked, cut_silence=cut_silence)
    targets = [target for target in targets if target not in held]
    if card is not None and _moved(card, root, options):
        _refuse_other_content(out, root, card, corpus)
    if card is None:
        prepared.begin(out, reader, root, options, cut_silence=cut_silence)
    ends: dict[str, silence.Ends] = {}
    if cut_silence:
        with on_files.held(most):
            ends = silence.find(out, corpus, workers=workers, what=f"{reader}: finding silence")
        corpus = silence.cut(corpus, ends)
    what = ": ".join(filter(None, [reader, _titles(targets)]))
    if still:
        found = images.extract(corpus.images, targets, what=what)
    else:
        found = extraction.extract(_sources(corpus, out, targets), targets, workers=workers, what=what)
    with on_files.held(most):
        readings = {reading.clip: reading for reading in found}
    table, problems, kept = _checked(corpus, readings)
    if table.empty:
        if card is None or card.get("unfinished"):
            _take_back(out)
        examples = "; ".join(f"{one.file}: {one.problem}" for one in problems[:3])
        raise CorpusError(f"{root}: none of its {len(corpus.table)} clips can be used ({examples})")
    if corpus.frames is not None:
        for target in held:
            frame_vectors.extract(corpus.frames, prepared.keys(table), target, what=f"{reader}: {target.name}")
    compared = release.compare(reader, table, {clip: one.seconds for clip, one in ends.items()})
    kept = sorted({*kept, *silence.notes(table, ends), *(compared.notes(table) if compared is not None else ())})
    listed = problem_table([*problems, *kept])
    made = [
        {
            "feature": target.name,
            "model": target.config.title,
            "sha256": target.config.sha256,
            "seen_corpora": list(target.config.seen_corpora or ()),
        }
        for target in targets
        if isinstance(target.config, Checkpoint)
    ]
    done = prepared.write(
        out,
        corpus,
        table,
        listed,
        place=root,
        options=options,
        cut_silence=cut_silence,
        limits=most.model_dump(exclude_defaults=True),
        front_ends=list({(one["feature"], one["sha256"]): one for one in made}.values()),
        release=None if compared is None else compared.card,
    )
    for name, config in files:
        if config.folder is not None or config.column is not None:
            store.open_store(Joined.of(done), name, config).extract(list(table["clip"]), workers=workers)
    return _outcome(done, problems, kept, silence.summary(table, ends) if cut_silence else "")


def _targets(out: Path, names: Sequence[str]) -> list[Target]:
    """Features with their default settings."""
    if files := [name for name in names if known_features.source_of(name) == "files"]:
        raise ConfigError(
            f"--features {files[0]}: these are files of yours, whose place an experiment gives; use --for EXPERIMENT"
        )
    if "columns" in names:
        raise ConfigError(
            "--features columns: these are columns of the corpus's own table and need no extraction; leave it out"
        )
    return [store.target(out, name, known_features.parse(name, {})) for name in dict.fromkeys(names)]


def _refuse_unfitting(reader: str, targets: Sequence[Target], option: str) -> None:
    """Raise ConfigError for features of sound and film of a corpus of single images, and the other way round."""
    still = "file" in readers.lacks(reader)
    for target in targets:
        if still != (known_features.source_of(target.name) == "images"):
            raise ConfigError(
                f"{option}: {target.name}: the clips of {reader} are single images, without sound or film; their "
                "feature is images"
                if still
                else f"{option}: images: {reader} has files, and no images in its table; the faces of films are the "
                "feature crops"
            )


def _refuse_frames(held: Sequence[Target], corpus: Corpus, place: Path, option: str, *, cut_silence: bool) -> None:
    """Raise ConfigError for features of frames that a corpus does not hold, or whose clips would begin later."""
    for target in held:
        what = f"{option}: {target.name}"
        frame_vectors.refuse_unfitting(what, target.config, corpus.held, str(place))
        if cut_silence:
            raise ConfigError(
                f"--cut-silence: the frames of {target.name} begin where a clip does as it was labelled; leave it out"
            )


def _needed(out: Path, settings: Experiment, *, still: bool) -> list[Target]:
    """All that the training of an experiment extracts, each once; of single images no fingerprints of sound."""
    named = [feature for own in settings.data_of.values() for feature in own.extracted]
    for _, config in named:
        if isinstance(config, Faces) and config.faces != "whole-frame":
            detector(config.faces)  # refused here where its package is not installed, and not for every clip
    named += [] if still else [(fingerprints.FEATURE, fingerprints.CONFIG)]
    found = [store.target(out, *feature) for feature in named]
    return list({target.folder: target for target in found}.values())


def _of_files(settings: Experiment) -> list[tuple[str, Any]]:
    """The features of an experiment that are read from files of vectors, each once, with their settings."""
    named: list[tuple[str, Any]] = []
    for own in settings.data_of.values():
        found = [one for one in own.used if known_features.source_of(one[0]) == "files"]
        named += [one for one in found if one not in named]
    return named


def _titles(targets: Sequence[Target]) -> str:
    """What is extracted, short enough for a bar: a feature with copies once, with their number."""
    named: dict[str, list[Any]] = defaultdict(list)
    for target in targets:
        fingerprint = (target.name, target.config) == (fingerprints.FEATURE, fingerprints.CONFIG)
        named[sounds.WORK if fingerprint else target.name].append(target.config)
    titles = []
    for name, configs in named.items():
        several = len(configs) > 1
        speeds = several and len({config.model_copy(update={"speed": 1.0}) for config in configs}) == 1
        title = f"{name} {f'at {len(configs)} speeds' if speeds else f'in {len(configs)} versions'}"
        titles.append(title if several else name if name == sounds.WORK else known_features.title(name, configs[0]))
    return ", ".join(titles)


def _refuse_other(
    out: Path, reader: str, root: Path, options: Mapping[str, str], *, cut_silence: bool
) -> dict[str, Any] | None:
    """The card in `out`, None for a new folder; raises CorpusError where it holds something else."""
    free = readers.places(reader) | readers.RELABELS
    manifest = prepared.read_manifest(out)
    damaged = {} if manifest is None else manifest.damaged(out)
    again = [f"{out / name}: {what}; it is written again" for name, what in damaged.items()]
    if "card.json" in damaged:
        for sentence in again:
            say(sentence)
        there = {place.name.rpartition("-")[0] for place in (out / "features").glob("*-*")}
        for name in sorted(there & {*known_features.names()}):
            if issubclass(known_features.feature(name).Config, Checkpoint):
                say(f"{out}: the model of {name} was named in the card; prepare that feature again to have it there")
        return None
    card = prepared.read_card(out)
    if manifest is None and card is not None and not card.get("unfinished"):
        again.append(f"{out / manifests.NAME}: missing or damaged; it is written again")
    if card is None:
        if contents(out):
            raise CorpusError(f"{out}: is not empty and holds no prepared corpus; choose a new folder for --out")
    elif card["reader"] != reader or (card.get("unfinished") and _moved(card, root, options)):
        raise CorpusError(f"{out}: holds {card['reader']} from {card['input']}; choose a new folder for --out")
    elif _without(before := card.get("options", {}), free) != _without(options, free):
        raise CorpusError(f"{out}: holds {reader} read with options {before}; choose a new folder for --out")
    elif card.get("cut_silence", False) != cut_silence:
        before, way = ("without", "leave it out") if cut_silence else ("with", "give it")
        raise CorpusError(f"{out}: was prepared {before} --cut-silence; {way}, or choose a new folder for --out")
    for sentence in again:
        say(sentence)
    return card


def _refuse_other_table(out: Path, root: Path, corpus: Corpus) -> None:
    """Raise CorpusError where a folder whose card is damaged has the table of another corpus."""
    manifest = prepared.read_manifest(out)
    if manifest is None or manifest.damage(out, "corpus.csv"):
        return
    known = {*corpus.table["clip"]}
    if lost := [clip for clip in read_table(out / "corpus.csv")["clip"] if clip not in known]:
        raise CorpusError(
            f"{out}: its card is damaged, and its table has the clip '{lost[0]}', which {root} has not; choose a new "
            "folder for --out"
        )


def _without(options: Mapping[str, str], free: Collection[str]) -> dict[str, str]:
    return {name: value for name, value in options.items() if name not in free}


def _moved(card: Mapping[str, Any], root: Path, options: Mapping[str, str]) -> bool:
    """Whether a corpus was prepared from another place; other words for its emotions are labels, which may change."""
    before = (card["input"], _without(card.get("options", {}), readers.RELABELS))
    return before != (str(root.resolve()), _without(options, readers.RELABELS))


def _refuse_other_content(out: Path, root: Path, card: Mapping[str, Any], corpus: Corpus) -> None:
    """Raise CorpusError, with what differs, where a corpus is not the one that was prepared from another place.

    Each clip that was prepared has to be there, in a file of the same bytes, and no other clip but those that had a
    problem. Labels may differ, as they may at the same place.
    """
    if what := _difference(Prepared.open(out), corpus):
        raise CorpusError(
            f"{out}: holds {card['reader']} from {card['input']}, and {root} {what}; choose a new folder for --out"
        )


def _difference(before: Prepared, corpus: Corpus) -> str:
    """The first clip that differs, one clause; empty for none."""
    known, rows = prepared.keys(before.table), corpus.table.set_index("clip")
    if before.card.get("cut_silence"):  # its parts are found anew, in the same files
        known = dict(zip(before.table["clip"], before.table["sha256"], strict=True))
        rows = rows.assign(start=np.nan, end=np.nan)
    if lost := [clip for clip in known if clip not in rows.index]:
        return f"has no clip '{lost[0]}'"
    listed = set(read_table(before.folder / "problems.csv")["file"])
    files = places(corpus.table).to_list()
    if more := [clip for clip, file in zip(rows.index, files, strict=True) if clip not in known and file not in listed]:
        return f"has another clip, '{more[0]}'"
    if other := [clip for clip, image in corpus.images.items() if images.identity(image) != known.get(clip)]:
        return f"has another image of the clip '{other[0]}'"
    with progress(len(known), "comparing") as advance:
        for file, clips in rows.loc[list(known)].groupby("file", sort=False):
            found = sha256(corpus.root / str(file))
            for clip, start, end in zip(clips.index, clips["start"], clips["end"], strict=True):
                if prepared.key(found, start, end) != known[clip]:
                    return f"has another recording of the clip '{clip}'"
            advance(len(clips))
    return ""


def _sources(corpus: Corpus, out: Path, targets: Sequence[Target]) -> list[Source]:
    """The clips to read, with the results of an earlier, perhaps interrupted, `prepare`."""
    known: dict[str, dict[str, float]] = defaultdict(dict)
    with suppress(CorpusError):
        before = Prepared.open(out).table
        for clip, key, seconds in zip(before["clip"], prepared.keys(before).values(), before["seconds"], strict=True):
            known[clip][key] = seconds
    there: list[dict[str, set[str]]] = [defaultdict(set) for _ in targets]
    for target, keys in zip(targets, there, strict=True):
        shards.mend(target.folder)
        for entry in shards.entries(target.folder):
            known[entry.clip][entry.key] = entry.seconds
            keys[entry.clip].add(entry.key)
    columns = (corpus.table[name] for name in ("clip", "file", "start", "end"))
    return [
        Source(
            clip,
            corpus.root / file,
            start,
            end,
            known=known.get(clip, {}),
            there=tuple(frozenset(keys.get(clip, ())) for keys in there),
        )
        for clip, file, start, end in zip(*columns, strict=True)
    ]


def _checked(corpus: Corpus, readings: dict[str, Reading]) -> tuple[pd.DataFrame, list[Problem], list[Problem]]:
    """The usable clips with `seconds` and `sha256`; the problems; and what is no problem and listed beside them.

    The last are clips that are kept as they are, and those that the option `leave_out` names.
    """
    found = [readings[clip] for clip in corpus.table["clip"]]
    table = corpus.table.assign(seconds=[one.seconds for one in found], sha256=[one.sha256 for one in found])
    if any(one.video_seconds for one in found):
        table["video_seconds"] = [round(one.video_seconds, 3) for one in found]
    bad = [bool(one.problem) for one in found]
    given = [Problem(file, problem) for file, problem in corpus.problems.itertuples(index=False)]
    kept = [one for one in given if one.problem.endswith(readers.LEFT_OUT)]
    problems = [one for one in given if not one.problem.endswith(readers.LEFT_OUT)]
    problems += [
        Problem(file, f"{one.problem}, left out")
        for file, one in zip(places(corpus.table), found, strict=True)
        if one.problem
    ]
    kept += [Problem(file, one.notice) for file, one in zip(places(corpus.table), found, strict=True) if one.notice]
    table = table[[not one for one in bad]].reset_index(drop=True)
    kept += _identical_images(table) if corpus.images else _identical(corpus, table)
    return table, sorted(set(problems)), sorted(set(kept))


def _identical(corpus: Corpus, table: pd.DataFrame) -> Iterator[Problem]:
    """Files with the same bytes, including those that the reader has left out."""
    files = table.drop_duplicates("file")
    whole = table[~table["file"].duplicated(keep=False)]
    emotions = dict(whole[["file", "emotion"]].dropna().itertuples(index=False, name=None))
    same: dict[str, list[str]] = defaultdict(list)
    for file, found in zip(files["file"], files["sha256"], strict=True):
        same[found].append(file)
    kept = set(files["file"])
    others = [corpus.root / file for file in dict.fromkeys(corpus.problems["file"]) if file not in kept]
    others = [path for path in others if path.is_file()]
    sizes = {(corpus.root / file).stat().st_size for file in kept} if others else set()
    for path in others:
        if path.stat().st_size in sizes and (found := sha256(path)) in same:
            same[found].append(path.relative_to(corpus.root).as_posix())
    for names in same.values():
        for name in names:
            if others := [other for other in names if other != name]:
                alike = ", ".join(others) + _under_another(name, others, emotions)
                yield Problem(name, f"byte by byte the same as {alike}, {'kept' if name in kept else 'left out'}")


def _identical_images(table: pd.DataFrame) -> Iterator[Problem]:
    """Images with the same pixels."""
    emotions = dict(table[["clip", "emotion"]].dropna().itertuples(index=False, name=None))
    for clips in table["clip"].groupby(table["sha256"]).agg(list):
        for clip in clips if len(clips) > 1 else ():
            others = [other for other in clips if other != clip]
            alike = ", ".join([*others[:ALIKE], *(["..."] if len(others) > ALIKE else [])])
            alike += _under_another(clip, others, emotions)
            yield Problem(clip, f"pixel by pixel the same as {alike}, kept")


def _under_another(name: str, others: Sequence[str], emotions: Mapping[str, str]) -> str:
    """The emotions of what is the same, where they are known and differ from its own; empty for none."""
    there = sorted({emotions[other] for other in others if other in emotions} - {emotions.get(name)})
    return (
        f", under another emotion ({emotions[name]}, there {' and '.join(there)})" if name in emotions and there else ""
    )


def _take_back(out: Path) -> None:
    """Remove a folder in which nothing could be prepared."""
    (out / "card.json").unlink()
    with suppress(OSError):  # not empty: there are features of an earlier attempt
        out.rmdir()


def _outcome(done: Prepared, problems: Sequence[Problem], kept: Sequence[Problem], cut: str) -> Outcome:
    card = done.card
    what = (
        f"{_count(card['clips'], 'image')}; the corpus names no speakers"
        if done.images
        else f"{_count(card['clips'], 'clip')} of {_speakers(done)}, {duration(card['seconds'])} of sound{_video(done)}"
    )
    lines = [
        f"{done.folder}: {what}",
        f"emotion: {', '.join(f'{name} {count}' for name, count in card['emotion'].items()) or 'not known'}",
        f"licence: {card['licence']}",
    ]
    lines += [f"release: {card['release']['text']}"] if "release" in card else []
    lines += [cut] if cut else []
    if card["shortfall"]:
        one = "image" if done.images else "clip"
        lines.append(f"missing of the complete corpus: {_count(card['shortfall'], one)} of {card['expected']}")
    lines += readers.miscounts(card["reader"], done.table)
    lines += [f"note: {note}" for note in card["notes"]]
    lines += [
        f"note: {one['model']}, the model behind {one['feature']}, has seen {card['reader']}: scores are not of unseen "
        "speakers"
        for one in card.get("front_ends", ())
        if card["reader"] in one["seen_corpora"]
    ]
    if problems or kept:
        counts = [*([f"problems: {len(problems)}"] if problems else []), *([f"notes: {len(kept)}"] if kept else [])]
        lines.append(f"{', '.join(counts)}, listed in {done.folder / 'problems.csv'}")
    return Outcome(
        data={"prepared": str(done.folder), "card": card, "kept": [f"{one.file}: {one.problem}" for one in kept]},
        text="\n".join(lines),
        problems=[*(f"{one.file}: {one.problem}" for one in problems), *_strange_words(done)],
    )


def _strange_words(done: Prepared) -> Iterator[str]:
    """Sentences on emotions of a corpus that are none of those that are known."""
    for name, words in columns.unread_emotions(done.table).items():
        own, first = columns.as_given(name), next(iter(words))
        yield (
            f"emotion: no column is read as it; the words of the column '{own}' are not known: {_words(words)}; known "
            f"are {', '.join(schemes.EMOTIONS)}; say what yours mean by --option emotions={first}:EMOTION,..., or call "
            "the column 'emotion' to train on its words as they are; if it is no emotion, give it another name"
        )
    if words := readers.strange_words(done.table):
        first = next(iter(words))
        yield (
            f"emotion: not known: {_words(words)}; known are {', '.join(schemes.EMOTIONS)}; say what yours mean by "
            f"--option emotions={first}:EMOTION,..., or train on them as they are: "
            f"data.scheme={{classes: [{first}, ...]}}"
        )


def _words(counts: Mapping[str, int]) -> str:
    """The first words, each with the number of its clips, and how many more there are."""
    named = [f"{word} ({_count(clips, 'clip')})" for word, clips in counts.items()]
    return ", ".join([*named[:LISTED], *([f"and {len(named) - LISTED} more"] if len(named) > LISTED else [])])


def _video(done: Prepared) -> str:
    """The duration of the video; empty without."""
    if "video_seconds" not in done.table:
        return ""
    return f", {duration(float(done.table['video_seconds'].sum()))} of video"


def _speakers(done: Prepared) -> str:
    unknown = int(done.table["speaker"].isna().sum())
    if unknown == len(done.table):
        return "unknown speakers"
    return _count(done.card["speakers"], "speaker") + (f" and {unknown} of unknown ones" if unknown else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
