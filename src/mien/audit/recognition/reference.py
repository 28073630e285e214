"""A paper's figures, from an experiment's `reference:`, in the terms of our tables.

In the file a figure is `MODEL: {CORPUS: {UA test: 59.91}}`, or `MODEL: {UA test: 59.91}` where the corpus is not named,
in percent or as a fraction, all of a model's alike: where the size of one UA or WA is above 1.5, all are percent.
Here it is a fraction and is called as ours: `uar test`, `wa validation`, `wa delta` (test minus validation), `wa mean`
(the mean over fold models on another corpus). What has another name keeps it, and its value.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mien.audit.statistics.scores import SCORES
from mien.experiments.experiment import Experiment

RUN = ("validation", "test")
EVALUATION = ("mean", "min", "max")
NAMES = {name: measure.title for name, measure in SCORES.items()}
PERCENT = 1.5  # no fraction is above it


class Published(NamedTuple):
    """Figures that a paper gives of one model on one corpus.

    Attributes:
        paper: the paper's key.
        corpus: the corpus that they are of; empty where the experiment does not say.
        figures: name -> fraction; `uar delta` and `wa delta` as the paper gives them, else test minus validation where
            both are there.
    """

    paper: str
    corpus: str
    figures: dict[str, float]

    @property
    def source(self) -> str:
        """Paper and corpus, as a sentence has them."""
        return f"{self.paper} on {self.corpus}" if self.corpus else f"{self.paper}, on its own data"


def published(experiment: Experiment, model: str, kinds: tuple[str, ...], *, corpus: str = "") -> Published | None:
    """The paper's figures of one kind for one model.

    Args:
        experiment: whose `reference` is read.
        model: a model of it.
        kinds: `RUN` (figures on validation and test speakers) or `EVALUATION` (of fold models on another corpus).
        corpus: what the figures will stand beside; of several corpora of the paper the one of this name is taken, else
            the first.

    Returns:
        The figures, or None where the paper has none of that kind.
    """
    told = experiment.reference.get(model, {})
    loose = {name: value for name, value in told.items() if not isinstance(value, Mapping)}
    tables = {"": loose} | {name: dict(value) for name, value in told.items() if isinstance(value, Mapping)}
    figures = _named([*tables.values()])
    found = [Published(experiment.paper, name, one) for name, one in zip(tables, figures, strict=True)]
    found = [one for one in found if any(figure.partition(" ")[2] in kinds for figure in one.figures)]
    return next((one for one in found if _plain(one.corpus) == _plain(corpus)), found[0] if found else None)


def named(table: Mapping[str, float]) -> dict[str, float]:
    """Figures of one table as fractions by our names, with the deltas that follow from them."""
    return _named([table])[0]


def _named(tables: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """The tables of one model, which are all in percent or all fractions."""
    ours = [{_name(name): value for name, value in table.items()} for table in tables]
    sizes = [abs(value) for table in ours for name, value in table.items() if name.partition(" ")[0] in NAMES]
    unit = 100 if max(sizes, default=0) > PERCENT else 1
    found = []
    for table in ours:
        figures = {name: value / unit if name.partition(" ")[0] in NAMES else value for name, value in table.items()}
        for measure in NAMES:
            if {f"{measure} validation", f"{measure} test"} <= set(figures):
                delta = figures[f"{measure} test"] - figures[f"{measure} validation"]
                figures.setdefault(f"{measure} delta", delta)
        found.append(figures)
    return found


def _name(name: str) -> str:
    """The name of a figure as ours, or as it is."""
    told = re.fullmatch(r"(uar?|wa|accuracy)[ _](val|dev|test|delta|mean|min|max)\w*", name.lower())
    if not told:
        return name
    return f"{'uar' if told[1] in {'ua', 'uar'} else 'wa'} {'validation' if told[2] in {'val', 'dev'} else told[2]}"


def sentence(reference: Published | None, measures: tuple[str, ...], kinds: tuple[str, ...]) -> str:
    """The figures in one line for a terminal, or nothing: `Li et al. 2020 on IEMOCAP: test UAR 0.599`."""
    figures = {} if reference is None else reference.figures
    parts = [
        f"{kind} {NAMES[measure]} {figures[f'{measure} {kind}']:.3f}"
        for measure in measures
        for kind in kinds
        if f"{measure} {kind}" in figures
    ]
    return f"{reference.source}: {', '.join(parts)}" if reference is not None and parts else ""


def _plain(name: str) -> str:
    return re.sub(r"\W|_", "", name).casefold()
