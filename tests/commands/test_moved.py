"""A PREPARED folder that was moved: a corpus is known by its content, so its run goes on, wherever it lies."""

import shutil

import pandas as pd
import pytest
import yaml

import mien
from mien.audit.run_leakage.inputs import inputs_of
from mien.cli.main import main
from mien.commands.audit import audit
from mien.data.prepared import Prepared
from mien.errors import ConfigError, CorpusError, RunError
from mien.runs.corpus import moved, open_corpus
from mien.runs.run import Run
from sealing import reseal


@pytest.fixture
def copy(run, tmp_path):
    """A copy of the tiny run."""
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def there(prepared, tmp_path):
    """Where its PREPARED folder lies now."""
    shutil.copytree(prepared, tmp_path / "there")
    return tmp_path / "there"


@pytest.fixture
def lost(copy, tmp_path):
    """The copy of the run, whose PREPARED folder is gone."""
    text = (copy / "experiment.yaml").read_text()
    settings = yaml.safe_load(text)
    settings["data"]["prepared"] = str(tmp_path / "gone")
    (copy / "experiment.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    reseal(copy)
    return copy


def states(folder, pattern):
    return {path: path.stat().st_mtime_ns for path in folder.rglob(pattern)}


@pytest.mark.usefixtures("unmeasured")
def test_a_finished_run_has_nothing_left_to_do_and_names_the_new_place(copy, there, experiment):
    before = states(copy, "*.safetensors")
    mien.train(experiment, [f"data.prepared={there}"], out=copy)
    assert states(copy, "*.safetensors") == before
    opened = Run.open(copy)
    assert opened.experiment.data.prepared == str(there)
    assert open_corpus(opened).place == str(there)


@pytest.mark.usefixtures("unmeasured")
def test_the_rest_of_an_unfinished_run_is_trained(copy, there, experiment):
    cells = Run.open(copy).cells
    weights = cells[-1].weights.read_bytes()
    cells[-1].weights.unlink()
    cells[-1].begin_again()
    assert Run.open(copy).cells == cells[:-1]
    mien.train(experiment, [f"data.prepared={there}"], out=copy)
    assert cells[-1].weights.read_bytes() == weights


def relabel(table):
    return table.assign(sentence=table["sentence"].where(table["file"] != "s1-anger-0.wav", "9"))


def add_column(table):
    return table.assign(accent="none")


def drop_clip(table):
    return table[table["file"] != "s3-anger-0.wav"]


def swap_files(table):
    one, other = "s1-anger-0.wav", "s1-anger-1.wav"
    names = table["file"].str.removesuffix(".wav")
    return table.assign(clip=names, file=table["file"].replace({one: other, other: one}))


def swap_speakers(table):
    return table.assign(speaker=table["speaker"].replace({"s0": "s1", "s1": "s0"}))


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("change", "what"),
    [
        (relabel, "'sentence' of the clip 's1-anger-0' was '0' and is now '9'"),
        (add_column, "the column 'accent' is in one of the two alone"),
        (drop_clip, "the clip 's3-anger-0' is no longer used"),
        (swap_files, "the file of the clip 's1-anger-0' is another one"),
        (swap_speakers, "fold 0, validation: other clips or speakers"),
    ],
)
def test_another_corpus_is_refused_by_what_differs(copy, prepared, experiment, tmp_path, change, what):
    root, other = Prepared.open(prepared).media({"file": ""}), tmp_path / "other"
    table = change(pd.read_csv(root / "corpus.csv", dtype=str))
    shutil.copytree(root, tmp_path / "root")
    table.to_csv(tmp_path / "root" / "corpus.csv", index=False)
    mien.prepare("table", tmp_path / "root", out=other, features=())
    before = states(copy, "*")
    with pytest.raises(RunError) as error:
        mien.train(experiment, [f"data.prepared={other}"], out=copy)
    assert str(error.value) == (
        f"{copy}: was started on another corpus or split than {other} holds now ({what}); choose another --out"
    )
    assert states(copy, "*") == before
    assert not (other / "features").exists()


