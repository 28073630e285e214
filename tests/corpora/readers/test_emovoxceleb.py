"""EmoVoxCeleb: the dominant emotion, who is left out, how the partition heard is split, and each segment's file."""

from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from mien.corpora.readers import _face_logits, read
from mien.corpora.readers._face_logits import EMOTIONS
from mien.corpora.readers._voxceleb import splits
from mien.corpora.readers.emovoxceleb import _without_few
from mien.errors import ConfigError, CorpusError

HEAD = "speaker,video,segment,partition," + ",".join(EMOTIONS)


def row(speaker, video, segment, partition="train", **values):
    """A line of CSV; logits that are not given are 0."""
    return ",".join([speaker, video, segment, partition, *(str(values.get(name, 0.0)) for name in EMOTIONS)])


def problems(parsed):
    return list(parsed.problems.itertuples(index=False, name=None))


def refused(root, options=MappingProxyType({})):
    with pytest.raises((ConfigError, CorpusError)) as error:
        read("emovoxceleb", root, options)
    return str(error.value)


def root_of(tmp_path, *rows, head=HEAD, media=()):
    (tmp_path / "logits.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    for path in media:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


def test_the_release_s_frames_become_segments(corpus):
    parsed = read("emovoxceleb", corpus("emovoxceleb"))
    table = parsed.table.set_index("clip")
    assert list(table.index) == ["A.J._Buckley/1zcIwhmdeo4/0000001", "A.J._Buckley/_a_b-c/0000004",
                                 "id10309/0b1inHMAr6o/00002"]  # fmt: skip
    assert table["file"].tolist() == [
        "wav/A.J._Buckley/1zcIwhmdeo4_0000001.wav", "mp4/id10001/_a_b-c/00004.mp4", "wav/id10309/0b1inHMAr6o/00002.wav"
    ]  # fmt: skip
    assert table["emotion"].tolist() == ["happiness", "surprise", "sadness"]
    assert table["frames"].tolist() == ["2", "1", "1"]
    assert table["gender"].tolist() == ["male", "male", "female"]
    assert table["nationality"].tolist() == ["Ireland", "Ireland", "France"]
    assert table["partition"].tolist() == ["train", "heard", "unheard"]
    assert table["split"].fillna("none").tolist()[::2] == ["train", "none"]
    assert table["split"].iloc[1] in ("validation", "test")
    assert parsed.expected == 153_352


@given(st.integers(0, 999), st.sampled_from(["max", "mean"]), st.integers(1, 7), st.integers(2, 5))
@settings(max_examples=5, deadline=None)
def test_a_segment_s_distribution_does_not_depend_on_how_files_are_read(tmp_path_factory, seed, pooling, rows, pieces):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 3, (8, 8))
    segment = rng.integers(0, 3, 8)
    root = tmp_path_factory.mktemp("frames")
    lines = [
        row("a", "v", f"{s:03d}", **dict(zip(EMOTIONS, v, strict=True))) for s, v in zip(segment, values, strict=True)
    ]
    root_of(root, *lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_face_logits, "ROWS", rows)
        patch.setattr(_face_logits, "PIECES", pieces)
        table, complaints, _ = _face_logits.pooled(root, pooling)
    assert complaints == []
    assert table["frames"].sum() == 8
    for _, pooled in table.iterrows():
        own = values[segment == int(pooled["segment"])]
        expected = softmax(own.max(axis=0)) if pooling == "max" else softmax(own, axis=1).mean(axis=0)
        np.testing.assert_allclose(pooled[list(EMOTIONS)].to_numpy(dtype=float), expected, rtol=1e-9)
        assert pooled["emotion"] == EMOTIONS[expected.argmax()]


def test_the_two_poolings_differ_where_one_frame_stands_out(tmp_path):
    rows = [row("a", "v", "1", neutral=3.0)] * 5 + [row("a", "v", "1", neutral=3.0, anger=4.0)]
    root = root_of(tmp_path, *rows, media=["wav/a/v/00001.wav"])
    assert read("emovoxceleb", root).table["emotion"].tolist() == ["anger"]
    assert read("emovoxceleb", root, {"pooling": "mean"}).table["emotion"].tolist() == ["neutral"]


