"""A release is unpacked inside its folder or not at all."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from embedded_aws.instances.progress import StepFailed
from embedded_aws.instances.release import unpack


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/etc/outside", "..\\outside", "C:/outside"])
def test_an_entry_that_climbs_out(tmp_path: Path, pack, name: str) -> None:
    """Nothing is written, not even the harmless entries before it."""
    with pytest.raises(StepFailed, match="outside its folder"):
        unpack(pack({"harmless": b"1", name: b"2"}), tmp_path / "release")
    assert not list(tmp_path.rglob("*"))


def test_a_symbolic_link(tmp_path: Path) -> None:
    """A link could lead the next entry anywhere."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")
    with pytest.raises(StepFailed, match="outside its folder"):
        unpack(out.getvalue(), tmp_path)


@pytest.mark.parametrize("cut", [0, 4, 30, -10])
def test_a_damaged_archive(tmp_path: Path, pack, cut: int) -> None:
    """An archive that is cut at any place gets the same message."""
    whole = pack({"a.py": b"x" * 1000})
    with pytest.raises(StepFailed, match="not a zip"):
        unpack(whole[:cut], tmp_path)


def test_one_flipped_byte(tmp_path: Path, pack) -> None:
    """A wrong checksum inside the zip is damage too."""
    whole = bytearray(pack({"a.py": b"x" * 1000}))
    whole[100] ^= 1
    with pytest.raises(StepFailed, match="not a zip"):
        unpack(bytes(whole), tmp_path)
