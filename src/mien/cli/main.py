"""The command line: it parses, calls the function of the same name in `commands`, and prints what came of it.

Exit 0: done. 1: done, with inputs that are listed as problems. 2: refused, nothing half-written. 70: a defect of mien
(EX_SOFTWARE of sysexits.h). 130: interrupted.
Nothing heavy is imported before a command runs.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from mien.cli.options import AtLeastOne, Embedded, Looked, Machine, Manifest, Seed, Share, pairs
from mien.cli.output import Output, defect_sentence, refuse, show, system_sentence
from mien.commands import Outcome
from mien.errors import MienError

PLAIN, ANY, NONE, NO_SPLIT, LOOKED = Output(), Machine(), Embedded(), Manifest(), Looked()

app = App(
    name="mien",
    help="Emotion recognition from voice and face, and proof of what its representations still give away.",
    help_epilogue="Begin with: mien demo",
    help_format="plaintext",
    version=lambda: _version(),
    usage="Usage: mien COMMAND [ARGUMENTS] [OPTIONS]",
)


@app.command(help_epilogue="Example: mien demo --out mien-demo")
def demo(*, out: Path = Path("mien-demo"), output: Output = PLAIN) -> Outcome:
    """Show what mien does on a toy corpus: three models, leakage, a report, a prediction. About three minutes.

    Args:
        out: folder for everything that is made.
        output: how it is told.
    """
    return _call("demo", out=out)


@app.command(help_epilogue="Example: mien prepare emodb ~/EmoDB --out prepared/emodb --workers 2")
def prepare(
    reader: str,
    root: Path,
    *,
    out: Path,
    option: Annotated[list[str] | None, Parameter(negative="")] = None,
    features: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="--no-features")] = None,
    workers: AtLeastOne = 1,
    output: Output = PLAIN,
) -> Outcome:
    """Read a corpus, check every clip, extract features. Run again after an interruption, it goes on.

    Args:
        reader: what the corpus is, see 'mien list readers'.
        root: the folder that holds the corpus; for 'table' a CSV file.
        out: the PREPARED folder to write.
        option: of the reader, as key=value, such as table=emotion.gold; may be given several times.
        features: what to extract, see 'mien list features'; mfb43 unless told.
        workers: processes that decode and extract.
        output: how it is told.
    """
    chosen: dict[str, Any] = {} if features is None else {"features": features}
    return _call("prepare", reader, root, out=out, options=pairs(option or []), workers=workers, **chosen)


@app.command(help_epilogue="Example: mien train li2020-emodb data.prepared=prepared/emodb --out runs/li2020-emodb")
def train(
    experiment: str,
    *overrides: str,
    out: Path,
    workers: AtLeastOne = 1,
    tensorboard: Annotated[bool, Parameter(negative="")] = False,
    machine: Machine = ANY,
    output: Output = PLAIN,
) -> Outcome:
    """Train an experiment: all its folds, seeds and models. Run again after an interruption, it goes on.

    Args:
        experiment: a name from 'mien list experiments', or a YAML file.
        overrides: settings as key=value, with dots: training.epochs=5
        out: the RUN folder to write.
        workers: models that train at once, and processes that extract features.
        tensorboard: write event files to RUN/tensorboard, too (extra 'tensorboard').
        machine: where it computes.
        output: how it is told.
    """
    return _call("train", experiment, overrides, out=out, workers=workers, tensorboard=tensorboard, **vars(machine))


@app.command(help_epilogue="Example: mien evaluate runs/li2020-emodb --on prepared/ravdess")
def evaluate(
    run: Path,
    *,
    on: Path,
    workers: AtLeastOne = 1,
    machine: Machine = ANY,
    output: Output = PLAIN,
) -> Outcome:
    """Judge another corpus by the models of a run.

    Args:
        run: the RUN folder.
        on: the PREPARED folder of the other corpus.
        workers: processes that extract features.
        machine: where it computes.
        output: how it is told.
    """
    return _call("evaluate", run, on=on, workers=workers, **vars(machine))


@app.command(help_epilogue="Example: mien audit --embeddings E.npy --labels L.csv --factor speaker --out leakage")
def audit(
    run: Path | None = None,
    *,
    embedded: Embedded = NONE,
    manifest: Manifest = NO_SPLIT,
    out: Path | None = None,
    workers: AtLeastOne = 1,
    seed: Seed = 0,
    output: Output = PLAIN,
) -> Outcome:
    """Measure what is left of the speaker in a RUN or in any embeddings, or look for leaks in any split.

    One of the three: RUN, --embeddings with --labels, or --split.

    Args:
        run: the RUN folder; everything that can be read from its embeddings is, and its page is written again.
        embedded: embeddings of anybody.
        manifest: a split of anybody.
        out: of embeddings and split: the folder for what is found.
        workers: processes.
        seed: of the probes.
        output: how it is told.
    """
    return _call("audit", run, **vars(embedded), **vars(manifest), out=out, workers=workers, seed=seed)


@app.command(help_epilogue="Example: mien predict talk.mp4 interview.wav --out emotions.csv")
def predict(
    file: Path,
    *more: Path,
    model: Path | None = None,
    out: Path | None = None,
    unsure: Share | None = None,
    looked: Looked = LOOKED,
    machine: Machine = ANY,
    output: Output = PLAIN,
) -> Outcome:
    """Say which emotion is heard and seen when in media files, in seconds of the file.

    Args:
        file: a media file, sound or video.
        more: further ones.
        model: a name from 'mien list models' (voice-small unless told), an exported folder, RUN, or RUN/models/MODEL;
            of a RUN the model with the best validation score.
        out: write the rows to this .csv or .json file.
        unsure: a less probable emotion is called unsure; as the model comes unless told, 0 never.
        looked: at the file, and at whom.
        machine: where it computes.
        output: how it is told.
    """
    return _call(
        "predict",
        [file, *more],
        model=model,
        out=out,
        unsure=unsure,
        **vars(looked),
        **vars(machine),
    )


@app.command(help_epilogue="Example: mien export runs/mine --out voice-mine")
def export(
    run: Path,
    *,
    out: Path,
    name: str | None = None,
    coverage: Share = 0.8,
    cells: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    elsewhere: Annotated[list[Path] | None, Parameter(consume_multiple=True, negative="")] = None,
    workers: AtLeastOne = 1,
    output: Output = PLAIN,
) -> Outcome:
    """Make a small folder of a trained model, calibrated and with a card, that 'mien predict --model' takes.

    Args:
        run: RUN, RUN/models/MODEL or the folder of a cell; of a RUN the model with the best validation score.
        out: the folder to write.
        name: what the model is called; the folder's name unless told.
        coverage: share of the validation clips that get an answer; the others are unsure.
        cells: which folds and seeds to take, such as fold-0-seed-0; all unless told.
        elsewhere: PREPARED folders that the run did not hear: the card tells how often the model answers there.
        workers: processes that extract features of those.
        output: how it is told.
    """
    return _call(
        "export",
        run,
        out=out,
        name=name,
        coverage=coverage,
        cells=cells or (),
        elsewhere=elsewhere or (),
        workers=workers,
    )


@app.command(help_epilogue="Example: mien compare runs/li2020-emodb runs/mine --out comparison")
def compare(
    run: Path,
    *more: Path,
    baseline: str | None = None,
    out: Path | None = None,
    output: Output = PLAIN,
) -> Outcome:
    """Compare models on the same test clips: paired by speaker, with intervals, tests and leakage.

    Args:
        run: RUN, all its models, or RUN/models/MODEL; one RUN alone compares its own models.
        more: further ones.
        baseline: RUN/MODEL, the one that all others are compared with; all pairs unless told.
        out: the folder for the page and the tables as HTML, LaTeX and CSV.
        output: how it is told.
    """
    return _call("compare", run, *more, baseline=baseline, out=out)


@app.command(help_epilogue="Example: mien report runs/li2020-emodb")
def report(run: Path, *, output: Output = PLAIN) -> Outcome:
    """Write RUN/report.html again.

    Args:
        run: the RUN folder.
        output: how it is told.
    """
    return _call("report", run)


@app.command(name="list", help_epilogue="Example: mien list readers")
def listing(
    what: Literal["readers", "features", "encoders", "removals", "experiments", "models"], *, output: Output = PLAIN
) -> Outcome:
    """Show what there is, with source, and for experiments and models cost and score.

    Args:
        what: the kind of thing.
        output: how it is told.
    """
    return _call("list", what, function="listing")


def _version() -> str:
    from importlib.metadata import version

    return version("mien")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name; None takes the process's) and return the exit code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    output = Output("--json" in tokens, "--debug" in tokens)
    try:
        command, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
        outcome = command(*bound.args, **bound.kwargs)
        if isinstance(outcome, Outcome):
            show(outcome, output)
            return outcome.exit_code if outcome.exit_code is not None else int(bool(outcome.problems))
        return 0
    except CycloptsError as error:
        return refuse(f"{error} See '{' '.join(['mien', *(error.command_chain or ())])} --help'.", 2, output)
    except MienError as error:
        return refuse(str(error), error.exit_code, output)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return refuse(system_sentence(error), 2, output)
    except KeyboardInterrupt:
        return refuse("interrupted; run the same command again to go on", 130, output)
    except Exception as error:
        return refuse(defect_sentence(error), 70, output)


def _call(command: str, *arguments: Any, function: str | None = None, **settings: Any) -> Outcome:
    """Call the function of a command, whose module is imported now."""
    called: Callable[..., Outcome] = getattr(import_module(f"mien.commands.{command}"), function or command)
    return called(*arguments, **settings)