def people(*sizes, partition="train"):
    names = [f"p{number:03d}" for number, size in enumerate(sizes) for _ in range(size)]
    videos = [f"v{place // 3}" for size in sizes for place in range(size)]
    return pd.DataFrame({"speaker": names, "video": videos, "partition": partition}).astype("str")


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.floats(0, 0.99))
@settings(max_examples=25, deadline=None)
def test_at_most_the_share_of_speakers_with_the_fewest_segments_goes(sizes, share):
    kept, few = _without_few(people(*sizes), share)
    counts = kept["speaker"].value_counts()
    gone = {speaker: int(text.split()[0]) for speaker, text in few}
    assert len(gone) + len(counts) == len(sizes)
    assert len(gone) <= share * len(sizes) + 1e-6
    assert max(gone.values(), default=0) < counts.min(), "speakers with equally many segments are treated alike"
    more = sorted(sizes)[len(gone)]
    assert len(gone) + sizes.count(more) > share * len(sizes) - 1e-6 - 1, "no more could be left out"


def test_one_of_twenty_is_the_lowest_five_percent():
    kept, few = _without_few(people(*[5] * 7, 2, *[5] * 12), 0.05)
    assert few == [("p007", "2 segments, among the lowest 5% of the speakers, left out")]
    assert kept["speaker"].nunique() == 19
    assert _without_few(people(*[5] * 7, 2, *[5] * 11), 0.05)[1] == [], "5 % of nineteen speakers are none"


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_videos_of_the_partition_heard_are_halved_and_stay_whole(sizes):
    table = people(*sizes, partition="heard")
    table["split"] = splits(table)
    assert set(table["split"]) <= {"validation", "test"}
    assert table.groupby(["speaker", "video"])["split"].nunique().eq(1).all()
    for _, own in table.groupby("speaker"):
        parts = own["split"].value_counts()
        assert parts.max() - parts.get({"validation": "test", "test": "validation"}[parts.index[0]], 0) <= 3
    shuffled = table.sample(frac=1, random_state=0)
    pd.testing.assert_series_equal(splits(shuffled), shuffled["split"], check_names=False)


def test_train_is_the_training_split_and_unheard_is_in_no_split():
    for partition, split in (("train", "train"), ("unheard", "")):
        assert set(splits(people(4, 3, partition=partition))) == {split}


def test_damaged_rows_and_segments_are_listed(tmp_path):
    rows = [
        row("a", "v", "1"), row("a", "v", "2", anger="much"), row("", "v", "3"), row("a", "v", "4", "eval"),
        row("b", "w", "1", "heard-val"), row("b", "w", "1", "train"), row("c", "x", "1", "3"), row("a", "v", "5"),
    ]  # fmt: skip
    media = ["wav/a/v/1.wav", "wav/a/v/9.wav", "wav/c/x/1.wav", "mp4/c/x/1.mp4", "mp4/c/x_1.mp4", "stray.wav"]
    root = root_of(tmp_path, *rows, media=media)
    (tmp_path / "again.csv").write_text(f"{HEAD}\n{row('c', 'x', '1', fear=2.0)}\n")
    parsed = read("emovoxceleb", root)
    assert problems(parsed) == [
        (".", "no logits of 1 recording (stray.wav), left out"),
        ("a/v", "no recording of 1 segment (5), left out"),
        ("logits.csv", "b/w/1 is in the partitions heard and train, left out"),
        ("logits.csv", "row 3: a logit is not a number, ignored"),
        ("logits.csv", "row 4: speaker, video or segment is missing, ignored"),
        ("logits.csv", "row 5: the partition is none of train, unheard, heard, ignored"),
        ("logits.csv", "segments that again.csv lists already: 1, such as c/x/1; ignored"),
        ("mp4/c/x_1.mp4", "a second file of the segment beside mp4/c/x/1.mp4, left out"),
        ("wav/a/v", "no logits of 1 recording (9.wav), left out"),
    ]
    assert dict(zip(parsed.table["clip"], parsed.table["file"], strict=True)) == {
        "a/v/1": "wav/a/v/1.wav", "c/x/1": "mp4/c/x/1.mp4"
    }  # fmt: skip
    sounds = read("emovoxceleb", root, {"media": "sound"}).table
    assert set(sounds["file"]) == {"wav/a/v/1.wav", "wav/c/x/1.wav"}


def test_many_damaged_rows_are_counted(tmp_path):
    rows = [row("a", "v", str(number), anger="x") for number in range(150)]
    _, complaints, _ = _face_logits.pooled(root_of(tmp_path, *rows, row("a", "v", "1")), "max")
    assert len(complaints) == _face_logits.LISTED + 1
    assert complaints[-1].problem == "50 further rows like the 100 listed, ignored"


