"""What a machine that has booted must survive, in the order in which it is tried. Each trial prints one line with its time."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from behaviours import certificates
from behaviours.command_line import ROOT, Desk, Ended
from booted.authority import Authority
from booted.image import RELEASED, SECURITY, SUITE
from booted.machine import BootedMachine, Door, find_machines, list_health_paths
from booted.outcomes import Outcomes, require, wait_until
from sre_agent_deploy.instance.layout import LOGS
from sre_core import metrics

# A machine on a busy computer: what takes seconds on an idle one may take minutes there.
_PATIENCE = 600.0
# A line of the report such as `  ok   service.logs  …`; the names of resources have no dot.
_CHECK = re.compile(r"^ *ok +\w+\.\w+ ", re.MULTILINE)
_MOST_EXPOSED = 3.0
_MOST_COMPUTED = 30.0
# What questions used is shipped where there is monitoring; sessions end with the machine, unless they are kept in DynamoDB.
_MAY_END = frozenset({f"/var/log/{LOGS}/assistant/{metrics.USAGE_FILE}", "/var/lib/sre-agent/assistant/sessions.sqlite3"})
# With these cloud-init finds out if a name server makes up answers, and if there is a metadata service by name.
_OF_CLOUD_INIT = frozenset({"__cloud_init_expected_not_found__", "does-not-exist.example.com", "example.invalid", "instance-data"})
_BROKEN_LINE = "this release was broken on purpose"


@dataclass(frozen=True)
class Trials:
    """A deployment whose machine has booted."""

    desk: Desk
    door: Door
    settings: Mapping[str, str]
    outcomes: Outcomes
    domain: str
    authority: Authority
    archive: int
    """The port of a proxy that leads to Debian's archive."""

    def run(self, names: Sequence[str] = ()) -> None:
        """Try everything, or what is named, one after the other: each trial leaves a machine that works."""
        machine = self.machine()
        trials = (
            self.boot,
            self.software,
            self.harden,
            self.reboot,
            self.kill,
            self.rotate_logs,
            self.renew,
            self.stop,
            self.update,
            self.break_release,
            self.refuse_reports,
            self.ipv6,
            self.order,
        )
        for trial in trials:
            if not names or trial.__name__ in names:
                trial(machine)

    def machine(self) -> BootedMachine:
        """Return the one machine that runs."""
        [machine] = find_machines(self.desk).values()
        return machine

    def boot(self, machine: BootedMachine) -> None:
        """Measure the first boot: what it computed is less than the 30 s of its promise, so that two idle cores keep that."""
        with self.outcomes.promise("the bootstrap ends", within=_PATIENCE) as timed:
            timed.seconds = machine.bootstrap_seconds()
            used = machine.cpu_seconds("cloud-final.service", "nginx.service", *machine.list_units())
            timed.facts = f"{used:.0f} s of the processors, with what the services and their verification took"
            require(used <= _MOST_COMPUTED, f"more than {_MOST_COMPUTED:.0f} s")

    def software(self, machine: BootedMachine) -> None:
        """Read what the machine said of Docker and Compose, and for what it looked outside of AWS: it reaches nothing but AWS."""
        with self.outcomes.promise("what is absent of Docker and Compose is reported, and the machine serves", within=_PATIENCE) as timed:
            state = ("systemctl", "show", "--property=ActiveState", "--value", "cloud-final.service")
            wait_until(lambda: machine.run(*state).strip() == "active", _PATIENCE, "the boot does not end")
            report = self._read_report(machine, "software")
            timed.facts = report["what"]
            require(report["state"] == "failed" and "Docker is installed, Compose is not" in report["what"], str(report))
        with self.outcomes.promise("a boot asks for no name of the internet but that of Compose's packages", within=30) as timed:
            timed.facts = ", ".join(sorted(machine.list_names())) or "none"
            require(machine.list_names() <= {"download.docker.com", *_OF_CLOUD_INIT}, timed.facts)

    def harden(self, machine: BootedMachine) -> None:
        """Look from inside at what a service that was taken over could do."""
        for unit in machine.list_units():
            with self.outcomes.promise(f"systemd rates {unit}", within=30) as timed:
                timed.facts = str(exposure := machine.read_exposure(unit))
                require(exposure <= _MOST_EXPOSED, f"more than {_MOST_EXPOSED}")
        with self.outcomes.promise("only what calls AWS reaches the metadata service", within=60) as timed:
            reaching = {unit for unit in machine.list_units() if machine.reaches_metadata(unit)}
            timed.facts = ", ".join(sorted(reaching))
            require(
                reaching == {"sre-agent-assistant.service", "sre-agent-certificate.service"}, "expected the assistant and the certificate's"
            )
        with self.outcomes.promise("only the services' group can connect to their sockets", within=30):
            sockets = {f"/run/sre-agent/{name}/http.sock" for name in list_health_paths()}
            modes = machine.run("stat", "--format=%A %U %G", *sorted(sockets)).splitlines()
            require(set(modes) == {"srw-rw---- sre-agent sre-agent"}, str(modes))
        with self.outcomes.promise("the services keep nothing on the machine that an update would lose", within=60) as timed:
            kept = machine.run("find", "/", "-xdev", "-user", "sre-agent", "-type", "f").split()
            timed.facts = f"{len(kept)} files of theirs: credentials, what questions used, and sessions"
            lost = [file for file in kept if not file.startswith("/etc/sre-agent/credentials/") and file not in _MAY_END]
            require(not lost, f"found {lost[:5]}")
        with self.outcomes.promise("a service that hangs is started again by its watchdog", within=120):
            before = machine.main_pid("sre-agent-logs.service")
            machine.run("kill", "-STOP", str(before))
            wait_until(lambda: machine.main_pid("sre-agent-logs.service") not in (0, before), 180, "it still hangs")
            wait_until(lambda: self.door.status("/api/logs/health") == 200, 60, "it does not answer")

    def rotate_logs(self, machine: BootedMachine) -> None:
        """Rotate nginx's files at once, and find the next request in the new one."""
        with self.outcomes.promise("nginx writes on after its logs were rotated, and the journal is limited", within=30) as timed:
            machine.run("logrotate", "--force", "/etc/logrotate.d/nginx")
            wait_until(lambda: self.door.status("/ping") == 200, 60, "it does not answer")
            wait_until(lambda: "/ping" in machine.run("cat", "/var/log/nginx/access.log"), 10, "the new file has no line")
            require("/ping" in machine.run("cat", "/var/log/nginx/access.log.1"), "the old file is lost")
            timed.facts = (
                machine.run("journalctl", "--no-pager", "--unit=systemd-journald", "--grep=max ").splitlines()[-1].partition("(")[2]
            )
            require("max 1.0G" in timed.facts, "expected max 1.0G")

    def reboot(self, machine: BootedMachine) -> None:
        """Reboot the machine from inside."""
        with self.outcomes.promise("after a reboot every service answers through the front door", within=120):
            before = machine.boot_id()
            machine.run("systemctl", "--no-block", "reboot")
            wait_until(lambda: _is_other_boot(machine, before), _PATIENCE, "the machine did not boot again")
            self._wait_until_healthy()
        with self.outcomes.promise("after the reboot the deployment is verified", within=_PATIENCE) as timed:
            timed.facts = count_checks(self._deployer("verify"))

    def kill(self, machine: BootedMachine) -> None:
        """Kill nginx and each service with SIGKILL. Counted is what systemd waits and what the start computes, on a busy computer too."""
        for name, path in {"nginx": "/ping", **list_health_paths()}.items():
            unit = "nginx.service" if name == "nginx" else f"sre-agent-{name}.service"
            with self.outcomes.promise(f"after kill -9 {unit} answers again", within=10) as timed:
                before, began = machine.main_pid(unit), time.monotonic()
                machine.run("kill", "-9", str(before))
                wait_until(lambda: machine.main_pid(unit) not in (0, before), 60, "it was not started again")  # noqa: B023  # used at once
                waited = time.monotonic() - began
                wait_until(lambda: self.door.status(path) == 200, _PATIENCE, f"{path} does not answer")  # noqa: B023  # used at once
                timed.seconds = waited + machine.cpu_seconds(unit)
                timed.facts = f"here {time.monotonic() - began:.1f} s"

    def renew(self, _: BootedMachine) -> None:
        """Deploy another certificate."""
        before = self.door.fingerprint()
        certificates.written(self.desk.folder, self.domain)
        self.door.trust.load_verify_locations(self.desk.folder / "ca.pem")
        served = _Watch(lambda: self.door.fingerprint() not in ("", before))
        with self.outcomes.promise("a renewed certificate is served after it was stored", within=60) as timed, served:
            deployed = self._deployer("deploy", "--yes")
            require(deployed.code == 0, deployed.text)
            require(served.at, "it is not served")
            timed.seconds = served.at - self._certificate_stored()

    def stop(self, machine: BootedMachine) -> None:
        """Stop the instance as an owner may by hand."""
        ec2 = self.desk.client("ec2")
        ec2.stop_instances(InstanceIds=[machine.instance_id])
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[machine.instance_id])
        with self.outcomes.promise("plan shows that the instance was stopped", within=120) as timed:
            planned = self._deployer("plan")
            line = next((line.strip() for line in planned.text.splitlines() if "stopped" in line), "")
            require(planned.code == 2 and line, planned.text)
            timed.facts = line
        with self.outcomes.promise("deploy starts it again, and the deployment is verified", within=_PATIENCE) as timed:
            timed.facts = count_checks(self._deployer("deploy", "--yes"))

    def update(self, machine: BootedMachine) -> None:
        """Install Debian's own security updates as Ubuntu's are, with its program, and restart in the window."""
        settings = json.loads(machine.run("cat", "/etc/sre-agent/machine.json"))
        system = machine.run("cat", "/usr/lib/os-release")
        machine.write("/usr/lib/os-release", f"ID=ubuntu\nVERSION_CODENAME={SUITE}\n")
        machine.write("/etc/apt/apt.conf.d/99proxy", f'Acquire::http::Proxy "http://127.0.0.1:{self.archive}";\n')
        machine.write("/etc/apt/sources.list", RELEASED + SECURITY)
        with self.outcomes.promise("security updates are installed and reported, and the restart waits", within=_PATIENCE) as timed:
            machine.run("systemctl", "start", "sre-agent-updates.service", longest=1200)
            report = self._read_report(machine, "updates")
            timed.facts = str(report.get("what"))[:70]
            require((report["state"], report["reboot"]) == ("ok", "waiting") and "packages updated" in report["what"], str(report))
            require(not machine.run("dpkg", "--audit"), "dpkg is not content")
        with self.outcomes.promise("in its window the machine restarts, and every service answers", within=_PATIENCE):
            now, before = datetime.now(UTC), machine.boot_id()
            window = f"{now - timedelta(minutes=5):%H:%M}-{now + timedelta(minutes=55):%H:%M}"
            machine.write("/etc/sre-agent/machine.json", json.dumps({**settings, "updates": {"reboot_window": window}}))
            machine.run("systemctl", "start", "--no-block", "sre-agent-updates.service")
            wait_until(lambda: _is_other_boot(machine, before), _PATIENCE, "it did not restart")
            self._wait_until_healthy()
        with self.outcomes.promise("after the restart nothing is left to update, and no restart waits", within=_PATIENCE):
            machine.run("systemctl", "start", "sre-agent-updates.service", longest=1200)
            report = self._read_report(machine, "updates")
            require((report["what"], report["reboot"]) == ("nothing to update", ""), str(report))
        machine.write("/etc/sre-agent/machine.json", json.dumps(settings))
        machine.write("/usr/lib/os-release", system)

    def break_release(self, machine: BootedMachine) -> None:
        """Update to a release whose services end at their start: the third step of its bootstrap fails."""
        source = self.desk.folder / "broken"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        (source / "sre_services" / "__main__.py").write_text(f'raise SystemExit("{_BROKEN_LINE}")\n')
        reports = _Reports(self.desk, machine.instance_id)
        with self.outcomes.promise("a third step that fails is reported with its output", within=60) as timed, reports:
            updated = self._deployer("deploy", "--yes", "--on-failure", "rollback", PYTHONPATH=str(source))
            require(updated.code == 1 and "INSTANCE-BOOT-FAILED" in updated.err and _BROKEN_LINE in updated.err, updated.text)
            timed.seconds = reports.seconds("services")
        with self.outcomes.promise("the machine before serves on, alone", within=60):
            self._wait_until_healthy()
            require(list(find_machines(self.desk)) == [machine.instance_id], "the machine that failed is still there")

    def refuse_reports(self, machine: BootedMachine) -> None:
        """Update while S3 refuses the new machine for its first 30 seconds."""
        reports = _Reports(self.desk, machine.instance_id)
        refusal = threading.Thread(target=self._refuse_s3, args=(machine,))
        refusal.start()
        with (
            self.outcomes.promise("a machine that S3 refuses for 30 s reports, and replaces the one before", within=_PATIENCE) as timed,
            reports,
        ):
            updated = self._deployer("deploy", "--yes", SRE_AGENT__DEPLOYMENT__VOLUME_GB="60")
            refusal.join()
            timed.facts = count_checks(updated)
            require("release" in reports.seen, "there was no report of the release")
        with self.outcomes.promise("after the update the machine before is gone", within=60):
            require(machine.instance_id not in find_machines(self.desk), "it still runs")

    def ipv6(self, _: BootedMachine) -> None:
        """Update to a machine in a VPC of the deployment's own, with IPv6: its nginx answers there, on the public ports alone."""
        settings = {"SRE_AGENT__AWS__NETWORK": "create", "SRE_AGENT__AWS__IPV6": "true"}
        with self.outcomes.promise("a machine with IPv6 replaces the one before, in a VPC of its own", within=_PATIENCE) as timed:
            timed.facts = count_checks(self._deployer("deploy", "--yes", **settings))
        with self.outcomes.promise("nginx listens on 443 and 80 of both families, and on the others over IPv4 alone", within=60) as timed:
            lines = self.machine().run("ss", "--no-header", "--listening", "--tcp", "--numeric").splitlines()
            found = sorted(line.split()[3] for line in lines if line.split()[3].startswith("["))
            timed.facts = ", ".join(found)
            require(found == ["[::]:443", "[::]:80"], "expected 443 and 80 alone")

    def order(self, _: BootedMachine) -> None:
        """Update to a machine that orders its certificate, and let the authority suggest a renewal."""
        root = self.desk.folder / "root.pem"
        root.write_text(self.authority.root)
        self.door.trust.load_verify_locations(root)
        settings = {**self.authority.settings(), "SRE_SSL_CA_PATH": str(root)}
        with self.outcomes.promise("a machine orders its certificate from an ACME authority", within=_PATIENCE) as timed:
            timed.facts = count_checks(self._deployer("deploy", "--yes", **settings))
        with self.outcomes.promise("a renewal that the authority suggests is served", within=60):
            before = self.door.fingerprint()
            self.authority.suggest_renewal()
            self.machine().run("systemctl", "start", "sre-agent-certificate-order.service")
            wait_until(lambda: self.door.fingerprint() not in ("", before), 300, "the former certificate is still served")

    def _refuse_s3(self, before: BootedMachine) -> None:
        """Forbid S3 to the instance's role from the first report of a new machine on, for 30 seconds."""
        iam = self.desk.client("iam")
        [role] = [each["RoleName"] for each in iam.list_roles()["Roles"] if each["RoleName"].endswith("instance")]
        wait_until(lambda: find_machines(self.desk).keys() - {before.instance_id}, _PATIENCE, "no machine was created")
        [new] = find_machines(self.desk).keys() - {before.instance_id}
        denied = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
        iam.put_role_policy(RoleName=role, PolicyName="refused", PolicyDocument=json.dumps(denied))
        report = find_machines(self.desk)[new].folder / "disk/root/opt/sre-agent/status.json"
        try:
            wait_until(report.exists, _PATIENCE, "the machine wrote no report")
            time.sleep(30)
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="refused")

    def _wait_until_healthy(self) -> None:
        for service, path in list_health_paths().items():
            wait_until(lambda: self.door.status(path) == 200, _PATIENCE, f"{service} does not answer {path}")  # noqa: B023  # used at once

    def _read_report(self, machine: BootedMachine, step: str) -> dict[str, Any]:
        s3 = self.desk.client("s3")
        [bucket] = [each["Name"] for each in s3.list_buckets()["Buckets"]]
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        [key] = [key for key in keys if key.endswith(f"/status/{machine.instance_id}/{step}.json")]
        return dict(json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))

    def _certificate_stored(self) -> float:
        secrets = self.desk.client("secretsmanager")
        [changed] = [each["LastChangedDate"] for each in secrets.list_secrets()["SecretList"] if each["Name"].endswith("/certificate")]
        return float(changed.timestamp())

    def _deployer(self, *words: str, **changed: str) -> Ended:
        return run_deployer(self.desk, *words, **{**self.settings, **changed})


def run_deployer(desk: Desk, *words: str, **settings: str) -> Ended:
    """Run the command line to its end, which a machine that boots on a busy computer makes late."""
    process = desk.started("sre_agent_deploy", *words, **settings)
    out, err = process.communicate(timeout=1200)
    return Ended(process.returncode, out, err)


def count_checks(ended: Ended) -> str:
    """Say how many checks of a command that has succeeded have passed."""
    require(ended.code == 0, ended.text)
    return f"{len(_CHECK.findall(ended.text))} checks pass"


def _is_other_boot(machine: BootedMachine, before: str) -> bool:
    try:
        return machine.boot_id() != before
    except (OSError, subprocess.CalledProcessError):
        return False


class _Watch:
    """Looks until something is true, beside what the block does; `at` is the time when it was."""

    def __init__(self, true: Callable[[], object]) -> None:
        self.at = 0.0
        self._true, self._ending = true, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._ending.wait(0.2):
            if self._true():
                self.at = time.time()
                return

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()


class _Reports(_Watch):
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
