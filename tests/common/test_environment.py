"""The command line that a run stores: it repeats the training run and contains no local path."""

import shlex

import pytest

from mien import experiments
from mien.common import environment


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epochs=5", ["training.epochs=5"]),
        ("data.prepared=/home/me/p", ["data.prepared=PREPARED"]),
        ("data.prepared.emodb=/home/me/p", ["data.prepared.emodb=PREPARED"]),
        ("data.prepared={b: /home/me/p, a: /home/me/q}", ["data.prepared.a=PREPARED", "data.prepared.b=PREPARED"]),
        ("protocol={name: given}", ["protocol={name: given}"]),
        ("encoder.video.weights=/home/me/w.safetensors", ["encoder.video.weights=WEIGHTS"]),
        ("encoder.video.weights=null", ["encoder.video.weights=null"]),
        (
            "encoder={video: {name: senet, weights: /home/me/w.safetensors}}",
            ['encoder={"video": {"name": "senet", "weights": "WEIGHTS"}}'],
        ),
    ],
)
def test_only_places_are_left_out_of_the_command_line(override, words):
    line = environment.command("li2020-emodb", [override])
    assert shlex.split(line) == ["mien", "train", "li2020-emodb", *words, "--out", "RUN"]


def test_an_override_of_all_data_settings_keeps_all_but_the_folder():
    plain = "data={scheme: emodb, audio: mfb43, prepared: /home/me/p, copies: {slow: {speed: 0.9}}}"
    line = environment.command("li2020-emodb", [plain])
    assert "/home" not in line
    again, first = (experiments.load("li2020-emodb", overrides) for overrides in (shlex.split(line)[3:-2], [plain]))
    assert again.data.prepared.endswith("PREPARED")
    assert again.data.model_copy(update={"prepared": None}) == first.data.model_copy(update={"prepared": None})


def test_the_line_gives_the_same_settings_and_only_the_name_of_a_file(tmp_path):
    given = ["training.epochs=3", "seeds=[4, 5]", "models.MEnAN=null", f"data.prepared={tmp_path}"]
    words = shlex.split(environment.command("li2020-emodb", given))
    again, first = (experiments.load("li2020-emodb", overrides) for overrides in (words[3:-2], given))
    assert again.model_dump(exclude={"data"}) == first.model_dump(exclude={"data"})
    assert environment.command(tmp_path / "mine.yaml", []) == "mien train mine.yaml --out RUN"
