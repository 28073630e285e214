"""The corpus of a run, in the PREPARED folder that its experiment names, or where it was moved to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mien import experiments
from mien.data.joined import Joined
from mien.errors import ConfigError, CorpusError, RunError
from mien.runs.run import Run

KEY = "data.prepared"


def moved(run: Run, overrides: Sequence[str]) -> Run:
    """The run with its corpus at another place; the run's files stay as they are.

    Args:
        run: as it was trained.
        overrides: `data.prepared=PREPARED`, or `data.prepared.NAME=PREPARED` for one of several; none keeps the run.

    Raises:
        ConfigError: another setting, which a trained run cannot change, or a wrong value.
    """
    if strange := [one for one in overrides if one.partition("=")[0] != KEY and not one.startswith(f"{KEY}.")]:
        raise ConfigError(f"'{strange[0]}': of a trained run only the place of its corpus can be given: {KEY}=PREPARED")
    return replace(run, experiment=experiments.load(run.folder / "experiment.yaml", overrides)) if overrides else run


def open_corpus(run: Run) -> Joined:
    """Open the corpus that a run was trained on.

    Raises:
        CorpusError: it is no longer there, or damaged.
        RunError: the experiment names none, or another corpus is there.
    """
    place = run.experiment.data.prepared
    if place is None:
        raise RunError(f"{run.folder}: its experiment names no PREPARED folder; give it: {KEY}=PREPARED")
    for name, folder in place.items() if isinstance(place, dict) else [("", place)]:
        if not (Path(folder) / "card.json").is_file():
            key = f"{KEY}.{name}" if name else KEY
            raise CorpusError(
                f"{folder}: the corpus that {run.folder} was trained on is no longer there; if it was moved, give its "
                f"new place to the same command: {key}=PREPARED"
            )
    corpus = Joined.open(place, run.cache)
    if corpus.card["hash"] != run.certificate["corpus_hash"]:
        raise RunError(
            f"{corpus.place}: holds another corpus than {run.folder} was trained on; give the place of that one: "
            f"{KEY}=PREPARED"
        )
    return corpus
