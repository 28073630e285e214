"""The files of a run beside those of its cells: read only as they were written, and written so that this can be seen.

`manifest.json` in the run says what they are (`common.manifests`). A command that writes holds the run (`common.locks`)
and calls `mend` first and `seal` last. In between, the first file that changes makes the manifest say so, and a command
that reads waits for the end; a file that would be the same is left as it is, so that doing a thing again disturbs
nobody. Who reads several files sees them as of one seal.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from mien.common import manifests
from mien.common.files import LOCK, State, atomic, is_held, state_of
from mien.common.manifests import Content, Manifest
from mien.common.progress import say
from mien.errors import RunError
from mien.runs.tables import AGAIN

# there from the beginning of a training
EXPERIMENT, SPLITS, CERTIFICATE, CLIPS, ENVIRONMENT, TEACHERS = BASE = (
    "experiment.yaml", "splits.json", "certificate.json", "clips.csv", "environment.json", "teachers.json"
)  # fmt: skip
T = TypeVar("T")
RESULTS = (
    "predictions.csv", "tasks.csv", "leakage.csv", "leakage_by_speaker.csv", "leakage_summary.csv", "leakage.json",
    "leakage.html", "leakage.svg", "metrics.json", "folds.csv", "speakers.csv", "abstention.csv", "silhouettes.csv",
    "maps.csv", "roc.csv", "sweep.csv", "claims.json", "claims.csv", "report.html",
)  # fmt: skip
MEASURED = ("evaluations", "robustness")  # folders of what `mien evaluate` writes
CELLS = "models"  # the folder of the cells, of which the manifests are listed in a complete run
TRIES = 5  # to read a run that is written meanwhile
WAIT = 60.0  # seconds that a reading command waits for a writing one
EVALUATE = "run the same 'mien evaluate' again, which makes it again"
REPORT = "run 'mien report {}', which makes it again"


class RewrittenError(RunError):
    """A file that was read is another one now."""


def steady(read: Callable[[], T]) -> T:
    """What `read` returns, which opens the runs that it reads: called again where these were written meanwhile."""
    for _ in range(TRIES):
        with suppress(RewrittenError):
            return read()
    return read()


@dataclass
class RunFiles:
    """The files of one run, for one command.

    Attributes:
        folder: the run.
        writes: whether this command holds the run and writes to it.
    """

    folder: Path
    writes: bool = False
    _found: tuple[State, Manifest | None] | None = field(default=None, repr=False)
    _seen: dict[str, Content] = field(default_factory=dict, repr=False)
    _kept: dict[str, State] = field(default_factory=dict, repr=False)
    _lost: dict[str, Content] = field(default_factory=dict, repr=False)
    _written: set[str] = field(default_factory=set, repr=False)

    @property
    def manifest(self) -> Manifest | None:
        """What the files are; None where nothing was sealed yet, or, for a command that writes, it is damaged.

        Raises:
            RunError: it is damaged, or changed what was read.
        """
        path = self.folder / manifests.NAME
        state = state_of(path)
        if self._found is None or self._found[0] != state:
            try:
                manifest = manifests.read(self.folder)
            except ValueError as error:
                if not self.writes:
                    raise RunError(f"{path}: damaged ({error}); {AGAIN}, which writes it again") from error
                manifest = None
            self._found = state, manifest
            if manifest is not None and not self.writes:
                self._refuse_other(manifest)
        return self._found[1]

    def _refuse_other(self, manifest: Manifest) -> None:
        if other := [name for name, content in self._seen.items() if manifest.files.get(name, content) != content]:
            self._seen.clear()
            raise RewrittenError(
                f"{self.folder / other[0]}: was written again since it was read; open the run again, or run the same "
                "command again"
            )

    def lists(self, name: str) -> bool:
        """Whether the manifest has a file, and it was not removed by `mend`."""
        manifest = self.manifest
        return manifest is not None and name in manifest.files and name not in self._lost

    def check(self, name: str) -> Path:
        """The path of a file that is as it was written.

        Raises:
            RunError: it is missing, damaged, or not written to its end.
        """
        path, manifest = self.folder / name, self.manifest
        if manifest is not None and manifest.stage == "writing" and name not in BASE and not self.writes:
            manifest = self._waited()
        if manifest is None and not self.writes and (self.folder / "metrics.json").is_file():
            raise RunError(
                f"{self.folder / manifests.NAME}: missing, so that nothing says whether the run is whole; {AGAIN}, "
                "which writes it, and trains the cells again that lack theirs"
            )
        if not path.is_file() and (manifest is None or name not in manifest.files):
            raise RunError(f"{path}: missing, the run is not finished; {AGAIN} to resume")
        if manifest is None or (name not in manifest.files and manifest.stage != "complete"):
            if self.writes:
                return path
            raise RunError(f"{path}: the run is not finished; {AGAIN} to resume")
        if manifest.stage == "writing" and self.writes and name not in BASE:
            return path  # it is being written again
        if what := manifest.damage(self.folder, name):
            raise RunError(f"{path}: {what}; {self._way(name)}")
        self._seen[name] = manifest.files[name]
        return path

    def _waited(self) -> Manifest | None:
        """The manifest, when a command that writes has ended."""
        until = time.monotonic() + WAIT
        while (found := self.manifest) is not None and found.stage == "writing":
            held = is_held(self.folder / LOCK)
            if not held or time.monotonic() > until:
                way = f"{AGAIN}, or 'mien report {self.folder}'"
                what = "its results are being written" if held else "a command was ended while it wrote its results"
                raise RunError(f"{self.folder}: {what}; {'try again later' if held else way}")
            time.sleep(0.1)
        return found

    def _way(self, name: str) -> str:
        if name in BASE:
            return f"{AGAIN}, which makes it again"
        return EVALUATE if name.partition("/")[0] in MEASURED else REPORT.format(self.folder)

    @contextmanager
    def replaced(self, name: str) -> Iterator[Path]:
        """Yield a temporary file that replaces a file of the run, whole and where it differs.

        Raises:
            RunError: the file was damaged, and is not what it was.
        """
        path = self.folder / name

        def changes(temporary: Path) -> None:
            before = None if name == ENVIRONMENT else self._lost.get(name)  # versions and times may be others
            if before is not None and Content.of(temporary) != before:
                raise RunError(
                    f"{path}: was damaged or edited, and now it would be another one, of another experiment or corpus; "
                    "put it back, or choose another --out"
                )
            self.begin(name)

        with atomic(path, changes=changes) as temporary:
            yield temporary

    def begin(self, *names: str) -> None:
        """Say in the manifest, before it happens, that files are written; those of one result at once."""
        self._written.update(names)
        manifest = self.manifest
        if manifest is None or (manifest.stage != "complete" and not {*names} & {*manifest.files}):
            return
        stage = "writing" if manifest.stage == "complete" else manifest.stage
        left = {one: content for one, content in manifest.files.items() if one not in names}
        manifests.put(self.folder, Manifest(stage, left, manifest.of))

    def mend(self, *, base: bool = False) -> bool:
        """Remove files that are damaged and will be written again, each with a sentence.

        Args:
            base: whether this command writes those again as well that are there from the beginning.

        Returns:
            Whether results have to be made again: some are damaged, or a command was ended while it wrote them.

        Raises:
            RunError: nothing says what the files were, and this command does not write all of them.
        """
        manifest, path = self.manifest, self.folder / manifests.NAME
        if manifest is None:
            if not base:
                raise RunError(f"{path}: missing or damaged; {AGAIN}, which writes it again")
            if path.exists() or (self.folder / "metrics.json").is_file():
                say(f"{path}: {'damaged' if path.exists() else 'missing'}; it is made again")
            return False
        removed = False
        if manifest.stage == "writing":
            for name in self._measured():
                if name not in manifest.files:
                    say(f"{self.folder / name}: a command was ended while it wrote this; {EVALUATE}")
                    (self.folder / name).unlink()
        for name, what in manifest.damaged(self.folder).items():
            if (name in BASE and not base) or name.partition("/")[0] in (*MEASURED, CELLS):
                continue
            say(f"{self.folder / name}: {what}; it is made again")
            if name in BASE:
                self._lost[name] = manifest.files[name]
            else:
                self.begin(name)
                removed = True
            (self.folder / name).unlink(missing_ok=True)
        self._kept = {name: state_of(self.folder / name) for name in manifest.files}
        return removed or manifest.stage == "writing"

    def seal(self, stage: manifests.Stage = "complete", *, of: str = "") -> None:
        """Write the manifest: the end of writing, or with `training` of the files that are there from the beginning.

        Args:
            stage: what the manifest says.
            of: the digest of the run's settings, where the manifest has none yet.
        """
        before, of = ({}, of) if self.manifest is None else (self.manifest.files, self.manifest.of or of)
        names = self._every() if stage == "complete" else [name for name in BASE if (self.folder / name).is_file()]
        files = {
            name: before[name]
            if name in before and self._kept.get(name) == state_of(self.folder / name)
            else Content.of(self.folder / name)
            for name in sorted(names)
        }
        if self.manifest != (now := Manifest(stage, files, of)):
            manifests.put(self.folder, now)

    def _every(self) -> list[str]:
        """The files that are listed: of evaluations those that were, and those that this command wrote.

        Of cells it is their manifests, so that a cell that is gone is seen.
        """
        known = {*({} if self.manifest is None else self.manifest.files), *self._written}
        there = [name for name in (*BASE, *RESULTS) if (self.folder / name).is_file()]
        cells = [path.relative_to(self.folder).as_posix() for path in self.folder.glob(f"{CELLS}/*/*/{manifests.NAME}")]
        return there + cells + [name for name in self._measured() if name in known]

    def _measured(self) -> list[str]:
        inside = [path for name in MEASURED for path in (self.folder / name).rglob("*") if path.is_file()]
        names = [path.relative_to(self.folder).as_posix() for path in inside]
        return [name for name in names if not any(part.startswith(".") for part in name.split("/"))]

    def each_of(self, folder: str, file: str) -> dict[str, str]:
        """The results of `mien evaluate` of one kind, which may be damaged or missing: name of each -> its file.

        One whose folder is gone was taken away on purpose.

        Args:
            folder: one of `MEASURED`.
            file: of each, such as "metrics.json".
        """
        listed = [] if self.manifest is None else [name for name in self.manifest.files if name not in self._lost]
        there = [path.relative_to(self.folder).as_posix() for path in self.folder.glob(f"{folder}/[!.]*/{file}")]
        found = {Path(name) for name in (*listed, *there) if Path(name).match(f"{folder}/*/{file}")}
        return {one.parent.name: one.as_posix() for one in sorted(found) if (self.folder / one.parent).is_dir()}

    def whole(self, name: str) -> bool:
        """Whether a file is there as it was written."""
        manifest = self.manifest
        return manifest is not None and not manifest.damage(self.folder, name)
