"""`mien train --tensorboard`: event files of every training, with workers, and of what was finished before."""

import shutil

import pytest

import mien
from mien.runs.run import Run


@pytest.mark.usefixtures("unmeasured")
def test_every_training_is_shown(prepared, experiment, tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    settings = [f"data.prepared={prepared}", "training.epochs=2", "protocol.folds=[0]"]
    out = tmp_path / "run"
    for workers in (2, 1):
        mien.train(experiment, settings, out=out, workers=workers, tensorboard=True)
        run = Run.open(out)
        for cell in run.cells:
            shown = events.EventAccumulator(str(out / "tensorboard" / cell.model / cell.folder.name)).Reload()
            history = run.history(cell)
            for tag, column in (("validation/uar", "validation uar"), ("main/emotion", "main: emotion"), ("lr", "lr")):
                assert [one.step for one in shown.Scalars(tag)] == [1, 2]
                assert [one.value for one in shown.Scalars(tag)] == pytest.approx(history[column].tolist())
        assert len(run.cells) == 2
        shutil.rmtree(out / "tensorboard")  # all are finished: they are shown again from their histories
