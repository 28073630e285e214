"""A model of the frames of a model out of a folder: trained, exported without it, and asked where it lies elsewhere."""

import json

import numpy as np
import pytest

import front_ends
import mien
from mien.errors import ConfigError
from mien.features import _checkpoint
from mien.runs import exported

front_ends.package()


def test_a_model_of_its_frames_is_trained_exported_and_moved(prepared, experiment, make_tone, tmp_path, monkeypatch):
    front_ends.write_audio(tmp_path / "here" / "base", layer=True)
    audio = f"{{name: hf_audio, folder: {tmp_path / 'here' / 'base'}, layer: 1, seen_corpora: [librispeech, prepared]}}"
    changes = [f"data.prepared={prepared}", f"data.audio={audio}", "data.copies=null", "training.epochs=1"]
    mien.train(experiment, [*changes, "models.MEnAN=null"], out=tmp_path / "run")
    resolved = (tmp_path / "run" / "experiment.yaml").read_text()
    identity = _checkpoint.identity(tmp_path / "here" / "base")
    assert identity in resolved
    mien.export(tmp_path / "run", out=tmp_path / "small")
    card, raw = ((tmp_path / "small" / name).read_text() for name in (exported.CARD, exported.DESCRIPTION))
    assert str(tmp_path) not in raw
    assert json.loads(raw)["front_ends"] == [
        {
            "feature": "hf_audio",
            "model": "base",
            "sha256": identity,
            "seen_corpora": ["librispeech", "prepared"],
        }
    ]
    said = " ".join(card.split())
    assert f"The feature hf_audio is what the model `base` gives, SHA-256 `{identity}`" in said
    assert "Its weights have seen librispeech, prepared. Their licences apply as well." in said
    assert "**These scores are not of unseen speakers**: that model has seen prepared." in said
    assert exported.describe(tmp_path / "small").front_ends[0].model == "base"

    make_tone(tmp_path / "talk.wav", 200.0, 1.0, 7, 3.0)
    before = mien.predict([tmp_path / "talk.wav"], model=tmp_path / "run").data["rows"]
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(ConfigError, match="no such folder; put the model there, or name the folder that holds 'base'"):
        mien.predict([tmp_path / "talk.wav"], model=tmp_path / "small")
    monkeypatch.setenv("MIEN_FRONT_ENDS", str(tmp_path / "there"))
    after = mien.predict([tmp_path / "talk.wav"], model=tmp_path / "run").data["rows"]
    assert [{**row} for row in after] == [{**row} for row in before]
    assert len(mien.predict([tmp_path / "talk.wav"], model=tmp_path / "small").data["rows"]) == len(before)
    assert np.isfinite(before[0]["start"])
