"""`comparison.html`: several systems on one page. Like the page of a run, it has no script and loads nothing."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
from markupsafe import Markup

from mien.audit.comparison.comparison import Comparison
from mien.audit.comparison.learning_curves import Curves
from mien.audit.statistics.verdict import FEWEST, LEVEL
from mien.common.measures import MEASURES
from mien.reports import learning_curves, words
from mien.reports.figures import plane
from mien.reports.html import environment
from mien.reports.words import percent, probability, signed, span, whole


def render(found: Comparison, curves: Curves | None = None) -> str:
    """The page of a comparison, as text; with its learning curves, if it has some."""
    made = environment(found.measures)
    made.filters |= {"percent": percent, "signed": signed, "probability": probability}
    made.filters |= {"breakable": breakable, "whole": whole}
    made.globals |= {"span": span, "scale_of": scale_of}
    names = [system.name for system in found.together.systems]
    systems = [(system.name, system.run, system.model) for system in found.together.systems]
    target, picture = systems[0][1].target, ""
    if found.points:
        described = f"Accuracy against speaker leakage of {words.listed(names)}"
        picture = plane.plane(found.points, name="plane", description=described, target=target)
    other = ""
    if found.points_of_target:
        described = f"Accuracy against leakage of {target}, of {words.listed(names)}"
        named = {"name": f"plane of {target}", "description": described, "factor": target, "target": target}
        other = plane.plane(found.points_of_target, **named)
    differences = found.pairs[found.pairs["measure"] != "predictions"]
    return made.get_template("comparison.html.jinja").render(
        title=f"{len(names)} systems compared" if len(names) > 2 else f"{names[0]} and {names[1]} compared",
        facts=_facts(found),
        answer=answer(found),
        marks=found.together.marks,
        systems=found.systems.to_dict("records"),
        caption=caption(found),
        curves=None if curves is None else learning_curves.section(curves),
        differences=list(_headed(differences)),
        rule=rule(found),
        plane=picture,
        target=target,
        other=other,
        chance=len({point.chance for point in found.points}) == 1 and math.isfinite(found.points[0].chance),
        tests=list(_headed(found.pairs)),
        notes=found.notes,
    )


def answer(found: Comparison) -> list[str]:
    """Sentences: the best system, the systems that it is separable from, the worth of seen speakers, the leakage."""
    systems = found.systems
    name = found.measures[0]
    scale = words.scale(name)
    best = systems.sort_values(name, ascending=False, kind="stable").iloc[0]
    around = scale.value(best[name]) + ("\N{NO-BREAK SPACE}%" if scale.percent else "")
    if math.isfinite(best[f"{name}_low"]):
        speakers = words.counted(int(best["speakers"]), "speaker")
        around += f", 95 % interval over {speakers} {scale.span(best[f'{name}_low'], best[f'{name}_high'])}"
    sentences = [f"The highest {scale.title} on {found.together.split} speakers is {best['system']}'s: {around}."]
    pairs = found.pairs[found.pairs["measure"] == name]
    apart: list[str] = []
    together: list[str] = []
    for row in pairs.to_dict("records"):
        if best["system"] in (row["model"], row["other"]):
            other = row["other"] if row["model"] == best["system"] else row["model"]
            (apart if row["separable"] else together).append(str(other))
    if apart:
        sentences.append(f"It is separably above {words.listed(apart)}.")
    if together:
        sentences.append(f"It is not separable from {words.listed(together)}.")
    for one in found.worths:
        unit = f"{'points of ' if scale.percent else ''}{scale.title}"
        verdict = "separable" if one.separable else "not separable"
        sentences.append(
            f"{one.model}: testing speakers that were seen in training gives {scale.signed(one.difference)} {unit} "
            f"(95 % interval {scale.span(one.low, one.high)}, {verdict})."
        )
    leaks = systems.dropna(subset="leakage").sort_values("leakage", kind="stable")
    if len(leaks) > 1:
        least, most = leaks.iloc[0], leaks.iloc[-1]
        figures = [
            f"{percent(share)}\N{NO-BREAK SPACE}%"
            for share in (*leaks["leakage"].iloc[[0, -1]], least["leakage_chance"])
        ]
        sentences.append(
            f"Speaker leakage (UAR of the strongest probe) is lowest for {least['system']} ({figures[0]}) and highest "
            f"for {most['system']} ({figures[1]}); chance is {figures[2]}."
        )
    return sentences


def caption(found: Comparison) -> str:
    """The caption of the table of systems."""
    row = found.systems.iloc[0]
    clips = words.counted(int(row["clips"]), "clip")
    speakers = words.counted(int(row["speakers"]), f"{found.together.split} speaker")
    text = (
        f"Scores on {clips} of {speakers}, pooled, with 95 % intervals over speakers, averaged over seeds. "
        f"Bold: separably better than {found.baseline or 'every other system'}."
    )
    if found.systems["leakage"].notna().any():
        text += (
            " Leakage: UAR of the strongest probe for the speaker, on seen speakers, mean over folds (chance "
            f"{percent(float(found.systems['leakage_chance'].mean()))}); ring: on the Pareto frontier of accuracy and "
            "leakage."
        )
    papers = list(dict.fromkeys(found.systems["paper"].dropna()))
    return f"{text} Paper: scores reported in {words.listed(papers)}." if papers else text


def rule(found: Comparison) -> str:
    """When two systems are called separable."""
    pairs, level = len(found.pairs[["model", "other"]].drop_duplicates()), f"{LEVEL:g}".removeprefix("0")
    return (
        f"First minus second, paired by speaker. Separable: at least {FEWEST} speakers, the 95 % interval excludes "
        f"zero, and Wilcoxon's signed-rank test over speakers, corrected by Holm over {words.counted(pairs, 'pair')}, "
        f"has p < {level}; this p is shown. Leakage is the recall of each speaker by the strongest probe, or, where "
        "that is not known, the score of each unit of folds."
    )


def breakable(name: str) -> Markup:
    """A name that may be broken into lines after a slash."""
    return Markup("<wbr>").join(re.split("(?<=/)", name))


def measure(name: str) -> str:
    """The title of a measure in a table."""
    return scale_of(name).title


def scale_of(name: str) -> words.Scale:
    """The scale of a measure of a comparison; those of predictions and leakage are fractions."""
    return words.scale(name) if name in MEASURES or name == "f1" else words.Scale(name, True, True)


def _facts(found: Comparison) -> dict[str, str]:
    together, row = found.together, found.systems.iloc[0]
    corpora = dict.fromkeys(str(system.run.certificate["corpus"]) for system in together.systems)
    return {
        "Systems": ", ".join(system.name for system in together.systems),
        "Runs": ", ".join(dict.fromkeys(system.of for system in together.systems)),
        "Corpus": f"{', '.join(corpora)}: {row['clips']:,} clips, {row['speakers']} speakers, {together.split}",
        "Target": together.systems[0].run.target,
        "Classes": ", ".join(together.classes) or "a number",
        "Pairs": f"all with {found.baseline}" if found.baseline else "all",
    }


def _headed(pairs: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows with the `name` of the measure and `head`: the number of rows of the pair in its first row, else 0."""
    for _, part in pairs.groupby(["model", "other"], sort=False):
        for place, row in enumerate(part.to_dict("records")):
            more = {"name": measure(row["measure"]), "head": 0 if place else len(part)}
            yield {str(key): value for key, value in row.items()} | more
