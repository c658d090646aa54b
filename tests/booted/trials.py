"""Faults that a machine must survive after its boot, in the order in which they are tried. Each trial prints one line with its time."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta

from behaviours import certificates
from booted.content import Content
from booted.deployed import PATIENCE, Deployed, count_checks
from booted.image import RELEASED, SECURITY, SUITE
from booted.machine import BootedMachine, list_health_paths
from booted.outcomes import Watch, require, wait_until
from sre_agent_deploy.instance import LOGS
from sre_agent_deploy.instance.systemd import BACKUP_TIMER
from sre_core import metrics

_MOST_EXPOSED = 3.0
_MOST_COMPUTED = 30.0
# What questions used is shipped where there is monitoring; sessions end with the machine, unless they are kept in DynamoDB.
_MAY_END = frozenset({f"/var/log/{LOGS}/assistant/{metrics.USAGE_FILE}", "/var/lib/sre-agent/assistant/sessions.sqlite3"})
# With these cloud-init finds out if a name server makes up answers, and if there is a metadata service by name.
_OF_CLOUD_INIT = frozenset({"__cloud_init_expected_not_found__", "does-not-exist.example.com", "example.invalid", "instance-data"})
BACKUPS_AT = "02:30"
_ASK_FOR_NEXT = ("systemctl", "show", "--property=NextElapseUSecRealtime", "--value", BACKUP_TIMER)


def boot(deployment: Deployed, machine: BootedMachine) -> None:
    """Measure the first boot: what it computed is less than the 30 s of its promise, so that two idle cores keep that."""
    with deployment.outcomes.promise("the bootstrap ends", within=PATIENCE) as timed:
        timed.seconds = machine.bootstrap_seconds()
        used = machine.cpu_seconds("cloud-final.service", "nginx.service", *machine.list_units())
        timed.facts = f"{used:.0f} s of the processors, with what the services and their verification took"
        require(used <= _MOST_COMPUTED or not deployment.outcomes.judges_times, f"more than {_MOST_COMPUTED:.0f} s")


def software(deployment: Deployed, machine: BootedMachine) -> None:
    """Read what the machine said of Docker and Compose, and for what it looked outside of AWS: it reaches nothing but AWS."""
    with deployment.outcomes.promise("what is absent of Docker and Compose is reported, and the machine serves", within=PATIENCE) as timed:
        state = ("systemctl", "show", "--property=ActiveState", "--value", "cloud-final.service")
        wait_until(lambda: machine.run(*state).strip() == "active", PATIENCE, "the boot does not end")
        report = deployment.read_report(machine, "software")
        timed.facts = report["what"]
        require(report["state"] == "failed" and "Docker is installed, Compose is not" in report["what"], str(report))
    with deployment.outcomes.promise("a boot asks for no name of the internet but that of Compose's packages", within=30) as timed:
        timed.facts = ", ".join(sorted(machine.list_names())) or "none"
        require(machine.list_names() <= {"download.docker.com", *_OF_CLOUD_INIT}, timed.facts)


def harden(deployment: Deployed, machine: BootedMachine) -> None:
    """Look from inside at what a service that was taken over could do."""
    for unit in machine.list_units():
        with deployment.outcomes.promise(f"systemd rates {unit}", within=30) as timed:
            timed.facts = str(exposure := machine.read_exposure(unit))
            require(exposure <= _MOST_EXPOSED, f"more than {_MOST_EXPOSED}")
    with deployment.outcomes.promise("only what calls AWS reaches the metadata service", within=60) as timed:
        reaching = {unit for unit in machine.list_units() if machine.reaches_metadata(unit)}
        timed.facts = ", ".join(sorted(reaching))
        require(
            reaching == {"sre-agent-assistant.service", "sre-agent-certificate.service"}, "expected the assistant and the certificate's"
        )
    with deployment.outcomes.promise("only the services' group can connect to their sockets", within=30):
        sockets = {f"/run/sre-agent/{name}/http.sock" for name in list_health_paths()}
        modes = machine.run("stat", "--format=%A %U %G", *sorted(sockets)).splitlines()
        require(set(modes) == {"srw-rw---- sre-agent sre-agent"}, str(modes))
    with deployment.outcomes.promise("the services keep nothing on the machine that an update would lose", within=60) as timed:
        kept = machine.run("find", "/", "-xdev", "-user", "sre-agent", "-type", "f").split()
        timed.facts = f"{len(kept)} files of theirs: credentials, what questions used, and sessions"
        lost = [file for file in kept if not file.startswith("/etc/sre-agent/credentials/") and file not in _MAY_END]
        require(not lost, f"found {lost[:5]}")
    with deployment.outcomes.promise("a service that hangs is started again by its watchdog", within=120):
        before = machine.main_pid("sre-agent-logs.service")
        machine.run("kill", "-STOP", str(before))
        wait_until(lambda: machine.main_pid("sre-agent-logs.service") not in (0, before), 180, "it still hangs")
        wait_until(lambda: deployment.door.status("/api/logs/health") == 200, 60, "it does not answer")


def reboot(deployment: Deployed, machine: BootedMachine) -> None:
    """Reboot the machine from inside."""
    with deployment.outcomes.promise("after a reboot every service answers through the front door", within=120):
        before = machine.boot_id()
        machine.run("systemctl", "--no-block", "reboot")
        wait_until(lambda: _is_other_boot(machine, before), PATIENCE, "the machine did not boot again")
        deployment.wait_until_healthy()
    with deployment.outcomes.promise("after the reboot the deployment is verified", within=PATIENCE) as timed:
        timed.facts = count_checks(deployment.deploy_command("verify"))


def kill(deployment: Deployed, machine: BootedMachine) -> None:
    """Kill nginx and each service with SIGKILL. Counted is what systemd waits and what the start computes, on a busy computer too."""
    for name, path in {"nginx": "/ping", **list_health_paths()}.items():
        unit = "nginx.service" if name == "nginx" else f"sre-agent-{name}.service"
        with deployment.outcomes.promise(f"after kill -9 {unit} answers again", within=10) as timed:
            before, began = machine.main_pid(unit), time.monotonic()
            machine.run("kill", "-9", str(before))
            wait_until(lambda: machine.main_pid(unit) not in (0, before), 60, "it was not started again")  # noqa: B023  # used at once
            waited = time.monotonic() - began
            wait_until(lambda: deployment.door.status(path) == 200, PATIENCE, f"{path} does not answer")  # noqa: B023  # used at once
            timed.seconds = waited + machine.cpu_seconds(unit)
            timed.facts = f"here {time.monotonic() - began:.1f} s"


def rotate_logs(deployment: Deployed, machine: BootedMachine) -> None:
    """Rotate nginx's files at once, and find the next request in the new one."""
    with deployment.outcomes.promise("nginx writes on after its logs were rotated, and the journal is limited", within=30) as timed:
        machine.run("logrotate", "--force", "/etc/logrotate.d/nginx")
        wait_until(lambda: deployment.door.status("/ping") == 200, 60, "it does not answer")
        wait_until(lambda: "/ping" in machine.run("cat", "/var/log/nginx/access.log"), 10, "the new file has no line")
        require("/ping" in machine.run("cat", "/var/log/nginx/access.log.1"), "the old file is lost")
        timed.facts = machine.run("journalctl", "--no-pager", "--unit=systemd-journald", "--grep=max ").splitlines()[-1].partition("(")[2]
        require("max 1.0G" in timed.facts, "expected max 1.0G")


