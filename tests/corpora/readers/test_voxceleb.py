"""VoxCeleb: places and tables of both releases, and who is seen, by a hash, by a file, and by EmoVoxCeleb."""

import pytest

from layouts import touch
from mien.corpora.readers import read
from mien.corpora.readers._face_logits import EMOTIONS
from mien.errors import ConfigError, CorpusError

MADE = "the identity split is made here, by a hash of names, since Albanie et al.'s list is not at hand: "


def problems(parsed):
    return list(parsed.problems.itertuples(index=False, name=None))


def refused(root, **options):
    with pytest.raises((ConfigError, CorpusError)) as error:
        read("voxceleb", root, options)
    return str(error.value)


def people(root, count=20, videos=6, segments=2, first=10001):
    """Recordings of so many people, all alike."""
    for person in range(first, first + count):
        touch(
            root, *(f"wav/id{person:05d}/v{video:010d}/{s:05d}.wav" for video in range(videos) for s in range(segments))
        )
    return root


def split(root, text, **options):
    """The corpus with the split of this text."""
    (root / "split.txt").write_text(text, encoding="utf-8")
    return read("voxceleb", root, {"split": "split.txt", **options})


def parts(table):
    """clip -> partition and split, "" where there is none."""
    rows = table[["partition", "split"]].fillna("").itertuples(index=False, name=None)
    return dict(zip(table["clip"], rows, strict=True))


def test_both_releases_are_read_with_their_tables(corpus):
    parsed = read("voxceleb", corpus("voxceleb"))
    table = parsed.table.drop(columns=["start", "end", "emotion", "partition", "split"])
    assert table.fillna("").set_index("clip").T.to_dict("list") == {
        "id00012/21Uxsk56VDQ/00001": [
            "dev/aac/id00012/21Uxsk56VDQ/00001.m4a", "id00012", "male", "21Uxsk56VDQ", "00001", "VoxCeleb2", "dev", "",
        ],
        "id00012/2DLq_Kkc1r8/00016": [
            "dev/aac/id00012/2DLq_Kkc1r8/00016.m4a", "id00012", "male", "2DLq_Kkc1r8", "00016", "VoxCeleb2", "dev", "",
        ],
        "id00017/5MkXgwdrmJw/00001": [
            "test/aac/id00017/5MkXgwdrmJw/00001.m4a", "id00017", "female", "5MkXgwdrmJw", "00001", "VoxCeleb2", "test",
            "",
        ],
        "id10001/1zcIwhmdeo4/0000001": [
            "vox1/A.J._Buckley/1zcIwhmdeo4_0000001.wav", "id10001", "male", "1zcIwhmdeo4", "0000001", "VoxCeleb1",
            "dev", "Ireland",
        ],
        "id10001/_a_b-c/00004": [
            "vox1/wav/id10001/_a_b-c/00004.wav", "id10001", "male", "_a_b-c", "00004", "VoxCeleb1", "dev", "Ireland",
        ],
        "id10309/0b1inHMAr6o/00002": [
            "vox1/wav/id10309/0b1inHMAr6o/00002.wav", "id10309", "female", "0b1inHMAr6o", "00002", "VoxCeleb1", "test",
            "France",
        ],
    }  # fmt: skip
    assert parsed.table["emotion"].isna().all()
    assert (parsed.scheme, parsed.expected) == ("none", 153_516 + 1_128_246)
    assert parsed.notes == (
        f"{MADE}1 of 4 people are unheard, and 2 of the 5 videos of the others are heard; to give a list: --option "
        "split=FILE",
        "clips by partition: train 3, heard 2, unheard 1",
        "1 of 6 clips have several files, such as id00012/21Uxsk56VDQ/1; of each the sound is taken, of several "
        "formats the first of wav, flac, ogg, mp3, m4a",
    )
    films = read("voxceleb", parsed.root, {"media": "video"}).table["file"]
    assert films.str.endswith("mp4").tolist() == [True, False, False, False, False, False]


def test_expected_are_the_releases_that_are_there(tmp_path):
    assert read("voxceleb", people(tmp_path / "one", 2)).expected == 153_516
    assert read("voxceleb", people(tmp_path / "two", 2, first=12)).expected == 1_128_246


