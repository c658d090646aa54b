"""Security updates: what is installed and reported, and when a machine restarts for it."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.steps import StepFailed
from sre_agent_deploy.instance.systemd import UPDATES_TIMER, render_update_units
from sre_agent_deploy.instance.updates import REPORT, SYSTEMS, System, find_system, install, main
from sre_agent_deploy.resources.ec2_boot import Status
from sre_core.machine import Machine, Updates
from sre_core.reboot_window import RebootWindow

SUNDAY = datetime(2026, 11, 29, 3, 30, tzinfo=UTC)
WINDOW = RebootWindow("Sun", timedelta(hours=3), timedelta(hours=1))


@pytest.mark.parametrize(
    ("text", "moment", "inside", "next_begin"),
    [
        ("Sun 03:00-04:00", SUNDAY, True, SUNDAY.replace(day=6, month=12, minute=0)),
        ("Sun 03:00-04:00", SUNDAY.replace(hour=4, minute=0), False, SUNDAY.replace(day=6, month=12, minute=0)),
        ("Sun 03:00-04:00", SUNDAY.replace(hour=2), False, SUNDAY.replace(minute=0)),
        ("Sun 03:00-04:00", SUNDAY.replace(day=28), False, SUNDAY.replace(minute=0)),
        ("03:00-04:00", SUNDAY.replace(day=28), True, SUNDAY.replace(minute=0)),
        ("Sat 23:30-04:00", SUNDAY, True, SUNDAY.replace(day=5, month=12, hour=23)),
    ],
)
def test_a_window(text: str, moment: datetime, inside: bool, next_begin: datetime) -> None:
    """It includes its begin and not its end, and one that ends after midnight is of the day on which it began."""
    window = RebootWindow.parse(text)
    assert window
    assert (window.includes(moment), window.next_begin(moment)) == (inside, next_begin)


@pytest.mark.parametrize("text", ["", "Sun", "sun 03:00-04:00", "Sun 3:00-4:00", "Sun 24:00-25:00", "Sun 03:00-03:29", "Sun 03:00-03:00"])
def test_what_is_no_window(text: str) -> None:
    """Another form, and a window that is too short to install in."""
    assert RebootWindow.parse(text) is None


@pytest.mark.parametrize(
    ("updated", "window", "moment", "reboot"),
    [
        (True, WINDOW, SUNDAY, "now"),
        (True, WINDOW, SUNDAY + timedelta(hours=1), "waiting"),
        (True, None, SUNDAY, "waiting"),
        (False, WINDOW, SUNDAY, ""),
    ],
)
def test_what_is_installed(tmp_path: Path, updated: bool, window: RebootWindow | None, moment: datetime, reboot: str) -> None:
    """The report names what was updated. A restart waits for its window, and the next look knows that it still does."""
    packages = tmp_path / "packages"
    packages.write_text("nginx-1.0\nopenssl-3.0.1\n")
    change = ("sed", "-i", "s/3.0.1/3.0.2/", str(packages)) if updated else ("true",)
    system = System((("true",), change), ("cat", str(packages)))
    facts = install(system, window, lambda: moment, tmp_path / "waiting")
    assert (facts["what"], facts["reboot"]) == ("1 packages updated: openssl-3.0.2" if updated else "nothing to update", reboot)
    assert ("next_window" in facts) == (window is not None)
    again = install(dataclasses.replace(system, install=()), WINDOW, lambda: SUNDAY, tmp_path / "waiting")
    assert (again["what"], again["reboot"]) == ("nothing to update", "now" if updated else "")


def test_an_installation_that_fails(tmp_path: Path) -> None:
    """It is no success, and nothing restarts."""
    with pytest.raises(StepFailed):
        install(System((("false",),), ("true",)), WINDOW, lambda: SUNDAY, tmp_path / "waiting")
    assert not (tmp_path / "waiting").exists()


def test_the_report_of_a_failure(client: Callable[[str], Any], machine: Machine, tmp_path: Path) -> None:
    """The deployer reads in S3 what failed, as it does of a step of the boot."""
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    files = {"machine.json": dataclasses.replace(machine, updates=Updates("03:00-04:00")).text(), "os-release": "ID=plan9\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert main(str(tmp_path / "machine.json"), "i-1", tmp_path / "os-release") == 1
    key = f"{machine.status_uri.removeprefix('s3://bucket/')}i-1/{REPORT}.json"
    status = Status.parse(REPORT, s3.get_object(Bucket="bucket", Key=key)["Body"].read().decode())
    assert (status.state, status.what) == ("failed", "Nothing is known of updates of plan9.")


def test_the_systems() -> None:
    """Amazon Linux finds updates in the newest release, and installs those for security; Ubuntu has a program for that, and a timer."""
    assert {"--releasever=latest", "upgrade", "--security"} <= set(SYSTEMS["amzn"].install[0])
    assert find_system('NAME="Ubuntu"\nID=ubuntu\n').others == ("apt-daily-upgrade.timer",)
    assert find_system('ID="amzn"\n') == SYSTEMS["amzn"]
    with pytest.raises(StepFailed):
        find_system("ID=plan9\n")


def test_what_the_machine_reads(machine: Machine) -> None:
    """machine.json says the window, or nothing where people install updates."""
    updated = dataclasses.replace(machine, updates=Updates("03:00-04:00"))
    assert Machine.parse(updated.text()) == updated
    assert "updates" not in machine.to_json()


@pytest.mark.needs("systemd-analyze")
def test_the_units(tmp_path: Path) -> None:
    """systemd understands them; the timer is at the begin of the window, in UTC."""
    layout = Layout(Path("/opt/sre-agent/releases/abc"), root=tmp_path)
    layout.python.parent.mkdir(parents=True)
    layout.python.symlink_to("/bin/true")
    units = render_update_units(layout, "us-east-1", "/etc/sre-agent/machine.json", "i-1", WINDOW)
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    assert "OnCalendar=*-*-* 03:00:00 UTC" in units[UPDATES_TIMER].splitlines()
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in units)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "sre-agent" in line] == []
