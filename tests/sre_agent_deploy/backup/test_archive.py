"""A backup is used only if it is complete."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from sre_agent_deploy.backup.keep import Archive, pack, unpack
from sre_core.problem import Problem

ARCHIVE = Archive(
    config_name="config.yaml",
    config="name: demo  # é\n".encode(),
    environment=("COGNITO_CLIENT_SECRET",),
    state={"deployment": "sre-1", "resources": []},
    hidden=("a comment in line 3",),
)


def rezipped(change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(pack(ARCHIVE))) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    change(parts)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, body in parts.items():
            file.writestr(name, body)
    return buffer.getvalue()


def test_out_comes_what_went_in() -> None:
    """The same input gives the same file, and unpacking it gives the same archive."""
    assert pack(ARCHIVE) == pack(ARCHIVE)
    assert unpack(pack(ARCHIVE)) == ARCHIVE


def test_any_program_can_read_it() -> None:
    """It is a zip file with a JSON manifest that names each part with its SHA-256."""
    with zipfile.ZipFile(io.BytesIO(pack(ARCHIVE))) as file:
        manifest = json.loads(file.read("manifest.json"))
        assert (
            set(file.namelist())
            == {"manifest.json", *manifest["files"]}
            == {"manifest.json", "config.yaml", "environment.json", "state.json"}
        )
        assert all(len(part["sha256"]) == 64 for part in manifest["files"].values())


def _other_config(parts: dict[str, bytes]) -> None:
    parts["config.yaml"] = b"name: other\n"


def _another_file(parts: dict[str, bytes]) -> None:
    parts["../escape"] = b""


def _no_manifest(parts: dict[str, bytes]) -> None:
    del parts["manifest.json"]


def _no_config(parts: dict[str, bytes]) -> None:
    del parts["config.yaml"]


def _manifest_of_nothing(parts: dict[str, bytes]) -> None:
    parts["manifest.json"] = b"[]"


@pytest.mark.parametrize("change", [_other_config, _another_file, _no_manifest, _no_config, _manifest_of_nothing])
def test_a_backup_that_was_tampered_with(change: Callable[[dict[str, bytes]], None]) -> None:
    """A part that is changed, missing or added makes the whole backup invalid."""
    refused = unpack(rezipped(change))
    assert isinstance(refused, Problem)
    assert refused.code == "BACKUP-DAMAGED"


def test_more_than_a_configuration() -> None:
    """A part that would unpack to more than the maximal size of a configuration is not unpacked, even if its checksum is right."""
    refused = unpack(pack(replace(ARCHIVE, config=b"#" * 2_000_000)))
    assert isinstance(refused, Problem)
    assert "more than any configuration" in refused.why


def test_a_part_that_is_there_twice() -> None:
    """It is refused: one program would read the first of them, and another the last."""
    buffer = io.BytesIO(pack(ARCHIVE))
    with zipfile.ZipFile(buffer, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("config.yaml", ARCHIVE.config)
    assert isinstance(unpack(buffer.getvalue()), Problem)


@pytest.mark.parametrize("damage", [0, 10, 100, 300, -1, -30])
def test_a_damaged_file(damage: int) -> None:
    """A truncated file or one with a flipped bit is refused or, where that bit has no meaning, read as before."""
    whole = bytearray(pack(ARCHIVE))
    assert isinstance(unpack(bytes(whole[:damage])), Problem)
    whole[damage] ^= 0xFF
    assert isinstance(seen := unpack(bytes(whole)), Problem) or seen == ARCHIVE


def test_a_backup_of_a_newer_version() -> None:
    """It is refused by name, not half understood."""

    def newer(parts: dict[str, bytes]) -> None:
        parts["manifest.json"] = json.dumps({**json.loads(parts["manifest.json"]), "schema": 2}).encode()

    refused = unpack(rezipped(newer))
    assert isinstance(refused, Problem)
    assert refused.code == "BACKUP-TOO-NEW"
