"""LEACE: takes out of an embedding all that a linear probe can read of a factor, and changes it as little as possible.

Least-squares concept erasure (Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form", theorem 4.3,
and equation 1 for the affine form):

    r(x) = x - W+ P W (x - E[x]),   W = Cov(x)^(-1/2),   P: onto the columns of W Cov(x, z),   z: one-hot labels.

On the rows that it was fitted on all classes have the same mean afterwards, so no linear classifier under a convex loss
does better there than one that does not look. On other rows, and for probes that are not linear, that is not promised.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.errors import AuditError

Array = NDArray[np.float64]

ROUNDING = 1e-9  # a correlation below is none


@dataclass(frozen=True)
class Eraser:
    """What is taken away: the part of x - mean that `right` reads, put back into the space by `left`.

    Attributes:
        mean: (D,), of the rows that it was fitted on; does not move.
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
            AuditError: when there are not as many labels as rows, or fewer than two rows.
        """
        values = np.asarray(X, np.float64)
        kinds, y = np.unique(np.asarray(labels).astype(str), return_inverse=True)
        if len(y) != len(values) or len(values) < 2:
            raise AuditError(
                f"erasure: {len(values)} embeddings and {len(y)} labels; give a label each, of two or more"
            )
        mean = values.mean(0)
        centred = values - mean
        # the singular vectors of X are the eigenvectors of its covariance, without squaring what is small
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
