"""`predict` covers each file in media time, averages the folds, marks silence, and lists files that it cannot read."""

import json
import shutil
import wave
from importlib import import_module
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import torch

import mien
from mien.cli.main import main
from mien.data.prepared import Prepared
from mien.errors import ConfigError, MediaError, RunError
from mien.media.audio import read_audio
from mien.runs import exported
from mien.runs.ensemble import Ensemble
from mien.runs.run import Run
from mien.runs.selection import best_model


@pytest.fixture(scope="module")
def talk(tmp_path_factory, make_tone):
    """Three seconds of a tone, three of nothing, two of another tone."""
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    parts = []
    for number, (pitch, seconds) in enumerate(((300.0, 3.0), (0.0, 3.0), (90.0, 2.0))):
        make_tone(path, pitch, 1.0, number, seconds)
        parts.append(read_audio(path) * (pitch > 0))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((np.concatenate(parts) * 32767).astype("<i2").tobytes())
    return path


def test_rows_cover_the_file_and_silence_is_where_it_is(run, talk):
    rows = pd.DataFrame(mien.predict([talk], model=run, window=1.0, hop=0.5).data["rows"])
    assert list(rows["start"]) == [0.5 * number for number in range(len(rows))]
    assert rows["end"].iloc[-1] == 8.0
    assert (rows["start"].iloc[1:].to_numpy() <= rows["end"].iloc[:-1].to_numpy()).all()
    silent = rows["emotion"] == "silence"
    assert list(rows["start"][silent]) == [3.0, 3.5, 4.0, 4.5, 5.0]
    classes = list(Run.open(run).classes)
    assert rows.loc[silent, classes].isna().all(axis=None)
    probabilities = rows.loc[~silent, classes].astype(float)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-3)
    assert (probabilities.idxmax(axis=1) == rows["emotion"][~silent]).all()
    assert list(rows.columns) == ["file", "start", "end", "person", "modality", "emotion", *classes, "scheme", "model"]


@pytest.mark.parametrize("harm", ["not finished", "missing", "damaged"])
def test_a_run_answers_with_all_of_its_cells_or_says_which_are_missing(run, talk, tmp_path, capsys, harm):
    place = tmp_path / "run" / "models" / "MEnAN"
    shutil.copytree(run, tmp_path / "run")
    cell = Run.open(tmp_path / "run").cell("MEnAN", 1, 0)
    weights = bytearray(cell.weights.read_bytes())
    weights[-1] ^= 1
    if harm == "not finished":
        cell.begin_again()
        cell.weights.unlink()
    else:
        cell.weights.unlink()
    if harm == "damaged":
        cell.weights.write_bytes(weights)
    why = {"not finished": harm, "missing": "weights.safetensors: missing", "damaged": "weights.safetensors: damaged: "}
    for ask in (mien.load_model, lambda model: mien.predict([talk], model=model)):
        with pytest.raises(RunError) as error:
            ask(place)
        said = str(error.value)
        assert said.startswith(f"{place}: 1 of 4 cells of MEnAN cannot answer: fold-1-seed-0: {why[harm]}")
        assert said.endswith(
            "run the same 'mien train' again, which trains what is missing; the others answer with --partial"
        )
    asked = {"unsure": 0, "window": 1.0}
    part = mien.predict([talk], model=place, partial=True, **asked)
    names = ("fold-0-seed-0", "fold-2-seed-0", "fold-3-seed-0")
    each = [mien.predict([talk], model=place / name, **asked).frame for name in names]
    classes = list(Run.open(run).classes)
    mean = np.mean([one[classes].astype(float) for one in each], axis=0)
    np.testing.assert_allclose(part.frame[classes].astype(float), mean, atol=1e-3)
    sentence = "answers without 1 of its cells: fold-1-seed-0"
    assert sentence in part.text
    assert any(sentence in one for one in mien.load_model(place, partial=True).limits)
    with pytest.raises(RunError, match="1 of 1 cells of MEnAN cannot answer"):
        mien.predict([talk], model=cell.folder, partial=True)
    assert main(["predict", str(talk), "--model", str(place), "--partial"]) == 0
    assert sentence in " ".join(capsys.readouterr().out.split())
    with pytest.raises(
        ConfigError, match=r"--partial: .* is an exported model, which has all of its cells; leave it out"
    ):
        mien.predict([talk], model="voice-small", partial=True)


@pytest.mark.parametrize("one", [str, Path])
def test_one_file_needs_no_list_and_the_outcome_has_a_table(run, talk, one):
    import_module("mien.commands.list")  # which is called as a type is
    outcome = mien.predict(one(talk), model=run)
    assert outcome.data == mien.predict([talk], model=run).data
    assert outcome.frame.to_dict("records") == pd.DataFrame(outcome.data["rows"]).to_dict("records")
    assert repr(outcome) == f"Outcome(rows: {len(outcome.frame)}, notes: 0, about: 1, problems: 0)"
    with pytest.raises(ConfigError) as error:
        mien.predict([], model=run)
    assert str(error.value) == "predict: no file is given; name a sound or a video file"


