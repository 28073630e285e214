"""Emotions in words of one's own are listed with the way out, can be named, and are never trained on as if known."""

import pandas as pd
import pytest

import mien
from mien import experiments
from mien.corpora.schemes import EMOTIONS
from mien.data import extraction
from mien.data.prepared import Prepared
from mien.errors import ConfigError, CorpusError
from mien.runs.run import Run

WORDS = {"Freude": 300.0, "Wut": 200.0, "neutral": 150.0, "joy": 300.0}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, make_tone):
    """Three speakers; German words beside English ones."""
    root = tmp_path_factory.mktemp("words")
    rows = ["file,speaker,emotion"]
    for who in range(3):
        for number, (word, pitch) in enumerate([*WORDS.items()] * 2):
            make_tone(root / f"s{who}-{number}.wav", pitch, 0.6 + 0.3 * who, 100 * who + number, 0.3)
            rows.append(f"s{who}-{number}.wav,s{who},{word}")
    (root / "corpus.csv").write_text("\n".join(rows) + "\n")
    return root


def test_words_that_are_not_known_are_listed_beside_those_that_are(corpus, tmp_path):
    outcome = mien.prepare("table", corpus, out=tmp_path / "out", features=())
    assert outcome.problems == [
        f"emotion: not known: freude (6 clips), wut (6 clips); known are {', '.join(EMOTIONS)}; say what yours mean by "
        "--option emotions=freude:EMOTION,..., or train on them as they are: data.scheme={classes: [freude, ...]}"
    ]


def test_words_are_named_by_an_option(corpus, tmp_path):
    outcome = mien.prepare(
        "table", corpus, out=tmp_path / "out", features=(), options={"emotions": "Freude:happiness, wut:angry"}
    )
    assert outcome.problems == []
    counts = Prepared.open(tmp_path / "out").table["emotion"].value_counts().to_dict()
    assert counts == {"happiness": 12, "anger": 6, "neutral": 6}


def test_words_may_be_named_afterwards_and_nothing_is_extracted_again(corpus, tmp_path, monkeypatch):
    mien.prepare("table", corpus, out=tmp_path / "out", features=["logmel"])
    monkeypatch.setattr(extraction, "read_parts", None)
    named = {"emotions": "freude:happiness,wut:anger"}
    assert mien.prepare("table", corpus, out=tmp_path / "out", features=["logmel"], options=named).problems == []
    assert set(Prepared.open(tmp_path / "out").table["emotion"]) == {"happiness", "anger", "neutral"}
    with pytest.raises(CorpusError, match=r"holds table read with options \{.*\}; choose a new folder for --out"):
        mien.prepare("table", corpus, out=tmp_path / "out", options=named | {"leave_out": "s0-0"})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("freude", "emotions: 'freude' is no pair; write WORD:EMOTION, such as freude:happiness"),
        (
            "freud:happiness",
            "emotions: unknown word 'freud'. Did you mean 'freude'? Known: freude, happiness, neutral, wut.",
        ),
        (
            "freude:happines",
            f"emotions: unknown emotion 'happines'. Did you mean 'happiness'? Known: {', '.join(sorted(EMOTIONS))}.",
        ),
    ],
)
def test_a_wrong_pair_is_refused_and_nothing_is_written(corpus, tmp_path, given, sentence):
    with pytest.raises(ConfigError) as error:
        mien.prepare("table", corpus, out=tmp_path / "out", features=(), options={"emotions": given})
    assert str(error.value) == sentence
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module", params=["words", "numbers"])
def label(request, corpus):
    """The same corpus with a table of semicolons and a column `label`, and the words in it."""
    table = pd.read_csv(corpus / "corpus.csv").rename(
        columns={"file": "File", "speaker": "Speaker", "emotion": "label"}
    )
    words = {"Freude": "Freude", "Wut": "Wut", "neutral": "Ruhe", "joy": "Freude"}
    numbers = {"Freude": "0", "Wut": "1", "neutral": "2", "joy": "0"}
    table["label"] = table["label"].map(words if request.param == "words" else numbers)
    own = corpus / f"{request.param}.csv"
    table.to_csv(own, index=False, sep=";")
    return own, sorted(set(table["label"].str.lower()))


def test_a_label_in_words_of_ones_own_is_named_with_the_way_out(label, experiment, tmp_path):
    own, joy = label[0], label[1][0]
    calm, anger = sorted(label[1][1:], key=["ruhe", "2", "wut", "1"].index)
    outcome = mien.prepare("table", own, out=tmp_path / "out", features=())
    counted = ", ".join(f"{word} ({12 if word == joy else 6} clips)" for word in label[1])
    assert outcome.problems == [
        f"emotion: no column is read as it; the words of the column 'label' are not known: {counted}; known are "
        f"{', '.join(EMOTIONS)}; say what yours mean by --option emotions={joy}:EMOTION,..., or call the column "
        "'emotion' to train on its words as they are; if it is no emotion, give it another name"
    ]
    ways = (
        f"the words of its column 'label' are not known ({', '.join(label[1])}): say what they mean when you prepare "
        f"it, --option emotions={joy}:EMOTION,..., or train on them as they are, "
        "data.targets.emotion.columns=label_given"
    )
    for settings, sentence in (
        (["data.scheme=null"], f"target 'emotion': its clips have no value; {ways}"),
        (
            [],
            f"{tmp_path / 'out'}: of the classes anger, happiness, neutral, sadness its clips have none; without a "
            f"class: no emotion known (24); {ways} and data.scheme=null",
        ),
    ):
        with pytest.raises(ConfigError) as error:
            mien.train(experiment, [f"data.prepared={tmp_path / 'out'}", *settings], out=tmp_path / "run")
        assert str(error.value) == sentence
    with pytest.raises(ConfigError) as error:
        mien.prepare("table", own, out=tmp_path / "new", features=(), options={"emotions": "freud:anger"})
    assert str(error.value).endswith(f"Known: {', '.join(label[1])}.")
    named = {"emotions": f"{joy}:happiness,{anger}:anger,{calm}:neutral"}
    assert mien.prepare("table", own, out=tmp_path / "out", features=(), options=named).problems == []
    table = Prepared.open(tmp_path / "out").table
    assert table["emotion"].value_counts().to_dict() == {"happiness": 12, "anger": 6, "neutral": 6}
    assert "label_given" not in table


