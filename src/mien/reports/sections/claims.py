"""The claims of a paper and the answers of the run, from its `claims.json`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from mien.audit.comparison.claims import FILE, NO, OPEN, UNASKED, UNLIKE, YES
from mien.audit.run_leakage.targets import tasks
from mien.experiments.claims import ALL, BALANCED, DIFFERENT, KEPT, NEAR, OF_NUMBERS, PROBES, Axes, places
from mien.reports import words
from mien.reports.figures import bars
from mien.reports.sections import over_splits
from mien.reports.sections.recognition import Picture
from mien.runs.run import Run
from mien.runs.run_files import REPORT
from mien.runs.tables import reading

TITLES = {"macro_f1": "macro F", "micro_f1": "micro F", "accuracy": "accuracy"}  # of other measures their own
CALLED = {"mlp": "one hidden layer", "strongest": "strongest probe"}
ALONE = {"audio": "the voice", "video": "the face"}
FEW = 2  # with more ways of scoring, a table has one row a model instead of one a value of the first axis

Score = Mapping[str, Any]


def shown(run: Run) -> dict[str, Any] | None:
    """The values of the section; None if the run has no answers to claims.

    Returns:
        `answer`: a sentence; `claims`: each with `says, section, called` (its kind), `clips`, `answer`, also as
        `verdict` and `why`, `rows` (`contrast, difference, limits` as text, `p_holm` and `comparable`) and `figures`;
        `waiting`: a sentence on claims that another command answers, empty without any, which are not in `claims`;
        `levels`: of Stuart-Maxwell; `scores`: see `_table`; `leaks`: see `_leaks`; `papers`: a sentence on the paper's
        scores, empty if there are none; `split`: the split that is scored; `splits`: a sentence on the paper's test
        over random splits, empty without it.
    """
    found = run.claims if run.experiment.claims else None
    if found is None:
        return None
    with reading(run.folder / FILE, way=REPORT.format(run.folder)):
        split, scores, claims = found["split"], found["scores"], found["claims"]
    return {
        "answer": answer(claims),
        "claims": list(_claims([claim for claim in claims if not _waits(claim)], split)),
        "waiting": _waiting(sum(map(_waits, claims))),
        "levels": sorted({claim["alpha"] for claim in claims if claim["kind"] == DIFFERENT}),
        "scores": [_table(run, score, split) for score in scores],
        "leaks": list(_leaks(run, scores)),
        "papers": _papers(run, found),
        "split": split,
        "splits": over_splits.of_claims(claims, run.named),
    }


def _waits(claim: Mapping[str, Any]) -> bool:
    """Whether a claim is not asked because a modality has to be missing first."""
    verdict, why = _verdict(claim)
    return verdict == UNASKED and bool(why)


def _waiting(count: int) -> str:
    if not count:
        return ""
    are, they = ("is", "it") if count == 1 else ("are", "them")
    claims = words.counted(count, "claim")
    return f"{claims} {are} of one modality alone: “mien evaluate RUN --missing default” answers {they}."


def answer(claims: Sequence[Mapping[str, Any]]) -> str:
    """How many claims have which answer."""
    answered = [claim for claim in claims if _verdict(claim)[0] != UNASKED]
    if not answered:
        return "No claim of the paper can be answered by this run."
    verdicts = [_verdict(claim)[0] for claim in answered]
    counts = {kind: verdicts.count(kind) for kind in (YES, NO, OPEN, UNLIKE)}
    each = words.listed(f"{count} {kind}" for kind, count in counts.items() if count)
    skipped = len(claims) - len(answered)
    more = f"; {skipped} cannot be answered, because models or measurements are missing" if skipped else ""
    return f"Of {words.counted(len(answered), 'claim')} that this run can answer: {each}{more}."


def _claims(claims: Sequence[Mapping[str, Any]], split: str) -> Iterator[dict[str, Any]]:
    """The claims; the figures of the paper are with the first row of a claim."""
    named = ""
    for claim in claims:
        figures = _figures(claim) if claim["claim"] != named else []
        verdict, why = _verdict(claim)
        scale = None if claim["kind"] == DIFFERENT else _scale(claim["measure"])
        rows = [_row(contrast, scale) for contrast in claim["contrasts"]]
        shown = {"called": _kind(claim, scale), "clips": _clips(claim, split), "rows": rows, "figures": figures}
        yield {**claim, **shown, "verdict": verdict, "why": why}
        named = claim["claim"]


def _verdict(claim: Mapping[str, Any]) -> tuple[str, str]:
    """The answer without its reason, and the reason, empty if there is none."""
    verdict, _, why = str(claim["answer"]).partition(": ")
    return verdict, why


def _scale(measure: str) -> words.Scale:
    """How the values of a measure of claims are shown."""
    own = words.scale("wa" if measure == "accuracy" else measure)
    return own._replace(title=TITLES.get(measure, own.title))


def _row(contrast: Mapping[str, Any], scale: words.Scale | None) -> dict[str, Any]:
    """A contrast; Stuart-Maxwell's test has no difference."""
    row = {"contrast": _plain(contrast["contrast"]), "p_holm": contrast["p_holm"]}
    row |= {"comparable": contrast.get("comparable", True), "splits": ""}
    if scale is None or contrast["difference"] is None:
        return row | {"difference": words.UNKNOWN, "limits": words.UNKNOWN}
    limits = scale.span(contrast["low"], contrast["high"])
    row["splits"] = over_splits.of_contrast(contrast, scale)
    percent = contrast.get("percent")
    relative = "" if percent is None else f" ({percent:+.1f} %)".replace("-", "\N{MINUS SIGN}")
    return row | {"difference": scale.signed(contrast["difference"]) + relative, "limits": limits}


