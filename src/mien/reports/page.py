"""`report.html`: a run on one page that opens offline, follows light and dark, and prints.

The page has no script and loads nothing; a policy in its head forbids both. Its numbers are read from the files of the
run, which `audit.results` writes; the page computes none of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mien.audit.run_leakage.summary import FEWEST_UNITS
from mien.audit.run_leakage.targets import targets
from mien.common.leakage_tables import STRONGEST
from mien.common.measures import of_classes
from mien.common.tables import numbers, rows_of
from mien.common.units import noun
from mien.data.protocols import LEAKS, PARTS, SPLITS
from mien.data.turns import coverage
from mien.errors import RunError
from mien.experiments.experiment import Experiment
from mien.reports import words
from mien.reports.figures import canvas
from mien.reports.html import environment
from mien.reports.sections import (
    affine,
    auc,
    calibration,
    certificate,
    chosen,
    claims,
    copies,
    derived,
    evidence,
    leak_figures,
    leaks,
    over_splits,
    pairs,
    recognition,
    robustness,
    seen,
    speakers,
    sweep,
    tasks,
)
from mien.reports.sections.answer import answer
from mien.reports.words import counted, percent, signed, span
from mien.runs.run import WORDS, Run

PAGE = "report.html"
ELSEWHERE = set(WORDS)  # settings that other parts of the page show


def write(run: Run) -> Path:
    """Write `report.html` into the run folder, atomically, and return its path.

    Raises:
        RunError: when the run has no results yet.
    """
    run.write_text(PAGE, render(run))
    return run.folder / PAGE


def render(run: Run) -> str:
    """The page of a run, as text."""
    found, classes = _results(run), run.classes
    split, summary = found["split"], _summary(run, found)
    differences = pairs.compared(run, found["differences"])
    varied = sweep.shown(run)
    scored = list(_scores(run, summary, found["delta"]))
    leakage, claimed = leaks.summed(run), claims.shown(run)
    measures = [name for name in map(str, summary) if f"{name}_chance" in summary]
    made = environment(measures)
    made.filters |= {"percent": percent, "signed": signed, "decimal": words.decimal, "p": leaks.p_text}
    made.filters |= {"fine": leaks.fine}
    made.globals |= {"span": span, "limits": evidence.limits, "draws": found["draws"]}
    made.globals |= {"named": run.named, "unit": noun(run.named), "leaks_known": tuple(LEAKS)}
    made.globals |= {"marks": run.marks, "marked": certificate.mark(run)}
    return made.get_template("page.html.jinja").render(
        title=run.title,
        experiment=run.experiment,
        lacks=run.lacking,
        classes=classes,
        last=of_classes(classes)[-1],
        grouped_by=(run.target, "speaker") if classes else ("speaker",),
        facts=_facts(run, found.get("derived", {})),
        answer=[*answer(run, summary, differences, leaks.of(leakage), claimed), *_taught(run), *_partly(run)],
        split=split,
        sweep=varied,
        chosen=chosen.shown(run, found),
        claims=claimed,
        scores=scored,
        columns=_columns(scored),
        chance=_chance(summary, split, list(measures)),
        copies=copies.shown(run, found),
        seen=seen.shown(run, found),
        others=tasks.shown(run, found),
        papers=evidence.papers(run, corpus=run.certificate["corpus"]),
        by_fold=evidence.by_fold(run, found),
        evaluations=list(evidence.evaluations(run)),
        affine=affine.shown(run),
        robustness=robustness.shown(run),
        by_method=canvas.by_method(run.experiment.models),
        overview=recognition.overview(run, found, summary),
        differences=pairs.scored(differences, noun(run.named)),
        over_splits=over_splits.shown(run, found),
        confusions=list(recognition.confusions(run, found, summary)) if classes else [],
        auc=auc.shown(run, found),
        agreements=[] if classes else list(recognition.agreements(run, summary)),
        by_speaker=recognition.speakers(run, split, summary),
        extremes=found.get("extremes", []),
        grouped=speakers.grouped(found.get("groups", [])),
        human=found.get("listeners"),
        calibration=calibration.shown(run, found),
        curves=list(recognition.curves(run, summary)),
        maps=list(evidence.maps_of(run)),
        silhouettes=evidence.silhouettes(run, found.get("silhouettes", [])),
        leaks=_leakage(run, found["planes"], leakage),
        leakage_pairs=pairs.divided(
            evidence.leakage_pairs(run, found.get("leakage_differences", [])), pairs.SIDES, "number"
        ),
        folds=certificate.folds(run),
        certificate=certificate.shown(run),
        notes=_notes(run, found),
        settings=list(_settings(run)),
        changed={key: words.plain(value) for key, value in run.changed.items()},
        environment=words.flat({name: value for name, value in run.environment.items() if name != "changed"}),
    )


def _results(run: Run) -> dict[str, Any]:
    """`metrics.json`, an unknown number as nan."""
    nothing = f"{run.folder}: no model has been trained yet, so there is nothing to report; run 'mien train'"
    if not run.cells:
        raise RunError(nothing)
    found: dict[str, Any] = numbers(run.metrics)
    if "computed_from" not in found:
        raise RunError(f"{run.folder}: its metrics.json was written by an older mien; run 'mien report {run.folder}'")
    if not set(run.experiment.models) & set(found["models"]):
        raise RunError(nothing)
    return found


def _summary(run: Run, found: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of `scores.summary` of the experiment's models; variants have a section of their own."""
    summary = pd.DataFrame(rows_of(found["models"], "model", "split"))
    return summary[summary["model"].isin(run.experiment.models)].reset_index(drop=True)


