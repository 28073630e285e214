"""An invented paper: a linear model that starts at zero, and learns the shares of listeners' votes."""

from collections.abc import Mapping

from torch import Tensor, nn

from mien.data.batch import Batch, Sequence
from mien.models.layers.pooling import mean_std_max
from mien.models.objectives.losses import cross_entropy
from mien.models.recipes._recipe import Given, Minimise, Recipe, RecipeConfig

SOURCE = "nobody 2026"
TAKES = ()


class Config(RecipeConfig):
    """One model.

    Attributes:
        target: whose votes it learns.
        dimension: of the embedding.
        learns: whether it learns at all; else it stays at zero, and every class is equally likely.
    """

    target: str = "emotion"
    dimension: int = 6
    learns: bool = True

    @property
    def carried(self) -> dict[str, frozenset[str]]:
        """One embedding."""
        return {"code": frozenset({self.target})}

    @property
    def scores(self) -> frozenset[str]:
        """See `Zeros.scores`."""
        return frozenset({"certainty"})


class Encoder(nn.Module):
    """Statistics of the valid frames, a linear layer and a bend: B x D."""

    def __init__(self, frame: int, dimension: int) -> None:
        super().__init__()
        self.frame = frame
        self.linear = nn.Linear(3 * frame, dimension)

    def forward(self, sequence: Sequence) -> Tensor:
        """Return the embeddings."""
        values, valid = sequence.values, sequence.valid
        if not values.shape[1] or values.shape[2:] != (self.frame,):
            values, valid = values.new_zeros(len(values), 1, self.frame), valid.new_zeros(len(valid), 1)
        code: Tensor = self.linear(mean_std_max(values, valid)).tanh()
        return code


class Zeros(Recipe):
    """An encoder of its own and one head that starts at zero."""

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        self.target, self.learns = config.target, config.learns
        self.encoder = Encoder(given.shapes["audio"][0], config.dimension)
        self.head = nn.Linear(config.dimension, given.targets[config.target].size)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def step(self, batch: Batch, minimise: Minimise) -> Mapping[str, Tensor]:
        """One step on the cross-entropy of the shares."""
        loss = cross_entropy(self.head(self.encoder(batch.audio)), batch.labels[self.target])
        if self.learns:
            minimise(loss, self.encoder, self.head)
        return {f"main: {self.target}": loss.detach()}

    @property
    def phases(self) -> frozenset[frozenset[str]]:
        """One, or none."""
        return frozenset({frozenset({"encoder", "head"})}) if self.learns else frozenset()

    @property
    def heads(self) -> dict[str, frozenset[str]]:
        """The head."""
        return {self.target: frozenset({"head"})}

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return the logits."""
        return {self.target: self.head(self.encoder(batch.audio))}

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the embedding."""
        return {"code": self.encoder(batch.audio)}

    def scores(self, inference, labels, tasks, targets):  # type: ignore[no-untyped-def]
        """How sure it is: the mean of the greatest probability."""
        return {"certainty": float(inference.probabilities(self.target).max(axis=1).mean())}


def build(config: Config, given: Given) -> Zeros:
    """Build it from the shape of the frames."""
    return Zeros(config, given)


TINY = {"learns": {}}