def _kind(claim: Mapping[str, Any], scale: words.Scale | None) -> str:
    """The kind of a claim, with its margin; and the measure, if its differences are not in points."""
    if scale is None:
        return "Stuart-Maxwell"
    kind, margin = str(claim["kind"]), claim.get("margin", 0)
    width = f"{100 * margin:.2g} points" if scale.percent else f"{margin:g}"
    called = {KEPT: f"no worse by {width}", NEAR: f"within {width}"}.get(kind, kind)
    return called if scale.percent else f"{called}; {scale.title}"


def _clips(claim: Mapping[str, Any], split: str) -> str:
    """The clips that a probe is scored on, and the probe."""
    if claim.get("alone"):
        return f"{split} clips with {ALONE[claim['alone']]} alone"
    where = [claim["where"]] if claim.get("where") else []
    if claim["probe"] is None:
        return f"{split} clips with {where[0]}" if where else ""
    probe = [CALLED[claim["probe"]]] if claim["probe"] != PROBES[0] else []
    return ", ".join([*where, f"all {split} clips" if claim["clips"] == ALL else claim["clips"], *probe])


def _figures(claim: Mapping[str, Any]) -> list[str]:
    """The figures that the paper reports for a claim."""
    return [f"{name}: {value:g}".replace(": -", ": \N{MINUS SIGN}") for name, value in claim["figures"].items()]


def _papers(run: Run, found: Mapping[str, Any]) -> str:
    """A sentence on where the scores of the paper are from."""
    corpora = [score["corpus"] for score in found["scores"] if score["reference"]]
    figures = any(claim["figures"] for claim in found["claims"])
    if not corpora and not figures:
        return ""
    every = (tables for tables_of in run.experiment.reference.values() for tables in tables_of.items())
    named = dict.fromkeys([*filter(None, corpora), *(name for name, table in every if isinstance(table, Mapping))])
    whose = f"“Paper”: scores reported by {run.experiment.paper}" + (f" on {words.listed(named)}" if named else "")
    own = str(run.certificate["corpus"]).casefold()
    elsewhere = not named or own not in (name.casefold() for name in named)
    return (
        f"{whose}. They are on other data and cannot be compared with the scores of this run."
        if elsewhere
        else f"{whose}."
    )


def _ways(score: Score) -> list[Mapping[str, Any]]:
    """The ways of scoring that are shown; if the clips are balanced as they are, all clips are not shown again."""
    both = {(way["probe"], way["clips"]) for way in score["ways"]}
    return [
        way for way in score["ways"] if not (way["even"] and way["clips"] == ALL and (way["probe"], BALANCED) in both)
    ]


def _table(run: Run, score: Score, split: str) -> dict[str, Any]:
    """A score as a table and bars.

    Returns:
        `title`, `pictures`, `note`; `groups`: (name, columns) of the upper row of the head, or none; `heads`: the lower
        one; `rows`: (name, cells), each cell (columns, text, interval, the paper's).
    """
    axes, ways = run.experiment.axes, _ways(score)
    models = list(dict.fromkeys(row["model"] for way in ways for row in way["rows"]))
    lies = _lies(axes, models)
    scale = _scale(score["measure"])
    floors = any("excess" in row for way in ways for row in way["rows"])
    wide = len(ways) > FEW or floors or not any(lies.values())
    made = _by_model(ways, models, scale, split) if wide else _by_place(ways, models, axes, lies, scale)
    head = next(iter(axes), "model") if not wide else "model"
    return made | {
        "title": _title(score),
        "head": head,
        "pictures": list(_pictures(run, score, ways, lies)),
        "note": _note(score, ways, split, [] if wide else list(axes)[1:]),
    }


