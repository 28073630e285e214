"""The evidence of Peri et al. 2021 as data, of a run with an emotion embedding and a speaker embedding.

Fig. 3a (macro F of emotion by the model's own head), Fig. 3b (macro F of emotion by a one-hidden-layer probe on the
speaker embedding), Table 1 (person accuracy), the person read from the emotion embedding (section 5.1), Stuart-Maxwell
(footnote 1), and what the paper claims of them (`peri2021_claims`). Models are found by their names: `emotion_only`,
`person_only`, and METHOD_DIMENSION, the dimension being that of the speaker embedding.

All scores are fractions in [0, 1] on test clips (validation where test is held), with 95 % intervals over speakers,
corrected for bias, seeds averaged within a speaker. The leak stands twice: on all clips, beside "all are called the
most frequent class", and with all classes weighted alike, beside the identity floor: what the true person alone says.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mien.audit.comparison.claims import Found, answered, rows_of
from mien.audit.leakage import floors
from mien.audit.leakage.leakage import STRONGEST
from mien.audit.leakage.words import EMOTION
from mien.audit.probes.division import SPEAKER
from mien.audit.recognition.task_scores import TASKS, constant, homogeneity, of_probe, task_scores
from mien.audit.run_leakage import predictions as said
from mien.audit.run_leakage.measure import run_said
from mien.audit.run_leakage.targets import tasks
from mien.audit.statistics.contrasts import Term, contrast, right_and_wrong
from mien.audit.statistics.scores import BySpeaker, confusions, judged
from mien.common.measures import balanced_f1
from mien.common.measures import macro_f1 as f1
from mien.common.measures import wa as accuracy
from mien.runs.run import Run
from mien.runs.tables import read_table

PAPER = "Peri et al. 2021"
FILE, TABLE = "peri2021.json", "claims.csv"
BASELINE = "multitask"
METHODS = (BASELINE, "gradient_reversal", "alternating", "confusion", "max_entropy")
SINGLE = {EMOTION: "emotion_only", SPEAKER: "person_only"}
ACCURACY = "person accuracy"  # as `reference:` calls it
PERCENT = 1.5  # no fraction is above it

Scores = dict[str, float]


@dataclass(frozen=True)
class Counts:
    """The counts of a run by model, seeds averaged within a speaker; what was not trained or measured is not there.

    Attributes:
        emotion: of emotion by the model's own head, (S, K, K), models with an embedding that has this task.
        person: of the speaker, likewise, right and wrong.
        leak: probe -> of emotion by the probe on the speaker embedding.
        identity: probe -> of emotion by the true speaker alone; empty where people were not heard.
        knows: probe -> of the speaker by the probe on the emotion embedding, right and wrong.
        most: the share of clips that the speaker with the most has: chance of naming the speaker.
    """

    emotion: dict[str, BySpeaker]
    person: dict[str, BySpeaker]
    leak: dict[str, dict[str, BySpeaker]]
    identity: dict[str, BySpeaker]
    knows: dict[str, dict[str, BySpeaker]]
    most: float | None


def asked(run: Run) -> bool:
    """Whether a run holds what the paper compares: it says so, or a model has an emotion and a speaker embedding."""
    return run.experiment.paper == PAPER or any({EMOTION, SPEAKER} <= set(own) for own in tasks(run).values())


def write(run: Run, *, seed: int = 0) -> dict[str, Any] | None:
    """Write RUN/peri2021.json and RUN/claims.csv, and return the former; None, and nothing, where it is not asked."""
    if not asked(run):
        return None
    found = evidence(run, seed=seed)
    run.write_json(FILE, found)
    run.write_table(TABLE, rows_of(found["claims"]))
    return found


def evidence(run: Run, *, seed: int = 0) -> dict[str, Any]:
    """All of it, as plain values, None for what is not known.

    Args:
        run: with predictions; `tasks.csv` and what probes said (`run_leakage.run_said`) as far as they are there.
        seed: of the bootstraps.

    Returns:
        `split, probe, classes`; `even`: whether every class is equally frequent; `chance` and `identity_floor`: `f1,
        balanced_f1`; `figure_3a, figure_3b, table_1, person_from_emotion, stuart_maxwell`: rows with `model, method,
        dimension` (None of a single-task model) and scores with `..._low, ..._high`; `claims`: see
        `peri2021_claims.answered`.

    Raises:
        RunError: a file of the run is missing or damaged.
    """
    predictions = run.predictions
    predictions = predictions[predictions["split"] == judged(predictions)]
    split = str(predictions["split"].iloc[0])
    counts = counted(run, predictions, split)
    models = grid(run)
    named = [*SINGLE.values(), *models.values()]
    different = _homogeneity(run, models, predictions)
    chance = next(iter(counts.emotion.values()), None)
    identity = counts.identity.get(said.PAPERS)
    leak, knows = counts.leak.get(said.PAPERS, {}), counts.knows.get(said.PAPERS, {})
    even = bool(leak) and all(_even(table) for table in leak.values())
    found = Found(models, counts.emotion, counts.person, leak, identity, knows, counts.most, different, even)
    found = found._replace(strongest=counts.leak.get(STRONGEST, {}), strongest_identity=counts.identity.get(STRONGEST))
    return _plain_mapping(
        {
            **{"split": split, "probe": said.PAPERS, "classes": list(run.classes), "even": even},
            "chance": None if chance is None else _both(constant(chance), seed),
            "identity_floor": None if identity is None else _both(identity, seed),
            "figure_3a": [
                {**place(models, model), **_limits("f1", Term(1.0, counts.emotion[model], f1), seed=seed)}
                for model in named
                if model in counts.emotion
            ],
            "figure_3b": [row for model in named if (row := _leak(counts, models, model, seed))],
            "table_1": _table_1(run, models, split, seed),
            "person_from_emotion": [row for model in named if (row := _knows(counts, models, model, seed))],
            "stuart_maxwell": different,
            "claims": answered(found, seed=seed),
        }
    )


def grid(run: Run) -> dict[tuple[str, int], str]:
    """(Method, dimension of the speaker embedding) -> model, as the names of the experiment's models tell."""
    found = {}
    for model in run.experiment.models:
        told = re.fullmatch(rf"({'|'.join(METHODS)})_(\d+)", model)
        if told:
            found[told[1], int(told[2])] = model
    order = {method: number for number, method in enumerate(METHODS)}
    return dict(sorted(found.items(), key=lambda one: (order[one[0][0]], -one[0][1])))


