"""FER+: images out of a table, the votes beside them row for row, and who trains and is tested."""

import bz2
import gzip

import numpy as np
import pandas as pd
import pytest

from layouts import faces
from mien.corpora.corpus import check
from mien.corpora.readers import read
from mien.errors import ConfigError, CorpusError

HEAD = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
SURE = "10,0,0,0,0,0,0,0,0,0"


def release(root, rows, *, name="fer2013.csv", header="emotion,pixels,Usage"):
    """Both tables. A row is (usage, image name, votes, pixels)."""
    root.mkdir(exist_ok=True)
    cells = ["{emotion},{pixels},{Usage}", "{emotion},{Usage},{pixels}"][header.split(",")[1].strip() == "Usage"]
    lines = [cells.format(emotion=3, pixels=pixels, Usage=usage) for usage, _, _, pixels in rows]
    text = "\n".join([header, *lines, ""]).encode()
    pack = gzip.compress if name.endswith(".gz") else bz2.compress if name.endswith(".bz2") else bytes
    (root / name).write_bytes(pack(text))
    listed = "\n".join([HEAD, *(f"{usage},{image},{votes}" for usage, image, votes, _ in rows), ""])
    (root / "fer2013new.csv").write_text(listed)
    return root


def refusal(root, **options):
    with pytest.raises((ConfigError, CorpusError)) as error:
        read("ferplus", root, options)
    return str(error.value)


def test_an_image_is_a_clip_without_file_and_speaker(corpus):
    parsed = read("ferplus", corpus("ferplus"))
    table = parsed.table.set_index("clip")
    assert list(table.index) == ["fer0000000", "fer0000001", ":3", "fer0000003", "fer0000004"]
    assert table["emotion"].fillna("?").tolist() == ["anger", "?", "?", "anger", "contempt"]
    assert table["fer2013"].tolist() == ["anger", "disgust", "fear", "happiness", "sadness"]
    assert table.loc["fer0000000", ["votes_neutral", "votes_sadness", "votes_NF"]].tolist() == [4, 1, 0]
    assert table.loc["fer0000000", ["neutral", "anger", "sadness"]].tolist() == [4 / 9, 5 / 9, 0]
    assert table.loc["fer0000001", "neutral"] != table.loc["fer0000001", "neutral"]  # a tie has no shares
    assert parsed.images["fer0000003"].tolist() == parsed.images["fer0000000"].tolist()
    first = np.array(faces(1)[0].split(), dtype=int).reshape(48, 48)
    assert parsed.images["fer0000000"].tolist() == [first.tolist()]
    assert parsed.notes == (
        "3 of 5 images with a label by the rule of FER+",
        "PublicTest is tested and a part of Training validates: train 2, validation 1, test 2",
        "1 image of test with an exact copy in train",
    )


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013.csv.gz", "fer2013.csv.bz2"])
def test_every_packing_and_order_of_columns_is_read(name, tmp_path):
    rows = [("Training", f"fer{n:07d}.png", SURE, image) for n, image in enumerate(faces(2))]
    for header in ("emotion,pixels,Usage", "emotion, Usage, pixels"):
        parsed = read("ferplus", release(tmp_path / header, rows, name=name, header=header))
        assert parsed.table["fer2013"].tolist() == ["happiness"] * 2
        assert [len(parsed.images), parsed.shortfall] == [2, 35_885]


def test_privatetest_is_tested_where_it_is_there(tmp_path):
    usages = ["Training"] * 40 + ["PublicTest"] * 3 + ["PrivateTest"] * 2
    rows = [
        (usage, f"fer{n:07d}.png", SURE, image) for n, (usage, image) in enumerate(zip(usages, faces(45), strict=True))
    ]
    root = release(tmp_path / "whole", rows)
    own = read("ferplus", root).table
    assert own["split"].tolist() == ["train"] * 40 + ["validation"] * 3 + ["test"] * 2
    other = read("ferplus", root, {"test": "PublicTest", "validation": "0.3"}).table
    training = other["split"][:40]
    assert other["split"][40:].fillna("unused").tolist() == ["test"] * 3 + ["unused"] * 2
    assert training.value_counts().to_dict() == {"train": 29, "validation": 11}
    assert refusal(root, validation="0.3") == (
        "option validation: PublicTest validates where PrivateTest is tested; leave it out, or give test=PublicTest"
    )


