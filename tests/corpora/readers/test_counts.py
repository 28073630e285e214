"""Published counts of a complete corpus: they hold, or a note gives both numbers."""

import pandas as pd
import pytest

from mien.corpora.readers import miscounts, read
from mien.corpora.schemes import apply, scheme

# Of IEMOCAP's 10,039 turns (Busso et al. 2008); those of ang, hap, exc, neu and sad make Li et al.'s 5,531.
TURNS = {"ang": 1103, "hap": 595, "exc": 1041, "neu": 1708, "sad": 1084}
TURNS |= {"fru": 1849, "xxx": 2507, "sur": 107, "fea": 40, "oth": 3, "dis": 2}


@pytest.fixture(scope="module")
def iemocap(tmp_path_factory):
    """A corpus in IEMOCAP's layout with all its turns, five sessions, improvised and scripted; no sound in them."""
    root = tmp_path_factory.mktemp("iemocap")
    codes = [code for code, count in TURNS.items() for _ in range(count)]
    dialogs = [(n, sex, style) for n in range(1, 6) for sex in "FM" for style in ("impro01", "script01_1")]
    for number, (session, sex, style) in enumerate(dialogs):
        dialog = f"Ses0{session}{sex}_{style}"
        turns = {f"{dialog}_{'FM'[n % 2]}{n:03d}": code for n, code in enumerate(codes[number :: len(dialogs)])}
        evaluation = root / f"Session{session}/dialog/EmoEvaluation/{dialog}.txt"
        evaluation.parent.mkdir(parents=True, exist_ok=True)
        evaluation.write_text(
            "".join(f"[0.0 - 1.0]\t{name}\t{code}\t[2.5, 2.5, 2.5]\n" for name, code in turns.items())
        )
        folder = root / f"Session{session}/sentences/wav/{dialog}"
        folder.mkdir(parents=True)
        for name in turns:
            (folder / f"{name}.wav").touch()
    return root


def test_the_complete_iemocap_has_the_published_counts(iemocap):
    parsed = read("iemocap", iemocap)
    assert parsed.shortfall == 0
    assert parsed.problems.empty
    assert parsed.table["speaker"].nunique() == 10
    assert set(parsed.table["style"]) == {"improvised", "scripted"}
    labels, lost = apply(scheme("iemocap"), parsed.table["emotion"])
    counts = {"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084}
    assert labels.value_counts().to_dict() == counts
    assert labels.notna().sum() == 5531
    assert lost["frustration"] == 1849
    assert miscounts("iemocap", parsed.table) == []


def test_a_note_on_one_missing_turn_gives_both_numbers(iemocap):
    table = read("iemocap", iemocap).table
    angry = table.index[table["emotion"] == "anger"][0]
    notes = [
        "note: iemocap: 5,530 clips of all classes under the scheme 'iemocap', the complete corpus has 5,531",
        "note: iemocap: 1,102 clips of anger under the scheme 'iemocap', the complete corpus has 1,103",
    ]
    assert miscounts("iemocap", table.drop(angry)) == notes
    assert (
        miscounts("iemocap", table.assign(seconds=1.0).assign(seconds=lambda t: t["seconds"].mask(t.index == angry, 0)))
        == notes
    )
    assert miscounts("iemocap", table.drop(angry), "emodb") == []
    surprised = table["emotion"].mask(table.index == angry, "surprise")
    assert miscounts("iemocap", table.assign(emotion=surprised)) == notes
    assert miscounts("iemocap", pd.concat([table, table.loc[[angry]]]))[1].startswith(
        "note: iemocap: 1,104 clips of anger"
    )


def test_cmu_mosei_counts_every_clip_with_one_of_four_classes():
    emotions = ["anger+fear"] * 5000 + ["happiness"] * 12_000 + ["neutral"] * 4000 + ["happiness+sadness"] * 1323
    emotions += ["fear"] * 1000 + ["disgust+surprise"] * 130
    table = pd.DataFrame({"emotion": emotions})
    assert len(table) == 23_453
    assert miscounts("cmu_mosei", table) == []
    assert miscounts("cmu_mosei", table[1:]) == [
        "note: cmu_mosei: 22,322 clips of all classes under the scheme 'iemocap', the complete corpus has 22,323"
    ]


def test_there_is_no_note_without_published_counts():
    assert miscounts("emodb", pd.DataFrame({"emotion": ["anger"]})) == []
