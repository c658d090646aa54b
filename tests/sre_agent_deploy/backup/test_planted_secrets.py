"""Secrets in the inputs appear nowhere in what these commands print or write."""

from __future__ import annotations

import os

import pytest

from fixtures.kept_files import Folder
from sre_agent_deploy.backup.restore import Restoration
from sre_agent_deploy.config.text_file import Original

SECRETS = {
    "key": "planted-hunter2-under-a-key",
    "nested": "planted-within-a-section",
    "comment": "planted-in-a-comment",
    "dotenv": "planted in a dotenv file",
    "shape": "AKIAPLANTEDPLANTED12",
    "cognito": "plantedcognitoclientsecret1234567890abcdefghijklmno",
}
FLAT = f"""\
# password: {SECRETS["comment"]}
account_id: "123456789012"
region: us-east-1  # token={SECRETS["comment"]}
client_id: abc
gateway_description: {SECRETS["shape"]}
client_secret: {SECRETS["key"]}
api_keys:
  prod: {SECRETS["nested"]}
mine:
  deeper: {{password: "{SECRETS["nested"]}"}}
note: {SECRETS["cognito"]}
# {SECRETS["cognito"]}
"""
DOTENV = (
    f"COGNITO_CLIENT_SECRET='{SECRETS['dotenv']}'\nexport BACKEND_API_KEY={SECRETS['key']}  # {SECRETS['shape']}\nX={SECRETS['shape']}\n"
)
OURS = f"""\
version: 1
mode: local
name: demo  # secret: {SECRETS["comment"]}
credentials:
  client_secret: {SECRETS["key"]}
# {SECRETS["shape"]}
"""


@pytest.fixture(autouse=True)
def everything_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRE_LOG", "debug")


def leaked(text: str | bytes) -> list[str]:
    body = text.encode() if isinstance(text, str) else text
    return [name for name, secret in SECRETS.items() if secret.encode() in body]


@pytest.mark.parametrize("options", [(), ("--json",), ("--dry-run",)])
def test_migrating(folder: Folder, options: tuple[str, ...]) -> None:
    """No secret of the sample's files comes into the new file, the report or a backup."""
    inputs = [folder.write("gateway/config.yaml", FLAT), folder.write("gateway/.env", DOTENV), folder.write("sre_agent/.env", DOTENV)]
    result = folder.run("migrate", "--conflict=mine", *options)
    assert result.code == 0, result.text
    again = folder.run("migrate", "--conflict=theirs", *options)
    assert not leaked(result.text + again.text)
    written = [file for file in folder.path.glob("config.yaml*") if "before-migration" not in file.name]
    assert not leaked(folder.everything_written(*inputs))
    assert bool(written) == ("--dry-run" not in options)


def test_the_difference_to_a_file_with_secrets(folder: Folder) -> None:
    """The diff shows which lines change, and the secrets of neither side: not of this file, nor of a backup that has them."""
    folder.write("config.yaml", "version: 1\nmode: local\nname: demo\n")
    assert folder.run("backup", "--output", "without.zip").code == 0
    mine = folder.write("config.yaml", OURS + "tags: {team: platform}\n")
    result = folder.run("restore", "without.zip", "--dry-run")
    assert "-  client_secret: ***" in result.out
    assert not leaked(result.text)

    restoration = Restoration(Original(mine, b"version: 1\n"), OURS, Original(folder.path / ".env", b""), "", ())
    assert "+  client_secret: ***" in restoration.diff()
    assert not leaked(restoration.diff())


@pytest.mark.parametrize("text", [OURS, FLAT, OURS + "broken: [\n"])
def test_backing_up_setting_and_restoring(folder: Folder, text: str) -> None:
    """No secret that is in the configuration by mistake comes into an archive or onto the terminal."""
    config = folder.write("config.yaml", text)
    dotenv = folder.write(".env", DOTENV)
    results = [
        folder.run("backup", "--output", "b.zip"),
        folder.run("backup", "--json"),
        folder.run("set", "name", "other"),
        folder.run("set", "credentials.client_secret", SECRETS["key"]),
        folder.run("restore", "b.zip", "--dry-run"),
    ]
    folder.write("config.yaml", "mode: local\n")
    results.append(folder.run("restore", "b.zip", "--conflict=theirs"))
    assert not leaked("".join(each.text for each in results))
    assert not leaked(folder.everything_written(config, dotenv))
    assert results[0].code == 0
    assert os.environ["SRE_LOG"] == "debug"
