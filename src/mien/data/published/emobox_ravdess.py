"""RAVDESS in EmoBox's six folds of four actors (Ma et al. 2024); no actor is in two of them.

Fold 0 is EmoBox's fold_1. EmoBox's program validates on a random fifth of the training clips, so on seen speakers.
"""

TITLE = "RAVDESS in EmoBox's six folds of actors"
READER = "ravdess"
SOURCE = "Ma et al. 2024, EmoBox, Interspeech (github.com/emo-box/EmoBox, data/ravdess)"
USED = "EmoBox's benchmark of ten pretrained models of speech"
VALIDATION = "takes a random fifth of the training clips, of seen speakers, for validation"
FOLDS = (
    ("01", "11", "20", "21"),
    ("04", "10", "12", "14"),
    ("08", "09", "19", "23"),
    ("03", "05", "07", "24"),
    ("02", "15", "16", "18"),
    ("06", "13", "17", "22"),
)