def _leakage(run: Run, planes: Mapping[str, Any], summary: pd.DataFrame) -> dict[str, Any]:
    """The values of the section on leakage. `rows` is empty if leakage was not measured."""
    found = leaks.of(summary)
    baselines = leaks.baselines(summary)
    views = leaks.views(summary)
    probes = set(found["probe"]) - {STRONGEST}
    return {
        "rows": leaks.by_probe(found),
        "probes": [probe for probe in leaks.PROBES if probe in probes],
        "baselines": baselines,
        "erased": bool(found["erased"].astype(bool).any()),
        "pictures": list(leak_figures.pictures(run, found, baselines)),
        "planes": [
            picture
            for factor, plane in planes.items()
            for picture in [leak_figures.accuracy_leakage(run, plane, factor=factor)]
        ],
        "several": bool(targets(run)),
        **views,
        "fewest": FEWEST_UNITS,
        "verification_interval": any(
            row["low"] == row["low"] for view in views["verification"] for row in view["by"].values()
        ),
        "roc": leak_figures.roc_of(run) if views["verification"] else None,
        "others": leaks.others(summary),
        "numbers": leaks.others(summary, measure="ccc"),
        "heat": leaks.heat(summary),
    }


def _facts(run: Run, means: Mapping[str, Any]) -> dict[str, str]:
    """The facts at the top of the page: corpus, target, protocol, what was run, ...; name -> text.

    What the experiment costs and which score to expect are left out of a run with other settings or another corpus.

    Args:
        run: the run.
        means: `derived` of its `metrics.json`.
    """
    experiment = run.experiment
    classes = (
        f"{len(run.classes)} classes{_scheme(experiment)}: {', '.join(run.classes)}" if run.classes else "a number"
    )
    facts = {
        "Corpus": words.corpora(run.clips, run.certificate, run.corpus),
        **({"Release": release} if (release := words.releases(run.certificate)) else {}),
        "Target": f"{run.target}, {classes}",
        **{f"Classes of {factor}": derived.meaning(one) for factor, one in means.items()},
        "Protocol": words.protocol(experiment.protocol, run.splits),
        "Trained": ", ".join(
            [counted(len(experiment.models), "model") + _variants(experiment), *_extent(run).values()]
        ),
        "Paper": experiment.paper,
        "Command": run.environment.get("command", experiment.command),
    }
    return facts | ({"Expected": experiment.expected, "Cost": experiment.cost} if run.as_written else {})


def _taught(run: Run) -> list[str]:
    """What is true in the scores of a model that learned from another one; nothing of others."""
    if run.experiment.data.teacher is None:
        return []
    return [
        f"What counts as right is the {run.target} that the teacher finds most probable in a clip's face: no label of "
        "people was used, and none is scored."
    ]


def _partly(run: Run) -> list[str]:
    """A sentence on a run whose overrides take a part of the experiment."""
    parts = _extent(run)
    if not any(" of " in text and setting in run.changed for setting, text in parts.items()):
        return []
    extent = ", ".join(parts.values())
    return [f"Only a part of the experiment was run: {extent}. The scores of the whole experiment may differ much."]


def _extent(run: Run) -> dict[str, str]:
    """How much was run of folds, epochs and seeds, each with the number that there are where it is less, by setting."""
    experiment, changed = run.experiment, run.changed
    seeds, planned = len(experiment.seeds), changed.get("seeds", [])
    return {
        "protocol.folds": _of(len(run.splits), run.folds, "fold"),
        "training.epochs": _of(experiment.training.epochs, changed.get("training.epochs"), "epoch"),
        "seeds": f"{counted(seeds, 'seed')} ({', '.join(map(str, experiment.seeds))})"
        if seeds >= len(planned)
        else _of(seeds, len(planned), "seed"),
    }


def _of(number: int, planned: int | None, noun: str) -> str:
    return (
        f"{number} of {counted(planned, noun)}" if planned is not None and planned > number else counted(number, noun)
    )


