"""A backup contains no secret; everything else in it is unchanged."""

from __future__ import annotations

import pytest

from sre_agent_deploy.backup.hiding import hide_in_dotenv, hide_secrets, restore_hidden_lines


@pytest.mark.parametrize(
    "line",
    [
        "client_secret: planted",
        "api_key: [planted, other]",
        "passwords:\n  prod: planted",
        "note: see https://me:planted@example.com/x",
        "# password: planted",
        "# app.password: planted",
        "name: x  # the token=planted",
        "# wJalrXUtnFEMIK7MDENGbPxRfiCYplantedEXAMPLEKEY1",
        "broken: [\napi_key: planted",
    ],
)
def test_secrets_are_hidden(line: str) -> None:
    """A value under a key for secrets, in the form of a secret, or in a comment is hidden, and its place is named."""
    safe = hide_secrets(line + "\n")
    assert "planted" not in safe.text
    assert safe.where


@pytest.mark.parametrize(
    "line",
    [
        "client_secret: env:COGNITO_CLIENT_SECRET",
        "client_secret: ${COGNITO_CLIENT_SECRET}",
        "ssl_key_path: /etc/letsencrypt/live/sre.example.com/privkey.pem",
        "# the token: rotate it every month",
        "# commit 8a530f8b1c6d2e4f8a530f8b1c6d2e4f8a530f8b",
        "# client_secret: env:COGNITO_CLIENT_SECRET",
        "#   example: aws-secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:sre-client-AbCdEf",
        "key_name: ops  # the secret is elsewhere",
        '{\t"gateway": {"s3_path_prefix": "a1234567890123456789012345678901234567890"}}',
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    """References, paths, sentences and checksums are not touched."""
    assert hide_secrets(line + "\n").text == line + "\n"


@pytest.mark.parametrize(
    "line",
    [
        "SRE_AGENT__API_KEY=planted",
        "export SRE_AGENT__NAME=AKIAPLANTEDPLANTED12",
        "SRE_AGENT__DOMAIN='https://me:planted@example.com'",
        "SRE_AGENT__NAME=wJalrXUtnFEMIK7MDENGbPxRfiCYplantedEXAMPLEKEY1",
        "OTHER=planted",
    ],
)
def test_what_a_dotenv_file_holds(line: str) -> None:
    """A setting stays, unless its name or form is a secret's; every line that is no setting is hidden."""
    settings = {"SRE_AGENT__API_KEY", "SRE_AGENT__DOMAIN", "SRE_AGENT__MODE", "SRE_AGENT__NAME"}
    safe = hide_in_dotenv(f"{line}\nSRE_AGENT__MODE=local\n", settings)
    name = line.removeprefix("export ").partition("=")[0]
    assert (safe.text, safe.where) == (f"{name}=***\nSRE_AGENT__MODE=local\n", (name,))


def test_what_was_hidden_comes_back_from_the_file_that_is_there() -> None:
    """A line that is hidden in a backup is no difference if the file still has it."""
    mine = "name: a  # password: planted\nmode: local\n"
    assert restore_hidden_lines(hide_secrets(mine).text, mine) == mine
    assert restore_hidden_lines(hide_secrets(mine).text, "mode: local\n") == hide_secrets(mine).text
