"""Install security updates once a day, report what was updated, and restart the machine for it in its window.

Amazon Linux 2023 is locked to the release of its image, where no update ever comes: the newest release is named for that.
https://docs.aws.amazon.com/linux/al2023/ug/deterministic-upgrades-usage.html
Ubuntu's unattended-upgrades chooses security updates by itself: https://documentation.ubuntu.com/server/how-to/software/automatic-updates/
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.aws import MachineAws
from sre_agent_deploy.instance.software import upgrade_commands
from sre_agent_deploy.instance.steps import BootReport, StepFailed, run
from sre_agent_deploy.instance.systemd import UPDATES_TIMER, render_update_units
from sre_core import clock, log
from sre_core.machine import MACHINE_FILE, Machine
from sre_core.reboot_window import RebootWindow

REPORT = "updates"
_UNITS = Path("/etc/systemd/system")
_OS_RELEASE = Path("/etc/os-release")
# A restart empties /run, and with it what waits for one.
_WAITING = Path("/run/sre-agent-updated")
_LONGEST = 3000.0


@dataclass(frozen=True)
class System:
    """The commands of an operating system that install security updates and list its packages, one a line."""

    install: tuple[tuple[str, ...], ...]
    packages: tuple[str, ...]
    others: tuple[str, ...] = ()
    """The system's own timers that would install at other times."""


_APT = ("apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=300")
SYSTEMS = {
    "amzn": System(
        (("dnf", "--quiet", "--assumeyes", "--refresh", "--releasever=latest", "upgrade", "--security"),),
        ("rpm", "--query", "--all"),
    ),
    "ubuntu": System(
        ((*_APT, "update"), ("unattended-upgrade",)),
        ("dpkg-query", "--show"),
        ("apt-daily-upgrade.timer",),
    ),
}


def find_system(os_release: str) -> System:
    """Choose the system by the text of /etc/os-release (pure). Raises StepFailed for one without a way to install."""
    lines = (line.partition("=") for line in os_release.splitlines())
    name = {key: value.strip('"') for key, _, value in lines}.get("ID", "")
    if name not in SYSTEMS:
        raise StepFailed(f"Nothing is known of updates of {name or 'an unknown system'}.")
    return SYSTEMS[name]


def keep_updated(machine: Machine, layout: Layout) -> None:
    """Start the timer that installs updates. Where the configuration wants none, the system's own settings stay as they are."""
    if machine.updates is None:
        return
    window, instance_id = RebootWindow.parse(machine.updates.reboot_window), machine.status_uri.rstrip("/").rpartition("/")[2]
    for name, unit in render_update_units(layout, machine.region, MACHINE_FILE, instance_id, window).items():
        (_UNITS / name).write_text(unit, encoding="utf-8")
    for timer in find_system(_OS_RELEASE.read_text(encoding="utf-8")).others:
        run("systemctl", "disable", "--now", timer)
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", UPDATES_TIMER)


def install(system: System, window: RebootWindow | None, now: Callable[[], datetime], waiting: Path = _WAITING) -> dict[str, object]:
    """Install security updates; return the facts of the report. `reboot` is `now`, `waiting`, or empty where none is needed."""
    before = _list_packages(system)
    for command in (*system.install, *upgrade_commands()):
        run(*command, longest=_LONGEST)
    updated = sorted(_list_packages(system) - before)
    if updated:
        waiting.touch()
    reboot = ("now" if window and window.includes(now()) else "waiting") if waiting.exists() else ""
    facts: dict[str, object] = {"what": _describe(updated), "reboot": reboot}
    return facts | ({"next_window": clock.stamp(window.next_begin(now()))} if window else {})


def _list_packages(system: System) -> set[str]:
    return set(run(*system.packages).splitlines())


def _describe(updated: list[str]) -> str:
    names = ", ".join(name.replace("\t", " ") for name in updated[:20])
    return f"{len(updated)} packages updated: {names}{', ...' if len(updated) > 20 else ''}" if updated else "nothing to update"


def main(machine_file: str, instance_id: str, os_release: Path = _OS_RELEASE) -> int:
    """Install once and restart if that is due; 1 if it failed, which the report says too."""
    machine = Machine.parse(Path(machine_file).read_text(encoding="utf-8"))
    window = RebootWindow.parse(machine.updates.reboot_window) if machine.updates else None
    report = BootReport(MachineAws(machine.region), f"{machine.status_uri}{instance_id}/")
    try:
        with report.step(REPORT) as facts:
            facts.update(install(find_system(os_release.read_text(encoding="utf-8")), window, clock.now))
    except StepFailed as failed:
        log.get().error("updates.not_installed", because=failed.what, output=failed.output)
        return 1
    if facts["reboot"] == "now":
        log.get().warning("updates.reboot")
        run("systemctl", "reboot")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
