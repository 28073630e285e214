"""A user's own embeddings: utility, LEACE and floors beside every leak; only unseen speakers are verified."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from mien.audit.embedding_files import measure as embeddings
from mien.audit.embedding_files.labels import read_labels
from mien.audit.embedding_files.measure import measure
from mien.audit.embedding_files.read import join, read_embeddings
from mien.audit.leakage import floors
from mien.audit.leakage import verification as pairs
from mien.audit.leakage.dependence import dependence
from mien.audit.leakage.leakage import leakage
from mien.audit.leakage.verification import verification
from mien.audit.options import LeakageOptions
from mien.audit.statistics import measures, permutation
from mien.common.leakage_tables import after_eraser
from mien.errors import AuditError
from mien.reports import leakage_text

SPEAKER, EMOTION = np.repeat(np.arange(8), 24), np.tile(np.arange(3), 64)
LABELS = {
    "speaker": SPEAKER,
    "emotion": EMOTION,
    "sex": SPEAKER % 2,
    "sentence": np.tile(np.repeat(np.arange(4), 6), 8),
}
MEANS = np.random.default_rng(1).normal(size=(2, 8, 8))
X = np.random.default_rng(0).normal(size=(192, 8)) + 2 * MEANS[0, SPEAKER] + 2 * MEANS[1, EMOTION]


@pytest.fixture(autouse=True)
def one_probe(monkeypatch):
    """Use one probe and few resamples: intervals and p are not tested here."""
    monkeypatch.setattr(measures, "DRAWS", 100)
    monkeypatch.setattr(permutation, "PERMUTATIONS", 100)
    monkeypatch.setattr(pairs, "DRAWS", 50)
    for place in (embeddings, floors):
        monkeypatch.setattr(place, "leakage", partial(leakage, probes=("nearest_mean",)))
    for view in (dependence, verification):
        monkeypatch.setattr(embeddings, view.__name__, partial(view, permutations=10))


def found(values=X, **changed):
    return join(read_embeddings(values), read_labels(pd.DataFrame({**LABELS, **changed}, dtype=object)))


def scores(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Factor and embedding, with its eraser if there is one -> the UAR of the strongest probe."""
    rows = table[(table["probe"] == "strongest") & (table["measure"] == "uar")]
    return {(row.factor, after_eraser(row.embedding, row.eraser)): row.score for row in rows.itertuples()}


def test_utility_leace_and_floors_are_measured_by_default() -> None:
    table, notes = measure(found(), model="m")
    read = scores(table)
    assert list(read) == [
        *[("speaker", name) for name in ("embedding", "embedding after LEACE", "majority", "emotion label")],
        *[("emotion", name) for name in ("embedding", "embedding after LEACE", "majority", "sex label")],
    ]
    assert read["speaker", "embedding"] > 0.7
    assert read["speaker", "embedding after LEACE"] < 0.25
    assert read["emotion", "embedding"] > 0.7
    assert read["emotion", "embedding after LEACE"] > 0.6  # the speaker was erased, not the emotion
    utility = table[(table["factor"] == "emotion") & (table["probe"] == "strongest")]
    assert utility["split"].str.startswith("disjoint speakers;").all()
    assert notes == ()
    assert set(table.loc[table["role"] == "measured", "model"]) == {"m"}


def test_what_is_constant_for_a_speaker_is_no_floor_of_the_speaker() -> None:
    table, notes = measure(found(emotion="calm"), LeakageOptions(factor=("speaker", "sex")))
    read = scores(table)
    assert {name for factor, name in read if factor == "speaker"} == {"embedding", "embedding after LEACE", "majority"}
    assert notes == (
        "the emotion is not measured as utility: embedding: factor 'emotion' has one class, 'calm'; "
        "at least two classes are needed",
    )


def test_speakers_that_the_encoder_has_seen_are_not_verified() -> None:
    both = {seen: measure(found(), LeakageOptions(speakers=seen)) for seen in ("seen", None)}
    eer = {seen: table[table["measure"] == "eer"] for seen, (table, _) in both.items()}
    assert both["seen"].notes == ("speaker: no verification, since the encoder has seen these speakers",)
    assert eer["seen"].empty
    assert len(eer[None]) == 1
    assert eer[None]["split"].str.endswith("; columns standardised").all()


def test_verification_does_not_depend_on_the_units_of_columns() -> None:
    units = 10.0 ** np.random.default_rng(0).uniform(-4, 4, X.shape[1])
    one, other, raw = (
        table.loc[table["probe"] == "cosine", "score"].to_numpy()
        for table in (
            measure(found(), LeakageOptions())[0],
            measure(found(units * X + 5 * units), LeakageOptions())[0],
            verification(units * X, LABELS["speaker"].astype(str), permutations=10).assign(probe="cosine"),
        )
    )
    assert len(one) == 2
    assert other == pytest.approx(one, abs=0.002)
    assert one[0] < 0.35, "the speaker was planted"
    assert raw[0] > one[0] + 0.05, "one column alone counts"


def test_on_balanced_test_clips_the_other_label_predicts_nothing() -> None:
    """Each speaker has a usual emotion; the embedding encodes the emotion only."""
    random = np.random.default_rng(2)
    emotion = np.where(random.random(192) < 0.6, SPEAKER % 3, random.integers(0, 3, 192))
    own = random.normal(size=(192, 8)) + 4 * MEANS[1, emotion]
    plain, even = (measure(found(own, emotion=emotion), LeakageOptions(balanced=over)) for over in (None, "emotion"))
    for name in ("embedding", "emotion label"):
        assert scores(plain.table)["speaker", name] > 0.18
        assert scores(even.table)["speaker", name] == pytest.approx(1 / 8, abs=0.04)
    assert "speaker: test clips are balanced over emotion" in even.notes
    probed = even.table[even.table["measure"] == "uar"].groupby("factor")["balanced"].unique()
    assert {factor: list(over) for factor, over in probed.items()} == {"speaker": ["emotion"], "emotion": [""]}
    # the utility is that of all clips
    assert scores(plain.table)["emotion", "embedding"] == scores(even.table)["emotion", "embedding"]


