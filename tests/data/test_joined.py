"""Several prepared corpora as one: every clip once under its corpus's name, no speaker under two names."""

import json

import numpy as np
import pandas as pd
import pytest

from mien.corpora.corpus import Problem, check, problem_table
from mien.data import prepared
from mien.data.joined import Joined
from mien.data.prepared import Prepared
from mien.errors import CorpusError, LeakError


def write(folder, name, speakers, *, seed=0, **columns):
    """A prepared corpus of files that do not exist; the hashes of their bytes are random, by the seed."""
    root = folder / "root"
    root.mkdir(parents=True)
    clips = [f"{speaker}/{number}" for speaker in speakers for number in range(2)]
    table = pd.DataFrame({"clip": clips, "file": [f"{clip}.wav" for clip in clips]})
    table = table.assign(speaker=[clip.partition("/")[0] for clip in clips], emotion="anger", **columns)
    corpus = check(
        name=name, root=root, table=table, licence=f"of {name}", source="", expected=None, scheme="canonical"
    )
    digits = np.random.default_rng(seed).integers(16, size=(len(table), 64))
    hashes = ["".join(f"{digit:x}" for digit in row) for row in digits]
    whole = corpus.table.assign(seconds=1.0, sha256=hashes)
    return prepared.write(folder, corpus, whole, problem_table([Problem("", "")][:0]), place=root)


def test_the_same_folders_give_the_same_table_in_any_order(tmp_path):
    write(tmp_path / "b", "emodb", ["03", "08"], seed=1, rating=[1.0, 2.5, 3.0, 4.0], level=[1.5, 2.0, 3.0, 4.0])
    write(tmp_path / "a", "table", ["03"], seed=2, level=["low", "high"], session="1")
    one = Joined.open({"b": tmp_path / "b", "a": tmp_path / "a"})
    two = Joined.open({"a": tmp_path / "a", "b": tmp_path / "b"})
    pd.testing.assert_frame_equal(one.table, two.table)
    assert one.card == two.card
    table = one.table.set_index("clip")
    assert list(table.index) == ["a/03/0", "a/03/1", "b/03/0", "b/03/1", "b/08/0", "b/08/1"]
    assert table["speaker"].nunique() == 3
    assert table["corpus"].tolist() == ["a", "a", "b", "b", "b", "b"]
    assert table.loc["b/08/0", "file"] == "08/0.wav"
    assert table["rating"].isna().tolist() == [True, True, False, False, False, False]
    assert table["rating"].dtype == "float64"
    assert table["session"].dropna().tolist() == ["1", "1"]
    assert table["level"].tolist() == ["low", "high", "1.5", "2", "3", "4"]
    assert one.own("b/08/0") == ("b", "08/0")


def test_the_card_lists_every_corpus_and_hashes_all_tables(tmp_path):
    write(tmp_path / "a", "table", ["x"], seed=1)
    write(tmp_path / "b", "emodb", ["03"], seed=2)
    write(tmp_path / "c", "emodb", ["03"], seed=3)
    card = Joined.open({"a": tmp_path / "a", "b": tmp_path / "b"}).card
    assert card["name"] == "a+b"
    assert card["corpora"]["b"] == {
        "reader": "emodb",
        "hash": Prepared.open(tmp_path / "b").card["hash"],
        "licence": "of emodb",
        "clips": 2,
    }
    others = [
        Joined.open({"a": tmp_path / "a", "b": tmp_path / "c"}).card["hash"],
        Joined.open({"a": tmp_path / "a", "c": tmp_path / "b"}).card["hash"],
        Joined.open({"b": tmp_path / "a", "a": tmp_path / "b"}).card["hash"],
    ]
    assert len({card["hash"], *others}) == 4
    assert json.dumps(card)


def test_no_speaker_has_two_names(tmp_path):
    write(tmp_path / "a", "emodb", ["03"], seed=1)
    write(tmp_path / "same", "table", ["x"], seed=1)
    write(tmp_path / "people", "emodb", ["03", "08"], seed=2)
    write(tmp_path / "others", "emodb", ["08"], seed=3)
    for other, sentence in (
        (
            "same",
            "hold 2 identical files, such as 03/0.wav; a speaker would have two names: leave one of the two out",
        ),
        (
            "people",
            "are both emodb and share 1 speakers (03), who would have two names: prepare the corpus as one",
        ),
    ):
        with pytest.raises(LeakError) as error:
            Joined.open({"a": tmp_path / "a", "b": tmp_path / other})
        assert str(error.value) == f"data.prepared: a ({tmp_path / 'a'}) and b ({tmp_path / other}) {sentence}"
    assert len(Joined.open({"a": tmp_path / "a", "b": tmp_path / "others"}).table) == 4


def test_a_corpus_with_a_column_corpus_of_its_own_is_refused(tmp_path):
    write(tmp_path / "a", "table", ["x"], seed=1, corpus="mine")
    write(tmp_path / "b", "table", ["x"], seed=2)
    with pytest.raises(CorpusError) as error:
        Joined.open({"a": tmp_path / "a", "b": tmp_path / "b"})
    assert str(error.value) == (
        f"{tmp_path / 'a'}: has a column 'corpus' of its own, which is needed where several corpora are joined; rename "
        "it in the corpus's table and prepare it again"
    )


def test_one_folder_stays_as_it_is(tmp_path):
    alone = write(tmp_path / "a", "table", ["x"], seed=1)
    one = Joined.open(tmp_path / "a")
    pd.testing.assert_frame_equal(one.table, Prepared.open(tmp_path / "a").table)
    assert (one.card, one.place) == (alone.card, alone.place)
    assert one.own("x/0") == ("", "x/0")
    row = one.table.iloc[0]
    assert one.media(row) == one.rows("", one.table).pipe(lambda table: one.parts[""].media(table.iloc[0]))


def test_media_of_several_lie_each_in_its_own_root(tmp_path):
    roots = [write(tmp_path / name, "table", ["x"], seed=seed).card["root"] for seed, name in enumerate("ab")]
    both = Joined.open({"a": tmp_path / "a", "b": tmp_path / "b"})
    assert {str(both.media(row).parents[1]) for _, row in both.table.iterrows()} == set(roots)
    assert [row for name in both.parts for row in both.rows(name, both.table)["clip"]] == both.table["clip"].tolist()
