"""Units are hardened, exact, and accepted by systemd."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.systemd import (
    CERTIFICATE_FOLLOW,
    CERTIFICATE_ORDER,
    CERTIFICATE_WATCH,
    UPDATES,
    render_backup_units,
    render_certificate_units,
    render_order_units,
    render_restart,
    render_unit,
    render_update_units,
    unit_name,
)
from sre_core.machine import Machine, MachineService

LAYOUT = Layout(Path("/opt/sre-agent/releases/abc"))
UNITS = Path(__file__).with_name("units.txt")


@pytest.fixture
def kubernetes(machine: Machine) -> MachineService:
    return machine.services[0]


def test_what_a_unit_says(kubernetes: MachineService) -> None:
    """It runs the command on its socket, hands it its own credentials, and starts it again when it fails."""
    text = render_unit(kubernetes, LAYOUT, "us-east-1")
    python = "/opt/sre-agent/venvs/abc/bin/python"
    assert f'ExecStart="{python}" "-m" "sre_services" "kubernetes" "--socket" "/run/sre-agent/kubernetes/http.sock"' in text
    assert "BindReadOnlyPaths=/etc/sre-agent/credentials/kubernetes" in text
    assert "Restart=always" in text
    assert 'Environment="SRE_RECORDING=crash-loop"' in text


def test_the_whole_unit(kubernetes: MachineService) -> None:
    """Written by hand: a service is no root, sees no other service, and can neither write nor load code."""
    assert render_unit(kubernetes, LAYOUT, "us-east-1") == UNIT


def test_the_whole_units_of_certificates_and_updates() -> None:
    """They are as they were reviewed: the order runs without root, what reloads nginx has four capabilities, updates what packages need."""
    layout, place = Layout(Path("/opt/sre-agent/releases/1")), ("eu-west-1", "/etc/sre-agent/machine.json")
    units = {
        **render_certificate_units(layout, *place),
        **render_order_units(layout, *place, "i-1"),
        **render_update_units(layout, *place, "i-1", None),
        **render_backup_units(layout, *place, "i-1", "02:30"),
    }
    assert "\n".join(f"## {name}\n{text}" for name, text in units.items()) == UNITS.read_text(encoding="utf-8")


def test_who_gets_the_credentials_of_the_role(kubernetes: MachineService) -> None:
    """The metadata service is closed to a service that does not call AWS, and open to one that does."""
    deny = "IPAddressDeny=169.254.169.254 fd00:ec2::254"
    for uses_role in (True, False):
        text = render_unit(dataclasses.replace(kubernetes, uses_role=uses_role), LAYOUT, "us-east-1")
        assert (deny in text.splitlines()) is not uses_role


def test_who_keeps_files(kubernetes: MachineService) -> None:
    """Only a service that keeps state has a folder on the disk, which no other user may enter."""
    for keeps_state in (True, False):
        text = render_unit(dataclasses.replace(kubernetes, keeps_state=keeps_state), LAYOUT, "us-east-1")
        own = [line for line in text.splitlines() if line.startswith("StateDirectory")]
        assert own == (["StateDirectory=sre-agent/kubernetes", "StateDirectoryMode=0700"] if keeps_state else [])


UNIT = """\
[Unit]
Description=sre-agent kubernetes
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
TimeoutStartSec=600
User=sre-agent
Group=sre-agent
ExecStart="/opt/sre-agent/venvs/abc/bin/python" "-m" "sre_services" "kubernetes" "--socket" "/run/sre-agent/kubernetes/http.sock"
Environment="PYTHONPATH=/opt/sre-agent/releases/abc"
Environment="AWS_REGION=us-east-1"
Environment="SRE_RECORDING=crash-loop"
TemporaryFileSystem=/etc/sre-agent:ro
BindReadOnlyPaths=/etc/sre-agent/credentials/kubernetes
Environment=CREDENTIALS_DIRECTORY=/etc/sre-agent/credentials/kubernetes
RuntimeDirectory=sre-agent/kubernetes
RuntimeDirectoryMode=0750
LogsDirectory=sre-agent/kubernetes
LogsDirectoryMode=0750
Restart=always
RestartSec=2
TimeoutStopSec=10
WatchdogSec=60
IPAddressDeny=169.254.169.254 fd00:ec2::254
MemoryMax=25%
TasksMax=512
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0007