def test_without_any_emotion_the_other_columns_are_named(corpus, experiment, tmp_path):
    table = pd.read_csv(corpus / "corpus.csv").rename(columns={"emotion": "Stimmung"})
    table.to_csv(corpus / "mood.csv", index=False)
    with pytest.raises(ConfigError) as error:
        mien.prepare("table", corpus / "mood.csv", out=tmp_path / "out", options={"emotions": "freude:happiness"})
    assert str(error.value) == (
        "emotions: no column is read as the emotion, so none has the word 'freude'; call the one that holds it "
        "'emotion'; other columns are: Stimmung"
    )
    mien.prepare("table", corpus / "mood.csv", out=tmp_path / "out", features=())
    with pytest.raises(ConfigError) as error:
        mien.train("voice", [f"data.prepared={tmp_path / 'out'}"], out=tmp_path / "run")
    assert str(error.value) == (
        "target 'emotion': its clips have no value; if another column of your own table holds it, call that 'emotion' "
        "and prepare it again, or name it, data.targets.emotion.columns=NAME; other columns are: Stimmung; "
        "without emotions it trains beside a corpus with them, data.prepared.NAME=PREPARED for each and "
        "data.unlabelled=train"
    )


@pytest.mark.parametrize("made_for", ["li2020-ravdess", "li2020-emodb"])
def test_an_experiment_of_another_corpus_names_all_ways_out(corpus, made_for, tmp_path):
    table = pd.read_csv(corpus / "corpus.csv")
    table[table["emotion"].isin(["Freude", "Wut"])].to_csv(corpus / "two.csv", index=False)
    mien.prepare("table", corpus / "two.csv", out=tmp_path / "out", features=())
    classes = ", ".join(experiments.load(made_for).classes)
    ways = (
        "train the experiment voice, which takes the classes that a corpus has, or give data.scheme=null for the "
        "corpus's own classes, or say what the words mean when you prepare it, --option emotions=WORD:EMOTION,..."
    )
    for settings, sentence in (
        (
            [],
            f"{made_for} is made for the corpus {made_for[7:]}, and {tmp_path / 'out'} holds table: no clip has the "
            f"classes {classes} and 12 of 12 clips have none of the classes: freude (6), wut (6); {ways}",
        ),
        (
            ["corpus=null"],
            f"{tmp_path / 'out'}: of the classes {classes} its clips have none; without a class: freude (6), wut (6); "
            f"{ways}",
        ),
    ):
        with pytest.raises(ConfigError) as error:
            mien.train(made_for, [f"data.prepared={tmp_path / 'out'}", *settings], out=tmp_path / "run")
        assert str(error.value) == sentence


@pytest.mark.usefixtures("unmeasured")
def test_one_class_alone_is_not_trained_and_what_is_left_out_is_said_first(corpus, experiment, tmp_path, capsys):
    out, own = tmp_path / "out", corpus / "german.csv"
    table = pd.read_csv(corpus / "corpus.csv")
    table[table["emotion"] != "joy"].to_csv(own, index=False)
    mien.prepare("table", own, out=tmp_path / "german", features=())
    given = ["training.epochs=1", "models.MEnAN=null", "protocol.folds=[0]"]
    with pytest.raises(ConfigError) as error:
        mien.train(experiment, [*given, f"data.prepared={tmp_path / 'german'}"], out=tmp_path / "run")
    assert str(error.value) == (
        f"{tmp_path / 'german'}: of the classes anger, happiness, neutral, sadness its clips have neutral alone; "
        "without a class: freude (6), wut (6); train the experiment voice, which takes the classes that a corpus has, "
        "or give data.scheme=null for the corpus's own classes, or say what the words mean when you prepare it, "
        "--option emotions=WORD:EMOTION,..."
    )
    assert not (tmp_path / "run").exists()
    mien.prepare("table", corpus, out=out)
    capsys.readouterr()
    mien.train(experiment, [*given, f"data.prepared={out}"], out=tmp_path / "run")
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mien: ")]
    assert said == [
        "mien: 12 of 24 clips are not used: freude (6), wut (6)",
        "mien: warning: anger: no clip in any fold",
        "mien: warning: sadness: no clip in any fold",
    ]
    assert set(Run.open(tmp_path / "run").predictions["truth"]) == {"happiness", "neutral"}


@pytest.mark.usefixtures("unmeasured")
def test_the_recipe_for_any_corpus_has_its_classes_and_speakers(corpus, tmp_path):
    mien.prepare("table", corpus, out=tmp_path / "out", features=())
    mien.train(
        "voice",
        [f"data.prepared={tmp_path / 'out'}", "seeds=[1]", "training.epochs=1", "data.copies={}"],
        out=tmp_path / "run",
    )
    run = Run.open(tmp_path / "run")
    assert run.classes == ("freude", "happiness", "neutral", "wut")
    assert [fold["test"]["speakers"] for fold in run.splits] == [["s0"], ["s1"], ["s2"]]
