"""What is known of releases: every file under its reader's clip, small, and read only where it is asked for."""

import csv
import hashlib
import lzma
import runpy
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from mien.corpora import releases
from mien.corpora.readers import names, reader

KNOWN = {  # reader -> clips, of how many of them the seconds are known, endings
    "crema_d": (7442, 7442, ("flv", "wav")),
    "emodb": (535, 535, ("wav",)),
    "ravdess": (1440, 0, ("wav",)),
    "tess": (2800, 0, ("wav",)),
}
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "make_releases.py"


def twins(name: str) -> dict[str, list[str]]:
    """Hash -> the clips with it, where there are several."""
    release = releases.of(name)
    assert release is not None
    found = defaultdict(list)
    for clip, files in release.hashes.items():
        for sha256 in files.values():
            found[sha256].append(clip)
    return {sha256: clips for sha256, clips in found.items() if len(clips) > 1}


@pytest.mark.parametrize("name", KNOWN)
def test_a_release_is_whole_and_its_clips_are_those_of_the_reader(name: str) -> None:
    release = releases.of(name)
    assert release is not None
    assert (len(release.hashes), len(release.seconds), release.endings) == KNOWN[name]
    assert len(release.hashes) == reader(name).EXPECTED
    assert all(reader(name).parse_name(clip) is not None for clip in release.hashes)
    assert set(release.seconds) <= set(release.hashes)
    assert all(0.5 < seconds < 10 for seconds in release.seconds.values())
    hashes = [sha256 for files in release.hashes.values() for sha256 in files.values()]
    assert all(len(sha256) == releases.DIGITS and int(sha256, 16) >= 0 for sha256 in hashes)
    assert {len(files) for files in release.hashes.values()} == {len(KNOWN[name][2])}


def test_of_other_corpora_nothing_is_known() -> None:
    assert {name for name in names() if releases.of(name) is not None} == set(KNOWN)


def test_single_facts_are_those_of_the_release() -> None:
    emodb, tess = releases.of("emodb"), releases.of("tess")
    assert emodb is not None
    assert tess is not None
    assert (emodb.hashes["03a01Fa"], emodb.seconds["03a01Fa"]) == ({"wav": "9c0fd58b5068636d"}, 1.8982)
    assert "OAF_bite_neutral" in tess.hashes  # OA_bite_neutral.wav in the release


def test_the_files_that_releases_hold_twice() -> None:
    assert sorted(twins("ravdess").values()) == [["03-01-03-01-02-01-07", "03-01-03-01-02-02-07"]]
    assert sorted(twins("crema_d").values()) == [
        ["1006_TIE_HAP_XX", "1006_TIE_NEU_XX"],
        ["1013_WSI_DIS_XX", "1013_WSI_SAD_XX"],
        ["1017_IWW_ANG_XX", "1017_IWW_FEA_XX"],
    ]
    assert twins("emodb") == twins("tess") == {}


def test_they_are_small() -> None:
    sizes = [path.stat().st_size for path in releases.FOLDER.glob("*.xz")]
    assert len(sizes) == len(KNOWN)
    assert sum(sizes) < 350_000


def test_the_command_line_and_predict_do_not_load_them() -> None:
    code = (
        "import sys; import mien, mien.cli.main; mien.predict; mien.load_model; import mien.commands.predict; "
        "print([name for name in sys.modules if 'release' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_the_script_writes_what_is_read(tmp_path: Path) -> None:
    one, other = (hashlib.sha256(text).hexdigest() for text in (b"one", b"other"))
    (tmp_path / "tess.csv").write_text(
        f"file,bytes,sha256\nx/OAF_back_fear.wav,3,{other}\ny/OA_bite_neutral.WAV,5,{one}\n"
    )
    (tmp_path / "emodb.csv").write_text(f"file,seconds,sha256\nwav/03a01Fa.wav,1.25,{one}\nwav/03a01Nc.wav,,{other}\n")
    script = runpy.run_path(str(SCRIPT))
    script["main"](tmp_path, tmp_path)
    rows = {
        name: list(csv.reader(lzma.decompress((tmp_path / f"{name}.csv.xz").read_bytes()).decode().splitlines()))
        for name in ("tess", "emodb")
    }
    assert rows["tess"] == [
        [*releases.COLUMNS],
        ["OAF_back_fear", "wav", "", other[: releases.DIGITS]],
        ["OAF_bite_neutral", "wav", "", one[: releases.DIGITS]],
    ]
    assert rows["emodb"][1:] == [["03a01Fa", "wav", "1.2500", one[:16]], ["03a01Nc", "wav", "", other[:16]]]
    before = (tmp_path / "tess.csv.xz").read_bytes()
    script["main"](tmp_path, tmp_path)
    assert (tmp_path / "tess.csv.xz").read_bytes() == before
    for file in ("hello.wav", "wav/03a01Fa.wav"):
        (tmp_path / "emodb.csv").write_text(f"file,sha256\n03a01Fa.wav,{one}\n{file},{other}\n")
        with pytest.raises(ValueError, match=f"{file} is of no clip, or of one that has a file already"):
            script["main"](tmp_path, tmp_path)
