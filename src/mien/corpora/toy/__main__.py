"""`python -m mien.corpora.toy OUT key=value ...`: make a toy corpus on disk, with the settings of `ToyConfig`.

Prints the number of clips and how often the emotion is the person's own. The exit codes are those of `mien`: 0 done, 2
refused, 130 interrupted (run the same command again).
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
    """Make the corpus for the words of a command line, and return the exit code."""
    if {"-h", "--help"} & set(words):
        print(usage())
        return 0
    try:
        out, config = arguments(words)
        generate(out, config)
        print(summary(read(out), config))
    except MienError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{PROGRAM}: {error.filename or words[0]}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted; run the same command to make the corpus again", file=sys.stderr)
        return 130
    return 0


def usage() -> str:
    """The help text: usage, example, and the settings with their defaults."""
    settings = "\n".join(f"  {name}={field.default}" for name, field in ToyConfig.model_fields.items())
    return (
        f"Usage: {PROGRAM} OUT [key=value ...]\n\n"
        f"Example: {PROGRAM} toy people=12 clips=600 entanglement=0.8\n\n"
        f"Settings with their defaults (described in mien.corpora.toy.ToyConfig):\n{settings}"
    )


def arguments(words: Sequence[str]) -> tuple[Path, ToyConfig]:
    """The folder and the settings; raises ConfigError, with the nearest key, if they are not understood."""
    folders = [word for word in words if "=" not in word]
    if len(folders) != 1:
        raise ConfigError(f"{len(folders)} folders are given, and one is needed\n{usage()}")
    raw: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            continue
        if key in raw:
            raise ConfigError(f"'{key}' is given twice")
        try:
            raw[key] = yaml.load(text, Loader)  # noqa: S506 - Loader is a SafeLoader
        except yaml.YAMLError as error:
            raise ConfigError(f"'{word}' is not a value ({' '.join(str(error).split())})") from error
    config: ToyConfig = parse(ToyConfig, raw, "toy")
    return Path(folders[0]), config


def summary(corpus: Corpus, config: ToyConfig) -> str:
    """The number of clips and people, and how often each emotion occurs and is the person's own."""
    table = corpus.table
    lines = [
        f"{corpus.root}: {len(table)} clips of {table['speaker'].nunique()} people, {config.size} x {config.size} px"
    ]
    parts = table.groupby("sampling") if "sampling" in table else [("entangled", table)]
    for name, part in parts:
        own = part["emotion"] == part["own"]
        expected = 1 / len(EMOTIONS) if name == "balanced" else config.entanglement * 5 / 6 + 1 / len(EMOTIONS)
        counts = ", ".join(
            f"{emotion} {count}" for emotion, count in part["emotion"].value_counts().sort_index().items()
        )
        lines.append(
            f"{name}: {len(part)} clips, {own.mean():.1%} with the person's own emotion (expected {expected:.1%}), "
            f"{int((~own).sum())} with another one; {counts}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
