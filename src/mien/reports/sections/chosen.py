"""What was chosen on validation clips, for every fold and seed: a sentence for each setting, and a table."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mien.common.measures import MEASURES
from mien.reports import words
from mien.runs.run import Run


def shown(run: Run, found: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values of the section, from `metrics.json`; None if nothing was chosen.

    Returns:
        `answer`: sentences; `rows`: of the table, each with `model, fold, seed, values, score, measure, others`.
    """
    chosen: Sequence[Mapping[str, Any]] = found.get("chosen", ())
    if not chosen:
        return None
    return {"answer": list(_answer(run, chosen)), "rows": [_row(one) for one in chosen]}


def _answer(run: Run, chosen: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How often each value of a setting was chosen for a model, the most frequent first."""
    for model in dict.fromkeys(one["model"] for one in chosen):
        own = [one for one in chosen if one["model"] == model]
        noun = "fold" if len(run.experiment.seeds) == 1 else "training run"
        for key in own[0]["values"]:
            labels = Counter(_text(one["values"][key]) for one in own)
            (first, most), *others = labels.most_common()
            parts = [f"{first} in {most} of {words.counted(len(own), noun)}"]
            parts += [f"{label} in {count}" for label, count in others]
            yield f"{model}: {short(key, model)}: {', '.join(parts)}."


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    scale = scale_of(one["measure"])
    values = [f"{short(key, one['model'])}: {_text(value)}" for key, value in one["values"].items()]
    others = [
        f"{label}: {scale.value(own['score'])}" for label, own in one["candidates"].items() if label != one["chosen"]
    ]
    return {
        **{name: one[name] for name in ("model", "fold", "seed")},
        "values": ", ".join(values),
        "measure": f"{scale.title}{scale.unit}",
        "score": scale.value(one["candidates"][one["chosen"]]["score"]),
        "others": "; ".join(others),
    }


def short(key: str, model: str) -> str:
    """A setting without what is clear beside the name of its model."""
    return key.removeprefix(f"models.{model}.")


def scale_of(measure: str) -> words.Scale:
    """The scale of a score of validation clips; that of a recipe is a number."""
    return words.scale(measure) if measure in MEASURES else words.Scale(measure, False, True)


def _text(value: Any) -> str:
    """A value, that of a mapping as its dotted settings."""
    if isinstance(value, Mapping):
        return " ".join(f"{key}={text}" for key, text in words.flat(value).items())
    return words.plain(value)
