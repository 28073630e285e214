"""What a model was trained on, and how it answers speech that it was not trained on, in sentences."""

from collections.abc import Sequence

from mien.runs.description import Description, Plain

TAUGHT = "taught by what a model of faces says of films, and by no label of these clips: it repeats that model's errors"
AS_STATED = "as stated"  # how the kind of speech begins that a reader does not know


def of_exported(model: Description) -> tuple[str, ...]:
    """The sentences of an exported model; none of one that was exported without them."""
    corpora = [
        (one.corpus, one.speech, f"{one.speakers} speaker{'s' if one.speakers > 1 else ''}")
        if one.speakers
        else (one.corpus, one.speech, "no speakers named")
        for one in model.trained
    ]
    return (*trained(corpora), *([TAUGHT] if model.taught else []), *(_plain(one) for one in model.plain))


def trained(corpora: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Which speech it was trained on; `corpora` are a name, a kind of speech, and what else is known of each."""
    if not corpora:
        return ()
    each = []
    for name, *known in corpora:
        inside = ", ".join(one for one in known if not one.startswith(AS_STATED))
        each.append(f"{name} ({inside})" if inside else name)
    other = "nothing else" if all("no speech" in one for one in each) else "no other speech"
    return (f"trained on {' and '.join(each)}, and on {other}",)


def _plain(one: Plain) -> str:
    """How it errs on plain speech."""
    emotions = {name: share for name, share in one.after.answers.items() if name != "neutral" and share > 0}
    most = f", most often {max(emotions, key=lambda name: emotions[name])}" if emotions else ""
    return (
        f"with its own threshold, {one.after.threshold:.0%}, {one.after.emotions:.0%} of the windows of {one.corpus} "
        f"({one.speech}), on which it was not trained, get an emotion other than neutral{most}, and "
        f"{1 - sum(one.after.answers.values()):.0%} are unsure"
    )
