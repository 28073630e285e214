"""Whatever happens to a byte of a listed file, or of the manifest itself, is seen."""

import json

import pytest

from mien.common import manifests


def test_every_change_of_a_listed_file_is_seen(tmp_path):
    content = bytes(range(64))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(content)
    written = manifests.write(tmp_path, ["deep/file"])
    assert manifests.read(tmp_path) == written
    assert written.damaged(tmp_path) == {}
    for place in range(64):
        flipped = bytearray(content)
        flipped[place] ^= 1
        (tmp_path / "deep" / "file").write_bytes(flipped)
        assert "SHA-256" in written.damage(tmp_path, "deep/file")
    (tmp_path / "deep" / "file").write_bytes(content[:-1])
    assert written.damaged(tmp_path) == {"deep/file": "damaged: it has 63 bytes, and manifest.json says 64"}
    (tmp_path / "deep" / "file").unlink()
    assert written.damage(tmp_path, "deep/file") == "missing"
    assert written.damage(tmp_path, "other") == "not listed in manifest.json"


def test_every_change_of_a_manifest_is_seen(tmp_path):
    assert manifests.read(tmp_path) is None
    (tmp_path / "file").write_text("content")
    written = manifests.write(tmp_path, ["file"], "training")
    path = tmp_path / manifests.NAME
    content = path.read_bytes()
    seen = 0
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        try:
            assert manifests.read(tmp_path) == written
        except ValueError:
            seen += 1
    spaces = sum(content.count(space) for space in (b" ", b"\n"))  # the only bytes that say nothing
    assert seen >= len(content) - spaces


def test_a_sealed_record_keeps_its_content():
    record = {"rows": [{"a": 1.5, "b": None}, {"ä": "x"}], "n": {1: 2, 10: 3}}
    plain = json.dumps(manifests.sealed(record))
    assert manifests.unsealed(plain.encode()) == json.loads(json.dumps(record))
    with pytest.raises(ValueError, match="SHA-256"):
        manifests.unsealed(plain.replace("1.5", "1.6").encode())
    for raw, what in ((b"[1]", "not a mapping"), (b"", "not JSON"), (bytes(4), "not JSON"), (b"\xff", "not JSON")):
        with pytest.raises(ValueError, match=what):
            manifests.unsealed(raw)