def test_folds_are_averaged_and_the_model_is_the_best_on_validation(run, talk):
    opened = Run.open(run)
    best = best_model(opened)
    uar = {name: parts["validation"]["uar"] for name, parts in opened.metrics["models"].items()}
    assert uar[best] == max(uar.values())
    sound = read_audio(talk)[:16_000]
    cpu = torch.device("cpu")
    each = [Ensemble.open(cell.folder, cpu).probabilities([sound]) for cell in opened.cells if cell.model == best]
    assert len(each) == 4
    for path in (run, run / "models" / best):
        np.testing.assert_allclose(Ensemble.open(path, cpu).probabilities([sound]), np.mean(each, axis=0), atol=1e-12)
    assert np.std(each, axis=0).max() > 1e-4


def test_a_probability_does_not_depend_on_the_other_windows(run, talk):
    ensemble = Ensemble.open(run, torch.device("cpu"))
    sound = read_audio(talk)
    parts = [sound[:16_000], sound[:12_345], sound[-9_000:]]
    together = ensemble.probabilities(parts)
    for row, part in zip(together, parts, strict=True):
        np.testing.assert_allclose(ensemble.probabilities([part])[0], row, atol=1e-6)


def test_the_command_writes_csv_and_json_and_lists_what_it_cannot_read(run, talk, tmp_path, capsys):
    (tmp_path / "text.wav").write_text("not a sound")
    for suffix in ("csv", "json"):
        out = tmp_path / f"rows.{suffix}"
        code = main(
            ["predict", str(talk), str(tmp_path / "text.wav"), "--model", str(run), "--out", str(out), "--json"]
        )
        printed = capsys.readouterr()
        assert code == 1
        assert "text.wav" in printed.err
        answer = json.loads(printed.out)
        assert len(answer["problems"]) == 1
        rows = pd.read_csv(out) if suffix == "csv" else pd.DataFrame(json.loads(out.read_text()))
        assert len(rows) == len(answer["rows"]) == 5
        assert (rows["scheme"] == "iemocap").all()


def test_what_cannot_be_done_is_refused(run, talk, tmp_path):
    (tmp_path / "text.wav").write_text("not a sound")
    with pytest.raises(MediaError, match=r"text\.wav"):
        mien.predict([tmp_path / "text.wav"], model=run)
    with pytest.raises(RunError, match="not a run folder"):
        mien.predict([talk], model=tmp_path)
    with pytest.raises(RunError, match="Did you mean 'MEnAN'"):
        mien.predict([talk], model=run / "models" / "MEnam")
    for nonsense in ("typo", "models", "report.html", "models/MEnAN/fold-0-seed-0/weights.safetensors"):
        with pytest.raises(RunError, match="not a model of the run"):
            mien.predict([talk], model=run / nonsense)
    with pytest.raises(RunError, match="Did you mean 'fold-1-seed-0'"):
        mien.predict([talk], model=run / "models" / "MEnAN" / "fold-1-sed-0")
    with pytest.raises(ConfigError, match=r"must be 0\.1 s or more, and not longer than the window$"):
        mien.predict([talk], model=run, window=1.0, hop=2.0)
    with pytest.raises(ConfigError, match=r"\.csv or \.json"):
        mien.predict([talk], model=run, out=tmp_path / "rows.xml")


@pytest.mark.parametrize(("best", "answer"), [(0.60003, "unsure"), (0.60005, "anger"), (0.59999, "unsure")])
def test_a_probability_is_compared_before_it_is_rounded(run, talk, monkeypatch, best, answer):
    def planted(self, voices, faces):
        return np.array([[best, *[(1 - best) / (len(self.classes) - 1)] * (len(self.classes) - 1)]] * len(voices))

    monkeypatch.setattr(Ensemble, "infer", planted)
    rows = mien.predict([talk], model=run, unsure=0.60004).data["rows"]
    assert {row["emotion"] for row in rows} == {answer}
    assert {row["anger"] for row in rows} == {round(best, 4)}


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("rate", [16_000, 8_000])
def test_a_clip_is_predicted_as_in_training_at_any_sample_rate(prepared, experiment, tmp_path, rate):
    settings = [f"data.audio={{name: mfb43, sample_rate: {rate}}}", "training.epochs=2", "protocol.folds=[0]"]
    mien.train(experiment, [f"data.prepared={prepared}", *settings, "models.MEnAN=null"], out=tmp_path / "run")
    opened = Run.open(tmp_path / "run")
    row = opened.predictions.query("split == 'test'").iloc[0]
    root = Prepared.open(prepared)
    file = root.media(opened.clips.loc[row["clip"]])
    (row_of_file,) = mien.predict([file], model=tmp_path / "run").data["rows"]
    for name in opened.classes:
        assert row_of_file[name] == pytest.approx(row[name], abs=2e-3)


