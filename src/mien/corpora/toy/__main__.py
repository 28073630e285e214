"""`python -m mien.corpora.toy OUT key=value ...`: make a toy corpus on disk, with the settings of `ToyConfig`.

Says what was made, and how often an emotion is the person's own, counted. Exit codes as those of `mien`: 0 done, 2
refused, 130 interrupted (the same command makes it again).
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mien.common.settings import Loader, parse
from mien.corpora.corpus import Corpus
from mien.corpora.readers.toy import read
from mien.corpora.toy import ToyConfig, generate
from mien.corpora.toy.people import EMOTIONS
from mien.errors import ConfigError, MienError

PROGRAM = "python -m mien.corpora.toy"


def main(words: Sequence[str]) -> int:
    """Make the corpus that the words of a command line ask for, and return the exit code."""
    if {"-h", "--help"} & set(words):
        print(usage())
        return 0
    try:
        out, config = asked(words)
        generate(out, config)
        print(told(read(out), config))
    except MienError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{PROGRAM}: {error.filename or words[0]}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted; the same command makes the corpus again", file=sys.stderr)
        return 130
    return 0


def usage() -> str:
    """What can be asked, with the defaults."""
    settings = "\n".join(f"  {name}={field.default}" for name, field in ToyConfig.model_fields.items())
    return (
        f"Usage: {PROGRAM} OUT [key=value ...]\n\n"
        f"Example: {PROGRAM} toy people=12 clips=600 entanglement=0.8\n\n"
        f"Settings, with their defaults (mien.corpora.toy.ToyConfig says what they mean):\n{settings}"
    )


def asked(words: Sequence[str]) -> tuple[Path, ToyConfig]:
    """The folder and the settings; raises ConfigError, with the nearest key, where they are not understood."""
    folders = [word for word in words if "=" not in word]
    if len(folders) != 1:
        raise ConfigError(f"{len(folders)} folders are named, and one is needed\n{usage()}")
    raw: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            continue
        if key in raw:
            raise ConfigError(f"'{key}' is told twice")
        try:
            raw[key] = yaml.load(text, Loader)  # noqa: S506 - Loader is a SafeLoader
        except yaml.YAMLError as error:
            raise ConfigError(f"'{word}': not a value ({' '.join(str(error).split())})") from error
    config: ToyConfig = parse(ToyConfig, raw, "toy")
    return Path(folders[0]), config


def told(corpus: Corpus, config: ToyConfig) -> str:
    """What is in the corpus, counted."""
    table = corpus.table
    lines = [
        f"{corpus.root}: {len(table)} clips of {table['speaker'].nunique()} people, {config.size} x {config.size} px"
    ]
    drawn = table.groupby("sampling") if "sampling" in table else [("entangled", table)]
    for name, part in drawn:
        own = part["emotion"] == part["own"]
        expected = 1 / len(EMOTIONS) if name == "balanced" else config.entanglement * 5 / 6 + 1 / len(EMOTIONS)
        counts = ", ".join(
            f"{emotion} {count}" for emotion, count in part["emotion"].value_counts().sort_index().items()
        )
        lines.append(
            f"{name}: {len(part)} clips, {own.mean():.1%} of the person's own emotion (expected {expected:.1%}), "
            f"{int((~own).sum())} of another one; {counts}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