@pytest.mark.usefixtures("unmeasured")
def test_files_of_other_names_are_the_same_corpus(copy, prepared, experiment, tmp_path):
    root, other = Prepared.open(prepared).media({"file": ""}), tmp_path / "other"
    shutil.copytree(root, tmp_path / "recordings")
    table = pd.read_csv(root / "corpus.csv", dtype=str)
    table["clip"] = table["file"].str.removesuffix(".wav")
    table["file"] = [str(tmp_path / "recordings" / file) for file in table["file"]]
    (tmp_path / "tables").mkdir()
    table.to_csv(tmp_path / "tables" / "mine.csv", index=False)
    mien.prepare("table", tmp_path / "tables" / "mine.csv", out=other, features=())
    assert Prepared.open(other).card["hash"] != Prepared.open(prepared).card["hash"]
    before = states(copy, "weights.safetensors")
    mien.train(experiment, [f"data.prepared={other}"], out=copy)
    assert states(copy, "weights.safetensors") == before
    assert open_corpus(Run.open(copy)).place == str(other)


def test_export_says_how_to_give_the_new_place_and_takes_it(lost, there, tmp_path, capsys):
    out, settings = tmp_path / "voice", (lost / "experiment.yaml").read_bytes()
    assert main(["export", str(lost), "--out", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"mien: {tmp_path / 'gone'}: the corpus that {lost} was trained on is no longer there; if it was moved, give "
        "its new place to the same command: data.prepared=PREPARED\n"
    )
    assert not out.exists()
    assert main(["export", str(lost), f"data.prepared={there}", "--out", str(out)]) == 0
    assert (out / "config.json").is_file()
    assert (lost / "experiment.yaml").read_bytes() == settings


def test_another_corpus_or_setting_is_refused(lost, tmp_path, make_corpus):
    other = tmp_path / "other"
    mien.prepare("table", make_corpus(tmp_path / "root", 3, seed=900), out=other, features=())
    with pytest.raises(RunError) as error:
        mien.export(lost, [f"data.prepared={other}"], out=tmp_path / "voice")
    assert str(error.value) == (
        f"{other}: holds another corpus than {lost} was trained on; give the place of that one: data.prepared=PREPARED"
    )
    with pytest.raises(ConfigError) as wrong:
        audit(lost, ["training.epochs=3"])
    assert str(wrong.value) == (
        "'training.epochs=3': of a trained run only the place of its corpus can be given: data.prepared=PREPARED"
    )
    for arguments in ({"split": lost / "splits.json"}, {"embeddings": lost, "labels": lost}):
        with pytest.raises(ConfigError, match=r"^audit: 'data\.prepared=x' goes with RUN; leave it out$"):
            audit(None, ["data.prepared=x"], **arguments)
    with pytest.raises(ConfigError, match=r"^'data\.prepared=x' goes with a run, not with embeddings; leave it out$"):
        mien.leakage(lost / "clips.csv", lost / "clips.csv", overrides=["data.prepared=x"])


def test_the_audit_reads_inputs_where_they_are_now(lost, there, tmp_path):
    opened = Run.open(lost)
    missing = inputs_of(opened)
    assert missing.vectors == {}
    assert missing.notes == (
        f"no ceiling from the inputs: {tmp_path / 'gone'}: the corpus that {lost} was trained on is no longer there; "
        "if it was moved, give its new place to the same command: data.prepared=PREPARED",
    )
    found = inputs_of(moved(opened, [f"data.prepared={there}"]))
    assert set(found.vectors["inputs"]) == set(opened.clips["clip"][opened.clips["label"].notna()])


@pytest.mark.parametrize("free", [True, False], ids=["its folder takes more", "its folder is read only"])
def test_recordings_that_features_need_are_looked_for_where_they_were(
    experiment, tmp_path, make_corpus, monkeypatch, free
):
    monkeypatch.setattr("mien.data.prepared.writable", lambda folder: free)
    root, out = make_corpus(tmp_path / "root", 3, seed=41), tmp_path / "prepared"
    mien.prepare("table", root, out=out, features=(), options={"leave_out": "s0-anger-0"})
    shutil.move(root, tmp_path / "moved")
    with pytest.raises(CorpusError) as error:
        mien.train(experiment, [f"data.prepared={out}"], out=tmp_path / "run")
    assert str(error.value) == (
        f"{out}: lacks features, and 32 of the recordings are not there, such as {root / 's0-anger-1.wav'}; if they "
        f"were moved, run 'mien prepare table NEWPLACE --out {out if free else 'NEWPREPARED'} --option "
        "leave_out=s0-anger-0'" + (" and give data.prepared=NEWPREPARED" if not free else "")
    )
    assert not (tmp_path / "run").exists()


def test_each_of_several_corpora_is_named(lost, there, tmp_path):
    several = moved(Run.open(lost), [f"data.prepared={{a: {there}, b: {tmp_path / 'gone'}}}"])
    with pytest.raises(CorpusError, match=r"the same command: data\.prepared\.b=PREPARED$"):
        open_corpus(several)
