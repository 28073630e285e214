"""What the columns of leakage tables are called."""

EMOTION = "emotion"
BALANCED = " (balanced)"  # behind a factor: on as many test clips of each class
SEEN, UNSEEN = "seen", "unseen"


ERASED = "leace"
