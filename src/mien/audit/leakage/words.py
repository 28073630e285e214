"""What the columns of leakage tables are called."""

EMOTION = "emotion"
BALANCED = f"{EMOTION} (balanced)"
HEARD, UNHEARD = "heard", "unheard"


ERASED = "leace"
