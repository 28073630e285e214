"""`mien audit RUN` and `mien audit --embeddings`: how much embeddings reveal about the speaker and other factors."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mien.audit.embedding_files.labels import read_labels
from mien.audit.embedding_files.measure import measure
from mien.audit.embedding_files.read import Labelled, join, read_embeddings
from mien.audit.options import DEFAULT, LeakageKeywords, LeakageOptions
from mien.commands import Outcome
from mien.common.cells import write_table
from mien.common.files import COPY, require_folder, write_json, write_text
from mien.common.leakage_tables import FLOOR, SEEN, after_eraser, factor_name
from mien.common.locks import writing
from mien.common.tables import records
from mien.errors import AuditError, ConfigError, RunError
from mien.reports import leakage_text, words
from mien.reports.figures.squares import squares
from mien.reports.words import counted

# what an audit of embeddings does not need is imported where it is needed: runs, splits, pages, torch and matplotlib
if TYPE_CHECKING:
    from mien.runs.run import Run

NAME = 24  # letters of an embedding's name in a table
BOTH = 41  # letters of this name and the factor's
WIDTH = 80  # letters of a line of text
PAGE = "leakage.html"
PROBED = ("uar", "ccc")  # measures of classes and of numbers


Source = Path | str | NDArray[Any]
Labels = Path | str | pd.DataFrame | Mapping[str, Sequence[object]]


def audit(
    run: Path | None = None,
    overrides: Sequence[str] = (),
    *,
    embeddings: Path | None = None,
    labels: Path | None = None,
    inputs: Path | None = None,
    options: LeakageOptions = DEFAULT,
    split: Path | None = None,
    root: Path | None = None,
    reader: str | None = None,
    out: Path | None = None,
    workers: int = 1,
) -> Outcome:
    """Audit a run or embeddings (see `leakage`), or a split (see `audit_split`); their arguments are explained there.

    Raises:
        ConfigError: not exactly one of the three, or an option that belongs to another.
    """
    ways = {"RUN": run, "--embeddings": embeddings, "--split": split}
    chosen = [way for way, place in ways.items() if place is not None]
    if len(chosen) != 1:
        given = f", not {' and '.join(chosen)}" if chosen else ""
        raise ConfigError(f"audit: give one of RUN, --embeddings FILE with --labels CSV, or --split MANIFEST{given}")
    of_embeddings = {"labels": labels, "inputs": inputs} | options.changed
    of_split = {"root": root, "reader": reader}
    if overrides and run is None:
        raise ConfigError(f"audit: '{overrides[0]}' goes with RUN; leave it out")
    foreign: dict[str, dict[str, object]] = {
        "RUN": {**of_embeddings, **of_split, "out": out, "seed": None},
        "--embeddings": {**of_split, "workers": workers if workers > 1 else None},
        "--split": of_embeddings,
    }
    if wrong := [name for name, value in foreign[chosen[0]].items() if value is not None]:
        raise ConfigError(f"audit: --{wrong[0].replace('_', '-')} does not go with {chosen[0]}; leave it out")
    if split is not None:
        from mien.commands.audit_split import audit_split

        return audit_split(split, root=root, reader=reader, out=out, workers=workers)
    if run is not None:
        if run.is_file():
            raise ConfigError(f"{run}: is a file, not a RUN folder; give it with --embeddings or with --split")
        return _run(run, overrides, workers, options.seed)
    assert embeddings is not None
    if labels is None:
        raise ConfigError("audit: --embeddings needs --labels CSV, with a column for each factor")
    if embeddings.is_dir():
        raise ConfigError(f"{embeddings}: is a folder; give a file of embeddings, or RUN without --embeddings")
    return _embeddings(embeddings, labels, options, inputs, out)


def leakage(
    source: Source,
    labels: Labels | None = None,
    factor: str | Sequence[str] | None = None,
    *,
    overrides: Sequence[str] = (),
    out: Path | str | None = None,
    inputs: Source | None = None,
    workers: int = 1,
    **options: Unpack[LeakageKeywords],
) -> Outcome:
    """Measure what probes predict from embeddings, with chance, floors and ceilings.

    For a run: every finished cell and every known factor, before and after erasure (LEACE), and the utility of the same
    embeddings. `leakage.csv`, `leakage.json`, the heat map, `metrics.json` and `report.html` are written again. The
    results of each cell are kept in its folder, so an interrupted audit resumes.

    For embeddings: the given factors, before and after LEACE, and the emotion as utility where the labels have one, see
    `mien.audit.embedding_files.measure`. Without `out` nothing is written.

    Args:
        source: a RUN folder, a file of embeddings (.npy, .npz, .safetensors, .csv), or an array (n, D).
        labels: with embeddings: a CSV file, a table, or factor -> labels; matched by row, or by `clip` where both name
            clips. The columns speaker, recording and sentence are kept apart between the probes' training and test
            clips, as each factor needs it; clips of one `file` are one recording where none is given.
        factor: with embeddings: the column of the labels to predict, or several; speaker by default.
        overrides: with a run: `data.prepared=PREPARED` where its corpus was moved since it was trained.
        out: with embeddings: folder to write `leakage.csv`, `leakage.json`, `leakage.svg` and `leakage.html` to.
        inputs: with embeddings: the encoder's inputs, one vector per clip, probed as a ceiling.
        workers: with a run: number of processes.
        options: with embeddings: `speakers`, `balanced`, `seen_speakers`, `large` and `seed`; with a run: `seed`. They
            are explained in `mien.audit.options.LeakageOptions`.

    Raises:
        AuditError: embeddings or labels cannot be read or do not fit, or a factor is unknown or has one class.
        RunError: not a run, or a run without a finished cell.
        ConfigError: an option has a wrong value, is given with a run though it is for embeddings, or the reverse.
    """
    factors = [factor] if isinstance(factor, str) else factor
    chosen = LeakageOptions(factor=None if factors is None else tuple(factors), **options)
    if not isinstance(source, np.ndarray) and Path(source).is_dir():
        given = {"labels": labels, "out": out, "inputs": inputs, **chosen.changed, "seed": None}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise ConfigError(f"{source}: '{wrong[0]}' goes with embeddings, not with a run; leave it out")
        return _run(Path(source), overrides, workers, chosen.seed)
    if overrides:
        raise ConfigError(f"'{overrides[0]}' goes with a run, not with embeddings; leave it out")
    if labels is None:
        raise ConfigError("embeddings are audited with labels: give a CSV with a column for each factor")
    if workers > 1:
        raise ConfigError(f"workers = {workers}: embeddings are audited by one process; leave it out, or give a run")
    return _embeddings(source, labels, chosen, inputs, out)


def _embeddings(
    source: Source, labels: Labels, options: LeakageOptions, inputs: Source | None, out: Path | str | None
) -> Outcome:
    """Measure embeddings, and write the results to a folder where one is given."""
    if out is not None:
        require_folder(Path(out))
    asked = [*options.factors, *([] if options.balanced is None else [options.balanced])]
    given = read_labels(labels, asked)
    found = join(read_embeddings(source, given.columns), given)
    beside = None if inputs is None else _beside(found, join(read_embeddings(inputs, given.columns), given))
    model = found.place if isinstance(source, np.ndarray) else Path(found.place).stem
    measured = measure(found, options, model=model, inputs=beside)
    notes = [*_how(measured.table, options.speakers), *found.notes, *measured.notes]
    if out is not None:
        with writing(out, "mien audit"):
            _write(Path(out), measured.table, model, _facts(found), notes, _cautions(found))
    answer = [*leakage_text.answers(measured.table), *_cautions(found)]
    text = _text(answer, measured.table, notes, [f"page: {Path(out) / PAGE}"] if out is not None else [])
    data = {"answer": answer, "rows": records(measured.table), "notes": notes}
    data |= {} if out is None else {"out": str(out)}
    return Outcome(data=data, text=text, problems=found.problems)


def _run(folder: Path, overrides: Sequence[str], workers: int, seed: int) -> Outcome:
    """Measure a run, and write its leakage files and its report."""
    from mien.commands.train import finish
    from mien.runs.corpus import moved
    from mien.runs.run import Run

    with writing(folder, "mien audit", way=COPY):
        run = moved(Run.open(folder, writes=True), overrides)
        run.refuse_damaged_cells()
        run.files.mend()
        run.require_cells()
        if not run.named:
            raise RunError(
                f"{run.folder}: its corpus names no speakers, so what the embeddings give away about them cannot be "
                "measured; audit a run on a corpus with speakers"
            )
        notes = finish(run, workers=workers, thorough=True, seed=seed)
        found = run.leakage_summary
        assert found is not None
        _write_run(run, found, notes)
        run.files.seal()
    report = run.folder / "report.html"
    rows = records(found.drop(columns="parts"))
    answer = leakage_text.answers(found)
    data = {"run": str(run.folder), "report": str(report), "answer": answer, "rows": rows, "notes": notes}
    data["marks"] = run.marks
    pages = [f"page: {run.folder / PAGE}", f"report: {report}"]
    return Outcome(data=data, text="\n".join([*run.marks, _text(answer, found, notes, pages)]))


def _write_run(run: "Run", found: pd.DataFrame, notes: Sequence[str]) -> None:
    from mien.reports import leakage_page

    rows = records(found.drop(columns="parts"))
    run.write_json("leakage.json", {"rows": rows, "notes": list(notes), "marks": run.marks})
    facts = {
        "Embeddings": f"{', '.join(run.experiment.models)}; {counted(len(run.cells), 'training run')}",
        "Corpus": words.corpora(run.clips, run.certificate, run.corpus),
        "Protocol": words.protocol(run.experiment.protocol, run.splits),
    }
    leakage_page.write(
        run.write_text,
        found,
        title=f"Leakage: {run.title}",
        facts=facts,
        notes=[*_splits(found), *notes],
        marks=run.marks,
    )


def _cautions(found: Labelled) -> list[str]:
    """A sentence on labels that are true only if their order is that of the embeddings."""
    return [f"{found.by_order}. In another order the scores would be near guessing."] if found.by_order else []


def _write(
    out: Path,
    table: pd.DataFrame,
    title: str,
    facts: Mapping[str, str],
    notes: Sequence[str],
    cautions: Sequence[str],
) -> None:
    from mien.reports import leakage_page

    def write(name: str, text: str) -> None:
        write_text(out / name, text)

    write_table(out / "leakage.csv", table)
    write_json(out / "leakage.json", {"rows": records(table), "notes": list(notes)})
    leakage_page.write(write, table, title=f"Leakage of {title}", facts=facts, notes=notes, cautions=cautions)


def _facts(found: Labelled) -> dict[str, str]:
    """What was measured, for the head of the page."""
    sizes = ", ".join(f"{name}: {values.shape[1]} dimensions" for name, values in found.arrays.items())
    facts = {"Embeddings": f"{Path(found.place).name} ({sizes})", "Clips": f"{len(found.labels):,}"}
    if "speaker" in found.labels:
        facts["Speakers"] = f"{found.labels['speaker'].nunique():,}"
    return facts


def _text(answer: Sequence[str], table: pd.DataFrame, notes: Sequence[str], written: Sequence[str]) -> str:
    """The answer in sentences, the table, what its words mean, and how it was measured."""
    wrapped = [line for sentence in answer for line in textwrap.wrap(sentence, WIDTH)]
    meant = {name: text for name, text in leakage_text.words_of(table).items() if name in ("Floor", "LEACE")}
    legend = [
        textwrap.fill(f"{name.lower() if name != 'LEACE' else name}: {text}", WIDTH) for name, text in meant.items()
    ]
    return "\n".join([*wrapped, "", *_lines(table), "", *legend, *notes, *written])


def _lines(table: pd.DataFrame) -> list[str]:
    """One line per embedding and factor, within 80 columns: score, interval, chance, best floor, corrected p.

    An eraser stands in the line below that of its embedding.
    """
    return [line for measure in PROBED if (table["measure"] == measure).any() for line in _lines_of(table, measure)]


def _lines_of(table: pd.DataFrame, measure: str) -> list[str]:
    scored = table[table["measure"] == measure]
    floors = scored[scored["role"] == FLOOR]
    rows = leakage_text.strongest(scored)
    width = min(NAME, max([13, *(len(leakage_text.name_of({**row, "eraser": ""})) for row in rows.to_dict("records"))]))
    lines = [f"{'embedding':{width}} {'factor':{BOTH - width}} {measure.upper()}   95 %        chance floor p"]
    place = ["model", "embedding", "factor", "balanced", "speakers"]
    groups = [part for _, part in rows.groupby(place, sort=False, dropna=False)]
    for number, row in ((at, row) for part in groups for at, row in enumerate(part.to_dict("records"))):
        name = after_eraser(" " if number else leakage_text.name_of({**row, "eraser": ""}), row["eraser"])
        own = squares(pd.DataFrame([row]), floors)[0]
        factor = " ".join(
            [
                factor_name(row["factor"], row["balanced"]),
                *([row["speakers"]] if isinstance(row["speakers"], str) else []),
            ]
        )
        limits = f"{row['score']:.3f} {row['low']:.3f}-{row['high']:.3f}"
        p = row.get("p_corrected", row["p"])
        lines.append(
            f"{name[:width]:{width}} {factor[: BOTH - width]:{BOTH - width}} {limits:17} "
            f"{row['chance']:.3f}  {own.floor:.3f} {'' if pd.isna(p) else f'{p:.4f}'}"
        )
    return lines


def _how(table: pd.DataFrame, speakers: str | None) -> list[str]:
    """Sentences on how the clips were split, and on whether the encoder was trained on the speakers."""
    known = f"the encoder has {'' if speakers == SEEN else 'not '}seen these speakers (--speakers {speakers})"
    unknown = "whether the encoder has seen these speakers is not known; give --speakers seen or --speakers unseen"
    return [*_splits(table), known if speakers else unknown]


def _splits(table: pd.DataFrame) -> list[str]:
    """How the clips of each factor were split."""
    rows = leakage_text.strongest(table[table["measure"].isin(PROBED)])
    rows = rows[rows["eraser"] == ""]  # split as the embedding itself
    if "folds" in table:  # of a run
        from mien.reports.sections import leaks

        rows = rows.assign(split=rows["split"].map(leaks.apart))
    return [
        f"{factor}: {'; or '.join(dict.fromkeys(part['split']))}" for factor, part in rows.groupby("factor", sort=False)
    ]


def _beside(found: Labelled, inputs: Labelled) -> Labelled:
    """The inputs in the order of the embeddings."""
    if "clip" in found.labels and "clip" in inputs.labels:
        place = pd.Index(inputs.labels["clip"]).get_indexer(pd.Index(found.labels["clip"]))
        if (place < 0).any():
            lacking = found.labels["clip"].iloc[int(np.argmin(place))]
            raise AuditError(f"{inputs.place}: has no row for the clip '{lacking}'; give one vector for each embedding")
        rows = place if inputs.rows is None else inputs.rows[place]
        return inputs._replace(rows=rows.astype(np.intp), labels=found.labels)
    if len(inputs.labels) != len(found.labels):
        raise AuditError(f"{inputs.place}: {len(inputs.labels)} rows for {len(found.labels)} embeddings; give one each")
    return inputs
