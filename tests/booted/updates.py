"""Faults that an update must survive: a broken release, an AWS that refuses, another network, another source of certificates."""

from __future__ import annotations

import json
import shutil
import threading
import time
from datetime import datetime
from typing import Any

from behaviours.asking import asking
from behaviours.command_line import ROOT, Desk
from booted.clients import reach_over_ipv6
from booted.deployed import PATIENCE, Deployed, count_checks
from booted.machine import BootedMachine, find_machines
from booted.outcomes import Watch, require, wait_until

_BROKEN_LINE = "this release was broken on purpose"


def break_release(deployment: Deployed, machine: BootedMachine) -> None:
    """Update to a release whose services end at their start: the third step of its bootstrap fails."""
    source = deployment.desk.folder / "broken"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    (source / "sre_services" / "__main__.py").write_text(f'raise SystemExit("{_BROKEN_LINE}")\n')
    reports = _Reports(deployment.desk, machine.instance_id)
    with deployment.outcomes.promise("a third step that fails is reported with its output", within=60) as timed, reports:
        updated = deployment.deploy_command("deploy", "--yes", "--on-failure", "rollback", PYTHONPATH=str(source))
        require(updated.code == 1 and "INSTANCE-BOOT-FAILED" in updated.err and _BROKEN_LINE in updated.err, updated.text)
        timed.seconds = reports.seconds("services")
    with deployment.outcomes.promise("the machine before serves on, alone", within=60):
        deployment.wait_until_healthy()
        require(list(find_machines(deployment.desk)) == [machine.instance_id], "the machine that failed is still there")


def refuse_reports(deployment: Deployed, machine: BootedMachine) -> None:
    """Update while S3 refuses the new machine for its first 30 seconds."""
    reports = _Reports(deployment.desk, machine.instance_id)
    refusal = threading.Thread(target=_refuse_s3, args=(deployment, machine))
    refusal.start()
    with (
        deployment.outcomes.promise("a machine that S3 refuses for 30 s reports, and replaces the one before", within=PATIENCE) as timed,
        reports,
    ):
        updated = deployment.deploy_command("deploy", "--yes", SRE_AGENT__DEPLOYMENT__VOLUME_GB="60")
        refusal.join()
        timed.facts = count_checks(updated)
        require("release" in reports.seen, "there was no report of the release")
    with deployment.outcomes.promise("after the update the machine before is gone", within=60):
        require(machine.instance_id not in find_machines(deployment.desk), "it still runs")


def ipv6(deployment: Deployed, _: BootedMachine) -> None:
    """Update to a machine in a VPC of the deployment's own, with IPv6: its nginx answers there, on the public ports alone."""
    settings = {"SRE_AGENT__AWS__NETWORK": "create", "SRE_AGENT__AWS__IPV6": "true"}
    ca_file, zone = deployment.desk.folder / "ca.pem", deployment.settings["SRE_AGENT__DEPLOYMENT__HOSTED_ZONE_ID"]
    with deployment.outcomes.promise("a machine with IPv6 replaces the one before, in a VPC of its own", within=PATIENCE) as timed:
        timed.facts = count_checks(deployment.deploy_command("deploy", "--yes", **settings))
    with deployment.outcomes.promise("nginx listens on 443 and 80 of both families, and on the others over IPv4 alone", within=60) as timed:
        lines = deployment.machine().run("ss", "--no-header", "--listening", "--tcp", "--numeric").splitlines()
        found = sorted(line.split()[3] for line in lines if line.split()[3].startswith("["))
        timed.facts = ", ".join(found)
        require(found == ["[::]:443", "[::]:80"], "expected 443 and 80 alone")
    with deployment.outcomes.promise("clients over IPv6 lose no request while the AAAA record changes", within=PATIENCE) as timed:
        with asking(
            deployment.desk, ca_file, deployment.domain, zone, kind="AAAA", connect=reach_over_ipv6(deployment.desk), slowly=True, pause=0.2
        ) as clients:
            first = clients.address
            checks = count_checks(deployment.deploy_command("deploy", "--yes", **settings, SRE_AGENT__DEPLOYMENT__VOLUME_GB="70"))
        timed.facts = f"{clients.answered} answers, {clients.slow} of them after 10 s, {len(clients.failed)} failed; {checks}"
        require(clients.address != first, "the record did not change")
        require(clients.slow and not clients.failed, str(clients.failed[:3]))


def order(deployment: Deployed, _: BootedMachine) -> None:
    """Update to a machine that orders its certificate, and let the authority suggest a renewal."""
    root = deployment.desk.folder / "root.pem"
    root.write_text(deployment.authority.root)
    deployment.door.trust.load_verify_locations(root)
    settings = {**deployment.authority.settings(), "SRE_SSL_CA_PATH": str(root)}
    with deployment.outcomes.promise("a machine orders its certificate from an ACME authority", within=PATIENCE) as timed:
        timed.facts = count_checks(deployment.deploy_command("deploy", "--yes", **settings))
    with deployment.outcomes.promise("a renewal that the authority suggests is served", within=60):
        before = deployment.door.fingerprint()
        deployment.authority.suggest_renewal()
        deployment.machine().run("systemctl", "start", "sre-agent-certificate-order.service")
        wait_until(lambda: deployment.door.fingerprint() not in ("", before), 300, "the former certificate is still served")


TRIALS = (break_release, refuse_reports, ipv6, order)


def _refuse_s3(deployment: Deployed, before: BootedMachine) -> None:
    """Forbid S3 to the instance's role from the first report of a new machine on, for 30 seconds."""
    iam = deployment.desk.client("iam")
    [role] = [each["RoleName"] for each in iam.list_roles()["Roles"] if each["RoleName"].endswith("instance")]
    wait_until(lambda: find_machines(deployment.desk).keys() - {before.instance_id}, PATIENCE, "no machine was created")
    [new] = find_machines(deployment.desk).keys() - {before.instance_id}
    denied = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="refused", PolicyDocument=json.dumps(denied))
    try:
        wait_until(lambda: find_machines(deployment.desk)[new].has("/opt/sre-agent/status.json"), PATIENCE, "the machine wrote no report")
        time.sleep(30)
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="refused")


class _Reports(Watch):
    """Keeps the reports of machines other than `before`: those of one that has failed are deleted with it."""

    def __init__(self, desk: Desk, before: str) -> None:
        super().__init__(self._read)
        self.seen: dict[str, dict[str, dict[str, Any]]] = {}
        self._before, self._s3 = before, desk.client("s3")

    def seconds(self, step: str) -> float:
        """Return the seconds from the first report of a step, that it runs, to the one that it has failed."""
        reports = self.seen.get(step, {})
        require({"running", "failed"} <= reports.keys(), f"the reports were {self.seen}")
        times = [datetime.fromisoformat(reports[state]["time"]).timestamp() for state in ("running", "failed")]
        return times[1] - times[0]

    def _read(self) -> bool:
        [bucket] = [each["Name"] for each in self._s3.list_buckets()["Buckets"]]
        listed = self._s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        for key in (each["Key"] for each in listed if "/status/i-" in each["Key"] and self._before not in each["Key"]):
            try:
                report = json.loads(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            except (self._s3.exceptions.NoSuchKey, ValueError):
                continue
            self.seen.setdefault(report["step"], {}).setdefault(report["state"], report)
        return False
