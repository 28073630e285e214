"""RAVDESS in five folds of actors (Luna-Jiménez et al. 2022); no actor is in two of them.

The folds, in this order, are in the README of the authors' program. It has no validation part.
"""

TITLE = "RAVDESS in five folds of actors"
READER = "ravdess"
SOURCE = "Luna-Jiménez et al. 2022, Applied Sciences 12(1), 327 (github.com/cristinalunaj/MMEmotionRecognition)"
USED = "the authors (86.7 % accuracy with voice and face) and the programs that grew out of theirs"
VALIDATION = "names no validation part"
FOLDS = (
    ("02", "05", "14", "15", "16"),
    ("03", "06", "07", "13", "18"),
    ("10", "11", "12", "19", "20"),
    ("08", "17", "21", "23", "24"),
    ("01", "04", "09", "22"),
)
