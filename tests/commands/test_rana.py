"""The experiments of Rana et al. 2019, on corpora in the true formats of IEMOCAP and LibriSpeech, with made sound."""

import pytest

import mien
from mien.runs.run import Run

EMOTIONS = ("ang", "neu", "sad", "exc")
TINY = [
    *(
        "seeds=[0]",
        "protocol.groups=3",
        "protocol.folds=[0]",
        "training.epochs=1",
        "training.steps=2",
        "training.batch=8",
    ),
    *(
        "encoder.channels=[2,2,2]",
        "models.AE=null",
        "models.AAE_gender=null",
        "models.AAE_speaker=null",
        "models.AAE=null",
    ),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, make_tone):
    """Three sessions of two speakers, eight turns a speaker; three readers without emotions."""
    folder = tmp_path_factory.mktemp("rana")
    for session in (1, 2, 3):
        name = f"Ses0{session}F_impro01"
        lines = []
        for number in range(16):
            turn = f"{name}_{'FM'[number % 2]}{number:03d}"
            emotion = EMOTIONS[number // 2 % 4]
            ratings = f"{1 + number // 2 % 4:.4f}, {5 - number // 2 % 4:.4f}, 3.0000"
            lines.append(f"[{number}.0000 - {number + 1}.0000]\t{turn}\t{emotion}\t[{ratings}]\nC-E1:\tNeutral;\t()\n")
            wav = folder / f"IEMOCAP/Session{session}/sentences/wav/{name}/{turn}.wav"
            wav.parent.mkdir(parents=True, exist_ok=True)
            make_tone(wav, 200 + 90 * (number // 2 % 4), 1, 16 * session + number, 0.3)
        evaluation = folder / f"IEMOCAP/Session{session}/dialog/EmoEvaluation/{name}.txt"
        evaluation.parent.mkdir(parents=True)
        evaluation.write_text("\n".join(["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", "", *lines]))
    speakers = folder / "LibriSpeech/SPEAKERS.TXT"
    speakers.parent.mkdir()
    speakers.write_text("".join(f"{n} | {'FM'[n % 2]} | dev-clean | 8.0 | Reader {n}\n" for n in (1, 2, 3)))
    for n in (1, 2, 3):
        chapter = folder / f"LibriSpeech/dev-clean/{n}/7"
        chapter.mkdir(parents=True)
        for utterance in (0, 1):
            make_tone(chapter / f"{n}-7-000{utterance}.wav", 150 + 20 * n, 1, 100 + 2 * n + utterance, 0.3)
    for reader, root in (("iemocap", "IEMOCAP"), ("librispeech", "LibriSpeech")):
        mien.prepare(reader, folder / root, out=folder / reader, experiment="rana2019")
    return [f"data.prepared.{reader}={folder / reader}" for reader in ("iemocap", "librispeech")]


@pytest.mark.parametrize(
    ("experiment", "classes"),
    [
        ("rana2019", {"anger", "happiness", "neutral", "sadness"}),
        ("rana2019-activation", {"low", "medium", "high"}),
        ("rana2019-clusters", {"cluster 1", "cluster 2", "cluster 3"}),
    ],
)
def test_an_experiment_trains_on_its_corpora(request, prepared, tmp_path, experiment, classes):
    """The first to its page; the others differ from it in their target alone."""
    if experiment != "rana2019":
        request.getfixturevalue("unmeasured")
    mien.train(experiment, [*prepared, *TINY], out=tmp_path)
    run = Run.open(tmp_path)
    assert set(run.metrics["models"]) == {"CNN", "CNN_multitask", "AE_multitask", "AAE_multitask"}
    assert set(run.classes) == classes
    assert set(run.predictions["truth"]) <= classes
    train = run.splits[0]["train"]["clips"]
    assert sum(clip.startswith("librispeech/") for clip in train) == 6, "all of LibriSpeech trains"
    assert not [clip for part in ("validation", "test") for clip in run.splits[0][part]["clips"] if "libri" in clip]