def _by_model(
    ways: Sequence[Mapping[str, Any]], models: Sequence[str], scale: words.Scale, split: str
) -> dict[str, Any]:
    """A row for each model; a column for each way of scoring and for the score above the identity floor."""
    columns = [
        (way["probe"], {row["model"]: row for row in way["rows"]}, key)
        for way in ways
        for key in ("score", "excess")
        if key == "score" or any("excess" in row for row in way["rows"])
    ]
    heads = []
    for way in ways:
        even = way["even"] or way["clips"] == ALL
        heads.append(f"all {split} clips" if even else BALANCED)
        heads += ["above identity floor"] if any("excess" in row for row in way["rows"]) else []
    probes = list(dict.fromkeys(probe for probe, _, _ in columns))
    groups = [
        (
            ", ".join(filter(None, [CALLED.get(str(probe)), f"{scale.title}{scale.unit}"])),
            sum(other == probe for other, _, _ in columns),
        )
        for probe in probes
    ]
    rows = [(_plain(model), [_cell(by.get(model), key, scale) for _, by, key in columns]) for model in models]
    return {"groups": groups, "heads": heads, "rows": rows}


def _by_place(
    ways: Sequence[Mapping[str, Any]],
    models: Sequence[str],
    axes: Axes,
    lies: Mapping[str, tuple[str, str] | None],
    scale: words.Scale,
) -> dict[str, Any]:
    """A row for each value of the first axis, a column for each value of the others; a model on no axis has a row."""
    across = _columns(axes, lies)
    tables = [{row["model"]: row for row in way["rows"]} for way in ways]
    rows: list[tuple[str, list[dict[str, Any]]]] = [
        (_plain(model), [_cell(by.get(model), "score", scale, len(across)) for by in tables])
        for model in models
        if lies[model] is None
    ]
    for value in dict.fromkeys(place[0] for place in lies.values() if place):
        at = {place[1]: model for model, place in lies.items() if place and place[0] == value}
        rows.append((value, [_cell(by.get(at.get(column, "")), "score", scale) for by in tables for column in across]))
    names = [CALLED.get(str(way["probe"]), "") for way in ways]
    groups = [(", ".join(filter(None, [name, f"{scale.title}{scale.unit}"])), len(across)) for name in names]
    return {"groups": groups, "heads": [column or scale.title for column in across] * len(ways), "rows": rows}


def _cell(row: Mapping[str, Any] | None, key: str, scale: words.Scale, columns: int = 1) -> dict[str, Any]:
    if row is None or row.get(key) is None:
        return {"columns": columns, "text": words.UNKNOWN, "limits": "", "paper": ""}
    head = "" if key == "score" else f"{key}_"
    text = scale.value(row[key]) if key == "score" else scale.signed(row[key])
    low, high = row[f"{head}low"], row[f"{head}high"]
    limits = "" if low is None else scale.span(low, high)
    paper = row["paper"] if key == "score" else None
    return {"columns": columns, "text": text, "limits": limits, "paper": "" if paper is None else scale.value(paper)}


def _lies(axes: Axes, models: Sequence[str]) -> dict[str, tuple[str, str] | None]:
    """Model -> its value on the first axis and on the others, as text; None for a model that is not on all axes."""
    return {
        model: (_plain(values[0]), " ".join(map(_plain, values[1:]))) if axes and len(values) == len(axes) else None
        for model, place in places(axes, models).items()
        for values in [list(place.values())]
    }


def _columns(axes: Axes, lies: Mapping[str, tuple[str, str] | None]) -> list[str]:
    """The values of all axes but the first, in their order, if some model has them."""
    present = {place[1] for place in lies.values() if place}
    values = (" ".join(map(_plain, place)) for place in product(*list(axes.values())[1:]))
    return [value for value in values if value in present]


def _title(score: Score) -> str:
    factor, where = score["factor"].capitalize(), f"; clips with {score['where']}" if score.get("where") else ""
    if score["embedding"] is None:
        return f"{factor}, predicted by the models' own heads{where}"
    return f"{factor}, predicted by a probe on the {score['embedding']} embedding{where}"


