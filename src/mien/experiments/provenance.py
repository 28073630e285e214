"""Where settings come from: those that an experiment takes from the one it extends, and those that it changes.

Settings are plain values here, as in a file, with dotted keys. Of several entries of a provenance the longest prefix of
a key counts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mien.common.settings import Named, named
from mien.errors import ConfigError
from mien.experiments.claims import without

# the settings that have a provenance
SCIENCE = ("target", "recipe", "encoder", "models", "data", "protocol", "training", "optimiser", "seeds")
NAMED = {
    "corpus",
    "encoder",
    "encoder.audio",
    "encoder.video",
    "data.audio",
    "data.video",
}  # a name may stand for the mapping


def traced(before: Named, after: Named) -> tuple[Named, set[str]]:
    """`after` with the provenance of `before`, and for changed settings its own, or else `ours`.

    Also returns the entries whose setting `after` takes away; it may have a default or be gone. The reference
    figures and the choices of a model that was taken away go with it, and so do the claims that name it.
    """
    below, given = before.get("provenance", {}), after.get("provenance", {})
    if not isinstance(below, dict) or not isinstance(given, dict):
        return after, set()
    then, now = dict(leaves(before)), dict(leaves(after))
    provenance = {**below, **given}
    changed = [key for key in {**then, **now} if key not in then or key not in now or then[key] != now[key]]
    for key in changed:
        source = _nearest(given, key) or "ours"
        if _nearest(provenance, key) != source:
            provenance[key] = source
    gone = prefixes(then) - prefixes(now) | {key.removesuffix(".name") for key in changed if key.endswith(".name")}
    after = {**after, "provenance": provenance}
    if isinstance(after.get("reference"), dict):
        after["reference"] = {k: v for k, v in after["reference"].items() if f"models.{k}" not in gone}
    models = before.get("models")
    if taken := [name for name in models if f"models.{name}" in gone] if isinstance(models, dict) else []:
        after = without(after, taken)
        if isinstance(chosen := after.get("choose"), dict):
            of_taken = tuple(f"models.{name}." for name in taken)
            after["choose"] = {key: one for key, one in chosen.items() if not str(key).startswith(of_taken)}
    return after, {key for key in provenance if key not in given and prefixes([key]) & gone}


def leaves(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """(Dotted key, value) of the settings in plain values that have a provenance: all but the folder of the corpus."""
    if not isinstance(value, dict) or not value:
        yield above, value
        return
    for name, inner in value.items():
        key = f"{above}.{name}" if above else str(name)
        if key.split(".")[0] in SCIENCE and key != "data.prepared":
            yield from leaves(named(inner) if key in NAMED else inner, key)


def prefixes(keys: Iterable[str]) -> set[str]:
    """The keys and every prefix of them: `a.b` gives `a` and `a.b`."""
    parts = (str(key).split(".") for key in keys)
    return {".".join(names[:length]) for names in parts for length in range(1, len(names) + 1)}


def merged(base: Named, over: Mapping[str, Any], place: str = "") -> Named:
    """`over` laid on `base`, mappings key by key; null takes a key of the base away.

    Args:
        base: a mapping of settings.
        over: what changes in it. A feature or an encoder of another name takes the place of the base's, with all its
            settings.
        place: the dotted key of the mapping.
    """
    if place in NAMED and over.get("name", base.get("name")) != base.get("name"):
        return dict(over)
    laid = dict(base)
    for key, value in over.items():
        if value is None and key in laid and isinstance(laid[key], dict):
            del laid[key]
        elif isinstance(value, Mapping) and isinstance(laid.get(key), dict):
            laid[key] = merged(laid[key], value, f"{place}.{key}" if place else str(key))
        else:
            laid[key] = value
    return laid


def assign(raw: Named, place: Sequence[str], value: Any, where: str) -> None:
    """Put a value at a place in `raw`; null takes a mapping away. Raises ConfigError, beginning with `where`."""
    for part in place[:-1]:
        raw[part] = named(raw[part]) if part in {"encoder", "audio", "video"} and part in raw else raw.get(part, {})
        if part == "prepared" and raw[part] is None:
            raw[part] = {}
        raw = raw[part]
        if not isinstance(raw, dict):
            raise ConfigError(f"{where}: '{part}' is one value and has no keys below it")
    if value is None and isinstance(raw.get(place[-1]), dict):
        del raw[place[-1]]
    else:
        raw[place[-1]] = value


def _nearest(provenance: Mapping[str, str], key: str) -> str | None:
    """The entry of the longest prefix of a key."""
    return next(
        (provenance[name] for name in sorted(prefixes([key]), key=len, reverse=True) if name in provenance), None
    )
