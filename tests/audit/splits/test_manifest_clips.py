"""A column names clips only where it names each file once; a file has one spelling; no row is lost."""

import pandas as pd
import pytest

from mien.audit.splits import manifests
from mien.audit.splits.findings import examine
from mien.audit.splits.manifest_clips import spelt, without_endings


def read(folder, **parts):
    for name, text in parts.items():
        (folder / f"{name}.csv").write_text(text)
    return manifests.read(folder / f"{next(iter(parts))}.csv")


def leaks(manifest):
    found, _, _ = examine(manifest.rows, None)
    return {one.finding: [row.get("speaker") or row.get("clips") for row in one.rows] for one in found}


def test_clips_of_one_name_and_several_files_are_not_listed_twice(tmp_path):
    text = "clip,file,speaker,split\n1,a.wav,x,train\n1,b.wav,y,train\n2,d.wav,y,test\n"
    manifest = read(tmp_path, m=text)
    assert manifest.rows["clip"].tolist() == ["a", "b", "d"]
    assert leaks(manifest) == {"shared-speaker": ["y"]}
    assert manifest.notes == ("column 'clip' does not name each clip once; clips are named by their files",)


@pytest.mark.parametrize("name", ["clip", "key"])
def test_clips_counted_anew_in_each_file_are_not_identical(tmp_path, name):
    header = f"{name},file,speaker\n"
    manifest = read(
        tmp_path,
        train=f"{header}1,x/a.wav,x\n2,x/b.wav,x\n",
        test=f"{header}1,y/a.wav,y\n2,y/b.wav,y\n",
    )
    assert sorted(manifest.rows["clip"]) == ["x/a", "x/b", "y/a", "y/b"]
    assert leaks(manifest) == {}


def test_parts_of_a_file_counted_anew_are_clips_of_their_own(tmp_path):
    rows = "1,a.wav,0,1,x,train\n2,a.wav,1,2,x,train\n1,b.wav,0,1,y,test\n2,b.wav,1,2,y,test\n"
    manifest = read(tmp_path, m="clip,file,start,end,speaker,split\n" + rows)
    assert manifest.rows["clip"].tolist() == ["a:0-1", "a:1-2", "b:0-1", "b:1-2"]
    assert leaks(manifest) == {}


def test_without_files_names_of_several_speakers_are_counted_anew(tmp_path):
    manifest = read(tmp_path, m="clip,speaker,split\nu1,x,train\nu2,x,train\nu1,y,test\nu2,y,test\n")
    assert leaks(manifest) == {}
    assert manifest.notes == (
        "column 'clip' does not name each clip once; no column names the clips, so a clip that is listed twice is not "
        "recognised",
    )


def test_without_files_a_name_of_one_speaker_that_is_listed_twice_is_found(tmp_path):
    manifest = read(tmp_path, m="clip,speaker,split\n1,x,train\n2,x,train\n1,x,test\n3,y,test\n")
    assert leaks(manifest) == {"shared-speaker": ["x"], "identical-audio": [["1", "1"]]}
    anew = read(tmp_path, train="clip,emotion\n1,joy\n2,joy\n", test="clip,emotion\n1,joy\n2,fear\n")
    assert not anew.named
    assert len(anew.rows) == 4


def test_another_column_that_names_clips_is_taken_and_noted(tmp_path):
    text = "clip,id,file,speaker,split\n1,p,a.wav,x,train\n1,q,b.wav,y,test\n"
    manifest = read(tmp_path, m=text)
    assert manifest.rows["clip"].tolist() == ["p", "q"]
    assert manifest.notes == ("column 'clip' does not name each clip once; clips are named by the column 'id'",)


def test_a_file_of_two_speakers_keeps_both_rows(tmp_path):
    manifest = read(tmp_path, m="file,speaker,split\na.wav,x,train\na.wav,y,train\nb.wav,y,test\n")
    assert leaks(manifest) == {"shared-speaker": ["y"]}
    assert manifest.notes == ("1 clip is listed with several speakers, such as a",)


def test_codes_have_no_ending_and_files_that_differ_in_it_are_two_clips(tmp_path):
    manifest = read(tmp_path, m="file,speaker,split\n1.1,x,train\n1.2,y,train\n2.1,y,test\n")
    assert manifest.rows["clip"].tolist() == ["1.1", "1.2", "2.1"]
    assert leaks(manifest) == {"shared-speaker": ["y"]}
    manifest = read(tmp_path, m="file,speaker,split\na.wav,x,train\na.mp4,y,train\nb.mp4,y,test\n")
    assert manifest.rows["clip"].tolist() == ["a.wav", "a.mp4", "b"]
    assert leaks(manifest) == {"shared-speaker": ["y"]}


def test_endings_are_those_of_media_or_of_all_files():
    assert without_endings(pd.Series(["d.x/a.WAV", "b.flac", "1.2", None])).tolist()[:3] == ["d.x/a", "b", "1.2"]
    assert without_endings(pd.Series(["a.npy", "b.npy"])).tolist() == ["a", "b"]


def test_files_of_several_corpora_with_one_name_are_two_clips(tmp_path):
    manifest = read(tmp_path, m="file,corpus,speaker,split\na.wav,p,x,train\na.wav,q,y,test\n")
    assert manifest.rows["clip"].tolist() == ["p/a", "q/a"]
    assert leaks(manifest) == {}


@pytest.mark.parametrize("other", ["./a.wav", ".\\a.wav", "d/../a.wav", ".//a.wav"])
def test_a_file_has_one_spelling(tmp_path, other):
    manifest = read(tmp_path, m=f"file,speaker,split\na.wav,,train\n{other},,test\n")
    assert manifest.rows["file"].tolist() == ["a.wav", "a.wav"]
    assert leaks(manifest) == {"identical-audio": [["a", "a"]]}
    manifest = read(tmp_path, m=f"clip,split\na.wav,train\n{other},test\n")
    assert leaks(manifest) == {"identical-audio": [["a.wav", "a.wav"]]}


@pytest.mark.parametrize(("one", "other"), [("d\\a.wav", "d/a.wav"), ("d//a.wav", "d/../d/a.wav")])
def test_windows_of_a_file_in_two_spellings_overlap(tmp_path, one, other):
    manifest = read(tmp_path, m=f"file,start,end,speaker,split\n{one},0,2,,train\n{other},1,3,,test\n")
    (row,) = (
        row for found in examine(manifest.rows, None)[0] if found.finding == "overlapping-audio" for row in found.rows
    )
    assert (row["file"], row["clips"], row["seconds"]) == ("d/a.wav", ["d/a:0-2", "d/a:1-3"], 1.0)
    assert leaks(manifest).keys() == {"shared-recording", "overlapping-audio"}


def test_behind_a_link_the_way_up_leaves_the_folder_that_it_leads_to(tmp_path):
    (tmp_path / "root" / "b" / "c").mkdir(parents=True)
    (tmp_path / "root" / "b" / "z.wav").touch()
    (tmp_path / "root" / "lk").symlink_to(tmp_path / "root" / "b" / "c")
    assert spelt("lk/../z.wav", tmp_path / "root") == "b/z.wav"
    assert spelt("lk/../z.wav") == "z.wav"


def test_a_row_without_a_name_has_that_of_its_file_and_of_no_other(tmp_path):
    manifest = read(tmp_path, m="clip,file,split\na,b.wav,train\n,a.wav,test\n,b.wav,test\n,c.wav,train\n")
    assert manifest.rows["clip"].tolist() == ["a", "m.csv:2", "a", "c"]
    assert leaks(manifest) == {"identical-audio": [["a", "a"]]}
