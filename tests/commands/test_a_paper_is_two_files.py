"""The dry run of a next paper: a recipe file and an experiment file, and nothing else, from table to page.

Its target is a column of somebody's own table, its labels are shares of votes, its encoder is its own, and it claims
something. It trains, predicts, is audited, reported and compared by the commands as they are.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import log_loss, recall_score

import mien
from mien.errors import ConfigError
from mien.models import recipes
from mien.runs.tables import read_table
from quick import cells_alone

PAPER = Path(__file__).with_name("paper")
SPEAKERS, CLIPS = 7, 8


@pytest.fixture(scope="module", autouse=True)
def two_files():
    """The recipe file lies in a folder that the package `mien.models.recipes` finds for these tests."""
    recipes.__path__.append(str(PAPER / "recipes"))
    yield
    recipes.__path__.remove(str(PAPER / "recipes"))


@pytest.fixture(scope="module")
def prepared(make_tone, tmp_path_factory):
    """Tones: low ones are called calm by most listeners, high ones tense; nobody votes on the last two clips."""
    root = tmp_path_factory.mktemp("votes")
    random, rows = np.random.default_rng(0), []
    for who in range(SPEAKERS):
        for clip in range(CLIPS):
            tense = clip % 2
            make_tone(root / f"s{who}-{clip}.wav", 110.0 + 140.0 * tense, 0.6 + 0.2 * who, 100 * who + clip)
            votes = random.multinomial(10, [0.2, 0.8] if tense else [0.8, 0.2])
            votes[tense] += votes[0] == votes[1]
            arousal = 1.0 + 3.0 * tense + 0.3 * random.standard_normal()
            labels = ("yes" if tense else "no", "02" if tense else "01", round(arousal, 2))
            rows.append((f"s{who}-{clip}.wav", f"s{who}", *votes, *labels))
    columns = ["file", "speaker", "votes_calm", "votes_tense", "stress", "code", "arousal"]
    table = pd.DataFrame(rows, columns=columns)
    table.loc[len(table) - 2, ["votes_calm", "votes_tense"]] = 0
    table.loc[len(table) - 1, columns[2:]] = None
    table.to_csv(root / "table.csv", index=False)
    mien.prepare("table", root / "table.csv", out=root / "prepared")
    return root / "prepared"


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    """The paper's run."""
    out = tmp_path_factory.mktemp("run") / "run"
    mien.train(PAPER / "zeros.yaml", [f"data.prepared={prepared}"], out=out)
    return out


def scored(run):
    return json.loads((run / "metrics.json").read_text())["models"]


def test_it_trains_and_is_scored_by_its_own_target(run):
    assert "zeros" in recipes.names()
    rows = read_table(run / "predictions.csv")
    assert list(rows.columns[6:]) == ["mood", "predicted", "calm", "tense", "truth_calm", "truth_tense", "scheme"]
    test = rows[(rows["split"] == "test") & (rows["model"] == "learned")]
    assert len(test) == SPEAKERS * CLIPS - 2, "the clips that nobody voted on are in no fold"
    assert json.loads((run / "certificate.json").read_text())["left_out"] == {"no mood known": 2}
    scores = scored(run)["learned"]["test"]
    assert scores["uar"] == pytest.approx(recall_score(test["mood"], test["predicted"], average="macro"))
    assert scores["uar"] > 0.9
    shares = test[["truth_calm", "truth_tense"]].to_numpy()
    entropy = sum(
        log_loss([name] * len(test), test[["calm", "tense"]].to_numpy(), labels=[0, 1], sample_weight=shares[:, name])
        * shares[:, name].sum()
        for name in (0, 1)
    ) / len(test)
    assert scores["cross_entropy"] == pytest.approx(entropy, abs=1e-5)
    assert scores["cross_entropy"] < scored(run)["zero"]["test"]["cross_entropy"]
    assert scored(run)["zero"]["test"]["cross_entropy"] == pytest.approx(np.log(2), abs=1e-5)


def test_the_epoch_is_chosen_by_its_measure(run):
    for place in (run / "models" / "learned").iterdir():
        history = pd.read_json(place / "history.jsonl", lines=True)
        assert history["validation cross_entropy"].min() < np.log(2), "better than nothing known"
    others = ["training.best=certainty", "protocol.folds=[0]"]
    with cells_alone():
        mien.train(PAPER / "zeros.yaml", [*_overrides(run), *others], out=run.parent / "certain")
    history = pd.read_json(next((run.parent / "certain" / "models" / "learned").glob("*/history.jsonl")), lines=True)
    assert (history["validation certainty"] >= 0.5).all(), "a score that the recipe gives"


def test_its_claim_is_answered(run):
    (claim,) = json.loads((run / "claims.json").read_text())["claims"]
    assert (claim["claim"], claim["answer"]) == ("learning_helps", "yes")
    assert claim["contrasts"][0]["difference"] > 0.3