def _pictures(
    run: Run, score: Score, ways: Sequence[Mapping[str, Any]], lies: Mapping[str, tuple[str, str] | None]
) -> Iterator[Picture]:
    """Bars for every way of scoring, except by the strongest probe."""
    axes, scale = run.experiment.axes, _scale(score["measure"])
    times = 100 if scale.percent else 1
    series = dict.fromkeys(place[0] for place in lies.values() if place)
    columns = _columns(axes, lies)
    if not series:
        return
    below = " and ".join(list(axes)[1:])
    wanted = any(score["factor"] in own.get(score["embedding"], ()) for own in tasks(run).values())
    for way in ways:
        if way["probe"] not in (None, PROBES[0]):
            continue
        at = {row["model"]: row for row in way["rows"]}
        lines = {_plain(model): at[model]["score"] for model, place in lies.items() if place is None and model in at}
        lines |= {
            "chance": way["chance"]["score"],
            **({"identity floor": way["floor"]["score"]} if way["floor"] else {}),
        }
        title = _title(score) + (
            ", all classes with equal weight" if way["clips"] == BALANCED and not way["even"] else ""
        )
        svg = bars.bars(
            [_bar(at[model], place, times) for model, place in lies.items() if place and model in at],
            columns,
            list(series),
            {name: times * value for name, value in lines.items() if value is not None},
            name=f"claims {score['factor']} {score['measure']} {score['embedding']} {way['probe']} {way['clips']}"
            + (f" {score['where']}" if score.get("where") else ""),
            description=f"{title}, {scale.title} by {' and '.join(axes)}",
            axis=f"{scale.title}{scale.unit}",
            below=below,
        )
        yield Picture(title, svg, _caption(score, way, wanted))


def _caption(score: Score, way: Mapping[str, Any], wanted: bool) -> str:
    useful = wanted or score["embedding"] is None  # else a leak
    better = "higher is better" if useful == _scale(score["measure"]).higher else "lower is better"
    who = "The models' own heads" if way["probe"] is None else f"A probe with {CALLED[way['probe']]}"
    text = f"{who}; {better}."
    if way["floor"] and way["clips"] == BALANCED:
        text += " Identity floor: the score from the true speaker alone. Scores above it are leakage beyond identity."
    return f"{text} Bars: 95 % intervals over speakers, averaged over seeds."


def _bar(row: Mapping[str, Any], place: tuple[str, str], times: int) -> bars.Bar:
    value, low, high = (math.nan if row[key] is None else times * float(row[key]) for key in ("score", "low", "high"))
    return bars.Bar(place[1], place[0], value, low, high)


def _note(score: Score, ways: Sequence[Mapping[str, Any]], split: str, columns: Sequence[str]) -> str:
    """The note below a table."""
    notes = ["Probes are fitted on training clips." if score["embedding"] else ""]
    notes += [f"Columns: {' and '.join(columns)}." if columns else ""]
    notes += ["Below each score: its 95 % interval over speakers."]
    if any(way["clips"] == BALANCED for way in ways):
        even = f"The {split} clips are balanced as they are: all classes are equally frequent."
        notes += [even if ways[0]["even"] else "Balanced: all classes have equal weight."]
    scale = _scale(score["measure"])
    first = {way["clips"]: way for way in reversed(ways) if way["probe"] == ways[0]["probe"]}
    first = {clips: first[clips] for clips in (ALL, BALANCED) if clips in first}
    always = "the most frequent class" if score["measure"] not in OF_NUMBERS else "the mean"
    notes += [f"Chance, always predicting {always}: {_each(first, 'chance', scale)}."]
    if all(way["floor"] for way in first.values()):
        last = list(first.values())[-1]["floor"]
        limits = "" if last["low"] is None else f" ({scale.span(last['low'], last['high'])})"
        notes += [f"Identity floor, the true speaker alone: {_each(first, 'floor', scale)}{limits}."]
    most = max((row for way in ways for row in way["rows"]), key=lambda row: int(row["clips"]))
    notes += [f"{words.counted(most['speakers'], 'speaker')}, {most['clips']:,} clips."]
    return " ".join(filter(None, notes))


def _each(ways: Mapping[str, Mapping[str, Any]], level: str, scale: words.Scale) -> str:
    """A level (chance or floor) for every way of scoring."""
    return ", ".join(
        f"{'balanced ' if clips == BALANCED and len(ways) > 1 else ''}{scale.value(way[level]['score'])}"
        for clips, way in ways.items()
    )


def _leaks(run: Run, scores: Sequence[Score]) -> Iterator[dict[str, Any]]:
    """Leakage of factors that an embedding is not trained to predict, for the answer: one hidden layer, balanced.

    `factor, embedding, measure`, `rows`: `model, score`, and the identity `floor`, None if there is none.
    """
    for score in scores:
        wanted = any(score["factor"] in own.get(score["embedding"], ()) for own in tasks(run).values())
        for way in score["ways"] if not score.get("where") else ():
            if (way["probe"], way["clips"]) == (PROBES[0], BALANCED) and not wanted:
                rows = [{"model": row["model"], "score": row["score"]} for row in way["rows"]]
                floor = way["floor"]["score"] if way["floor"] else None
                head = {"factor": score["factor"], "embedding": score["embedding"]}
                yield head | {"measure": _scale(score["measure"]).title, "rows": rows, "floor": floor}


def _plain(name: str) -> str:
    return name.replace("_", " ")
