"""The options of the audit of embeddings, from the command line to the division of the clips. Imports nothing heavy."""

from dataclasses import dataclass, fields
from typing import TypedDict, get_args

from mien.common.leakage_tables import SPEAKER, Seen
from mien.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class LeakageOptions:
    """Which factors are probed, on which test clips, and how.

    Attributes:
        factor: column of the labels to predict; may be given several times (default: speaker).
        speakers: whether the encoder was trained on these speakers; only reported.
        balanced: balance the test clips over this column, so that it cannot predict the factor.
        seen_speakers: test on speakers that the probes were trained on, whatever the factor.
        large: use the faster mode for very many clips, however many there are.
        seed: random seed of divisions, probes, bootstraps and permutations; also with RUN.

    Raises:
        ConfigError: `speakers` is another word, or the seed is negative.
    """

    factor: tuple[str, ...] | None = None
    speakers: Seen | None = None
    balanced: str | None = None
    seen_speakers: bool = False
    large: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.speakers is not None and self.speakers not in get_args(Seen):
            raise ConfigError(f"speakers = '{self.speakers}' is neither {' nor '.join(get_args(Seen))}")
        if self.seed < 0:
            raise ConfigError(f"seed = {self.seed} is negative; give 0 or more")

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors to probe, each once."""
        return tuple(dict.fromkeys(self.factor or (SPEAKER,)))

    @property
    def changed(self) -> dict[str, object]:
        """The fields that differ from their defaults."""
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}


DEFAULT = LeakageOptions()


class LeakageKeywords(TypedDict, total=False):
    """The fields of `LeakageOptions` but the factor, as keyword arguments of `mien.leakage`."""

    speakers: Seen | None
    balanced: str | None
    seen_speakers: bool
    large: bool
    seed: int
