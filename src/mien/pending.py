"""What a forward pass has measured and nobody has approved yet: it waits until `engine.minimise` commits it."""

from abc import ABC, abstractmethod


class Pending(ABC):
    """A module that keeps what it learns outside of gradients, such as running statistics, until it is committed.

    `minimise` commits the modules that it is given, after a step that moved something. So what is not named cannot
    move: not its parameters, and not its statistics.
    """

    @abstractmethod
    def commit(self) -> None:
        """Take over what the last forward pass with gradient measured; do nothing where nothing waits."""
