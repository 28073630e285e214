"""Tiny corpora in their true layouts. Readers decode nothing, so the recordings are empty files."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mien.corpora.votes import EMOTIONS

IEMOCAP_EVALUATION = """\
% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral;\t()
C-E4:\tNeutral; Frustration;\t()
C-F1:\tNeutral; Anger;\t(curious)
A-E3:\tval 3; act 2; dom  2;\t()
A-E4:\tval 2; act 3; dom  3;\t(mostly nervousness)

[10.0100 - 11.3925]\tSes01F_impro01_M001\txxx\t[2.0000, 3.0000, 3.5000]
C-E2:\tFrustration;\t()
C-E3:\tAnger;\t()
C-E4:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[14.8872 - 18.0175]\tSes01F_impro01_F002\texc\t[4.0000, 3.5000, 3.0000]
C-E2:\tExcited; Happiness;\t()
C-E3:\tExcited;\t()
"""


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def write(root: Path, path: str, text: str) -> None:
    touch(root, path)
    (root / path).write_text(text, encoding="utf-8")


def emodb(root: Path) -> None:
    touch(root, "wav/03a01Fa.wav", "wav/03a01Nc.wav", "wav/08b10Wb.wav", "wav/16a07Ea.wav")


def ravdess(root: Path) -> None:
    touch(root, "Actor_01/03-01-05-02-01-01-01.wav", "Actor_01/03-01-01-01-02-02-01.wav")
    touch(root, "Actor_02/03-01-04-01-01-01-02.flac")


def tess(root: Path) -> None:
    """The release's folders, whose spelling differs between the speakers, and its one file of another spelling."""
    touch(root, "OAF_neutral/OA_bite_neutral.wav", "OAF_Fear/OAF_back_fear.wav", "YAF_sad/YAF_youth_sad.wav")
    touch(root, "OAF_Pleasant_surprise/OAF_back_ps.wav", "YAF_pleasant_surprised/YAF_back_ps.wav")


def librispeech(root: Path) -> None:
    write(
        root,
        "SPEAKERS.TXT",
        ";ID  |SEX| SUBSET           |MINUTES| NAME\n"
        "84   | F | dev-clean        | 8.02  | Christie Nowak\n"
        "174  | M | dev-clean        | 8.04  | Peter Eastman\n",
    )
    touch(root, "dev-clean/84/121123/84-121123-0000.flac", "dev-clean/174/50561/174-50561-0003.flac")
    write(root, "dev-clean/84/121123/84-121123.trans.txt", "84-121123-0000 GO DO YOU HEAR\n")


def iemocap(root: Path) -> None:
    write(root, "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", IEMOCAP_EVALUATION)
    write(
        root,
        "Session2/dialog/EmoEvaluation/Ses02M_script01_1b.txt",
        "[0.5000 - 3.2500]\tSes02M_script01_1b_M000\tang\t[1.5000, 4.0000, 4.0000]\nC-E1:\tAnger;\t()\n",
    )
    wav = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_"
    touch(root, f"{wav}F000.wav", f"{wav}M001.wav", f"{wav}F002.wav")
    touch(root, "Session2/sentences/wav/Ses02M_script01_1b/Ses02M_script01_1b_M000.wav")


def cmu_mosei(root: Path) -> None:
    head = "HITId,Input.VIDEO_ID,Input.CLIP," + ",".join(
        f"Answer.{emotion}" for emotion in ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    )
    head += "\n"
    write(
        root,
        "Raw/Labels/5000_batch_raw.csv",
        head + "h1,-3g5yACwYnA,2,0,0,0,1,0,0\nh2,-3g5yACwYnA,2,0,0,0,2,1,0\nh3,-3g5yACwYnA,2,0,0,0,0,0,0\n"
        "h1,-3g5yACwYnA,3,0,0,0,0,0,0\nh2,-3g5yACwYnA,3,0,0,0,0,0,0\n",
    )
    write(root, "Raw/Labels/extra.csv", head + "h1,a_1,0,0,0,,0,0,0\n")
    write(root, "Raw/Labels/notes.csv", "WorkerId,Country\n1,US\n")
    write(
        root,
        "Raw/Transcript/Segmented/Combined/-3g5yACwYnA.txt",
        "-3g5yACwYnA___2___13.6506___22.1___Key is part of ___ the people\n"
        "-3g5yACwYnA___3___22.1___25___They've been able\n",
    )
    touch(root, "Raw/Audio/Full/WAV_16000/-3g5yACwYnA.wav", "Raw/Videos/Full/Combined/-3g5yACwYnA.mp4")
    touch(root, "Raw/Videos/Segmented/Combined/-3g5yACwYnA_2.mp4", "Raw/Videos/Segmented/Combined/a_1_0.mp4")