def test_files_at_other_places_are_listed_by_folder(tmp_path):
    touch(
        people(tmp_path, 1, 1, 1),
        "wav/id10001/v0000000000/first.wav",
        "wav/id10001/v0000000000/a_00001.wav",
        "wav/id20001/v0000000000/00001.wav",
        "wav/id1001/v0000000000/00001.wav",
        "wav/Eva_Green/0b1inHMAr6o_0000002.wav",
        "again/id10001/v0000000000/0.wav",
        "talk.mp4",
    )
    parsed = read("voxceleb", tmp_path)
    place = "not at a place such as id10001/1zcIwhmdeo4/00001.wav, left out"
    assert problems(parsed) == [
        (".", f"1 recording (talk.mp4) {place}"),
        ("wav/Eva_Green", f"1 recording (0b1inHMAr6o_0000002.wav) {place}"),
        ("wav/id10001/v0000000000", f"2 recordings (a_00001.wav, first.wav) {place}"),
        (
            "wav/id10001/v0000000000/00000.wav",
            "a second file of the clip id10001/v0000000000/0 beside again/id10001/v0000000000/0.wav, left out",
        ),
        ("wav/id1001/v0000000000", f"1 recording (00001.wav) {place}"),
        ("wav/id20001/v0000000000", f"1 recording (00001.wav) {place}"),
    ]


def test_people_whom_a_table_does_not_list_have_no_gender(corpus):
    root = corpus("voxceleb")
    touch(root, "wav/id10002/v0000000000/00001.wav", "aac/id00100/v0000000000/00001.m4a", "copy/vox1_meta.csv")
    parsed = read("voxceleb", root)
    assert parsed.table.set_index("clip")["gender"].isna().sum() == 2
    assert problems(parsed) == [
        ("copy/vox1_meta.csv", "a second table of people beside vox1_meta.csv, ignored"),
        ("vox1_meta.csv", "speaker id10002 is not listed, so the gender is missing"),
        ("vox2_meta.csv", "speaker id00100 is not listed, so the gender is missing"),
    ]


def test_a_split_by_a_hash_has_its_shares_and_no_leak(tmp_path):
    table = read("voxceleb", people(tmp_path, 50, 30, 2)).table
    groups = table.groupby("speaker")["partition"].agg(set)
    assert sorted(map(sorted, groups)) == [["heard", "train"]] * 40 + [["unheard"]] * 10
    seen = table[table["partition"] != "unheard"]
    assert seen.groupby(["speaker", "recording"])["partition"].nunique().eq(1).all()
    assert seen[seen["partition"] == "heard"].groupby("speaker")["recording"].nunique().eq(1).all()
    assert table.groupby(["speaker", "recording"])["split"].nunique().eq(1).all()
    assert set(table[table["partition"] == "train"]["split"]) == {"train"}
    unheard = table[table["partition"] == "unheard"]
    assert unheard.groupby("speaker")["split"].nunique().eq(1).all()
    assert unheard["split"].value_counts().to_dict() == {"validation": 300, "test": 300}
    assert table[table["partition"] == "heard"]["split"].value_counts().to_dict() == {"seen": 80}


def test_a_split_by_a_hash_depends_on_names_alone(tmp_path):
    once = read("voxceleb", people(tmp_path / "a", 12, 5)).table
    again = read("voxceleb", people(tmp_path / "b" / "deep", 12, 5)).table
    assert parts(once) == parts(again)
    longer = read("voxceleb", people(tmp_path / "b" / "deep", 12, 5, 4)).table
    partition = longer.set_index("clip")["partition"]
    assert partition[once["clip"]].tolist() == once["partition"].tolist()


def test_one_person_alone_is_seen_and_one_video_alone_trains(tmp_path):
    assert set(read("voxceleb", people(tmp_path / "a", 1, 1)).table["partition"]) == {"train"}
    assert set(read("voxceleb", people(tmp_path / "b", 1, 2)).table["partition"]) == {"train", "heard"}


