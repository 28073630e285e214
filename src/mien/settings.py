"""The base of every settings class: frozen, strict about types, and closed to unknown keys."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A typed, immutable group of settings. An unknown key or a wrong type raises `pydantic.ValidationError`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)


def digest(value: object) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a JSON-able value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
