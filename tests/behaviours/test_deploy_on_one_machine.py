"""A configuration becomes a verified deployment, which answers, is planned as unchanged, is refused to strangers, and ends."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from behaviours.command_line import Desk
from sre_agent_deploy.account.local import parse_registry


def test_plan_after_a_deployment(deployed: Desk) -> None:
    """There is nothing to do: exit code 0, and every resource is kept for a reason."""
    ended = deployed.deploy("plan", "--json")
    assert ended.code == 0, ended.text
    changes = json.loads(ended.out)["changes"]
    assert {change["action"] for change in changes} == {"keep"}
    assert all(change["because"] for change in changes)


def test_verify_beside_another_configuration(deployed: Desk, tmp_path: Path) -> None:
    """The deployment of the state file is verified, not that of a config.yaml in the same folder.

    The report is written as JSON and Markdown, names every check with its requirement, and ends verified; the state has its time.
    """
    elsewhere = Desk(tmp_path, {**deployed.environ, "SRE_AGENT_STATE_DIR": str(deployed.state_dir)})
    elsewhere.configure(mode="production", name="another")
    before = json.loads(deployed.state_file.read_text())
    ended = elsewhere.deploy("verify", "--state-file", str(deployed.state_file))
    assert ended.code == 0, ended.text
    after = json.loads(deployed.state_file.read_text())
    assert after["verified_at"] > before["verified_at"]
    # A plan that was saved before can still be applied.
    assert {**after, "verified_at": "", "checksum": ""} == {**before, "verified_at": "", "checksum": ""}
    [document] = deployed.state_dir.glob("reports/sre-*/verification.json")
    report = json.loads(document.read_text())
    assert report["overall_status"] == "verified"
    # No token of Cognito expires within a verification, which says so.
    assert {finding["check"]: finding["status"] for finding in report["findings"] if finding["status"] != "passed"} == {
        "access.expired_token": "unknown"
    }
    covered = {number for finding in report["findings"] for number in finding["requirements"]}
    assert {"1.2", "1.3", "1.4", "2.1", "2.2", "2.3", "2.5", "4.3", "4.4"} <= covered
    assert document.with_suffix(".md").read_text().startswith(f"# Deployment {report['deployment']}: verified")


def test_status_of_a_running_deployment(deployed: Desk) -> None:
    """Status shows each resource ready, where the assistant is, and what to type next."""
    ended = deployed.deploy("status")
    assert ended.code == 0, ended.text
    assert "Assistant: https://127." in ended.out
    assert "sre-agent --prompt" in ended.out
    assert "intended" not in ended.out


def test_the_certificate_that_is_served(deployed: Desk) -> None:
    """`certs` shows what clients see: who issued it, how long it is valid, and who renews it when."""
    ended = deployed.deploy("certs")
    assert ended.code == 0, ended.text
    assert "trusted      yes" in ended.out
    assert "by `sre-agent-deploy deploy`, from 20" in ended.out
    seen = json.loads(deployed.deploy("certs", "--json").out)
    assert (seen["source"], seen["trusted"], seen["problems"]) == ("local_ca", True, [])
    assert seen["days_left"] in (89, 90)
    assert seen["issuer"] == "sre-agent local certificate authority"


def test_a_certificate_of_another_authority(deployed: Desk) -> None:
    """`deploy` stores it, the same machine serves it within a minute, and the gateway's targets trust the new authority."""
    before, machine = json.loads(deployed.deploy("certs", "--json").out), deployed.deploy("output", "instance_id").out
    for name in ("ca.pem", "ca.key"):
        (deployed.state_dir / "local-ca" / name).unlink()
    ended = deployed.deploy("deploy", "--yes")
    assert ended.code == 0, ended.text
    assert "is verified" in ended.out
    served = json.loads(deployed.deploy("certs", "--json").out)
    assert (served["trusted"], served["problems"]) == (True, [])
    assert served["not_before"] > before["not_before"]
    assert deployed.deploy("output", "instance_id").out == machine


def test_every_door_is_closed_without_credentials(deployed: Desk) -> None:
    """Each service, the gateway and the assistant answer 401 with a JSON body, and each refusal is one security event."""
    doors = _doors(deployed)
    before = _security_events(deployed)
    answers = {door: _asked(deployed, url) for door, url in doors.items()}
    assert {status for status, _ in answers.values()} == {401}
    for status, body in answers.values():
        assert json.loads(body), status
    assert len(_security_events(deployed)) - len(before) == len(doors)


def test_audit_of_a_deployment(deployed: Desk) -> None:
    """Refused requests and deployments are listed together, each in a line for people and as it was recorded for programs."""
    _asked(deployed, _doors(deployed)["logs"])
    ended = deployed.deploy("audit", "--since", "1h", "--json")
    assert ended.code == 0, ended.text
    found = json.loads(ended.out)
    assert found["unread"] == []
    assert {"run", "refused"} == {entry["kind"] for entry in found["entries"]}
    assert [entry["time"] for entry in found["entries"]] == sorted(entry["time"] for entry in found["entries"])
    [last] = [entry for entry in found["entries"] if entry["kind"] == "refused"][-1:]
    assert (last["refused"]["service"]["name"], last["refused"]["status_detail"]) == ("logs", "missing_api_key")
    assert "missing_api_key" in deployed.deploy("audit").out