def emovoxceleb(root: Path) -> None:
    """Frames of two celebrities, one by name and one by number; media as VoxCeleb1 was named first, and now."""
    write(
        root,
        "labels/frames.csv",
        "speaker,video,segment,frame,partition,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt\n"
        "A.J._Buckley,1zcIwhmdeo4,0000001,0,train,3.5,1.0,-1.0,0.5,-2.0,-3.0,-2.5,-4.0\n"
        "A.J._Buckley,1zcIwhmdeo4,0000001,6,train,3.0,4.25,-1.0,0.5,-2.0,-3.0,-2.5,-4.0\n"
        "A.J._Buckley,_a_b-c,0000004,0,heardVal,1.0,0.0,5.5,0.0,0.0,0.0,0.0,0.0\n"
        "id10309,0b1inHMAr6o,00002,0,unheardVal,0.0,0.0,0.0,2.5,0.0,0.0,0.0,1.0\n",
    )
    write(
        root,
        "vox1_meta.csv",
        "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
        "id10001\tA.J._Buckley\tm\tIreland\tdev\n"
        "id10309\tEva_Green\tf\tFrance\ttest\n",
    )
    touch(root, "wav/A.J._Buckley/1zcIwhmdeo4_0000001.wav", "mp4/id10001/_a_b-c/00004.mp4")
    touch(root, "wav/id10309/0b1inHMAr6o/00002.wav")


def voxceleb(root: Path) -> None:
    """Both releases with their tables: VoxCeleb1 as it was named first and now, VoxCeleb2 as sound and as film."""
    write(
        root,
        "vox1_meta.csv",
        "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
        "id10001\tA.J._Buckley\tm\tIreland\tdev\n"
        "id10309\tEva_Green\tf\tFrance\ttest\n",
    )
    write(
        root,
        "vox2_meta.csv",
        "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set\nid00012 ,n000012 ,m ,dev\nid00017 ,n000017 ,f ,test\n",
    )
    touch(root, "vox1/A.J._Buckley/1zcIwhmdeo4_0000001.wav", "vox1/wav/id10001/_a_b-c/00004.wav")
    touch(root, "vox1/wav/id10309/0b1inHMAr6o/00002.wav")
    touch(root, "dev/aac/id00012/21Uxsk56VDQ/00001.m4a", "dev/aac/id00012/2DLq_Kkc1r8/00016.m4a")
    touch(root, "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4", "test/aac/id00017/5MkXgwdrmJw/00001.m4a")
    touch(root, "txt/id00012/21Uxsk56VDQ/00001.txt")


def faces(count: int, seed: int = 0) -> list[str]:
    """Images of FER2013 as they are written: 48 x 48 grey values with blanks between."""
    generator = random.Random(seed)
    return [" ".join(str(generator.randrange(256)) for _ in range(48 * 48)) for _ in range(count)]


def ferplus(root: Path) -> None:
    """Three of Training, two of PublicTest: a majority, a tie, a copy across the parts, and one that is no face."""
    images = faces(4)
    images.insert(3, images[0])
    parts = ["Training"] * 3 + ["PublicTest"] * 2
    rows = [f"{n % 7},{image},{part}\n" for n, (image, part) in enumerate(zip(images, parts, strict=True))]
    write(root, "fer2013.csv", "emotion,pixels,Usage\n" + "".join(rows))
    votes = (
        "fer0000000.png,4,0,0,1,5,0,0,0,0,0",
        "fer0000001.png,5,5,0,0,0,0,0,0,0,0",
        ",0,0,0,0,0,0,0,0,0,10",
        "fer0000003.png,1,0,1,1,7,0,0,0,0,0",
        "fer0000004.png,0,0,0,0,2,0,0,8,0,0",
    )
    head = f"Usage,Image name,{','.join(FERPLUS_VOTES)}\n"
    body = "".join(f"{part},{row}\n" for part, row in zip(parts, votes, strict=True))
    write(root, "fer2013new.csv", head + body)


FERPLUS_VOTES = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF"]
SHADES = {"neutral": 40, "happiness": 200, "anger": 120}  # of the images of a class


