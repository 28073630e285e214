"""Names from outside are names: none is run by a spreadsheet, becomes markup, or leads out of the folder."""

import csv
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

import mien
from mien.data.prepared import Prepared
from mien.errors import CorpusError
from mien.reports import card
from mien.reports.comparison_text import escape
from mien.runs.run import Run
from sealing import reseal_prepared

SPEAKERS = ("<b>x</b>", "a&b$x$", "=../../up")
EMOTIONS = {"<i>calm</i>": 100.0, "@loud": 220.0}
RUN = ("=", "+", "-", "@", "\t", "\r")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, make_tone):
    """Two clips of each emotion by each speaker, in files with names that a spreadsheet would run."""
    root = tmp_path_factory.mktemp("names") / "root"
    root.mkdir()
    with (root / "corpus.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip", "file", "speaker", "emotion", "-note"])
        for who, speaker in enumerate(SPEAKERS):
            for number, (emotion, pitch) in enumerate(EMOTIONS.items()):
                for again in range(2):
                    name = f"{'=+-@'[(who + again) % 4]}<u>{who}{number}{again}&$_$.wav"
                    make_tone(root / name, pitch, 0.6 + 0.3 * who, 100 * who + 10 * number + again, 0.5)
                    rows.writerow([name.removesuffix(".wav"), name, speaker, emotion, "''=kept"])
    mien.prepare("table", root, out=root.parent / "prepared")
    return root.parent / "prepared"


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    classes = ", ".join(f'"{name}"' for name in EMOTIONS)
    (folder / "tiny.yaml").write_text(
        f"""
title: "a <b>tiny</b> & $x$ one"
paper: none
command: none
cost: seconds
expected: none
recipe: disentangle
encoder: {{name: cnn_gru, channels: 4}}
models:
  one: {{hidden: [4], embeddings: {{main: {{tasks: {{emotion: 1.0}}}}}}}}
  two: {{hidden: [4], embeddings: {{main: {{tasks: {{emotion: 0.5}}, remove: {{speaker: {{how: max_entropy}}}}}}}}}}
data:
  scheme: {{classes: [{classes}]}}
  audio: mfb43
  length: {{seconds: 0.4, long: random, short: repeat}}
protocol: {{name: leave_one_speaker_out}}
training: {{epochs: 1, batch: 8}}
"""
    )
    mien.train(folder / "tiny.yaml", [f"data.prepared={prepared}"], out=folder / "run")
    return folder / "run"


def tables(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.csv"))


def refuse_formulas(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            for cell in row:
                assert not cell.startswith(RUN) or float(cell) <= 0, (path, cell)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_prepared_corpus_has_its_names_bit_for_bit(prepared):
    opened = Prepared.open(prepared)
    refuse_formulas(prepared / "corpus.csv")
    assert set(opened.table["speaker"]) == set(SPEAKERS)
    assert set(opened.table["emotion"]) == set(EMOTIONS)
    assert set(opened.table["-note"]) == {"'=kept"}
    assert all((Path(opened.card["root"]) / file).is_file() for file in opened.table["file"])
    again = mien.prepare("table", Path(opened.card["input"]), out=prepared)
    assert again.data["card"]["hash"] == opened.card["hash"]


def test_every_table_of_a_run_is_quoted_and_comes_back(run, prepared, tmp_path):
    mien.compare(run, out=tmp_path / "compared")
    opened, own = Run.open(run), Prepared.open(prepared).table
    assert len(tables(run)) > 3
    for path in [*tables(run), *tables(tmp_path)]:
        refuse_formulas(path)
    assert set(opened.predictions["speaker"]) == set(SPEAKERS)
    assert set(opened.predictions["clip"]) == set(own["clip"])
    assert set(opened.predictions["predicted"]) <= set(EMOTIONS)


def test_no_name_becomes_markup_on_a_page(run, tmp_path):
    page = Tags((run / "report.html").read_text())
    assert not page.found & {"b", "i", "u"}
    for name in (*SPEAKERS, *EMOTIONS):
        assert name in page.text
    mien.export(run / "models" / "one", out=tmp_path / "exported")
    text = (tmp_path / "exported" / "README.md").read_text()
    assert "<i>" not in text
    assert "&lt;i>calm&lt;/i>" in text


def test_rows_of_predict_are_quoted_and_come_back(run, prepared, tmp_path, monkeypatch):
    root = Path(Prepared.open(prepared).card["root"])
    monkeypatch.chdir(root)
    names = sorted(path.name for path in root.glob("*.wav"))
    names = [name for name in names if not name.startswith("-")][:3]
    found = mien.predict(names, model=run / "models" / "one", out=tmp_path / "rows.csv")
    refuse_formulas(tmp_path / "rows.csv")
    assert set(found.frame["file"]) == set(names)
    assert "'@loud" in (tmp_path / "rows.csv").read_text().splitlines()[0]


def test_latex_escapes_names():
    assert escape("[a]*_b & <c> $x$\n\n") == r"{[}a]{*}\_b \& $<$c$>$ \$x\$"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<b>x</b>", "&lt;b>x&lt;/b>"),
        ("a|b\n# c", r"a\|b # c"),
        ("[a](b) `c` *d* _e_ f_g", r"\[a\](b) \`c\` \*d\* \_e\_ f_g"),
        ("# one", r"\# one"),
        ("msp_improv, CC BY-NC 4.0", "msp_improv, CC BY-NC 4.0"),
    ],
)
def test_markdown_escapes_names(name, shown):
    assert card.words(name) == shown
    assert "`" not in card.code(name)


def test_a_name_of_a_corpus_leads_nowhere(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "prepared")
    path = tmp_path / "prepared" / "card.json"
    whole = path.read_text()
    for name in ("../../up", "/up", "..", "a/b", ""):
        path.write_text(whole.replace('"name": "table"', f'"name": "{name}"'))
        reseal_prepared(tmp_path / "prepared")
        with pytest.raises(CorpusError, match="'name' is no name of a corpus"):
            Prepared.open(tmp_path / "prepared")
