"""eNTERFACE'05 in EmoBox's one fold of clips (Ma et al. 2024). All 43 speakers are in training and test.

EmoBox lists 1,263 films: those in the folder of subject 12 are missing, as their names are also those of subject 11's.
Its program validates on a random fifth of the training clips.
"""

TITLE = "eNTERFACE'05 in EmoBox's one fold of clips"
READER = "enterface"
SOURCE = "Ma et al. 2024, EmoBox, Interspeech (github.com/emo-box/EmoBox, data/enterface)"
USED = "EmoBox's benchmark of ten pretrained models of speech"
VALIDATION = "takes a random fifth of the training clips for validation"
OTHERS = "unused"
