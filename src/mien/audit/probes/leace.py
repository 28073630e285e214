"""LEACE: erases a factor from an embedding for linear probes, and changes the embedding as little as possible.

Least-squares concept erasure (Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form", theorem 4.3,
and equation 1 for the affine form):

    r(x) = x - W+ P W (x - E[x]),   W = Cov(x)^(-1/2),   P: onto the columns of W Cov(x, z),   z: one-hot labels.

On the rows it was fitted on, all classes have the same mean afterwards, so no linear classifier with a convex loss is
better there than a constant prediction. This is not guaranteed on other rows, nor for probes that are not linear.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.errors import AuditError

Array = NDArray[np.float64]

ROUNDING = 1e-9  # correlations below count as zero


@dataclass(frozen=True)
class Eraser:
    """A fitted eraser: r(x) = x - left right^T (x - mean).

    Attributes:
        mean: (D,), of the rows it was fitted on; erasure keeps it.
        left: (D, r), W+ U; r is the number of classes less one, or the rank of the covariance if that is smaller.
        right: (D, r), W U; U holds an orthonormal basis of the columns of W Cov(x, z).
    """

    mean: Array
    left: Array
    right: Array

    @classmethod
    def fit(cls, X: NDArray[np.floating], labels: ArrayLike) -> "Eraser":
        """Fit on embeddings and the labels to erase.

        Args:
            X: (n, D), finite; may be of any rank.
            labels: (n,), one class a row. One class alone erases nothing.

        Raises:
            AuditError: the numbers of labels and rows differ, or there are fewer than two rows.
        """
        values = np.asarray(X, np.float64)
        kinds, y = np.unique(np.asarray(labels).astype(str), return_inverse=True)
        if len(y) != len(values) or len(values) < 2:
            raise AuditError(
                f"erasure: {len(values)} embeddings and {len(y)} labels; give at least two rows, with one label each"
            )
        mean = values.mean(0)
        centred = values - mean
        # the singular vectors of X are the eigenvectors of its covariance; the SVD does not square small values
        _, sizes, axes = np.linalg.svd(centred / np.sqrt(len(values) - 1), full_matrices=False)
        kept = sizes > sizes.max(initial=0.0) * max(values.shape) * np.finfo(np.float64).eps
        sizes, axes = sizes[kept], axes[kept]
        onehot = np.eye(len(kinds))[y]
        across = centred.T @ (onehot - onehot.mean(0)) / (len(values) - 1)
        whitened = (axes @ across) / sizes[:, None]  # W Cov(x, z), in the coordinates of the axes
        basis, strength, _ = np.linalg.svd(whitened, full_matrices=False)
        basis = basis[:, strength > ROUNDING]
        return cls(mean, axes.T @ (sizes[:, None] * basis), axes.T @ (basis / sizes[:, None]))

    def apply(self, X: NDArray[np.floating]) -> Array:
        """Erase, (m, D) -> (m, D)."""
        values = np.asarray(X, np.float64)
        return values - ((values - self.mean) @ self.right) @ self.left.T