def _columns(scored: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of scores that some model has a value for."""
    parts = [part for part in PARTS[1:] if any(row[part] for row in scored)]
    return [*parts, *(["test \N{MINUS SIGN} val."] if len(parts) > 1 else [])]


def _chance(summary: pd.DataFrame, split: str, measures: Sequence[str]) -> dict[str, str]:
    """Measure -> its chance, where that is the same for all models."""
    rows = summary[summary["split"] == split]
    shown = {name: {words.scale(name).value(value) for value in rows[f"{name}_chance"]} for name in measures}
    return {name: values.pop() for name, values in shown.items() if len(values) == 1}


def _scheme(experiment: Experiment) -> str:
    return f" (scheme {experiment.data.scheme})" if isinstance(experiment.data.scheme, str) else ""


def _variants(experiment: Experiment) -> str:
    varied = len(experiment.trained) - len(experiment.models)
    return f"; {counted(varied, 'variant')} in {counted(len(experiment.grid), 'group')}" if varied else ""


def _scores(run: Run, summary: pd.DataFrame, delta: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The table of models: model, whether its scores are `auxiliary`, rows of the summary, gaps, the paper's scores."""
    table = {(row["model"], row["split"]): row for row in summary.to_dict("records")}
    auxiliary, measures = tasks.auxiliary(run), [name for name in map(str, summary) if f"{name}_chance" in summary]
    for model in dict.fromkeys(summary["model"]):
        yield {
            "model": model,
            "auxiliary": model in auxiliary,
            "validation": table.get((model, "validation")),
            "test": table.get((model, "test")),
            "delta": {measure: delta.get(model, {}).get(measure) for measure in measures},
            "paper": published.figures if (published := evidence.paper(run, model)) else {},
        }


def _notes(run: Run, found: Mapping[str, Any]) -> list[str]:
    """Limits of the run and of its data, as sentences."""
    planned = len(run.experiment.trained) * len(run.splits) * len(run.experiment.seeds)
    notes = []
    if len(run.cells) < planned:
        notes.append(
            f"The run is not finished: this page shows {len(run.cells)} of {planned} training runs (model, fold, seed)."
        )
    for why, count in run.certificate["left_out"].items():
        notes.append(f"{counted(count, 'clip')} not used: {why}.")
    if run.experiment.data.normalisation == "speaker":
        notes.append(
            "Features are normalised by the statistics of each speaker: for test speakers, these use test data."
        )
    if unknown := found["scored"]["unknown"]:
        notes.append(f"{counted(unknown, 'clip')} without a known {run.target}: predicted but not scored.")
    if run.experiment.protocol.name == SPLITS:
        notes.append(
            f"{words.tested(run.splits)}, {_several(run)}. A clip counts once in every score, with the mean of its "
            "splits and seeds, however often its speaker was sampled. Splits share training and test speakers, so "
            "scores of folds are not independent."
        )
    if 0 < (number := found["scored"]["speakers"]) < 20:
        whose = counted(number, f"{found['split']} speaker")
        notes.append(
            f"Intervals are over {whose} only. They are widened for the small number, but they are still rough."
        )
    if auxiliary := tasks.auxiliary(run):
        are = "is" if len(auxiliary) == 1 else "are"
        whose = "the scores are those of an auxiliary classifier on the detached embedding"
        notes.append(f"{words.listed(auxiliary)} {are} not trained to recognise {run.target}: {whose}.")
    if run.experiment.hold_test:
        who = "speakers, on whom" if run.named else "clips, on which"
        notes.append(f"Test clips were not used. Scores are on validation {who} the epoch was chosen too.")
    elif _rotates(run):
        notes.append(
            "The epoch of a fold is chosen on its validation speakers, who are not tested in that fold. But the folds "
            "rotate: the validation speakers of one fold are tested in another."
        )
    return [*notes, *(words.sentence(note.removeprefix("note: ")) for note in run.certificate["notes"])]


def _several(run: Run) -> str:
    """How many speakers several splits test."""
    several = coverage(run.splits, PARTS[2]).several
    return f"{several or 'none'} of them in several"


def _rotates(run: Run) -> bool:
    """Whether validation speakers of a fold are tested in another fold, and none in the same fold."""
    if any(set(fold[PARTS[1]]["speakers"]) & set(fold[PARTS[2]]["speakers"]) for fold in run.splits):
        return False
    validation, test = ({name for fold in run.splits for name in fold[part]["speakers"]} for part in PARTS[1:])
    return bool(validation & test)


def _settings(run: Run) -> Iterator[tuple[str, str, str]]:
    """Setting, value, and where it comes from: the nearest entry of the experiment's provenance."""
    provenance = run.experiment.provenance
    for key, value in words.flat(run.experiment.model_dump(mode="json")).items():
        if key.split(".")[0] not in ELSEWHERE:
            parts = key.split(".")
            above = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
            yield key, value, next((provenance[name] for name in above if name in provenance), "")