def test_another_corpus_or_an_unknown_option_is_refused(tmp_path):
    columns = f"speaker, video, segment, partition, {', '.join(EMOTIONS)}"
    assert refused(root_of(tmp_path, "a,b", head="speaker,video")) == (
        f"{tmp_path}: no logits of a face model; no CSV file below it has the columns {columns}"
    )
    assert refused(root_of(tmp_path, row("a", "v", "1"))) == (
        f"{tmp_path}: none of its 1 segments has a recording below it, such as wav/a/v/1.wav; put the media of "
        "VoxCeleb1 there, or a link to them"
    )
    (tmp_path / "logits.csv").write_bytes(f"{HEAD}\n{row('Zoë', 'v', '1')}\n".encode("latin-1"))
    assert refused(tmp_path).startswith(f"{tmp_path / 'logits.csv'}: not a table with commas in UTF-8 (")
    for options, sentence in (
        ({"pooling": "median"}, "option pooling: 'median' is neither 'max' nor 'mean'"),
        ({"drop_share": "5%"}, "option drop_share: '5%' is not a share of speakers such as 0.05; 0 keeps all"),
        ({"drop_share": "1"}, "option drop_share: '1' is not a share of speakers such as 0.05; 0 keeps all"),
        ({"media": "both"}, "option media: 'both' is neither 'video' nor 'sound'"),
    ):
        assert refused(tmp_path, options) == sentence


def test_files_without_a_usable_row_are_refused(tmp_path):
    wrong = "logits.csv: row 2: a logit is not a number, ignored"
    assert refused(root_of(tmp_path, row("a", "v", "1", anger="x"))) == (
        f"{tmp_path}: no row of logits can be used ({wrong})"
    )
    assert refused(root_of(tmp_path)) == f"{tmp_path}: no row of logits can be used (there are only header lines)"


def test_unheard_people_validate_and_test_where_that_is_asked(tmp_path):
    people = [f"id1{number:04d}" for number in range(40)]
    parts = {person: "unheardVal" if number % 2 else "train" for number, person in enumerate(people)}
    rows = [row(person, f"v{person}", f"{take:05d}", parts[person]) for person in people for take in (1, 2)]
    rows += [row(person, f"w{person}", "00001", "heardVal") for person in people[::2]]
    media = [f"wav/{person}/v{person}/{take:05d}.wav" for person in people for take in (1, 2)]
    media += [f"wav/{person}/w{person}/00001.wav" for person in people[::2]]
    table = read("emovoxceleb", root_of(tmp_path, *rows, media=media), {"drop_share": "0", "tests": "unheard"}).table
    by_partition = table.groupby("partition")["split"].agg(set).to_dict()
    assert by_partition == {"train": {"train"}, "heard": {"seen"}, "unheard": {"validation", "test"}}
    people_of = table.groupby("split")["speaker"].agg(set)
    assert not people_of["validation"] & people_of["test"]
    assert not people_of["train"] & (people_of["validation"] | people_of["test"])
    assert len(people_of["validation"]) == len(people_of["test"]) == 10
    assert refused(tmp_path, {"tests": "seen"}) == "option tests: 'seen' is neither 'heard' nor 'unheard'"


@pytest.mark.parametrize("rows_at_once", [1, 3, 1000])
def test_the_frames_of_a_segment_are_its_rows(tmp_path, rows_at_once, monkeypatch):
    monkeypatch.setattr(_face_logits, "ROWS", rows_at_once)
    values = np.random.default_rng(0).normal(0, 3, (9, 8)).astype(np.float32)
    order = ["one", "one", "two", "two", "two", "one", "other", "two", "two"]
    rows = [
        row("a", "v", name, **dict(zip(EMOTIONS, map(str, one), strict=True)))
        for name, one in zip(order, values, strict=True)
    ]
    rows[3] = rows[3].replace(str(values[3, 4]), "lost")
    media = ["wav/a/v/one.wav", "wav/a/v/two.wav"]
    parsed = read("emovoxceleb", root_of(tmp_path, *rows, media=media), {"drop_share": "0"})
    assert parsed.held == {"classes": list(EMOTIONS), "every": 0.24}
    for name in ("one", "two"):
        frames, valid = parsed.frames.read(f"a/v/{name}")
        own = np.array([place for place, other in enumerate(order) if other == name])
        np.testing.assert_array_equal(frames[valid], values[own[own != 3]])
        assert valid.tolist() == [place != 3 for place in own], "a row that is no number is a frame without a face"
    with pytest.raises(CorpusError, match="no row of logits is of the clip 'a/v/other'"):
        parsed.frames.read("a/v/other")


def test_rows_of_whole_segments_are_no_frames(tmp_path):
    root = root_of(tmp_path, row("a", "v", "1"), row("a", "v", "2"), media=["wav/a/v/1.wav", "wav/a/v/2.wav"])
    assert read("emovoxceleb", root, {"drop_share": "0"}).held == {}
