"""Files of tensors in the safetensors format with the same bytes for the same content."""

import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import save


def in_order(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> tuple[dict[str, Any], memoryview]:
    """The header of a file, with sorted metadata, which the package writes in any order, and its tensors.

    Args:
        tensors: by name, contiguous.
        metadata: texts by name.
    """
    written = save(dict(tensors), dict(metadata))
    begin = 8 + int.from_bytes(written[:8], "little")
    head = json.loads(written[8:begin])
    head["__metadata__"] = dict(sorted(head["__metadata__"].items()))
    return head, memoryview(written)[begin:]


def header(head: Mapping[str, Any]) -> bytes:
    """A header as it stands in a file after its length."""
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    return text + b" " * (-len(text) % 8)  # tensors begin at a multiple of 8


def parts(head: Mapping[str, Any], tensors: memoryview) -> tuple[bytes, memoryview]:
    """A file as its two parts: length and header, and the tensors."""
    text = header(head)
    return len(text).to_bytes(8, "little") + text, tensors
