"""`mien demo`: the whole way on a toy corpus: generate, prepare, train, measure what is left of the speaker."""

import os
from pathlib import Path

from mien.audit.leakage.leakage import STRONGEST
from mien.audit.run_leakage.summary import leakage_summary
from mien.commands import Outcome
from mien.commands.predict import predict
from mien.commands.prepare import prepare
from mien.commands.train import train
from mien.corpora import toy
from mien.errors import RunError
from mien.runs.run import Run

CORPUS = toy.ToyConfig(
    people=20,
    entanglement=0.5,  # the planted leak: who hears the person knows something of the emotion
    difficulty=0.1,
)


def demo(*, out: Path | str = "mien-demo") -> Outcome:
    """Make a toy corpus, train three models on its voices and faces, and show what they give away about the person.

    In the toy corpus emotion and person are entangled, so that whoever knows the person knows something of the
    emotion. Run again, it goes on where it stopped.

    Args:
        out: a folder, new or of an earlier demo; it gets corpus/, prepared/ and run/.

    Raises:
        RunError: `out` holds something else.
    """
    out = Path(out)
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / "corpus").is_dir())):
        raise RunError(f"{out}: holds something else; give --out a folder that is new")
    workers = min(2, os.cpu_count() or 1)
    toy.generate(out / "corpus", CORPUS)
    prepare("toy", out / "corpus", out=out / "prepared", workers=workers)
    trained = train("demo", [f"data.prepared={out / 'prepared'}"], out=out / "run", workers=workers, device="cpu")
    run = Run.open(out / "run")
    tested = run.predictions.query("split == 'test'")["clip"].iloc[0]
    told = run.clips.loc[tested]
    answer = predict([out / "corpus" / told["file"]], model=out / "run", device="cpu")
    report = out / "run" / "report.html"
    text = [
        trained.text,
        *_leaks(run),
        f"one prediction, of a {told['emotion']} clip:",
        answer.text,
        f"on a video of yours: mien predict VIDEO --model {out / 'run'} --faces auto",
        f"open this page: {report.resolve()}",
    ]
    data = {"run": str(out / "run"), "report": str(report), "rows": answer.data["rows"]}
    return Outcome(data=trained.data | data, text="\n".join(text))


def _leaks(run: Run) -> list[str]:
    """One line a model: how well the strongest probe names the speaker, for people heard in training."""
    if run.leakage is None:
        return []
    table = leakage_summary(run.leakage, run.units, run.leakage_by_speaker)
    heard = table[(table["speakers"] == "seen") & (table["probe"] == STRONGEST)]
    return [
        f"{row.model:20} speaker read from the emotion embedding: {row.score:.3f} (chance {row.chance:.3f}, shuffled "
        f"labels {row.shuffled:.3f})"
        for row in heard.itertuples()
    ]
