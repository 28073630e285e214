"""The page tells the run's figures, in words too, stands alone, and lets no text of the run become markup."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import audmetric
import pytest

from mien.audit.run_leakage.summary import FEWEST_UNITS, summaries
from mien.data.protocols import LEAKS
from mien.errors import RunError
from mien.reports import page, words
from mien.reports.sections import leaks
from mien.runs.run import Run
from sealing import resealed

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
    return plain(page.render(run))


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", Reader(html).text)


@pytest.fixture(scope="module")
def small_page(small: Run) -> str:
    return page.render(small)


@pytest.fixture(scope="module")
def small_text(small_page: str) -> str:
    return plain(small_page)


def test_it_stands_alone(small: Run, small_page: str) -> None:
    html = small_page
    found = Reader(html)
    assert not found.tags & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert "default-src 'none'" in html
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", html)
    assert len(found.ids) == len(set(found.ids))
    assert {link[1:] for link in found.links} <= set(found.ids)
    assert page.render(small) == html


def test_the_answer_is_the_figures(small: Run, small_page: str, small_text: str) -> None:
    text = small_text
    test = small.predictions[small.predictions["split"] == "test"]
    score = {
        model: audmetric.unweighted_average_recall(part["truth"], part["predicted"])
        for model, part in test.groupby("model")
    }
    best = max(score, key=score.__getitem__)
    assert f"On unseen speakers {best} reaches the highest UAR: {100 * score[best]:.1f} %" in text
    assert re.search(r"\(95 % interval over 10 speakers [\d.]+ to [\d.]+, chance 14.3\); it is above", text)
    for value in score.values():
        assert f"{100 * value:.1f}" in text
    assert re.search(r"it is above gradient_reversal and not separable from (MEnAN|emotion_only)\.", text)
    measured = small.leakage
    assert measured is not None
    rows = measured[(measured["speakers"] == "seen") & (measured["probe"] == "strongest")]
    means = rows.groupby("model")["score"].mean()
    lowest = f"a UAR between {100 * means.min():.1f} % (from MEnAN, 95 % interval"
    highest = f"and {100 * means.max():.1f} % (from emotion_only, 95 % interval"
    whole = (
        rf"The strongest probe identifies seen speakers with {re.escape(lowest)} [^)]+\) {re.escape(highest)} [^)]+\)"
    )
    assert re.search(whole, text)
    skipped = len(LEAKS) - 1
    assert f"In each of the 10 folds no speaker is in two splits; {skipped} kinds of leak were not examined." in text
    assert small_page.split('<div class="answer">')[1].split("</div>")[0].count("<p") == 3


def test_leakage_intervals_belong_to_the_means_shown(small: Run, small_text: str) -> None:
    caption = "Bar: 95 % bootstrap interval over units of folds, averaged over seeds within a fold: 10 folds, 10 units."
    assert small_text.count(caption) == 2
    found = leaks.speaker(small)
    assert set(found["interval"]) == {"folds"}
    for row in found[found["strongest"]].to_dict("records"):
        assert words.span(row["low"], row["high"]) in small_text
        assert min(row["parts"]) <= row["low"] <= row["score"] <= row["high"] <= max(row["parts"])
    single = words.bars(found.assign(interval="training"))
    few = f"of a single training run, mean over runs, as there are fewer than {FEWEST_UNITS} units of folds"
    assert single == f"Bar: 95 % bootstrap interval {few}."
    mixed = words.bars(found.assign(interval=["training", *found["interval"][1:]]))
    assert mixed == f"{caption.removesuffix('.')}; or {few}."
    twins = words.bars(found.assign(units=5))
    assert "10 folds, 5 units (folds that train on the same speakers or test the same ones count as one)" in twins


def test_p_is_that_of_the_audit(audited: Run, computed: Callable[[Run], None], tmp_path: Path) -> None:
    measured = audited.leakage
    assert measured is not None
    p = {"speaker": 0.004, "emotion": 0.02, "gender": 0.3}
    varied = measured.assign(p=measured["factor"].map(p) * (1 + measured["fold"] % 2))
    run = Run(Path(shutil.copytree(audited.folder, tmp_path / "run")), audited.experiment, writes=True)
    run.write_table("leakage.csv", varied)
    computed(run)
    run = resealed(run)
    found = leaks.summed(run)
    same = summaries(varied, run.units)
    keys = ["factor", "role", "measure", "model", "embedding", "eraser", "speakers", "probe"]
    both = found.merge(same, on=keys, suffixes=("", "_audit"), validate="one_to_one")
    assert len(both) == len(found) > 20
    assert both["p"].to_numpy() == pytest.approx(both["p_corrected_audit"].to_numpy())
    one = both[(both["model"] == "MEnAN") & (both["eraser"] == "") & (both["probe"] == "strongest")]
    side = one[(one["speakers"] == "unseen") & (one["measure"] == "uar")].set_index("factor")["p"]
    # twice the mean over folds of 1.5 p, then Holm over the three and the speaker of seen speakers
    assert side.to_dict() == pytest.approx({"speaker": 0.048, "emotion": 0.12, "gender": 0.9})


def test_sections_and_notes(small_text: str) -> None:
    text = small_text
    assert text.count("the validation speakers of one fold are tested in another.") == 1
    assert "Leave one speaker out: 10 folds; speakers in a fold: 8 training, 1 validation, 1 test" in text
    assert "In each of the 10 folds the speakers of training, validation and test are disjoint." in text
    assert "The certificate holds the SHA-256 of 140 files." in text
    assert "Disgust: no test clip in fold 1." in text
    assert "3 clips not used: no emotion of the scheme." in text
    assert "paper 59.9" in text
    assert "packages.torch 2.13.0" in re.sub(r"(packages\.torch)", r"\1 ", text)
    assert "is not finished" not in text


def test_the_nearest_provenance_is_shown(small: Run) -> None:
    sources = {key: source for key, _, source in page._settings(small)}
    assert sources["models.MEnAN.embeddings.main.tasks.emotion"] == "assumed"
    assert sources["models.emotion_only.embeddings.main.tasks.emotion"] == "paper"
    assert sources["training.epochs"] == "ours"
    assert sources["training.batch"] == ""
    assert not {key for key in sources if key.startswith(("reference", "provenance"))}


def test_missing_leakage_and_a_shared_speaker_are_reported(make_run: Maker) -> None:
    run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2, leakage=False)
    run.splits[2]["train"]["speakers"].append(run.splits[2]["test"]["speakers"][0])
    assert page._rotates(run)
    run.splits[3]["validation"]["speakers"].append(run.splits[3]["test"]["speakers"][0])
    assert not page._rotates(run), "a speaker is in validation and test of one fold"
    run.splits[3]["validation"]["speakers"].pop()
    text = text_of(run)
    assert "In fold 2 a speaker is in two splits: its scores are not speaker-independent." in text
    assert text.count("Speaker leakage was not measured in this run.") == 2, "in the answer, and in the section"
    assert "Differences between models" not in text


def test_text_is_escaped_and_a_missing_training_run_is_reported(make_run: Maker) -> None:
    run = make_run(models=("MEnAN", "multitask"), seeds=(0,), clips=8, epochs=2)
    hostile = run.experiment.model_copy(update={"title": "<script>alert(1)</script>", "cost": "a & b < c"})
    run.cell("MEnAN", 3, 0).begin_again()
    html = page.render(Run(run.folder, hostile))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "The run is not finished: this page shows 19 of 20 training runs (model, fold, seed)." in html


def test_nothing_trained_is_refused(make_run: Maker) -> None:
    run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2, shown=False)
    for cell in run.cells:
        cell.begin_again()
    with pytest.raises(RunError, match="no model has been trained yet"):
        page.write(run)
    assert not (run.folder / "report.html").exists()


def test_forty_cells_stay_small(make_run: Maker) -> None:
    run = make_run(seeds=(0,), clips=14, epochs=60)
    path = page.write(run)
    assert path == run.folder / "report.html"
    assert path.stat().st_size < 1_000_000


def test_a_thorough_audit_has_its_floors_and_its_marks(audited: Run) -> None:
    html = page.render(audited)
    found = Reader(html)
    assert len(found.ids) == len(set(found.ids))
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", html)
    text = re.sub(r"\s+", " ", found.text)
    mark = "; ".join(audited.marks)
    assert html.index(mark) < html.index("<h1>"), "a banner on top"
    tables = html[html.index("<main>") : html.index('<section id="split">')].count('<div class="wide" role="region"')
    assert text.count(mark) == 1
    assert text.count("Accepted leak: same-sentence; see top.") >= tables > 8
    table = re.sub(r"\s*\n\s*", "", found.text)
    table = table[table.index("Seen speakersemotion_only") :]
    measured = audited.leakage
    assert measured is not None
    rows = measured[(measured["factor"] == "speaker") & (measured["speakers"] == "seen")]
    for model, label in (
        ("MEnAN", "MEnAN"),
        ("baseline", "emotion labelfloorseen"),
        ("baseline", "inputsceiling"),
    ):
        part = rows[(rows["model"] == model) & (rows["eraser"] == "") & (rows["probe"] == "strongest")]
        part = part[part["embedding"] == {"MEnAN": "main"}.get(model, re.split("floor|ceiling", label)[0])]
        assert f"{label}" in table
        assert words.percent(part["score"].mean()) in table
    assert "MEnAN after LEACE" in table
    assert "mlp" in text
    assert "EER, %" in text
    assert "Other factors" in text
    assert "; after LEACE it reaches" in text
    assert text.count("emotion label: ") == 0, "floors of the speaker are no floors of gender"
    assert "near-duplicate: no media" in text
    assert "300 rows" in text
    assert "And 100 more in certificate.json." in text
    assert "03-7 & co" in text
    assert "licence of emodb free for research; example.org (somewhere)" in re.sub(r"(emodb)(free)", r"\1 \2", text)


def test_scores_are_by_gender_and_beside_listeners(small: Run, small_text: str) -> None:
    test = small.predictions[(small.predictions["split"] == "test") & (small.predictions["model"] == "MEnAN")]
    men = test[test["speaker"].isin(["03", "10", "11", "12", "15"])]
    women = test.drop(men.index)
    score = [100 * audmetric.unweighted_average_recall(part["truth"], part["predicted"]) for part in (women, men)]
    row = small_text[small_text.index("female5 speakers") :]
    row = row[row.index("MEnAN") :][:200]
    assert f"{score[0]:.1f}" in row
    assert f"{score[1]:.1f}" in row
    assert "female minus male" in row
    assert "UAR14086.4" in small_text.replace(" ", ""), "listeners: .95 of anger, .85 of six others"
    share = (test["truth"] == test["predicted"]).groupby(test["speaker"]).mean()
    extremes = small_text[small_text.index("Best and worst") :]
    extremes = extremes[extremes.index("MEnAN") :][:60]
    assert f"{100 * share.max():.1f}" in extremes
    assert f"{100 * share.min():.1f}" in extremes


def test_calibration_is_measured_on_test(small: Run, small_text: str) -> None:
    """The planted probabilities are 40 % and the accuracy is higher: the model is underconfident."""
    test = small.predictions[(small.predictions["split"] == "test") & (small.predictions["model"] == "MEnAN")]
    right = (test["truth"] == test["predicted"]).mean()
    assert f"{100 * abs(right - 0.4):.1f}" in small_text[small_text.index("Calibration error, points") :]
    assert "10 test speakers, 140 clips; the probabilities of a clip are averaged over seeds" in small_text


def test_numbers_in_words() -> None:
    assert words.percent(0.45678) == "45.7"
    assert words.percent(float("nan")) == words.percent(None) == words.span(float("nan"), 0.2) == "\N{EN DASH}"
    assert (words.signed(0.012), words.signed(-0.012)) == ("+1.2", "\N{MINUS SIGN}1.2")
    assert words.listed(["a"]) == "a"
    assert words.listed("abc") == "a, b and c"
    assert (words.counted(1, "fold"), words.counted(1200, "clip")) == ("1 fold", "1,200 clips")


def test_a_part_of_an_experiment_says_so(make_run: Maker) -> None:
    run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2, leakage=False)
    whole = text_of(run)
    assert run.as_written
    assert "Expectedtest UAR .43 to .49" in whole
    given = "mien train li2020-emodb data.prepared=PREPARED training.epochs=30 --out RUN"
    changed = {"training.epochs": 60, "seeds": [0, 1, 2]}
    run.write_json("environment.json", run.environment | {"command": given, "changed": changed})
    run.write_json("splits.json", {"protocol": {"name": "leave_one_speaker_out"}, "of": 12, "folds": run.splits})
    text = text_of(resealed(run))
    assert given in text
    assert "Expected" not in text
    assert "Cost" not in text
    extent = "10 of 12 folds, 30 of 60 epochs, 1 of 3 seeds"
    assert f"Trained1 model, {extent}" in text
    assert f"Only a part of the experiment was run: {extent}. The scores of the whole" in text
    assert "experiment may differ much." in text
    assert "60 in the experiment" in text


def test_folds_that_the_experiment_itself_leaves_out_are_no_part(make_run: Maker) -> None:
    run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2, leakage=False)
    run.write_json("splits.json", {"protocol": {"name": "leave_one_speaker_out"}, "of": 12, "folds": run.splits})
    given = "mien train li2020-emodb data.prepared=PREPARED/mine --out RUN"
    run.write_json("environment.json", run.environment | {"command": given, "changed": {}})
    text = text_of(resealed(run))
    assert "Trained1 model, 10 of 12 folds, 30 epochs, 1 seed (0)" in text
    assert "Only a part" not in text
    assert "Expectedtest UAR .43 to .49" in text
    run.write_json("environment.json", run.environment | {"command": given.replace("li2020-emodb", "mine.yaml")})
    assert "Expected" not in text_of(resealed(run)), "what a file of one's own extends has other scores"


def test_another_corpus_is_named_and_no_score_is_expected(make_run: Maker) -> None:
    run = make_run(models=("MEnAN",), seeds=(0,), clips=8, epochs=2, leakage=False)
    other = Run(run.folder, run.experiment.model_copy(update={"corpus": {"name": "ravdess"}}))
    assert not other.as_written
    html = page.render(other)
    title = "Speaker-invariant speech emotion by a maximum-entropy adversary, on EmoDB"
    assert f"<h1>The experiment of ravdess on emodb: {title}</h1>" in html
    assert "Expected" not in html
    mine = Run(run.folder, run.experiment.model_copy(update={"title": "Ours"}))
    assert mine.title == "Ours, on emodb"
    run.write_json("certificate.json", run.certificate | {"corpus": "table"})
    own = resealed(replace(run, experiment=mine.experiment))
    assert own.corpus == Path(str(own.experiment.data.prepared)).name
    assert own.title == f"Ours, on {own.corpus}"


def test_the_page_opens_with_its_answer_and_details_closed(small_page: str) -> None:
    body = small_page[small_page.index("<body>") :]
    assert body.index('<div class="answer">') < body.index("<dl>") < body.index("<table")
    assert "<details open" not in body
    for name in ("speakers", "calibration", "training", "maps", "settings", "environment"):
        before = body[: body.index(f'id="{name}"')]
        assert before.count("<details") - before.count("</details") == 1, name
