"""A person makes a production deployment by the Console guide, with plain boto3: then it is verified like one that the command made."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from behaviours import certificates
from behaviours.command_line import Desk
from fixtures.hands import Hands
from fixtures.person import Person
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.guide import walk_guide

# A model that concludes at once.
FOUND = {"verdict": "root_cause_found", "cause": "oom_killed", "kind": "Deployment", "namespace": "shop", "name": "cart-service"}
CLAIM = {"claim": "It was killed", "evidence": "inv-00000000-e1", "quote": "OOMKilled exit code 137"}
CONCLUSION = {**FOUND, "summary": "It was killed", "claims": [CLAIM]}
SCRIPT = {"answers": [{"system": "You are the supervisor", "tools": [{"name": "conclude", "arguments": CONCLUSION}]}]}
DOMAIN = "sre.example.com"
# What the person first makes otherwise than the guide says, and which field the guide then names.
WRONG = {
    "backend_key": {"Description": "something else"},
    "gateway_client": {"Access token expiration": "30 minutes"},
    "gateway_role": {"Maximum session duration": "7200 seconds"},
    "gateway": {"Additional configurations > Gateway description": "another gateway"},
    "security_group": {"forgotten": "443"},
}
NAMED = {
    "backend_key": "description",
    "gateway_client": "token_minutes",
    "gateway_role": "session_seconds",
    "gateway": "description",
    "security_group": "ingress",
}
OPTIONS: dict[str, Any] = {
    "tags": {"team": "red"},
    "alerts": {"email": "team@example.com"},
    "limits": {"monthly_usd": 50},
    "monitoring": {"enabled": "always"},
    "assistant": {"reasoner": "bedrock"},
}


def prepare(desk: Desk) -> dict[str, str]:
    """Start an AWS whose models answer, with a zone for the domain, and configure production; return the variables of its user."""
    (desk.folder / "script.json").write_text(json.dumps(SCRIPT))
    desk.start_aws("--bedrock-script", str(desk.folder / "script.json"))
    certificates.written(desk.folder, DOMAIN)
    zone = desk.client("route53").create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]["Id"].rpartition("/")[2]
    registry, files = desk.registry(), {"ssl_cert_path": "fullchain.pem", "ssl_key_path": "privkey.pem", "ssl_ca_path": "ca.pem"}
    deployment = {"domain_name": DOMAIN, "hosted_zone_id": zone, **{field: str(desk.folder / file) for field, file in files.items()}}
    aws = {"account_id": registry["account_id"], "region": registry["region"], "network": "create"}
    desk.configure(mode="production", aws=aws, deployment=deployment, tls={"source": "files"}, **OPTIONS)
    return {
        "AWS_ENDPOINT_URL": registry["endpoint"],
        "AWS_CA_BUNDLE": registry["ca_file"],
        "AWS_ACCESS_KEY_ID": registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": registry["secret_access_key"],
        "SRE_AGENT_STATE_DIR": str(desk.state_dir),
    }


def read_causes(desk: Desk) -> list[tuple[str, str, str]]:
    """The hop, the code and the reason of each cause of the last report, without what can't be seen here: public DNS, an expired token."""
    report = json.loads(next(desk.state_dir.glob("reports/sre-*/verification.json")).read_text())
    causes = [(cause["hop"], cause["problem"]["code"], cause["problem"]["why"]) for cause in report["causes"]]
    return [cause for cause in causes if cause[1] not in ("ENDPOINT-NAME-NOT-SEEN", "ACCESS-EXPIRY-NOT-SEEN")]


def forbid_model(desk: Desk) -> None:
    """Remove the permission to use the model from the machine's role, as a person by mistake."""
    iam = desk.client("iam")
    name = next(role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"].endswith("-instance"))
    policy = iam.get_role_policy(RoleName=name, PolicyName=name)["PolicyDocument"]
    policy["Statement"] = [each for each in policy["Statement"] if not any("bedrock:" in action for action in each["Action"])]
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps(policy))


@pytest.mark.timeout(900)
def test_verification_of_what_a_person_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they make wrong is named, what is right is adopted; then every check passes, and a plan has nothing to do.

    A model that the machine's role may not ask is the one cause that is reported.
    """
    for name, value in prepare(desk).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(desk.folder)
    person = Person(Hands(desk.client), WRONG)
    ended = walk_guide(Request(), person)
    assert ended.success, [*person.said[-30:], ended.message]
    assert {name: [gap.strip().partition(":")[0] for gap in gaps] for name, gaps in person.gaps.items()} == {
        name: [field] for name, field in NAMED.items()
    }
    deadline = time.monotonic() + 300
    # As a person does who waits for the machine.
    while not re.search(r"^ready +ok", (booted := desk.deploy("logs", "boot")).out, re.MULTILINE):
        assert time.monotonic() < deadline, booted.text
        time.sleep(1)
    verified = desk.deploy("verify")
    assert verified.code == 0, verified.text
    assert "is verified" in verified.out
    assert read_causes(desk) == []
    planned = desk.deploy("plan")
    assert planned.code == 0, planned.text
    assert "to keep" in planned.out
    assert not any(word in planned.out for word in ("to create", "to update", "to replace"))

    forbid_model(desk)
    desk.deploy("verify")
    [(hop, code, why)] = read_causes(desk)
    assert (hop, code, "refuses access" in why) == ("model", "MODEL-NO-ANSWER", True), why
    # The remedy that the report names.
    repaired = desk.deploy("deploy", "--yes")
    assert repaired.code == 0, repaired.text
    assert read_causes(desk) == []
