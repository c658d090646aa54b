"""`deploy --manual`, `deploy --skip` and `guide --interactive`, as they are typed: steps by hand and by command can be mixed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from fixtures.embedded import EmbeddedAws

type Typed = Callable[..., tuple[int, str, str]]


def recorded(folder: Path) -> list[str]:
    file = folder / ".deployment_state"
    return [record["name"] for record in json.loads(file.read_text())["records"].values()] if file.exists() else []


def last_run(folder: Path) -> tuple[str, str]:
    run = json.loads((folder / ".deployment_state").read_text())["runs"][-1]
    return run["command"], run["result"]


def test_a_step_by_hand(local_folder: Path, typed: Typed, unbooted: EmbeddedAws) -> None:
    """A resource that is not created yet is explained, and what needs it waits; a wrong one is reported; a right one is adopted."""
    manual = ("deploy", "--target", "credential_provider", "--manual", "backend_key")
    code, out, err = typed(*manual)
    assert (code, "STEP-BY-HAND" in err, "backend_key is not in AWS yet" in err) == (1, True, True), out + err
    assert recorded(local_folder) == []

    code, shown, err = typed("guide", "--interactive", "--step", "backend_key")
    assert (code, "GUIDE-NO-TERMINAL" in err) == (1, True), shown + err
    assert last_run(local_folder) == ("guide", "failed")
    fields = dict(line.strip().split(": ", 1) for line in shown.splitlines() if line.startswith("  ") and ": " in line)
    tags = [{"Key": key, "Value": value} for key, value in (tag.split(" = ") for tag in fields["Tags"].split(", "))]
    secrets = unbooted.client("secretsmanager")
    made = secrets.create_secret(Name=fields["Secret name"], SecretString='{"api_key": "by-hand"}', Description="wrong", Tags=tags)
    secrets.tag_resource(SecretId=made["ARN"], Tags=[{"Key": "sre-agent:version", "Value": made["VersionId"]}])
    code, out, err = typed(*manual)
    assert (code, "description: AWS has wrong; right is API key" in err) == (1, True), out + err
    assert recorded(local_folder) == ["backend_key", "credential_provider"]

    secrets.update_secret(SecretId=made["ARN"], Description=fields["Description"])
    code, out, err = typed("guide", "--interactive", "--step", "backend_key")
    assert (code, "backend_key is right." in out) == (0, True), out + err
    assert typed(*manual)[0] == 0
    assert secrets.get_secret_value(SecretId=made["ARN"])["SecretString"] == '{"api_key": "by-hand"}'


def test_a_step_that_is_skipped(local_folder: Path, typed: Typed) -> None:
    """It is not created, nor is what needs it; an unknown name is refused with the nearest one."""
    code, out, err = typed("deploy", "--target", "credential_provider", "--skip", "credential_provider")
    assert (code, "without credential_provider and what needs it; not verified" in out) == (0, True), out + err
    assert recorded(local_folder) == ["backend_key"]
    code, _, err = typed("rotate", "api-key")
    assert (code, "ROTATE-INCOMPLETE" in err, "AWS does not have" in err) == (1, True, True), err
    code, _, err = typed("deploy", "--skip", "user_pol")
    assert (code, "TARGET-UNKNOWN" in err) == (1, True)
