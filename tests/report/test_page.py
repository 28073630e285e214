"""The page tells the run's figures, in words too, stands alone, and lets no text of the run become markup."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import audmetric
import pandas as pd
import pytest

from mien.errors import RunError
from mien.report import figures, page, words
from mien.run import Run

Maker = Callable[..., Run]


class Reader(HTMLParser):
    """Checks that elements are closed in order, and collects identifiers and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in {"meta", "link", "br", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def text_of(run: Run) -> str:
    return re.sub(r"\s+", " ", Reader(page.render(run)).text)


@pytest.fixture(scope="module")
def small_text(small: Run) -> str:
    return text_of(small)


def test_it_stands_alone(small: Run) -> None:
    html = page.render(small)
    found = Reader(html)
    assert not found.tags & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert "default-src 'none'" in html
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", html)
    assert len(found.ids) == len(set(found.ids))
    assert {link[1:] for link in found.links} <= set(found.ids)
    assert page.render(small) == html


def test_the_answer_is_the_figures(small: Run, small_text: str) -> None:
    text = small_text
    test = small.predictions[small.predictions["split"] == "test"]
    score = {
        model: audmetric.unweighted_average_recall(part["emotion"], part["predicted"])
        for model, part in test.groupby("model")
    }
    best = max(score, key=score.__getitem__)
    assert f"The highest UAR on people who were never heard in training is {best}'s: {100 * score[best]:.1f} %" in text
    assert "chance 14.3, 95 % interval over 10 speakers" in text
    for value in score.values():
        assert f"{100 * value:.1f}" in text
    assert re.search(r"It is above gradient_reversal \([\d.]+ to [\d.]+\): the paired interval", text)
    assert re.search(r"not separable from (MEnAN|emotion_only) \(", text)
    leaks = small.leakage
    assert leaks is not None
    heard = leaks[(leaks["speakers"] == "heard") & (leaks["model"] == "emotion_only")].groupby("probe")["score"].mean()
    assert f"{100 * heard.max():.1f} from emotion_only; chance 12.5." in text


def test_leakage_intervals_belong_to_the_means_shown(small: Run, small_text: str) -> None:
    assert small_text.count("Bar: 95 % bootstrap interval of the mean over folds, seeds averaged within a fold") == 2
    leaks = figures.leaks(small)
    assert set(leaks["interval"]) == {"folds"}
    for row in leaks.to_dict("records"):
        assert words.span(row["low"], row["high"]) in small_text
        assert min(row["parts"]) <= row["low"] <= row["score"] <= row["high"] <= max(row["parts"])
    single = words.bars(leaks.assign(interval="training"))
    assert single.startswith("Bar: the mean 95 % interval of a single training, since units are fewer than 3")
    mixed = words.bars(leaks.assign(interval=["training", *leaks["interval"][1:]]))
    assert "where there are fewer than 3 units, the mean 95 % interval of a single training" in mixed
    assert small_text.count("10 folds, 10 units. Units share speakers") == 3, "two figures and the differences"
    twins = words.bars(leaks.assign(units=5))
    assert "10 folds, 5 units (folds that train on the same people are one, and are drawn together)" in twins
    assert "too few to separate models" in twins


def test_sections_and_notes(small_text: str) -> None:
    text = small_text
    assert text.count("people who validate one fold are tested in another") == 1
    assert "Leave one speaker out: 10 folds; speakers in a fold: 8 train, 1 validate, 1 tested" in text
    assert "In each of the 10 folds the speakers of training, validation and test are disjoint." in text
    assert "The certificate holds the SHA-256 of 140 files." in text
    assert "Fold 1, test (08): no clip of disgust." in text
    assert "3 clips not used: no emotion of the scheme." in text
    assert "paper 59.9" in text
    assert "packages.torch 2.13.0" in re.sub(r"(packages\.torch)", r"\1 ", text)
    assert "is not finished" not in text


def test_the_nearest_provenance_is_told(small: Run) -> None:
    told = {key: source for key, _, source in page._settings(small)}
    assert told["models.MEnAN.embeddings.main.tasks.emotion"] == "assumed"
    assert told["models.emotion_only.embeddings.main.tasks.emotion"] == "paper"
    assert told["training.epochs"] == "ours"
    assert told["training.batch"] == ""
    assert not {key for key in told if key.startswith(("reference", "provenance"))}


def test_without_leakage_it_says_so(make_run: Maker) -> None:
    run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2, leakage=False)
    text = text_of(run)
    assert "Leakage was not measured in this run" in text
    assert "What is left of the speaker: " not in text
    assert "Differences between models" not in text