@pytest.mark.parametrize("between", [",", " , ", ";", "\t", " "])
@pytest.mark.parametrize("head", ["", "identity{}set\n", "# people of the test\n\n"])
def test_people_and_their_sets_from_a_file(between, head, tmp_path):
    rows = {"id10001": "train", "id10002": "Unheard", "id10003": "validation", "id10004": "test", "id10005": "seen"}
    text = head.format(between) + "".join(f"{person}{between}{word}\n" for person, word in rows.items())
    parsed = split(people(tmp_path, 6, 4), text)
    table = parsed.table.assign(**parsed.table[["partition", "split"]].fillna(""))
    found = {person: set(zip(own["partition"], own["split"], strict=True)) for person, own in table.groupby("speaker")}
    assert found["id10003"] == {("unheard", "validation")}
    assert found["id10004"] == {("unheard", "test")}
    assert found["id10006"] == {("", "")}
    assert {partition for partition, _ in found["id10002"]} == {"unheard"}
    for person in ("id10001", "id10005"):
        assert {partition for partition, _ in found[person]} == {"train", "heard"}
    assert parsed.notes == (
        "the identity split is that of split.txt: 3 of 6 people are unheard",
        "split.txt does not list 1 people with 8 clips, which are in no split",
        "clips by partition: train 12, heard 4, unheard 24",
    )


def test_dev_is_validation_beside_train_and_train_without_it(tmp_path):
    root = people(tmp_path, 3, 4)
    beside = split(root, "id10001 train\nid10002 dev\nid10003 test\n").table.set_index("speaker")["partition"]
    assert set(beside["id10002"]) == {"unheard"}
    alone = split(root, "id10001 dev\nid10002 dev\nid10003 test\n").table.set_index("speaker")["partition"]
    assert set(alone["id10002"]) == {"train", "heard"}
    assert set(alone["id10003"]) == {"unheard"}


def test_one_person_a_line_are_the_unseen_by_name_or_number(corpus):
    root = corpus("voxceleb")
    for person in ("A.J._Buckley", "id10001"):
        table = split(root, f"speaker\n{person}\nid09999\n").table
        assert set(table["speaker"][table["partition"] == "unheard"]) == {"id10001"}


def test_the_released_identification_split_is_of_segments(tmp_path):
    text = "1 id10001/v0000000000/00000.wav\n2 id10001/v0000000001/00000.wav\n3 id10002/v0000000000/00001.wav\n"
    parsed = split(people(tmp_path, 2, 2), text)
    assert {clip: part for clip, part in parts(parsed.table).items() if part != ("", "")} == {
        "id10001/v0000000000/00000": ("train", "train"),
        "id10001/v0000000001/00000": ("heard", "validation"),
        "id10002/v0000000000/00001": ("heard", "test"),
    }
    assert parsed.notes == (
        "the identity split is that of split.txt",
        "split.txt does not list 5 of 8 clips, which are in no split",
        "clips by partition: train 1, heard 2, unheard 0",
    )


LOGITS = [
    *[("A.J._Buckley", "1zcIwhmdeo4", "0000001", "train"), ("A.J._Buckley", "_a_b-c", "0000004", "heardVal")],
    *[("A.J._Buckley", f"more{number}", "1", "heardVal") for number in range(5)],
    ("id10309", "0b1inHMAr6o", "00002", "unheardVal"),
]


def logits(root, *more, name="frames.csv"):
    """EmoVoxCeleb's CSV file, and the recordings of its segments that are not there yet."""
    head = f"speaker,video,segment,partition,{','.join(EMOTIONS)}"
    rows = [",".join([*row, *["0.5"] * 8]) for row in (*LOGITS, *more)]
    (root / name).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    touch(root, *(f"vox1/wav/id10001/more{number}/00001.wav" for number in range(5)))
    return root


def test_emovoxceleb_s_partitions_are_taken_where_they_are(corpus):
    root = logits(corpus("voxceleb"))
    parsed = read("voxceleb", root)
    found = parts(parsed.table)
    assert found["id10001/1zcIwhmdeo4/0000001"] == ("train", "train")
    assert found["id10309/0b1inHMAr6o/00002"][0] == "unheard"
    assert found["id10309/0b1inHMAr6o/00002"][1] in ("validation", "test")
    assert found["id00012/21Uxsk56VDQ/00001"] == ("", "")
    assert parsed.notes[:3] == (
        "the identity split is that of frames.csv",
        "frames.csv does not list 3 of 11 clips, which are in no split",
        "clips by partition: train 1, heard 6, unheard 1",
    )
    labelled = read("emovoxceleb", root, {"drop_share": "0", "tests": "unheard"}).table.set_index("recording")["split"]
    listed = parsed.table[parsed.table["partition"].notna()].set_index("recording")["split"]
    assert set(listed[parsed.table.set_index("recording")["partition"] == "heard"]) == {"seen"}
    assert listed.to_dict() == labelled[listed.index].to_dict(), "divided as the reader emovoxceleb divides them"
    made = read("voxceleb", root, {"split": "hash"})
    assert made.notes[0].startswith(MADE)
    assert parts(split(root, (root / "frames.csv").read_text()).table) == found, "the same file as the option"


