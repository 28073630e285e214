"""The published scores of a paper, from `reference:` of an experiment file, under the names of our tables.

In the file a score is `MODEL: {CORPUS: {UA test: 59.91}}`, or `MODEL: {UA test: 59.91}` if the corpus is not named. All
scores of a model are either percent or fractions: if one UA or WA is above 1.5 in size, all are percent. Here scores
are fractions and have our names: `uar test`, `wa validation`, `wa delta` (test minus validation), `wa mean` (the mean
over fold models on another corpus). Scores under any other name keep their name and value.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mien.common.measures import MEASURES
from mien.experiments.experiment import Experiment

RUN = ("validation", "test")
EVALUATION = ("mean", "min", "max")
NAMES = {name: MEASURES[name].title for name in ("uar", "wa")}
PERCENT = 1.5  # fractions are below it


class Published(NamedTuple):
    """The scores that a paper reports of one model on one corpus.

    Attributes:
        paper: the citation.
        corpus: the corpus; empty if the experiment does not name it.
        figures: name -> fraction; `uar delta` and `wa delta` as the paper reports them, otherwise test minus validation
            if both are given.
    """

    paper: str
    corpus: str
    figures: dict[str, float]

    @property
    def source(self) -> str:
        """Paper and corpus, for use in a sentence."""
        return f"{self.paper} on {self.corpus}" if self.corpus else f"{self.paper}, on its own data"


def published(experiment: Experiment, model: str, kinds: tuple[str, ...], *, corpus: str = "") -> Published | None:
    """The published scores of one kind for one model.

    Args:
        experiment: the experiment with the `reference`.
        model: a model of it.
        kinds: `RUN` (scores on validation and test speakers) or `EVALUATION` (of fold models on another corpus).
        corpus: the corpus of the scores to compare with. If the paper reports several corpora, the one of this name is
            taken, otherwise the first.

    Returns:
        The scores, or None if the paper reports none of that kind.
    """
    reported = experiment.reference.get(model, {})
    loose = {name: value for name, value in reported.items() if not isinstance(value, Mapping)}
    tables = {"": loose} | {name: dict(value) for name, value in reported.items() if isinstance(value, Mapping)}
    figures = _named([*tables.values()])
    found = [Published(experiment.paper, name, one) for name, one in zip(tables, figures, strict=True)]
    found = [one for one in found if any(figure.partition(" ")[2] in kinds for figure in one.figures)]
    return next((one for one in found if _plain(one.corpus) == _plain(corpus)), found[0] if found else None)


def named(table: Mapping[str, float]) -> dict[str, float]:
    """The scores of one table as fractions under our names, with the deltas computed from them."""
    return _named([table])[0]


def _named(tables: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """The tables of one model, which are all percent or all fractions."""
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
    """Our name of a score, or its own name if we have none."""
    parts = re.fullmatch(r"(uar?|wa|accuracy)[ _](val|dev|test|delta|mean|min|max)\w*", name.lower())
    if not parts:
        return name
    return f"{'uar' if parts[1] in {'ua', 'uar'} else 'wa'} {'validation' if parts[2] in {'val', 'dev'} else parts[2]}"


def others(experiment: Experiment, model: str, word: str) -> str:
    """The figures of a model under names of the file's own in which a word stands; empty for none.

    Args:
        experiment: with the `reference`.
        model: a model of it.
        word: such as AUC, for areas, or affine.
    """
    found = []
    for corpus, own in experiment.reference.get(model, {}).items():
        table = own if isinstance(own, Mapping) else {corpus: own}
        figures = [f"{name} {value:g}" for name, value in table.items() if word in name and _name(name) == name]
        if figures:
            found.append(f"{corpus}: {', '.join(figures)}" if isinstance(own, Mapping) else figures[0])
    return "; ".join(found)


def sentence(reference: Published | None, measures: tuple[str, ...], kinds: tuple[str, ...]) -> str:
    """The scores in one line for a terminal, empty without any: `Li et al. 2020 on IEMOCAP: test UAR 0.599`."""
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
