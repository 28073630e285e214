"""CREMA-D in EmoBox's one fold of clips (Ma et al. 2024). All 91 speakers are in training and test.

EmoBox lists all 7,442 clips: those that are not tested train. Its program validates on a random fifth of these.
"""

TITLE = "CREMA-D in EmoBox's one fold of clips"
READER = "crema_d"
SOURCE = "Ma et al. 2024, EmoBox, Interspeech (github.com/emo-box/EmoBox, data/cremad)"
USED = "EmoBox's benchmark of ten pretrained models of speech"
VALIDATION = "takes a random fifth of the training clips for validation"
OTHERS = "train"
