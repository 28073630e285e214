"""`mien audit` of a run and of embeddings made elsewhere; a wrong option is refused in one sentence."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import mien
from mien.cli.main import main
from mien.commands import audit
from mien.common.leakage_tables import LEAKAGE
from mien.errors import AuditError, ConfigError
from mien.runs.run import Run
from mien.runs.tables import read_table
from sealing import reseal


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Embeddings that encode speaker and emotion, with labels."""
    place = tmp_path_factory.mktemp("embeddings")
    random = np.random.default_rng(0)
    speaker, emotion = np.repeat(np.arange(8), 12), np.tile(np.arange(3), 32)
    X = random.normal(size=(96, 8)) + 3 * np.eye(8)[speaker] + 3 * np.eye(8)[emotion]
    np.savez(place / "E.npz", E=X.astype(np.float32), clips=np.array([f"c{n}" for n in range(96)]))
    np.save(place / "X.npy", X)
    table = {"clip": [f"c{n}" for n in range(96)], "speaker": speaker, "emotion": emotion, "sex": speaker % 2}
    labels = pd.DataFrame(table, dtype=str)
    labels.loc[5, "emotion"] = None
    labels.sample(frac=1, random_state=0).to_csv(place / "L.csv", index=False)
    labels.iloc[:90].to_csv(place / "fewer.csv", index=False)
    return place


def test_embeddings_give_a_table_a_picture_and_a_page(folder, tmp_path, capsys):
    line = ["audit", "--embeddings", f"{folder}/E.npz", "--labels", f"{folder}/L.csv", "--factor", "speaker"]
    line += ["--factor", "emotion", "--inputs", f"{folder}/E.npz", "--speakers", "unseen", "--out", f"{tmp_path}/a"]
    assert main(line) == 0
    out = capsys.readouterr().out
    assert out.startswith("From these embeddings a fresh probe names the unseen speaker, one of 8, in ")
    assert max(map(len, out.split("\n\n")[0].splitlines())) <= 80
    lines = out.split("\n\n")[1].splitlines()
    assert max(map(len, lines)) <= 80
    assert [line[:19].rstrip() for line in lines] == [
        *(
            "embedding     facto",
            "E             speak",
            "  after LEACE speak",
            "E             emoti",
            "  after LEACE emoti",
        )
    ]
    assert "emotion: disjoint speakers; interval over speakers" in out
    assert "emotion: 1 of 96 clips have no label and are left out" in out
    assert "the encoder has not seen these speakers (--speakers unseen)" in out.splitlines()
    table = read_table(tmp_path / "a" / "leakage.csv", LEAKAGE)
    assert set(table["speakers"]) == {"unseen"}
    assert set(table["role"]) == {"measured", "floor", "ceiling"}
    assert set(table["measure"]) >= {"uar", "accuracy", "f1", "eer", "hsic", "cka"}
    strongest = table[(table["probe"] == "strongest") & (table["measure"] == "uar")]
    strongest = strongest[strongest["eraser"].isna()].set_index(["factor", "embedding"])
    assert strongest.loc[("speaker", "E"), "score"] > 0.6
    assert strongest.loc[("speaker", "emotion label"), "role"] == "floor"
    assert strongest.loc[("emotion", "inputs"), "score"] == strongest.loc[("emotion", "E"), "score"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        *("leakage.csv", "leakage.html", "leakage.json", "leakage.svg")
    ]
    written = json.loads((tmp_path / "a" / "leakage.json").read_text())
    assert len(written["rows"]) == len(table)


def test_an_array_and_a_mapping_say_what_the_files_say(folder):
    labels = pd.read_csv(folder / "L.csv", dtype=str).sort_values("clip", key=lambda clip: clip.str[1:].astype(int))
    X = np.load(folder / "E.npz")["E"]
    one = mien.leakage(X, {"speaker": labels["speaker"].tolist()}).data["rows"]
    other = mien.leakage(folder / "E.npz", folder / "L.csv", "speaker").data["rows"]
    read = [row for row in other if row["factor"] == "speaker" and row["role"] == "measured"]
    assert [row["score"] for row in one if row["role"] == "measured"] == [row["score"] for row in read]


