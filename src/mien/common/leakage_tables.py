"""The tables of what is left in embeddings: their columns, the values of columns that have few, and names for people.

`eraser` names what was applied to an embedding before it was probed: "" in memory, and empty in a file, if nothing was.
"""

LEAKAGE = (  # leakage.csv
    *("embedding", "eraser", "model", "fold", "seed", "factor", "probe", "role", "speakers", "split"),
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

NAMES = ("eraser",)  # columns that are "" where they name nothing
LEACE = "leace"  # `eraser`
SEEN, UNSEEN = SIDES = ("seen", "unseen")  # `speakers`: whether the encoder was trained on them
MEASURED, TARGET, FLOOR, CEILING = ("measured", "target", "floor", "ceiling")  # `role`
STRONGEST = "strongest"  # `probe`: the one with the best score on validation clips


def after_eraser(name: str, eraser: str) -> str:
    """The name of an embedding, or of its model, as people read it: "emotion after LEACE"."""
    return f"{name} after {eraser.upper()}" if eraser else name
