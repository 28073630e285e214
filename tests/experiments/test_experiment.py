"""Experiment files: every shipped one round-trips, every misspelt key is refused with the nearest name."""

import copy
from pathlib import Path

import pytest
import yaml

from mien import experiments
from mien.common.settings import Loader
from mien.data import published
from mien.data.targets import TargetSettings
from mien.errors import ConfigError, unknown
from mien.experiments import library
from mien.experiments.provenance import SCIENCE
from mien.models.encoders import MODALITIES

SHIPPED = library.names()


def settings(tree, above=""):
    """Every setting of an experiment as a dotted key."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from settings(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_experiment_round_trips_through_its_resolved_file(name, tmp_path):
    experiment = experiments.load(name)
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False))
    assert experiments.load(file) == experiment


@pytest.mark.parametrize("protocol", published.names())
def test_a_published_protocol_is_chosen_by_name_and_round_trips(protocol, tmp_path):
    experiment = experiments.load("li2020-ravdess", [f"protocol.name={protocol}", "protocol.folds=[0]"])
    assert (experiment.protocol.name, experiment.protocol.folds) == (protocol, (0,))
    assert _source(experiment, "protocol.name") == "ours"
    own = experiments.load("li2020-ravdess", [f"protocol.name={protocol}", "provenance.protocol.name=paper"])
    assert _source(own, "protocol.name") == "paper"
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False))
    assert experiments.load(file) == experiment
    file.write_text(f"extends: li2020-ravdess\nprotocol: {{name: {protocol}}}\n")
    assert experiments.load(file).protocol.name == protocol


def test_an_unknown_protocol_suggests_the_nearest():
    with pytest.raises(ConfigError) as error:
        experiments.load("li2020-ravdess", ["protocol.name=ravdes_five_folds"])
    assert str(error.value) == (
        "li2020-ravdess: protocol.name: unknown protocol 'ravdes_five_folds'. Did you mean 'ravdess_five_folds'? "
        "Known: emobox_crema_d, emobox_emodb, emobox_enterface, emobox_ravdess, given, "
        "group_k_fold, hicmae_crema_d, leave_one_speaker_out, random_splits, ravdess_five_folds, seen_speakers."
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_every_setting_that_matters_has_a_provenance(name):
    experiment = experiments.load(name)
    tree = experiment.model_dump(mode="json", include=set(SCIENCE))
    tree["data"].pop("prepared")
    known = experiment.provenance
    missing = [
        key for key in settings(tree) if not any(key == prefix or key.startswith(f"{prefix}.") for prefix in known)
    ]
    assert not missing
    dangling = [
        prefix
        for prefix in known
        if not any(key == prefix or key.startswith(f"{prefix}.") for key in _all_keys(experiment))
    ]
    assert not dangling


def _all_keys(experiment):
    tree = experiment.model_dump(mode="json")
    tree["models"] = {name: experiment.model(name).model_dump(mode="json") for name in experiment.models}
    for what, (_, feature) in experiment.features.items():
        tree["data"][what] |= feature.model_dump(mode="json")
    for what, (_, encoder) in experiment.encoders.items():
        place = tree["encoder"][what] if what in tree["encoder"] else tree["encoder"]
        place |= encoder.model_dump(mode="json")
    return list(settings(tree))


@pytest.mark.parametrize("name", SHIPPED)
def test_an_experiment_says_what_it_costs_and_gives(name):
    experiment = experiments.load(name)
    for words in (experiment.cost, experiment.expected):
        assert len(words) > 10
        assert not {"COST", "EXPECTED", "TODO"} & set(words.split())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_misspelt_key_is_refused_with_the_nearest_name(name):
    raw = experiments.load(name).model_dump(mode="json")
    by_users = (
        "provenance.",
        "reference.",
        "models.",
        "data.copies.",
        "data.mix.",
        "optimiser.lr.",
        "grid.",
        "choose.",
        "axes.",
    )
    names = {
        "corpus.name",
        "encoder.name",
        *(f"{where}.{what}.name" for where in ("encoder", "data") for what in MODALITIES),
        "data.teacher.name",
    }
    checked = 0
    for key in settings(raw):
        if (
            key.startswith(by_users)
            or key in {"provenance", "reference", "data.copies", "data.mix", *names}
            or ".figures." in key
            or ".where." in key  # columns of the corpus, which training checks
        ):
            continue
        broken = copy.deepcopy(raw)
        *place, last = key.split(".")
        branch = broken
        for part in place:
            branch = branch[part]
        branch[last + "x"] = branch.pop(last)
        with pytest.raises(ConfigError, match=rf"{last}x'.*Did you mean '{last}'"):
            experiments.resolve(broken, name)
        checked += 1
    assert checked > 20


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.epoch=5",
            "unknown key 'training.epoch'. Did you mean 'epochs'? Known: batch, best, class_weight, epochs, "
            "one_of, patience, precision, sampling, steps",
        ),
        ("training.epochs=five", 'training.epochs: input should be a valid integer (found "five")'),
        ("training.epochs=1.5", "training.epochs: input should be a valid integer (found 1.5)"),
        (
            "models.MEnAN.embeddings.main.remove.speaker.wieght=0.3",
            "models.MEnAN: unknown key 'embeddings.main.remove.speaker.wieght'. Did you mean 'weight'? Known: "
            "adversaries, adversary_steps, bound, how, restart, schedule, warmup, weight",
        ),
        (
            "models.MEnAN.embeddings.main.remove.speaker.how=max_entropie",
            "models.MEnAN: embeddings.main.remove.speaker: unknown removal 'max_entropie'. Did you mean "
            "'max_entropy'? Known: alternating, confusion, gradient_reversal, max_entropy, none. (found {\"how\": "
            '"max_entropie", "weight": 0.5})',
        ),
        (
            "models.MEnAN.embeddings.main.tasks.speaker=1.0",
            "models.MEnAN: embeddings.main: 'speaker' is a task and is also removed from the same embedding; keep "
            "one of the two",
        ),
        (
            "encoder=cnn_gro",
            "unknown encoder 'cnn_gro'. Did you mean 'cnn_gru'? Known: cnn_gru, convolutional, projection, senet, "
            "senet_small, vector, vgg, vgg_m.",
        ),
        (
            "data.audio=mfb34",
            "data.audio: unknown feature 'mfb34'. Did you mean 'mfb43'? Known: compare_lld, functionals, hf_audio, "
            "logmel, mfb43, opensmile, prosody, spectrogram, vectors.",
        ),
        (
            "data.audio.windw=0.05",
            "data.audio: unknown key 'windw'. Did you mean 'window'? Known: ballast, delta_pitch, high, low, "
            "lowpass, lowpass_width, max_f0, mels, min_f0, noise_db, penalty_factor, preemphasis, resample_rate, "
            "sample_rate, shift, soft_min_f0, speed, speed_by, taper, upsample_width, window",
        ),
        (
            "data.copies.speed_080.sped=0.7",
            "data.copies.speed_080: unknown key 'sped'. Did you mean 'speed'? Known: ballast, delta_pitch, high, "
            "low, lowpass, lowpass_width, max_f0, mels, min_f0, noise_db, penalty_factor, preemphasis, "
            "resample_rate, sample_rate, shift, soft_min_f0, speed, speed_by, taper, upsample_width, window",
        ),
        (
            "models.a/b.embeddings.main.tasks.emotion=1.0",
            "models: model 'a/b': a model's name is a folder's: letters, digits, '_' and '-' only",
        ),
        ("epochs", "'epochs' is not an override: write key=value, such as training.epochs=5"),
        ("seeds=[1, 1]", "seeds: a seed is named twice; name each once (found [1, 1])"),
        (
            "seeds=[-1]",
            "seeds.0: input should be greater than or equal to 0 (found -1)",
        ),
        (
            "seeds=[9223372036854775808]",
            "seeds.0: input should be less than 9223372036854775808 (found 9223372036854775808)",
        ),
        ("protocol.folds=[]", "protocol.folds: tuple should have at least 1 item after validation, not 0 (found [])"),
        ("protocol.folds=[2, 2]", "protocol.folds: a fold is named twice; name each once (found [2, 2])"),
        (
            "models.MEnAN.embeddings.main.tasks={speaker: 1.0}",
            "models.MEnAN: embeddings.main: 'speaker' is a task and is also removed from the same embedding; keep "
            "one of the two",
        ),
        (
            "models.multitask.embeddings.main.tasks={speaker: 1.0}",
            "models.multitask: does not predict the target 'emotion', which is scored; it predicts speaker",
        ),
        (
            "models.multitask.embeddings.a-b.tasks={emotion: 1.0}",
            "models.multitask: embeddings: embedding 'a-b': the name of an embedding has letters, digits and '_' only",
        ),
        (
            "models.multitask.embeddings.keys.tasks={emotion: 1.0}",
            "models.multitask: embeddings: embedding 'keys': torch uses this word itself; choose another name",
        ),
        (
            "models.multitask.embeddings.main.dim=0",
            "models.multitask: embeddings.main.dim: input should be greater than or equal to 1 (found 0)",
        ),
        (
            "models.multitask.embeddings.main.tasks.emotion=0.0",
            "models.multitask: embeddings.main.tasks.emotion: input should be greater than 0 (found 0.0)",
        ),
        (
            "models.multitask.embeddings.main.tasks={emotion: 1.0, a.b: 1.0}",
            "models.multitask: embeddings.main: factor 'a.b': a factor is a column of the corpus without a dot; "
            'rename the column (found {"tasks": {"emotion": 1.0, "a.b": 1.0}})',
        ),
        (
            "models.multitask.hidden=[0]",
            "models.multitask: hidden.0: input should be greater than or equal to 1 (found 0)",
        ),
        ("encoder.channels=0", "encoder: channels: input should be greater than or equal to 1 (found 0)"),
        ("encoder.kernels=[0, 5]", "encoder: kernels.0: input should be greater than or equal to 1 (found 0)"),
        ("encoder.strides=[2, 0]", "encoder: strides.1: input should be greater than or equal to 1 (found 0)"),
        ("data.length.seconds=0.01", "data.length.seconds: input should be greater than or equal to 0.05 (found 0.01)"),
        ("data.masking.count=-1", "data.masking.count: input should be greater than or equal to 0 (found -1)"),
        ("data.masking.seconds=-0.5", "data.masking.seconds: input should be greater than or equal to 0 (found -0.5)"),
        ("data.masking.bands=-2", "data.masking.bands: input should be greater than or equal to 0 (found -2)"),
        (
            "data.copies.other.name=logmel",
            "data.copies.other: its feature is logmel and that of data.audio mfb43; a copy may change the sound "
            "(speed, noise_db), not the frames",
        ),
        (
            "data.copies.other.shift=0.02",
            "data.copies.other: its hop is 0.02 and that of data.audio 0.01; a copy may change the sound (speed, "
            "noise_db), not the frames",
        ),
        (
            "provenance.training.epoch=ours",
            "provenance: 'training.epoch' is no setting. Did you mean 'training.epochs'?",
        ),
        ("provenance.title=ours", "provenance: 'title' is no setting."),
        (
            "provenance.training.epochs=mine",
            "provenance.training.epochs: input should be 'paper', 'assumed' or 'ours' (found \"mine\")",
        ),
        (
            "reference.MEnNA={UA test: 1.0}",
            "reference: unknown model 'MEnNA'. Did you mean 'MEnAN'? Known: MEnAN, emotion_only, gradient_reversal,"
            " multitask.",
        ),
        ("title.x=1", "override 'title.x=1': 'title' is one value and has no keys below it"),
        (
            "training.epochs=[",
            "override 'training.epochs=[': not YAML (while parsing a flow node expected the node content, but found"
            " '<stream end>' in \"<unicode string>\", line 1, column 2: [ ^)",
        ),
        ("data.audio=null", "data: neither 'audio' nor 'video' is given; name a feature for one of them at least"),
        (
            "data.video=crobs",
            "data.video: unknown feature 'crobs'. Did you mean 'crops'? Known: columns, crops, face_small, "
            "face_vectors, frame_logits, hf_image, images.",
        ),
        (
            "data.video=logmel",
            "data.video: unknown feature 'logmel'. Known: columns, crops, face_small, face_vectors, frame_logits, "
            "hf_image, images.",
        ),
        (
            "data.audio=crops",
            "data.audio: unknown feature 'crops'. Did you mean 'vectors'? Known: compare_lld, functionals, "
            "hf_audio, logmel, mfb43, opensmile, prosody, spectrogram, vectors.",
        ),
        ("encoder={audio: vgg, video: vgg}", "encoder.video: the data have no video; give data.video, a feature"),
        ("encoder={video: vgg}", "encoder.video: the data have no video; give data.video, a feature"),
        (
            "encoder={audio: {channels: 4}}",
            "encoder.audio: 'name' is missing; known: cnn_gru, convolutional, projection, senet, senet_small, vector, "
            "vgg, vgg_m",
        ),
        (
            "encoder={audio: {name: cnn_gru, channel: 4}}",
            "encoder.audio: unknown key 'channel'. Did you mean 'channels'? Known: channels, kernels, strides",
        ),
    ],
)
def test_a_wrong_override_is_refused_with_the_way_out(override, message):
    with pytest.raises(ConfigError) as error:
        experiments.load("li2020", [override])
    assert str(error.value).removeprefix("li2020: ") == message


SEEN = ["data.video={name: crops, faces: whole-frame, size: 32}", "data.copies={}"]
UNITS = ["data.video={name: columns, columns: [AU01, AU02], dimension: 2}", "data.copies={}"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (SEEN, "encoder: the data have audio and video; write encoder: {audio: NAME, video: NAME}"),
        ([*SEEN, "encoder={audio: vgg}"], "encoder: none for video; write encoder: {audio: NAME, video: NAME}"),
        (
            [*UNITS, "encoder={audio: vgg, video: vgg}"],
            "encoder: vgg reads square crops of 1 or 3 channels (video), or frames of log-mel (audio), but a frame of "
            "video is 2 here; take cnn_gru, projection or vector, or other features",
        ),
        (
            [*SEEN, "encoder={audio: vgg, video: cnn_gru}"],
            "encoder: cnn_gru reads vectors over time, but a frame of video is 3 x 32 x 32 here; take projection, "
            "senet, senet_small or vgg, or other features",
        ),
        (
            [*SEEN, "encoder={audio: vgg, video: vgg}", "data.copies={slow: {speed: 0.9}}"],
            "data.copies.slow: at another speed sound and pictures are no longer in step; leave it out",
        ),
        (
            [*SEEN, "data.audio=null", "encoder=vgg", "data.copies={slow: {speed: 0.9}}"],
            "data: 'copies' are of sound, and 'audio' is not given",
        ),
        (
            [*SEEN, "data.audio=null", "encoder=vgg", "data.masking.count=1"],
            "data.masking: masks apply to sound, and data.audio is not given; leave it out",
        ),
        (
            [*UNITS, "data.audio=null", "encoder=vector", "data.length.seconds=2"],
            "data.length: feature 'columns' has one vector a clip, and no frames in time; leave it out",
        ),
        (
            ["protocol={name: seen_speakers}"],
            "the protocol seen_speakers tests speakers that are in training: give seen_speakers=true, and every table "
            "is marked so",
        ),
        (
            ["protocol={name: group_k_fold, speakers: seen}"],
            "the protocol group_k_fold with speakers: seen tests speakers that are in training: give "
            "seen_speakers=true, and every table is marked so",
        ),
        (
            ["protocol={name: seen_speakers}", "seen_speakers=true", "data.unlabelled=train"],
            "data.unlabelled: train adds clips of speakers who are neither validated nor tested, and the protocol "
            "seen_speakers has none; leave it out",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(overrides, message):
    with pytest.raises(ConfigError) as error:
        experiments.load("li2020", overrides)
    shown = str(error.value).partition(" (found {")[0]  # the settings themselves
    assert shown == f"li2020: {message}"


def test_modalities_bring_their_encoders_shapes_and_times():
    seen = experiments.load("li2020", [*SEEN, "encoder={audio: cnn_gru, video: {name: vgg, channels: [4, 8]}}"])
    assert {what: name for what, (name, _) in seen.encoders.items()} == {"audio": "cnn_gru", "video": "vgg"}
    assert seen.hops == {"audio": 0.01, "video": 0.24}
    alone = experiments.load("li2020", [*SEEN, "data.audio=null", "encoder=vgg", "data.masking.count=0"])
    assert list(alone.encoders) == list(alone.features) == ["video"]
    units = experiments.load(
        "li2020", [*UNITS, "encoder={audio: cnn_gru, video: vector}", "data.copies.a={speed: 0.9}"]
    )
    assert units.hops["video"] == float("inf"), "one vector a clip is at no time, so that sound may change its speed"
    assert list(units.data.feature_copies) == ["a"]


def test_overrides_reach_every_depth_and_leave_the_rest():
    plain = experiments.load("li2020")
    changed = experiments.load(
        "li2020", ["training.epochs=3", "seeds=[1, 2]", "optimiser.lr.adversaries=1e-3", "encoder.channels=8"]
    )
    assert changed.training.epochs == 3
    assert "multitask" not in experiments.load("li2020", ["models.multitask=null"]).models
    assert changed.seeds == (1, 2)
    assert changed.optimiser.lr == {"default": 0.001, "adversaries": 0.001}
    assert changed.encoders["audio"][1].channels == 8
    assert changed.models == plain.models


def test_numbers_are_read_as_in_yaml_1_2_and_a_duplicate_key_is_refused():
    read = yaml.load("{a: 1e-3, b: 1.5E+2, c: 12, d: -.5, e: no, f: true, g: 2024-01-01, h: 1.2.3}", Loader)
    assert read == {"a": 0.001, "b": 150.0, "c": 12, "d": -0.5, "e": "no", "f": True, "g": "2024-01-01", "h": "1.2.3"}
    with pytest.raises(yaml.YAMLError, match="the key 'a' is given twice"):
        yaml.load("a: 1\nb: 2\na: 3", Loader)


def test_a_file_extends_another_and_a_circle_is_refused(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: li2020\ntraining: {epochs: 2}\nmodels: {MEnAN: null}\n")
    mine = experiments.load(tmp_path / "mine.yaml")
    assert mine.training.epochs == 2
    assert mine.training.batch == 16
    assert "MEnAN" not in mine.models
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ConfigError) as error:
        experiments.load(tmp_path / "a.yaml")
    assert str(error.value) == f"{tmp_path / 'a.yaml'}: extends itself by way of b.yaml -> a.yaml"


def test_unknown_experiments_and_missing_files_name_what_there_is(tmp_path):
    for name, sentence in (
        ("li202", f"{unknown('experiment', 'li202', SHIPPED)} A file of yours ends in .yaml."),
        (
            tmp_path / "none.yaml",
            f"{tmp_path / 'none.yaml'}: no such experiment file; known names: {', '.join(SHIPPED)}",
        ),
    ):
        with pytest.raises(ConfigError) as error:
            experiments.load(name)
        assert str(error.value) == sentence


def test_a_copy_with_other_dimensions_is_refused():
    changes = ["data.audio=logmel", "data.copies={other: {mels: 20}}"]
    with pytest.raises(ConfigError) as error:
        experiments.load("li2020", changes)
    assert str(error.value) == (
        "li2020: data.copies.other: its dimension is 20 and that of data.audio 40; a copy may change the sound (speed, "
        "noise_db), not the frames"
    )


def test_what_an_override_changes_is_ours_and_the_rest_stays_the_papers():
    plain = experiments.load("li2020")
    changed = experiments.load(
        "li2020", ["training.epochs=5", "training.batch=16", "data.length={seconds: 3.0}", "data.prepared=here"]
    )
    new = {key: source for key, source in changed.provenance.items() if plain.provenance.get(key) != source}
    assert plain.provenance["training.epochs"] == "paper"
    assert new == dict.fromkeys(("training.epochs", "data.length.seconds"), "ours")
    assert plain.provenance.keys() <= changed.provenance.keys()


def test_an_override_may_give_its_own_provenance():
    changed = experiments.load("li2020", ["training.epochs=5", "provenance.training=assumed"])
    assert changed.provenance["training.epochs"] == "assumed"
    assert changed.provenance["training.batch"] == "paper"


def test_changes_of_a_file_are_ours_unless_it_says_otherwise(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "extends: li2020\nencoder: {name: cnn_gru, channels: 8}\ntraining: {epochs: 2, batch: 4}\n"
        "optimiser: {lr: {default: 0.5}}\nmodels: {MEnAN: null}\nprovenance: {training.batch: assumed}\n"
    )
    mine = experiments.load(tmp_path / "mine.yaml")
    assert mine.provenance["encoder.channels"] == mine.provenance["training.epochs"] == "ours"
    assert mine.provenance["optimiser.lr.default"] == "ours"
    assert mine.provenance["training.batch"] == "assumed"
    assert mine.provenance["encoder"] == "paper"
    assert not [key for key in mine.provenance if key.startswith("models.MEnAN")]
    assert "MEnAN" not in mine.reference
    assert "multitask" in mine.reference


def test_a_shipped_experiment_names_its_own_departures():
    for name in ("li2020-emodb", "li2020-ravdess"):
        sources = experiments.load(name).provenance
        assert sources["training.epochs"] == sources["data.normalisation"] == "ours"
        assert not [key for key in sources if key not in _prefixes(_all_keys(experiments.load(name)))]


def _prefixes(keys):
    return {".".join(key.split(".")[:length]) for key in keys for length in range(1, key.count(".") + 2)}


def test_what_a_paper_does_not_give_is_not_called_the_papers():
    li, emodb, ravdess = (experiments.load(name) for name in ("li2020", "li2020-emodb", "li2020-ravdess"))
    silent = ("sample_rate", "low", "high", "preemphasis", "taper", "min_f0", "max_f0", "speed_by")
    given = ("name", "mels", "window", "shift", "delta_pitch")
    for experiment in (li, emodb, ravdess):
        found = {key: _source(experiment, f"data.audio.{key}") for key in (*silent, *given)}
        assert found == {**dict.fromkeys(silent, "assumed"), **dict.fromkeys(given, "paper")}
    assert [_source(li, f"data.length.{key}") for key in ("seconds", "long", "short")] == ["paper", "ours", "ours"]
    assert [_source(one, "protocol.name") for one in (li, emodb, ravdess)] == ["paper", "assumed", "ours"]


def test_the_rates_of_peri_2021_depart_from_the_common_number_of_segments():
    peri, toy = experiments.load("peri2021"), experiments.load("peri2021-toy")
    for experiment in (peri, toy):
        assert [_source(experiment, key) for key in ("data.audio.shift", "data.video.every")] == ["ours", "ours"]
        assert [_source(experiment, key) for key in ("data.audio.window", "data.audio.mels")] == ["assumed", "paper"]


def test_a_claim_has_the_section_where_the_paper_makes_it():
    claims = experiments.load("peri2021").claims
    own = {name for name, claim in claims.items() if not claim.section}
    assert own == {name for name, claim in claims.items() if claim.minus == "identity floor"}
    assert all(claims[name].says.endswith("(ours).") for name in own)


def _source(experiment, key):
    return next(
        experiment.provenance[one]
        for one in sorted(_prefixes([key]), key=len, reverse=True)
        if one in experiment.provenance
    )


@pytest.mark.parametrize(
    ("name", "each"),
    [("peri2021", (1, 1, None)), ("peri2021-toy", (5, 3, 20)), ("peri2021-ravdess", (5, 3, 20))],
)
def test_removals_that_are_compared_have_equal_adversaries(name, each):
    loaded = experiments.load(name)
    removals = {
        (remove.how, remove.adversary_steps, remove.adversaries, remove.restart)
        for model in loaded.models
        for embedding in loaded.model(model).embeddings.values()
        for remove in embedding.remove.values()
    }
    assert removals == {(how, *each) for how in ("gradient_reversal", "alternating", "confusion")}


def test_a_wrong_provenance_in_a_file_is_refused_with_overrides_too(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: li2020\nprovenance: {training.epoch: ours}\n")
    for overrides in ([], ["training.epochs=3"], ["models.MEnAN=null"]):
        with pytest.raises(ConfigError) as error:
            experiments.load(tmp_path / "mine.yaml", overrides)
        assert str(error.value) == (
            f"{tmp_path / 'mine.yaml'}: provenance: 'training.epoch' is no setting. Did you mean 'training.epochs'?"
        )


def test_the_corpus_is_found_again_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = experiments.load("li2020", ["data.prepared=prepared/emodb"])
    assert experiment.data.prepared == str(Path.cwd() / "prepared" / "emodb")
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(experiment.model_dump(mode="json")))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert experiments.load("../experiment.yaml") == experiment


def test_a_file_that_is_no_text_is_refused_in_one_sentence(tmp_path):
    for content in (b"\xff\xfe\x00binary", b"a: [1,\nb: 2"):
        (tmp_path / "experiment.yaml").write_bytes(content)
        with pytest.raises(ConfigError, match=r"experiment\.yaml: not YAML in UTF-8") as error:
            experiments.load(tmp_path / "experiment.yaml")
        assert "\n" not in str(error.value)


def test_what_overrides_change_is_known_with_its_value_before():
    part = ["data.prepared=p", "training.epochs=2", "protocol.folds=[0, 1]", "seeds=[0]"]
    before = {"training.epochs": 15, "protocol.folds": None, "seeds": [0, 1, 2]}
    assert experiments.changed("li2020-emodb", part) == before
    assert experiments.changed("li2020-emodb", ["data.prepared=p", "training.epochs=15"]) == {}
    gone = experiments.changed("li2020-emodb", ["models.MEnAN=null"])
    assert gone["models.MEnAN.embeddings.main.remove.speaker.how"] == "max_entropy"


def test_a_distribution_over_the_classes_of_the_own_corpus_has_its_scheme():
    """Another scheme with the same classes (that of MSP-Podcast) makes no difference."""
    own = experiments.load("face-small")
    assert own.scheme_name == "ferplus"
    assert own.model_copy(update={"corpus": None}).scheme_name == "soft"
    fewer = {"emotion": TargetSettings(kind="soft", columns=("neutral", "happiness"))}
    assert own.model_copy(update={"data": own.data.model_copy(update={"targets": fewer})}).scheme_name == "soft"
