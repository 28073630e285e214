"""What a run shows: computed here from its predictions, embeddings and leakage, and written to its files.

The page and the commands read these files and compute none of their numbers. They are `metrics.json`, which is written
last, and the tables `RESULT_TABLES`; where leakage was measured `leakage_summary.csv`, with a grid `sweep.csv`, with
claims `claims.json` and `claims.csv`. `metrics.json` holds hashes of the files that it was computed from, so that a
change of them is noticed.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mien.audit.comparison import claims
from mien.audit.comparison.pairs import families, of_recognisers
from mien.audit.comparison.split_tests import of_pairs, sampled
from mien.audit.comparison.sweep import sweep
from mien.audit.comparison.tradeoff import planes
from mien.audit.leakage.maps import maps
from mien.audit.leakage.silhouettes import silhouette_summary, silhouettes
from mien.audit.metrics import metrics
from mien.audit.recognition.calibrated import COVERAGE, calibrated
from mien.audit.recognition.copies import without_copies
from mien.audit.recognition.derived import derived
from mien.audit.recognition.extremes import extremes
from mien.audit.recognition.folds import by_fold
from mien.audit.recognition.groups import scored_groups
from mien.audit.recognition.listeners import beside_models
from mien.audit.recognition.seen import beside_unseen
from mien.audit.run_leakage.roc import roc_curves
from mien.audit.run_leakage.summary import summaries
from mien.audit.statistics.scores import by_speaker, scored_split
from mien.common.files import sha256
from mien.common.leakage_tables import SILHOUETTES
from mien.common.tables import plain, records
from mien.common.units import units
from mien.data.protocols import SEEN
from mien.runs.run import MAPS, RESULT_TABLES, ROC, Run

SOURCES = (
    "predictions.csv",
    "tasks.csv",
    "leakage.csv",
    "leakage_by_speaker.csv",
    "clips.csv",
    "splits.json",
    "certificate.json",
)


def write(run: Run) -> None:
    """Compute and write all results of a run with at least one finished cell.

    Args:
        run: a run with predictions; leakage is summarised if it was measured.

    Raises:
        RunError: a file of the run is missing or damaged, or an embedding is not finite.
    """
    predictions, classes, leakage = run.predictions, run.classes, run.leakage
    hashes = _hashes(run)
    trained = {name for name, own in run.experiment.trained.items() if run.target in own.model(name).tasks}
    found = metrics(
        predictions,
        classes,
        leakage,
        run.leakage_by_speaker,
        run.tasks,
        units=run.units,
        families=families(run.experiment),
        trained=trained,
        auc_classes=run.experiment.auc_classes,
    )
    if sampled(run.experiment):
        among, split = of_recognisers(families(run.experiment)[0], trained), str(found["split"])
        found["over_splits"] = plain(of_pairs(predictions, classes, run.splits, split=split, among=among))
    if len(beside := beside_unseen(predictions, classes)):
        found[SEEN] = plain(records(beside))
    if copies := without_copies(predictions, classes, run.certificate, run.splits):
        found["without_copies"] = copies
    shown, abstention = _of_models(run, predictions[predictions["model"].isin(run.experiment.models)])
    measured = silhouettes(run) if run.named else pd.DataFrame(columns=list(SILHOUETTES))
    if len(measured):
        shown["silhouettes"] = silhouette_summary(measured, run.units)
    tables = (by_fold(predictions, classes), by_speaker(predictions, classes), abstention, measured)
    if run.named:
        of_speakers = maps(run), roc_curves(run)
    else:
        of_speakers = pd.DataFrame(columns=list(MAPS)), pd.DataFrame(columns=list(ROC))
    for name, table in zip(RESULT_TABLES, (*tables, *of_speakers), strict=True):
        run.write_table(name, table)
    if leakage is not None:
        summary = summaries(leakage, run.units, run.leakage_by_speaker)
        parts = [" ".join(repr(float(score)) for score in each) for each in summary["parts"]]
        run.write_table("leakage_summary.csv", summary.assign(parts=parts))
    if run.experiment.grid:
        run.write_table("sweep.csv", sweep(run))
    claims.write(run)
    if run.experiment.choose:
        found["chosen"] = run.chosen
    run.write_json("metrics.json", found | plain(shown) | {"marks": run.marks, "computed_from": hashes})


def current(run: Run) -> bool:
    """Whether the results are written, and computed from the files that the run has now."""
    if run.lacking or not run.has("metrics.json"):
        return False
    return bool(run.metrics.get("computed_from") == _hashes(run))


def _hashes(run: Run) -> dict[str, str]:
    return {name: sha256(run.files.check(name)) for name in SOURCES if run.has(name)}


def _of_models(run: Run, predictions: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    """The results of the models of the experiment, without variants.

    Returns:
        The keys that `metrics.json` has besides those of `metrics`, and `abstention.csv`:

        - `derived`: see `derived.derived`, if classes of a factor are derived from numbers.
        - `scored`: the numbers of `speakers` of the scored split, and of clips without a known truth (`unknown`).
        - `planes`: see `tradeoff.planes`.
        - of classes: `extremes`: see `extremes.extremes`; `groups`: see `groups.scored_groups`; `listeners`: see
          `listeners.beside_models`, if they rated clips and the target is the emotion; `calibration`: `coverage` of the
          threshold, and `models`, see `calibrated.calibrated`. Where no speaker is named, clips take their place.
    """
    classes, clips, split = run.classes, run.clips, scored_split(predictions)
    rows = predictions[predictions["split"] == split]
    unknown = predictions.loc[predictions["truth"].isna(), "clip"].nunique()
    found: dict[str, Any] = {"scored": {"speakers": rows["speaker"].nunique(), "unknown": unknown}}
    found["planes"] = planes(run, rows)
    if meaning := derived(run, [cell for cell in run.cells if cell.model in run.experiment.models]):
        found["derived"] = meaning
    if not classes:
        return found, calibrated(predictions.iloc[:0], classes, {})[1]
    table = by_speaker(predictions, classes)
    found["extremes"] = extremes(table[table["split"] == split])
    found["groups"] = scored_groups(clips, predictions, classes, split=split)
    beside = beside_models(clips, predictions, classes, split=split) if run.target == "emotion" else None
    found |= {} if beside is None else {"listeners": beside}
    speaker: Mapping[str, str] = dict(zip(clips["clip"], units(clips), strict=True))
    models, abstention = calibrated(predictions, classes, speaker)
    return found | {"calibration": {"coverage": COVERAGE, "models": models}}, abstention
