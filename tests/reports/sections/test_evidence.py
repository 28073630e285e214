"""The paper's tables and figures, of this run: by fold, on another corpus, maps of the same two speakers."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any

import pandas as pd
import pytest
from sklearn.metrics import recall_score

from mien.audit.comparison.pairs import leakage_differences
from mien.reports import page, words
from mien.reports.sections import evidence
from mien.runs.run import Run
from sealing import reseal_cell, resealed

pytestmark = pytest.mark.usefixtures("undrawn")

EVALUATION: dict[str, Any] = {
    "corpus": "cmu_mosei",
    "corpus_hash": "h",
    "classes": ["anger", "sadness"],
    "classes_not_in_the_corpus": ["boredom"],
    "values_not_in_the_run": {"surprise": 12},
    "rule": "a clip counts as correct when the prediction is its class",
    "shared_speakers": [],
}


def scored(mean: float) -> dict[str, float]:
    return {"mean": mean, "min": mean - 0.04, "max": mean + 0.05, "low": mean - 0.1, "high": mean + 0.1, "chance": 0.5}


@pytest.fixture(scope="module")
def planted(make_run: Callable[..., Run], computed: Callable[[Run], None]) -> Run:
    """Two models, of which the second has not finished fold 0 with seed 0; silhouettes and two evaluations."""
    run = make_run(models=("emotion_only", "MEnAN"), seeds=(0, 1), clips=14, epochs=2, shown=False)
    run.cell("MEnAN", 0, 0).begin_again()
    computed(run)
    found = {"clips": 90, "folds": 10, "seeds": 2, "uar": scored(0.6123), "wa": scored(0.6456)}
    share = {"predicted": {"anger": 0.713, "sadness": 0.287}}
    run.write_json(
        "evaluations/mosei/metrics.json",
        EVALUATION | {"speakers": 30, "share": {"anger": 0.4, "sadness": 0.6}, "models": {"MEnAN": found | share}},
    )
    alone = {"clips": 90, "folds": 10, "uar": scored(0.5) | {"low": None, "high": None}, "wa": scored(0.5)}
    run.write_json("evaluations/old/metrics.json", EVALUATION | {"models": {"emotion_only": alone}})
    reference: dict[str, Any] = {
        "MEnAN": {"IEMOCAP": {"UA test": 59.91, "UA validation": 60.24}, "CMU-MOSEI": {"accuracy mean": 33.24}}
    }
    return resealed(replace(run, experiment=run.experiment.model_copy(update={"reference": reference})))


@pytest.fixture(scope="module")
def html(planted: Run) -> str:
    return page.render(planted)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<style.*?</style>", "", html, flags=re.S))))


def recall(part: pd.DataFrame) -> float:
    """UAR over the classes that the part has."""
    classes = sorted(set(part["truth"]))
    return float(recall_score(part["truth"], part["predicted"], labels=classes, average="macro"))


def test_the_scores_of_each_fold_and_their_mean_are_folded_away(planted: Run, html: str) -> None:
    predictions = planted.predictions
    test = predictions[(predictions["split"] == "test") & (predictions["model"] == "MEnAN")]
    with_seeds = test.groupby(["fold", "seed"])[["truth", "predicted"]]
    each = pd.Series({key: recall(part) for key, part in with_seeds})
    means = each.groupby(level=0).mean()
    table = text_of(html[html.index("<h3>Folds</h3>") : html.index("Scores of each fold")])
    line = re.findall(r"MEnAN ((?:[^a-z ]\S* ?){6})", table)[0]
    assert line.split()[1] == words.percent(means.mean())
    assert "papers do not always say" in table.lower()
    folded = html[html.index("Scores of each fold") : html.index("Differences between models")]
    assert folded.count("<tr><td>MEnAN") == 10
    row = text_of(folded[folded.index('<tr><td>MEnAN</td><td class="n">3</td>') :]).split()
    assert row[:4] == ["MEnAN", "3", "11", "10"]
    assert row[5] == words.percent(means[3])


def test_another_corpus_stands_beside_the_papers_other_corpus(html: str) -> None:
    text = text_of(html[html.index('<section id="evaluations">') : html.index('<section id="confusion">')])
    assert "2 shared classes: anger, sadness. The corpus has no clip of boredom" in text
    assert "Not scored: surprise (12). Rule: a clip counts as correct when the prediction is its class." in text
    assert "61.2 57.2 66.2 51.2 to 71.2 50.0 64.6 paper 33.2 60.6 69.6 54.6 to 74.6 50.0" in text
    assert "“paper”: scores reported in Li et al. 2020 on CMU-MOSEI, of the same measure on that corpus." in text
    assert "truth 40.0 60.0 MEnAN 71.3 28.7" in text
    assert text.count("What the models predict") == 1  # evaluations of older runs do not have it
    assert f"emotion_only 50.0 46.0 55.0 {words.UNKNOWN} 50.0 50.0 46.0 55.0 40.0 to 60.0 50.0" in text
    assert 'href="#evaluations"' in html


def test_maps_show_the_same_two_unseen_speakers(planted: Run) -> None:
    maps = list(evidence.maps_of(planted))
    assert [one.title.split(":")[0] for one in maps] == ["emotion_only", "MEnAN"]
    assert {one.title.split(": ")[1] for one in maps} == {"fold 1, seed 0, 09 and 08, 28 clips"}
    measured = planted.silhouettes
    assert measured is not None
    for one, model in zip(maps, ("emotion_only", "MEnAN"), strict=True):
        rows = measured[(measured["model"] == model) & (measured["fold"] == 1) & (measured["seed"] == 0)]
        for picture in one.pictures:
            row = rows[rows["by"] == picture.title.removeprefix("by ")].iloc[0]
            assert picture.caption == (
                f"Silhouette {words.decimal(row['score'])}; shuffled {words.decimal(row['shuffled'])}"
            )
    # a speaker's direction was planted in the first model's embeddings and none in the other's
    by = {row["name"]: row["by"]["speaker"] for row in evidence.silhouettes(planted, planted.metrics["silhouettes"])}
    assert by["emotion_only"]["score"] > by["MEnAN"]["score"] + 0.05
    assert by["MEnAN"]["score"] == pytest.approx(by["MEnAN"]["shuffled"], abs=0.05)


def test_seen_speakers_are_on_no_map(make_run: Callable[..., Run], computed: Callable[[Run], None]) -> None:
    run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2, leakage=False, shown=False)
    for cell in run.cells:
        clips, values = run.embeddings(cell)
        swapped = clips["split"].tolist()
        for part in ("validation", "test"):  # a clip of each validation and test speaker is a training clip
            swapped[swapped.index(part)] = "train"
        if cell.fold:
            run.write_embeddings(cell, clips["clip"].tolist(), swapped, values)
            reseal_cell(cell.folder)
    computed(run)
    assert run.silhouettes is not None
    assert set(run.silhouettes["fold"]) == {0}
    run.write_table("silhouettes.csv", run.silhouettes.iloc[:0])
    assert [one.title.split(":")[0] for one in evidence.maps_of(run)] == ["MEnAN"]
    clips, values = run.embeddings(cell := run.cells[0])
    run.write_embeddings(cell, clips["clip"].tolist(), ["train"] * (len(clips) - 1) + ["test"], values)
    reseal_cell(cell.folder)
    computed(run)
    assert list(evidence.maps_of(run)) == []
    assert "All speakers of this run are seen in training: there are no unseen speakers to map." in page.render(run)


def test_erased_embeddings_are_not_paired(audited: Run) -> None:
    assert (audited.leakage["eraser"] == "leace").any()
    rows = evidence.leakage_pairs(audited, audited.metrics["leakage_differences"])
    assert [(row["model"], row["other"]) for row in rows] == [("emotion_only", "MEnAN")]


def test_paired_differences_of_leakage_are_on_the_page(planted: Run, html: str) -> None:
    leakage = planted.leakage
    assert leakage is not None
    table = leakage_differences(leakage, planted.units).set_index("speakers")
    (pair,) = evidence.leakage_pairs(planted, planted.metrics["leakage_differences"])
    assert (pair["model"], pair["other"]) == ("emotion_only", "MEnAN")
    text = text_of(html[html.index('aria-label="Differences in leakage"') : html.index('<section id="split">')])
    for speakers in ("seen", "unseen"):
        row = table.loc[speakers]
        assert f"{words.signed(row['difference'])} {words.span(row['low'], row['high'])} separable" in text


def test_a_silhouette_has_two_decimals_and_no_minus_zero() -> None:
    decimals = [words.decimal(value) for value in (0.126, -0.126, -0.001, float("nan"))]
    assert decimals == ["0.13", "\N{MINUS SIGN}0.13", "0.00", words.UNKNOWN]


def test_one_unit_of_folds_is_one() -> None:
    assert evidence._number(1, "units of folds") == "1 unit of folds"
    assert evidence._number(2, "units of folds") == "2 units of folds"
    assert evidence._number(1, "speakers") == "1 speaker"
