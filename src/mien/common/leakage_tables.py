"""The tables of what is left in embeddings: their columns, and the values of columns that have few."""

LEAKAGE = (  # leakage.csv
    *("embedding", "model", "fold", "seed", "factor", "probe", "role", "speakers", "split", "measure", "score"),
    *("chance", "shuffled", "low", "high", "p", "p_corrected", "n", "classes"),
)
RECALLS = (  # leakage_by_speaker.csv
    *("embedding", "model", "fold", "seed", "probe", "speakers", "speaker", "recall", "clips"),
)
PREDICTIONS = (  # of probes, in leakage.json of a cell or fold
    *("model", "fold", "seed", "embedding", "factor", "speakers", "probe"),
    *("clip", "speaker", "truth", "predicted"),
)
SILHOUETTES = ("model", "embedding", "fold", "seed", "by", "score", "shuffled", "clips", "groups")  # silhouettes.csv

SEEN, UNSEEN = SIDES = ("seen", "unseen")  # `speakers`: whether the encoder was trained on them
MEASURED, TARGET, FLOOR, CEILING = ("measured", "target", "floor", "ceiling")  # `role`
STRONGEST = "strongest"  # `probe`: the one with the best score on validation clips
