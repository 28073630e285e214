"""Maps of embeddings in the plane by t-SNE: near clips have similar embeddings; axes have no meaning (`maps.csv`)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from mien.audit.probes.probes import Standard, one_thread
from mien.common.tables import thin
from mien.runs.run import MAPS, Cell, Run

MOST = 300  # points; more would only cover each other
FEWEST = 10  # below, t-SNE has no neighbourhoods to keep


def maps(run: Run, *, seed: int = 0) -> pd.DataFrame:
    """Maps of the same two unseen speakers for every model of the experiment.

    They are of the first fold and seed that most models have. If several speakers are tested, the map shows the first
    two of them by name, else the test and the validation speaker. Without unseen speakers there is no map.

    Args:
        run: the run; nothing is written to it.
        seed: of t-SNE.

    Returns:
        The columns of `maps.csv` (`MAPS`), one row a model, embedding and clip, at most `MOST` clips a map: `split,
        speaker, label` of the clip, and its place `x, y`.
    """
    tables = [pd.DataFrame(columns=list(MAPS))]
    for cell in _same_fold(run):
        clips, found = run.embeddings(cell)
        unseen = ~clips["speaker"].isin(clips.loc[clips["split"] == "train", "speaker"])
        places = np.flatnonzero(clips["speaker"].isin(two_speakers(clips[unseen])) & unseen)
        if not len(places):
            continue
        places = places[thin(len(places), MOST)]
        for name, values in found.items():
            points = plane(values[places], seed=seed)
            table = clips.iloc[places][["clip", "split", "speaker", "label"]]
            table = table.assign(model=cell.model, embedding=name, fold=cell.fold, seed=cell.seed)
            tables.append(table.assign(x=points[:, 0], y=points[:, 1])[list(MAPS)])
    return pd.concat(tables[1:] or tables, ignore_index=True)


def two_speakers(clips: pd.DataFrame) -> list[str]:
    """The speakers of a map, from clips of unseen speakers with their `speaker` and `split`."""
    test, validation = (sorted(clips["speaker"][clips["split"] == part].unique()) for part in ("test", "validation"))
    return test[:2] if len(test) > 1 else [*validation[: 2 - len(test)], *test]


def plane(embedding: NDArray[np.floating], *, seed: int) -> NDArray[np.float64]:
    """Lay out standardised embeddings (n, D) by t-SNE, perplexity 30 or a third of the points, as (n, 2).

    Few points, or points on a line, are laid out by their two principal components.
    """
    values = Standard.of(embedding).apply(embedding)
    left, sizes, _ = np.linalg.svd(values, full_matrices=False)
    if len(values) < FEWEST or (sizes > 1e-6 * max(float(sizes[0]), 1e-9)).sum() < 2:
        components = np.zeros((len(values), 2))
        count = min(2, len(sizes))
        components[:, :count] = left[:, :count] * sizes[:count]
        return components
    with one_thread():
        layout = TSNE(perplexity=min(30.0, (len(values) - 1) / 3), init="pca", learning_rate="auto", random_state=seed)
        return np.asarray(layout.fit_transform(values), np.float64)


def _same_fold(run: Run) -> Sequence[Cell]:
    """The cells of the first fold and seed that most models of the experiment have."""
    cells = [cell for cell in run.cells if cell.model in run.experiment.models]
    places: dict[tuple[int, int], list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: (run.experiment.seeds.index(cell.seed), cell.fold)):
        places.setdefault((cell.seed, cell.fold), []).append(cell)
    return max(places.values(), key=len, default=[])
