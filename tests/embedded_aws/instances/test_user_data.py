"""The files that cloud-init would write from user data, and the fields that machine.json may have."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from embedded_aws.instances.user_data import find_written_file
from sre_core.machine import Machine

PATH = "/etc/sre-agent/machine.json"


def cloud_config(**file: str) -> bytes:
    return b"#cloud-config\n" + json.dumps({"write_files": [{"path": "/etc/motd", "content": "x"}, {"path": PATH, **file}]}).encode()


@pytest.mark.parametrize(
    "user_data",
    [
        cloud_config(content="{}"),
        gzip.compress(cloud_config(content="{}")),
        cloud_config(content=base64.b64encode(b"{}").decode(), encoding="b64"),
        cloud_config(content=base64.b64encode(gzip.compress(b"{}")).decode(), encoding="gz+b64"),
        b"#cloud-config\nwrite_files:\n  - path: /etc/sre-agent/machine.json\n    permissions: '0600'\n    content: |\n      {}\n",
    ],
)
def test_the_forms_of_a_file(user_data: bytes) -> None:
    """Plain, gzip and base64 mean the same file."""
    assert (find_written_file(user_data, PATH) or "").strip() == "{}"


@pytest.mark.parametrize("user_data", [b"", b"#!/bin/sh\n", b"\xff\xfe", b"#cloud-config\n", b"#cloud-config\nwrite_files: []\n"])
def test_no_such_file(user_data: bytes) -> None:
    """User data that writes no machine.json describes no machine."""
    assert find_written_file(user_data, PATH) is None


@pytest.mark.parametrize("user_data", [b"#cloud-config\n{", b"\x1f\x8bbroken", cloud_config(content="!!!!", encoding="b64")])
def test_damaged_user_data(user_data: bytes) -> None:
    """Unreadable user data is reported, not ignored."""
    with pytest.raises(ValueError, match=r"cloud-config|gzip|b64|machine\.json"):
        find_written_file(user_data, PATH)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "schema 2"),
        ({"release": {}}, "uri"),
        ({"services": [{"name": "../up"}]}, "no name"),
        ({"front_door": {"certificate": {}}}, "secret_arn"),
        ({"services": []}, "which is no service"),
    ],
)
@pytest.mark.anyio
async def test_a_machine_that_cannot_be(machine, change: dict[str, object], said: str) -> None:
    """The message says which part of machine.json is wrong."""
    with pytest.raises(ValueError, match=said):
        Machine.parse(json.dumps(machine("alpha").machine | change))
