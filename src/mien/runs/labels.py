"""Which training clips of a run kept their label where `data.labelled` is a share of them: for its files and notes."""

from collections.abc import Iterator, Mapping, Sequence

from mien.data.dataset import Dataset
from mien.data.protocols import Fold
from mien.experiments.experiment import Experiment

Kept = dict[str, dict[str, list[str]]]  # share, as text -> seed, as text -> clips


def kept(datasets: Mapping[str, Dataset], fold: Fold, seeds: Sequence[int]) -> Kept:
    """The clips of a fold that kept their label, as `splits.json` has them; of no share below 1 nothing.

    Args:
        datasets: model -> its dataset.
        fold: of the protocol.
        seeds: of the experiment.
    """
    shares = {dataset.settings.labelled: dataset for dataset in datasets.values() if dataset.settings.labelled < 1}
    return {
        str(share): {str(seed): list(dataset.kept(fold, seed)) for seed in seeds}
        for share, dataset in sorted(shares.items())
    }


def notes(
    experiment: Experiment, datasets: Mapping[str, Dataset], folds: Sequence[Fold], kept_of: Sequence[Kept]
) -> Iterator[str]:
    """A sentence for each share of labels, and for each number of speakers without one: what trains, and with what.

    Args:
        experiment: with all its models.
        datasets: model -> its dataset.
        folds: of the protocol.
        kept_of: of each fold, see `kept`.
    """
    yield from _speaker_notes(datasets, folds)
    dataset = next(iter(datasets.values()))
    known, speaker = set(dataset.labelled["clip"]), dataset.clips["speaker"]
    train = experiment.data.unlabelled == "train"
    for share in kept_of[0]:
        some = [len(clips) for of in kept_of for clips in of[share].values()]
        all_of = [sum(clip in known for clip in fold.train) for fold in folds]
        yield (
            f"note: {_span(some)} of the {_span(all_of)} labelled training clips of a fold keep their label "
            f"(data.labelled {share}), sampled by speaker and class; the others "
            f"{'train without it' if train else 'do not train'}"
        )
        lost = [
            len(set(speaker[list(fold.train)].dropna()) - set(speaker[clips]))
            for fold, of in zip(folds, kept_of, strict=True)
            for clips in of[share].values()
        ]
        if any(lost) and not train:
            yield (
                f"warning: with data.labelled {share} some training speakers keep no clip ({_span(lost)} of a fold), "
                "and tables of leakage count them as seen"
            )


def _speaker_notes(datasets: Mapping[str, Dataset], folds: Sequence[Fold]) -> Iterator[str]:
    """A sentence for each number of speakers without a label."""
    sampled = {one.settings.unlabelled_speakers: one for one in datasets.values()}
    for number, dataset in sorted((number, one) for number, one in sampled.items() if number is not None):
        of = [len(dataset.speakers_without_label(fold, 0)) for fold in folds]
        yield (
            f"note: {number} of the {_span(of)} training speakers without a label train "
            f"(data.unlabelled_speakers {number}); tables of leakage count all of them as seen"
        )


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"
