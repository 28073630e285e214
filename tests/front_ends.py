"""Tiny models with random weights, in Hugging Face format, that tests write into a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

AUDIO = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}
IMAGE = {
    "beit": "Beit",
    "deit": "DeiT",
    "dinov2": "Dinov2",
    "dinov2_with_registers": "Dinov2WithRegisters",
    "vit": "ViT",
}
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}


def package() -> Any:
    """The package; skips where it is not installed."""
    return pytest.importorskip("transformers", reason="needs the extra: pip install 'mien[transformers]'")


def _write(model: Any, processor: Any, folder: Path) -> Any:
    logging = package().utils.logging
    logging.disable_progress_bar()
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return model


def write_audio(folder: Path, kind: str = "wav2vec2", seed: int = 0, rate: int = 16_000, **settings: Any) -> Any:
    """A model of sound: its convolutions are normalised by group, or with `layer=True` by layer, as in large models."""
    import torch

    transformers = package()
    layer = settings.pop("layer", False)
    normalised = settings.pop("do_normalize", True)
    own: Mapping[str, Any] = {"feat_extract_norm": "layer" if layer else "group", "do_stable_layer_norm": layer}
    torch.manual_seed(seed)
    more = {"conv_dim": (8,) * 7, "num_conv_pos_embedding_groups": 4}
    config = getattr(transformers, f"{AUDIO[kind]}Config")(**{**SMALL, **more, **own, **settings})
    processor = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalised, sampling_rate=rate)
    return _write(getattr(transformers, f"{AUDIO[kind]}Model")(config), processor, folder)


def write_image(folder: Path, kind: str = "vit", seed: int = 0, **settings: Any) -> Any:
    """A model of pictures of 32 px, whose processor changes size, range and mean."""
    import torch

    transformers = package()
    torch.manual_seed(seed)
    config = getattr(transformers, f"{IMAGE[kind]}Config")(**{**SMALL, "image_size": 32, "patch_size": 8, **settings})
    of = "Bit" if kind.startswith("dinov2") else IMAGE[kind]  # Bit cuts the middle out of a larger picture
    size = {"shortest_edge": 40} if of == "Bit" else {"height": 32, "width": 32}
    cut = {"crop_size": {"height": 32, "width": 32}} if of in ("Bit", "DeiT") else {}
    processor = getattr(transformers, f"{of}ImageProcessorPil")(size=size, **cut)
    return _write(getattr(transformers, f"{IMAGE[kind]}Model")(config), processor, folder)
