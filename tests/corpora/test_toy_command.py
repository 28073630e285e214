"""`python -m mien.corpora.toy`: its files, output and refusals; and the clips that are exempt from the entanglement."""

import numpy as np
import pandas as pd
import pytest

from mien.common.settings import parse
from mien.corpora.readers.toy import read
from mien.corpora.toy import ToyConfig
from mien.corpora.toy.__main__ import PROGRAM, main, usage
from mien.corpora.toy.people import sample_people
from mien.corpora.toy.plan import plan
from mien.errors import ConfigError

SMALL = ["people=2", "clips=12", "seconds=1", "size=32", "frame_rate=5"]


def planned(config):
    people = sample_people(config.people, np.random.default_rng(0))
    rows = [
        (clip.name, clip.person.name, clip.person.own, clip.emotion, clip.sampling)
        for clip in plan(config, people, np.random.default_rng(1))
    ]
    return pd.DataFrame(rows, columns=["clip", "speaker", "own", "emotion", "sampling"])


@pytest.mark.parametrize(("balanced", "clips"), [(0.0, 0), (0.25, 12), (0.5, 24), (1.0, 48)])
def test_balanced_clips_are_whole_rounds_and_the_others_are_entangled(balanced, clips):
    table = planned(ToyConfig(people=12, clips=600, entanglement=0.8, balanced=balanced))
    apart = table[table["sampling"] == "balanced"]
    assert len(apart) == 12 * clips
    if clips:
        assert pd.crosstab(apart["speaker"], apart["emotion"]).eq(clips // 6).all(axis=None)
    rest = table[table["sampling"] == "entangled"]
    expected = 0.8 + 0.2 / 6
    if len(rest) > 100:
        share = (rest["emotion"] == rest["own"]).mean()
        assert abs(share - expected) <= 3 * np.sqrt(expected * (1 - expected) / len(rest))
    assert table["clip"].is_unique


def test_clips_that_are_alike_are_entangled_as_the_others_and_named_apart():
    settings = {"people": 12, "clips": 720, "entanglement": 0.8, "balanced": 0.2}
    table, without = planned(ToyConfig(**settings, alike=0.2)), planned(ToyConfig(**settings))
    assert table.drop(columns="sampling").equals(without.drop(columns="sampling"))
    counts = pd.crosstab(table["speaker"], table["sampling"])
    assert counts.drop_duplicates().to_dict("records") == [{"alike": 12, "balanced": 12, "entangled": 36}]
    own = table["emotion"] == table["own"]
    shares, expected = own.groupby(table["sampling"]).mean(), 0.8 + 0.2 / 6
    for name, count in (("alike", 144), ("entangled", 432)):
        assert abs(shares[name] - expected) <= 3 * np.sqrt(expected * (1 - expected) / count)
    assert shares["balanced"] == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [
        (
            {"alike": 0.05},
            "toy: 'alike' is 0.05 of 60 clips a person, less than one round of the 6 emotions; take more clips or a "
            "larger share",
        ),
        ({"alike": 0.6, "balanced": 0.5}, "toy: 'balanced' and 'alike' are 1.1 of the clips; take 1 at most"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares, sentence):
    with pytest.raises(ConfigError) as error:
        parse(ToyConfig, {"people": 12, "clips": 720, **shares}, "toy")
    assert str(error.value) == sentence


def test_a_balanced_share_without_a_whole_round_is_refused():
    assert ToyConfig(people=5, clips=70, balanced=0.4).spared(14) == 6
    with pytest.raises(ConfigError) as error:
        parse(ToyConfig, {"people": 5, "clips": 70, "balanced": 0.3}, "toy")
    assert str(error.value) == (
        "toy: 'balanced' is 0.3 of 14 clips a person, less than one round of the 6 emotions; "
        "take more clips or a larger share"
    )


def test_the_command_makes_the_corpus_and_counts_it(tmp_path, capsys):
    out = tmp_path / "toy"
    assert main([str(out), *SMALL, "entanglement=1", "balanced=0.99"]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = read(out).table
    assert set(table["sampling"]) == {"balanced"}
    assert lines[0] == f"{out}: 12 clips of 2 people, 32 x 32 px"
    assert lines[1] == (
        "balanced: 12 clips, 16.7% with the person's own emotion (expected 16.7%), 10 with another one; "
        "anger 2, disgust 2, fear 2, happiness 2, neutral 2, sadness 2"
    )
    assert main([str(out), *SMALL, "entanglement=1"]) == 2, "other settings"
    assert capsys.readouterr().err == (
        f"{PROGRAM}: {out}: contains other files, or a toy corpus with other settings or of an older "
        "mien; choose an empty folder\n"
    )


def test_without_a_balanced_share_there_is_no_column_for_it(tmp_path, capsys):
    assert main([str(tmp_path), *SMALL, "clips=2"]) == 2, "clips is given twice"
    assert main([str(tmp_path), "people=2", "clips=4", "seconds=1", "size=32", "frame_rate=5", "entanglement=1"]) == 0
    assert "entangled: 4 clips, 100.0% with the person's own emotion (expected 100.0%)" in capsys.readouterr().out
    assert "sampling" not in read(tmp_path).table


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], f"0 folders are given, and one is needed\n{usage()}"),
        (["one", "two"], f"2 folders are given, and one is needed\n{usage()}"),
        (["toy", "people=1"], "toy: people: input should be greater than or equal to 2 (found 1)"),
        (["toy", "clips=3", "clips=4"], "'clips' is given twice"),
        (["toy", "size=33"], "toy: size: input should be a multiple of 2 (found 33)"),
    ],
)
def test_what_is_not_understood_is_refused_and_nothing_is_written(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr().err == f"{PROGRAM}: {sentence}\n"
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_not_yaml_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["toy", "clips=[3"]) == 2
    assert capsys.readouterr().err.startswith(f"{PROGRAM}: 'clips=[3' is not a value (")


def test_a_place_that_cannot_be_written_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert main([str(tmp_path / "file" / "toy"), "clips=1"]) == 2
    assert capsys.readouterr().err == f"{PROGRAM}: {tmp_path / 'file' / 'toy'}: not a directory\n"


def test_help_names_every_setting(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name}=" in text for name in ToyConfig.model_fields)
