"""The section on a paper's claims says what `peri2021.json` holds, and stands only where that is."""

import json
import re
from collections.abc import Callable

import pytest
from sklearn.metrics import f1_score

from mien.errors import RunError
from mien.reports import page
from mien.reports.figures import bars
from mien.reports.sections import claims, recognition
from mien.reports.sections import evidence as evidence_of
from mien.runs.run import Run


def row(method: str, dimension: int | None, value: float, *names: str, **more: object) -> dict[str, object]:
    model = f"{method}_{dimension}" if dimension else "person_only"
    told: dict[str, object] = {"model": model, "method": method, "dimension": dimension, **more}
    for name in names:
        told |= {name: value, f"{name}_low": value - 0.05, f"{name}_high": value + 0.05}
    return told


def evidence() -> dict[str, object]:
    grid = [("multitask", 2048, 0.6), ("multitask", 64, 0.5), ("alternating", 2048, 0.4), ("alternating", 64, 0.3)]
    single = ("single_task", None, 0.55)
    leaks = ("f1", "balanced_f1", "excess", "strongest_f1", "strongest_balanced_f1", "strongest_excess")
    contrast = {"contrast": "alternating minus multitask", "difference": -0.2, "low": -0.3, "high": -0.1}
    contrast |= {"p": 0.001, "p_holm": 0.002, "separable": True, "speakers": 12}
    head = {"section": "5.2", "clips": "balanced", "kind": "below"}
    told = [
        {"claim": "a", "says": "Removal leaks less.", **head, "answer": "yes", "contrasts": [contrast, contrast]},
        {"claim": "b", "says": "Smaller <leaks> least.", **head, "answer": "not separable", "contrasts": [contrast]},
        {"claim": "c", "says": "Nobody asked.", **head, "answer": "not asked", "contrasts": []},
        {
            **{"claim": "d", "says": "All differ.", **head, "kind": "different", "answer": "no"},
            "contrasts": [{"contrast": "alternating_64 against multitask_64", "p_holm": None, "seeds": [0]}],
        },
    ]
    people = {"seeds": None, "chance": 0.1, "speakers": 12, "clips": 1200, "trainings": 3}
    return {
        **{"split": "test", "probe": "mlp", "classes": ["anger", "sadness"]},
        "chance": row("x", None, 0.17, "f1", "balanced_f1"),
        "identity_floor": row("x", None, 0.45, "f1", "balanced_f1"),
        "figure_3a": [row(*one, "f1") for one in grid],
        "figure_3b": [row(*one, *leaks) for one in (single, *grid)],
        "table_1": [row(*one, "accuracy", **people, paper=0.9262 if one[1] == 64 else None) for one in (single, *grid)],
        "person_from_emotion": [
            row(*one, "accuracy", chance=0.083) | row(*one[:2], one[2] + 0.1, "strongest_accuracy") for one in grid[:2]
        ],
        "stuart_maxwell": [],
        "claims": told,
    }


@pytest.fixture(scope="module")
def told(make_run: Callable[..., Run]) -> Run:
    run: Run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2)
    run.write_json("peri2021.json", evidence())
    own = run.predictions.query("split == 'test'")
    named = own.assign(factor="speaker", truth=own["speaker"], predicted=own["speaker"], probability=0.9)
    named.loc[named.index[::4], "predicted"] = "17"
    run.write_table("tasks.csv", named)
    return run


