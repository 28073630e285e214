"""The section on a paper's claims says what `claims.json` holds, and stands only where that is."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from sklearn.metrics import f1_score

from mien.common.settings import parse
from mien.errors import RunError
from mien.experiments.claims import Claimed
from mien.reports import page
from mien.reports.figures import bars
from mien.reports.sections import claims, recognition
from mien.reports.sections import evidence as evidence_of
from mien.reports.words import UNKNOWN
from mien.runs.run import Run
from sealing import reseal, resealed

AXES = {
    "method": {"plain": ["plain_9", "plain_4"], "no_leak": ["no_leak_9", "no_leak_4"]},
    "size": {"9": ["plain_9", "no_leak_9"], "4": ["plain_4", "no_leak_4"]},
}
CLAIM = {
    "says": "It is so.",
    "kind": "above",
    "factor": "emotion",
    "measure": "uar",
    "models": "MEnAN",
    "minus": "chance",
}
PEOPLE = {"seeds": None, "speakers": 12, "clips": 1200, "cells": 3}


def way(probe: str | None, clips: str, *, even: bool = False, floor: float | None = None, **scores: float) -> dict:
    """A score in one way, of each model."""
    level = {"low": 0.4, "high": 0.5}
    more = {"excess": 0.1, "excess_low": 0.05, "excess_high": 0.15} if floor and clips == "balanced" else {}
    return {
        **{"probe": probe, "clips": clips, "claimed": True, "even": even, "chance": level | {"score": 0.17}},
        "floor": None if floor is None else level | {"score": floor},
        "rows": [
            {"model": model, "score": score, "low": score - 0.05, "high": score + 0.05, "paper": None, **PEOPLE, **more}
            for model, score in scores.items()
        ],
    }


def evidence(*, even: bool = False) -> dict:
    grid = dict(zip(("plain_9", "plain_4", "no_leak_9", "no_leak_4"), (0.6, 0.5, 0.4, 0.3), strict=True))
    single = {"alone": 0.55}
    contrast = {"contrast": "no_leak minus plain", "difference": -0.2, "low": -0.3, "high": -0.1}
    contrast |= {"p": 0.001, "p_holm": 0.002, "separable": True, "speakers": 12}
    head = {"section": "5.2", "kind": "below", "factor": "emotion", "measure": "macro_f1", "embedding": "speaker"}
    read = head | {"probe": "mlp", "clips": "balanced", "figures": {"at 4, points": -13.5}}
    answers = [
        {"claim": "a", "says": "Removal leaks less.", **read, "answer": "yes", "contrasts": [contrast, contrast]},
        {"claim": "a", "says": "Removal leaks less.", **read, "probe": "strongest", "answer": "no", "contrasts": []},
        {"claim": "b", "says": "Smaller <leaks> least.", **read, "answer": "not separable", "contrasts": [contrast]},
        {
            **{"claim": "f", "says": "Newer leaks less.", **read, "figures": {}},
            "answer": "not comparable: no_leak_4 no longer predicts the speaker (accuracy 0.140, the best model 0.900)",
            "contrasts": [contrast | {"comparable": False}],
        },
        {"claim": "c", "says": "Not measured.", **read, "clips": "all", "answer": "not asked", "contrasts": []},
        {
            **{"claim": "d", "says": "It is kept.", **read, "kind": "kept", "margin": 0.05, "answer": "not separable"},
            **{"probe": None, "figures": {}, "contrasts": [contrast]},
        },
        {
            **{"claim": "e", "says": "All differ.", **read, "kind": "different", "alpha": 0.01, "answer": "yes"},
            **{"probe": None, "section": "", "figures": {}},
            "contrasts": [{"contrast": "no_leak_4 against plain_4", "p_holm": None, "seeds": [0], "each": [None]}],
        },
    ]
    identity = way(None, "all", **single, **grid)
    identity["chance"] = {"score": 0.1, "low": 0.1, "high": 0.1}
    for row in identity["rows"]:
        row["paper"] = 0.9262 if row["model"] == "plain_4" else None
    scores = {
        ("emotion", "macro_f1", None): [way(None, "all", **grid)],
        ("emotion", "macro_f1", "speaker"): [
            way(probe, clips, even=even, floor=0.45, **single, **grid)
            for probe, clips in product(("mlp", "strongest"), ("all", "balanced"))
        ],
        ("speaker", "accuracy", None): [identity],
        ("speaker", "accuracy", "emotion"): [
            way("mlp", "all", plain_9=0.6, plain_4=0.5),
            way("strongest", "all", plain_9=0.7, plain_4=0.6),
        ],
    }
    return {
        **{"split": "test", "claims": answers},
        "scores": [
            {"factor": factor, "measure": measure, "embedding": embedding, "ways": ways}
            | (
                {"reference": "accuracy", "corpus": "VoxCeleb"}
                if ways == [identity]
                else {"reference": None, "corpus": None}
            )
            for (factor, measure, embedding), ways in scores.items()
        ],
    }


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.replace("</svg>", " ")))


def table(section: str, title: str) -> str:
    return plain(section.split(f'aria-label="{title}"')[1].split("</table>")[0]).partition("> ")[2].strip()


@pytest.fixture(scope="module")
def claimed(make_run: Callable[..., Run], computed: Callable[[Run], None]) -> Run:
    run: Run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2, shown=False)
    found = parse(Claimed, {"axes": AXES, "claims": {"one": CLAIM}}, "file")
    reads = {"embeddings": {"main": {"tasks": {"emotion": 1.0}}, "emotion": {"tasks": {"emotion": 1.0}}}}
    update = {"axes": found.axes, "claims": found.claims, "models": {"MEnAN": reads}, "paper": "Doe 2020"}
    run = replace(run, experiment=run.experiment.model_copy(update=update))
    run.write_json("claims.json", evidence())
    own = run.predictions.query("split == 'test'")
    named = own.assign(factor="speaker", truth=own["speaker"], predicted=own["speaker"], probability=0.9)
    named.loc[named.index[::4], "predicted"] = "17"
    run.write_table("tasks.csv", named)
    computed(run)
    reseal(run.folder)
    return run


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    for place, name in ((evidence_of, "maps_of"), (recognition, "curves"), (recognition, "confusions")):
        monkeypatch.setattr(place, name, lambda *_: [])


@pytest.mark.usefixtures("undrawn")
def test_claims_are_counted_and_tabled(claimed: Run) -> None:
    found = claims.shown(claimed)
    assert found is not None
    assert found["answer"] == (
        "Of 6 claims that this run can answer: 2 yes, 1 no, 2 not separable and 1 not comparable; 1 cannot be "
        "answered, because models or measurements are missing."
    )
    html = page.render(claimed)
    section = html.split('<section id="claims">')[1].split("</section>")[0]
    assert '<a href="#claims">' in html
    assert html.index('id="claims"') < html.index('id="scores"')
    minus, none = "\N{MINUS SIGN}", UNKNOWN
    row, nothing = f"no leak minus plain {minus}20.0 {minus}30.0 to {minus}10.0 .002", " ".join([none] * 4)
    paper = f"paper: at 4, points: {minus}13.5"
    assert table(section, "Claims").partition("p, Holm ")[2] == (
        f"Removal leaks less. section 5.2; below; balanced {paper} yes {row} {row} "
        f"Removal leaks less. section 5.2; below; balanced, strongest probe no {nothing} "
        f"Smaller &lt;leaks&gt; least. section 5.2; below; balanced {paper} not separable {row} "
        "Newer leaks less. section 5.2; below; balanced not comparable no leak 4 no longer predicts the speaker "
        f"(accuracy 0.140, the best model 0.900) {row.replace('plain', 'plain not comparable')} "
        f"Not measured. section 5.2; below; all test clips {paper} not asked {nothing} "
        f"It is kept. section 5.2; no worse by 5 points not separable {row} "
        f"All differ. Stuart-Maxwell yes no leak 4 against plain 4 {none} {none} {none}"
    )
    assert (
        "“Paper”: scores reported by Doe 2020 on VoxCeleb. They are on other data and cannot be compared with the "
        "scores of this run."
    ) in section
    assert (
        "Stuart-Maxwell: “yes” if p is below 0.01 for each pair of models with every seed; shown is the least p, "
        "corrected over seeds (Holm). The test assumes independent clips."
    ) in plain(section)


@pytest.mark.usefixtures("undrawn")
def test_a_page_is_written_before_all_models_are_trained(claimed: Run) -> None:
    some = evidence()
    for way_of in some["scores"][0]["ways"]:
        way_of["rows"] = [row for row in way_of["rows"] if row["model"] != "no_leak_4"]
    claimed.write_json("claims.json", some)
    section = page.render(claimed).split('<section id="claims">')[1].split("</section>")[0]
    claimed.write_json("claims.json", evidence())
    assert table(section, "Emotion, predicted by the models&#39; own heads") == (
        f"macro F, % Method 9 4 plain 60.0 55.0 to 65.0 50.0 45.0 to 55.0 no leak 40.0 35.0 to 45.0 {UNKNOWN}"
    )


@pytest.mark.usefixtures("undrawn")
def test_scores_stand_by_place_or_by_model(claimed: Run) -> None:
    section = page.render(claimed).split('<section id="claims">')[1].split("</section>")[0]
    assert table(section, "Emotion, predicted by the models&#39; own heads") == (
        "macro F, % Method 9 4 plain 60.0 55.0 to 65.0 50.0 45.0 to 55.0 no leak 40.0 35.0 to 45.0 30.0 25.0 to 35.0"
    )
    assert table(section, "Speaker, predicted by the models&#39; own heads") == (
        "accuracy, % Method 9 4 alone 55.0 50.0 to 60.0 plain 60.0 55.0 to 65.0 50.0 45.0 to 55.0 paper 92.6 "
        "no leak 40.0 35.0 to 45.0 30.0 25.0 to 35.0"
    )
    assert table(section, "Speaker, predicted by a probe on the emotion embedding") == (
        "one hidden layer, accuracy, % strongest probe, accuracy, % Method 9 4 9 4 "
        "plain 60.0 55.0 to 65.0 50.0 45.0 to 55.0 70.0 65.0 to 75.0 60.0 55.0 to 65.0"
    )
    leak = table(section, "Emotion, predicted by a probe on the speaker embedding")
    columns = "all test clips balanced above identity floor"
    assert leak.startswith(
        f"one hidden layer, macro F, % strongest probe, macro F, % Model {columns} {columns} alone 55.0"
    )
    assert "plain 9 60.0 55.0 to 65.0 60.0 55.0 to 65.0 +10.0 5.0 to 15.0" in leak
    text = plain(section)
    assert (
        "Probes are fitted on training clips. Below each score: its 95 % interval over speakers. Balanced: all "
        "classes have equal weight. Chance, always predicting the most frequent class: 17.0, balanced 17.0. Identity "
        "floor, the true speaker alone: 45.0, balanced 45.0 (40.0 to 50.0). 12 speakers, 1,200 clips."
    ) in text
    assert (
        "Columns: size. Below each score: its 95 % interval over speakers. Chance, always predicting the most frequent "
        "class: 10.0. 12 speakers, 1,200 clips."
    ) in text


@pytest.mark.usefixtures("undrawn")
def test_bars_stand_by_axes_with_levels_as_lines(claimed: Run) -> None:
    found = claims.shown(claimed)
    assert found is not None
    pictures = [picture for score in found["scores"] for picture in score["pictures"]]
    assert [picture.title for picture in pictures] == [
        "Emotion, predicted by the models' own heads",
        "Emotion, predicted by a probe on the speaker embedding",
        "Emotion, predicted by a probe on the speaker embedding, all classes with equal weight",
        "Speaker, predicted by the models' own heads",
        "Speaker, predicted by a probe on the emotion embedding",
    ]
    words = [set(re.findall(r"<text[^>]*>([^<]*)</text>", picture.svg)) for picture in pictures]
    assert all({"9", "4", "plain", "chance", "size"} <= one for one in words)
    assert "macro F, %" in words[0]
    assert {"alone", "identity floor"} <= words[1]
    assert not {"alone", "identity floor"} & words[0]
    assert [picture.caption for picture in pictures][::2] == [
        "The models' own heads; higher is better. Bars: 95 % intervals over speakers, averaged over seeds.",
        "A probe with one hidden layer; lower is better. Identity floor: the score from the true speaker alone. Scores "
        "above it are leakage beyond identity. Bars: 95 % intervals over speakers, averaged over seeds.",
        "A probe with one hidden layer; lower is better. Bars: 95 % intervals over speakers, averaged over seeds.",
    ]


@pytest.mark.usefixtures("undrawn")
def test_the_answer_has_the_highest_and_the_lowest_leakage(claimed: Run) -> None:
    answers = re.sub(r"\s+", " ", page.render(claimed).split('<div class="answer">')[1].split("</div>")[0])
    assert (
        "From the speaker embedding, a probe with one hidden layer predicts emotion with a macro F between 30.0 % "
        "(from no_leak_4) and 60.0 % (from plain_9), all classes with equal weight; the true speaker alone gives 45.0 "
        "%."
    ) in answers


@pytest.mark.usefixtures("undrawn")
def test_macro_f_and_other_tasks_stand_beside_the_scores(claimed: Run) -> None:
    html = page.render(claimed)
    assert "<h3>Folds</h3>" in html
    tasks = re.sub(r"<[^>]+>", " ", html.split('aria-label="Macro F and other tasks"')[1].split("</table>")[0])
    test = claimed.predictions.query("split == 'test'")
    scored = f1_score(test["truth"], test["predicted"], average="macro")
    assert re.search(rf"MEnAN\s+{100 * scored:.1f}\s+[\d.]+ to [\d.]+\s+[\d.]+\s+75.0\s+[\d.]+ to [\d.]+", tasks)
    assert "(auxiliary)" not in html
    assert "all one class" in tasks


@pytest.mark.usefixtures("undrawn")
def test_what_is_balanced_as_it_is_stands_once(claimed: Run, computed: Callable[[Run], None]) -> None:
    kept = (claimed.folder / "claims.json").read_text()
    found = evidence(even=True)
    found["claims"] = [found["claims"][0] | {"clips": clips} for clips in ("all", "balanced as it is")]
    claimed.write_json("claims.json", found)
    predictions = claimed.predictions
    claimed.write_predictions(predictions[predictions["fold"] == 0])
    reads = {"embeddings": {"main": {"tasks": {"speaker": 1.0}, "auxiliary": ["emotion"]}}}
    auxiliary = replace(claimed, experiment=claimed.experiment.model_copy(update={"models": {"MEnAN": reads}}))
    computed(auxiliary)
    html = page.render(auxiliary)
    section = html.split('<section id="claims">')[1].split("</section>")[0]
    assert html.count('<th scope="row">MEnAN (auxiliary)</th>') == 2
    assert html.count("(auxiliary): the model is not trained for emotion;") == 1
    assert re.search(r"grey line: chance level\.\s+1 test speaker,", html)
    claimed.write_predictions(predictions)
    computed(claimed)
    (claimed.folder / "claims.json").write_text(kept)
    assert "<h3>Folds</h3>" not in html, "of one fold it would be the same again"
    text = plain(section)
    assert "section 5.2; below; all test clips" in text
    assert "section 5.2; below; balanced as it is" in text
    assert section.count("<svg") == 4
    columns = "all test clips above identity floor"
    assert f"Model {columns} {columns} alone" in table(
        section, "Emotion, predicted by a probe on the speaker embedding"
    )
    assert (
        "The test clips are balanced as they are: all classes are equally frequent. Chance, always predicting the most "
        "frequent class: 17.0. Identity floor, the true speaker alone: 45.0 (40.0 to 50.0)."
    ) in text


def test_claims_and_scores_of_some_clips_say_which(claimed: Run) -> None:
    whole = evidence()
    shown = claims.shown(claimed)
    part = {**whole, "claims": [{**one, "where": "sampling alike"} for one in whole["claims"]]}
    part["scores"] = [{**one, "where": "sampling alike"} for one in whole["scores"]]
    claimed.write_json("claims.json", {**whole, **{key: whole[key] + part[key] for key in ("claims", "scores")}})
    try:
        both = claims.shown(claimed)
    finally:
        claimed.write_json("claims.json", whole)
        reseal(claimed.folder)
    assert shown is not None
    assert both is not None
    count = len(shown["claims"])
    assert both["claims"][:count] == shown["claims"]
    assert [one["clips"] for one in both["claims"][count:]] == [
        f"sampling alike, {one['clips']}" if one["clips"] else "test clips with sampling alike"
        for one in shown["claims"]
    ]
    assert [one["title"] for one in both["scores"]] == [
        one["title"] + end for end in ("", "; clips with sampling alike") for one in shown["scores"]
    ]
    assert both["leaks"] == shown["leaks"], "the answer is of all clips"


def test_the_papers_figures_are_comparable_on_its_own_corpus(claimed: Run) -> None:
    kept = {name: (claimed.folder / name).read_text() for name in ("certificate.json", "claims.json")}
    sentences = []
    for corpus, figures in (("voxceleb", True), ("toy", False)):
        claimed.write_json("certificate.json", claimed.certificate | {"corpus": corpus})
        found = evidence()
        if not figures:
            found["scores"] = [score | {"reference": None, "corpus": None} for score in found["scores"]]
            found["claims"] = [claim | {"figures": {}} for claim in found["claims"]]
        claimed.write_json("claims.json", found)
        shown = claims.shown(resealed(claimed))
        assert shown is not None
        sentences.append(shown["papers"])
    for name, text in kept.items():
        (claimed.folder / name).write_text(text)
    reseal(claimed.folder)
    assert sentences == ["“Paper”: scores reported by Doe 2020 on VoxCeleb.", ""]


def test_scores_without_axes_stand_by_model_and_undrawn(claimed: Run) -> None:
    bare = replace(claimed, experiment=claimed.experiment.model_copy(update={"axes": {}}))
    found = claims.shown(bare)
    assert found is not None
    assert [score["head"] for score in found["scores"]] == ["model"] * 4
    assert [name for name, _ in found["scores"][0]["rows"]] == ["plain 9", "plain 4", "no leak 9", "no leak 4"]
    assert not any(score["pictures"] for score in found["scores"])


def test_scores_of_numbers_have_no_percent(claimed: Run) -> None:
    kept = (claimed.folder / "claims.json").read_text()
    found = evidence()
    number = {"factor": "valence", "embedding": None}
    found["claims"] = [one | number | {"measure": "ccc"} for one in found["claims"] if one["kind"] == "kept"]
    found["scores"] = [found["scores"][0] | number | {"measure": measure} for measure in ("ccc", "rmse")]
    claimed.write_json("claims.json", found)
    shown = claims.shown(claimed)
    (claimed.folder / "claims.json").write_text(kept)
    assert shown is not None
    (claim,) = shown["claims"]
    minus = "\N{MINUS SIGN}"
    assert claim["called"] == "no worse by 0.05; CCC"
    assert claim["rows"] == [
        {
            **{"contrast": "no leak minus plain", "p_holm": 0.002, "comparable": True, "splits": ""},
            **{"difference": f"{minus}0.200", "limits": f"{minus}0.300 to {minus}0.100"},
        }
    ]
    assert [score["groups"] for score in shown["scores"]] == [[("CCC", 2)], [("RMSE", 2)]]
    name, cells = shown["scores"][0]["rows"][0]
    assert name == "plain"
    assert [(cell["text"], cell["limits"]) for cell in cells] == [
        ("0.600", "0.550 to 0.650"),
        ("0.500", "0.450 to 0.550"),
    ]
    assert shown["scores"][0]["note"] == (
        "Columns: size. Below each score: its 95 % interval over speakers. Chance, always predicting the mean: 0.170. "
        "12 speakers, 1,200 clips."
    )
    captions = [picture.caption.partition(".")[0] for score in shown["scores"] for picture in score["pictures"]]
    assert captions == ["The models' own heads; higher is better", "The models' own heads; lower is better"]


def test_a_run_without_claims_has_no_section(claimed: Run, small: Run) -> None:
    assert claims.shown(small) is None
    assert claims.shown(replace(claimed, experiment=claimed.experiment.model_copy(update={"claims": {}}))) is None
    assert claims.answer([{"answer": "not asked"}]) == "No claim of the paper can be answered by this run."


def test_a_damaged_file_is_refused_with_the_way_out(claimed: Run) -> None:
    path = claimed.folder / "claims.json"
    kept = path.read_text()
    path.write_text(json.dumps({"claims": [], "split": "test"}))
    with pytest.raises(RunError) as caught:
        claims.shown(claimed)
    path.write_text(kept)
    assert str(caught.value) == (
        f"{path}: damaged (no key 'scores'); run 'mien report {path.parent}', which makes it again"
    )


def test_bars_stand_for_their_values_and_lines_across() -> None:
    nan = float("nan")
    rows = [bars.Bar("2048", "a", 40, 30, 50), bars.Bar("64", "b", 20, nan, nan)]
    more = {"name": "x", "description": "d", "axis": "F", "below": "size"}
    one = bars.bars(rows, ["2048", "64"], ["a", "b", "absent"], {"chance": 17.0}, **more)
    assert one == bars.bars(rows, ["2048", "64"], ["a", "b", "absent"], {"chance": 17.0}, **more)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", one)
    assert {"2048", "64", "a", "b", "chance", "F", "size"} <= set(texts)
    assert "absent" not in texts
    heights = {
        colour: max(abs(float(b) - float(a)) for a in ys for b in ys)
        for colour in ("c0", "c1")
        for ys in [re.findall(r"[ML] [\d.]+ ([\d.]+)", _filled(one, colour))]
    }
    assert heights["c0"] == pytest.approx(2 * heights["c1"], rel=0.02)


def _filled(svg: str, colour: str) -> str:
    """The first path that is filled so: a bar, the legend comes after."""
    return next(path for path in re.findall(r"<path [^>]*>", svg) if f"fill: var(--{colour})" in path)
