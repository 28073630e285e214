"""A paper's figures, from an experiment's `reference:`, in the terms of our tables.

In the file a figure is `MODEL: {CORPUS: {UA test: 59.91}}`, or `MODEL: {UA test: 59.91}` where the corpus is not named,
in percent or as a fraction. Here it is a fraction and is called as ours: `uar test`, `wa validation`, `wa mean` (the
mean over fold models on another corpus). What has another name keeps it.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from mien.config import Experiment

RUN = ("validation", "test")
EVALUATION = ("mean", "min", "max")
NAMES = {"uar": "UAR", "wa": "WA"}


class Published(NamedTuple):
    """Figures that a paper gives of one model on one corpus.

    Attributes:
        paper: the paper's key.
        corpus: the corpus that they are of; empty where the experiment does not say.
        figures: name -> fraction; `uar delta` and `wa delta` are test minus validation, where both are there.
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
    found = [Published(experiment.paper, name, named(table)) for name, table in tables.items()]
    found = [one for one in found if any(figure.partition(" ")[2] in kinds for figure in one.figures)]
    return next((one for one in found if _plain(one.corpus) == _plain(corpus)), found[0] if found else None)


def named(table: Mapping[str, float]) -> dict[str, float]:
    """Figures as fractions by our names, with the deltas that follow from them."""
    found = {}
    for name, value in table.items():
        told = re.fullmatch(r"(uar?|wa|accuracy)[ _](val|dev|test|mean|min|max)\w*", name.lower())
        if told:
            kind = "validation" if told[2] in {"val", "dev"} else told[2]
            name = f"{'uar' if told[1] in {'ua', 'uar'} else 'wa'} {kind}"
        found[name] = value / 100 if abs(value) > 1 else value
    for measure in NAMES:
        if {f"{measure} validation", f"{measure} test"} <= set(found):
            found[f"{measure} delta"] = found[f"{measure} test"] - found[f"{measure} validation"]
    return found


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
