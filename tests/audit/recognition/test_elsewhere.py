"""The score of an ensemble on a corpus that it was not trained on."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from mien.audit.recognition import elsewhere
from mien.data.targets import Target


def test_levels_have_no_score_elsewhere():
    """Their limits are fitted on the training clips of each member."""
    clips = pd.DataFrame({"clip": ["a", "b"], "speaker": ["s", "t"], "label": [1.0, 5.0]})
    arousal = Target("arousal", "numbers", ("arousal",), ("arousal",), main=True)
    dataset = SimpleNamespace(main=arousal, clips=clips)
    assert elsewhere._score(np.eye(2), ("low", "high"), dataset) is None
