"""EmoDB in EmoBox's five folds of clips (Ma et al. 2024). All ten speakers are in training and test of every fold.

Fold 0 is EmoBox's fold_1. EmoBox's program validates on a random fifth of the training clips.
"""

TITLE = "EmoDB in EmoBox's five folds of clips"
READER = "emodb"
SOURCE = "Ma et al. 2024, EmoBox, Interspeech (github.com/emo-box/EmoBox, data/emodb)"
USED = "EmoBox's benchmark of ten pretrained models of speech"
VALIDATION = "takes a random fifth of the training clips for validation"
OTHERS = "unused"
