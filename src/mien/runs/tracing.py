"""Writes `model.onnx`, the graph of an exported model, and proves that it answers as torch does (`runs.graph`).

torch's exporter by tracing records one call: what depends on the length of the example would be written down as a
constant. So a graph is compared with torch at three lengths, with frames that do not count, and without each modality,
before it is kept.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mien import features
from mien.common.files import sha256, write_bytes, write_text
from mien.data.batch import Batch
from mien.data.batch import Sequence as Frames
from mien.data.normalisation import Normalisation
from mien.errors import RunError
from mien.media.faces import Crops
from mien.media.modality import Modality
from mien.models.recipes._recipe import Recipe
from mien.runs import exported, graph
from mien.runs.cell import Model
from mien.runs.description import Description, Graph
from mien.runs.ensemble import Ensemble
from mien.runs.graph import GraphModel
from mien.runs.one_model import Face, Voice, described

OPSET = 17
AGREE = 1e-5  # the largest difference of a probability between torch and the graph
TRACED = 331  # frames of the example: more than any encoder sees at once, and no multiple of a pooling
SMALL = 256  # numbers of a tensor that is not worth a conversion
LEAST = (1, 2, 4, 8, 16, 32, 64, 128)  # frames that are tried as the shortest input
TRANSFORM = "mien.runs.audonnx_model.Frames"
OUTPUTS = ("probabilities", "logits", "embeddings")


class Whole(nn.Module):
    """The members of a model as one module: raw frames in, `OUTPUTS` out.

    Args:
        members: recipe and normalisation by modality of each.
        target: the factor that is predicted.
        temperature: divides the logits of each member.
        taken: the modalities, in the order of the inputs: of each the frames and which are valid.
    """

    def __init__(
        self,
        members: Sequence[tuple[Recipe, Mapping[Modality, Normalisation]]],
        target: str,
        temperature: float,
        taken: Sequence[Modality],
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(recipe for recipe, _ in members)
        self.normalise = [normalise for _, normalise in members]
        self.target, self.temperature, self.taken = target, temperature, taken

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `OUTPUTS` of frames B x T x ... and their validity B x T, of each modality in `taken`."""
        given = dict(zip(self.taken, zip(inputs[::2], inputs[1::2], strict=True), strict=True))
        logits, embeddings = [], []
        for recipe, normalise in zip(self.members, self.normalise, strict=True):
            count = len(inputs[0])
            frames = {
                name: Frames(_normalised(values, normalise[name]), valid) for name, (values, valid) in given.items()
            }
            names, rows = tuple(map(str, range(int(count)))), torch.arange(count)
            sound, faces = (frames.get(name, Frames.absent(count)) for name in ("audio", "video"))
            answer = recipe.answer(Batch(names, sound, faces, {}, rows, count, 0, 0))  # type: ignore[operator]
            logits.append(answer.outputs[self.target])
            embeddings += answer.embeddings.values()
        each = torch.stack(logits)
        return (each / self.temperature).softmax(dim=2).mean(dim=0), each.mean(dim=0), torch.cat(embeddings, dim=1)


def _normalised(values: Tensor, normalise: Normalisation) -> Tensor:
    """Frames as a member takes them; nan, which fills up a short clip, is the mean."""
    if values.dtype == torch.uint8:
        return values.float() / 127.5 - 1
    if normalise.kind == "train":
        mean, std = normalise.statistics[""]
        values = (values - mean) / std
    return torch.where(values.isnan(), 0.0, values)


def write_graph(folder: Path, description: Description, members: Mapping[str, Model], identity: str) -> Graph:
    """Write the graph of a model, and return what its description says of it.

    Args:
        folder: of the exported model, in which its weights lie.
        description: of the model.
        members: its models by name.
        identity: the digest of the description (`exported.identity`), which the graph holds as the weights do.

    Raises:
        RunError: the networks cannot be written as a graph, or the graph answers otherwise than torch.
    """
    models = tuple(members.values())
    model = Ensemble(models=models, **described(description))
    _refuse_different(description, models)
    path = folder / exported.GRAPH
    taken: tuple[Modality, ...] = tuple(model.inputs)
    try:
        members_of = [(one.recipe, one.normalise) for one in models]
        whole = Whole(members_of, model.target, model.temperature, taken).eval()
        trace(path, whole, [one for name in taken for one in _example(model, name)])
        _finish(path, folder / exported.WEIGHTS, description.members)
    except RunError:
        raise
    except Exception as error:  # the exporter's own errors have no common class
        raise RunError(
            f"{description.name}: torch's exporter cannot write its networks as a graph ({type(error).__name__}: "
            f"{str(error).strip().splitlines()[0]}); leave --onnx out"
        ) from error
    session = graph.opened(path)
    for frames in LEAST:
        least: dict[Modality, int] = {name: _least(model, name, frames) for name in taken}
        made = GraphModel(framing=graph.framing_of(description, least), session=session, **described(description))
        if (apart := _apart(model, made)) <= AGREE:
            _sign(path, {"description": identity, "least": graph.signed(least)})
            path.chmod(0o644)
            if taken == ("audio",):
                _write_audonnx(folder, description, least["audio"])
            return Graph(sha256=sha256(path), least=least)
    raise RunError(
        f"{description.name}: its graph answers otherwise than torch, by {apart:.1g} of a probability; leave --onnx out"
    )