def test_text_of_the_run_is_never_markup_and_an_unfinished_run_is_told(make_run: Maker) -> None:
    run = make_run(models=("MEnAN", "multitask"), seeds=(0,), clips=8, epochs=2)
    hostile = run.experiment.model_copy(update={"title": "<script>alert(1)</script>", "cost": "a & b < c"})
    run.cell("MEnAN", 3, 0).weights.unlink()
    html = page.render(Run(run.folder, hostile))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "19 of 20 trainings" in html


def test_a_shared_speaker_is_told_in_bold(make_run: Maker) -> None:
    run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2)
    run.splits[2]["train"]["speakers"].append(run.splits[2]["test"]["speakers"][0])
    text = text_of(run)
    assert "A speaker is in two parts of fold 2: scores of it are not speaker-independent." in text


def test_nothing_trained_is_refused(make_run: Maker) -> None:
    run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2)
    for cell in run.cells:
        cell.weights.unlink()
    with pytest.raises(RunError, match="no model has been trained yet"):
        page.write(run)
    assert not (run.folder / "report.html").exists()


def test_forty_trainings_stay_small(make_run: Maker) -> None:
    run = make_run(seeds=(0,), epochs=60)
    path = page.write(run)
    assert path == run.folder / "report.html"
    assert path.stat().st_size < 1_000_000


def summary(**columns: object) -> pd.DataFrame:
    row = {
        "model": "m",
        "split": "test",
        "uar": 0.2,
        "uar_low": 0.1,
        "uar_high": 0.3,
        "uar_chance": 0.25,
        "speakers": 5,
    }
    return pd.DataFrame([row | columns])


NONE = pd.DataFrame(columns=["model", "other", "measure", "difference", "low", "high", "separable", "speakers"])


def test_words_do_not_say_more_than_the_figures() -> None:
    at_chance = words.answer(summary(), NONE)
    assert at_chance[0].startswith("The UAR on people who were never heard in training is m's: 20.0")
    assert at_chance[1] == "Its interval holds chance: that it recognises emotion is not shown."
    alone = words.answer(summary(uar_low=float("nan"), uar_high=float("nan"), speakers=1), NONE)
    assert "interval" not in alone[0]
    assert alone[1].startswith("With one speaker there is no interval")
    held = words.answer(summary(split="validation"), NONE)
    assert held[0].startswith("The UAR on validation speakers, who also chose the epoch, is m's: 20.0")
    assert words.answer(summary(split="train"), NONE) == ["No model has been tested yet."]


def test_a_difference_is_told_from_the_side_of_the_best() -> None:
    both = pd.concat([summary(model="poor"), summary(model="good", uar=0.6, uar_low=0.5)])
    pair = NONE.copy()
    pair.loc[0] = ["poor", "good", "uar", -0.4, -0.5, -0.3, True, 6]
    told = words.answer(both, pair)
    assert (
        told[1] == "It is above poor (30.0 to 50.0): the paired interval of the difference, in points, leaves out zero."
    )
    pair.loc[0] = ["poor", "good", "uar", -0.1, -0.3, 0.1, False, 6]
    assert words.answer(both, pair)[1] == (
        "It is not separable from poor (\N{MINUS SIGN}10.0 to 30.0): the paired interval holds zero."
    )
    pair.loc[0] = ["poor", "good", "uar", -0.4, -0.5, -0.3, False, 3]
    assert words.answer(both, pair)[1].endswith("from poor (30.0 to 50.0): 3 speakers can separate nothing.")


def test_numbers_in_words() -> None:
    assert words.percent(0.45678) == "45.7"
    assert words.percent(float("nan")) == words.percent(None) == words.span(float("nan"), 0.2) == "\N{EN DASH}"
    assert (words.signed(0.012), words.signed(-0.012)) == ("+1.2", "\N{MINUS SIGN}1.2")
    assert words.listed(["a"]) == "a"
    assert words.listed("abc") == "a, b and c"
    assert (words.counted(1, "fold"), words.counted(1200, "clip")) == ("1 fold", "1,200 clips")
