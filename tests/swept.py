"""What contracts are swept over: every model of every recipe on every encoder that it takes; `pairs`: what is quick."""

import pytest

from mien.models import encoders, recipes
from mien.models.encoders import names as encoder_names
from mien.models.recipes import names as recipe_names

MODELS = {
    f"{recipe}: {name}": (recipe, settings)
    for recipe in recipe_names()
    for name, settings in recipes.recipe(recipe).TINY.items()
}
BOTH = {"audio": "cnn_gru", "video": "vgg"}
SEQUENCES = {"audio": "projection", "video": "projection"}
KINDS = {"vector": "vector", "map": "convolutional", "sequence": "both sequences"}  # what is returned -> an encoder
SOUND = {name for name in encoder_names() if encoders.encoder(name).reads("audio", (5,))}
TRUNKS = {name: {"audio" if name in SOUND else "video": name} for name in encoder_names()} | {
    "both modalities": BOTH,
    "both sequences": SEQUENCES,
}


RICH = "disentangle: two embeddings"  # the model that every encoder is held to


def trunks(recipe):
    """What a recipe is built on: every encoder that it takes; where it takes none, the frames of the audio."""
    takes = recipes.recipe(recipe).TAKES
    return {
        name: one
        for name, one in TRUNKS.items()
        if {encoders.encoder(part).RETURNS for part in one.values()} <= set(takes)
    } or {"no encoder": {"audio": KINDS["vector"]}}


def one_of_each_kind(recipe):
    """An encoder of each kind that it takes."""
    return [KINDS[kind] for kind in recipes.recipe(recipe).TAKES] or ["no encoder"]


def richest(recipe):
    """The model of a recipe that is held to more than the others: RICH, or its first."""
    own = [model for model, (name, _) in MODELS.items() if name == recipe]
    return RICH if RICH in own else own[0]


def pairs(*quick):
    """The product of models and encoders."""
    fast = {(model, one_of_each_kind(recipe)[0]) for model, (recipe, _) in MODELS.items()}
    fast |= {(richest(recipe), name) for recipe in recipe_names() for name in one_of_each_kind(recipe)}
    fast |= {(RICH, name) for name in quick}
    return pytest.mark.parametrize(
        ("tiny", "encoder"),
        [
            pytest.param(
                tiny,
                encoder,
                id=f"{model}, {name}",
                marks=() if (model, name) in fast else pytest.mark.slow,
            )
            for model, tiny in MODELS.items()
            for name, encoder in trunks(tiny[0]).items()
        ],
    )


every_pair = pairs(*TRUNKS)
every_model = pairs("both modalities")
