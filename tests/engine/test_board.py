"""Event files for TensorBoard hold what history.jsonl holds, once each, after a resume too; skipped without it."""

import json
import sys

import pytest

import mien
from mien.engine import board
from mien.errors import ConfigError

RECORDS = [
    {"epoch": n, "lr": 0.1 / n, "main: adversary on speaker": 2.0 - n, "validation uar": 0.25 * n, "seconds": 0.5}
    for n in (1, 2, 3)
]
TAGS = {
    "lr": "lr",
    "main: adversary on speaker": "main/adversary_on_speaker",
    "validation uar": "validation/uar",
    "seconds": "seconds",
}


@pytest.fixture
def scalars():
    """A function that reads the scalars of a folder of event files: tag -> [(step, value)]."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def read(folder):
        events = EventAccumulator(str(folder)).Reload()
        return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}

    return read


def note(cell, records):
    cell.mkdir(exist_ok=True)
    (cell / "history.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def test_every_epoch_is_there_once_after_a_kill_and_a_resume(tmp_path, scalars):
    cell, out, seen = tmp_path / "cell", tmp_path / "events", []
    with board.following(cell, out) as follow:
        for number in (1, 2):
            note(cell, RECORDS[:number])
            follow(RECORDS[number - 1])
            assert [step for step, _ in scalars(out)["lr"]] == list(range(1, number + 1)), "not to be seen at once"
    note(cell, RECORDS[:1])  # a kill came between the state of an epoch and its history
    with board.following(cell, out, seen.append) as follow:
        note(cell, RECORDS)
        follow(RECORDS[2])
    found = scalars(out)
    assert set(found) == set(TAGS.values())
    for name, tag in TAGS.items():
        assert [step for step, _ in found[tag]] == [1, 2, 3]
        assert [value for _, value in found[tag]] == pytest.approx([record[name] for record in RECORDS])
    assert seen == [RECORDS[2]]


def test_without_the_extra_one_sentence_comes_before_anything(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError) as error:
        mien.train("demo", ["data.prepared=nowhere"], out=tmp_path / "run", tensorboard=True)
    assert str(error.value) == "--tensorboard needs an extra: pip install 'mien[tensorboard]'"
    assert not (tmp_path / "run").exists()