@pytest.mark.parametrize("seconds", [0.005, 0.02, 0.04, 0.19])
def test_sound_too_short_to_tell_is_unsure_and_the_reason_is_noted(run, tmp_path, make_tone, seconds):
    """The tiny run was trained on parts of .4 s."""
    file = tmp_path / "short.wav"
    make_tone(file, 300.0, 1.0, 0, seconds)
    found = mien.predict([file], model=run)
    (row,) = found.data["rows"]
    assert (row["emotion"], row["modality"]) == ("unsure", "audio")
    assert sum(row[name] for name in Run.open(run).classes) == pytest.approx(1, abs=1e-3)
    half = f"half of the shortest sound that {row['model']} was trained on"
    assert found.data["notes"] == [f"{file}: lasts {seconds:.3g} s: below 0.2 s, {half}, the answer is unsure"]
    assert found.data["notes"][0] in found.text
    assert mien.predict([file], model=run, unsure=0).data["rows"][0]["emotion"] != "unsure"
    make_tone(file, 300.0, 1.0, 0, 0.21)
    assert mien.predict([file], model=run).data["notes"] == []


def test_windows_too_short_to_tell_are_counted(run, talk):
    found = mien.predict([talk], model=run, window=0.15, hop=0.15)
    rows = [row for row in found.data["rows"] if row["modality"]]
    assert {row["emotion"] for row in rows} == {"unsure"}
    (note,) = found.data["notes"]
    assert note.startswith(f"{talk}: {len(rows)} of its {len(found.data['rows'])} windows are too short: below 0.2 s, ")


@pytest.mark.parametrize(("rate", "count"), [(16_000, 80), (16_000, 640), (44_100, 220), (44_100, 1764), (8_000, 40)])
def test_the_model_that_comes_with_mien_is_unsure_of_very_short_sound(tmp_path, rate, count):
    file = tmp_path / "short.wav"
    with wave.open(str(file), "wb") as opened:
        opened.setparams((1, 2, rate, 0, "NONE", ""))
        opened.writeframes((9000 * np.sin(np.arange(count) * 900 / rate)).astype("<i2").tobytes())
    found = mien.predict([file])
    assert [row["emotion"] for row in found.data["rows"]] == ["unsure"]
    seconds = round(-(-count * 16_000 // rate) / 16_000, 3)
    least = exported.describe(exported.FOLDER / "voice-small").shortest / 2
    half = "half of the shortest sound that voice-small was trained on"
    assert found.data["notes"] == [f"{file}: lasts {seconds:.3g} s: below {least:.3g} s, {half}, the answer is unsure"]


def test_an_exported_model_knows_its_shortest_sound(run, tmp_path):
    mien.export(run / "models" / "MEnAN", out=tmp_path / "tiny")
    assert exported.describe(tmp_path / "tiny").shortest == 0.4
    assert Ensemble.open(tmp_path / "tiny", torch.device("cpu")).shortest == 0.4
    assert "half of the shortest clip that it was trained on" in (tmp_path / "tiny" / "README.md").read_text()


def test_a_silent_default_track_is_said_where_another_one_is_not(run, tmp_path, make_tone):
    make_tone(tmp_path / "tone.wav", 200.0, 1.0, 0, 2.0)
    tone = (read_audio(tmp_path / "tone.wav") * 2**15).astype(np.int16)
    with av.open(str(tmp_path / "film.mkv"), "w", format="matroska") as container:
        tracks = [container.add_stream("flac", rate=16_000, layout="mono") for _ in range(2)]
        for level, track in enumerate(tracks):
            frame = av.AudioFrame.from_ndarray(level * tone[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, 0
            parts = av.AudioResampler(track.codec_context.format or "s16", "mono", 16_000, frame_size=1152)
            for part in parts.resample(frame) + parts.resample(None):
                container.mux(track.encode(part))
            container.mux(track.encode(None))
    found = mien.predict([tmp_path / "film.mkv"], model=run)
    assert {row["emotion"] for row in found.data["rows"]} == {"silence"}
    assert found.data["notes"] == [
        f"{tmp_path / 'film.mkv'}: is silent; track 2 of its 2 sound tracks is not: keep that one, as "
        "'ffmpeg -i film.mkv -map 0:a:1 FILE.wav'"
    ]
    assert mien.predict([tmp_path / "tone.wav"], model=run).data["notes"] == []


def test_a_constant_offset_is_no_voice(run, tmp_path):
    noise = 1e-4 * np.random.default_rng(0).standard_normal(32_000)
    for name, values in {"noise": noise, "both": noise + 0.01, "offset": np.full(32_000, 0.01)}.items():
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes((values * 32767).round().astype("<i2").tobytes())
    found = mien.predict(sorted(tmp_path.glob("*.wav")), model=run)
    assert [row["emotion"] for row in found.data["rows"]] == ["silence"] * 3