def test_damaged_rows_of_partitions_are_listed(corpus):
    root = logits(
        corpus("voxceleb"), ("id10001", "more0", "1", "train"), ("id10001", "x", "1", "eval"), ("", "", "", "1")
    )
    parsed = read("voxceleb", root)
    assert problems(parsed) == [
        ("frames.csv", "id10001/more0/1 is in the partitions train and heard, ignored"),
        ("frames.csv", "row 11: the partition is none of train, unheard, heard, ignored"),
        ("frames.csv", "row 12: speaker, video or segment is missing, ignored"),
    ]  # fmt: skip
    assert parts(parsed.table)["id10001/more0/00001"] == ("", "")


def test_a_person_on_both_sides_is_refused(corpus):
    root = logits(corpus("voxceleb"), ("id10001", "more9", "1", "unheard"))
    assert refused(root) == (
        f"{root / 'frames.csv'}: id10001 is in the partition unheard and in another; a person is unheard in all rows "
        "or in none"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "option split: {file} has no line; write one person a line, or SPEAKER SET"),
        ("id90000\n", "option split: {file} lists none of the 3 people who are there, such as id10001"),
        (
            "id10001,unheard\nid10002\n",
            "option split: {file}: line 2: 'id10002' is not like the first line; write one person in each line, or "
            "SPEAKER SET, such as id10001 unheard",
        ),
        (
            "id10001,a,b\n",
            "option split: {file}: line 1: 'id10001 a b' is not like the first line; write one person in each line, or "
            "SPEAKER SET, such as id10001 unheard",
        ),
        (
            "id10001 heard\nid10002 hidden\n",
            "option split: {file}: line 2: the set 'hidden' is none of train, seen, unheard, unseen, validation, "
            "test, dev",
        ),
        (
            "id10001 train\n\nid10001 test\n",
            "option split: {file}: line 3: id10001 is listed with another set already",
        ),
        (
            "1 id10001/v0000000000/00000.wav\n4 id10001/v0000000000/00001.wav\n",
            "option split: {file}: line 2: '4 id10001/v0000000000/00001.wav' is not N SPEAKER/VIDEO/SEGMENT.wav, N "
            "being 1, 2 or 3, as in iden_split.txt",
        ),
        (
            "1 id10001/v0000000000/00000.wav\n2 id10001/v0000000000/00000.wav\n",
            "option split: {file}: line 2: id10001/v0000000000/00000.wav is listed with another number already",
        ),
        (
            "1 id90000/v0000000000/00000.wav\n",
            "split.txt lists segments, and none of the 36 that are there; where it calls people by name, put "
            "vox1_meta.csv at the root, or give --option split=hash",
        ),
    ],
)
def test_a_file_that_is_no_split_is_refused(text, sentence, tmp_path):
    root = people(tmp_path, 3)
    (root / "split.txt").write_text(text)
    assert refused(root, split="split.txt") == sentence.format(file=root / "split.txt")


def test_a_missing_file_and_other_options_are_refused(tmp_path):
    root = people(tmp_path, 2)
    assert refused(root, split="no.txt") == (
        f"option split: {root / 'no.txt'}: no such file; give a path, or hash for a split by a hash of names"
    )
    assert refused(root, media="both") == "option media: unknown value 'both'. Known: sound, video."


def test_another_corpus_or_a_damaged_table_is_refused(corpus, tmp_path):
    root = corpus("emodb")
    assert refused(root) == (
        f"{root}: not VoxCeleb; no recording such as wav/id10001/1zcIwhmdeo4/00001.wav below it (wav: 4 recordings "
        "(03a01Fa.wav, 03a01Nc.wav, 08b10Wb.wav, 16a07Ea.wav) not at a place such as id10001/1zcIwhmdeo4/00001.wav, "
        "left out)"
    )
    root = corpus("voxceleb")
    (root / "vox2_meta.csv").write_text("VoxCeleb2 ID\tGender\nid00012\tm\n")
    assert refused(root) == (
        f"{root / 'vox2_meta.csv'}: no column 'VoxCeleb2 ID'; take the file as VoxCeleb2 has it, with commas"
    )