def renew(deployment: Deployed, _: BootedMachine) -> None:
    """Deploy another certificate."""
    before = deployment.door.fingerprint()
    certificates.written(deployment.desk.folder, deployment.domain)
    deployment.door.trust.load_verify_locations(deployment.desk.folder / "ca.pem")
    served = Watch(lambda: deployment.door.fingerprint() not in ("", before))
    with deployment.outcomes.promise("a renewed certificate is served after it was stored", within=60) as timed, served:
        deployed = deployment.deploy_command("deploy", "--yes")
        require(deployed.code == 0, deployed.text)
        require(served.at, "it is not served")
        timed.seconds = served.at - _certificate_stored(deployment)


def back_up(deployment: Deployed, machine: BootedMachine) -> None:
    """Let the time of the machine's own backup come, lose what is in it, and restore it."""
    with deployment.outcomes.promise(f"the next backup is planned for {BACKUPS_AT} UTC, at most five minutes later", within=30) as timed:
        timed.facts = machine.run(*_ASK_FOR_NEXT).strip()
        first, _, last = (f"{BACKUPS_AT[:4]}{minute}" for minute in (BACKUPS_AT[4], "", int(BACKUPS_AT[4]) + 5))
        require(first <= timed.facts.split()[2][:5] <= last, "another time")
    content, before = Content(deployment.desk), machine.run("date", "+%s")
    content.create()
    with deployment.outcomes.promise("its timer makes one with the machine's own role", within=180) as timed:
        machine.change_unit(BACKUP_TIMER, _at_the_next_minute())
        wait_until(lambda: _backed_up_since(deployment, machine, int(before)), 600, "no backup is reported")
        report = deployment.read_report(machine, "backup")
        timed.facts = f"{report['what'].split(' in ')[0]}, {content.size_of(report['uri'])} bytes"
    with deployment.outcomes.promise("a user and a document that are lost are restored from it", within=PATIENCE) as timed:
        content.delete()
        timed.facts = count_checks(deployment.deploy_command("restore", report["uri"], "--data", "--yes"))
        require(content.is_there(), "they are not there")
    content.delete()


