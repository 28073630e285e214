"""The claims of a paper as data: where models lie on axes, and which of their scores is above which.

`axes` describe the models: axis -> value -> the models that have it, in the order of tables and figures. A model on no
axis is called by its name. No two models have the same place.

A claim compares scores of two sides. A side is a mapping axis -> values. `model` is an axis too (`emotion_only` stands
for `{model: emotion_only}`), and `others` is every value that the other side does not name. Where a side has several
models, the axis that `minus` names is compared value by value, each a difference of its own, and over all other axes
the mean is taken, of both sides over the same places. So `models: {method: others}` with `minus: {method: multitask}`
is one difference a method, each the mean over the dimensions that both have. `along: AXIS` compares the last value of
an axis with its first, and each with the one before.

All models and values that a claim names must exist: a claim that names a model which an `extends` took away is left out
with it. `others` and `along` take the values that exist.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from mien.common.settings import Named, Settings, parse
from mien.errors import ConfigError, unknown

MODEL, OTHERS = "model", "others"
CHANCE, FLOOR = "chance", "identity floor"
ABOVE, BELOW, KEPT, NEAR, DIFFERENT = KINDS = ("above", "below", "kept", "near", "different")
OF_NUMBERS = ("ccc", "rmse")
MEASURES = ("accuracy", "macro_f1", "micro_f1", "uar", *OF_NUMBERS)
ALL, BALANCED = CLIPS = ("all", "balanced")
PROBES = ("mlp", "strongest")  # whose predictions are kept clip by clip
SPEAKER = "speaker"
MARGIN = 0.02
ALPHA = 0.01


def _names(value: Any) -> Any:
    """One name, or a list of them, as a tuple of texts: `64` is "64"."""
    several = value if isinstance(value, list | tuple) else [value]
    plain = [str(one) if isinstance(one, int | float) and not isinstance(one, bool) else one for one in several]
    if not plain or not all(isinstance(one, str) and one for one in plain):
        raise ValueError("write a name, or a list of names")
    if twice := next((one for one in plain if plain.count(one) > 1), None):
        raise ValueError(f"'{twice}' is named twice; name it once")
    return tuple(plain)


def _side(value: Any) -> Any:
    """Models by name as the mapping that they are short for; a level that is no model stays a word."""
    if value is None or (isinstance(value, str) and value in (CHANCE, FLOOR)):
        return value
    return (
        {str(axis): _names(one) for axis, one in value.items()} if isinstance(value, dict) else {MODEL: _names(value)}
    )


def _short(names: tuple[str, ...]) -> str | list[str]:
    return names[0] if len(names) == 1 else list(names)


Names = Annotated[tuple[str, ...], BeforeValidator(_names), PlainSerializer(_short)]
Side = Annotated[dict[str, Names], BeforeValidator(_side)]
Other = Annotated[Literal["chance", "identity floor"] | dict[str, Names] | None, BeforeValidator(_side)]
Axes = dict[str, dict[str, Names]]
Part = tuple[tuple[str, tuple[str, ...]], ...]  # column -> the values that its clips have; empty for all clips


class Way(Settings):
    """The same claim on other clips or by another probe; None keeps that of the claim.

    Attributes:
        clips: see `Claim`.
        probe: see `Claim`.
    """

    clips: str | None = None
    probe: str | None = None


class Claim(Settings):
    """One claim of a paper, or one of the experiment's own.

    Attributes:
        says: the claim in words.
        section: where it stands in the paper; empty for a claim that the paper does not make.
        kind: "above" or "below": every difference is separable on that side. "kept": the models are no worse by
            `margin` or more. "near": they are above by less than `margin`, or than chance itself where `minus` is
            chance and that is less (twice chance in all). "different": each two models use the classes otherwise by
            Stuart-Maxwell, with every seed; it has no score.
        factor: what is scored.
        measure: one of `MEASURES`.
        embedding: a probe reads the factor from this embedding; None: the models' own heads predict it.
        probe: which one: "mlp", of one hidden layer, or the "strongest" on validation; "mlp" where it is None.
        alone: "audio" or "video": both sides are scored where all of the other modality is missing, by the answers of
            `mien evaluate RUN --missing GRID`; a model that does not take the other one loses nothing. None: as it is.
        where: column of the corpus -> values: the claim is scored on the clips that have one of them in each column,
            such as `{sampling: balanced}` of a toy corpus; empty: on all.
        clips: "all" as they are, or "balanced": all classes weighted alike, so that what is frequent does not help.
        models: the models whose scores are compared.
        minus: the models that they are compared with; "chance": all clips called the most frequent class; or the
            "identity floor": the score of a probe that is given the true speaker alone.
        along: an axis, in place of `minus`.
        also: name -> another way to score the same claim.
        margin: of kept and near, a fraction; .02 where it is None (ours, papers give none).
        alpha: of different; .01 where it is None.
        reference: the name in the experiment's `reference` of the paper's figures of this score.
        figures: further figures of the paper: words, with the unit -> number.
    """

    says: str
    section: str = ""
    kind: str
    factor: str | None = None
    measure: str | None = None
    embedding: str | None = None
    probe: str | None = None
    alone: Literal["audio", "video"] | None = None
    where: dict[str, Names] = Field({})
    clips: str = ALL
    models: Side = Field({})
    minus: Other = None
    along: str | None = None
    also: dict[str, Way] = Field({})
    margin: float | None = Field(None, ge=0, le=1)
    alpha: float | None = Field(None, gt=0, lt=1)
    reference: str | None = None
    figures: dict[str, float] = Field({})

    @field_validator("kind")
    @classmethod
    def _a_kind(cls, kind: str) -> str:
        return _one_of("kind", kind, KINDS)

    @field_validator("measure")
    @classmethod
    def _a_measure(cls, measure: str | None) -> str | None:
        return measure and _one_of("measure", measure, MEASURES)

    @model_validator(mode="after")
    def _fits(self) -> "Claim":
        if (self.minus is None) == (self.along is None):
            raise ValueError("give one of 'minus' (what the models are compared with) and 'along' (an axis)")
        if not self.models and self.along is None:
            raise ValueError("'models' is missing: name the models whose scores are compared")
        if isinstance(self.minus, dict) and len(self.minus) != 1:
            raise ValueError("'minus' names one axis, or models; the rest of both sides is the same")
        if self.kind == DIFFERENT:
            self._predictions_alone()
        elif self.factor is None or self.measure is None:
            lacking = "factor" if self.factor is None else "measure"
            raise ValueError(f"'{lacking}' is missing: a claim of the kind '{self.kind}' is about a score")
        if self.alone is not None and (self.embedding is not None or self.also or self.clips != ALL or self.where):
            raise ValueError(
                "'alone' is of the models' own answers, as they are: leave embedding, clips, where and also out"
            )
        for clips, probe in ((self.clips, self.probe), *((way.clips, way.probe) for way in self.also.values())):
            if clips is not None:
                _one_of("clips", clips, CLIPS)
            if probe is not None:
                _one_of("probe", probe, PROBES)
            if probe is not None and self.embedding is None:
                raise ValueError("a probe reads from an embedding: give 'embedding', or leave 'probe' out")
            if clips == BALANCED and self.measure in ("accuracy", "micro_f1"):
                raise ValueError(f"{self.measure} with all classes weighted alike is UAR: write measure: uar")
            if clips == BALANCED and self.measure in OF_NUMBERS:
                raise ValueError(f"'{BALANCED}' weights classes alike, and {self.measure} is of numbers; leave it out")
        if self.minus == FLOOR and self.embedding is None:
            raise ValueError("the identity floor is that of a probe: give 'embedding', or write minus: chance")
        if self.measure not in (None, "accuracy") and self.factor == SPEAKER:
            raise ValueError("speakers are scored by accuracy alone: write measure: accuracy")
        for name, kinds in (("margin", (KEPT, NEAR)), ("alpha", (DIFFERENT,))):
            if getattr(self, name) is not None and self.kind not in kinds:
                raise ValueError(f"'{name}' is for {' and '.join(kinds)}, and the kind is '{self.kind}'; leave it out")
        return self

    def _predictions_alone(self) -> None:
        given = [
            name
            for name in ("factor", "measure", "embedding", "probe", "alone", "also", "reference")
            if getattr(self, name)
        ]
        if given or self.clips != ALL:
            name = (given or ["clips"])[0]
            raise ValueError(f"'{name}' is of a score, and a claim of the kind 'different' has none; leave it out")
        if not isinstance(self.minus, dict):
            raise ValueError("a claim of the kind 'different' compares models: let 'minus' name them")

    @property
    def part(self) -> Part:
        """`where`, as a key."""
        return tuple(self.where.items())

    @property
    def ways(self) -> tuple[tuple[str | None, str], ...]:
        """(Probe, clips) of each way in which the claim is scored, its own first."""
        own = (self.probe or PROBES[0]) if self.embedding else None
        return ((own, self.clips), *((way.probe or own, way.clips or self.clips) for way in self.also.values()))


def described(part: Part) -> str:
    """Which clips, in words: `sampling balanced`; empty for all."""
    return ", ".join(f"{column} {' or '.join(values)}" for column, values in part)


class Difference(NamedTuple):
    """One difference of a claim.

    Attributes:
        words: what it is.
        plus: the models whose mean score it is.
        minus: the models whose mean is taken away, in the order of those of `plus` with the same places; none where a
            level is.
    """

    words: str
    plus: tuple[str, ...]
    minus: tuple[str, ...]


class Claimed(Settings):
    """The two keys of an experiment file."""

    axes: Axes = Field({})
    claims: dict[str, Claim] = Field({})


def places(axes: Axes, models: Collection[str]) -> dict[str, dict[str, str]]:
    """Model -> axis -> value, in the order of the axes; empty for a model on no axis."""
    return {
        model: {axis: value for axis, values in axes.items() for value, own in values.items() if model in own}
        for model in models
    }


def differences(claim: Claim, axes: Axes, models: Collection[str]) -> tuple[Difference, ...]:
    """The differences that a claim compares; none where something that it names does not exist.

    Args:
        claim: what it names is in `axes`, or the name of a model.
        axes: of the experiment.
        models: those that have what is compared, in order.
    """
    place = places(axes, models)
    found = []
    for one in _pairs(claim, axes):
        plus = [model for model in models if _is(model, place[model], one.plus)]
        minus = [model for model in models if one.minus is not None and _is(model, place[model], one.minus)]
        if one.axis is not None:
            there = {_beside(place[model], one.axis): model for model in minus}
            plus = [model for model in plus if _beside(place[model], one.axis) in there]
            minus = [there[_beside(place[model], one.axis)] for model in plus]
        named = all(
            any(_is(model, place[model], {axis: (value,)}) for model in plus) for axis, value in _each(one.plus)
        )
        if plus and named and (minus or one.minus is None):
            found.append(Difference(one.words, tuple(plus), tuple(minus)))
        elif one.required:
            return ()
    return tuple(found)


def check(
    axes: Axes,
    claims: Mapping[str, Claim],
    carried: Mapping[str, Mapping[str, Collection[str]]],
    figures: Collection[str] = (),
    target: str = "emotion",
    numbers: Collection[str] = (),
) -> None:
    """Refuse a claim or an axis that names something which the experiment does not have.

    Args:
        axes: of the experiment.
        claims: of the experiment.
        carried: model -> embedding -> the factors that are its tasks; of a recipe without named embeddings none.
        figures: the names in `reference`.
        target: the main target, which probes predict besides the speaker.
        numbers: the factors that are numbers; all others have classes.

    Raises:
        ConfigError: with the nearest name, or with the measures that fit a factor.
    """
    _check_axes(axes, carried)
    for name, claim in claims.items():
        where = f"claims.{name}"
        _check_names(where, claim, axes, carried)
        if not (compared := differences(claim, axes, carried)):
            raise ConfigError(f"{where}: compares nothing: no model has all the values that it names")
        if figures and claim.reference not in (None, *figures):
            raise ConfigError(f"{where}.reference: {unknown('figure', str(claim.reference), figures)}")
        if claim.measure is not None and (claim.factor in numbers) != (claim.measure in OF_NUMBERS):
            raise ConfigError(f"{where}.measure: {_misfit(str(claim.factor), claim.measure, claim.factor in numbers)}")
        for model in dict.fromkeys(chain.from_iterable((*one.plus, *one.minus) for one in compared)):
            if carried[model]:
                _check_score(where, claim, model, carried[model], target)


def spelt(raw: Named) -> Named:
    """The plain values of an experiment with the values of its axes as texts, so that `64` and `"64"` are one key."""
    axes = raw.get("axes")
    if not isinstance(axes, dict):
        return raw
    texts = {
        axis: {str(value): own for value, own in values.items()} if isinstance(values, dict) else values
        for axis, values in axes.items()
    }
    return {**raw, "axes": texts}


def without(raw: Named, gone: Collection[str]) -> Named:
    """The plain values of an experiment, its axes without models that were taken away, and without their claims."""
    try:
        before: Claimed = parse(Claimed, {key: raw[key] for key in Claimed.model_fields if key in raw}, "")
    except ConfigError:  # refused later, with the whole experiment
        return raw
    left = {
        axis: {value: there for value, own in values.items() if (there := [one for one in own if one not in gone])}
        for axis, values in before.axes.items()
    }
    left = {axis: values for axis, values in left.items() if values}
    axes = {axis: {value: tuple(own) for value, own in values.items()} for axis, values in left.items()}
    lost = {(MODEL, name) for name in gone}
    lost |= {
        (axis, value) for axis, values in before.axes.items() for value in values if value not in left.get(axis, {})
    }
    lost |= {(axis, "") for axis in before.axes if axis not in left}
    kept: Named = {}
    for name, claim in before.claims.items():
        named = {*_each(claim.models), *(_each(claim.minus) if isinstance(claim.minus, dict) else ())}
        if (named | {(str(claim.along), "")}) & lost:
            continue
        try:
            _check_names("", claim, axes, raw.get("models", {}))
        except ConfigError:  # likewise
            kept[name] = raw["claims"][name]
            continue
        if differences(claim, axes, raw["models"]):
            kept[name] = raw["claims"][name]
    return {**raw, **({"axes": left} if "axes" in raw else {}), **({"claims": kept} if "claims" in raw else {})}


class _Pair(NamedTuple):
    """Two sides of a claim.

    Attributes:
        words: what the difference is called.
        plus: the models.
        minus: those they are compared with; None where that is a level.
        axis: the axis along which places are matched.
        required: whether both sides have to exist, as where the claim names all values itself.
    """

    words: str
    plus: dict[str, Names]
    minus: dict[str, Names] | None
    axis: str | None
    required: bool


def _pairs(claim: Claim, axes: Axes) -> Iterator[_Pair]:
    if claim.along is not None:
        values = list(axes[claim.along])
        for one, other in dict.fromkeys([(values[-1], values[0]), *((b, a) for a, b in pairwise(values))]):
            if one != other:
                yield _pair(claim.models, claim.models, claim.along, one, other, required=False)
    elif not isinstance(claim.minus, dict):
        level = CHANCE if claim.minus == CHANCE else f"the {FLOOR}"
        yield _Pair(f"{_called(claim.models)} minus {level}", claim.models, None, None, True)
    else:
        ((axis, theirs),) = claim.minus.items()
        ours = claim.models.get(axis)
        if axis == MODEL:
            each: list[dict[str, Names]] = [{MODEL: (one,)} for one in ours] if ours else [claim.models]
            for plus in each:
                for other in theirs:
                    yield _Pair(f"{_called(plus)} minus {other}", plus, {MODEL: (other,)}, None, True)
            return
        assert ours is not None
        required = OTHERS not in (*ours, *theirs)
        ours, theirs = (
            tuple(value for value in axes[axis] if value not in other) if OTHERS in side else side
            for side, other in ((ours, theirs), (theirs, ours))
        )
        rest = {name: values for name, values in claim.models.items() if name != axis}
        for one in ours:
            for other in theirs:
                yield _pair(rest, rest, axis, one, other, required=required)


def _pair(plus: dict[str, Names], minus: dict[str, Names], axis: str, one: str, other: str, *, required: bool) -> _Pair:
    """Two values of an axis."""
    head = f"{_called(plus)}: " if plus else ""
    return _Pair(f"{head}{one} minus {other}", plus | {axis: (one,)}, minus | {axis: (other,)}, axis, required)


def _called(side: dict[str, Names]) -> str:
    return " ".join(", ".join(names) for names in side.values())


def _is(model: str, place: Mapping[str, str], side: Mapping[str, Names]) -> bool:
    """Whether a model is one of a side."""
    return all((model if axis == MODEL else place.get(axis)) in values for axis, values in side.items())


def _beside(place: Mapping[str, str], axis: str) -> tuple[tuple[str, str], ...]:
    """The place on all axes but one."""
    return tuple(one for one in place.items() if one[0] != axis)


def _each(side: Mapping[str, Names]) -> Iterator[tuple[str, str]]:
    return ((axis, value) for axis, values in side.items() for value in values)


def _check_axes(axes: Axes, models: Collection[str]) -> None:
    for axis, values in axes.items():
        where = f"axes.{axis}"
        if axis == MODEL:
            raise ConfigError(f"{where}: 'model' is the axis of the models' own names; choose another name")
        if OTHERS in values:
            raise ConfigError(
                f"{where}.{OTHERS}: claims say '{OTHERS}' for the values that they do not name; rename it"
            )
        seen: dict[str, str] = {}
        for value, own in values.items():
            for model in own:
                if model not in models:
                    raise ConfigError(f"{where}.{value}: {unknown('model', model, models)}")
                if model in seen:
                    raise ConfigError(f"{where}: model '{model}' is at '{seen[model]}' and at '{value}'; keep one")
                seen[model] = value
    taken: dict[tuple[tuple[str, str], ...], str] = {}
    for model, place in places(axes, models).items():
        key = tuple(place.items())
        if key and key in taken:
            alike = ", ".join(f"{axis} {value}" for axis, value in key)
            raise ConfigError(
                f"axes: models '{taken[key]}' and '{model}' have the same place ({alike}); give one another value"
            )
        taken[key] = model


def _check_names(where: str, claim: Claim, axes: Axes, models: Collection[str]) -> None:
    for side, what in (("models", claim.models), ("minus", claim.minus)):
        for axis, value in _each(what) if isinstance(what, dict) else ():
            _check_name(f"{where}.{side}", axis, value, axes, models)
    if claim.along is not None and claim.along not in axes:
        raise ConfigError(f"{where}.along: {unknown('axis', claim.along, axes)}")
    _check_sides(where, claim)


def _check_name(where: str, axis: str, value: str, axes: Axes, models: Collection[str]) -> None:
    if axis == MODEL:
        if value not in models:
            raise ConfigError(f"{where}: {unknown('model', value, models)}")
    elif axis not in axes:
        raise ConfigError(f"{where}: {unknown('axis', axis, [*axes, MODEL])}")
    elif value != OTHERS and value not in axes[axis]:
        raise ConfigError(f"{where}.{axis}: {unknown('value', value, axes[axis])}")


def _check_sides(where: str, claim: Claim) -> None:
    """What can be refused without looking at models: how the two sides of a claim fit each other."""
    minus = claim.minus if isinstance(claim.minus, dict) else {}
    compared = next(iter(minus), None)
    for axis, values in claim.models.items():
        if OTHERS in values and (axis != compared or len(values) > 1 or OTHERS in minus[axis]):
            raise ConfigError(
                f"{where}.models.{axis}: '{OTHERS}' is all values that the other side does not name; let 'minus' name "
                f"some of '{axis}'"
            )
    if compared in (None, MODEL):
        if claim.along in claim.models:
            raise ConfigError(f"{where}.models: leave '{claim.along}' out; 'along' compares all its values")
        return
    if compared not in claim.models:
        raise ConfigError(f"{where}.models: '{compared}', which 'minus' names, is missing; write {compared}: {OTHERS}")
    if MODEL in claim.models or (OTHERS in minus[compared] and len(minus[compared]) > 1):
        raise ConfigError(f"{where}: 'models' and 'minus' name values of the axis '{compared}', and not models")
    if both := sorted(set(claim.models[compared]) & set(minus[compared])):
        raise ConfigError(f"{where}: '{both[0]}' is on both sides; leave it out of one")


def _check_score(where: str, claim: Claim, model: str, tasks: Mapping[str, Collection[str]], target: str) -> None:
    if claim.embedding is not None:
        if claim.embedding not in tasks:
            raise ConfigError(f"{where}.embedding: of model '{model}': {unknown('embedding', claim.embedding, tasks)}")
        if claim.factor not in (read := (target, SPEAKER)):
            raise ConfigError(f"{where}.factor: {unknown('factor of a probe', str(claim.factor), read)}")
    elif claim.factor is not None and claim.factor not in (known := set(chain.from_iterable(tasks.values()))):
        raise ConfigError(f"{where}.factor: of model '{model}': {unknown('task', claim.factor, known)}")


def _misfit(factor: str, measure: str, number: bool) -> str:
    fit = OF_NUMBERS if number else [name for name in MEASURES if name not in OF_NUMBERS]
    return f"'{factor}' {'is a number' if number else 'has classes'}, so '{measure}' cannot score it; write {_or(fit)}"


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _one_of(kind: str, name: str, known: Collection[str]) -> str:
    if name not in known:
        raise ValueError(unknown(kind, name, known))
    return name