def counted(run: Run, predictions: pd.DataFrame, split: str) -> Counts:
    """Count what heads and probes said.

    Args:
        run: the run.
        predictions: its predictions of the split that is judged.
        split: its name.
    """
    own = tasks(run)
    heads = {model: {factor for factors in told.values() for factor in factors} for model, told in own.items()}
    felt = confusions(predictions, run.classes)
    emotion = {model: table for (model, _), table in felt.items() if EMOTION in heads.get(model, ())}
    told = _tasks(run)
    told = told[(told["factor"] == SPEAKER) & (told["split"] == split)]
    person = {
        str(model): right_and_wrong(rows)
        for model, rows in told.groupby("model", sort=False)
        if SPEAKER in heads.get(str(model), ())
    }
    leak: dict[str, dict[str, BySpeaker]] = {}
    knows: dict[str, dict[str, BySpeaker]] = {}
    identity: dict[str, BySpeaker] = {}
    most = None
    for key, rows in run_said(run).groupby(["model", "embedding", "factor", "probe"]):
        model, embedding, factor, probe = map(str, key)
        if factor == EMOTION and (model, embedding) == (floors.MODEL, floors.IDENTITY.format(SPEAKER)):
            identity[probe] = of_probe(rows, run.classes)
        elif factor == EMOTION and embedding == SPEAKER:
            leak.setdefault(probe, {})[model] = of_probe(rows, run.classes)
        elif factor == SPEAKER and embedding == EMOTION:
            knows.setdefault(probe, {})[model] = right_and_wrong(rows)
            most = float(rows["truth"].value_counts(normalize=True).iloc[0])
    return Counts(emotion, person, leak, identity, knows, most)


def place(models: Mapping[tuple[str, int], str], model: str) -> dict[str, Any]:
    """What a row is of: `model, method, dimension`."""
    for (method, dimension), name in models.items():
        if name == model:
            return {"model": model, "method": method, "dimension": dimension}
    return {"model": model, "method": "single_task", "dimension": None}


