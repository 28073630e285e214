"""Embeddings that carry some factors and are rid of others (Li et al. 2020; Peri et al. 2021).

One encoder feeds one or more embeddings. Each has *tasks*, factors that a classifier must read from it, and factors to
*remove*, each with spies that try to read it and a row of `objectives.removals` that acts against them. With emotion as
task and speaker removed by maximum entropy it is MEnAN; with speaker as a second task, the multitask model; with
gradient reversal, domain adversarial training; with nothing removed, emotion only. With an embedding of the emotion and
one of the speaker, each rid of the other's factor, it is Peri et al. Factors may also be *read*: a classifier then
learns from an embedding that it never moves. Penalties keep two embeddings apart without a spy.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from mien.data.batch import Batch, uniform
from mien.models.layers.heads import classifier
from mien.models.objectives.losses import PENALTIES, cross_entropy
from mien.models.objectives.removals import REMOVALS, strength
from mien.models.recipes._disentangle_settings import Config as Config
from mien.models.recipes._disentangle_settings import Embedding as Embedding
from mien.models.recipes._disentangle_settings import Penalty as Penalty
from mien.models.recipes._disentangle_settings import Remove as Remove
from mien.models.recipes._disentangle_settings import spy_names
from mien.models.recipes._recipe import Answer, Minimise, Recipe

SOURCE = "Li et al. 2020, sections 3.1-3.3; Peri et al. 2021, section 3"


class Disentangle(Recipe):
    """The recipe; `encoder`, `projections`, `tasks` and `spies` are the modules that learning rates may name.

    `tasks` and `spies` hold classifiers by the name EMBEDDING-FACTOR; readers are among the spies.
    """

    def __init__(
        self,
        config: Config,
        encoder: nn.Module,
        classes: Mapping[str, int],
        class_weight: Mapping[str, Tensor],
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.projections, self.tasks, self.spies = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self._spy_names: dict[tuple[str, str], list[str]] = {}
        self._spy_sizes: dict[str, tuple[int, int]] = {}
        sizes: dict[str, int] = {}
        for name, embedding in config.embeddings.items():
            sizes[name] = encoder.dimension if embedding.dim is None else embedding.dim  # type: ignore[assignment]
            if embedding.dim is not None:
                self.projections[name] = nn.Linear(encoder.dimension, embedding.dim)  # type: ignore[arg-type]
            for factor in embedding.tasks:
                self.tasks[f"{name}-{factor}"] = classifier(sizes[name], config.hidden, classes[factor])
        for name, embedding in config.embeddings.items():  # last, so that models differ by nothing else at the start
            counts = {
                factor: one.spies for factor, one in embedding.remove.items() if REMOVALS[one.how].spy != "absent"
            }
            for factor, count in (counts | dict.fromkeys(embedding.read, 1)).items():
                self._spy_names[name, factor] = list(spy_names(name, factor, count))
                for spy in self._spy_names[name, factor]:
                    self._spy_sizes[spy] = (sizes[name], classes[factor])
                    self.spies[spy] = self._new_spy(spy)
        for factor, weight in class_weight.items():
            self.register_buffer(f"class_weight_{factor}", weight, persistent=False)
        self._class_weight = {factor: f"class_weight_{factor}" for factor in class_weight}

    def step(self, batch: Batch, minimise: Minimise) -> dict[str, Tensor]:
        """Train the spies, then the encoder with its tasks against them (Li et al. 2020, section 3.3)."""
        self._begin_anew(batch, minimise)
        embeddings = self.embed(batch)
        losses = self._teach_spies(embeddings, batch, minimise)
        objective = torch.zeros((), device=batch.rows.device)
        learning: list[nn.Module] = [self.encoder, self.projections, self.tasks]
        for name, embedding in embeddings.items():
            for factor, weight in self.config.embeddings[name].tasks.items():
                logits = self.tasks[f"{name}-{factor}"](embedding)
                loss = cross_entropy(logits, batch.labels[factor], self._weight(factor))  # Li et al., Eq. 4
                objective = objective + weight * loss
                losses[f"{name}: {factor}"] = loss.detach()
            for factor, remove in self.config.embeddings[name].remove.items():
                removal, weight = REMOVALS[remove.how], _weight_now(remove, minimise)
                if removal.term is None or weight == 0:
                    continue
                spies = self._spies(name, factor)
                parts = [removal.term(embedding, batch.labels[factor], spy, weight / len(spies)) for spy in spies]
                loss = torch.stack(parts).sum()
                objective = objective + loss  # Li et al., Eq. 5; Peri et al., Eq. 1 less Eq. 2
                if removal.spy == "main phase":
                    learning += spies  # each at its full rate: the weight is on the reversed gradient alone
                    loss = loss / len(spies)
                losses[f"{name}: removal of {factor}"] = loss.detach()
        for name, penalty in self.config.penalties.items():
            if penalty.weight > 0:
                first, second = penalty.between
                loss = PENALTIES[name](embeddings[first], embeddings[second], batch.rows, batch.size)
                objective = objective + penalty.weight * loss
                losses[f"{name} of {first} and {second}"] = loss.detach()
        minimise(objective, *learning)
        return losses

    def _teach_spies(self, embeddings: Mapping[str, Tensor], batch: Batch, minimise: Minimise) -> dict[str, Tensor]:
        """Spies and readers learn from embeddings that stay (Li et al. 2020, Eq. 1; Peri et al. 2021, Eq. 2)."""
        losses: dict[str, Tensor] = {}
        for name, embedding in embeddings.items():
            settings = self.config.embeddings[name]
            for factor, remove in settings.remove.items():
                spies, where = self._spies(name, factor), REMOVALS[remove.how].spy
                if where == "own phase":
                    for _ in range(remove.spy_steps):
                        loss = _learn(spies, embedding, batch.labels[factor], minimise)
                    losses[f"{name}: spy on {factor}"] = loss
                if where != "absent" and _weight_now(remove, minimise) == 0:
                    loss = torch.zeros((), device=embedding.device)
                    if where == "main phase":  # with nothing to reverse it learns by itself
                        loss = _learn(spies, embedding, batch.labels[factor], minimise)
                    losses[f"{name}: removal of {factor}"] = loss
            for factor in settings.read:
                loss = _learn(self._spies(name, factor), embedding, batch.labels[factor], minimise)
                losses[f"{name}: reader of {factor}"] = loss
        return losses

    def _begin_anew(self, batch: Batch, minimise: Minimise) -> None:
        """Where it is time, give one spy of a removal, each in its turn, new weights by (seed, step, name)."""
        for name, embedding in self.config.embeddings.items():
            for factor, remove in embedding.remove.items():
                names = self._spy_names.get((name, factor), [])
                if not names or remove.restart is None or batch.step == 0 or batch.step % remove.restart:
                    continue
                spy = names[(batch.step // remove.restart - 1) % len(names)]
                drawn = uniform(batch.seed, batch.step, f"spy {spy}", 1).item()
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(int(drawn * 2**53))
                    self.spies[spy].load_state_dict(self._new_spy(spy).state_dict())
                minimise.forget(self.spies[spy])

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return factor -> logits B x K of every task; the first embedding that has the task tells.

        A factor that is no task of any embedding is told by the first that has it read.
        """
        return self._predict(self.embed(batch))

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the embeddings by name, each B x `dim`."""
        code, embeddings = self.encoder(batch), {}
        for name, settings in self.config.embeddings.items():
            embedding = self.projections[name](code) if name in self.projections else code
            embeddings[name] = embedding.relu() if settings.activation == "relu" else embedding
        return embeddings

    def spied(self, batch: Batch) -> dict[str, Tensor]:
        """Return name -> logits B x K of every reader and spy, as `disentangle_settings.spy_names` calls them."""
        return self._spied(self.embed(batch))

    def answer(self, batch: Batch) -> Answer:
        """Return all that is said, from one pass through the encoder."""
        embeddings = self.embed(batch)
        return Answer(self._predict(embeddings), embeddings, self._spied(embeddings))

    def _predict(self, embeddings: Mapping[str, Tensor]) -> dict[str, Tensor]:
        logits: dict[str, Tensor] = {}
        for heads, (name, embedding) in product((self.tasks, self.spies), embeddings.items()):
            settings = self.config.embeddings[name]
            for factor in settings.tasks if heads is self.tasks else settings.read:
                if factor not in logits:
                    logits[factor] = heads[f"{name}-{factor}"](embedding)
        return logits

    def _spied(self, embeddings: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {spy: self.spies[spy](embeddings[name]) for (name, _), spies in self._spy_names.items() for spy in spies}

    def _spies(self, name: str, factor: str) -> list[nn.Module]:
        return [self.spies[spy] for spy in self._spy_names.get((name, factor), [])]

    def _new_spy(self, name: str) -> nn.Module:
        dimension, classes = self._spy_sizes[name]
        return classifier(dimension, self.config.widths, classes)

    def _weight(self, factor: str) -> Tensor | None:
        name = self._class_weight.get(factor)
        return None if name is None else self.get_buffer(name)


def _weight_now(remove: Remove, minimise: Minimise) -> float:
    return remove.weight * strength(minimise.progress, warmup=remove.warmup, schedule=remove.schedule)


def _learn(spies: Sequence[nn.Module], embedding: Tensor, labels: Tensor, minimise: Minimise) -> Tensor:
    """One step of each spy on an embedding that does not move; return the mean of their losses before it."""
    losses = []
    for spy in spies:
        loss = cross_entropy(spy(embedding.detach()), labels)
        minimise(loss, spy)
        losses.append(loss.detach())
    return torch.stack(losses).mean()


def build(
    config: Config, encoder: nn.Module, classes: Mapping[str, int], class_weight: Mapping[str, Tensor]
) -> Disentangle:
    """Build the model of one configuration.

    Args:
        config: its settings.
        encoder: an encoder with a `dimension`.
        classes: factor -> number of classes, of every factor of the configuration.
        class_weight: factor -> weight of each class (K) in its task's cross-entropy; others are unweighted.
    """
    return Disentangle(config, encoder, classes, class_weight)


def predictor(config: Config, factor: str = "emotion") -> Config:
    """The same model with nothing but what predicts a factor: one embedding, one task or reader, no spy."""
    tellers = [(name, one) for name, one in config.embeddings.items() if one.tells(factor)]
    name, embedding = next(((name, one) for name, one in tellers if factor in one.tasks), tellers[0])
    tasks = {factor: embedding.tasks[factor]} if factor in embedding.tasks else {}
    read = () if tasks else (factor,)
    alone = Embedding(dim=embedding.dim, activation=embedding.activation, tasks=tasks, read=read)
    return Config(embeddings={name: alone}, hidden=config.hidden, spy_hidden=config.spy_hidden)