def test_copies_of_an_image_validate_together_or_not_at_all(tmp_path):
    images = faces(30)
    rows = [("Training", f"fer{n:07d}.png", SURE, image) for n, image in enumerate(images + images)]
    table = read("ferplus", release(tmp_path / "twice", rows), {"validation": "0.5"}).table
    assert set(table["split"]) == {"train", "validation"}
    assert table["split"][:30].tolist() == table["split"][30:].tolist()


def test_the_other_release_of_the_votes_is_found_by_name(corpus):
    root = corpus("ferplus")
    listed = {
        "FER2013Train": ["fer0000001.png,1,9,0,0,0,0,0,0,0,0", "fer0000000.png,4,0,0,1,5,0,0,0,0,0"],
        "FER2013Valid": ["fer0000004.png,0,0,0,0,2,0,0,8,0,0", "fer0000003.png,1,0,1,1,7,0,0,0,0,0"],
    }
    for folder, rows in listed.items():
        (root / folder).mkdir()
        lines = [row.replace(".png,", '.png,"(0, 0, 48, 48)",') for row in rows]
        (root / folder / "label.csv").write_text("\n".join(lines) + "\n")
    note = "1 image with other votes in label.csv than in fer2013new.csv; those of {} are taken"
    assert note.format("fer2013new.csv") in read("ferplus", root).notes
    other = read("ferplus", root, {"votes": "label.csv"})
    assert note.format("label.csv") in other.notes
    assert other.table.set_index("clip")["emotion"].to_dict() == {
        "fer0000000": "anger",
        "fer0000001": "happiness",
        "fer0000003": "anger",
        "fer0000004": "contempt",
    }
    assert other.problems.to_numpy().tolist() == [[":3", "row 3, votes of label.csv: neutral has no count, left out"]]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a table with commas in UTF-8 (No columns to parse from file)"),
        (
            b"fer0000001.png,1,9\nfer0000000.png,1,9,1\n",
            "not a table with commas in UTF-8 (Error tokenizing data. C error: Expected 3 fields in line 2, saw 4)",
        ),
        (
            b"fer\xff.png,1,9\n",
            "not a table with commas in UTF-8 ('utf-8' codec can't decode byte 0xff in position 3: invalid start byte)",
        ),
        (b"fer0000001.png,1,9\n", "has 3 columns, not a name, a box and 10 votes"),
    ],
    ids=["empty", "ragged", "no text", "columns"],
)
def test_a_damaged_other_release_is_refused_only_where_it_is_asked_for(content, why, corpus):
    root = corpus("ferplus")
    whole = read("ferplus", root)
    for folder in ("FER2013Train", "FER2013Valid"):
        (root / folder).mkdir()
        (root / folder / "label.csv").write_bytes(content)
    file = root / "FER2013Train/label.csv"
    assert refusal(root, votes="label.csv") == (
        f"{file}: {why}; take it from the release again, or take votes=fer2013new.csv"
    )
    parsed = read("ferplus", root)
    assert parsed.notes == (*whole.notes, f"{file}: {why}; the two releases of the votes are not compared")
    pd.testing.assert_frame_equal(parsed.table, whole.table)


def test_a_name_that_stands_twice_is_told_apart_by_its_row(tmp_path):
    rows = [("Training", "fer0000007.png", SURE, image) for image in faces(2)]
    parsed = read("ferplus", release(tmp_path / "names", rows))
    assert parsed.table["clip"].tolist() == ["fer0000007:1", "fer0000007:2"]
    assert "names that stand twice in fer2013new.csv: 1; their clips are called NAME:ROW" in parsed.notes


def test_rows_that_cannot_be_used_are_listed_and_left_out(tmp_path):
    good, *_ = faces(1)
    rows = [
        ("Training", "a.png", SURE, good),
        ("Training", "b.png", SURE, good + " 7"),
        ("Training", "c.png", SURE, " ".join([*good.split()[1:], "256"])),
        ("Training", "d.png", SURE.replace("10", "-1"), good),
    ]
    parsed = read("ferplus", release(tmp_path / "bad", rows))
    assert parsed.table["clip"].tolist() == ["a"]
    problems = dict(parsed.problems.to_numpy().tolist())
    assert problems["b"] == "row 2 of fer2013.csv: the image has 2305 pixels, not 48 x 48, left out"
    assert problems["d"] == "row 4, votes of fer2013new.csv: '-1' of neutral is no count, left out"
    assert problems["c"] == "row 3 of fer2013.csv: the pixel '256' is no whole number from 0 to 255, left out"