def _write_audonnx(folder: Path, description: Description, least: int) -> None:
    """Write what audonnx reads: the graph with the frames of one clip as its only input, and `model.yaml`."""
    import onnx
    import yaml
    from onnx import TensorProto, helper

    made = onnx.load(str(folder / exported.GRAPH), load_external_data=False)
    (audio,) = [one for one in made.graph.input if one.name == "audio"]
    size = audio.type.tensor_type.shape.dim[2].dim_value
    del made.graph.input[:]
    made.graph.input.append(helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["time", size]))
    one = helper.make_tensor("", TensorProto.INT64, [1], [1])
    begin = [
        helper.make_node("Constant", [], ["one_clip"], value=one),
        helper.make_node("Constant", [], ["first_axis"], value=helper.make_tensor("", TensorProto.INT64, [1], [0])),
        helper.make_node("Unsqueeze", ["frames", "first_axis"], ["audio"]),
        helper.make_node("Shape", ["frames"], ["length"], start=0, end=1),
        helper.make_node("Concat", ["one_clip", "length"], ["clips_and_length"], axis=0),
        helper.make_node(
            "ConstantOfShape",
            ["clips_and_length"],
            ["audio_valid"],
            value=helper.make_tensor("", TensorProto.BOOL, [1], [True]),
        ),
    ]
    nodes = [*begin, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    graph_name, settings_name = exported.OTHERS[1:]
    write_bytes(folder / graph_name, made.SerializeToString(deterministic=True))
    data = {key: description.experiment["data"][key] for key in ("audio", "length", "normalisation")}
    model = {
        "path": graph_name,
        "labels": {"probabilities": list(description.classes)},
        "transform": {"frames": {f"${TRANSFORM}": {"data": data, "least": least}}},
    }
    write_text(folder / settings_name, yaml.safe_dump({"$audonnx.core.model.Model": model}, sort_keys=False))


def _refuse_different(description: Description, models: Sequence[Model]) -> None:
    """Raise RunError where members prepare their inputs differently, which one graph cannot."""
    for key in ("length", "normalisation"):
        if len({repr(getattr(model.experiment.data, key)) for model in models}) > 1:
            raise RunError(
                f"{description.name}: its members have different data.{key}, and a graph has one; export fewer of them "
                "(--cells), or leave --onnx out"
            )


def _least(model: Ensemble, modality: Modality, frames: int) -> int:
    """The fewest frames of a modality in a batch: 1 of one vector a clip, and of pixels, which are read one by one."""
    name, config = model.inputs[modality]
    alone = np.isinf(features.feature(name).hop(config)) or len(features.shape(name, config)) > 1
    return 1 if alone else frames


def trace(path: Path, whole: Whole, example: Sequence[Tensor]) -> None:
    """Write a module as a graph, dynamic in batch and in the time of each modality.

    Args:
        path: to write.
        whole: in evaluation mode.
        example: its inputs, longer than what any of its encoders sees at once.
    """
    names = [name for modality in whole.taken for name in (modality, f"{modality}_valid")]
    # axes of one name share memory, and sound and faces differ in length
    axes = {name: {0: "batch", 1: f"{name.removesuffix('_valid')}_time"} for name in names}
    axes |= {name: {0: "batch"} for name in OUTPUTS}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of tracing: what it says of constants is tested by `_apart`
        torch.onnx.export(
            whole,
            tuple(example),
            str(path),
            input_names=names,
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # else normalisations are drawn into convolutions
            do_constant_folding=False,
        )


def _finish(path: Path, weights: Path, members: Sequence[str]) -> None:
    """Write into a graph where its weights lie in the file of weights.

    ONNX calls that external data. So no weight is stored twice, and one of half precision is brought to float32 when it
    is read. What the exporter changed, such as the order of a recurrent layer's gates, stays in the graph.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    made = onnx.load(str(path))
    stored, casts = _Stored.read(weights), []
    for tensor in made.graph.initializer:
        _, number, parameter = [*tensor.name.split(".", 2), "", ""][:3]
        known = stored.get(f"{members[int(number)]}/recipe.{parameter}") if number.isdecimal() else None
        values = numpy_helper.to_array(tensor)
        if known is None or values.size < SMALL or not known.equals(values):
            continue
        name, kind = tensor.name, TensorProto.FLOAT16 if known.half else TensorProto.FLOAT
        tensor.Clear()
        tensor.name, tensor.data_type = f"{name}.half" if known.half else name, kind
        tensor.dims.extend(values.shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", weights.name), ("offset", known.offset), ("length", len(known.data))):
            tensor.external_data.add(key=key, value=str(value))
        if known.half:
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    path.write_bytes(made.SerializeToString(deterministic=True))


def _sign(path: Path, words: Mapping[str, str]) -> None:
    """Write into a graph what of its description it belongs to, so that a changed one is refused."""
    import onnx
    from onnx import helper

    made = onnx.load(str(path), load_external_data=False)
    helper.set_model_props(made, dict(words))
    path.write_bytes(made.SerializeToString(deterministic=True))


class _Stored(NamedTuple):
    """A tensor of a file of weights: where its bytes begin in the file, its bytes, and whether they are of float16."""

    offset: int
    data: bytes
    half: bool

    @staticmethod
    def read(path: Path) -> "dict[str, _Stored]":
        """All tensors of floating point in a safetensors file, by name."""
        whole = path.read_bytes()
        begin = 8 + int.from_bytes(whole[:8], "little")
        found = {}
        for name, one in json.loads(whole[8:begin]).items():
            if name != "__metadata__" and one["dtype"] in ("F16", "F32"):
                first, last = (begin + place for place in one["data_offsets"])
                found[name] = _Stored(first, whole[first:last], one["dtype"] == "F16")
        return found

    def equals(self, values: NDArray[Any]) -> bool:
        """Whether these are float32 values, bit for bit."""
        own = np.frombuffer(self.data, "<f2" if self.half else "<f4").astype(np.float32)
        return values.dtype == np.float32 and own.tobytes() == values.tobytes()


def _example(model: Ensemble, modality: Modality) -> tuple[Tensor, Tensor]:
    """Two clips for tracing, the second shorter."""
    name, config = model.inputs[modality]
    shape, timed = features.shape(name, config), not np.isinf(features.feature(name).hop(config))
    frames = (TRACED if len(shape) == 1 else 7) if timed else 1
    valid = torch.ones(2, frames, dtype=torch.bool)
    valid[1, frames // 2 + 1 :] = False
    generator = torch.Generator().manual_seed(0)
    if len(shape) > 1:
        return torch.randint(0, 256, (2, frames, *shape), generator=generator, dtype=torch.uint8), valid
    return torch.randn(2, frames, *shape, generator=generator), valid


def _apart(model: Ensemble, made: GraphModel) -> float:
    """The largest difference of a probability between torch and the graph, on windows of three lengths and more."""
    cases = _cases(model)
    batches = [cases, cases[:1], cases[-1:], cases[1:3]]
    worst = 0.0
    for batch in batches:
        voices, faces = [voice for voice, _ in batch], [face for _, face in batch]
        try:
            found = made.infer(voices, faces)
        except Exception:  # a shape that was written down as a constant
            return float("inf")
        with np.errstate(invalid="ignore"):
            worst = max(worst, float(np.nan_to_num(np.abs(found - model.infer(voices, faces)), nan=np.inf).max()))
    return worst


def _cases(model: Ensemble) -> list[tuple[Voice, Face]]:
    """Windows that the graph is compared on: three lengths, frames that do not count, a modality missing."""
    random = np.random.default_rng(0)
    lengths = (150, 40, 401, 7, 1)
    voices = [_voice(model, random, length) for length in lengths] if "audio" in model.features else [None] * 5
    faces = [_face(model, random, count) for count in (5, 2, 9, 1, 3)] if "video" in model.features else [None] * 5
    cases: list[tuple[Voice, Face]] = list(zip(voices, faces, strict=True))
    if "audio" in model.inputs and "video" in model.inputs:
        cases += [(voices[0], None), (None, faces[1])]
    return cases


def _voice(model: Ensemble, random: np.random.Generator, length: int) -> Voice:
    name, config = model.features["audio"]
    if np.isinf(features.feature(name).hop(config)):
        length = 1
    values = random.standard_normal((length, *features.shape(name, config)))
    return _scaled(model, "audio", values)


def _face(model: Ensemble, random: np.random.Generator, count: int) -> Face:
    name, config = model.features["video"]
    shape = features.shape(name, config)
    if len(shape) == 1 and model.faces is None:
        return Crops(_scaled(model, "video", random.standard_normal((1, *shape))), np.zeros(1, np.uint8), 1.0)
    faces = model.faces
    assert faces is not None
    size = (faces.channels, faces.size, faces.size)
    reasons = np.zeros(count, np.uint8)
    reasons[1 : count - 1 : 2] = 1
    return Crops(random.integers(0, 256, (count, *size), dtype=np.uint8), reasons, faces.every)


def _scaled(model: Ensemble, modality: Modality, values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Numbers spread as the first member's training frames were."""
    normalise = model.models[0].normalise[modality]
    if normalise.kind == "train":
        mean, std = normalise.statistics[""]
        values = values * std.numpy() + mean.numpy()
    return values.astype(np.float32)