def test_claims_are_counted_and_tabled(told: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, name in (
        (evidence_of, "maps_of"),
        (recognition, "curves"),
        (recognition, "confusions"),
    ):
        monkeypatch.setattr(place, name, lambda *_: [])
    found = claims.shown(told)
    assert found is not None
    assert found["answer"] == (
        "Of 3 claims that this run can answer: 1 yes, 1 no and 1 not separable; 1 not asked, for want of models or "
        "measurements."
    )
    html = page.render(told)
    assert "<h3>Pooled and by fold</h3>" in html
    tasks = re.sub(r"<[^>]+>", " ", html.split('aria-label="Macro F and other tasks"')[1].split("</table>")[0])
    test = told.predictions.query("split == 'test'")
    scored = f1_score(test["truth"], test["predicted"], average="macro")
    assert re.search(rf"MEnAN\s+{100 * scored:.1f}\s+[\d.]+ to [\d.]+\s+[\d.]+\s+75.0\s+[\d.]+ to [\d.]+", tasks)
    assert "(read)" not in html
    assert "all one class" in tasks
    section = html.split('<section id="claims">')[1].split("</section>")[0]
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", section.replace("</svg>", " ")))
    assert '<a href="#claims">' in html
    assert "Smaller &lt;leaks&gt; least." in section
    assert section.count("rowspan") == 2 * 4
    assert "\N{MINUS SIGN}20.0" in text
    assert "\N{MINUS SIGN}30.0 to \N{MINUS SIGN}10.0" in text
    assert ".002" in text
    assert "paper 92.6" in text
    assert "naming the most frequent gets 10.0 %" in text
    assert "chance 8.3 %" in text
    assert "Paper: EmoVoxCeleb, other people and data; not to be compared with these." in text
    knows = text[text.index("The person from the emotion embedding") :]
    assert "one hidden layer, % strongest probe, % Method 2048 64 2048 64" in knows
    assert re.search(r"multitask 60.0 55.0 to 65.0 50.0 45.0 to 55.0 70.0 65.0 to 75.0 60.0 55.0 to 65.0 How", knows)
    assert "most frequent class: 17.0, balanced 17.0." in text
    assert "Identity floor, the true speaker alone: 45.0, balanced 45.0 (40.0 to 50.0)." in text
    assert "all test clips balanced above identity floor" in text
    assert html.index('id="claims"') < html.index('id="scores"')
    answers = re.sub(r"\s+", " ", html.split('<div class="answer">')[1].split("</div>")[0])
    assert re.search(r"tells a one-hidden-layer probe at most 60.0.% from multitask_2048 and at least 30.0.%", answers)
    assert section.count("<svg") == 3
    for name in ("Emotion from the emotion embedding", "all classes weighted alike", "identity floor", "single task"):
        assert name in text


def test_what_is_balanced_as_it_is_stands_once(told: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, name in ((evidence_of, "maps_of"), (recognition, "curves"), (recognition, "confusions")):
        monkeypatch.setattr(place, name, lambda *_: [])
    kept = (told.folder / "peri2021.json").read_text()
    claim = {"says": "It leaks.", "section": "5.1", "kind": "above", "answer": "not asked", "contrasts": []}
    two = [claim | {"claim": "a", "clips": clips} for clips in ("all clips", "balanced as it is")]
    told.write_json("peri2021.json", evidence() | {"even": True, "claims": two})
    predictions = told.predictions
    told.write_table("predictions.csv", predictions[predictions["fold"] == 0])
    reads = {"embeddings": {"main": {"tasks": {"speaker": 1.0}, "read": ["emotion"]}}}
    html = page.render(Run(told.folder, told.experiment.model_copy(update={"models": {"MEnAN": reads}})))
    section = html.split('<section id="claims">')[1].split("</section>")[0]
    assert html.count('<th scope="row">MEnAN (read)</th>') == 2
    assert html.count("(read): emotion is only read there") == 1
    assert re.search(r"for something else\.\s+Test: 1 speaker,", html)
    told.write_table("predictions.csv", predictions)
    (told.folder / "peri2021.json").write_text(kept)
    assert "Pooled and by fold" not in html, "of one fold it would be the same again"
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", section))
    assert "section 5.1; above; all test clips" in text
    assert "section 5.1; above; balanced as it is" in text
    assert section.count("<svg") == 2
    assert "all test clips above identity floor all test clips above identity floor" in text
    assert text.count("Identity floor, the true speaker alone: 45.0 (40.0 to 50.0).") == 1
    assert "All called one class: 17.0." in text


def test_of_the_papers_own_corpus_its_figures_are_comparable(told: Run) -> None:
    found = claims.shown(told)
    assert found is not None
    assert found["elsewhere"]
    kept = (told.folder / "certificate.json").read_text()
    told.write_json("certificate.json", told.certificate | {"corpus": "emovoxceleb"})
    found = claims.shown(Run(told.folder, told.experiment))
    (told.folder / "certificate.json").write_text(kept)
    assert found is not None
    assert not found["elsewhere"]
    table = [line | {"paper": None} for line in evidence()["table_1"]]  # type: ignore[attr-defined]
    kept = (told.folder / "peri2021.json").read_text()
    told.write_json("peri2021.json", evidence() | {"table_1": table})
    found = claims.shown(told)
    (told.folder / "peri2021.json").write_text(kept)
    assert found is not None
    assert not found["elsewhere"]


def test_a_run_without_it_has_no_section(told: Run, small: Run) -> None:
    assert claims.shown(small) is None
    assert claims.answer([{"answer": "not asked"}]) == "No claim of the paper can be answered by this run."
    path = told.folder / "peri2021.json"
    kept = path.read_text()
    path.write_text(json.dumps({"claims": []}))
    with pytest.raises(
        RunError, match=r"peri2021.json: damaged \(no 'figure_3a'\); delete it and run 'mien audit RUN'"
    ):
        claims.shown(told)
    path.write_text(kept)


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
