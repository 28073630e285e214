"""Whether leaks can be compared: an embedding that no longer tells what it is for leaks less, too.

The targets of an embedding are the tasks that it is trained for. How well a model tells them is the score of its own
heads on the clips that claims are scored on: accuracy of the speaker, UAR of classes, CCC of numbers. A difference of
leaks cannot be compared

- if one of its models has *collapsed*: what it tells of a target above chance is less than half of what the best model
  of the run tells;
- or if the side that leaks less also tells a target less: separably, by the rule of `verdict` with Holm's correction
  over the differences of the claim, and by more than `MARGIN`.

That a leak is above chance or above the identity floor stands whatever the model tells. Where the run has no scores of
a target, nothing is known of it, and nothing is said.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mien.audit.comparison.claim_scores import SCORES, Counts, Source
from mien.audit.run_leakage.targets import Targets
from mien.audit.statistics.contrasts import Contrast, Score, Term, contrast, verdicts
from mien.audit.statistics.scores import BySpeaker
from mien.experiments.claims import BELOW, MARGIN, NEAR, SPEAKER, Claim, Difference

COLLAPSED = 0.5  # of what the best model tells above chance


class _Predicted(NamedTuple):
    """How well models tell one target.

    Attributes:
        target: the factor.
        called: the name of the measure.
        measure: the score of counts.
        tables: model -> its counts.
        chance: the score of the most frequent class.
        best: the score of the best model of the run.
    """

    target: str
    called: str
    measure: Score
    tables: Mapping[str, BySpeaker]
    chance: float
    best: float

    def value(self, model: str) -> float:
        """The score of a model."""
        return float(self.measure(self.tables[model].counts.sum(0)))

    def collapsed(self, models: Sequence[str]) -> dict[str, float]:
        """The models that tell less than half of what the best one tells above chance, and their scores."""
        least = self.chance + COLLAPSED * (self.best - self.chance)
        values = {model: self.value(model) for model in models}
        return {model: value for model, value in values.items() if value < least}


def targets_of(claim: Claim, carried: Targets) -> frozenset[str]:
    """What the embedding of a claim is for, in any model; empty if the claim is of heads or of a target itself."""
    own = [embeddings[str(claim.embedding)] for embeddings in carried.values() if claim.embedding in embeddings]
    found = frozenset[str]().union(*own)
    return frozenset() if claim.factor in found else found


def comparable(
    claim: Claim, compared: Sequence[Difference], leaks: Sequence[float], counts: Counts, carried: Targets, *, seed: int
) -> tuple[list[bool], str]:
    """Whether each difference of a claim can be compared, and why others cannot.

    Args:
        claim: any claim; of one that is not of leakage all differences can be compared.
        compared: its differences.
        leaks: their values.
        counts: of the run.
        carried: model -> embedding -> its tasks.
        seed: of the bootstraps.

    Returns:
        A value for each difference; and the end of a sentence, empty if all can be compared.
    """
    fine, reasons = [True] * len(compared), []
    if claim.kind not in (BELOW, NEAR) and not any(one.minus for one in compared):
        return fine, ""  # above a level
    for target in sorted(targets_of(claim, carried)):
        if (predicted := _predicted(target, str(claim.embedding), counts, carried)) is None:
            continue
        known = [place for place, one in enumerate(compared) if {*one.plus, *one.minus} <= set(predicted.tables)]
        collapsed: dict[str, float] = {}
        for place in known:
            found = predicted.collapsed([*compared[place].plus, *compared[place].minus])
            fine[place] &= not found
            collapsed |= found
        if collapsed:
            each = ", ".join(f"{value:.3f}" for value in collapsed.values())
            verb = "predicts" if len(collapsed) == 1 else "predict"
            beside = f"{predicted.called} {each}, the best model {predicted.best:.3f}"
            reasons.append(f"{', '.join(collapsed)} no longer {verb} the {target} ({beside})")
        both = [place for place in known if compared[place].minus]
        sides = [_side_that_leaks_less(predicted, compared[place], leaks[place], seed) for place in both]
        separable = verdicts(sides)["separable"].tolist() if sides else []
        for place, side, apart in zip(both, sides, separable, strict=True):
            if fine[place] and apart and side.difference < -MARGIN:
                fine[place] = False
                words = f"{predicted.called} {side.difference:+.3f} [{side.low:+.3f}, {side.high:+.3f}]"
                reasons.append(
                    f"what leaks less in {compared[place].words} predicts the {target} less well, too ({words})"
                )
    return fine, "; ".join(reasons)


def _predicted(target: str, embedding: str, counts: Counts, carried: Targets) -> _Predicted | None:
    source = Source(target)
    every = counts.tables.get(source, {})
    tables = {model: table for model, table in every.items() if target in carried.get(model, {}).get(embedding, ())}
    if not tables:
        return None
    first = next(iter(tables.values()))
    name = "accuracy" if target == SPEAKER else "uar" if first.counts.ndim == 3 else "ccc"
    level = counts.chance(source, first, SCORES[name])
    predicted = _Predicted(target, name.upper() if name != "accuracy" else name, SCORES[name], tables, 0.0, 0.0)
    chance = float(level.measure(level.table.counts.sum(0)))
    return predicted._replace(chance=chance, best=max(map(predicted.value, tables)))


def _side_that_leaks_less(predicted: _Predicted, one: Difference, leak: float, seed: int) -> Contrast:
    """How much better the side that leaks less predicts the target."""
    sides = (one.plus, one.minus) if leak < 0 else (one.minus, one.plus)
    terms = [
        Term(sign / len(side), predicted.tables[model], predicted.measure)
        for sign, side in zip((1, -1), sides, strict=True)
        for model in side
    ]
    return contrast(terms, seed=seed)
