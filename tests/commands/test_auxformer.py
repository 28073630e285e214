"""The experiment auxformer2022-msp_improv on a corpus in the format of MSP-IMPROV, with made sound and vectors."""

import numpy as np
import pytest

import mien
from mien.errors import LeakError
from mien.experiments import load
from mien.runs.run import Run

EXPERIMENT = "auxformer2022-msp_improv"
EMOTIONS = "AHNS"
SMALL = [
    *("protocol.splits=1", "training.epochs=1", "training.batch=16"),
    *("data.audio={name: logmel, mels: 6}", "data.video.dimension=3", "data.video.hop=0.1"),
    *("encoder.audio.dimension=6", "encoder.video.dimension=6"),
    "models.auxformer.fusion={layers: 1, self_layers: 1, heads: 2, hidden: [6]}",
    *(f"models.{name}=null" for name in load(EXPERIMENT).models if name != "auxformer"),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, make_tone):
    """Six sessions of a woman and a man, a turn of each emotion by each, and the vectors of three frames a turn."""
    folder, rng, lines = tmp_path_factory.mktemp("improv"), np.random.default_rng(0), []
    (folder / "vectors").mkdir()
    for number, (session, sex, emotion) in enumerate((s, x, e) for s in range(1, 7) for x in "FM" for e in EMOTIONS):
        turn = f"MSP-IMPROV-S01{emotion}-{sex}0{session}-P-FM01"
        wav = folder / f"corpus/Audio/session{session}/S01{emotion}/P/{turn}.wav"
        wav.parent.mkdir(parents=True, exist_ok=True)
        make_tone(wav, 200 + 90 * EMOTIONS.index(emotion), 1, number, 0.3)
        np.save(folder / f"vectors/{turn}.npy", rng.standard_normal((3, 3)))
        lines.append(f"{turn.replace('MSP', 'UTD')}.avi; {emotion}; A:3.0; V:3.0; D:3.0 ; N:3.0;\nr1; Word; Word;\n")
    (folder / "corpus" / "Evalution.txt").write_text("\n".join(lines))
    mien.prepare("msp_improv", folder / "corpus", out=folder / "prepared", features=())
    return [f"data.prepared={folder / 'prepared'}", f"data.video.folder={folder / 'vectors'}"]


def test_it_trains_with_two_speakers_of_a_session_in_two_parts(corpus, tmp_path):
    mien.train(EXPERIMENT, [*corpus, *SMALL], out=tmp_path / "run")
    run = Run.open(tmp_path / "run")
    assert run.certificate["accepted"] == ["shared-recording"]
    (mark,) = run.marks
    assert mark.startswith("accepted leak, ")
    assert set(run.predictions["predicted"]) <= {"anger", "happiness", "neutral", "sadness"}
    with pytest.raises(LeakError, match="shared-recording: "):
        mien.train(EXPERIMENT, [*corpus, *SMALL, "accept=[]"], out=tmp_path / "refused")