def test_tables_that_do_not_belong_together_are_refused(corpus, tmp_path):
    root = corpus("ferplus")
    assert refusal(tmp_path) == (
        f"{tmp_path}: not FER+: the images of FER2013 are not there (fer2013.csv, fer2013.csv.gz, fer2013.csv.bz2), "
        "nor the votes, fer2013new.csv"
    )
    listing, file = root / "fer2013new.csv", root / "fer2013.csv"
    votes, images = listing.read_text(), file.read_text()
    listing.write_text(votes.rsplit("PublicTest", 1)[0])
    assert refusal(root) == (
        f"{listing}: has 4 rows, and fer2013.csv 5; the two tables belong together row for row, so take them from one "
        "release"
    )
    listing.write_text(votes.replace("PublicTest,fer0000003", "Training,fer0000003"))
    assert refusal(root) == (
        f"{listing}: row 4 is of Training, and in fer2013.csv of PublicTest; the two tables belong together row for "
        "row, so take them from one release"
    )
    listing.write_text(votes.replace(",NF", ""))
    assert refusal(root).startswith(f"{listing}: ")
    listing.unlink()
    assert refusal(root) == f"{listing}: no such file; the votes of FER+ are at https://github.com/microsoft/FERPlus"
    listing.write_text(votes)
    file.write_text(images.replace("pixels", "picture", 1))
    assert refusal(root) == f"{file}: no column 'pixels'; it has: emotion, picture, Usage"
    file.write_text("emotion,pixels,Usage\n" + "1" * 70_000)
    assert refusal(root) == f"{file}: line 2 is longer than an image of 48 x 48 can be"
    file.unlink()
    (root / "fer2013.csv.bz2").write_bytes(bz2.compress(images.encode())[:-20])
    assert refusal(root).startswith(f"{root / 'fer2013.csv.bz2'}: cannot be read (")


def test_a_table_of_images_without_its_columns_is_refused(tmp_path):
    rows = [("Training", f"fer{n:07d}.png", SURE, image) for n, image in enumerate(faces(3))]
    root = release(tmp_path / "columns", rows)
    file, lines = root / "fer2013.csv", (root / "fer2013.csv").read_text().splitlines()
    file.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    assert refusal(root) == f"{file}: no column 'Usage'; it has: emotion, pixels"
    file.write_text("\n".join(line.split(",", 1)[1] for line in lines))
    assert refusal(root) == f"{file}: no column 'emotion'; it has: pixels, Usage"
    file.write_text("\n".join(lines[1:]))
    assert refusal(root) == f"{file}: no column 'emotion'; it has: 3, {lines[1][2:42]}..., Training"
    file.write_text("")
    assert refusal(root) == f"{file}: no column 'emotion'; it has: nothing"
    file.write_text("\n".join([*lines[:2], lines[2].rsplit(",", 1)[0], lines[3]]))
    assert refusal(root) == f"{file}: row 2 has 2 cells and the header line 3"


def test_images_of_another_size_are_refused(tmp_path):
    rows = [("Training", f"{n}.png", SURE, " ".join(image.split()[: 47 * 47])) for n, image in enumerate(faces(3))]
    root = release(tmp_path / "small", rows)
    assert refusal(root) == (
        f"{root}: none of its 3 images can be used, such as row 1 of fer2013.csv: the image has 2209 pixels, not "
        "48 x 48"
    )


def test_votes_of_another_length_are_refused(tmp_path):
    rows = [("Training", f"fer{n:07d}.png", SURE, image) for n, image in enumerate(faces(3))]
    root = release(tmp_path / "votes", rows)
    listing, votes = root / "fer2013new.csv", (root / "fer2013new.csv").read_text()
    listing.write_text(votes + votes.splitlines()[-1] + "\n")
    assert refusal(root) == (
        f"{listing}: has 4 rows, and fer2013.csv 3; the two tables belong together row for row, so take them from one "
        "release"
    )
    listing.write_text(votes.splitlines()[0] + "\n")
    assert refusal(root) == f"{listing}: has no rows; the votes of FER+ are at https://github.com/microsoft/FERPlus"
    listing.write_text("\n".join(line.rsplit(",", 1)[0] for line in votes.splitlines()))
    assert refusal(root).startswith(f"{listing}: no column 'NF'; it has: Usage, Image name, neutral, ")
    listing.write_text(votes.replace(",0\n", "\n", 1))
    assert read("ferplus", root).problems.to_numpy().tolist() == [
        ["fer0000000", "row 1, votes of fer2013new.csv: NF has no count, left out"]
    ]