def stop(deployment: Deployed, machine: BootedMachine) -> None:
    """Stop the instance as an owner may by hand."""
    ec2 = deployment.desk.client("ec2")
    ec2.stop_instances(InstanceIds=[machine.instance_id])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[machine.instance_id])
    with deployment.outcomes.promise("plan shows that the instance was stopped", within=120) as timed:
        planned = deployment.deploy_command("plan")
        line = next((line.strip() for line in planned.text.splitlines() if "stopped" in line), "")
        require(planned.code == 2 and line, planned.text)
        timed.facts = line
    with deployment.outcomes.promise("deploy starts it again, and the deployment is verified", within=PATIENCE) as timed:
        timed.facts = count_checks(deployment.deploy_command("deploy", "--yes"))


def update(deployment: Deployed, machine: BootedMachine) -> None:
    """Install Debian's own security updates as Ubuntu's are, with its program, and restart in the window."""
    settings = json.loads(machine.run("cat", "/etc/sre-agent/machine.json"))
    system = machine.run("cat", "/usr/lib/os-release")
    machine.write("/usr/lib/os-release", f"ID=ubuntu\nVERSION_CODENAME={SUITE}\n")
    machine.write("/etc/apt/apt.conf.d/99proxy", f'Acquire::http::Proxy "http://127.0.0.1:{deployment.archive}";\n')
    machine.write("/etc/apt/sources.list", RELEASED + SECURITY)
    with deployment.outcomes.promise("security updates are installed and reported, and the restart waits", within=PATIENCE) as timed:
        machine.run("systemctl", "start", "sre-agent-updates.service", longest=1200)
        report = deployment.read_report(machine, "updates")
        timed.facts = str(report.get("what"))[:70]
        require((report["state"], report["reboot"]) == ("ok", "waiting") and "packages updated" in report["what"], str(report))
        require(not machine.run("dpkg", "--audit"), "dpkg is not content")
    with deployment.outcomes.promise("in its window the machine restarts, and every service answers", within=PATIENCE):
        now, before = datetime.now(UTC), machine.boot_id()
        window = f"{now - timedelta(minutes=5):%H:%M}-{now + timedelta(minutes=55):%H:%M}"
        machine.write("/etc/sre-agent/machine.json", json.dumps({**settings, "updates": {"reboot_window": window}}))
        machine.run("systemctl", "start", "--no-block", "sre-agent-updates.service")
        wait_until(lambda: _is_other_boot(machine, before), PATIENCE, "it did not restart")
        deployment.wait_until_healthy()
    with deployment.outcomes.promise("after the restart nothing is left to update, and no restart waits", within=PATIENCE):
        machine.run("systemctl", "start", "sre-agent-updates.service", longest=1200)
        report = deployment.read_report(machine, "updates")
        require((report["what"], report["reboot"]) == ("nothing to update", ""), str(report))
    machine.write("/etc/sre-agent/machine.json", json.dumps(settings))
    machine.write("/usr/lib/os-release", system)


TRIALS = (boot, software, harden, reboot, kill, rotate_logs, renew, back_up, stop, update)


def _certificate_stored(deployment: Deployed) -> float:
    secrets = deployment.desk.client("secretsmanager")
    [changed] = [each["LastChangedDate"] for each in secrets.list_secrets()["SecretList"] if each["Name"].endswith("/certificate")]
    return float(changed.timestamp())


def _backed_up_since(deployment: Deployed, machine: BootedMachine, second: int) -> bool:
    try:
        report = deployment.read_report(machine, "backup")
    except ValueError:
        return False
    require(report["state"] != "failed", str(report))
    return report["state"] == "ok" and datetime.fromisoformat(report["time"]).timestamp() >= second


def _at_the_next_minute() -> str:
    """Render a timer's schedule for the next minute, in the form of the machine's own schedule."""
    soon = datetime.now(UTC) + timedelta(seconds=65)
    return f"[Timer]\nOnCalendar=\nOnCalendar=*-*-* {soon:%H:%M}:00 UTC\nRandomizedDelaySec=0\n"


def _is_other_boot(machine: BootedMachine, before: str) -> bool:
    try:
        return machine.boot_id() != before
    except (OSError, subprocess.CalledProcessError):
        return False
