"""`config.json` of an exported model: what rebuilds the model, and what was measured of it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from mien.common.settings import Settings
from mien.media.modality import Modality

Share = Field(ge=0, le=1)


class Unsure(Settings):
    """The threshold of unsure answers, and its effect on validation speakers, by the members of one fold.

    Attributes:
        threshold: the answer is unsure where the likeliest class is less probable.
        coverage: share of the validation clips that get an answer.
        accuracy: share of these answers that are correct.
    """

    threshold: float = Share
    coverage: float = Share
    accuracy: float = Share


class Score(Settings):
    """Scores on the test clips of a group of speakers, each clip by the members that it is a test clip of.

    Attributes:
        who: everybody, a corpus, or a gender.
        speakers: number of speakers.
        clips: number of clips.
        uar: unweighted average recall.
        uar_low: lower end of its interval over speakers; None with one speaker.
        uar_high: upper end.
        uar_chance: chance level of the UAR.
        wa: share of correct clips (accuracy).
        wa_chance: that of the best constant answer.
    """

    who: str
    speakers: int
    clips: int
    uar: float
    uar_low: float | None
    uar_high: float | None
    uar_chance: float
    wa: float
    wa_chance: float

    @staticmethod
    def of(who: str, row: Mapping[str, Any]) -> "Score":
        """From a row of `mien.audit.statistics.scores.summary`, with four decimals."""
        values: dict[str, Any] = {
            key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()
        }
        return Score(who=who, **{key: values[key] for key in Score.model_fields if key != "who"})


class Began(Settings):
    """The file of weights that an encoder began with.

    Attributes:
        encoder: its modality.
        file: name of the file.
        sha256: of the file.
    """

    encoder: Modality
    file: str
    sha256: str


class Elsewhere(Settings):
    """How often all members together answer on a corpus that the run was not trained on; each clip is one window.

    Attributes:
        corpus: its name.
        speech: kind of speech.
        clips: number of clips.
        speakers: number of speakers.
        coverage: share of the clips that get an answer.
        coverage_of_a_fold: the same by the members of one fold, averaged over folds, as in the calibration.
        answers: class -> its share of the answers; empty without answers.
        score: score on the clips with known emotions, answered or not, where these have two or more of the classes.
        accuracy: share of the answers on these clips that are correct; None where there is no score or no answer.
    """

    corpus: str
    speech: str
    clips: int
    speakers: int
    coverage: float = Share
    coverage_of_a_fold: float = Share
    answers: dict[str, float]
    score: Score | None
    accuracy: float | None = Field(default=None, ge=0, le=1)


class Trained(Settings):
    """A corpus that at least one member was trained on: the kind of its speech, and its training clips and speakers."""

    corpus: str
    speech: str
    clips: int
    speakers: int


class Answered(Settings):
    """The answers on some windows with one threshold, as shares of the windows.

    Attributes:
        threshold: of unsure answers.
        emotions: share with an emotion other than neutral.
        low: lower end of its 95 % interval over speakers; None with one speaker.
        high: upper end.
        answers: class -> its share; the rest is unsure.
    """

    threshold: float = Share
    emotions: float = Share
    low: float | None
    high: float | None
    answers: dict[str, float]


class Plain(Settings):
    """How all members together answer plain speech, without acted emotion, in the windows of `mien predict`.

    Half of the speakers chose the least threshold with which at most `limit` of their windows gets an emotion other
    than neutral. The rest is of the other half.

    Attributes:
        corpus: its name.
        speech: kind of speech.
        limit: the greatest share on the speakers who choose.
        choosing: number of these speakers.
        threshold: the threshold that they chose.
        speakers: number of the other speakers.
        windows: number of their windows with a voice.
        before: with the threshold that `coverage` alone gives.
        after: with the model's own threshold.
    """

    corpus: str
    speech: str
    limit: float = Share
    choosing: int
    threshold: float = Share
    speakers: int
    windows: int
    before: Answered
    after: Answered


class LeftOut(Settings):
    """An export of the same experiment with a corpus less: how it does on that one, which none of its members saw.

    Attributes:
        trained: the corpora that it was trained on.
        other: its answers and its score on the corpus that was left out.
    """

    trained: tuple[str, ...] = Field(min_length=1)
    other: Elsewhere


class Graph(Settings):
    """`model.onnx`: the networks of all members with their normalisation and the temperature, as `runs.graph` reads it.

    Attributes:
        sha256: of the file.
        least: modality -> the fewest frames that it is given; shorter inputs are filled up with frames that do not
            count. The graph holds it too.
    """

    sha256: str
    least: dict[Modality, Annotated[int, Field(ge=1)]] = Field(min_length=1)


class FrontEnd(Settings):
    """A model out of a folder, frozen, whose outputs are a feature.

    Attributes:
        feature: the feature.
        model: name of its folder.
        sha256: of its files.
        seen_corpora: the corpora that its weights have seen; `unknown` among them where that is not known.
    """

    feature: str
    model: str
    sha256: str
    seen_corpora: tuple[str, ...]


class Description(Settings):
    """`config.json`: the settings to rebuild the model, and its scores.

    Attributes:
        format: version of the folder's format.
        name: name of the exported model.
        model: its name in the run's experiment.
        members: names of the cells that are averaged.
        target: the factor that is predicted.
        classes: its classes in order.
        scheme: name of the classes.
        derived: what the classes mean, in words, where they are levels or clusters of numbers.
        temperature: divides the logits of every member.
        unsure: the threshold of unsure answers.
        by_coverage: the threshold that the coverage of the validation clips alone gives, where plain speech raised it.
        trained: the corpora that it was trained on.
        began: the files of weights that its encoders began with; none where they began with random ones.
        front_ends: the models that its features come from.
        taught: whether it learned what another model said of the pictures (`data.teacher`), and no label of people.
        plain: answers on plain speech that chose the threshold.
        scores: scores on test speakers of the run; the first is that of everybody.
        elsewhere: scores on other corpora.
        left_out: what exports of the same experiment do on a training corpus of this one that they were not given.
        marks: sentences on leaks that the run accepted, to be quoted with every score of the model.
        shortest: seconds of the shortest sound that it was trained on, where known: of much less, it is unsure.
        stored: precision of the weights in the file.
        sha256: hash of the weights' file, which holds a digest of all fields but this one and `graph`.
        graph: what computes the model without torch; None where it was exported without `--onnx`.
        mien: version of mien that exported it.
        commit: commit of the code that trained it, where known.
        experiment: the experiment with this model alone, its adversaries left out; see `mien.experiments.Experiment`.
        experiments: member -> the same, of members for which other settings were chosen (`mien.experiments.choose`).
    """

    format: Literal[1] = 1
    name: str
    model: str
    members: tuple[str, ...] = Field(min_length=1)
    target: str = "emotion"
    classes: tuple[str, ...] = Field(min_length=2)
    scheme: str
    derived: str | None = None
    temperature: float = Field(gt=0)
    unsure: Unsure
    by_coverage: Unsure | None = None
    trained: tuple[Trained, ...] = ()
    began: tuple[Began, ...] = ()
    front_ends: tuple[FrontEnd, ...] = ()
    taught: bool = False
    plain: tuple[Plain, ...] = ()
    scores: tuple[Score, ...] = Field(min_length=1)
    elsewhere: tuple[Elsewhere, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    marks: tuple[str, ...] = ()
    shortest: float | None = Field(default=None, gt=0)
    stored: Literal["float32", "float16"]
    sha256: str
    graph: Graph | None = None
    mien: str
    commit: str | None
    experiment: dict[str, Any]
    experiments: dict[str, dict[str, Any]] = Field({})
