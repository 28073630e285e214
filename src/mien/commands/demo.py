"""`mien demo`: every step on a toy corpus: generate, prepare, train, measure leakage, predict."""

import os
from pathlib import Path

import pandas as pd

from mien.commands import Outcome
from mien.commands.predict import predict
from mien.commands.prepare import prepare
from mien.commands.train import train
from mien.common.files import contents
from mien.common.leakage_tables import MEASURED, SEEN, STRONGEST
from mien.common.locks import writing
from mien.corpora import toy
from mien.errors import RunError
from mien.runs.run import Run

CORPUS = toy.ToyConfig(
    people=20,
    entanglement=0.5,  # the planted leak: the speaker predicts part of the emotion
    difficulty=0.1,
)


def demo(*, out: Path | str = "mien-demo") -> Outcome:
    """Make a toy corpus, train three models on its voices and faces, and show what they reveal about the speaker.

    In the toy corpus emotion and speaker are entangled: the speaker predicts part of the emotion. Run again, the demo
    resumes where it stopped.

    Args:
        out: a folder, new or of an earlier demo; corpus/, prepared/ and run/ are written to it.

    Raises:
        RunError: `out` holds something else.
    """
    out = Path(out)
    if out.exists() and not (out.is_dir() and (not contents(out) or (out / "corpus").is_dir())):
        raise RunError(f"{out}: holds something else; give --out a folder that is new")
    with writing(out, "mien demo"):
        return _demo(out)


def _demo(out: Path) -> Outcome:
    workers = min(2, os.cpu_count() or 1)
    toy.generate(out / "corpus", CORPUS)
    prepare("toy", out / "corpus", out=out / "prepared", experiment="demo", workers=workers)
    trained = train("demo", [f"data.prepared={out / 'prepared'}"], out=out / "run", workers=workers, device="cpu")
    run = Run.open(out / "run")
    tested = run.predictions.query("split == 'test'")["clip"].iloc[0]
    clip = run.clips.loc[tested]
    answer = predict([out / "corpus" / clip["file"]], model=out / "run", device="cpu")
    report = out / "run" / "report.html"
    text = [
        trained.text,
        *_leaks(run),
        f"a prediction for one test clip, whose emotion is {clip['emotion']}:",
        answer.text,
        f"on your own video: mien predict VIDEO --model {out / 'run'} --faces auto",
        f"open the report: {report.resolve()}",
    ]
    data = {"run": str(out / "run"), "report": str(report), "rows": answer.data["rows"]}
    return Outcome(data=trained.data | data, text="\n".join(text))


def _leaks(run: Run) -> list[str]:
    """One line per model: how well the strongest probe recognises the speaker, on seen speakers."""
    table = run.leakage_summary
    if table is None:
        return []
    shown = {"factor": "speaker", "measure": "uar", "role": MEASURED, "eraser": "", "balanced": ""}
    shown |= {"speakers": SEEN, "probe": STRONGEST}
    seen = table[(table[list(shown)] == pd.Series(shown)).all(axis=1)]
    return [
        f"{row.model:20} speaker predicted from the embedding: {row.score:.3f} (chance {row.chance:.3f}, shuffled "
        f"labels {row.shuffled:.3f})"
        for row in seen.itertuples()
    ]
