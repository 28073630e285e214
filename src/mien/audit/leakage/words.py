"""Words in leakage tables: columns, suffixes and values that several modules use."""

EMOTION = "emotion"
BALANCED = " (balanced)"  # after a factor: tested on equally many clips of each class
SEEN, UNSEEN = "seen", "unseen"
ERASED = "leace"
