"""An adversarial autoencoder with classifiers on its code: learn from speech that nobody labelled (Rana et al. 2019).

With reconstruction, regularisation and auxiliary tasks it is the paper's model; without regularisation its
semi-supervised autoencoder (AE); without both the supervised network (CNN); without auxiliary tasks the single-task
version of each.

A step has the three phases of section III-A. Eq. 5 puts the encoder's three terms into one sum and has no alpha, which
Eq. 1 and 2 have: phases with alpha on the reconstruction are our reading (`assumed`), and `joint` is the sum. The
encoder has one state of the optimiser in all phases: with a state for each, Adam would divide alpha out again.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from mien.common.settings import Settings
from mien.data.batch import Batch
from mien.models.encoders.convolutional import Decoder
from mien.models.layers.maps import MapClassifier, over_time
from mien.models.objectives.losses import deception, discrimination, reconstruction
from mien.models.recipes._recipe import Answer, Given, Minimise, Recipe
from mien.models.recipes._semi_supervised import CODE, Classifiers, Tasks, encoder_of, labelled

TAKES = ("map",)
SOURCE = "Rana et al. 2019, section III"

Rate = Annotated[float, Field(gt=0)]


class Rates(Settings):
    """What the learning rates are multiplied by in each phase.

    Attributes:
        reconstruction: of the encoder and the decoder.
        regularisation: of the discriminator, and of the encoder against it.
        classification: of the encoder and the classifiers.
    """

    reconstruction: Rate = 1.0
    regularisation: Rate = 1.0
    classification: Rate = 1.0


class Config(Tasks):
    """One model.

    Attributes:
        reconstruction: whether there is a decoder.
        regularisation: whether there is a discriminator.
        alpha: weight of the reconstruction; in a single-task model the classifier has 1 - `alpha` (Eq. 1), in a
            multitask one 1 (Eq. 2). Without reconstruction it has no meaning.
        prior: of the discriminator's real samples: the absolute value of a standard normal variable, as a code behind
            a rectifier is not negative, or the variable itself, which such a code cannot match.
        saturating: see `objectives.losses.deception`.
        joint: whether the encoder learns from one sum (Eq. 5, the reconstruction times alpha), not in three phases.
        rates: of the phases; with `joint` the sum has that of the classification.
    """

    reconstruction: bool = True
    regularisation: bool = True
    alpha: float = Field(0.4, gt=0, le=1)
    prior: Literal["half_normal", "normal"] = "half_normal"
    saturating: bool = True
    joint: bool = False
    rates: Rates = Rates()

    @property
    def label_free(self) -> bool:
        """With a decoder or a discriminator."""
        return self.reconstruction or self.regularisation

    def predictor(self, target: str) -> "Config":
        """The encoder and one classifier."""
        return self.model_copy(update={**self.alone(target), "reconstruction": False, "regularisation": False})


class Autoencode(Recipe):
    """The recipe; `encoder`, `decoder`, `discriminator` and `classifiers` are the modules that rates may name."""

    def __init__(self, config: Config, given: Given) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder_of(given, config)
        channels, rows = self.encoder.channels, self.encoder.rows
        self.classifiers = Classifiers(config, given, channels, rows)
        self.decoder: Decoder | None = self.encoder.decoder() if config.reconstruction else None
        self.discriminator: MapClassifier | None = None
        if config.regularisation:  # without batch normalisation, which would hide how far code and prior differ
            self.discriminator = MapClassifier(
                channels, rows, 1, hidden=config.hidden, rate=config.dropout, normalised=False
            )

    def step(self, batch: Batch, minimise: Minimise) -> dict[str, Tensor]:
        """Reconstruction, regularisation, classification (section III-A)."""
        if self.config.joint:
            return self._joint_step(batch, minimise)
        losses: dict[str, Tensor] = {}
        rates = self.config.rates
        if self.decoder is not None:
            error = self._reconstruction(batch, *self.encoder(batch))
            minimise(self.config.alpha * error, self.encoder, self.decoder, rate=rates.reconstruction)
            losses["reconstruction"] = error.detach()
        if self.discriminator is not None:
            code, valid = self.encoder(batch)
            losses["discriminator"] = self._teach_discriminator(code, valid, batch, minimise)  # Eq. 4
            minimise(self._deception(code, valid, batch), self.encoder, rate=rates.regularisation)  # Eq. 5, first term
        if self._share > 0:
            known = labelled(batch, self.config.weights)
            code, valid = self.encoder(known)
            loss, parts = self.classifiers.loss(code, valid, known)
            minimise(self._share * loss, self.encoder, self.classifiers, rate=rates.classification)
            losses |= parts
        return losses

    def _joint_step(self, batch: Batch, minimise: Minimise) -> dict[str, Tensor]:
        """The discriminator, then the encoder on one sum (Eq. 5)."""
        code, valid = self.encoder(batch)
        loss, losses = self.classifiers.loss(code, valid, batch)
        objective, learning = self._share * loss, [self.encoder, self.classifiers]
        if self.decoder is not None:
            error = self._reconstruction(batch, code, valid)
            objective, learning = objective + self.config.alpha * error, [*learning, self.decoder]
            losses["reconstruction"] = error.detach()
        if self.discriminator is not None:
            losses["discriminator"] = self._teach_discriminator(code, valid, batch, minimise)
            objective = objective + self._deception(code, valid, batch)
        minimise(objective, *learning, rate=self.config.rates.classification)
        return losses

    @property
    def _share(self) -> float:
        """The weight of the classifiers' loss: Eq. 1, or Eq. 2."""
        single = self.decoder is not None and not self.config.auxiliary
        return 1 - self.config.alpha if single else 1.0

    def _reconstruction(self, batch: Batch, code: Tensor, valid: Tensor) -> Tensor:
        assert self.decoder is not None
        frames, usable = self.encoder.frames(batch)
        return reconstruction(self.decoder(code, valid, frames.shape[1]), frames, usable)

    def _teach_discriminator(self, code: Tensor, valid: Tensor, batch: Batch, minimise: Minimise) -> Tensor:
        """One step of the discriminator on the prior's samples and on codes that do not move; return its loss."""
        assert self.discriminator is not None
        real = self.discriminator(self._prior(code, valid, batch), valid, batch, "dropout real")[:, 0]
        fake = self.discriminator(code.detach(), valid, batch, "dropout fake")[:, 0]
        loss = discrimination(real, fake, valid.any(dim=1))
        minimise(loss, self.discriminator, rate=self.config.rates.regularisation)
        return loss.detach()

    def _deception(self, code: Tensor, valid: Tensor, batch: Batch) -> Tensor:
        assert self.discriminator is not None
        fake = self.discriminator(code, valid, batch, "dropout deceived")[:, 0]
        return deception(fake, valid.any(dim=1), saturating=self.config.saturating)

    def _prior(self, code: Tensor, valid: Tensor, batch: Batch) -> Tensor:
        """Samples of p(z) of the code's shape, zero where it is not valid."""
        samples = torch.special.ndtri(batch.uniform("prior", *code.shape[1:]).clamp(min=2.0**-53)).to(code)
        samples = samples.abs() if self.config.prior == "half_normal" else samples
        return torch.where(valid[:, None, :, None], samples, 0.0)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Return task -> B x K logits, or numbers."""
        return self.answer(batch).outputs

    def embed(self, batch: Batch) -> dict[str, Tensor]:
        """Return the mean of the code over time, B x (C x D')."""
        return {CODE: over_time(*self.encoder(batch))}

    def answer(self, batch: Batch) -> Answer:
        """Return both, from one pass through the encoder."""
        code, valid = self.encoder(batch)
        return Answer(self.classifiers(code, valid, batch), {CODE: over_time(code, valid)})

    @property
    def phases(self) -> frozenset[frozenset[str]]:
        """What each phase moves; the discriminator always moves alone."""
        coding = {"decoder"} if self.decoder is not None else set()
        phases = [{"discriminator"}] if self.discriminator is not None else []
        if self.config.joint:
            return frozenset(map(frozenset, [*phases, {"encoder", "classifiers", *coding}]))
        phases += [{"encoder"}] if self.discriminator is not None else []
        phases += [{"encoder", *coding}] if coding else []
        phases += [{"encoder", "classifiers"}] if self._share > 0 else []
        return frozenset(map(frozenset, phases))

    @property
    def heads(self) -> Mapping[str, frozenset[str]]:
        """The classifier of each task."""
        return {task: frozenset({f"classifiers.heads.{task}"}) for task in self.config.tasks}


def build(config: Config, given: Given) -> Autoencode:
    """Build the model of one configuration from an encoder that returns a map and has a decoder."""
    return Autoencode(config, given)


_SMALL: dict[str, Any] = {"hidden": 12, "dropout": 0.1}
_MULTITASK: dict[str, Any] = {**_SMALL, "auxiliary": ["speaker"]}
TINY: dict[str, dict[str, Any]] = {
    "CNN": {**_SMALL, "reconstruction": False, "regularisation": False, "convolutions": 1},
    "CNN multitask": {**_MULTITASK, "reconstruction": False, "regularisation": False},
    "AE": {**_SMALL, "regularisation": False, "alpha": 0.3},
    "AE multitask": {**_MULTITASK, "regularisation": False},
    "AAE": _SMALL,
    "AAE multitask": {**_MULTITASK, "auxiliary": ["speaker", "votes"], "rates": {"regularisation": 0.5}},
    "AAE joint": {**_MULTITASK, "joint": True, "saturating": False, "prior": "normal"},
    "number": {**_SMALL, "main": "valence"},
}
