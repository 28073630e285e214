"""`mien label`: a model of faces labels the speech of films (Albanie et al. 2018, section 4)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

from mien.commands import Outcome
from mien.common.cluster import joined
from mien.common.locks import writing
from mien.common.tables import records
from mien.corpora import media_files
from mien.errors import ConfigError
from mien.media import activity
from mien.media.limits import held, limits_of
from mien.reports import label_page, label_text
from mien.reports.timeline_text import wrapped
from mien.runs import label_folder
from mien.runs import pooling as ways
from mien.runs import teacher as teachers
from mien.runs.label_folder import Asked


def label(
    files: Path | str | Sequence[Path | str],
    *,
    out: Path | str,
    teacher: Path | str | None = None,
    pooling: ways.Pooling = "max",
    pooled: ways.Pooled = "logits",
    faces: str | None = None,
    voice_activity: activity.Kind = "energy",
    workers: int | None = None,
    cluster: str | None = None,
    device: str = "auto",
    threads: int = 1,
    limits: Mapping[str, float] = MappingProxyType({}),
) -> Outcome:
    """Label the segments of films in which one person is seen by the emotions of the face.

    Frame logits of every face are kept every 0.24 s, so that another `pooling` of a finished folder decodes nothing.
    It goes on where it was interrupted, part by part (`runs.label_folder`), and further files may be given.

    Args:
        files: a film or a folder, or several of them; of a folder, all media files below it, by their endings.
        out: the label folder, see `corpora.label_folder`: new, or one of the same teacher and settings.
        teacher: a model of faces alone: an exported folder, the name of a model that comes with mien, RUN,
            RUN/models/MODEL or a cell's folder. None: `face-small`.
        pooling: "max", "mean" or "log-mean"; see `runs.pooling.pool`.
        pooled: "logits" or "distributions": of what the maximum is taken.
        faces: the face detector (`media.faces.Faces`); None takes that of the teacher's training.
        voice_activity: "energy" or "silero"; see `media.activity`.
        workers: number of processes; None for one, or with `cluster` for one in each of its threads.
        cluster: address of a dask scheduler, such as tcp://host:8786, on whose machines the processes run; they have to
            see `out` and what is read. None for this machine.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of torch threads in each process.
        limits: limits on a film beyond which it is not read, by name, where they are not those of
            `mien.media.limits.Limits`.

    Returns:
        An outcome whose data have `labels` (the folder), `card` (`card.json`), `segments` (the rows of `segments.csv`)
        and `notes`; `problems` are the files that are not labelled.

    Raises:
        BusyError: another process writes to `out`.
        ClusterError: the cluster cannot be used as it is.
        ConfigError: a setting is wrong, no file is given, a folder holds none, or `out` has other labels.
        CorpusError: `out` holds something else.
        RunError: `teacher` is not a trained model.
        MediaError: no file could be labelled.
    """
    given = [Path(file) for file in ([files] if isinstance(files, str | Path) else files)]
    if not given:
        raise ConfigError("label: no file is given; name a film or a folder of films")
    ways.check(pooling, pooled)
    most = limits_of(limits)
    chosen, notes = media_files.listed(given)
    root = label_folder.common_root(given)
    folder = teachers.locate(teacher)
    asked = Asked(Path(out), root, folder, faces, voice_activity, device, threads, uuid4().hex)
    names, unnamed = label_folder.names(chosen, root)
    reads = [*given, folder]
    with writing(out, "mien label"), joined(cluster, workers, writes=out, reads=reads) as at_once:
        label_folder.begin(asked, teachers.open_teacher(folder, device, threads, faces), names)
        with held(most):
            label_folder.label_all(asked, names, at_once)
        done = label_folder.finish(asked, names, unnamed, pooling, pooled)
        label_page.write(asked.out, done.card)
    return Outcome(
        data={"labels": str(asked.out), "card": done.card, "segments": records(done.segments), "notes": notes},
        text="\n".join([label_text.text(asked.out, done.card), *wrapped(notes)]),
        problems=[f"{one.file}: {one.problem}" for one in done.problems],
    )
