"""The front matter of a model card, by which the Hugging Face hub lists a model: licence, data, metrics.

It is the hub's `model-index`: https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
"""

from typing import Any

import yaml

from mien.corpora import readers
from mien.runs.description import Description, Score

BEGIN = "---\n"


def with_front_matter(card: str, description: Description) -> str:
    """A card with front matter; one that it has already is replaced."""
    if card.startswith(BEGIN):
        card = card.split(f"\n{BEGIN}", 1)[1].lstrip()
    return f"{BEGIN}{yaml.safe_dump(_front(description), sort_keys=False, allow_unicode=True)}{BEGIN}\n{card}"


def _front(description: Description) -> dict[str, Any]:
    inputs = [kind for kind in ("audio", "video") if description.experiment["data"].get(kind)]
    task = "audio-classification" if "audio" in inputs else "image-classification"
    corpora = [one.corpus for one in description.trained]
    known = readers.names()
    licences = {readers.reader(name).LICENCE if name in known else "as its owner says" for name in corpora}
    return {
        "library_name": "mien",
        "license": "other",
        "license_name": "by-the-corpora",
        "license_link": "README.md",
        "pipeline_tag": task,
        "tags": [f"{description.target}-recognition", *inputs, *([] if description.graph is None else ["onnx"])],
        "datasets": corpora,
        "licences_of_datasets": sorted(licences),
        "model-index": [
            {
                "name": description.name,
                "results": [_result(one, task, description) for one in description.scores if _listed(one, corpora)],
            }
        ],
    }


def _listed(score: Score, corpora: list[str]) -> bool:
    """Whether a score is of a corpus, or of all speakers where there is no score of a corpus."""
    return score.who in corpora or (score.who == "everybody" and len(corpora) < 2)


def _result(score: Score, task: str, description: Description) -> dict[str, Any]:
    corpora = [one.corpus for one in description.trained]
    name = score.who if score.who in corpora else " and ".join(corpora)
    of, on = (f" of {score.speakers} speakers", "speakers") if score.speakers else ("", "clips, no speakers named")
    marked = "; the split leaks, see the card" if description.marks else ""
    recall = f"UAR (unweighted average recall) on test {on}; chance {score.uar_chance:.3f}{marked}"
    correct = f"WA (share of correct clips) on test {on}; chance {score.wa_chance:.3f}{marked}"
    return {
        "task": {"type": task},
        "dataset": {"type": name, "name": f"{name}, {score.clips} clips{of}"},
        "metrics": [
            {"type": "recall", "name": recall, "value": score.uar},
            {"type": "accuracy", "name": correct, "value": score.wa},
        ],
    }