def test_test_clips_are_balanced_and_seen_speakers_are_tested(folder, capsys):
    line = ["audit", "--embeddings", f"{folder}/E.npz", "--labels", f"{folder}/L.csv", "--factor", "sex", "--json"]
    assert main([*line, "--balanced", "emotion", "--seen-speakers"]) == 0
    printed = json.loads(capsys.readouterr().out)
    rows = [row for row in printed["rows"] if row["probe"] == "strongest" and not row["eraser"]]
    rows = {(row["factor"], row["embedding"]): row for row in rows}
    assert rows["sex", "E"]["split"].startswith("disjoint clips; speakers on both sides; 94 of 95 test clips, balanced")
    assert rows["sex", "emotion label"]["score"] < 0.6
    assert rows["sex", "speaker label"]["score"] == 1
    assert rows["emotion", "E"]["split"].startswith("disjoint speakers;")
    assert {"sex: test clips are balanced over emotion", "sex: 1 of 96 clips have no emotion and are left out"} <= set(
        printed["notes"]
    )


def test_one_speaker_alone_is_refused_with_the_way_out(folder, tmp_path, capsys):
    pd.read_csv(folder / "L.csv", dtype=str).assign(speaker="one").to_csv(tmp_path / "L.csv", index=False)
    line = ["audit", "--embeddings", f"{folder}/E.npz", "--labels", f"{tmp_path}/L.csv", "--factor", "sex"]
    assert main(line) == 2
    assert "all clips are of one speaker; give clips of another speaker, or test seen speakers (--seen-speakers)" in (
        capsys.readouterr().err
    )
    assert main([*line, "--seen-speakers"]) == 0
    assert "the emotion is not measured as utility: emotion: all clips are of one speaker" in capsys.readouterr().out


