"""What is probed: a factor, the clips that have a label of it, and how these clips are divided."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.audit.options import DEFAULT, LeakageOptions
from mien.common.leakage_tables import SPEAKER
from mien.errors import AuditError

Places = NDArray[np.intp]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Division:
    """How the clips of one measurement are divided.

    Attributes:
        parts: (training rows, test rows) of each part; no row is tested twice.
        description: what was kept apart, for the column `split`.
        groups: (n,), groups of clips that are kept together, also when settings are chosen; None where only clips are
            apart.
        choosing: rows that settings and the strongest probe are chosen on, and that nothing is fitted or tested on;
            None where an inner part of the training rows is for that (`inner_part`).
    """

    parts: tuple[tuple[Places, Places], ...]
    description: str
    groups: Codes | None = None
    choosing: Places | None = None


@dataclass(frozen=True, eq=False)
class ProbingTask:
    """A factor that probes predict, and what is known of each of its n clips.

    Attributes:
        labels: (n,), the class of each clip; not used where the factor is a number.
        factor: its name. For "speaker" the same speakers are in training and test clips; for any other factor different
            ones, unless `options.seen_speakers`.
        speakers: (n,), the speaker of each clip: kept apart for other factors, and the clusters of the intervals. For
            the factor speaker these are the labels.
        recordings: (n,), the recording of each clip; kept whole.
        sentences: (n,), the sentence of each clip; kept apart for the factor speaker where that is possible.
        balanced: (n,), labels of another factor, such as the speaker where the factor is emotion. Test clips are
            sampled so that all classes are equally frequent within each class of it, so that it predicts nothing.
        over: the name of that factor, written as `balanced`.
        division: how the clips are divided; None leaves it to `divide`.
        numbers: (n,), the number of each clip, where the factor is one; see `leakage.numbers`.
        options: `seed`, `seen_speakers` and `speakers` (written to the column of that name); the others choose tasks.

    Raises:
        AuditError: a list has another length than the labels.
    """

    labels: ArrayLike
    factor: str = SPEAKER
    speakers: ArrayLike | None = None
    recordings: ArrayLike | None = None
    sentences: ArrayLike | None = None
    balanced: ArrayLike | None = None
    over: str = "another factor"
    division: Division | None = None
    numbers: ArrayLike | None = None
    options: LeakageOptions = DEFAULT

    def __post_init__(self) -> None:
        n = len(np.asarray(self.labels))
        for name in ("speakers", "recordings", "sentences", "balanced", "numbers"):
            values = getattr(self, name)
            if values is not None and (found := len(np.asarray(values))) != n:
                raise AuditError(f"there are {found} {name} for {n} clips; give one for each clip")

    @property
    def clusters(self) -> ArrayLike | None:
        """(n,), the speaker of each clip, whether it is the factor or not; None where it is not known."""
        return self.labels if self.factor == SPEAKER else self.speakers

    @property
    def blocks(self) -> ArrayLike | None:
        """(n,), what is permuted as a whole: recordings for the factor speaker, else speakers; None for clips."""
        return self.recordings if self.factor == SPEAKER else self.speakers