def test_endless_numbers_are_no_numbers(tmp_path):
    good, *_ = faces(1)
    nines = "9" * 5_000
    rows = [
        ("Training", "a.png", SURE, good),
        ("Training", "b.png", SURE, " ".join([nines, *good.split()[1:]])),
        ("Training", "c.png", SURE.replace("10", nines), good),
        ("Training", "d.png", SURE.replace("10", "9" * 25), good),
        ("Training", "e.png", SURE, good),
    ]
    root = release(tmp_path / "endless", rows)
    lines = (root / "fer2013.csv").read_text().splitlines()
    lines[-1] = nines + lines[-1].removeprefix("3")
    (root / "fer2013.csv").write_text("\n".join(lines))
    parsed = read("ferplus", root)
    assert parsed.table["clip"].tolist() == ["a", "e"]
    assert parsed.table["fer2013"].fillna("?").tolist() == ["happiness", "?"]
    assert dict(parsed.problems.to_numpy().tolist()) == {
        "b": f"row 2 of fer2013.csv: the pixel '{'9' * 40}...' is no whole number from 0 to 255, left out",
        "c": f"row 3, votes of fer2013new.csv: '{'9' * 40}...' of neutral is no count, left out",
        "d": f"row 4, votes of fer2013new.csv: '{'9' * 25}' of neutral is no count, left out",
    }


@pytest.mark.parametrize("name", ["fer2013.csv.gz", "fer2013.csv.bz2"])
def test_a_damaged_packing_is_refused(name, tmp_path):
    rows = [("Training", f"fer{n:07d}.png", SURE, image) for n, image in enumerate(faces(6))]
    root = release(tmp_path / "packed", rows, name=name)
    file, whole = root / name, (root / name).read_bytes()
    for share in (0.1, 0.5, 0.99):
        file.write_bytes(whole[: int(share * len(whole))])
        assert refusal(root) == (
            f"{file}: cannot be read (Compressed file ended before the end-of-stream marker was reached); take it from "
            "the release again"
        )
    file.write_bytes(b"emotion,pixels,Usage\n")
    assert refusal(root).startswith(f"{file}: cannot be read (")
    generator = np.random.default_rng(0)
    for place in generator.integers(10, len(whole) - 10, 40).tolist():
        file.write_bytes(whole[:place] + generator.bytes(8) + whole[place + 8 :])
        sentence = refusal(root)
        assert sentence.startswith(f"{root}/fer2013")
        assert len(sentence) < len(str(root)) + 300


def test_options_that_are_not_understood_are_refused(corpus):
    root = corpus("ferplus")
    assert refusal(root, validation="2") == "option validation: '2' is no share of Training, such as 0.1"
    assert refusal(root, test="PrivateTest") == (
        "option test: there is no PrivateTest in the tables; give test=PublicTest"
    )
    assert refusal(root, votes="label.csv") == (
        f"{root}: no label.csv of each part, such as FER2013Train/label.csv; take votes=fer2013new.csv"
    )
    assert refusal(root, votes="fer2013") == (
        "option votes: unknown release 'fer2013'. Did you mean 'fer2013new.csv'? Known: fer2013new.csv, label.csv."
    )


def test_a_reader_must_declare_what_its_corpus_lacks(tmp_path):
    table = pd.DataFrame({"clip": ["a", "b"], "emotion": ["anger", "fear"]})
    about = {"name": "x", "root": tmp_path, "licence": "", "source": "", "expected": None, "scheme": "ferplus"}
    with pytest.raises(CorpusError) as error:
        check(table=table, **about)
    assert str(error.value) == f"{tmp_path}: the table of clips has no column 'file'; it has: clip, emotion"
    parsed = check(table=table.assign(speaker="ann"), lacks=("speaker", "file"), **about)
    assert parsed.lacks == ("file", "speaker")
    assert parsed.table[["file", "speaker"]].isna().all(axis=None)
    assert parsed.problems.empty


@pytest.mark.recordings
def test_the_images_at_hand_give_the_published_counts(recordings):
    parsed = read("ferplus", recordings / "ferplus")
    assert parsed.table["usage"].value_counts().to_dict() == {"Training": 28_558, "PublicTest": 3_579}
    assert parsed.table.groupby("usage")["emotion"].count().to_dict() == {"Training": 25_057, "PublicTest": 3_199}
    assert parsed.problems.empty
    assert "1,319 images with other votes in label.csv than in fer2013new.csv; those of fer2013new.csv are taken" in (
        parsed.notes
    )
