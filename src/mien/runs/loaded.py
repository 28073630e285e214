"""A model that is loaded once and asked often, from Python: `mien.load_model`.

Arrays in, rows or arrays out. Several threads may ask one model at once. A model that was exported with `--onnx`, as
those that come with mien, needs no torch.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.errors import ConfigError, MediaError, MediaWarning, RunError
from mien.media import activity
from mien.media.audio import AudioBlock
from mien.media.faces.detectors import installed
from mien.media.limits import held, limits_of
from mien.media.resampling import regrouped, resampled
from mien.media.windows import Window, of_blocks
from mien.runs import exported, opening, reading, timeline
from mien.runs.answers import HOP, LEAST, WINDOW, least_sound, row_of_sound
from mien.runs.exported import locate
from mien.runs.late_fusion import LateFusion
from mien.runs.one_model import OneModel
from mien.runs.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd

LATENCY = 0.1  # seconds of a stream that are held back before they are resampled
CONTEXT = 10.0  # seconds of a stream before the start of a window that are kept for the pitch and level of the next
RATES = (1_000, 384_000)  # Hz, the sample rates that are taken
MOST_CHANNELS = 8  # of 7.1; with more of them a block of samples x channels would be taken for channels x samples
LOUDEST = 32.0  # of floating point, 30 dB above full scale: louder numbers are those of whole-number samples

Sound = NDArray[np.floating[Any]] | Sequence[float]


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A trained model in memory.

    It is equal to itself alone. Copied or pickled, as `joblib` and `multiprocessing` do, it is opened anew from its
    folder, which must be there still.

    Attributes:
        model: what computes it.
        folder: where it was read; absolute.
        device: as it was asked for.
        threads: that compute one answer.
        faces: the model of faces that answers beside it in films; None for none.
        card: its model card, Markdown; "" for a model of a run, which has none.
    """

    model: OneModel
    folder: Path
    device: str
    threads: int
    faces: OneModel | None
    card: str = field(repr=False)

    def __reduce__(self) -> tuple[Callable[..., "LoadedModel"], tuple[Path, str, int, bool]]:
        return (_open, (self.folder, self.device, self.threads, self.faces is not None))

    @property
    def name(self) -> str:
        """Its name."""
        return self.model.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Its classes, in the order of all probabilities; empty where it predicts a number."""
        return self.model.classes

    @property
    def classes_(self) -> NDArray[np.str_]:
        """The same as an array, as scikit-learn's classifiers have it."""
        return np.array(self.model.classes)

    @property
    def limits(self) -> tuple[str, ...]:
        """Sentences on what it was trained on, and on how it answers other speech."""
        return self.model.limits

    def predict(
        self,
        waveform: Sound,
        sample_rate: int,
        *,
        window: float = WINDOW,
        hop: float = HOP,
        unsure: float | None = None,
        frame: bool = False,
    ) -> "list[dict[str, Any]] | pd.DataFrame":
        """Predict emotion over time in a sound.

        Args:
            waveform: (N,), or channels x N with up to `MOST_CHANNELS` channels, whose mean is heard; more rows than
                columns are refused. Full scale is [-1, 1] for floating point, whose samples may be up to `LOUDEST`,
                and that of the type for int16 and int32.
            sample_rate: samples a second.
            window: seconds of a window; a shorter sound is one window.
            hop: seconds from one window to the next.
            unsure: threshold below which the answer is `unsure`; None for the model's own.
            frame: whether a pandas table is returned.

        Returns:
            Rows as `mien predict` gives them, without `file`: start, end (seconds), person, modality, the target, a
            probability for each class, scheme, model.

        Raises:
            ConfigError: a setting, the rate or the waveform cannot be used, or the model takes no sound.
        """
        model = self._heard(window, hop, unsure)
        blocks = _blocks([waveform], sample_rate, model.rate, "waveform")
        windows = of_blocks(blocks, length=window, hop=hop, detect=activity.detector("energy"), rate=model.rate)
        least = 0.0 if unsure == 0 else least_sound(model)
        rows = [row_of_sound(one, model, least) for one in timeline.of_sound(windows, model)]
        if not rows:
            raise ConfigError("predict: the waveform is empty")
        return _table(rows) if frame else rows

    def predict_file(
        self,
        file: Path | str,
        *,
        window: float = WINDOW,
        hop: float = HOP,
        unsure: float | None = None,
        frame: bool = False,
        limits: Mapping[str, float] = MappingProxyType({}),
    ) -> "list[dict[str, Any]] | pd.DataFrame":
        """Predict emotion over time in a media file, as `mien predict` of that file alone does.

        Of a film also by faces, where the model takes them, or where none was named to `load_model` and a face detector
        (the extra `faces`) is installed: then rows have the classes of `voice-small` and of `face-small`.

        Args:
            file: any sound or video file.
            window: as for `predict`, like all that follow.
            hop: seconds.
            unsure: threshold.
            frame: whether a pandas table is returned.
            limits: as for `predict`.

        Returns:
            Rows as `mien predict` gives them.

        Warns:
            MediaWarning: what of the file is silent, too short, or not looked at, as the notes of `mien predict` say.

        Raises:
            ConfigError: a setting cannot be used or does not fit the model, or its face detector is not installed.
            MediaError: the file cannot be read, or has none of the modalities of the model.
        """
        if not isinstance(file, str | PathLike):
            raise ConfigError(f"predict_file: {file!r} is not the path of a file")
        reading.check_windows(window, hop, unsure)
        path, notes = Path(file), list[str]()
        answering: Predictor = self.model
        most = limits_of(limits)
        with held(most):
            film = self.faces is not None and reading.has_pictures(path)
        if self.faces is not None and film:
            if installed("auto"):
                answering = LateFusion(self.model, self.faces)
            else:
                notes.append(f"{path}: {reading.NOT_LOOKED}; {self.name} answers")
        asked = reading.Asked(
            (self.folder,), self.device, self.threads, unsure, window, hop, "energy", "active", None, "", most
        )
        read = reading.read_one(path, asked, reading.limited(answering, window, unsure))
        if isinstance(read, MediaError):
            raise read
        for note in [*notes, *read.notes]:
            warnings.warn(note, MediaWarning, stacklevel=2)
        return _table(read.answers.rows) if frame else read.answers.rows

    def predict_proba(self, waveforms: Sequence[Sound], sample_rate: int) -> NDArray[np.float64]:
        """The probability of each class, n x K float64, of n sounds, each taken as one window as it is.

        A row is nan where `predict` of such a window answers `silence`, or `unsure` because it is too short: there is
        no voice activity, its channels cancel, or it lasts less than half of the shortest sound that the model was
        trained on. Rows below the model's threshold are kept.

        Args:
            waveforms: n sounds, each as for `predict`, of any lengths but empty.
            sample_rate: samples a second, of all.

        Raises:
            ConfigError: a waveform or the rate cannot be used, or the model takes no sound, or predicts a number.
        """
        model = self._hears()
        if not model.classes:
            raise ConfigError(f"predict_proba: {model.name} predicts a number, {model.target}; use predict")
        windows, least = self._windows(waveforms, sample_rate), least_sound(model)
        answered = [timeline.has_voice(one) and one.end >= least - 1e-6 for one in windows]
        found = np.full((len(windows), len(model.classes)), np.nan)
        found[answered] = model.probabilities([one.samples for one, has in zip(windows, answered, strict=True) if has])
        return found

    def embed(self, waveforms: Sequence[Sound], sample_rate: int) -> NDArray[np.float32]:
        """The embeddings of n sounds, n x D float32, those of all members side by side, each taken as one window.

        Silence and short sounds, of which `predict_proba` gives nan, have embeddings too.

        Args:
            waveforms: n sounds, each as for `predict`, none shorter than `LEAST` seconds.
            sample_rate: samples a second, of all.

        Raises:
            ConfigError: a waveform or the rate cannot be used, or the model takes no sound.
        """
        model = self._hears()
        windows = self._windows(waveforms, sample_rate)
        for number, one in enumerate(windows):
            if one.end < LEAST:
                raise ConfigError(f"waveform {number}: lasts {one.end:.3g} s; {LEAST:g} s or more")
        return model.embed(model.voices([one.samples for one in windows]))

    def stream(
        self,
        blocks: Iterable[Sound],
        sample_rate: int,
        *,
        window: float = WINDOW,
        hop: float = HOP,
        unsure: float | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Predict while sound comes: a row as soon as its window is over.

        A row comes at the latest `LATENCY` seconds of sound after the end of its window; memory holds one window and
        the `CONTEXT` seconds before it. A row is what `predict` says of these seconds and the window. Where `predict`
        has the whole recording, what comes after a window leads its pitch too, and its level is relative to the
        loudest sample of up to 60 windows. With `voice-small` and the default windows that changes the probability of
        a class by .004 in the median over 104 windows of LibriSpeech (95 %: .02, most: .04; no answer is another), and
        by .013 over 232 windows of RAVDESS, of six clips of an actor in succession, of both intensities (95 %: .08,
        most: .21; 5 % of the answers become or cease to be `unsure`, and none is another emotion).

        Args:
            blocks: of the sound in the order of time, each as for `predict`, of any lengths; all with as many channels
                as the first.
            sample_rate: samples a second.
            window: as for `predict`, like all that follow.
            hop: seconds.
            unsure: threshold.

        Yields:
            Rows as `predict` gives them.

        Raises:
            ConfigError: at once, for a setting or the rate that cannot be used, or a model that takes no sound; where
                it comes, for a block that cannot be used or has another number of channels.
        """
        model = self._heard(window, hop, unsure)
        sound = _blocks(_each(blocks, "blocks"), sample_rate, model.rate, "block")
        windows = of_blocks(sound, length=window, hop=hop, detect=activity.detector("energy"), rate=model.rate)
        least = 0.0 if unsure == 0 else least_sound(model)
        return (row_of_sound(one, model, least) for one in timeline.as_it_comes(windows, model, context=CONTEXT))

    def _hears(self) -> OneModel:
        """The model; raises ConfigError where it takes no sound."""
        if "audio" not in self.model.modalities:
            raise ConfigError(f"{self.name} takes faces alone; give predict_file a film")
        return self.model

    def _heard(self, window: float, hop: float, unsure: float | None) -> OneModel:
        """The model with a threshold, ready to hear; raises ConfigError where it cannot."""
        self._hears()
        reading.check_windows(window, hop, unsure)
        limited = reading.limited(self.model, window, unsure)
        assert isinstance(limited, OneModel)
        return limited

    def _windows(self, waveforms: Sequence[Sound], sample_rate: int) -> list[Window]:
        """Each sound as one window."""
        rate, windows = self.model.rate, list[Window]()
        for number, waveform in enumerate(_each(waveforms, "waveforms")):
            blocks = list(_blocks([waveform], sample_rate, rate, f"waveform {number}"))
            if not blocks:
                raise ConfigError(f"waveform {number}: is empty")
            samples = np.concatenate([one.samples for one in blocks])
            channels = [one.channels for one in blocks if one.channels is not None]
            whole = AudioBlock(0.0, samples, np.concatenate(channels, axis=1) if channels else None)
            long = len(samples) / rate + LEAST
            windows += of_blocks([whole], length=long, hop=long, detect=activity.detector("energy"), rate=rate)
        return windows


def load_model(model: Path | str | None = None, *, device: str = "auto", threads: int = 1) -> LoadedModel:
    """Load a trained model, to ask it often.

    Args:
        model: as `mien predict --model` takes it: an exported folder, the name of a model that comes with mien, RUN,
            RUN/models/MODEL, or a cell's folder. None: `voice-small`, beside which `face-small` answers films in
            `predict_file`, as `mien predict` does.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: that compute one answer; `runs.opening.THREADS` a processor at most.

    Raises:
        RunError: no trained model is there, or a file of it is missing, damaged, or was changed after the export.
        ConfigError: the device or the number of threads cannot be used, an extra is not installed, or the model reads
            vectors from files.
        DependencyError: it has no graph, or is computed on another device than the CPU, and the extra `train` is not
            installed.
    """
    if model is not None and not isinstance(model, str | PathLike):
        raise ConfigError(f"load_model: {model!r} is neither a path nor a name")
    return _open(locate(model).resolve(), device, threads, model is None and exported.faces() is not None)


def _open(folder: Path, device: str, threads: int, faces: bool) -> LoadedModel:
    opened = opening.open_model(folder, device, threads)
    reading.refuse_files(opened)
    seen = exported.faces() if faces else None
    beside = None if seen is None else opening.open_model(seen, device, threads)
    return LoadedModel(opened, folder, device, threads, beside, _card(folder))


def _card(folder: Path) -> str:
    """The model card of a folder; "" where there is none."""
    path = folder / exported.CARD
    if not exported.is_exported(folder) or not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read as UTF-8 text ({error}); export or install the model again") from error


def _each(given: Iterable[Sound], name: str) -> Iterator[Sound]:
    try:
        return iter(given)
    except TypeError:
        raise ConfigError(f"{name}: {type(given).__name__} is given, and a sequence of arrays is needed") from None


def _blocks(given: Iterable[Sound], sample_rate: int, rate: int, name: str) -> Iterator[AudioBlock]:
    """The sound at another rate, in blocks with their times; several channels are given beside their mean.

    Raises ConfigError at once for the rate, and where it comes for a piece that cannot be used.
    """
    low, high = RATES
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, int | np.integer) or not low <= sample_rate <= high:
        raise ConfigError(f"sample_rate {sample_rate}: a whole number of Hz from {low} to {high}")
    size = max(1, round(LATENCY * int(sample_rate)))
    return _timed(resampled(regrouped(_pieces(given, name), size), int(sample_rate), rate), rate)


def _timed(pieces: Iterable[NDArray[np.float32]], rate: int) -> Iterator[AudioBlock]:
    position = 0
    for rows in pieces:
        mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32) if len(rows) > 1 else rows[0]
        yield AudioBlock(position / rate, mean, rows if len(rows) > 1 else None)
        position += rows.shape[1]


def _pieces(given: Iterable[Sound], name: str) -> Iterator[NDArray[np.float32]]:
    """The pieces of one sound that are not empty, each channels x N; all have as many channels as the first."""
    channels = None
    for one in given:
        piece = _rows(one, name, channels)
        channels = len(piece) if channels is None else channels
        if len(piece) != channels:
            raise ConfigError(f"a block has {len(piece)} channels, and those before it {channels}")
        if piece.shape[1]:
            yield piece


def _rows(waveform: ArrayLike, name: str, channels: int | None = None) -> NDArray[np.float32]:
    """A waveform as channels x N float32 at full scale.

    Args:
        waveform: as the caller gave it.
        name: of it, for an error.
        channels: of the blocks before it; of so many a block may have fewer samples than channels.
    """
    try:
        values = np.asarray(waveform)
    except ValueError:  # of lists of several lengths
        raise ConfigError(f"{name}: its channels are not equally long") from None
    _check_shape(values.shape, name, channels)
    if values.dtype in (np.int16, np.int32):
        values = values.astype(np.float64) / -float(np.iinfo(values.dtype).min)
    elif not np.issubdtype(values.dtype, np.floating):
        raise ConfigError(f"{name} of {values.dtype}: floating point at full scale [-1, 1], int16 or int32 is needed")
    with np.errstate(over="ignore"):
        values = np.atleast_2d(values).astype(np.float32)
    if not np.isfinite(values).all():
        raise ConfigError(f"{name}: holds nan or infinity, or numbers beyond float32")
    if (loudest := float(np.abs(values).max(initial=0))) > LOUDEST:
        raise ConfigError(
            f"{name}: the loudest sample is {loudest:.6g}, and full scale is 1: divide by the full scale of its "
            "type, 32768 for 16 bits"
        )
    return values


def _check_shape(shape: tuple[int, ...], name: str, channels: int | None) -> None:
    if len(shape) not in (1, 2):
        raise ConfigError(f"{name} of shape {shape}: (N,) or channels x samples is needed")
    if len(shape) == 1:
        return
    rows, columns = shape
    if rows > columns and rows != channels and columns:
        raise ConfigError(f"{name} of shape {shape}: give channels x samples: transpose it")
    if not 1 <= rows <= MOST_CHANNELS:
        raise ConfigError(f"{name} of shape {shape}: 1 to {MOST_CHANNELS} channels are taken")


def _table(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    import pandas as pd  # only where a table is asked for

    return pd.DataFrame(rows)
