"""Cross-modal distillation: a teacher of faces teaches a student of voices (Albanie et al. 2018).

The teacher says of each frame of the face what emotion it shows, as logits; the student hears the same seconds and is
to give the same distribution. No label of a person is used. What a part of a clip is taught is the maximum of each
logit over its frames, which stands for the peak frames of an expression (section 3.1), and both distributions are those
of a softmax of temperature 2 (Eq. 1).

The teacher's frames are `data.teacher`: logits that were kept (`frame_logits`), one vector of logits a clip
(`columns`), or face crops, about which a frozen model is asked in each step (`teacher`). Without `data.teacher` the
main target itself is what teaches: the distribution of a clip, whatever part of it the student hears.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn

from mien.data.batch import Batch
from mien.data.targets import Target
from mien.errors import ConfigError
from mien.models.encoders._joined import joined
from mien.models.layers.frame_logits import Pool, pooled
from mien.models.layers.frozen import Absent, Frozen
from mien.models.objectives.losses import distillation, mean
from mien.models.recipes._recipe import Answer, Given, Inference, Minimise, Recipe, RecipeConfig

TAKES = ("vector", "map", "sequence")
TAUGHT = True
SOURCE = "Albanie et al. 2018, sections 3 and 5"
STUDENT = "student"  # the one embedding
OBJECTIVE = "objective"
TEACHER = "teacher"
LEAST = 1e-12  # a probability whose logarithm is taken


class Config(RecipeConfig):
    """One model.

    Attributes:
        task: the factor that is predicted: the emotions that the teacher knows.
        loss: "cross_entropy" of softmaxes, or "regression": the squared distance of the logits, which did worse in the
            paper (section 5).
        temperature: of both softmaxes (Eq. 1). Albanie et al.: 2.
        squared: whether the cross-entropy is multiplied by the square of the temperature, which keeps the size of its
            gradient (Hinton et al. 2015); the paper does not say (`assumed`: no).
        pool: how the frames of a part become one vector, see `layers.frame_logits.POOLINGS`: "max", the greatest logit
            of each emotion (section 3.1; `assumed`, as the paper also speaks of distributions), "max_distribution",
            "mean", or "log_mean".
        deviation: standard deviation of the first weights of the last layer, as `vgg_m` has of the others.
        teacher: the model of faces, a name or a folder, that says what the crops of `data.teacher` show; it never
            moves, and checkpoints hold its hash alone. None where `data.teacher` are logits. To ask it in every epoch
            again costs more than to keep what it says (`mien label`).
    """

    task: str = "emotion"
    loss: Literal["cross_entropy", "regression"] = "cross_entropy"
    temperature: float = Field(2.0, gt=0)
    squared: bool = False
    pool: Pool = "max"
    deviation: float = Field(0.01, gt=0)
    teacher: str | None = None

    @field_validator("teacher")
    @classmethod
    def _absolute(cls, teacher: str | None) -> str | None:
        return str(Path(teacher).absolute()) if teacher is not None and Path(teacher).exists() else teacher

    @property
    def frozen(self) -> Mapping[str, str]:
        """The teacher that is asked."""
        return {} if self.teacher is None else {TEACHER: self.teacher}

    def predictor(self, target: str) -> "Config":
        """The student without its teacher."""
        return self.model_copy(update={"teacher": None})

    @property
    def carried(self) -> Mapping[str, frozenset[str]]:
        """The student's vector carries the task."""
        return {STUDENT: frozenset({self.task})}

    @property
    def scores(self) -> frozenset[str]:
        """The objective."""
        return frozenset({OBJECTIVE})


