"""Every recipe and encoder answers by a graph as by torch, at other lengths and with other frames than traced."""

import numpy as np
import pytest
import torch

from mien.common.settings import parse
from mien.data.normalisation import Normalisation
from mien.models import recipes
from mien.runs import graph
from mien.runs.tracing import OUTPUTS, Whole, trace
from swept import MODELS, RICH, every_model

SHAPES = {"audio": (5,), "video": (3, 8, 8)}
TRACED, OTHERS = (2, 71), ((3, 64), (1, 97), (5, 130))  # clips, frames; no tiny encoder sees 64 frames at once


def inputs(taken, clips, frames, seed):
    """Random frames, of which some do not count, and a clip without any; names -> tensors, in the order of a graph."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for modality in taken:
        values = torch.randn(clips, frames, *SHAPES[modality], generator=generator)
        if len(SHAPES[modality]) > 1:
            values = (values * 40 + 128).clamp(0, 255).to(torch.uint8)
        valid = torch.arange(frames) < torch.randint(1, frames + 1, (clips, 1), generator=generator)
        valid[0, frames // 3] = False
        valid[-1] &= clips == 1
        found |= {modality: values, f"{modality}_valid": valid}
    return found


def apart(whole, session, given):
    """The largest difference of any output, relative to the output's largest value."""
    with torch.no_grad():
        expected = [one.numpy() for one in whole(*given.values())]
    found = session.run(list(OUTPUTS), {name: values.numpy() for name, values in given.items()})
    return max(np.abs(one - other).max() / (1 + np.abs(one).max()) for one, other in zip(expected, found, strict=True))


@every_model
def test_a_graph_answers_as_torch(make_recipe, tmp_path, tiny, encoder):
    name, settings = tiny
    recipe = make_recipe(settings, recipe=name, encoder=encoder).eval()
    target = min(parse(recipes.recipe(name).Config, settings, name).targets)
    statistics = (torch.tensor(0.3), torch.tensor(1.7))
    taken = tuple(modality for modality in encoder if recipe.modalities is None or modality in recipe.modalities)
    normalise = {modality: Normalisation("train", {"": statistics}) for modality in taken}
    whole = Whole([(recipe, normalise)], target, 1.5, taken).eval()
    trace(tmp_path / "model.onnx", whole, [*inputs(taken, *TRACED, seed=0).values()])
    session = graph.opened(tmp_path / "model.onnx")
    for seed, (clips, frames) in enumerate(OTHERS, start=1):
        assert apart(whole, session, inputs(taken, clips, frames, seed)) < 1e-5


def test_what_is_compared_would_be_seen(make_recipe, tmp_path):
    """The control: other statistics, another temperature and frames that count give other answers."""
    name, settings = MODELS[RICH]
    recipe = make_recipe(settings, recipe=name, encoder={"audio": "cnn_gru"}).eval()

    def whole(mean, temperature):
        normalise = {"audio": Normalisation("train", {"": (torch.tensor(mean), torch.tensor(1.7))})}
        return Whole([(recipe, normalise)], "emotion", temperature, ("audio",)).eval()

    trace(tmp_path / "model.onnx", whole(0.3, 1.5), [*inputs(("audio",), *TRACED, seed=0).values()])
    session, given = graph.opened(tmp_path / "model.onnx"), inputs(("audio",), 3, 90, 1)
    assert apart(whole(0.3, 1.5), session, given) < 1e-5
    assert apart(whole(0.5, 1.5), session, given) > 1e-4
    assert apart(whole(0.3, 0.2), session, given) > 1e-4
    more = given | {"audio_valid": torch.ones_like(given["audio_valid"])}
    assert (
        np.abs(
            session.run(["logits"], {name: one.numpy() for name, one in more.items()})[0]
            - session.run(["logits"], {name: one.numpy() for name, one in given.items()})[0]
        ).max()
        > 1e-4
    )
    junk = given | {"audio": torch.where(given["audio_valid"][:, :, None], given["audio"], 1e3)}
    assert apart(whole(0.3, 1.5), session, junk) < 1e-5


def test_a_graph_that_is_damaged_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(graph.RunError, match=r"model\.onnx: damaged, or made for another onnxruntime"):
        graph.opened(tmp_path / "model.onnx")
