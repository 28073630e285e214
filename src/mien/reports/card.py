"""`README.md`, the model card of an exported model: training data, scores, calibration, limits and responsible use."""

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from mien import experiments
from mien.audit.model_card import Calibrated, Members, Recall, TrainingCorpus
from mien.data.dataset import NOTHING
from mien.reports.words import sentence
from mien.runs.description import Description

RESEARCH = ("research", "-NC")  # parts of the licence of a corpus that is not free for every use
OF = {"audio": "a voice", "video": "a face"}


def render(
    description: Description,
    *,
    size: int,
    command: str,
    training: str,
    corpora: Sequence[TrainingCorpus],
    members: Members,
    recalls: Sequence[Recall],
    left_out: Mapping[str, int],
    alone: float,
    validation: Calibrated,
    test: Calibrated,
    test_by_coverage: Calibrated,
    protocol: Sequence[str] = (),
) -> str:
    """The card, as Markdown.

    Args:
        description: the exported model.
        size: of the file of weights, in bytes.
        command: the command that exported it.
        training: the command that trained it.
        corpora: the training data, by corpus.
        members: see `model_card.members`.
        recalls: see `model_card.recalls`.
        left_out: why clips of the corpora were not used -> number of clips.
        alone: UAR of a single member on test speakers, mean over seeds.
        validation: calibration on validation clips.
        test: calibration on test clips, chosen without their speakers.
        test_by_coverage: the same with the threshold that the coverage alone gives.
        protocol: sentences on a protocol that others published, see `mien.data.published.notes`.
    """
    environment = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - Markdown, in which `words` and `code` escape
    environment.filters |= {"figure": _figure, "count": _count, "words": words, "code": code}
    template = resources.files("mien.reports").joinpath("templates", "card.md.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        description=description,
        what=" and ".join(OF[what] for what in OF if description.experiment["data"].get(what)),
        sees=_seen(description),
        experiment=description.experiment,
        corpora=corpora,
        members=members,
        recalls=recalls,
        left_out=left_out,
        classless=[why for why in left_out if why not in {*NOTHING.values(), f"no {description.target} known"}],
        research=any(word in card.licence for card in corpora for word in RESEARCH),
        acted=any("acted" in card.speech for card in corpora),
        size=f"{size / 1e6:.1f} MB",
        command=command,
        training=training,
        alone=alone,
        validation=validation,
        test=test,
        test_by_coverage=test_by_coverage,
        protocol=[sentence(note.removeprefix("note: ")) for note in protocol],
    )


def words(text: object) -> str:
    """A name from outside as plain words in Markdown: no HTML, no emphasis, no link, no new cell or line."""
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"[\\`*\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[#>+=-]", r"\\\g<0>", plain)


def code(text: object) -> str:
    """A name from outside within backticks in Markdown."""
    return " ".join(str(text).split()).replace("`", "'")


def _seen(description: Description) -> dict[str, Any] | None:
    """The video feature with all its settings; None for a model without video."""
    found = experiments.resolve(description.experiment, description.name).features.get("video")
    return None if found is None else {"name": found[0]} | found[1].model_dump(mode="json")


def _figure(value: float | None) -> str:
    """A number with three decimals, without the leading zero."""
    return "none" if value is None or np.isnan(value) else f"{value:.3f}".removeprefix("0")


def _count(number: int, what: str) -> str:
    """A number with its noun: `1 fold`, `2 folds`."""
    return f"{number} {what}" + ("" if number == 1 else "s")