class Distill(Recipe):
    """The recipe; `encoder` and `head` are the modules that learning rates may name."""

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        self.config, self.target, self.frames = config, given.targets[config.task], given.teacher
        if self.target.kind == "numbers":
            raise ConfigError(f"task '{config.task}': is a number, and a teacher's logits are of classes")
        pixels = given.teacher is not None and len(given.teacher) > 1
        if pixels != (config.teacher is not None):
            raise ConfigError(
                "data.teacher: are pictures, and no model says what they show; give models.NAME.teacher, a model of "
                "faces such as face-small, or the logits that it gave"
                if pixels
                else "teacher: a model of faces is asked about pictures, and data.teacher has none; give "
                "data.teacher={name: crops, ...}, or leave 'teacher' out"
            )
        if given.teacher is not None and not pixels and given.teacher != (self.target.size,):
            shape = " x ".join(map(str, given.teacher))
            raise ConfigError(
                f"data.teacher: a frame has {shape} values, and '{config.task}' has {self.target.size} classes "
                f"({', '.join(self.target.classes)}); give the teacher's logits of these classes, in this order"
            )
        self.encoder = joined(given.encoders)
        self.head = nn.Linear(self.encoder.dimension, self.target.size)  # type: ignore[arg-type]
        nn.init.normal_(self.head.weight, std=config.deviation)
        nn.init.zeros_(self.head.bias)
        if config.teacher is not None:
            self.teacher = Frozen(given.frozen[TEACHER]) if TEACHER in given.frozen else Absent()

    def step(self, batch: Batch, minimise: Minimise) -> dict[str, Tensor]:
        """Bring the student's logits to the teacher's for the same seconds."""
        wanted, known = self.taught(batch)
        loss = self._loss(self.head(self.encoder(batch)), wanted, known)
        minimise(loss, self.encoder, self.head)
        return {self.config.loss.replace("_", "-"): loss.detach()}

    def taught(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the teacher says of each clip, logits B x K, float32 or wider, and of which it says anything, B bool."""
        if self.frames is None:
            return logits_of(batch.labels[self.config.task], self.target)
        if batch.teacher is None:
            raise ValueError("the batch has no frames of a teacher")
        values, valid = batch.teacher.values, batch.teacher.valid
        return pooled(self._asked(values, valid), valid, self.target.size, self.config.pool)

    def _asked(self, values: Tensor, valid: Tensor) -> Tensor:
        """The teacher's logits of each frame, B x T x K, zeros where not valid."""
        if self.config.teacher is None:
            return values
        frames = values[valid]
        logits = self.teacher(frames) if len(frames) else values.new_zeros(0, self.target.size)
        shown: Tensor = values.new_zeros(*valid.shape, self.target.size)
        shown[valid] = logits.to(shown.dtype)
        return shown

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return the student's logits, B x K."""
        return self.answer(batch).outputs

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the student's vector, B x D."""
        return {STUDENT: self.encoder(batch)}

    def answer(self, batch: Batch) -> Answer:
        """Return both, from one pass."""
        vectors = self.encoder(batch)
        return Answer({self.config.task: self.head(vectors)}, {STUDENT: vectors})

    @property
    def phases(self) -> frozenset[frozenset[str]]:
        """One."""
        return frozenset({frozenset({"encoder", "head"})})

    @property
    def heads(self) -> Mapping[str, frozenset[str]]:
        """Everything learns from the one teacher, or from the labels that stand for it."""
        return {self.config.task: frozenset({"encoder", "head"})} if self.frames is None else {}

    def scores(
        self, inference: Inference, labels: Mapping[str, Tensor], tasks: float, targets: Mapping[str, Target]
    ) -> dict[str, float]:
        """`objective`: the negative of the loss on whole clips, against what the teacher says of all their frames.

        Of logits that are known up to a constant alone, as those of a distribution are, the squared distance is that of
        logits from which each one's mean is subtracted.
        """
        wanted, known = logits_of(labels[self.config.task], self.target)
        if not bool(known.any()):
            return {OBJECTIVE: math.nan}
        outputs = torch.from_numpy(inference.outputs[self.config.task])[known].double()
        wanted = wanted[known].double()
        if self.config.loss == "regression":
            outputs, wanted = (values - values.mean(dim=1, keepdim=True) for values in (outputs, wanted))
            return {OBJECTIVE: -float((outputs - wanted).square().sum(dim=1).mean())}
        one, other = (values / self.config.temperature for values in (outputs, wanted))
        return {OBJECTIVE: float((other.softmax(dim=1) * one.log_softmax(dim=1)).sum(dim=1).mean()) * self._times}

    def wanted(self, frames: Tensor, valid: Tensor) -> Tensor | None:
        """Return the distribution of the frames of a whole clip, pooled as those of a part are in training, K float64.

        None where the teacher is asked in each step, or where no frame is valid; the main target stands for it then.
        """
        if self.frames is None or self.config.teacher is not None or not bool(valid.any()):
            return None
        found, _ = pooled(frames[None].double(), valid[None], self.target.size, self.config.pool)
        return found[0].softmax(dim=0)

    @property
    def _times(self) -> float:
        return self.config.temperature**2 if self.config.squared else 1.0

    def _loss(self, outputs: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
        if self.config.loss == "regression":
            outputs = outputs if outputs.dtype == torch.float64 else outputs.float()
            return mean((outputs - wanted).square().sum(dim=1), known)
        return self._times * distillation(outputs, wanted, known, self.config.temperature)


def logits_of(labels: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Labels as in `Batch` as logits: the logarithms of the probabilities; and which are known, B bool.

    Args:
        labels: B x K probabilities, nan where not known; or B int64, -1 where not known: all probability is on one.
        target: what they are of.
    """
    if labels.dim() == 1:
        known, shares = labels >= 0, F.one_hot(labels.clamp(min=0), target.size).to(torch.get_default_dtype())
    else:
        known, shares = ~labels.isnan().any(dim=1), labels.nan_to_num()
    return shares.clamp(min=LEAST).log(), known


def build(config: Config, given: Given) -> Distill:
    """Build the model of one configuration; encoders of several modalities are joined."""
    return Distill(config, given)


TINY: dict[str, dict[str, Any]] = {
    "labels": {"task": "votes", "deviation": 0.1},
    "regression": {"task": "votes", "loss": "regression", "deviation": 0.1},
    "classes": {"squared": True, "deviation": 0.1},
}
