"""Limit what logs may take of the disk: of the journal, where the services log, and of nginx's files."""

from __future__ import annotations

from pathlib import Path

from sre_agent_deploy.instance.commands import run
from sre_agent_deploy.instance.layout import LOGS, USER

_JOURNAL = "systemd/journald.conf.d/sre-agent.conf"
_NGINX = "logrotate.d/nginx"
_SERVICES = "logrotate.d/sre-agent"
_TIMER = "systemd/system/logrotate.timer.d/sre-agent.conf"

# Kept on the disk, so that a machine that was started again can say why it had ended.
JOURNAL = """\
[Journal]
Storage=persistent
SystemMaxUse=1G
SystemKeepFree=2G
MaxRetentionSec=30day
"""
# Written to by the services themselves, which open their file for each line.
SERVICES = f"""\
/var/log/{LOGS}/*/*.log {{
    su {USER} {USER}
    daily
    maxsize 100M
    rotate 7
    missingok
    notifempty
    compress
    delaycompress
    nocreate
}}
"""
# A flood of requests fills a disk in less than the day after which logrotate looks by itself.
HOURLY = """\
[Timer]
OnCalendar=
OnCalendar=hourly
"""


def limit_logs(user: str, etc: Path = Path("/etc")) -> None:
    """Configure journald and logrotate. nginx's files are `user`'s."""
    for name, text in {_JOURNAL: JOURNAL, _NGINX: render_rotation(user), _SERVICES: SERVICES, _TIMER: HOURLY}.items():
        file = etc / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    run("systemctl", "restart", "systemd-journald")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", "logrotate.timer")


def render_rotation(user: str) -> str:
    """Render the rule for nginx's files, in place of the distribution's (pure): seven older ones of each, of about 100 MB at most."""
    return f"""\
/var/log/nginx/*.log {{
    daily
    maxsize 100M
    rotate 7
    missingok
    notifempty
    compress
    delaycompress
    create 0640 {user} adm
    sharedscripts
    postrotate
        systemctl kill --signal=USR1 --kill-who=main nginx.service
    endscript
}}
"""