[Install]
WantedBy=multi-user.target
"""


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize(("name", "most"), [(unit_name("kubernetes"), 3), (CERTIFICATE_FOLLOW, 3), (CERTIFICATE_WATCH, 3), (UPDATES, 7.5)])
def test_the_exposure_of_a_unit(kubernetes: MachineService, tmp_path: Path, name: str, most: float) -> None:
    """systemd's own judgement of what a unit could do if it were taken over, from 0 to 10; what installs packages can do more."""
    texts = {unit_name("kubernetes"): render_unit(kubernetes, LAYOUT, "us-east-1")}
    texts |= render_certificate_units(LAYOUT, "us-east-1", "/etc/sre-agent/machine.json")
    texts |= render_update_units(LAYOUT, "us-east-1", "/etc/sre-agent/machine.json", "i-1", None)
    (tmp_path / name).write_text(texts[name])
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(tmp_path / name)]
    judged = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", judged)
    assert exposure, judged
    assert float(exposure[1]) <= most, judged


def test_the_front_door_that_ends() -> None:
    """It starts again after a second, however often it ends; the units of nginx say nothing of that."""
    assert render_restart() == "[Unit]\nStartLimitIntervalSec=0\n\n[Service]\nRestart=always\nRestartSec=1\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("50%", "50%%"),
        ('say "hi"', r"say \"hi\""),
        ("back\\slash", r"back\\slash"),
        ("a\nExecStart=/bin/evil", r"a\nExecStart=/bin/evil"),
        ("$HOME", "$HOME"),
    ],
)
def test_values_with_a_meaning_to_systemd(kubernetes: MachineService, value: str, written: str) -> None:
    """A value arrives as it is, and can't add a line to the unit."""
    text = render_unit(dataclasses.replace(kubernetes, environment={"SRE_RECORDING": value}), LAYOUT, "us-east-1")
    assert f'Environment="SRE_RECORDING={written}"' in text.splitlines()


@pytest.fixture
def units(machine: Machine, tmp_path: Path) -> list[Path]:
    """Every unit of a machine, with a program that exists here."""
    files = []
    for service in machine.services:
        file = tmp_path / unit_name(service.name)
        file.write_text(re.sub(r'ExecStart="[^"]+"', 'ExecStart="/bin/true"', render_unit(service, LAYOUT, machine.region)))
        files.append(file)
    return files


@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_every_line(units: list[Path]) -> None:
    """systemd-analyze finds nothing to warn of."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, units)], capture_output=True, text=True, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "sre-agent" in line]
    assert about_ours == []


@pytest.mark.needs("systemd-analyze")
def test_how_exposed_a_service_is(units: list[Path]) -> None:
    """systemd's own rating is at most 2.0 of 10: what remains is the network, which a service is for."""
    for file in units:
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.needs("systemd-analyze")
def test_the_units_of_the_certificate(tmp_path: Path) -> None:
    """systemd understands them, and rates them at most 3.0: they are root, because they write nginx's key and reload it."""
    layout = dataclasses.replace(LAYOUT, root=tmp_path)
    layout.python.parent.mkdir(parents=True)
    layout.python.symlink_to("/bin/true")
    files = []
    for name, text in render_certificate_units(layout, "us-east-1", "/etc/sre-agent/machine.json").items():
        files.append(tmp_path / name)
        files[-1].write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, files)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "sre-agent" in line] == []
    for file in files[:2]:
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=30", str(file)]
        rated = subprocess.run(command, capture_output=True, text=True, check=False)
        assert rated.returncode == 0, rated.stdout


@pytest.mark.needs("systemd-analyze")
def test_what_orders_the_certificate(tmp_path: Path) -> None:
    """It is no root and sees only its description, systemd understands it, and rates it at most 2.0, as a service."""
    layout = dataclasses.replace(LAYOUT, root=tmp_path)
    layout.python.parent.mkdir(parents=True)
    layout.python.symlink_to("/bin/true")
    units = render_order_units(layout, "us-east-1", "/etc/sre-agent/machine.json", "i-1")
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    service = units[CERTIFICATE_ORDER].splitlines()
    assert {"User=sre-agent", "LoadCredential=machine.json:/etc/sre-agent/machine.json", "RuntimeDirectory=sre-agent/acme"} <= set(service)
    assert next(line for line in service if line.startswith("ExecStart=")).endswith('"machine.json" "/opt/sre-agent/releases/abc" "i-1"')
    files = [str(tmp_path / name) for name in units]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "sre-agent" in line] == []
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", files[0]], capture_output=True, text=True, check=False
    )
    assert rated.returncode == 0, rated.stdout
