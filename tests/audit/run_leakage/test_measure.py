"""Each cell and fold of a run is measured once, an audit can continue, and unseen speakers have no training clip."""

import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from mien.audit.leakage import floors
from mien.audit.leakage.leakage import leakage, predict
from mien.audit.run_leakage import measure as module
from mien.audit.run_leakage.inputs import Inputs
from mien.audit.run_leakage.kept import key_of_cell, key_of_fold
from mien.audit.run_leakage.measure import KEPT, run_leakage
from mien.audit.run_leakage.summary import summaries
from mien.audit.run_leakage.views import views
from mien.common.leakage_tables import LEAKAGE, RECALLS
from mien.errors import RunError
from mien.runs.run import Cell, Run
from mien.runs.run_files import RunFiles
from mien.runs.tables import read_leakage
from sealing import reseal, reseal_cell

PEOPLE, EACH = 6, 20
SPEAKER = np.repeat([f"s{number}" for number in range(PEOPLE)], EACH)
EMOTION = np.tile(["anger", "neutral"], PEOPLE * EACH // 2)
SPLIT = np.repeat(["train", "validation", "test"], [4 * EACH, EACH, EACH])


def clips(**columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"clip": [f"c{number}" for number in range(len(SPEAKER))], "split": SPLIT})
    table = table.assign(speaker=SPEAKER, label=EMOTION, gender=np.where(np.arange(len(SPEAKER)) // EACH % 2, "f", "m"))
    return table.assign(**columns)


def planted() -> np.ndarray:
    """(n, 6): three dimensions depend on the speaker, one on the emotion."""
    random = np.random.default_rng(0)
    X = random.normal(size=(len(SPEAKER), 6))
    X[:, :3] += 4 * random.normal(size=(PEOPLE, 3))[np.arange(len(SPEAKER)) // EACH]
    X[:, 3] += 4 * (EMOTION == "anger")
    return X.astype(np.float32)


@dataclass(frozen=True)
class Fake:
    """The attributes of a run that `run_leakage` uses."""

    folder: Path
    values: dict[str, Any]
    table: pd.DataFrame = field(default_factory=clips)
    tasks: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # model -> embedding -> its tasks
    numbers: dict[str, str] = field(default_factory=dict)  # factor -> its column

    target = "emotion"

    @property
    def clips(self) -> pd.DataFrame:
        return self.table

    @property
    def splits(self) -> list[dict[str, Any]]:
        parts = self.table.groupby("split")["speaker"].unique()
        return [{"fold": 0, **{name: {"speakers": list(people)} for name, people in parts.items()}}]

    @property
    def experiment(self) -> Any:
        def model(name: str) -> Any:
            return SimpleNamespace(carried={one: frozenset(own) for one, own in self.tasks[name].items()})

        return SimpleNamespace(
            trained={name: SimpleNamespace(model=model) for name in self.tasks},
            columns=("emotion",),
            numbers=self.numbers,
        )

    @property
    def cells(self) -> list[Cell]:
        return [Cell(model, 0, 0, self.folder / model) for model in self.values]

    @property
    def files(self) -> RunFiles:
        return RunFiles(self.folder)

    def embeddings(self, cell: Cell) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
        found = self.values[cell.model]
        return self.table, found if isinstance(found, dict) else {"main": found}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one = {"probes": ("nearest_mean",)}  # the fastest probe is enough here
    monkeypatch.setattr(floors, "leakage", partial(leakage, **one))
    monkeypatch.setattr(module, "predict", partial(predict, **one))

    def made(**values: np.ndarray) -> Run:
        (tmp_path / "clips.csv").write_text("the clips")
        for model, value in values.items():
            (tmp_path / model).mkdir(exist_ok=True)
            (tmp_path / model / "embeddings.safetensors").write_bytes(value.tobytes())
            reseal_cell(tmp_path / model)
        reseal(tmp_path)
        return cast(Run, Fake(tmp_path, values))

    return made


def one(table: pd.DataFrame, **where: object) -> pd.Series:
    for key, value in where.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_planted_leaks_are_found_in_seen_and_unseen_and_erased(make) -> None:
    noise = np.random.default_rng(1).normal(size=(len(SPEAKER), 6)).astype(np.float32)
    inputs = Inputs({"inputs": {f"c{number}": row for number, row in enumerate(planted().astype(float))}})
    table, by_speaker = run_leakage(make(leaky=planted(), clean=noise), thorough=True, inputs=inputs)
    assert tuple(table.columns) == LEAKAGE
    strongest = table[(table["probe"] == "strongest") & (table["measure"] == "uar")]
    read = {"factor": "speaker", "speakers": "seen", "embedding": "main", "eraser": ""}
    assert one(strongest, model="leaky", **read)["score"] > 0.9
    assert one(strongest, model="clean", **read)["low"] < 0.25 < one(strongest, model="clean", **read)["high"]
    assert one(strongest, model="leaky", **read | {"eraser": "leace"})["score"] < 0.6
    unseen = one(strongest, model="leaky", **read | {"speakers": "unseen"})
    assert (unseen["classes"], unseen["n"]) == (2, 2 * EACH)
    emotion = one(strongest, model="leaky", factor="emotion", embedding="main", eraser="")
    assert (emotion["speakers"], emotion["n"]) == ("unseen", EACH)
    assert emotion["score"] > 0.85
    words = "fitted on training clips, chosen on validation clips, tested on test clips; disjoint speakers"
    assert words in emotion["split"]
    assert one(strongest, model="leaky", factor="emotion", embedding="main", eraser="leace")["score"] > 0.7
    eer = {"measure": "eer", "embedding": "main", "eraser": ""}
    assert one(table, model="leaky", **eer)["score"] < 0.2 < one(table, model="clean", **eer)["score"]
    assert one(strongest, role="ceiling", **read | {"embedding": "inputs"})["score"] > 0.9
    beside = strongest[(strongest["role"] == "floor") & (strongest["factor"] == "speaker")]
    assert set(beside["embedding"]) == {"majority", "emotion label", "random projection"}
    assert one(beside, speakers="seen", embedding="emotion label")["score"] < 0.5
    assert set(table.loc[table["factor"] == "gender", "speakers"]) == {"seen"}  # one test speaker has one gender
    assert set(table.loc[table["measure"].isin(["hsic", "cka"]), "factor"]) == {"speaker", "emotion", "gender"}
    corrected = strongest["p_corrected"] >= strongest["p"]
    assert corrected.all()
    assert tuple(by_speaker.columns) == RECALLS
    keys = ["model", "embedding", "eraser", "fold", "seed", "probe", "speakers"]
    uar = by_speaker.groupby(keys)["recall"].mean().rename("mean").reset_index()
    same = table[(table["factor"] == "speaker") & (table["measure"] == "uar")].merge(uar, on=keys)
    assert len(same) == len(uar) > 0
    assert same["score"].to_numpy(float) == pytest.approx(same["mean"].to_numpy(float))
    means = summaries(table, {0: 0}, by_speaker)
    assert one(means, model="leaky", measure="uar", role="measured", probe="strongest", **read)["score"] > 0.9


def test_only_a_changed_embedding_is_measured_again(
    make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make(one=planted(), two=planted()[:, ::-1].copy())
    first = run_leakage(run).table
    assert set(first["probe"]) == {"nearest_mean", "strongest", "cosine"}
    assert set(first["factor"]) == {"speaker"}
    measured = []
    read = module.predict
    monkeypatch.setattr(module, "predict", lambda *given, **more: measured.append(more) or read(*given, **more))
    pd.testing.assert_frame_equal(run_leakage(run).table, first)
    assert not measured
    path = run.folder / "two" / "embeddings.safetensors"
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(RunError, match=r"two/embeddings.safetensors: damaged: .*, which trains this cell again"):
        run_leakage(run)
    reseal_cell(path.parent)
    again = run_leakage(run).table
    assert len(measured) == 2
    assert set(again.loc[again["role"] == "measured", "model"]) == {"one", "two"}
    kept = run.folder / "one" / KEPT
    for harm in ("[", kept.read_text().replace('"score": 0', '"score": 1', 1)):
        kept.write_text(harm)
        capsys.readouterr()
        pd.testing.assert_frame_equal(run_leakage(run).table, again)
        assert f"{kept}: " in (said := capsys.readouterr().err)
        assert "; it is measured again" in said


def test_a_thorough_audit_keeps_the_rows_of_the_quick_one(make) -> None:
    run = make(one=planted())
    quick = run_leakage(run).table
    kept = json.loads((run.folder / "one" / KEPT).read_text())["quick"]
    table = run_leakage(run, thorough=True).table
    assert json.loads((run.folder / "one" / KEPT).read_text())["quick"] == kept
    assert len(table) > len(quick)
    pd.testing.assert_frame_equal(run_leakage(run).table, table)


def test_a_speaker_with_training_clips_is_unseen_in_no_view() -> None:
    speakers = SPEAKER.copy()
    speakers[-EACH:] = "s0"  # the test speaker is among those of training, as `seen_speakers: true` allows
    found = [view for view in views(clips(speaker=speakers), "emotion", thorough=True) if view.seen == "unseen"]
    assert found == []  # one unseen speaker is left, in validation: too few for a view
    for view in views(clips(), "emotion", thorough=True):
        train = set(SPEAKER[SPLIT == "train"])
        assert (set(view.speakers) <= train) == (view.seen == "seen") or view.factor != "speaker"
        for fitted, tested in view.division.parts:
            assert not set(fitted) & set(tested)
            if view.factor != "speaker":
                assert not set(view.speakers[fitted]) & set(view.speakers[tested])


def test_unknown_speakers_are_not_one_person() -> None:
    unknown = np.arange(len(SPEAKER)) % 10 < 3
    table = clips(speaker=pd.Series(SPEAKER).mask(unknown & (SPLIT == "train")), rating=np.arange(len(SPEAKER)) % 7)
    seen = set()
    for view in views(table, "emotion", thorough=True, numbers={"arousal": "rating"}):
        seen.add(view.factor)
        nameless = table["speaker"].isna().to_numpy()[view.rows]
        if view.factor not in ("emotion", "arousal"):
            assert not nameless.any()
        else:
            assert nameless.sum() == 24
            assert view.speakers[nameless].tolist() == table["clip"].to_numpy()[view.rows][nameless].tolist()
    assert seen == {"speaker", "emotion", "gender", "arousal"}


WINDOWS = np.array([f"{speaker}/{number % EACH // 4}.wav" for number, speaker in enumerate(SPEAKER)])


def test_windows_of_a_file_lie_on_one_side_of_a_division() -> None:
    for view in views(clips(file=WINDOWS), "emotion", thorough=False):
        assert view.division.description == "disjoint clips and recordings"
        assert view.known["recordings"].tolist() == WINDOWS[view.rows].tolist()
        for fitted, tested in view.division.parts:
            assert not set(WINDOWS[view.rows[fitted]]) & set(WINDOWS[view.rows[tested]])
    own = clips(file=clips()["clip"])  # every clip is a file of its own, so nothing is known of recordings
    for view, plain in zip(*(views(table, "emotion", thorough=False) for table in (own, clips())), strict=True):
        assert view.known == {}
        assert view.division.description == plain.division.description == "disjoint clips"
        np.testing.assert_equal(view.division.parts, plain.division.parts)


def test_what_is_kept_is_measured_again_once_files_are_recordings(make) -> None:
    run = make(one=planted())
    keys = {
        key(one, run.cells[0])
        for one in (run, Fake(run.folder, {}, clips(file=clips()["clip"])), Fake(run.folder, {}, clips(file=WINDOWS)))
        for key in (
            lambda run, cell: key_of_cell(run, cell, {}, 0),
            lambda run, cell: key_of_fold(run, cell, [6], clips(), {}, 0),
        )
    }
    assert len(keys) == 4


def test_the_target_is_no_floor_of_itself() -> None:
    table = clips().assign(label=clips()["gender"])
    found = {view.factor: list(view.others) for view in views(table, "gender", thorough=True, own=("gender",))}
    assert found == {"speaker": ["gender"], "gender": []}


def test_an_embedding_that_is_not_finite_is_refused_with_its_cell(make) -> None:
    broken = planted()
    broken[3, 3] = np.nan
    run = make(broken=broken)
    with pytest.raises(RunError) as caught:
        run_leakage(run)
    place = run.folder / "broken"
    assert str(caught.value) == f"{place}: the embedding 'main' is not finite; train this cell again"


def test_a_number_is_probed_on_test_clips_before_and_after_the_speaker_is_erased(make) -> None:
    random = np.random.default_rng(5)
    rating = pd.Series(random.normal(3, 1, len(SPEAKER))).where(np.arange(len(SPEAKER)) % 17 != 0)
    X = planted()
    X[:, 4] = rating.fillna(3) + random.normal(0, 0.3, len(SPEAKER))
    run = make(leaky=X)
    numeric = cast(Run, Fake(run.folder, {"leaky": X}, clips(own=rating.to_numpy()), numbers={"arousal": "own"}))
    whole = run_leakage(numeric, thorough=True).table
    table = whole.query("factor == 'arousal'")
    assert set(table["measure"]) == {"ccc"}
    strongest = table[table["probe"] == "strongest"]
    before, after = (one(strongest, embedding="main", eraser=eraser) for eraser in ("", "leace"))
    assert before["score"] > 0.7
    assert before["low"] > 0
    assert after["score"] > 0.5, "the speaker is not the rating"
    tested = (SPLIT == "test") & rating.notna().to_numpy()
    assert before["n"] == after["n"] == tested.sum()
    words = "fitted on training clips, chosen on validation clips, tested on test clips; disjoint speakers"
    assert words in before["split"]
    assert before["speakers"] == "unseen"
    assert abs(one(strongest, embedding="emotion label")["score"]) < 0.3, "a floor: the rating is not the emotion"
    assert set(summaries(table, {0: 0})["classes"]) == {""}
    whole.to_csv(run.folder / "leakage.csv", index=False)
    speakers = summaries(read_leakage(run.folder / "leakage.csv", LEAKAGE), {0: 0})
    assert set(speakers.query("factor == 'speaker'")["classes"]) == {"2", "4"}, "whole, beside numbers without any"


def test_an_audit_from_before_numbers_were_probed_is_done_again(make) -> None:
    run = make(leaky=planted())
    numeric = cast(Run, Fake(run.folder, {"leaky": planted()}, numbers={"arousal": "own"}))
    (cell,) = run.cells
    assert key_of_cell(run, cell, {}, 0) != key_of_cell(numeric, cell, {}, 0)