def test_it_predicts_files_by_its_own_words(run, prepared, tmp_path):
    found = []
    for clip in (0, 1):  # one by one: only this process knows the two files
        outcome = mien.predict(
            prepared.parent / f"s0-{clip}.wav", model=run / "models" / "learned", out=tmp_path / "p.csv"
        )
        found += [row["mood"] for row in outcome.data["rows"]]
    assert found == ["calm", "tense"]
    assert list(pd.read_csv(tmp_path / "p.csv").columns[5:]) == ["mood", "calm", "tense", "scheme", "model"]


def test_it_is_audited_reported_and_compared(run):
    page = (run / "report.html").read_text()
    assert "Learning helps." in page
    assert "paper 99.0" in page
    leaks = read_table(run / "leakage.csv")
    assert set(leaks["embedding"]) >= {"code"}
    assert set(leaks["factor"]) == {"speaker"}
    other = mien.compare(run, out=run.parent / "compared")
    assert "learned is separable" in other.text or "separably above zero" in other.text
    assert Path(mien.report(run).data["report"]).is_file()


@pytest.mark.parametrize(
    ("target", "more", "measure", "least"),
    [
        ("code", (), "uar", 0.9),
        ("arousal", ("data.targets={arousal: {kind: numbers}}",), "ccc", 0.6),
        pytest.param(
            *("arousal", ("data.targets={arousal: {kind: levels, levels: 2}}",), "uar", 0.9), marks=pytest.mark.slow
        ),  # levels by limits go the same way
        ("arousal", ("data.targets={arousal: {kind: levels, limits: [2.5], scale: [0, 5]}}",), "uar", 0.9),
    ],
    ids=["a column of codes", "a number", "levels of a number", "levels by limits"],
)
def test_any_column_is_a_target(prepared, tmp_path, target, more, measure, least):
    """The recipes that there are train, score, predict, audit, report, evaluate and compare it as they do emotions."""
    path = tmp_path / "own.yaml"
    model = {"hidden": [], "embeddings": {"main": {"tasks": {target: 1.0}}}}
    raw = yaml.safe_load((PAPER / "zeros.yaml").read_text()) | {"target": target, "recipe": "disentangle"}
    raw |= {"encoder": "vector", "models": {"one": model, "two": model}, "training": {"epochs": 20, "batch": 8}}
    raw["training"]["best"] = measure
    raw["protocol"] = {"name": "leave_one_speaker_out", "folds": [0, 1]}
    raw["optimiser"] = {"lr": {"default": 0.003}}
    raw["data"] = {"audio": {"name": "functionals"}, "normalisation": "train"}
    raw["provenance"] = {}
    claimed = "ccc" if measure == "ccc" else "micro_f1"
    claim = {"kind": "kept", "factor": target, "measure": claimed, "models": "one", "minus": "two"}
    raw |= {"axes": {}, "claims": {"alike": {"says": "The two are alike.", **claim}}, "reference": {}}
    path.write_text(yaml.safe_dump(raw))
    folder = tmp_path / "run"
    mien.train(path, [f"data.prepared={prepared}", *more], out=folder)
    assert scored(folder)["one"]["test"][measure] > least
    assert json.loads((folder / "certificate.json").read_text())["notes"] == [], "no part lacks a class"
    rows = read_table(folder / "predictions.csv", text=(target,))
    assert target in rows
    audited = mien.leakage(folder)
    assert audited.exit_code in (None, 0)
    files = [prepared.parent / f"s1-{clip}.wav" for clip in (0, 1)]
    calm, tense = mien.predict(files, model=folder / "models" / "one").data["rows"]
    assert calm[target] != tense[target]
    if measure == "ccc":
        assert calm[target] < 2 < 3 < tense[target], "in the units of the table"
    if measure != "ccc":
        mien.export(folder / "models" / "one", out=tmp_path / "exported")
        again = mien.predict(files, model=tmp_path / "exported", unsure=0.0).data["rows"]
        assert [row[target] for row in again] == [calm[target], tense[target]]
    mien.compare(folder, out=tmp_path / "compared")
    page = (folder / "report.html").read_text()
    column = "CCC" if claimed == "ccc" else "micro F, %"
    assert all(words in page for words in (target, "The two are alike.", column))


def test_a_value_outside_the_scale_of_any_target_writes_nothing(prepared, tmp_path):
    table = read_table(prepared / "corpus.csv")
    clip, value = next(row for row in table[["clip", "arousal"]].itertuples(index=False) if not 1 <= row[1] <= 4)
    for target in ("code", "arousal"):
        assert _refused(prepared, tmp_path, target, {"kind": "numbers", "scale": [1, 4]}) == (
            f"target 'arousal': clip {clip} has {value:g} in column 'arousal', and the scale goes from 1 to 4; mend "
            "the table, or give the scale that it has, data.targets.arousal.scale"
        )


