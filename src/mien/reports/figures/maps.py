"""Maps of embeddings in the plane by t-SNE: near clips have similar embeddings; axes have no meaning."""

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from mien.audit.probes.probes import Standard

MOST = 300  # points; more would only cover each other
FEWEST = 10  # below, t-SNE has no neighbourhoods to keep


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
    with threadpool_limits(1):
        layout = TSNE(perplexity=min(30.0, (len(values) - 1) / 3), init="pca", learning_rate="auto", random_state=seed)
        return np.asarray(layout.fit_transform(values), np.float64)
