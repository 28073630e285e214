"""The run folder: written by `train`, read by `evaluate`, `predict`, `audit` and `report`.

A missing or damaged file raises RunError with its path, and no other error. A Run reads a table or a JSON file once,
and again when it was written since. Before that it is compared with the manifest that is written last in the run, and
in the folder of each cell (`common.manifests`): a file that is not as it was written is refused. Files of the run are
written by its methods alone, which leave a file as it is where nothing changed, and say in the manifest, before the
first one changes, that results are being written; `seal` ends that.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from safetensors import safe_open

from mien import experiments
from mien.common import manifests
from mien.common.cells import text_of
from mien.common.files import State, atomic, contents, require_folder, state_of
from mien.common.leakage_tables import LEAKAGE, NAMES, RECALLS, SILHOUETTES
from mien.common.manifests import Manifest
from mien.common.settings import difference, digest
from mien.common.tensor_files import in_order, parts
from mien.data.prepared import OF_ANYBODY
from mien.data.protocols import PARTS
from mien.data.targets import Target
from mien.errors import RunError
from mien.experiments.experiment import Experiment
from mien.runs.run_files import EVALUATE, EXPERIMENT, REPORT, SPLITS, RunFiles
from mien.runs.tables import AGAIN, read_leakage, read_predictions, read_table, reading

CLIPS = ("clip", "file", "speaker", "label")
CANDIDATES = "candidates"  # folder in that of a cell
ROBUSTNESS = "robustness"  # folder in the run: answers with a part of the input missing
AFFINE = "affine.json"  # file in the folder of an evaluation: affine maps to the classes of another corpus
FEATURES = "features"  # folder in the run: see `Run.cache`
TARGETS = "targets"  # key in the metadata of the weights: factor -> how its labels are encoded
ANEW = "train it again in another folder"
# settings without effect on training
WORDS = ("title", "paper", "command", "cost", "expected", "corpus", "provenance", "reference", "axes", "claims")
SCORED = "auc_classes"  # likewise, but a setting of scores
SPEAKERS = ("model", "split", "speaker", "clips")
MAPS = ("model", "embedding", "fold", "seed", "clip", "split", "speaker", "label", "x", "y")
ROC = ("model", "different", "same", "folds")
ABSTENTION = ("model", "coverage", "accuracy")
SWEEP = ("group", "label", "model", "base", "best")
RESULT_TABLES = ("folds.csv", "speakers.csv", "abstention.csv", "silhouettes.csv", "maps.csv", "roc.csv")
T = TypeVar("T")


class Cell(NamedTuple):
    """One model on one fold with one seed, and its folder."""

    model: str
    fold: int
    seed: int
    folder: Path
    of: str = ""  # a digest of these, and of the run's settings and the clips of the fold, see `Run.cell`

    @property
    def name(self) -> str:
        """Its name in errors: the model, fold and seed, and the label of a candidate."""
        cell = f"{self.model}, fold-{self.fold}-seed-{self.seed}"
        return f"{cell}, {self.folder.name}" if self.folder.parent.name == CANDIDATES else cell

    def place(self, split: str) -> dict[str, object]:
        """The columns `model, fold, seed, split` of a row, for a part of its fold."""
        return {"model": self.model, "fold": self.fold, "seed": self.seed, "split": split}

    @property
    def weights(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / "weights.safetensors"

    @property
    def state(self) -> Path:
        """The state of an unfinished training."""
        return self.folder / "state.pt"

    @property
    def history(self) -> Path:
        """One line an epoch, in JSON."""
        return self.folder / "history.jsonl"

    @property
    def choice(self) -> Path:
        """What was chosen for it, see `runs.choice`."""
        return self.folder / "chosen.json"

    def candidate(self, label: str) -> "Cell":
        """One of its candidates, which are trained below it and have no predictions of their own."""
        return self._replace(folder=self.folder / CANDIDATES / label, of=digest([self.of, label]))

    @property
    def manifest(self) -> Manifest | None:
        """What its files are; None for a cell that is not finished, or whose manifest is damaged or of another one."""
        try:
            found = manifests.read(self.folder)
        except ValueError:
            return None
        return found if found is not None and found.of == self.of else None

    @property
    def finished(self) -> bool:
        """Whether the cell was trained to its end, when its manifest was written; files may be damaged since."""
        return self.manifest is not None

    def checked(self, path: Path) -> Path:
        """A file in its folder, which is as it was written.

        Raises:
            RunError: it is missing or damaged, or the cell is not finished.
        """
        if (manifest := self.manifest) is None:
            raise RunError(f"{self.folder}: this cell is not finished; {AGAIN} to resume")
        if what := manifest.damage(self.folder, path.relative_to(self.folder).as_posix()):
            raise RunError(f"{path}: {what}; {AGAIN}, which trains this cell again")
        return path

    @property
    def damaged(self) -> dict[str, str]:
        """Path -> what is wrong with it, of the files of a finished cell that are not as they were written."""
        if (manifest := self.manifest) is not None:
            found = manifest.damaged(self.folder)
            return {str(self.folder / name): what for name, what in found.items()}
        path = self.folder / manifests.NAME
        if path.exists():
            return {str(path): self._wrong}
        return {str(path): "missing"} if self.weights.exists() and not self.state.exists() else {}

    @property
    def _wrong(self) -> str:
        """What is wrong with a manifest that is there, and not that of this cell."""
        try:
            manifests.read(self.folder)
        except ValueError as error:
            return f"damaged: {error}"
        return "is that of another model, fold, seed, experiment or corpus"

    def seal(self, *names: str) -> None:
        """Write the manifest of these files in its folder; the cell, or candidate, is finished."""
        manifests.write(self.folder, names, of=self.of)

    def begin_again(self) -> None:
        """Forget that it was finished, so that it is trained from its beginning."""
        (self.folder / manifests.NAME).unlink(missing_ok=True)
        self.state.unlink(missing_ok=True)


@dataclass(frozen=True)
class Run:
    """A run folder and the resolved experiment in it.

    Attributes:
        folder: the run folder.
        experiment: as it was resolved.
        writes: whether this command holds the folder and writes to it.
    """

    folder: Path
    experiment: Experiment
    writes: bool = False
    _known: dict[tuple[Path, ...], tuple[list[State], Any]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def files(self) -> RunFiles:
        """Its files beside those of the cells."""
        return RunFiles(self.folder, self.writes)

    @staticmethod
    def start(folder: Path, experiment: Experiment) -> "Run":
        """Open a run to write or resume, as `begin` does."""
        run = Run(folder, experiment, writes=True)
        run.begin()
        return run

    def begin(self) -> None:
        """Write the experiment; raises as `refuse_other` does.

        Settings without effect on training (`WORDS`) and the PREPARED folder are written again where they differ.
        """
        self.refuse_other()
        resolved = self.experiment.model_dump(mode="json")
        self.write_text(EXPERIMENT, yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True, width=120))

    def refuse_other(self) -> None:
        """Check that a run of the experiment can be written to the folder.

        The PREPARED folder may be another one: who goes on compares what lies there, see `mien.audit.splits.resumed`.

        Raises:
            ConfigError: nothing can be written there.
            RunError: the folder holds another experiment, or something else.
        """
        folder, experiment, manifest = self.folder, self.experiment, self.files.manifest
        require_folder(folder)
        if (folder / EXPERIMENT).exists():
            there = Run.open(folder, writes=True).experiment.model_dump(mode="json")
            resolved = experiment.model_dump(mode="json")
            there["data"]["prepared"] = resolved["data"]["prepared"]
            if changed := difference(there | {name: resolved[name] for name in (*WORDS, SCORED)}, resolved):
                key, before, now = changed
                raise RunError(
                    f"{folder}: holds another experiment: {key} was {before} and is now {now}; choose another --out"
                )
        elif {*contents(folder)} - {FEATURES} and (manifest is None or EXPERIMENT not in manifest.files):
            raise RunError(f"{folder}: is not empty and is not a run; choose another --out")

    @staticmethod
    def open(folder: Path | str, *, writes: bool = False) -> "Run":
        """Open a run.

        Args:
            folder: the run folder.
            writes: whether this command holds it and writes to it.

        Raises:
            RunError: the folder is not a run, or its experiment is damaged.
        """
        folder = Path(folder)
        path = folder / EXPERIMENT
        if not path.is_file():
            raise RunError(f"{folder}: not a run folder (no experiment.yaml in it); 'mien train' makes one")
        written = path.read_bytes()
        if b"\nrecipe:" in written and b"\ntarget:" not in written:
            raise RunError(f"{folder}: was made by an older mien with other names of settings and columns; {ANEW}")
        RunFiles(folder, writes).check(EXPERIMENT)
        return Run(folder, experiments.load(path), writes)

    @property
    def cache(self) -> Path:
        """The folder of features that are needed here and that a PREPARED folder, which is read only, cannot take."""
        return self.folder / FEATURES

    @property
    def title(self) -> str:
        """The experiment's title; it names the corpus, where that is not the one that the experiment is made for."""
        own, corpus = self.experiment, self.corpus
        if own.reader is None:
            named = all(name in own.title.lower() for name in corpus.lower().split("+"))
            return own.title if named else f"{own.title}, on {corpus}"
        return own.title if self._made_for_it else f"The experiment of {own.reader} on {corpus}: {own.title}"

    @property
    def corpus(self) -> str:
        """The corpus's name; a user's own one, which has none, is called like its PREPARED folder."""
        name, prepared = str(self.certificate["corpus"]), self.experiment.data.prepared
        return Path(prepared).name if name in OF_ANYBODY and isinstance(prepared, str) else name

    @property
    def as_written(self) -> bool:
        """Whether the experiment was run as its file has it, on the corpus that it is made for."""
        command, own = str(self.environment.get("command", self.experiment.command)), self.experiment.command
        by_name = "changed" in self.environment and bool(
            set(command.split()[2:3]) & set(own.split())
        )  # as by `mien demo`
        return self._made_for_it and not self.changed and (command == own or by_name)

    @property
    def _made_for_it(self) -> bool:
        return self.experiment.reader in (None, self.certificate["corpus"])

    @property
    def changed(self) -> dict[str, Any]:
        """Dotted setting -> its value in the experiment, of those that overrides have changed."""
        return dict(self.environment.get("changed", {}))

    @property
    def folds(self) -> int:
        """The number of folds that the protocol has; those that are trained are `splits`."""
        found = self._mapping("splits.json", "folds")
        return int(found.get("of", len(found["folds"])))

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the main target, in order; none where it is a number."""
        return self.experiment.classes

    @property
    def target(self) -> str:
        """The main target."""
        return self.experiment.target

    def experiment_of(self, model: str) -> Experiment:
        """The experiment that a model is trained under: the run's own, or that of a variant."""
        return self.experiment.trained[model]

    def attempt(self, cell: Cell) -> str:
        """The name of what became a finished cell in `Experiment.attempts`: its model, or MODEL/LABEL of a candidate.

        Raises:
            RunError: there is no record of what was chosen for it, or the record is of another choice.
        """
        if cell.model not in self.experiment.candidates:
            return cell.model
        label = str(self.choice(cell)["chosen"])
        if (name := f"{cell.model}/{label}") not in self.experiment.attempts:
            raise RunError(
                f"{cell.choice}: '{label}' is no candidate of {cell.model}; delete {cell.folder} and {AGAIN}"
            )
        return name

    @property
    def chosen(self) -> list[dict[str, Any]]:
        """What was chosen: `model, fold, seed` of each finished cell with candidates, and the keys of `choice`."""
        cells = [cell for cell in self.cells if cell.model in self.experiment.candidates]
        return [{"model": cell.model, "fold": cell.fold, "seed": cell.seed} | self.choice(cell) for cell in cells]

    def experiment_at(self, cell: Cell) -> Experiment:
        """The experiment that a finished cell is trained under: that of its model, with what was chosen for it."""
        return self.experiment.attempts[self.attempt(cell)][1]

    def choice(self, cell: Cell) -> dict[str, Any]:
        """What was chosen for a finished cell of a model with candidates, as `runs.choice` writes it."""
        path = cell.checked(cell.choice)
        return self._read(path, "measure", "chosen", "candidates", way=f"delete {cell.folder} and {AGAIN}")

    def cell(self, model: str, fold: int, seed: int) -> Cell:
        """The cell of a model, a fold and a seed, finished or not."""
        place = self.folder / "models" / model / f"fold-{fold}-seed-{seed}"
        clips = self._clips_of.get(fold) if (self.folder / SPLITS).is_file() else None
        return Cell(model, fold, seed, place, digest([self.of, clips, model, fold, seed]))

    @property
    def of(self) -> str:
        """A digest of the settings that it was begun with, without those that have no effect on training."""
        manifest = self.files.manifest
        return self._settings if manifest is None or not manifest.of else manifest.of

    @cached_property
    def _settings(self) -> str:
        dumped = self.experiment.model_dump(mode="json")
        dumped["data"].pop("prepared")
        return digest({name: value for name, value in dumped.items() if name not in (*WORDS, SCORED)})

    @cached_property
    def _clips_of(self) -> dict[int, str]:
        """Fold -> a digest of the clips of its parts."""
        return {fold["fold"]: digest([fold[part]["clips"] for part in PARTS]) for fold in self.splits}

    @property
    def cells(self) -> list[Cell]:
        """The finished cells, in the order of models, folds and seeds."""
        return [cell for cell in self.planned if self._finished(cell)]

    @property
    def planned(self) -> list[Cell]:
        """The cells, finished or not, in the order of models, folds and seeds."""
        return [
            self.cell(model, fold["fold"], seed)
            for model in self.experiment.trained
            for fold in self.splits
            for seed in self.experiment.seeds
        ]

    def refuse_damaged_cells(self) -> None:
        """Raise RunError where a cell would count as unfinished: its manifest is damaged, or it is gone."""
        for cell in self.planned:
            if cell.manifest is None and (damaged := cell.damaged):
                path, what = next(iter(damaged.items()))
                raise RunError(f"{path}: {what}; {AGAIN}, which trains this cell again")
            if not cell.finished and self.files.lists(
                f"{cell.folder.relative_to(self.folder).as_posix()}/{manifests.NAME}"
            ):
                raise RunError(f"{cell.folder}: missing; {AGAIN}, which trains this cell again")

    def require_cells(self) -> list[Cell]:
        """The finished cells; raises RunError when there is none."""
        if not (cells := self.cells):
            raise RunError(f"{self.folder}: none of its models is finished; {AGAIN} to resume")
        return cells

    @cached_property
    def splits(self) -> list[dict[str, Any]]:
        """The folds: for each, `fold` and the speakers and clips of train, validation and test."""
        with reading(self.folder / "splits.json"):
            folds: list[dict[str, Any]] = self._mapping("splits.json", "folds")["folds"]
            for fold in folds:
                _ = (fold["fold"], *((fold[part]["speakers"], fold[part]["clips"]) for part in PARTS))
            return folds

    def trained_on(self, cell: Cell) -> list[str]:
        """The clips of its fold that a cell was trained on: those that `data.labelled` takes away are none of them."""
        data, seed = self.experiment_of(cell.model).data, str(cell.seed)
        with reading(self.folder / "splits.json"):
            (fold,) = [fold for fold in self.splits if fold["fold"] == cell.fold]
            left = data.labelled < 1 and data.unlabelled == "leave out"
            return list(fold["labelled"][str(data.labelled)][seed] if left else fold["train"]["clips"])

    @cached_property
    def units(self) -> dict[int, int]:
        """Fold -> its unit, the first fold of it; units are resampled as independent.

        Folds are of one unit if they train on the same speakers, or test a speaker in common, as random splits do. Then
        an interval over units is not known where there are too few of them (`audit.run_leakage.summary`).
        """
        found: dict[int, int] = {}
        seen: list[tuple[int, frozenset[str], set[str]]] = []
        for fold in self.splits:
            number, trained, tested = fold["fold"], frozenset(fold["train"]["speakers"]), set(fold["test"]["speakers"])
            joined = {found[other] for other, same, others in seen if same == trained or others & tested}
            unit = next((own for own in found.values() if own in joined), number)
            found = {other: unit if own in joined else own for other, own in found.items()} | {number: unit}
            seen.append((number, trained, tested))
        return found

    @cached_property
    def clips(self) -> pd.DataFrame:
        """The clips used, indexed by clip: the corpus's columns and `label`; where that differs by fold, a number."""
        own = self.experiment
        text = () if own.kind == "numbers" or own.by_fold else ("label",)
        return read_table(self._file("clips.csv"), CLIPS, text=text).set_index("clip", drop=False)

    @property
    def named(self) -> bool:
        """Whether labelled clips have speakers; if not, clips take their place in intervals (`common.units`)."""
        return bool(self.clips["speaker"][self.clips["label"].notna()].notna().any())

    @property
    def predictions(self) -> pd.DataFrame:
        """Validation and test predictions of every finished cell; the main target is the column `truth`."""
        path = self._file("predictions.csv")
        return self._table(path, lambda: read_predictions(path, self.target, self.classes))

    @property
    def tasks(self) -> pd.DataFrame | None:
        """Predictions of other factors than the main target; None where there are none."""
        return self._optional("tasks.csv", ("clip", "factor", "truth", "predicted"))

    @property
    def leakage(self) -> pd.DataFrame | None:
        """How much the embeddings reveal about the speaker and other factors, or None where it was not measured."""
        return self._leakage("leakage.csv", LEAKAGE)

    @property
    def leakage_by_speaker(self) -> pd.DataFrame | None:
        """The recall of each speaker by each probe, or None where it was not measured."""
        return self._leakage("leakage_by_speaker.csv", RECALLS)

    @property
    def leakage_summary(self) -> pd.DataFrame | None:
        """The leakage over folds and seeds, `parts` as tuples of numbers, or None where it was not measured."""
        columns = (*NAMES, "factor", "role", "measure", "probe", "score", "p_corrected", "parts")
        table = self._leakage("leakage_summary.csv", columns, text=("model", "classes"))
        if table is None:
            return None
        with reading(self.folder / "leakage_summary.csv"):
            parts = [tuple(map(float, str(each).split())) for each in table["parts"]]
        return table.assign(parts=pd.Series(parts, table.index, object))

    @property
    def speakers(self) -> pd.DataFrame | None:
        """The scores of each model by speaker, or None where they were not written."""
        return self._optional("speakers.csv", SPEAKERS, text=("model",))

    @property
    def maps(self) -> pd.DataFrame | None:
        """Embeddings of two unseen speakers in the plane, or None where they were not written."""
        return self._optional("maps.csv", MAPS, text=("model", "label"))

    @property
    def roc(self) -> pd.DataFrame | None:
        """The ROC of speaker verification on unseen speakers, or None where it was not written."""
        return self._optional("roc.csv", ROC, text=("model",))

    @property
    def abstention(self) -> pd.DataFrame | None:
        """The accuracy of each model over the share of clips that it answers, or None where it was not written."""
        return self._optional("abstention.csv", ABSTENTION, text=("model",))

    @property
    def sweep(self) -> pd.DataFrame | None:
        """The scores of the points of the grid, or None where they were not written."""
        return self._optional("sweep.csv", SWEEP, text=("group", "label", "model", "base"))

    @property
    def silhouettes(self) -> pd.DataFrame | None:
        """Silhouette scores of emotions and speakers in the embeddings, or None where they were not measured."""
        return self._optional("silhouettes.csv", SILHOUETTES)

    @property
    def evaluations(self) -> dict[str, dict[str, Any]]:
        """Scores on other corpora: name of the evaluation -> its metrics, sorted by name."""
        return {
            name: self._mapping(path, "models", way=EVALUATE)
            for name, path in self.files.each_of("evaluations", "metrics.json").items()
        }

    @property
    def affine(self) -> dict[str, dict[str, Any]]:
        """Affine maps to the classes of other corpora: name of the evaluation -> `affine.json`, sorted by name."""
        return {
            name: self._mapping(path, "systems", way=EVALUATE)
            for name, path in self.files.each_of("evaluations", AFFINE).items()
        }

    @property
    def robustness(self) -> dict[str, dict[str, Any]]:
        """Answers with a part of the input missing: name of the grid -> its metrics, sorted by name."""
        return {
            name: self._mapping(path, "models", way=EVALUATE)
            for name, path in self.files.each_of(ROBUSTNESS, "metrics.json").items()
        }

    def robustness_table(self, name: str, file: str) -> pd.DataFrame:
        """A table of the answers with a part of the input missing, `conditions.csv` or `graceful.csv`.

        Args:
            name: of the grid.
            file: the table's.
        """
        path = self._file(f"{ROBUSTNESS}/{name}/{file}")
        text = ("model", "other", "modality", "pattern", "measure", "shares", "graceful")
        table = self._table(path, lambda: read_table(path, ("model", "pattern"), text=text, way=EVALUATE))
        words = [column for column in text if column in table]
        return table.fillna(dict.fromkeys(words, ""))

    def evaluated(self, name: str, kind: str = "evaluations") -> list[tuple[str, int, int]] | None:
        """Model, fold and seed of the cells that were evaluated, or None where that is not known.

        Args:
            name: of the evaluation.
            kind: the folder in the run where it is.
        """
        columns = ["model", "fold", "seed"]
        table = self._optional(f"{kind}/{name}/folds.csv", columns)
        if table is None:
            return None
        table = table[columns].drop_duplicates()
        return [(str(model), int(fold), int(seed)) for model, fold, seed in table.itertuples(index=False)]

    @property
    def metrics(self) -> dict[str, Any]:
        """The scores."""
        return self._mapping("metrics.json", "models")

    @property
    def claims(self) -> dict[str, Any] | None:
        """The claims of the experiment with their answers, or None where they were not answered."""
        if not self.has("claims.json"):
            return None
        return self._mapping("claims.json", "claims", "scores", "split", way=REPORT.format(self.folder))

    @property
    def lacking(self) -> list[str]:
        """The files of results, beside `metrics.json`, that a run such as this has and this one lacks."""
        names = [*RESULT_TABLES]
        names += ["leakage_summary.csv"] if (self.folder / "leakage.csv").exists() else []
        names += ["sweep.csv"] if self.experiment.grid else []
        names += ["claims.json"] if self.experiment.claims else []
        return [name for name in names if not (self.folder / name).is_file()]

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, machine, commit."""
        return self._mapping("environment.json")

    @property
    def certificate(self) -> dict[str, Any]:
        """The certificate of the split: hashes of files and split, and the findings."""
        return self._mapping(
            "certificate.json", "corpus", "corpus_hash", "files", "split", "findings", "left_out", "notes"
        )

    @property
    def marks(self) -> list[str]:
        """Sentences on leaks that the experiment accepted, to be quoted with every score; empty without any."""
        return list(self.certificate.get("marks", ()))

    def history(self, cell: Cell) -> pd.DataFrame:
        """The training history, one row per epoch."""
        path = cell.checked(cell.history)
        with reading(path, way=f"delete {cell.folder} and {AGAIN}"):
            history = pd.read_json(path, lines=True)
            if "epoch" not in history:
                raise ValueError("no key 'epoch'")
            return history

    def embeddings(self, cell: Cell) -> tuple[pd.DataFrame, dict[str, NDArray[np.float32]]]:
        """The embeddings of all clips of a cell: (clip, split and the columns of `clips`), name -> n x D."""
        clips, path = self.clips, cell.checked(cell.folder / "embeddings.safetensors")
        with reading(path):
            with safe_open(path, "numpy") as file:
                head = file.metadata() or {}
                values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            names = json.loads(head["clips"])
            if wrong := [name for name, value in values.items() if len(value) != len(names)]:
                raise ValueError(f"'{wrong[0]}' has {len(values[wrong[0]])} rows for {len(names)} clips")
            table = clips.loc[names].drop(columns="split", errors="ignore").reset_index(drop=True)
            table.insert(1, "split", json.loads(head["splits"]))
            return self._labelled(cell, table), values

    def targets_of(self, cell: Cell) -> dict[str, Target]:
        """Factor -> how the labels of a finished cell are encoded, as fitted on its training clips."""
        with reading(cell.weights), safe_open(cell.checked(cell.weights), "numpy") as file:
            raw = json.loads((file.metadata() or {})[TARGETS])
            return {factor: Target.of_plain(one) for factor, one in raw.items()}

    def _labelled(self, cell: Cell, table: pd.DataFrame) -> pd.DataFrame:
        """The clips of a cell with its own labels, where they are fitted on its training clips."""
        if not self.experiment.by_fold:
            return table
        return table.assign(label=self.targets_of(cell)[self.target].truth(table))

    def write_embeddings(
        self, cell: Cell, clips: list[str], splits: list[str], values: dict[str, NDArray[np.float32]]
    ) -> None:
        """Write the file that `embeddings` reads."""
        tensors = {name: np.ascontiguousarray(value) for name, value in values.items()}
        about = {"clips": json.dumps(clips), "splits": json.dumps(splits)}
        with atomic(cell.folder / "embeddings.safetensors") as temporary, temporary.open("wb") as file:
            file.writelines(parts(*in_order(tensors, about)))

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a CSV of the run, atomically."""
        self.write_text(name, text_of(table))

    def write_predictions(self, table: pd.DataFrame, name: str = "predictions.csv") -> None:
        """Write predictions of the run or of an evaluation; the column `truth` is named after the main target."""
        self.write_table(name, table.rename(columns={"truth": self.target}))

    def write_json(self, name: str, value: object) -> None:
        """Write a JSON file of the run, atomically; ValueError for nan and infinity."""
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file of the run, atomically, in UTF-8."""
        with self.files.replaced(name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")

    def has(self, name: str) -> bool:
        """Whether the run has a file, which may be damaged."""
        return (self.folder / name).is_file() or self.files.lists(name)

    def _file(self, name: str) -> Path:
        return self.files.check(name)

    def _optional(self, name: str, columns: Sequence[str], *, text: Sequence[str] = ()) -> pd.DataFrame | None:
        """A table that not every run has; the columns `text` are read as text."""
        if not self.has(name):
            return None
        path = self._file(name)
        return self._table(path, lambda: read_table(path, columns, text=text))

    def _leakage(self, name: str, columns: Sequence[str], *, text: Sequence[str] = ()) -> pd.DataFrame | None:
        if not self.has(name):
            return None
        path = self._file(name)
        return self._table(path, lambda: read_leakage(path, columns, text=text))

    def _table(self, path: Path, read: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        return self._once((path,), read).copy(deep=False)  # pandas copies a column when a caller writes to it

    def _mapping(self, name: str, *keys: str, way: str = f"delete it and {AGAIN}") -> dict[str, Any]:
        """Read a JSON file that must have these keys."""
        return self._read(self._file(name), *keys, way=way)

    def _read(self, path: Path, *keys: str, way: str) -> dict[str, Any]:
        with reading(path, way=way):
            values: dict[str, Any] = json.loads(self._once((path,), lambda: path.read_text(encoding="utf-8")))
            if not isinstance(values, dict):
                raise ValueError("not a mapping")
            if missing := [key for key in keys if key not in values]:
                raise ValueError(f"no key '{missing[0]}'")
            return values

    def _finished(self, cell: Cell) -> bool:
        return self._once((cell.folder / manifests.NAME,), lambda: cell.finished)

    def _once(self, paths: tuple[Path, ...], read: Callable[[], T]) -> T:
        """The value of `read`, which is kept until one of the files is written again."""
        states = [state_of(path) for path in paths]
        before, value = self._known.get(paths, (None, None))
        if before != states:
            value = read()
            self._known[paths] = states, value
        return cast(T, value)