def test_readiness_of_a_fresh_deployment(deployed: Desk) -> None:
    """Tasks of the deployment are done with their evidence, and the others are open with the command that does them."""
    ended = deployed.deploy("readiness", "--json")
    assert ended.code == 1, ended.text
    items = {item["id"]: item for item in json.loads(ended.out)["items"]}
    assert {id for id, item in items.items() if item["status"] == "done"} >= {"ssh", "bucket", "secrets", "certificate"}
    assert {id for id, item in items.items() if item["status"] == "open"} >= {
        "backups",
        "alarms",
        "alarms-tested",
        "recovery",
    }
    assert not {"mfa", "patches", "budget"} & set(items)
    assert all(item["evidence"] for item in items.values())
    assert all(item["do"] for item in items.values() if item["status"] != "done")
    page = deployed.deploy("readiness", "--html").out
    assert items["recovery"]["title"] in page
    assert "sre-agent-deploy backup" in page


def test_maintenance_of_a_deployment(deployed: Desk) -> None:
    """The calendar has the certificate and each secret, next first, and a calendar program can read it."""
    ended = deployed.deploy("maintenance", "--json")
    assert ended.code == 0, ended.text
    tasks = json.loads(ended.out)["tasks"]
    assert {"certificate", "secret-backend_key", "backup", "access"} <= {task["id"] for task in tasks}
    assert [task["due"] for task in tasks] == sorted(task["due"] for task in tasks)
    calendar = deployed.deploy("maintenance", "--ics").out
    assert calendar.count("BEGIN:VEVENT") == len(tasks) == calendar.count("DTSTART;VALUE=DATE:")


def test_no_secret_is_written_down(deployed: Desk) -> None:
    """Neither state, reports nor the connection file hold any value that Secrets Manager keeps."""
    manager = deployed.client("secretsmanager")
    values = [manager.get_secret_value(SecretId=entry["ARN"])["SecretString"] for entry in manager.list_secrets()["SecretList"]]
    secrets = [part for value in values for name, part in json.loads(value).items() if name in ("api_key", "client_secret", "private_key")]
    assert len(secrets) == 4
    written = [deployed.state_file, *deployed.state_dir.glob("connections/*"), *deployed.state_dir.glob("reports/*/*")]
    assert len(written) > 3
    for path in written:
        assert not [secret for secret in secrets if secret in path.read_text()], path


def test_where_the_logs_of_the_services_are(deployed: Desk) -> None:
    """Where advice names the log of a service, it is there."""
    registry_file = deployed.state_dir / "embedded-aws.json"
    registry = parse_registry(registry_file, json.loads(registry_file.read_text()))
    pattern = Path(registry.service_logs, "kubernetes.log").relative_to(deployed.state_dir)
    assert len([*deployed.state_dir.glob(str(pattern))]) == 1


def test_cleanup_without_the_state_file(deployed: Desk) -> None:
    """The tags are enough; and the AWS that the deployment itself started ends with it."""
    deployment = next(deployed.state_dir.glob("connections/sre-*.json")).stem
    deployed.state_file.unlink()
    ended = deployed.deploy("--cleanup", "--deployment-id", deployment, "--mode", "local", "--yes")
    assert ended.code == 0, ended.text
    assert not deployed.processes()
    assert not list(deployed.state_dir.glob("connections/*"))


def _doors(desk: Desk) -> dict[str, str]:
    [connection] = desk.state_dir.glob("connections/*.json")
    base = json.loads(connection.read_text())["assistant_url"]
    control = desk.client("bedrock-agentcore-control")
    gateway = control.get_gateway(gatewayIdentifier=control.list_gateways()["items"][0]["gatewayId"])["gatewayUrl"]
    paths = {
        "kubernetes": "/api/kubernetes/pods/status",
        "logs": "/api/logs/search",
        "metrics": "/api/metrics/performance",
        "runbooks": "/api/runbooks/search",
    }
    return {**{name: base + path for name, path in paths.items()}, "assistant": f"{base}/invocations", "gateway": gateway}


def _asked(desk: Desk, url: str) -> tuple[int, bytes]:
    [bundle] = desk.state_dir.glob("connections/*.ca.pem")
    context = ssl.create_default_context(cafile=str(bundle))
    posted = url.endswith(("/invocations", "/mcp"))
    body = b'{"jsonrpc":"2.0","id":7,"method":"tools/list"}' if posted else None
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"} if posted else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(urllib.request.Request(url, data=body, headers=headers), timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _security_events(desk: Desk) -> list[str]:
    logs = [*desk.state_dir.rglob("*.log")]
    return [line for log in logs for line in log.read_text(errors="replace").splitlines() if '"security.access_denied"' in line]
