"""A kubeconfig of a user becomes one that is complete in itself, or a reason why not."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from sre_agent_deploy.account.source_secrets import flatten_kubeconfig
from sre_core.secret import Secret


def written(folder: Path, user: dict[str, Any], **changed: Any) -> Secret:
    """A kubeconfig with two contexts; `prod` is the current one, with files beside it."""
    (folder / "ca.pem").write_text("the authority")
    document = {
        "clusters": [{"name": "a", "cluster": {"server": "https://a.example", "certificate-authority": "ca.pem"}}],
        "users": [{"name": "me", "user": user}, {"name": "other", "user": {"token": "of another cluster"}}],
        "contexts": [
            {"name": "prod", "context": {"cluster": "a", "user": "me", "namespace": "shop"}},
            {"name": "test", "context": {"cluster": "gone", "user": "other"}},
        ],
        "current-context": "prod",
        **changed,
    }
    return Secret(json.dumps(document))


def flattened(text: Secret, folder: Path, context: str = "", *, here: bool = False) -> dict[str, Any]:
    found = flatten_kubeconfig(text, folder, context, here=here)
    assert isinstance(found, Secret), found
    document: dict[str, Any] = json.loads(found.reveal())
    return document


def test_files_and_other_contexts(tmp_path: Path) -> None:
    """The content of files replaces their names; credentials of other clusters are left out."""
    (tmp_path / "key.pem").write_text("the key")
    document = flattened(written(tmp_path, {"client-certificate": "ca.pem", "client-key": str(tmp_path / "key.pem")}), tmp_path)
    [cluster], [user] = document["clusters"], document["users"]
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == b"the authority"
    assert base64.b64decode(user["user"]["client-key-data"]) == b"the key"
    assert document["current-context"] == "prod"
    assert document["contexts"][0]["context"]["namespace"] == "shop"
    assert "of another cluster" not in json.dumps(document)


def test_a_token_in_a_file(tmp_path: Path) -> None:
    """It is read, without the newline that editors leave."""
    (tmp_path / "token").write_text("a token\n")
    assert flattened(written(tmp_path, {"tokenFile": "token"}), tmp_path)["users"][0]["user"] == {"token": "a token"}


def test_a_plugin_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services run without the user's PATH and HOME, so the plugin gets them, before its own variables."""
    (tmp_path / "give-token").write_text("#!/bin/sh\n")
    (tmp_path / "give-token").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/me")
    plugin = {"exec": {"apiVersion": "v1", "command": "give-token", "env": [{"name": "AWS_PROFILE", "value": "prod"}]}}
    [user] = flattened(written(tmp_path, plugin), tmp_path, here=True)["users"]
    assert user["user"]["exec"]["command"] == str(tmp_path / "give-token")
    assert [(each["name"], each["value"]) for each in user["user"]["exec"]["env"]] == [
        ("HOME", "/home/me"),
        ("PATH", str(tmp_path)),
        ("AWS_PROFILE", "prod"),
    ]
    [elsewhere] = flattened(written(tmp_path, plugin), tmp_path)["users"]
    assert elsewhere["user"] == plugin


@pytest.mark.parametrize(
    ("changed", "context", "why"),
    [
        ({}, "dev", "It has no context dev"),
        ({"current-context": ""}, "", "It has no current context"),
        ({}, "test", "The cluster or the user of the context test is not in it"),
        ({"clusters": [{"name": "a", "cluster": {"certificate-authority": "gone.pem"}}]}, "", "gone.pem, which it names, can't be read"),
    ],
)
def test_one_that_can_not_be_used(tmp_path: Path, changed: dict[str, Any], context: str, why: str) -> None:
    """The reason names what is missing."""
    found = flatten_kubeconfig(written(tmp_path, {"token": "t"}, **changed), tmp_path, context, here=False)
    assert isinstance(found, str)
    assert why in found


@pytest.mark.parametrize("text", ["{]", "- a list", "token: : x"])
def test_a_text_that_is_none(text: str) -> None:
    """Nothing of the text is repeated: it may be a secret."""
    found = flatten_kubeconfig(Secret(text), Path(), "", here=False)
    assert found in ("It is not YAML", "It is not a kubeconfig")