def _plain_mapping(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers that are not known as None, all through."""
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _plain_mapping(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _leak(counts: Counts, models: Mapping[tuple[str, int], str], model: str, seed: int) -> dict[str, Any] | None:
    """A row of Fig. 3b: by the paper's probe and by the strongest; the excess over the identity floor."""
    tables = {probe: by[model] for probe, by in counts.leak.items() if model in by}
    if said.PAPERS not in tables:
        return None
    row = place(models, model)
    for probe, prefix in ((said.PAPERS, ""), (STRONGEST, "strongest_")):
        if probe in tables:
            row |= _limits(f"{prefix}f1", Term(1.0, tables[probe], f1), seed=seed)
            row |= _limits(f"{prefix}balanced_f1", Term(1.0, tables[probe], balanced_f1), seed=seed)
            if probe in counts.identity:
                terms = [Term(1.0, tables[probe], balanced_f1), Term(-1.0, counts.identity[probe], balanced_f1)]
                row |= _limits(f"{prefix}excess", *terms, seed=seed)
    return row


def _knows(counts: Counts, models: Mapping[tuple[str, int], str], model: str, seed: int) -> dict[str, Any] | None:
    tables = {probe: by[model] for probe, by in counts.knows.items() if model in by}
    if said.PAPERS not in tables or counts.most is None:
        return None
    row = place(models, model) | _limits("accuracy", Term(1.0, tables[said.PAPERS], accuracy), seed=seed)
    if STRONGEST in tables:
        row |= _limits("strongest_accuracy", Term(1.0, tables[STRONGEST], accuracy), seed=seed)
    return row | {"chance": counts.most}


def _table_1(run: Run, models: Mapping[tuple[str, int], str], split: str, seed: int) -> list[dict[str, Any]]:
    """Person accuracy by the model's own head, of models with this task, beside the paper's."""
    told, own = _tasks(run), tasks(run)
    table = task_scores(told[(told["factor"] == SPEAKER) & (told["split"] == split)], seed=seed)
    by = {row["model"]: row for row in table.to_dict("records")}
    found = []
    for model in [SINGLE[SPEAKER], *models.values()]:
        if model in by and any(SPEAKER in factors for factors in own[model].values()):
            row = by[model]
            scores = {"accuracy": row["accuracy"], "accuracy_low": row["low"], "accuracy_high": row["high"]}
            more = {name: row[name] for name in ("seeds", "chance", "speakers", "clips", "trainings")}
            found.append(place(models, model) | scores | more | {"paper": _published(run, model)})
    return found


def _homogeneity(run: Run, models: Mapping[tuple[str, int], str], predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """Each removal against the multitask model of its dimension."""
    there = set(predictions["model"])
    found = []
    for (method, dimension), model in models.items():
        other = models.get((BASELINE, dimension))
        if method != BASELINE and other is not None and {model, other} <= there:
            tested = homogeneity(predictions, model, other, run.classes)
            found.append(place(models, model) | {"other": other} | tested)
    return found


def _published(run: Run, model: str) -> float | None:
    """The paper's person accuracy as a fraction; of several corpora the first."""
    told = run.experiment.reference.get(model, {})
    loose = {name: value for name, value in told.items() if not isinstance(value, Mapping)}
    tables = [loose, *(dict(value) for value in told.values() if isinstance(value, Mapping))]
    values = (value for table in tables for name, value in table.items() if name.replace("_", " ") == ACCURACY)
    known = next(values, None)
    return None if known is None else known / 100 if known > PERCENT else known


def _tasks(run: Run) -> pd.DataFrame:
    """`tasks.csv`, without rows where there is none."""
    path = run.folder / "tasks.csv"
    return read_table(path, TASKS) if path.exists() else pd.DataFrame(columns=list(TASKS))


def _even(table: BySpeaker) -> bool:
    """Whether every class is equally frequent, all speakers together."""
    total = table.counts.sum((0, -1))
    return bool(total.any() and np.allclose(total, total[0]))


def _both(table: BySpeaker, seed: int) -> Scores:
    found: Scores = {}
    for name, measure in (("f1", f1), ("balanced_f1", balanced_f1)):
        found |= _limits(name, Term(1.0, table, measure), seed=seed)
    return found


def _limits(name: str, *terms: Term, seed: int) -> Scores:
    score = contrast(terms, seed=seed)
    return {name: score.difference, f"{name}_low": score.low, f"{name}_high": score.high}
