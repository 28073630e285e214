"""Clips of one recording: by the given name, else by a file of several clips, else through sound that parts share."""

import pandas as pd

from mien.corpora.recordings import file_of, recording_of, recording_of_all, together


def listed(found):
    return None if found is None else found.fillna("?").tolist()


def test_a_file_of_several_clips_is_a_recording():
    clips = pd.DataFrame({"clip": list("abc"), "file": ["x.wav", "x.wav", "y.wav"]})
    assert listed(recording_of(clips)) == ["x.wav", "x.wav", "?"]
    assert listed(recording_of_all(clips)) == ["x.wav", "x.wav", "y.wav"]
    assert listed(recording_of_all(clips.drop(columns="clip"))) == ["x.wav", "x.wav", "y.wav"]
    again = clips.assign(clip=["a", "a", "b"])  # one clip, listed in two folds
    assert listed(recording_of(again)) == ["?", "?", "?"]
    assert recording_of_all(again) is None
    assert recording_of_all(clips.drop(columns="file")) is None


def test_a_given_recording_wins_and_half_of_them_are_not_enough():
    clips = pd.DataFrame({"clip": list("abcd"), "file": ["x.wav", "x.wav", "y.wav", "z.wav"]})
    given = clips.assign(recording=["1", "2", "1", "3"])
    assert listed(recording_of_all(given)) == ["1", "2", "1", "3"]
    half = clips.assign(recording=["1", None, "1", None])
    assert listed(recording_of(half)) == ["1", "x.wav", "1", "?"]
    assert recording_of_all(half) is None
    assert listed(recording_of_all(half.head(3))) == ["1", "x.wav", "1"]


def test_files_of_two_corpora_are_two():
    clips = pd.DataFrame({"clip": list("abc"), "file": ["x.wav"] * 3, "corpus": ["p", "q", "q"]})
    assert listed(recording_of(clips)) == ["?", "q/x.wav", "q/x.wav"]


def test_clips_are_together_by_recording_by_shared_sound_and_through_others():
    rows = [
        ("x.wav", 0, 2, "1"), ("x.wav", 1, 3, "2"), ("x.wav", 3, 5, "3"), ("y.wav", None, None, "2"),
        ("z.wav", 0, 1, "4"), ("z.wav", 0.995, 2, "5"),
    ]  # fmt: skip
    clips = pd.DataFrame(rows, columns=["file", "start", "end", "recording"], index=list("abcdef"))
    assert together(clips).tolist() == [0, 0, 2, 0, 4, 5]
    assert together(clips.drop(columns="recording")).tolist() == [0, 0, 0, 3, 4, 4]
    assert together(clips[["start"]]).tolist() == list(range(6))


def test_parts_of_copies_of_a_file_are_of_one_recording():
    rows = [
        ("a", "x.wav", 0, 2, "s"),
        ("b", "copy.wav", 1, 3, "s"),
        ("c", "y.wav", 0, 2, "t"),
        ("d", "z.wav", 0, 2, None),
    ]
    clips = pd.DataFrame(rows, columns=["clip", "file", "start", "end", "sha256"])
    assert file_of(clips).tolist() == ["copy.wav", "copy.wav", "y.wav", "z.wav"]
    assert listed(recording_of(clips)) == ["copy.wav", "copy.wav", "?", "?"]
    assert together(clips).tolist() == [0, 0, 2, 3]
    bare = clips.drop(columns="sha256")
    assert listed(recording_of(bare)) == ["?"] * 4
    assert together(bare).tolist() == [0, 1, 2, 3]


def test_whole_files_of_one_content_stay_apart():
    clips = pd.DataFrame({"clip": list("abc"), "file": ["x.wav", "y.wav", "z.wav"], "sha256": ["s", "s", "t"]})
    assert file_of(clips).tolist() == ["x.wav", "y.wav", "z.wav"]
    assert recording_of_all(clips) is None
    same = clips.assign(start=1.0, end=2.0)
    assert recording_of_all(same) is None
