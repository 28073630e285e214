"""Claims on clips that the corpus has not are refused before anything is trained."""

import pytest

import mien
from mien.errors import ConfigError


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("{gendre: female}", r"claims\.one\.where: unknown column of the corpus 'gendre'\. Did you mean 'gender'"),
        ("{speaker: nobody}", r"claims\.one\.where: unknown value of speaker 'nobody'"),
    ],
)
def test_claims_on_clips_that_are_not_there_are_refused(experiment, prepared, tmp_path, where, sentence):
    claim = "says: so, kind: above, factor: emotion, measure: uar, models: MEnAN, minus: chance"
    settings = [f"data.prepared={prepared}", f"claims={{one: {{{claim}, where: {where}}}}}"]
    with pytest.raises(ConfigError, match=sentence):
        mien.train(experiment, settings, out=tmp_path / "run")
    assert not (tmp_path / "run" / "models").exists()
