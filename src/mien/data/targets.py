"""Targets: what is predicted of a clip, or removed from an embedding, and how columns of a table become labels.

A target is a factor of one of three kinds:

- *classes*: one of K names; a label is int64, -1 where it is not known;
- *soft*: a distribution over K names, such as the votes of listeners, or the softmax of the logits of another model; a
  label is K floats that sum to 1, nan where it is not known;
- *numbers*: K numbers, such as valence; a label is K floats in units of the training clips' standard deviation from
  their mean, nan where it is not known.

*Levels* are classes that are derived from a number: equal shares of the training clips, by their quantiles, or by given
limits. A value on a quantile is of the upper level; a value on a given limit is of the lower one, as in Table I of Rana
et al. 2019: [1, 2], (2, 3.5], (3.5, 5].

*Clusters* are classes that are derived from several numbers: k-means of the training clips, and each clip is of the
cluster with the nearest midpoint (`data.clusters`). Clusters are numbered by the first column of their midpoints, of
equal ones by the next.

What is fitted on training clips (the classes of a factor, mean and deviation, the quantiles of levels, the midpoints of
clusters) is kept with the weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from scipy.special import softmax
from torch import Tensor

from mien.common.measures import MEASURES
from mien.common.settings import Settings
from mien.corpora.columns import as_given, unread_emotions
from mien.corpora.corpus import COLUMNS, fractions
from mien.corpora.schemes import Scheme, apply
from mien.data.clusters import Midpoints, different, midpoints, nearest
from mien.data.soft import Learn
from mien.errors import ConfigError, unknown

CLUSTERS = 3  # how many there are, where the settings do not say it
Loss = Literal["squared_error", "concordance"]
MEASURED = ("numbers", "levels", "clusters")  # kinds that are read from columns of numbers
LEVELS = {2: ("low", "high"), 3: ("low", "medium", "high")}  # names of levels, where the settings give none
HIDDEN = {"label", "clip", "file", "start", "end", "sha256"}  # columns that are no factor
WORDS = 8  # of a column that a sentence lists
CODES = 20  # different numbers that may be codes of classes
TAKEN = {
    *("clip", "speaker", "model", "fold", "seed", "split", "truth", "predicted", "scheme"),
    *("file", "start", "end", "person", "modality", "audio_share", "video_share", "missing"),
}  # columns of tables of predictions, beside those that are called after the main target and its classes
SEVERAL = ("emotion",)  # the columns in which "a+b" is two classes


class TargetSettings(Settings):
    """How the labels of a factor are read from the corpus's table.

    Attributes:
        kind: "classes", "soft" (a distribution), "numbers", "levels": classes that are ranges of a number, or
            "clusters": classes that are parts of the plane or space of several numbers.
        columns: of the table; None is the one of the factor's name. Several for a distribution, a column a class, for
            several numbers, or for clusters.
        classes: names of the classes, in order: of a distribution one a column, of levels from the lowest up, of
            clusters by the first column of their midpoints. None takes the names of the columns, the values that the
            training clips have, low to high, or cluster 1, cluster 2, ...
        levels: how many levels; by default 3, or one more than there are `limits`.
        limits: between levels, ascending; a value on one is of the lower level. None takes the quantiles of the
            training clips, and a value on one is of the upper level.
        scale: the lowest and the highest value that the columns of numbers, levels or clusters may hold; a corpus with
            another value is refused. None is any.
        clusters: how many clusters.
        loss: of numbers, what a training step minimises: the mean squared error, or 1 - the concordance correlation
            (`models.objectives.losses.concordance`), which is estimated over a batch and wants large ones.
        logits: of a distribution: whether the columns hold the logits of a model, of which the softmax is taken, and
            not shares.
        learn: of a distribution, what a training step learns from, see `data.soft.learning`. Scores are always those
            of the most probable class.
    """

    kind: Literal["classes", "soft", "numbers", "levels", "clusters"] = "classes"
    columns: tuple[str, ...] | None = Field(None, min_length=1)
    classes: tuple[str, ...] | None = Field(None, min_length=2)
    limits: tuple[float, ...] | None = Field(None, min_length=1)
    scale: tuple[float, float] | None = None
    levels: int = Field(default_factory=lambda given: _count(given.get("limits")), ge=2, le=9)
    clusters: int = Field(CLUSTERS, ge=2, le=9)
    loss: Loss = "squared_error"
    logits: bool = False
    learn: Learn = "distribution"

    @field_validator("columns", mode="before")
    @classmethod
    def _several(cls, columns: object) -> object:
        return (columns,) if isinstance(columns, str) else tuple(columns) if isinstance(columns, list) else columns

    @model_validator(mode="after")
    def _fits(self) -> "TargetSettings":
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError("a class is named twice; name each once")
        if self.kind == "soft" and (self.columns is None or len(self.columns) < 2):
            raise ValueError("a distribution needs its columns, one a class: columns: [NAME, NAME, ...]")
        if self.kind != "soft" and self.learn != "distribution":
            raise ValueError("'learn' is of a distribution; leave it out, or write kind: soft with its columns")
        if self.kind != "soft" and self.logits:
            raise ValueError("'logits' is of a distribution; leave it out, or write kind: soft with its columns")
        if self.kind != "numbers" and self.loss != "squared_error":
            raise ValueError("'loss' is of numbers; leave it out, or write kind: numbers")
        if self.kind in ("classes", "levels") and self.columns is not None and len(self.columns) > 1:
            raise ValueError(f"{self.kind} are read from one column; name one")
        if self.kind == "numbers" and self.classes is not None:
            raise ValueError("numbers have no classes; leave 'classes' out, or write kind: levels")
        self._check_limits()
        if self.kind == "clusters" and (self.columns is None or len(self.columns) < 2):
            raise ValueError("clusters are of two or more columns of numbers: columns: [NAME, NAME]")
        if self.kind != "clusters" and self.clusters != CLUSTERS:
            raise ValueError("'clusters' is of clusters; leave it out, or write kind: clusters with its columns")
        sizes = {"soft": len(self.columns or ()), "levels": self.levels, "clusters": self.clusters}
        count = sizes.get(self.kind)
        if self.classes is not None and count is not None and len(self.classes) != count:
            raise ValueError(f"{len(self.classes)} classes are named for {count}; name one for each")
        return self

    @property
    def by_fold(self) -> bool:
        """Whether the class of a clip depends on the training clips of a fold."""
        return self.kind == "clusters" or (self.kind == "levels" and self.limits is None)

    @property
    def derived(self) -> tuple[str, ...]:
        """The classes that are derived from numbers, in order: levels or clusters; none of other kinds."""
        if self.kind == "levels":
            numbered = tuple(f"level {number}" for number in range(1, self.levels + 1))
            return self.classes or LEVELS.get(self.levels, numbered)
        if self.kind == "clusters":
            return self.classes or tuple(f"cluster {number}" for number in range(1, self.clusters + 1))
        return ()

    def _check_limits(self) -> None:
        """Raise ValueError for limits and a scale that this kind does not have, or that contradict each other."""
        if self.kind not in MEASURED and self.scale is not None:
            raise ValueError("'scale' is of numbers, levels and clusters; leave it out, or write kind: numbers")
        if self.scale is not None and self.scale[0] >= self.scale[1]:
            raise ValueError(f"'scale' is {_listed(self.scale)}; give the lowest value, then the highest")
        if self.kind != "levels" and (self.limits is not None or self.levels != _count(None)):
            key = "levels" if self.limits is None else "limits"
            raise ValueError(f"'{key}' is of levels; leave it out, or write kind: levels")
        if self.limits is None:
            return
        if any(upper <= lower for lower, upper in pairwise(self.limits)):
            raise ValueError(f"'limits' are {_listed(self.limits)}; give them from the lowest up, each once")
        if self.levels != _count(self.limits):
            raise ValueError(
                f"{len(self.limits)} limits make {_count(self.limits)} levels, and 'levels' is {self.levels}; leave "
                "'levels' out"
            )
        if self.scale is not None and not self.scale[0] <= self.limits[0] <= self.limits[-1] < self.scale[1]:
            raise ValueError(
                f"'limits' are {_listed(self.limits)}, and the scale goes from {self.scale[0]:g} to "
                f"{self.scale[1]:g}, so that a level would have no value; give limits inside it"
            )


def _count(limits: Sequence[float] | None) -> int:
    """How many levels there are, where the settings do not say it."""
    return 3 if limits is None else len(limits) + 1


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


@dataclass(frozen=True)
class Target:
    """A factor whose labels can be read, fitted where it needs to be.

    Attributes:
        factor: its name.
        kind: "classes", "soft" or "numbers".
        columns: of the table.
        classes: the K classes in order, or the names of the numbers.
        merge: value -> class, of values that count as one of the classes.
        edges: of levels: the K - 1 limits between them.
        given: whether the settings give these limits: a value on one is then of the lower level, else of the upper one.
        midpoints: of clusters: K, with a value for each column.
        mean: of each number over the training clips.
        std: likewise, the standard deviation.
        main: whether it is the main target of the experiment.
        loss: of numbers: what a training step minimises.
        logits: of a distribution: whether the columns hold logits.
    """

    factor: str
    kind: Literal["classes", "soft", "numbers"]
    columns: tuple[str, ...]
    classes: tuple[str, ...]
    merge: Mapping[str, str] = field(default_factory=dict)
    edges: tuple[float, ...] = ()
    given: bool = False
    midpoints: Midpoints = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    main: bool = False
    loss: Loss = "squared_error"
    logits: bool = False

    def unmapped(self, table: pd.DataFrame) -> dict[str, int]:
        """The values that are no class, sorted, with the number of clips that have them."""
        if self.kind != "classes" or self.derived:
            return {}
        values = table[self.columns[0]]
        if self.columns == SEVERAL:
            return apply(Scheme(self.factor, self.classes, self.merge), values)[1]
        lost = values.dropna().map(name_of)[self.truth(table)[values.notna()].isna()]
        return {str(name): int(count) for name, count in lost.value_counts().sort_index().items()}

    def values_of(self, table: pd.DataFrame) -> set[str]:
        """The values that a target with classes has in a table, several emotions apart."""
        values = {name_of(value) for value in table[self.columns[0]].dropna()}
        return {part for value in values for part in value.split("+")} if self.columns == SEVERAL else values

    def only(self, places: Sequence[int]) -> "Target":
        """The same target with some of its classes, by their numbers; clips of the others are not known."""
        kept = tuple(self.classes[place] for place in places)
        merge = {value: name for value, name in self.merge.items() if name in kept}
        columns = tuple(self.columns[place] for place in places) if self.kind == "soft" else self.columns
        return replace(self, classes=kept, merge=merge, columns=columns) if not self.derived else self

    @property
    def derived(self) -> bool:
        """Whether its classes are levels or clusters."""
        return bool(self.edges or self.midpoints)

    @property
    def size(self) -> int:
        """K: the number of values that a model outputs for a clip."""
        return len(self.classes)

    def truth(self, table: pd.DataFrame) -> "pd.Series[Any]":
        """The true class or number of each clip, with the index of `table`; missing where it is not known.

        Several classes are joined by "+". Of a distribution it is the most probable class, the first of equals; of
        several numbers the first, where all are known.
        """
        if self.kind == "numbers":
            numbers = _numeric(table, self.columns, self.factor)
            return numbers[self.columns[0]].where(numbers.notna().all(axis=1)).rename("label")
        if self.midpoints:
            points = _numeric(table, self.columns, self.factor)
            cluster = nearest(points.fillna(0).to_numpy(float), self.midpoints)
            names = pd.Series(np.asarray(self.classes, object)[cluster], index=table.index, dtype="str")
            return names.where(points.notna().all(axis=1)).rename("label")
        if self.edges:
            values = _numeric(table, self.columns, self.factor)[self.columns[0]]
            side: Literal["left", "right"] = "left" if self.given else "right"
            level = np.searchsorted(np.asarray(self.edges), values.to_numpy(float), side=side)
            names = pd.Series(np.asarray(self.classes, object)[level], index=table.index, dtype="str")
            return names.where(values.notna()).rename("label")
        if self.kind == "soft":
            shares = self._shares(table)
            best = np.asarray(self.classes, object)[np.nan_to_num(shares).argmax(axis=1)]
            known = pd.Series(~np.isnan(shares).any(axis=1), index=table.index)
            return pd.Series(best, index=table.index, dtype="str").where(known).rename("label")
        values = table[self.columns[0]]
        if self.columns == SEVERAL:
            return apply(Scheme(self.factor, self.classes, self.merge), values)[0]
        names = values.map(name_of, na_action="ignore").replace(dict(self.merge))
        return names.where(names.isin(self.classes)).astype("str").rename("label")

    def labels(self, table: pd.DataFrame) -> Tensor:
        """The labels of the clips, as the module's head describes them."""
        if self.kind == "soft":
            return torch.from_numpy(self._shares(table))
        if self.kind == "numbers":
            values = _numeric(table, self.columns, self.factor).to_numpy(float)
            return torch.from_numpy((values - np.asarray(self.mean)) / np.asarray(self.std))
        number = {name: place for place, name in enumerate(self.classes)}
        truth = self.truth(table)
        return torch.tensor([-1 if pd.isna(name) else number.get(str(name), -1) for name in truth], dtype=torch.int64)

    def prior(self, labels: Tensor) -> Tensor:
        """The outputs (K) float32 that labels alone make likeliest, for a clip of which nothing else is known.

        Logarithms of the shares of the classes, in which each counts one clip more than it has (Laplace), so that no
        class is impossible; of a distribution those of its mean; of numbers their mean, as labels have them, 0 where
        none is known.

        Args:
            labels: of the training clips, as `labels` gives them.
        """
        if labels.dim() == 1:
            counts = torch.bincount(labels[labels >= 0], minlength=self.size).double() + 1
            return (counts / counts.sum()).log().float()
        known = labels[~labels.isnan().any(dim=1)].double()
        mean = known.sum(dim=0) / max(1, len(known))
        return (
            mean.float()
            if self.kind == "numbers"
            else ((known.sum(dim=0) + 1) / (len(known) + self.size)).log().float()
        )

    def values(self, outputs: NDArray[np.floating]) -> NDArray[np.float64]:
        """A model's outputs for numbers, N x K, in the units of the table."""
        return np.asarray(np.asarray(outputs, np.float64) * np.asarray(self.std) + np.asarray(self.mean))

    def plain(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {key: dict(value) if isinstance(value, Mapping) else value for key, value in asdict(self).items()}

    @staticmethod
    def of_plain(raw: Mapping[str, Any]) -> "Target":
        """What `plain` wrote, read again from JSON."""
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
        values["midpoints"] = tuple(map(tuple, values.get("midpoints", ())))
        return Target(**values)

    def _shares(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """The distributions, n x K; nan in rows that do not hold one."""
        votes = _numeric(table, self.columns, self.factor).to_numpy(float)
        if self.logits:
            return np.asarray(softmax(votes, axis=1))
        if (votes < 0).any():
            row = int((votes < 0).any(axis=1).argmax())
            raise ConfigError(
                f"target '{self.factor}': clip {table['clip'].iloc[row]} has a negative share ({votes[row].min():g}); "
                "shares are 0 or more"
            )
        whole = votes.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(votes, whole, out=np.full_like(votes, np.nan), where=whole > 0))


def main_target(factor: str, how: TargetSettings, scheme: Scheme | None, table: pd.DataFrame) -> Target:
    """The main target of an experiment, as far as it does not depend on the fold.

    Args:
        factor: its name.
        how: its settings.
        scheme: the classes, of kind "classes"; None takes the values that its column has.
        table: all clips.

    Raises:
        ConfigError: a column is missing, its values cannot be read as this kind, or the target or a class has the name
            of another column of the tables of predictions.
    """
    target = _main_target(factor, how, scheme, table)
    _refuse_names(target, how.derived or target.classes, how.kind)
    return target


def _main_target(factor: str, how: TargetSettings, scheme: Scheme | None, table: pd.DataFrame) -> Target:
    columns = _columns(factor, how, table, "target")
    if how.kind == "classes":
        if scheme is None:
            classes = _classes_of(factor, how, table[columns[0]], several=columns == SEVERAL)
            if not classes and factor == "emotion" and columns == SEVERAL:
                raise ConfigError(f"target 'emotion': its clips have no value; {ways_to_emotions(table)}")
            if len(classes) < 2:
                values = f"one value, '{classes[0]}'" if classes else "no value"
                raise ConfigError(f"target '{factor}': its clips have {values}; two or more classes are needed")
        else:
            classes = scheme.classes
        return Target(factor, "classes", columns, classes, scheme.merge if scheme else {}, main=True)
    if how.kind == "soft":
        return Target(factor, "soft", columns, how.classes or columns, main=True, logits=how.logits)
    refuse_outside(factor, how, table)
    if how.limits is not None:
        return _by_limits(factor, how, columns, main=True)
    if len(columns) > 1 and how.kind != "clusters":
        raise ConfigError(f"target '{factor}': a main target is one number, and {len(columns)} columns are named")
    return Target(factor, "numbers", columns, columns, main=True)


def ways_to_emotions(table: pd.DataFrame, *, scheme: bool = False) -> str:
    """What to do about a corpus in which no emotion is known, one clause.

    Args:
        table: of the corpus.
        scheme: whether the experiment has a scheme of its own, which other words would not fit.
    """
    own = " and data.scheme=null" if scheme else ""
    if found := unread_emotions(table):
        name, words = next(iter(found.items()))
        some = [*list(words)[:WORDS], *(["..."] if len(words) > WORDS else [])]
        return (
            f"the words of its column '{as_given(name)}' are not known ({', '.join(some)}): say what they mean when "
            f"you prepare it, --option emotions={some[0]}:EMOTION,..., or train on them as they are, "
            f"data.targets.emotion.columns={name}{own}"
        )
    others = [str(name) for name in table if name not in {*COLUMNS, *HIDDEN, "seconds", "video_seconds"}]
    return (
        "if another column of your own table holds it, call that 'emotion' and prepare it again, or name it, "
        f"data.targets.emotion.columns=NAME{own}; other columns are: {', '.join(others) or 'none'}; without emotions "
        "it trains beside a corpus with them, data.prepared.NAME=PREPARED for each and data.unlabelled=train"
    )


def _refuse_names(target: Target, classes: Sequence[str], kind: str) -> None:
    """Raise ConfigError for a name of the main target, or of a class, that tables of predictions cannot hold."""
    factor = target.factor
    if factor in TAKEN:
        raise ConfigError(
            f"target '{factor}': tables of predictions have another column of this name; choose a name for the target "
            f"and give its column: data.targets: {{NAME: {{columns: {factor}}}}}"
        )
    if kind == "numbers":
        return
    if joined := [name for name in classes if "+" in name]:
        raise ConfigError(f"target '{factor}': class '{joined[0]}': a class has no '+', which joins several")
    if taken := [name for name in classes if name in TAKEN or name == factor]:
        own = f"data.targets.{factor}.classes"
        way = f"data.scheme: {{classes: [...], merge: {{{taken[0]}: NAME}}}}" if kind == "classes" else own
        raise ConfigError(
            f"target '{factor}': class '{taken[0]}': tables of predictions have another column of this name; give the "
            f"class another name, with {way}"
        )


def fitted(factor: str, how: TargetSettings, main: Target, train: pd.DataFrame) -> Target:
    """A target with what depends on the training clips.

    Args:
        factor: its name.
        how: its settings.
        main: the main target; a `factor` that it is, is fitted from it.
        train: the training clips.

    Raises:
        ConfigError: a column is missing or no training clip has a label that can be used.
    """
    own = factor == main.factor
    columns = main.columns if own else _columns(factor, how, train, "factor")
    if how.kind == "soft":
        return main if own else Target(factor, "soft", columns, how.classes or columns, logits=how.logits)
    if own and main.kind == "classes":  # levels by given limits, too
        return main
    if how.kind == "classes":
        classes = _classes_of(factor, how, train[columns[0]], several=columns == SEVERAL)
        if not classes:
            raise ConfigError(
                f"target '{factor}': no training clip has a value of '{columns[0]}'; leave it out of tasks and removals"
            )
        return Target(factor, "classes", columns, classes)
    values = _numeric(train, columns, factor).to_numpy(float)
    known = values[~np.isnan(values).any(axis=1)]
    if how.limits is not None and len(known):
        return _by_limits(factor, how, columns)
    if how.kind == "clusters":
        if (there := different(known)) < how.clusters:
            raise ConfigError(
                f"target '{factor}': its training clips have {there} different points of {' and '.join(columns)}, too "
                f"few for {how.clusters} clusters; give fewer, with data.targets.{factor}.clusters"
            )
        return Target(factor, "classes", columns, how.derived, midpoints=midpoints(known, how.clusters), main=own)
    if len(known) < 2 or not (known.std(axis=0) > 0).all():
        raise ConfigError(
            f"target '{factor}': its training clips have no two different numbers; nothing can be learned"
        )
    if how.kind == "numbers":
        mean, std = known.mean(axis=0).tolist(), known.std(axis=0).tolist()
        return Target(factor, "numbers", columns, columns, mean=tuple(mean), std=tuple(std), main=own, loss=how.loss)
    edges = np.quantile(known[:, 0], np.arange(1, how.levels) / how.levels)
    if (np.diff(edges) <= 0).any() or edges[0] <= known[:, 0].min():
        raise ConfigError(
            f"target '{factor}': its training clips have too few different numbers for {how.levels} levels; give "
            f"fewer, with data.targets.{factor}.levels"
        )
    return Target(factor, "classes", columns, how.derived, edges=tuple(edges.tolist()), main=own)


def refuse_outside(factor: str, how: TargetSettings, table: pd.DataFrame) -> None:
    """Raise ConfigError for a value outside the scale of a target.

    Args:
        factor: its name.
        how: its settings.
        table: all clips of the corpus, with the target's columns.
    """
    if how.scale is None:
        return
    low, high = how.scale
    columns = how.columns or (factor,)
    for column, values in _numeric(table, columns, factor).items():
        outside = (values < low) | (values > high)
        if outside.any():
            where = int(outside.to_numpy().argmax())
            raise ConfigError(
                f"target '{factor}': clip {table['clip'].iloc[where]} has {values.iloc[where]:g} in column "
                f"'{column}', and the scale goes from {low:g} to {high:g}; mend the table, or give the scale that it "
                f"has, data.targets.{factor}.scale"
            )


def _by_limits(factor: str, how: TargetSettings, columns: tuple[str, ...], *, main: bool = False) -> Target:
    """Levels by the limits of the settings; nothing is fitted."""
    return Target(factor, "classes", columns, how.derived, edges=how.limits or (), given=True, main=main)


def name_of(value: object) -> str:
    """A value of a table as the name of a class; whole numbers have no point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def measures_of(kind: str) -> tuple[str, ...]:
    """The names in `common.measures.MEASURES` that validation gives of a main target of a kind (of the settings)."""
    return ("ccc", "rmse") if kind == "numbers" else ("uar", "wa", "cross_entropy")


def _columns(factor: str, how: TargetSettings, table: pd.DataFrame, what: str) -> tuple[str, ...]:
    columns = how.columns or (factor,)
    if strange := [name for name in columns if name not in table or name in HIDDEN]:
        known = set(table.columns) - HIDDEN
        if how.columns is None:
            raise ConfigError(unknown(what, strange[0], known))
        raise ConfigError(f"data.targets.{factor}.columns: {unknown('column', strange[0], known)}")
    return columns


def _classes_of(
    factor: str, how: TargetSettings, values: "pd.Series[Any]", *, several: bool = False
) -> tuple[str, ...]:
    """The classes of a factor: those of the settings, else the values that there are, sorted.

    Raises:
        ConfigError: they are numbers with fractions, or more than `CODES` numbers.
    """
    if how.classes is not None:
        return how.classes
    numbers = pd.to_numeric(values.dropna(), errors="coerce")
    if len(numbers) and numbers.notna().all() and (fractions(values) or numbers.nunique() > CODES):
        what = "numbers with fractions" if fractions(values) else f"{numbers.nunique()} different numbers"
        raise ConfigError(
            f"column '{values.name}': holds {what}, which are no classes; write data.targets.{factor}.kind=numbers to "
            f"predict the number, kind=levels for ranges of it, or name the classes: data.targets.{factor}.classes"
        )
    names = {name_of(value) for value in values.dropna()}
    return tuple(sorted(name for name in names if not (several and "+" in name)))


def _numeric(table: pd.DataFrame, columns: Sequence[str], factor: str) -> pd.DataFrame:
    numbers: pd.DataFrame = table[list(columns)].apply(pd.to_numeric, errors="coerce").astype(float)
    for column in columns:
        wrong = numbers[column].isna() & table[column].notna()
        if wrong.any():
            raise ConfigError(
                f"target '{factor}': column '{column}' holds '{table.loc[wrong, column].iloc[0]}', which is no number; "
                f"write kind: classes for it, or leave such clips empty"
            )
    return numbers


def rightness(target: Target, outputs: NDArray[np.floating], labels: Tensor) -> float:
    """A score of outputs, of which more is better, for choosing an epoch.

    Args:
        target: what is predicted.
        outputs: N x K, logits or numbers.
        labels: N, or N x K, as `Target.labels` has them.

    Returns:
        Of the main target macro F1 over the classes that occur, of other classes the accuracy, of numbers the mean of
        their concordance correlations; nan where nothing is known.
    """
    truth, answers = labels.numpy(), np.asarray(outputs, np.float64)
    if target.kind == "numbers":
        return float(np.mean([MEASURES["ccc"].value(truth[:, k], answers[:, k]) for k in range(target.size)]))
    return MEASURES["macro_f1" if target.main else "wa"].value(truth, answers)
