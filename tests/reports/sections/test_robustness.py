"""The section on missing modalities: a small figure for each series on one scale, its words, and what is not there."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mien.audit.robustness import conditions, graceful
from mien.audit.robustness.counted import Counted
from mien.experiments.conditions import Condition
from mien.reports import page, robustness_text, words
from mien.reports.figures import robustness as figures
from mien.reports.robustness_text import Found
from mien.reports.sections import robustness
from mien.runs.coverage import outdated
from mien.runs.examining import Answer, Answered
from mien.runs.run import Run
from quick import no_figures
from sealing import reseal

GRID = [Condition("video", "blocks", share) for share in (0.0, 0.5, 1.0)] + [Condition("audio", "babble", 0.0)]
WHY = "24 of the recordings are not there, such as <a>.wav"


def planted(run: Run, model: str, right: dict[str, float]) -> Counted:
    """A model that is always as sure, and right at a share of its clips under each pattern."""
    cells = [cell for cell in run.cells if cell.model == model]
    rows = pd.concat(
        run.predictions.query(f"model == '{model}' and fold == {cell.fold} and seed == {cell.seed} and split == 'test'")
        for cell in cells
    ).reset_index(drop=True)
    random, answers = np.random.default_rng(0), {}
    for condition in GRID:
        hit = random.random(len(rows)) < right.get(f"{condition.pattern} {condition.level:g}", 0.8)
        truth = np.array([run.classes.index(name) for name in rows["truth"]])
        guess = np.where(hit, truth, (truth + 1) % 7)
        probabilities = np.full((len(rows), 7), 0.2 / 6, np.float32)
        probabilities[np.arange(len(rows)), guess] = 0.8
        answers[condition.same] = Answer(np.array(run.classes, object)[guess], probabilities)
    head = rows[["clip", "speaker", "model", "fold", "seed", "split", "truth"]]
    return Counted.of(
        Answered(model, head, answers, (("video", "blocks"), ("audio", "babble")), {}), run.classes, ("audio", "video")
    )


@pytest.fixture(scope="module")
def examined(small: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with answers under a small grid: one model falls without the face, another does not."""
    folder = tmp_path_factory.mktemp("examined") / "run"
    shutil.copytree(small.folder, folder)
    run = Run.open(folder)
    falls = {"blocks 0.5": 0.5, "blocks 1": 0.2}
    models = [planted(run, "emotion_only", falls), planted(run, "MEnAN", {})]
    run.write_table("robustness/default/conditions.csv", conditions.table(models, GRID))
    run.write_table("robustness/default/folds.csv", conditions.folds(models, GRID))
    run.write_table("robustness/default/graceful.csv", graceful.table(models, GRID))
    metrics: dict[str, Any] = {
        "name": "default",
        "seed": 0,
        "clips": "the test clips of each fold",
        "classes": list(run.classes),
        "measures": list(models[0].measures),
        "chance": dict(models[0].chances),
        "named": True,
        "interval": "95 %, bootstrap over speakers, folds and seeds averaged",
        "models": {one.model: {"clips": one.clips, "speakers": len(one.speakers)} for one in models},
        "not_examined": [
            {"modality": "audio", "pattern": pattern, "why": WHY, "models": ["emotion_only", "MEnAN"]}
            for pattern in ("white noise", "pink noise")
        ],
    }
    (folder / "robustness" / "default" / "metrics.json").write_text(json.dumps(metrics))
    reseal(run.folder)
    return run


def found(run: Run) -> Found:
    name = "default"
    tables = (run.robustness_table(name, file) for file in ("conditions.csv", "graceful.csv"))
    return Found(run.robustness[name], *tables)


def test_the_page_has_a_figure_for_each_series_and_the_words(examined: Run) -> None:
    with no_figures():
        text = page.render(examined)
    section = text[text.index('<section id="robustness">') :]
    section = section[: section.index("</section>")]
    titles = re.findall(r"<h3>([^<]*)</h3>", section)
    assert titles[:2] == ["Face: blocks", "Sound: babble"]
    assert {"Does confidence fall with accuracy?", "Which model loses least?"} <= set(titles)
    assert section.count("<svg") == 4  # two series, their legend, confidence against accuracy
    assert "&lt;a&gt;.wav" in section
    assert "<a>" not in section
    assert "With the face missing (blocks), MEnAN drops less than emotion_only" in section
    assert "<strong>overconfident</strong>" in section
    row = found(examined).table.query("model == 'emotion_only' and level == 0.5 and measure == 'macro_f1'").iloc[0]
    assert words.percent(row["score"]) in section
    assert '<a href="#robustness">Missing</a>' in text


def test_a_run_without_such_answers_has_no_section(small: Run) -> None:
    assert robustness.shown(small) == []


def test_sentences_say_what_is_lost_and_whether_confidence_follows(examined: Run) -> None:
    first, second, *_ = robustness_text.aware(found(examined))
    assert re.fullmatch(
        r"emotion_only: with half of the face missing \(blocks\) it answers \d+\.\d points worse and is as confident: "
        r"overconfident, for its confidence falls less than its accuracy \(confidence minus accuracy \+\d+\.\d\)\.",
        first,
    )
    assert second.startswith("emotion_only: with the face missing it answers")
    steady = [one for one in robustness_text.aware(found(examined)) if one.startswith("MEnAN")]
    assert all("no difference between the two changes is shown" in one for one in steady)
    (lacking,) = robustness_text.not_examined(examined.robustness["default"])
    assert lacking == f"not examined: white noise (audio), pink noise (audio): {WHY}"


def test_lines_fit_a_terminal(examined: Run) -> None:
    lines = robustness_text.text(found(examined))
    assert max(map(len, lines)) <= robustness_text.WIDTH
    assert any(re.search(r"video blocks +0\s%: \d+\.\d  50\s%: \d+\.\d  100\s%: \d+\.\d", line) for line in lines)


def test_panels_have_one_scale_and_intervals_for_few_models(examined: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[dict[str, Any]] = []
    monkeypatch.setattr(
        figures, "curves", lambda models, ticks, **given: drawn.append({"models": models, "ticks": ticks} | given) or ""
    )
    robustness.shown(examined)
    assert len({one["limits"] for one in drawn}) == 1
    assert [one["ticks"] for one in drawn] == [["0", "50", "100"], ["clean", "0"]]
    low, high = drawn[0]["limits"]
    for one in drawn:
        for curve in one["models"]:
            assert (curve.low >= low).all()
            assert (curve.high <= high).all()
            assert (curve.low <= curve.score).all()
    complete = drawn[0]["models"][0].score[0]
    assert drawn[1]["models"][0].score[0] == complete  # what is clean is the complete data


def test_answers_of_an_earlier_state_are_called_so(examined: Run, tmp_path: Path) -> None:
    line = "robustness default: of an earlier state of the run; run 'mien evaluate' --missing with that grid again"
    assert outdated(examined) == [line]  # a third model was not examined