def test_clips_without_counterpart_are_problems(folder, capsys):
    line = ["audit", "--embeddings", f"{folder}/E.npz", "--labels", f"{folder}/fewer.csv"]
    assert main([*line, "--large", "--speakers", "seen"]) == 1
    out, err = capsys.readouterr()
    assert "mien: problem: embeddings whose clip has no label: 6, such as c90" in err
    assert "large: one division, one setting a probe" in out
    assert "the encoder has seen these speakers (--speakers seen)" in out.splitlines()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "give one of RUN, --embeddings FILE with --labels CSV, or --split MANIFEST"),
        ("R --split S", "not RUN and --split"),
        ("R --factor speaker", "--factor does not go with RUN"),
        ("R --out x", "--out does not go with RUN"),
        ("R --seen-speakers", "--seen-speakers does not go with RUN"),
        ("R --balanced emotion", "--balanced does not go with RUN"),
        ("--embeddings E.npz --labels L.csv --balanced mood", "unknown factor 'mood'"),
        ("--embeddings E.npz --labels L.csv --large --seen-speakers", "no seen speakers in the mode for many clips"),
        ("--embeddings E.npz", "--embeddings needs --labels CSV"),
        ("--embeddings E.npz --labels L.csv --reader emodb", "--reader does not go with --embeddings"),
        ("--split S --labels L.csv", "--labels does not go with --split"),
        ("--split S --seed 1", "--seed does not go with --split"),
        ("--embeddings E.npz --labels L.csv --workers 2", "--workers does not go with --embeddings"),
        ("--embeddings E.npz --labels L.csv --speakers sen", 'Did you mean "seen"?'),
        ("--embeddings E.npz --labels L.csv --seed -1", "seed = -1 is negative; give 0 or more"),
        ("--embeddings E.npz --labels L.csv --factor spaeker", "Did you mean 'speaker'"),
        ("--embeddings X.npy --labels fewer.csv", "96 rows, but 90 labels"),
        ("--embeddings . --labels L.csv", "is a folder"),
        (".", "not a run folder"),
    ],
)
def test_wrong_options_end_with_2_and_write_nothing(folder, monkeypatch, capsys, line, sentence):
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    assert main(["audit", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


def test_python_refuses_arguments_that_do_not_go_together(folder, run):
    with pytest.raises(
        ConfigError, match=r"^embeddings are audited with labels: give a CSV with a column for each factor$"
    ):
        mien.leakage(folder / "X.npy")
    with pytest.raises(ConfigError, match=r"^workers = 2: embeddings are audited by one process; leave it out"):
        mien.leakage(folder / "X.npy", folder / "L.csv", workers=2)
    with pytest.raises(ConfigError, match=r"'large' goes with embeddings, not with a run; leave it out$"):
        mien.leakage(run, large=True)
    with pytest.raises(ConfigError, match=r"'labels' goes with embeddings, not with a run; leave it out$"):
        mien.leakage(run, folder / "L.csv")
    with pytest.raises(AuditError, match="holds Python objects"):
        mien.leakage(np.array([[None]], object), {"speaker": ["a"]})


def test_a_run_is_audited_to_the_end_and_its_page_written_again(run, tmp_path, capsys, monkeypatch):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "report.html").unlink()
    certificate = Run.open(copy).certificate
    Run.open(copy).write_json("certificate.json", certificate | {"marks": ["accepted: s0 & s1"]})
    for cell in Run.open(copy).cells:
        if cell.fold > 0:
            shutil.rmtree(cell.folder)
    pd.DataFrame({"embedding": ["main+leace"]}).to_csv(copy / "leakage.csv", index=False)  # of an older mien
    reseal(copy)
    assert main(["audit", str(copy), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {row["factor"] for row in printed["rows"]} >= {"speaker", "emotion"}
    assert printed["marks"] == ["accepted: s0 & s1"]
    found = Run.open(copy)
    assert found.leakage is not None
    embeddings = set(zip(found.leakage["embedding"], found.leakage["eraser"], strict=True))
    beside = {(name, "") for name in ("majority", "inputs", "random projection")}
    assert embeddings >= {("main", ""), ("main", "leace"), *beside}
    assert (copy / "report.html").is_file()
    assert (copy / "leakage.svg").is_file()
    assert found.metrics["leakage_differences"]
    assert found.metrics["marks"] == found.marks == json.loads((copy / "leakage.json").read_text())["marks"]
    assert "accepted: s0 &amp; s1" in (copy / "leakage.html").read_text()
    monkeypatch.setattr("mien.commands.train.finish", lambda *_, **__: ())  # all is measured
    assert mien.leakage(copy).text.startswith("accepted: s0 & s1\n")


def test_an_eraser_stands_below_its_own_embedding():
    head = dict.fromkeys(LEAKAGE, None) | {"model": "voice", "embedding": "main", "factor": "speaker", "balanced": ""}
    head |= {
        "probe": "strongest",
        "role": "measured",
        "measure": "uar",
        "chance": 0.5,
        "low": 0.6,
        "high": 0.8,
        "p": 0.01,
    }
    rows = [
        head | {"eraser": eraser, "speakers": side, "score": score}
        for eraser, first in (("", 0.8), ("leace", 0.6))
        for side, score in (("seen", first), ("unseen", first + 0.05))
    ]
    lines = audit._lines(pd.DataFrame(rows))
    assert [line[:28].split() for line in lines[1:]] == [
        ["voice", "main", "speaker", "seen"],
        ["after", "LEACE", "speaker", "seen"],
        ["voice", "main", "speaker", "unseen"],
        ["after", "LEACE", "speaker", "unseen"],
    ]


def test_labels_that_are_matched_by_order_are_a_caution_with_the_answer(folder, tmp_path):
    outcome = mien.leakage(folder / "X.npy", folder / "L.csv", "speaker", out=tmp_path / "a")
    caution = "In another order the scores would be near guessing."
    assert outcome.data["answer"][-1].endswith(caution)
    assert caution in " ".join(outcome.text.split("\n\n")[0].split())
    page = (tmp_path / "a" / "leakage.html").read_text()
    assert page.index(caution) < page.index("<table")
    by_name = mien.leakage(folder / "E.npz", folder / "L.csv", "speaker")
    assert caution not in by_name.text
