"""Logs have a limit on the disk, in the files that are written."""

from __future__ import annotations

import os
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from sre_agent_deploy.instance.logs import limit_logs
from sre_agent_deploy.instance.nginx import NginxPaths

JOURNALD = Path("/etc/systemd/journald.conf")
LIMIT = 5_000


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the machine's settings for its logs into a folder; a stand-in for systemctl records its arguments."""
    programs, etc = tmp_path / "bin", tmp_path / "etc"
    programs.mkdir()
    (programs / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n', encoding="utf-8")
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    limit_logs("www-data", etc)
    return etc


def megabytes(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)([MG])", text).groups()  # type: ignore[union-attr]  # another form fails here
    return int(number) * {"M": 1, "G": 1000}[unit]


def test_the_files_of_nginx(etc: Path) -> None:
    """Each that nginx writes is rotated before it fills the disk, and nginx is asked to open the new one."""
    pattern, rule = (etc / "logrotate.d" / "nginx").read_text(encoding="utf-8").split(" {", 1)
    settings = {words[0]: words[1:] for line in rule.splitlines() if (words := line.split())}
    logs = [f"{NginxPaths().logs}/{name}.log" for name in ("access", "error", "security")]
    assert [log for log in logs if not fnmatch(log, pattern)] == []
    assert len(logs) * megabytes(settings["maxsize"][0]) * (int(settings["rotate"][0]) + 1) < LIMIT
    assert settings["create"] == ["0640", "www-data", "adm"]
    assert rule.index("postrotate") < rule.index("--signal=USR1 --kill-who=main nginx.service") < rule.index("endscript")


def test_the_journal(etc: Path) -> None:
    """It is kept over a restart, within a limit. journald passes over a name that it does not know, so each is one of its own."""
    text = (etc / "systemd" / "journald.conf.d" / "sre-agent.conf").read_text(encoding="utf-8")
    assert text.startswith("[Journal]\n")
    settings = dict(line.split("=", 1) for line in text.splitlines()[1:])
    assert settings["Storage"] == "persistent"
    assert megabytes(settings["SystemMaxUse"]) < LIMIT
    if JOURNALD.is_file():
        assert set(settings) <= set(re.findall(r"^#?(\w+)=", JOURNALD.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.needs("systemd-analyze")
def test_the_timer(etc: Path) -> None:
    """systemd reads the drop-in with the distribution's timer: rotation is looked for every hour, and no more once a day."""
    units = etc / "systemd" / "system"
    (units / "logrotate.timer").write_text("[Timer]\nOnCalendar=daily\n", encoding="utf-8")
    (units / "logrotate.service").write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    verify = ["systemd-analyze", "verify", "--man=no", str(units / "logrotate.timer")]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    shown = (units / "logrotate.timer.d" / "sre-agent.conf").read_text(encoding="utf-8").splitlines()
    assert shown == ["[Timer]", "OnCalendar=", "OnCalendar=hourly"]


def test_what_is_put_into_force(etc: Path) -> None:
    """journald reads its limit again, and the timer runs."""
    asked = (etc.parent / "asked").read_text(encoding="utf-8").splitlines()
    assert asked == ["restart systemd-journald", "daemon-reload", "enable --now logrotate.timer"]