def test_levels_of_which_clips_have_one_alone_are_refused(prepared, tmp_path):
    assert _refused(prepared, tmp_path, "arousal", {"kind": "levels", "limits": [9, 10]}) == (
        f"{prepared}: of the levels low, medium, high of 'arousal' its clips have low alone; give other limits, "
        "data.targets.arousal.limits"
    )


def _refused(prepared, tmp_path, target, arousal):
    """The sentence by which a model of `code` and of arousal is refused; nothing is written."""
    model = {"hidden": [], "embeddings": {"main": {"tasks": {"code": 1.0, "arousal": 0.1}}}}
    raw = yaml.safe_load((PAPER / "zeros.yaml").read_text()) | {"recipe": "disentangle", "encoder": "vector"}
    raw |= {"target": target, "models": {"one": model}, "training": {"epochs": 1, "batch": 8, "best": "last"}}
    raw |= {"axes": {}, "claims": {}, "reference": {}, "provenance": {}}
    raw["data"] = {"audio": {"name": "functionals"}, "targets": {"arousal": arousal}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(ConfigError) as refused:
        mien.train(tmp_path / "own.yaml", [f"data.prepared={prepared}"], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    return str(refused.value)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "target=mod",
            "models.learned: does not predict the target 'mod', which is scored; it predicts mood",
        ),
        (
            "data.targets={mood: {kind: soft, columns: [votes_calm, votes_tens], classes: [calm, tense]}}",
            "data.targets.mood.columns: unknown column 'votes_tens'. Did you mean 'votes_tense'? Known: arousal, code, "
            "emotion, gender, seconds, speaker, stress, votes_calm, votes_tense.",
        ),
        (
            "claims.learning_helps.minus={learning: nope}",
            "claims.learning_helps.minus.learning: unknown value 'nope'. Did you mean 'no'? Known: no, yes.",
        ),
        (
            "claims.learning_helps.measure=uarr",
            "claims.learning_helps.measure: unknown measure 'uarr'. Did you mean 'uar'? Known: accuracy, ccc, "
            "macro_f1, micro_f1, rmse, uar.",
        ),
        (
            "training.best=crossentropy",
            "training.best: unknown score 'crossentropy'. Did you mean 'cross_entropy'? Known: certainty, "
            "cross_entropy, last, tasks, uar, wa.",
        ),
        ("encoder=vector", "encoder: the recipe zeros builds its own networks; leave it out"),
        ("data.scheme=emodb", "data.scheme: data.targets.mood gives the classes already; leave one of the two out"),
    ],
)
def test_what_does_not_go_together_is_refused_and_writes_nothing(prepared, tmp_path, override, sentence):
    with pytest.raises(ConfigError) as refused:
        mien.train(PAPER / "zeros.yaml", [f"data.prepared={prepared}", override], out=tmp_path / "run")
    assert str(refused.value).removeprefix(f"{PAPER / 'zeros.yaml'}: ") == sentence
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("scheme", "sentence"),
    [
        (
            "{classes: [yes, no, mabye]}",
            "data.scheme.classes: unknown class 'mabye'. Did you mean 'yes'? Known: no, yes. No clip has it.",
        ),
        (
            "{classes: [yes, no], merge: {maybe: nope}}",
            "data.scheme: merge.maybe: unknown class 'nope'. Did you mean 'no'? Known: no, yes.",
        ),
        (
            "{classes: [yes, no], merge: {maybe: no}}",
            "data.scheme.merge: unknown value 'maybe'. Did you mean 'yes'? Known: no, yes. No clip has it.",
        ),
        (
            "{clases: [yes, no]}",
            "data.scheme: unknown key 'clases'. Did you mean 'classes'? Known: classes, merge",
        ),
        (
            "emodb",
            "data.scheme: 'emodb' is of emotions, and the target is 'stress'; write its classes, {classes: [...]}, or "
            "leave it out to take those that the column has",
        ),
    ],
)
def test_a_scheme_of_ones_own_is_checked(prepared, tmp_path, scheme, sentence):
    own = ["target=stress", "models={one: {target: stress}}", "data.targets=null", "axes=null", "claims=null"]
    own += ["reference=null", f"data.prepared={prepared}", f"data.scheme={scheme}"]
    with pytest.raises(ConfigError) as refused:
        mien.train(PAPER / "zeros.yaml", own, out=tmp_path / "run")
    assert str(refused.value).removeprefix(f"{PAPER / 'zeros.yaml'}: ") == sentence


def _overrides(run):
    return [f"data.prepared={yaml.safe_load((run / 'experiment.yaml').read_text())['data']['prepared']}"]