def write_faces(root: Path, train: int = 24, test: int = 9, *, copies: int = 0, seed: int = 0) -> Path:
    """FER+ with three classes by shade; the first `copies` of PublicTest are images of Training."""
    generator = random.Random(seed)
    pictures, rows, votes = [], ["emotion,pixels,Usage"], [f"Usage,Image name,{','.join(FERPLUS_VOTES)}"]
    for number in range(train + test):
        emotion = list(SHADES)[number % len(SHADES)]
        shade = SHADES[emotion] + generator.randrange(-20, 20)
        values = " ".join(str(shade + generator.randrange(8)) for _ in range(48 * 48))
        picture = pictures[number - train] if train <= number < train + copies else values
        pictures.append(picture)
        usage = "Training" if number < train else "PublicTest"
        rows.append(f"0,{picture},{usage}")
        counts = ",".join("10" if name == emotion else "0" for name in FERPLUS_VOTES)
        votes.append(f"{usage},fer{number:07d}.png,{counts}")
    root.mkdir(parents=True, exist_ok=True)
    (root / "fer2013.csv").write_text("\n".join(rows) + "\n")
    (root / "fer2013new.csv").write_text("\n".join(votes) + "\n")
    return root


def nemo(root: Path) -> None:
    """Blanks before the speakers and .wav in the names as in the release; one clip of the table is not there."""
    write(
        root,
        "data.tsv",
        "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
        "KS0_anger_14.wav\tanger\tTen miesiąc minął bardzo szybko.\tten miesiąc\t        KS0\tmale\t23\n"
        "EB0_surprised_1.wav\tsurprised\tLubię czytać przed snem.\tlubię czytać\t        EB0\tfemale\t27\n"
        "WR0_neutral_14.wav\tneutral\tTen miesiąc minął bardzo szybko.\tten miesiąc\t        WR0\tmale\t23\n",
    )
    touch(root, "samples/KS0_anger_14.flac", "samples/EB0_surprised_1.wav")


CREMA_D_COUNTS = """\
"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"
"100001",0,0,0,1,9,0,"1001_IEO_NEU_XX",10,0.9,"N"
"100002",2,4,0,0,4,0,"1001_IEO_DIS_HI",10,0.4,"D:N"
"200001",0,0,0,0,9,0,"1001_IEO_NEU_XX",9,1,"N"
"200002",5,5,0,0,0,0,"1001_IEO_DIS_HI",10,0.5,"A:D"
"300001",0,0,0,0,9,1,"1001_IEO_NEU_XX",10,0.9,"N"
"300002",5,0,5,0,0,0,"1001_IEO_DIS_HI",10,0.5,"A:F"
"""
CREMA_D_MAJORITIES = """\
"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"
"1","1001_IEO_NEU_XX","N","69.1","N","92.22","N","64.78"
"2","1001_IEO_DIS_HI","D:N","50:60","A:D","57:55","A:F","57:60"
"""


def crema_d(root: Path) -> None:
    """Sound, sound again and film of a performance, as in the release; another as film alone; both tables of votes."""
    write(
        root,
        "VideoDemographics.csv",
        '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n'
        '1002,21,"Female","Asian","Not Hispanic"\n',
    )
    write(root, "processedResults/tabulatedVotes.csv", CREMA_D_COUNTS)
    write(root, "processedResults/summaryTable.csv", CREMA_D_MAJORITIES)
    touch(root, "AudioWAV/1001_IEO_NEU_XX.wav", "AudioMP3/1001_IEO_NEU_XX.mp3", "VideoFlash/1001_IEO_NEU_XX.flv")
    touch(root, "VideoFlash/1001_IEO_DIS_HI.flv")


IMPROV_EVALUATIONS = """\
UTD-IMPROV-S01A-F01-P-FM01.avi; H; A:2.833333; V:3.166667; D:3.000000 ; N:3.833333;
10078-p1; Happy; Happy,Excited; A:3.000000; V:4.000000; D:3.000000; N:4.000000;
11234-p2; Neutral; Neutral; A:2.000000; V:3.000000; D:NaN; N:4.000000;
10078-p1; Happy; Happy,Excited; A:3.000000; V:4.000000; D:3.000000; N:4.000000;

UTD-IMPROV-S01A-M01-T-FM02.avi; A; A:4.200000; V:1.800000; D:3.600000 ; N:NaN;
10078-p1; Angry; Angry; A:4.000000; V:2.000000; D:4.000000; N:NaN;

UTD-IMPROV-S20S-F06-R-FF01.avi; X; A:2.000000; V:2.000000; D:NaN ; N:2.500000;
10078-p1; Sad; Sad; A:2.000000; V:2.000000; D:NaN; N:2.000000;
11234-p2; Other; (tired; bored); A:2.000000; V:2.000000; D:NaN; N:3.000000;

UTD-IMPROV-S20S-M06-S-MF03.avi; O; A:3.000000; V:2.000000; D:2.000000 ; N:4.000000;
"""


