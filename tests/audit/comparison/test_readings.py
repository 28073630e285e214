"""What seen speakers are worth: a model against itself under a protocol of the other kind."""

from collections.abc import Callable

import pytest

from mien.audit.comparison.comparison import contrast
from mien.audit.comparison.systems import gather
from mien.errors import RunError
from mien.reports.comparison_text import text
from mien.runs.run import Run
from sealing import reseal

Make = Callable[..., Run]


@pytest.fixture(scope="module")
def unseen(make_compared: Make) -> Run:
    return make_compared("unseen", {"a": 0.3, "b": 0.5}, seeds=(0,))


@pytest.fixture(scope="module")
def seen(make_compared: Make) -> Run:
    """A run with other scores, every speaker of which is in training."""
    run = make_compared("seen", {"a": 0.9, "b": 0.5}, seeds=(0,), seed=1, marks=["Speakers were seen."])
    people = sorted({speaker for fold in run.splits for speaker in fold["test"]["speakers"]})
    folds = [{**fold, "train": {**fold["train"], "speakers": people}} for fold in run.splits]
    run.write_json("splits.json", {"folds": folds})
    reseal(run.folder)
    return Run.open(run.folder)


@pytest.mark.parametrize("turned", [False, True])
def test_the_worth_is_seen_minus_unseen_whichever_comes_first(seen: Run, unseen: Run, row, turned: bool) -> None:
    runs = (seen, unseen) if turned else (unseen, seen)
    found = contrast(gather([run.folder for run in runs]))
    one, two = found.worths
    assert (one.model, two.model) == ("a", "b")
    scores = found.systems.set_index("system")["uar"]
    assert one.difference == pytest.approx(scores["seen/a"] - scores["unseen/a"])
    assert 0.2 < one.low < one.difference < one.high
    assert one.separable
    assert two.low < 0 < two.high
    assert not two.separable
    shown = " ".join(text(found).split())
    figures = [f"{100 * value:.1f}" for value in (one.difference, one.low, one.high)]
    assert (
        f"a: testing speakers that were seen in training gives +{figures[0]} points of UAR (95 % interval {figures[1]} "
        f"to {figures[2]}, separable)." in shown
    )
    assert (
        "Tested on speakers that were seen in training: seen; on unseen speakers: unseen. The scores of the first say "
        "nothing of other people."
    ) in found.notes
    assert found.together.marks == ("seen: Speakers were seen.",)


def test_runs_of_one_kind_have_no_such_sentence(unseen: Run, make_compared: Make) -> None:
    other = make_compared("other", {"a": 0.9}, seeds=(0,), seed=1)
    found = contrast(gather([unseen.folder, other.folder]))
    assert found.worths == []
    assert not any("seen" in note for note in found.notes if "unseen" not in note)
    assert "were seen in training" not in text(found)


def test_only_the_clips_that_both_test_are_compared(unseen: Run, seen: Run, make_compared: Make) -> None:
    path = seen.folder / "predictions.csv"
    before, whole = path.read_bytes(), seen.predictions
    seen.write_predictions(whole[whole["clip"].str.endswith(("0", "1", "2"))])
    reseal(seen.folder)
    try:
        found = contrast(gather([unseen.folder, seen.folder]))
        clips = set(found.together.predictions["clip"])
        assert all(clip.endswith(("0", "1", "2")) for clip in clips)
        counts = found.together.predictions.groupby("model")["clip"].nunique()
        assert set(counts) == {len(clips)} == {8 * 9}
        assert (
            "Compared on the 72 clips that all systems test; tested are 192 in unseen/a, 192 in unseen/b, 72 in "
            "seen/a, 72 in seen/b."
        ) in found.notes
    finally:
        path.write_bytes(before)
        reseal(seen.folder)
    stranger = make_compared("other", {"a": 0.9}, clips=3, seeds=(0,))
    with pytest.raises(RunError, match="is not tested on the clips of"):
        gather([unseen.folder, stranger.folder])