def test_seen_speakers_give_their_sex_away() -> None:
    """The embedding encodes the speaker only, so the sex of seen speakers is predicted, that of unseen ones is not."""
    only = np.random.default_rng(0).normal(size=(192, 8)) + 6 * np.eye(8)[SPEAKER]
    unseen, seen = (
        measure(found(only), LeakageOptions(factor=factors, seen_speakers=len(factors) > 1)).table
        for factors in (("sex",), ("sex", "speaker"))
    )
    assert scores(unseen)["sex", "embedding"] < 0.7
    assert scores(seen)["sex", "embedding"] > 0.9
    assert scores(seen)["sex", "speaker label"] == 1
    split = seen[seen["probe"] == "strongest"].groupby("factor")["split"].first()
    assert split["sex"].startswith("disjoint clips; speakers on both sides")
    assert split["speaker"].startswith("disjoint clips and sentences;")
    assert split["emotion"].startswith("disjoint speakers;")


def test_windows_of_one_file_are_one_recording() -> None:
    """Each file is six windows, which the embedding encodes: a probe that had some would know the speaker of others."""
    file = np.arange(192) // 6
    own = np.random.default_rng(0).normal(size=(32, 8))[file]
    own += np.random.default_rng(1).normal(size=(192, 8)) / 10
    columns = {"file": [f"{one}.wav" for one in file], "sentence": None}
    windows, clips = (measure(found(own, **columns | {"recording": given})) for given in (None, range(192)))
    assert scores(clips.table)["speaker", "embedding"] > 0.45
    assert scores(windows.table)["speaker", "embedding"] < 0.25
    split = windows.table.groupby(["factor", "probe"])["split"].first()["speaker"]
    assert split["strongest"].startswith("disjoint clips and recordings;")
    assert split["cosine"].endswith("in different recordings; columns standardised")
    assert "speaker: clips of one file are taken as one recording" in windows.notes


def test_the_mode_for_many_clips_keeps_sentences_apart() -> None:
    table, notes = measure(found(), LeakageOptions(large=True))
    assert "speaker: no LEACE and no random projection of the inputs in the mode for many clips" in notes
    assert set(table["eraser"]) == {""}
    split = table.loc[(table["factor"] == "speaker") & (table["probe"] == "strongest"), "split"]
    assert split.str.startswith("disjoint clips and sentences; ").all()
    assert scores(table)["emotion", "embedding"] > 0.5
    for asked in ({"balanced": "emotion"}, {"seen_speakers": True}):
        with pytest.raises(AuditError, match="in the mode for many clips"):
            measure(found(), LeakageOptions(large=True, **asked))


def test_a_label_with_too_many_classes_is_no_floor(monkeypatch) -> None:
    monkeypatch.setattr(embeddings, "WIDEST", 500)
    table, notes = measure(found())
    assert "emotion label" not in set(table["embedding"])
    assert "speaker: no identity floor of emotion, which has too many classes for so many clips" in notes


def test_clips_without_a_label_are_left_out_and_counted() -> None:
    some = pd.Series(EMOTION, dtype=object).where(np.arange(192) > 3, None)
    table, notes = measure(found(emotion=some), LeakageOptions(factor=("sex",), balanced="emotion"))
    assert "sex: 4 of 192 clips have no emotion and are left out" in notes
    assert table.loc[(table["factor"] == "sex") & (table["probe"] == "kernel"), "n"].unique().tolist() == [188]


VALENCE = np.round(X[:, 0] + np.random.default_rng(7).normal(0, 1.5, len(X)), 3)


def test_a_column_with_fractions_is_a_number_that_probes_predict() -> None:
    table, notes = measure(found(valence=VALENCE), LeakageOptions(factor=("valence", "sex")))
    number = table[table["factor"] == "valence"]
    assert set(number["measure"]) == {"ccc"}
    read = number[(number["probe"] == "strongest") & (number["role"] == "measured")]
    assert len(read) == 1
    assert set(table.loc[table["factor"] == "sex", "classes"].map(str)) == {"2"}, "whole, beside numbers without any"
    assert read["score"].iloc[0] > 0.7
    assert set(number["embedding"]) == {"embedding", "emotion label", "sex label"}
    assert "valence: numbers, which probes predict (CCC); no LEACE and no dependence" in notes
    assert "valence label" not in set(table["embedding"]), "a number has no one-hot labels"
    assert leakage_text.answers(table)[-1].startswith(
        "From these embeddings a fresh probe predicts the valence with a CCC of 0."
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"large": True},
            "valence: its numbers are not probed in the mode for many clips; give classes, such as age groups instead "
            "of years",
        ),
        (
            {"balanced": "sex"},
            "valence: its numbers have no classes that could be balanced; give classes, such as age groups instead of "
            "years",
        ),
    ],
)
def test_a_number_is_refused_where_only_classes_can_be_measured(changed, sentence) -> None:
    with pytest.raises(AuditError) as refused:
        measure(found(valence=VALENCE), LeakageOptions(factor=("valence",), **changed))
    assert str(refused.value) == sentence
