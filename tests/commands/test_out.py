"""A folder that cannot be written to is refused in the same sentence by every command, before any work."""

import numpy as np
import pytest

import mien
from mien.errors import ConfigError


@pytest.mark.parametrize(
    ("command", "work"),
    [
        ("prepare", "mien.corpora.readers.read"),
        ("train", "mien.commands.train._certificate"),
        ("export", "mien.commands.export.find"),
        ("compare", "mien.commands.compare.gather"),
        ("leakage", "mien.commands.audit.read_labels"),
        ("audit_split", "mien.audit.splits.manifests.read"),
    ],
)
def test_a_file_is_no_folder_to_write_to(command, work, experiment, prepared, tmp_path, monkeypatch):
    arguments = {
        "prepare": ("table", tmp_path),
        "train": (experiment, [f"data.prepared={prepared}"]),
        "export": (tmp_path,),
        "compare": (tmp_path,),
        "leakage": (np.zeros((4, 2)), {"speaker": [0, 0, 1, 1]}),
        "audit_split": (tmp_path,),
    }[command]
    function = getattr(mien, command)
    monkeypatch.setattr(work, lambda *_, **__: pytest.fail("this was too late"))
    (tmp_path / "file").write_text("mine")
    for out in ("file", "file/below"):
        with pytest.raises(ConfigError, match=f"^{tmp_path}/file: is a file, not a folder; choose another --out$"):
            function(*arguments, out=tmp_path / out)
    assert (tmp_path / "file").read_text() == "mine"
