#!/usr/bin/env bash
# PyAV 18.1.0 (libav of its wheel): a sound file of a format that is not in `format_whitelist` is an "invalid argument".
#
# Source: https://pypi.org/project/av/18.1.0/ , av.open(path, options={"format_whitelist": ...}).
#
# Guess: a file that none of the listed formats can read raises what any file raises that libav cannot read,
#   InvalidDataError, as if the other formats were not compiled in.
# Behaviour: libav recognises the file by all formats that it has, and only then looks at the list. A whole m4a where only
#   wav is listed is an ArgumentError (EINVAL), the class of wrong calls; a text file is an InvalidDataError under the same
#   list. So the error says that libav knows the format, and it comes before a byte of the file's index is read.
# Why it matters here: readers that bound the formats for safety and take InvalidDataError for "this file is damaged" end in
#   a traceback on a good file of another format, or blame their own options. The other way round it is of use: opening
#   with a list without a format is a way to learn, before it is read, whether libav would take a file for that format.
# Output seen: "wav: opened; m4a: ArgumentError 22; text: InvalidDataError".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import errno

import av
import numpy as np


def write(path: str, codec: str) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=16_000, layout="mono")
        tone = (0.3 * np.sin(np.arange(16_000) / 9)).astype(np.float32)
        for begin in range(0, 16_000, 1_000):
            frame = av.AudioFrame.from_ndarray(tone[None, begin : begin + 1_000], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, begin
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def opened(path: str, options: dict[str, str]) -> str:
    try:
        with av.open(path, options=options):
            return "opened"
    except av.ArgumentError as error:
        return f"ArgumentError {error.errno}"
    except av.InvalidDataError:
        return "InvalidDataError"


write("tone.wav", "pcm_s16le")
write("tone.m4a", "aac")
with open("tone.txt", "w") as file:
    file.write("no sound at all\n" * 20)
assert opened("tone.m4a", {}) == "opened", "the control: the file is whole"
found = {name: opened(f"tone.{name}", {"format_whitelist": "wav"}) for name in ("wav", "m4a")}
found["text"] = opened("tone.txt", {"format_whitelist": "wav"})
print("av", av.__version__)
print("; ".join(f"{name}: {what}" for name, what in found.items()))
assert found == {"wav": "opened", "m4a": f"ArgumentError {errno.EINVAL}", "text": "InvalidDataError"}, "it has changed"
print("as described")
PYTHON
