"""The tables of what is left in embeddings: their columns, the values of columns that have few, and names for people.

Two columns name what was done, and are "" in memory, empty in a file, if nothing was:

- `eraser`: what was applied to the embedding before it was probed.
- `balanced`: the column over which the test clips are balanced: within each of its classes, all classes of the factor
  are equally frequent. If it is the factor itself, its classes are equally frequent.
"""

from typing import Final, Literal

LEAKAGE = (  # leakage.csv
    *("embedding", "eraser", "model", "fold", "seed", "factor", "balanced", "probe", "role", "speakers", "split"),
    *("measure", "score", "chance", "shuffled", "low", "high", "p", "p_corrected", "n", "classes"),
)
RECALLS = (  # leakage_by_speaker.csv
    *("embedding", "eraser", "model", "fold", "seed", "probe", "speakers"),
    *("speaker", "recall", "clips"),
)
PREDICTIONS = (  # of probes, in leakage.json of a cell or fold
    *("model", "fold", "seed", "embedding", "eraser", "factor", "speakers", "probe"),
    *("clip", "speaker", "truth", "predicted"),
)
SILHOUETTES = ("model", "embedding", "fold", "seed", "by", "score", "shuffled", "clips", "groups")  # silhouettes.csv

NAMES = ("eraser", "balanced")
LEACE = "leace"  # `eraser`
SPEAKER = "speaker"  # `factor`: whose probes are tested on the speakers that they are fitted on
Seen = Literal["seen", "unseen"]  # `speakers`: whether the encoder was trained on them
SEEN: Final = "seen"
UNSEEN: Final = "unseen"
SIDES = (SEEN, UNSEEN)
MEASURED, TARGET, FLOOR, CEILING = ("measured", "target", "floor", "ceiling")  # `role`
STRONGEST = "strongest"  # `probe`: the one with the best score on validation clips


def after_eraser(name: str, eraser: str) -> str:
    """The name of an embedding, or of its model, as people read it: "emotion after LEACE"."""
    return f"{name} after {eraser.upper()}" if eraser else name


def factor_name(factor: str, balanced: str) -> str:
    """The name of a factor as people read it: "emotion (balanced)", "gender (balanced over emotion)"."""
    over = "" if balanced == factor else f" over {balanced}"
    return f"{factor} (balanced{over})" if balanced else factor