def msp_improv(root: Path) -> None:
    """The release's own spelling of the text; a turn as sound and film, one as film alone."""
    write(root, "Evalution.txt", IMPROV_EVALUATIONS)
    touch(root, "Audio/session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav")
    touch(root, "Audio/session1/S01A/T/MSP-IMPROV-S01A-M01-T-FM02.wav")
    touch(root, "Audio/session6/S20S/R/MSP-IMPROV-S20S-F06-R-FF01.wav")
    touch(root, "Video/session1/S01A/P/UTD-IMPROV-S01A-F01-P-FM01.avi")
    touch(root, "Video/session6/S20S/S/UTD-IMPROV-S20S-M06-S-MF03.avi")


PODCAST_LABELS = """\
FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set
MSP-PODCAST_0001_0008.wav,N,2.2,4.0,2.6,127,Male,Test1
MSP-PODCAST_0001_0019.wav,U,5.4,4.2,4.8,127,Male,Test1
MSP-PODCAST_0023_0049.wav,C,4,2.8,4.6,24,Female,Development
MSP-PODCAST_0153_0001.wav,X,3.4,3.6,3.8,8,Unknown,Train
MSP-PODCAST_0200_0007.wav,O,6.2,5.8,6,911,Female,Test2
"""


def msp_podcast(root: Path) -> None:
    """With the labels and a recording of an older release, which are not read."""
    write(root, "Labels/labels_consensus.csv", PODCAST_LABELS)
    names = [line.split(",")[0] for line in PODCAST_LABELS.splitlines()[1:]]
    touch(root, *(f"Audios/{name}" for name in names))
    old = "Previous_releases_information"
    write(root, f"{old}/previous_releases_info/labels_consensus.csv", PODCAST_LABELS.replace(",N,", ",A,"))
    touch(root, f"{old}/files_removed/Audios/MSP-PODCAST_0001_0008.wav")


def enterface(root: Path) -> None:
    """With slips of the release: the names of subjects 3 and 11, and a film of all sentences of subject 6."""
    touch(root, "subject 1/surprise/sentence 5/s1_su_5.avi", "subject 3/happiness/sentence 1/s_3_ha_1.avi")
    touch(root, "subject 11/anger/sentence 1/s12_an_1.avi", "subject 12/anger/sentence 1/s12_an_1.avi")
    touch(root, "subject 6/fear/s6_fe.avi")


def rml(root: Path) -> None:
    """The two parts of the release, with a subject who speaks two languages."""
    touch(root, "rml-1/s1/an1.avi", "rml-1/s4/english/su10.avi", "rml-1/s4/Mandarin/su10.avi", "rml-2/s8/ha2.avi")


def table(root: Path) -> None:
    write(
        root,
        "corpus.csv",
        "file,start,end,speaker,gender,emotion,split,rating\n"
        "a/one.wav,,,ann,F,happy,train,2.5\n"
        "talk.mp4,0.5,2.25,bob,male,sad+angry,test,\n"
        "talk.mp4,3,4,bob,,,test,1.25\n",
    )
    touch(root, "a/one.wav", "talk.mp4")


def toy(root: Path) -> None:
    from mien.corpora.toy import ToyConfig, generate

    generate(root, ToyConfig(people=2, clips=12))


