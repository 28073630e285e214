"""Embeddings that carry some factors and are rid of others (Li et al. 2020; Peri et al. 2021).

One encoder feeds one or more embeddings. Each has *tasks*, factors that a classifier predicts from it, and factors to
*remove*, each with adversaries that try to predict it and a row of `objectives.removals` that acts against them. With
emotion as task and speaker removed by maximum entropy it is MEnAN; with speaker as a second task, the multitask
model; with gradient reversal, domain adversarial training; with nothing removed, emotion only. With an embedding of the
emotion and one of the speaker, each rid of the other's factor, it is Peri et al. A factor may also be *auxiliary*: its
classifier then learns from an embedding that it never moves. Penalties keep two embeddings apart without an adversary.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

from mien.data.batch import Batch, uniform
from mien.data.targets import Target, rightness
from mien.models.encoders._joined import joined
from mien.models.layers.heads import classifier
from mien.models.objectives.losses import PENALTIES
from mien.models.objectives.removals import REMOVALS, strength
from mien.models.objectives.task_losses import task_loss
from mien.models.recipes._disentangle_settings import DISENTANGLEMENT, branches_of
from mien.models.recipes._disentangle_settings import Config as Config
from mien.models.recipes._disentangle_settings import Embedding as Embedding
from mien.models.recipes._disentangle_settings import Penalty as Penalty
from mien.models.recipes._disentangle_settings import Remove as Remove
from mien.models.recipes._recipe import Answer, Branch, Given, Inference, Minimise, Recipe

TAKES = ("vector", "map", "sequence")
LEAK = 0.1  # weight of the leak; with a weight of 1 the best epoch is one of the first, when neither is learned yet
SOURCE = "Li et al. 2020, sections 3.1-3.3; Peri et al. 2021, section 3"


class Disentangle(Recipe):
    """The recipe; `encoder`, `projections`, `tasks` and `adversaries` are the modules that learning rates may name.

    `tasks` and `adversaries` hold classifiers by the name EMBEDDING-FACTOR; auxiliary classifiers are in `adversaries`.
    """

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder = joined(given.encoders)
        self.targets = given.targets
        self.projections, self.tasks, self.adversaries = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self._branches: dict[tuple[str, str], list[Branch]] = {}
        self._branch_sizes: dict[Branch, tuple[int, int]] = {}
        sizes: dict[str, int] = {}
        for name, embedding in config.embeddings.items():
            sizes[name] = encoder.dimension if embedding.dim is None else embedding.dim  # type: ignore[assignment]
            if embedding.dim is not None:
                self.projections[name] = nn.Linear(encoder.dimension, embedding.dim)  # type: ignore[arg-type]
            for factor in embedding.tasks:
                self.tasks[f"{name}-{factor}"] = classifier(sizes[name], config.hidden, given.targets[factor].size)
        for name, embedding in config.embeddings.items():  # last, so that models differ by nothing else at the start
            counts = {
                factor: one.adversaries
                for factor, one in embedding.remove.items()
                if REMOVALS[one.how].adversary != "absent"
            }
            for factor, count in (counts | dict.fromkeys(embedding.auxiliary, 1)).items():
                self._branches[name, factor] = branches_of(name, factor, count)
                for branch in self._branches[name, factor]:
                    self._branch_sizes[branch] = (sizes[name], given.targets[factor].size)
                    self.adversaries[str(branch)] = self._new_adversary(branch)
        for factor, weight in given.class_weight.items():
            self.register_buffer(f"class_weight_{factor}", weight, persistent=False)
        self._class_weight = {factor: f"class_weight_{factor}" for factor in given.class_weight}

    def step(self, batch: Batch, minimise: Minimise) -> dict[str, Tensor]:
        """Train the adversaries, then the encoder with its tasks against them (Li et al. 2020, section 3.3)."""
        self._begin_anew(batch, minimise)
        embeddings = self.embed(batch)
        losses = self._teach_adversaries(embeddings, batch, minimise)
        terms: list[Tensor] = []
        learning: list[nn.Module] = [self.encoder, self.projections, self.tasks]
        for name, embedding in embeddings.items():
            for factor, weight in self.config.embeddings[name].tasks.items():
                logits = self.tasks[f"{name}-{factor}"](embedding)
                weights = self._weight(factor)
                loss = task_loss(self.targets[factor], logits, batch.labels[factor], weights)  # Li et al., Eq. 4
                terms.append(weight * loss)
                losses[f"{name}: {factor}"] = loss.detach()
            for factor, remove in self.config.embeddings[name].remove.items():
                removal, weight = REMOVALS[remove.how], _weight_now(remove, minimise)
                term = removal.unbounded if remove.bound == "none" else removal.term
                if term is None or weight == 0:
                    continue
                adversaries = self._adversaries(name, factor)
                share = weight / len(adversaries)
                parts = [term(embedding, batch.labels[factor], adversary, share) for adversary in adversaries]
                loss = torch.stack(parts).sum()
                terms.append(loss)  # Li et al., Eq. 5; Peri et al., Eq. 1 less Eq. 2
                if removal.adversary == "main phase":
                    learning += adversaries  # each at its full rate: the weight is on the reversed gradient alone
                    loss = loss / len(adversaries)
                losses[f"{name}: removal of {factor}"] = loss.detach()
        for name, penalty in self.config.penalties.items():
            if penalty.weight > 0:
                first, second = penalty.between
                loss = PENALTIES[name](embeddings[first], embeddings[second], batch.rows, batch.size)
                terms.append(penalty.weight * loss)
                losses[f"{name} of {first} and {second}"] = loss.detach()
        minimise(sum(terms[1:], terms[0]) if terms else torch.zeros((), device=batch.rows.device), *learning)
        return losses

    def _teach_adversaries(
        self, embeddings: Mapping[str, Tensor], batch: Batch, minimise: Minimise
    ) -> dict[str, Tensor]:
        """Train adversaries and auxiliary classifiers on fixed embeddings (Li et al., Eq. 1; Peri et al., Eq. 2)."""
        losses: dict[str, Tensor] = {}
        for name, embedding in embeddings.items():
            settings = self.config.embeddings[name]
            for factor, remove in settings.remove.items():
                adversaries, where = self._adversaries(name, factor), REMOVALS[remove.how].adversary
                if where == "absent":
                    continue
                off = _weight_now(remove, minimise) == 0
                with_encoder = where == "main phase" and not off  # its last step is the encoder's own
                loss = nothing = torch.zeros((), device=embedding.device)
                for _ in range(remove.adversary_steps - with_encoder):
                    loss = self._learn(adversaries, embedding, factor, batch, minimise)
                if where == "own phase":
                    losses[f"{name}: adversary on {factor}"] = loss
                if off:
                    losses[f"{name}: removal of {factor}"] = loss if where == "main phase" else nothing
            for factor in settings.auxiliary:
                loss = self._learn(self._adversaries(name, factor), embedding, factor, batch, minimise)
                losses[f"{name}: auxiliary classifier of {factor}"] = loss
        return losses

    def _begin_anew(self, batch: Batch, minimise: Minimise) -> None:
        """Where it is time, give one adversary of a removal, each in its turn, new weights by (seed, step, name)."""
        for name, embedding in self.config.embeddings.items():
            for factor, remove in embedding.remove.items():
                branches = self._branches.get((name, factor), [])
                if not branches or remove.restart is None or batch.step == 0 or batch.step % remove.restart:
                    continue
                branch = branches[(batch.step // remove.restart - 1) % len(branches)]
                # the name is part of the seed: with another one, trained runs could not be repeated
                number = uniform(batch.seed, batch.step, f"spy {branch}", 1).item()
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(int(number * 2**53))
                    self.adversaries[str(branch)].load_state_dict(self._new_adversary(branch).state_dict())
                minimise.forget(self.adversaries[str(branch)])

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return factor -> logits B x K (or numbers) of every task, from the first embedding that has it.

        A factor that is no task of any embedding is predicted by the first auxiliary classifier of it.
        """
        return self._predict(self.embed(batch))

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the embeddings by name, each B x `dim`."""
        code, embeddings = self.encoder(batch), {}
        for name, settings in self.config.embeddings.items():
            embedding = self.projections[name](code) if name in self.projections else code
            embeddings[name] = embedding.relu() if settings.activation == "relu" else embedding
        return embeddings

    def branches(self, batch: Batch) -> dict[Branch, Tensor]:
        """Return the logits B x K of every adversary and auxiliary classifier."""
        return self._read(self.embed(batch))

    def answer(self, batch: Batch) -> Answer:
        """Return all outputs, from one pass through the encoder."""
        embeddings = self.embed(batch)
        return Answer(self._predict(embeddings), embeddings, self._read(embeddings))

    @property
    def phases(self) -> frozenset[frozenset[str]]:
        """Each adversary and auxiliary classifier that learns by itself; the encoder with its tasks and the rest."""
        main, alone = {"encoder", "projections", "tasks"}, set()
        for (name, factor), branches in self._branches.items():
            remove = self.config.embeddings[name].remove.get(factor)
            names = {f"adversaries.{branch}" for branch in branches}
            if remove is not None and REMOVALS[remove.how].adversary == "main phase" and remove.weight > 0:
                main |= names
                names = names if remove.adversary_steps > 1 else set()
            alone |= names
        return frozenset({frozenset(main), *(frozenset({name}) for name in alone)})

    @property
    def heads(self) -> dict[str, frozenset[str]]:
        """The classifiers of each factor: of tasks, adversaries and auxiliary ones."""
        tasks = [
            (factor, f"tasks.{name}-{factor}") for name, one in self.config.embeddings.items() for factor in one.tasks
        ]
        branches = [(branch.factor, f"adversaries.{branch}") for branch in self._branch_sizes]
        both = [*tasks, *branches]
        return {factor: frozenset(name for own, name in both if own == factor) for factor in self.config.factors}

    def scores(
        self, inference: Inference, labels: Mapping[str, Tensor], tasks: float, targets: Mapping[str, Target]
    ) -> dict[str, float]:
        """`disentanglement`: the mean score of the tasks less a tenth (`LEAK`) of the mean score of the branches.

        Of several branches for one factor the best counts, since one that was just reset knows nothing. Peri et al.
        2021, section 4.2, choose by the lowest leak alone, which an embedding that carries nothing would win; the
        weight of the tasks against it is ours.
        """
        best: dict[tuple[str, str], float] = {}
        for branch, logits in inference.branches.items():
            place = (branch.embedding, branch.factor)
            score = rightness(targets[branch.factor], logits, labels[branch.factor])
            if not math.isnan(score):
                best[place] = max(score, best.get(place, 0.0))
        leak = float(np.mean(list(best.values()))) if best else 0.0
        return {DISENTANGLEMENT: tasks - LEAK * leak}

    def _predict(self, embeddings: Mapping[str, Tensor]) -> dict[str, Tensor]:
        logits: dict[str, Tensor] = {}
        for heads, (name, embedding) in product((self.tasks, self.adversaries), embeddings.items()):
            settings = self.config.embeddings[name]
            for factor in settings.tasks if heads is self.tasks else settings.auxiliary:
                if factor not in logits:
                    logits[factor] = heads[f"{name}-{factor}"](embedding)
        return logits

    def _read(self, embeddings: Mapping[str, Tensor]) -> dict[Branch, Tensor]:
        return {branch: self.adversaries[str(branch)](embeddings[branch.embedding]) for branch in self._branch_sizes}

    def _adversaries(self, name: str, factor: str) -> list[nn.Module]:
        return [self.adversaries[str(branch)] for branch in self._branches.get((name, factor), [])]

    def _new_adversary(self, branch: Branch) -> nn.Module:
        dimension, classes = self._branch_sizes[branch]
        return classifier(dimension, self.config.widths, classes)

    def _learn(
        self, adversaries: Sequence[nn.Module], embedding: Tensor, factor: str, batch: Batch, minimise: Minimise
    ) -> Tensor:
        """One step of each adversary on an embedding that does not move; return the mean of their losses before it."""
        losses = []
        for adversary in adversaries:
            loss = task_loss(self.targets[factor], adversary(embedding.detach()), batch.labels[factor])
            minimise(loss, adversary)
            losses.append(loss.detach())
        return torch.stack(losses).mean()

    def _weight(self, factor: str) -> Tensor | None:
        name = self._class_weight.get(factor)
        return None if name is None else self.get_buffer(name)


def _weight_now(remove: Remove, minimise: Minimise) -> float:
    return remove.weight * strength(minimise.progress, warmup=remove.warmup, schedule=remove.schedule)


def build(config: Config, given: Given) -> Disentangle:
    """Build the model of one configuration from encoders that it joins; what has a time is averaged over it."""
    return Disentangle(config, given)


TINY = {
    "emotion only": {"hidden": [6], "embeddings": {"main": {"tasks": {"emotion": 1.0}}}},
    "multitask": {"hidden": [6], "embeddings": {"main": {"tasks": {"emotion": 0.5, "speaker": 0.5}}}},
    "distribution": {
        "hidden": [6],
        "embeddings": {"main": {"tasks": {"votes": 1.0}, "remove": {"emotion": {"how": "confusion", "weight": 0.1}}}},
    },
    "number": {"hidden": [6], "embeddings": {"main": {"tasks": {"valence": 1.0}, "auxiliary": ["speaker"]}}},
    "concordance": {"hidden": [6], "embeddings": {"main": {"tasks": {"arousal": 1.0}, "auxiliary": ["valence"]}}},
    "two embeddings": {
        "hidden": [6],
        "embeddings": {
            "emotion": {
                "dim": 8,
                "tasks": {"emotion": 1.0},
                "remove": {"speaker": {"how": "alternating", "weight": 0.1, "adversaries": 2, "restart": 3}},
            },
            "speaker": {
                "dim": 3,
                "tasks": {"speaker": 0.5},
                "remove": {"emotion": {"how": "gradient_reversal", "weight": 0.1}},
            },
            "other": {"dim": 3, "activation": "relu", "tasks": {"emotion": 0.1}, "auxiliary": ["speaker"]},
        },
        "penalties": {name: {"between": ["emotion", "speaker"], "weight": 0.01} for name in PENALTIES},
    },
    **{
        f"removal {how}": {
            "hidden": [6],
            "embeddings": {
                "main": {"tasks": {"emotion": 0.5}, "remove": {"speaker": {"how": how, "adversary_steps": 2}}}
            },
        }
        for how in REMOVALS
    },
}