AUDFORMAT = {
    "db.yaml": """\
name: tiny
source: https://example.org
usage: research
languages: []
license: CC0-1.0
schemes:
  confidence: {dtype: float}
  emotion:
    dtype: str
    labels: [anger, happiness, neutral]
  speaker:
    dtype: int
    labels:
      3: {gender: male, age: 31}
      8: {gender: female, age: 34}
splits:
  test: {type: test}
  train: {type: train}
tables:
  emotion.test:
    type: filewise
    split_id: test
    columns:
      emotion: {scheme_id: emotion}
      emotion.confidence: {scheme_id: confidence}
  emotion.train:
    type: filewise
    split_id: train
    columns:
      emotion: {scheme_id: emotion}
      emotion.confidence: {scheme_id: confidence}
  files:
    type: filewise
    columns:
      speaker: {scheme_id: speaker}
""",
    "db.emotion.test.csv": "file,emotion,emotion.confidence\nwav/08b10Wb.wav,anger,1.0\n",
    "db.emotion.train.csv": """\
file,emotion,emotion.confidence
wav/03a01Fa.wav,happiness,0.9
wav/03a01Nc.wav,neutral,0.85
""",
    "db.files.csv": "file,speaker\nwav/03a01Fa.wav,3\nwav/03a01Nc.wav,3\nwav/08b10Wb.wav,8\n",
}


def audformat(root: Path) -> None:
    """As the package writes it: emotions in two split tables, speakers in a third one and in the scheme."""
    for name, text in AUDFORMAT.items():
        (root / name).write_text(text, encoding="utf-8")
    touch(root, "wav/03a01Fa.wav", "wav/03a01Nc.wav", "wav/08b10Wb.wav")


def labelled(root: Path, classes: Sequence[str] = EMOTIONS, **more: object) -> None:
    """As `mien label` writes it: three segments of two films, of which the last one is of a person who listens."""
    from mien.common import shards

    generator, width = np.random.default_rng(0), len(classes)
    names = ",".join([*(f"logit_{name}" for name in classes), *classes])
    lines, frames = [f"clip,file,start,end,person,speaking,emotion,seen,frames,{names}"], []
    for file, person, start, count, speaking in (
        ("ann/one.mp4", 1, 0.0, 12, True),
        ("ann/one.mp4", 1, 4.08, 5, True),
        ("bob/two.mp4", 2, 0.24, 17, False),
        ("bob/two.mp4", 1, 0.0, 20, True),
    ):
        values = generator.standard_normal((count, width)).astype(np.float32)
        reasons = (np.arange(count) % 5 == 3).astype(np.uint8)
        values[reasons > 0] = 0
        pooled = values[reasons == 0].max(axis=0).astype(float)
        shares = np.exp(pooled) / np.exp(pooled).sum()
        end = round(start + 0.24 * count, 2)
        clip = f"{file}:{person}:{start:.2f}-{end:.2f}"
        numbers = ",".join([*(f"{value:.5f}" for value in pooled), *(f"{share:.6f}" for share in shares)])
        emotion, seen = classes[int(pooled.argmax())], round(float((reasons == 0).mean()), 4)
        lines.append(f"{clip},{file},{start},{end},{person},{speaking},{emotion},{seen},{count},{numbers}")
        frames.append(shards.Frames(clip, f"{file}:{start:.6f}-{end:.6f}", end - start, values, reasons))
    shards.write(root / "frames", frames)
    teacher = {"name": "face-small", "sha256": "0" * 64, "licences": ["ferplus: for research"], "limits": []}
    card = {"format": "mien label 1", "teacher": teacher, "classes": [*classes], "every": 0.24, "root": "films"}
    write(root, "segments.csv", "\n".join(lines) + "\n")
    write(root, "card.json", json.dumps(card | {"pooling": "max", "pooled": "logits"} | more))
    touch(root, "films/ann/one.mp4", "films/bob/two.mp4")


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "audformat": audformat,
    "cmu_mosei": cmu_mosei,
    "crema_d": crema_d,
    "emodb": emodb,
    "emovoxceleb": emovoxceleb,
    "enterface": enterface,
    "ferplus": ferplus,
    "iemocap": iemocap,
    "labelled": labelled,
    "librispeech": librispeech,
    "msp_improv": msp_improv,
    "msp_podcast": msp_podcast,
    "nemo": nemo,
    "ravdess": ravdess,
    "rml": rml,
    "table": table,
    "tess": tess,
    "toy": toy,
    "voxceleb": voxceleb,
}


@pytest.fixture(scope="session")
def layouts() -> dict[str, Callable[[Path], None]]:
    """Reader -> a function that writes a tiny corpus in that reader's format into a folder."""
    return LAYOUTS


@pytest.fixture
def corpus(tmp_path: Path) -> Callable[[str], Path]:
    """A function that writes the tiny corpus of a reader and gives its root."""

    def write_one(name: str) -> Path:
        root = tmp_path / name
        root.mkdir()
        LAYOUTS[name](root)
        return root

    return write_one
