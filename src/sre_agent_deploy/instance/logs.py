"""Limit what a machine logs on its disk, and ship it: the CloudWatch agent sends its logs, and its disk and memory as metrics.

AWS recommends this agent for instances (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Install-CloudWatch-Agent.html). The
newest one is installed: that of May 2026 was the first to read the journal, where the services log.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sre_agent_deploy.instance import LOGS, USER
from sre_agent_deploy.instance.steps import run
from sre_agent_deploy.instance.systemd import unit_name
from sre_core import metrics, tracing
from sre_core.machine import Machine, Monitoring
from sre_core.security_event import EVENT

_AGENT = Path("/opt/aws/amazon-cloudwatch-agent")
_CONFIG = _AGENT / "etc" / "sre-agent.json"
_PACKAGE = "/tmp/amazon-cloudwatch-agent"  # noqa: S108  # root's, and written before it is read
# apt-get waits for the lock, which Ubuntu's own upgrades hold for minutes after a boot; dpkg does not.
_INSTALL_DEB = ("apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=300", "install", "--yes")
_INSTALL_RPM = ("rpm", "--upgrade", "--replacepkgs")
# What marks a security event among the lines of a service. The agent puts it between quotes, in which a backslash would be an escape.
_SECURITY = EVENT.replace(".", "[.]")
_INSTALLED_WITHIN = 600.0
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Agent-OpenTelemetry-metrics.html
_TRACES = {"traces_collected": {"otlp": {"http_endpoint": tracing.RECEIVER}}}


def start_agent(machine: Machine, monitoring: Monitoring) -> None:
    """Install the agent, and start it with the configuration of this machine. StepFailed has its output where that fails."""
    ubuntu = "ID=ubuntu" in Path("/etc/os-release").read_text(encoding="utf-8").split()
    package = f"{_PACKAGE}.{'deb' if ubuntu else 'rpm'}"
    run(
        "curl",
        "--fail",
        "--silent",
        "--show-error",
        "--location",
        "--retry",
        "5",
        "--output",
        package,
        package_url(machine.region, ubuntu=ubuntu),
    )
    run(*(_INSTALL_DEB if ubuntu else _INSTALL_RPM), package, longest=_INSTALLED_WITHIN)
    _CONFIG.write_text(render_agent_config(monitoring, [service.name for service in machine.services]), encoding="utf-8")
    run(str(_AGENT / "bin" / "amazon-cloudwatch-agent-ctl"), "-a", "fetch-config", "-m", "ec2", "-s", "-c", f"file:{_CONFIG}")


def package_url(region: str, *, ubuntu: bool, machine: str = platform.machine()) -> str:
    """Name AWS's own package of the agent in this region (pure)."""
    architecture = "arm64" if machine in ("aarch64", "arm64") else "amd64"
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    system, ending = ("ubuntu", "deb") if ubuntu else ("amazon_linux", "rpm")
    place = f"{system}/{architecture}/latest/amazon-cloudwatch-agent.{ending}"
    return f"https://amazoncloudwatch-agent-{region}.s3.{region}.{domain}/{place}"


def render_agent_config(monitoring: Monitoring, services: list[str]) -> str:
    """Render the agent's configuration (pure). Each machine has a log stream of its own id: an update has two."""
    groups, units = monitoring.log_groups, [unit_name(service) for service in services]
    events = {"filters": [{"type": "include", "expression": _SECURITY}]}
    journal = [_entry(groups[metrics.SERVICES], units=units), _entry(groups[metrics.SECURITY], units=units, **events)]
    files = (
        (metrics.FRONT_DOOR, "/var/log/nginx/access.log"),
        (metrics.SECURITY, "/var/log/nginx/security.log"),
        (metrics.BOOT, "/var/log/cloud-init-output.log"),
        (metrics.USAGE, f"/var/log/{LOGS}/assistant/{metrics.USAGE_FILE}"),
    )
    collected = {
        "files": {"collect_list": [_entry(groups[name], file_path=path) for name, path in files]},
        "journald": {"collect_list": journal},
    }
    config = {
        "agent": {"metrics_collection_interval": 60, "omit_hostname": True},
        "metrics": _metrics(monitoring.namespace),
        "logs": {"logs_collected": collected},
        **({"traces": _TRACES} if monitoring.xray else {}),
    }
    return json.dumps(config, indent=1)


def _entry(group: str, **source: Any) -> Mapping[str, Any]:
    # Files and journal never share a stream: each is read on by itself.
    return {"log_group_name": group, "log_stream_name": "{instance_id}" + ("-journal" if "units" in source else ""), **source}


def _metrics(namespace: str) -> Mapping[str, Any]:
    """Collect what alarms read: without device and file system, which differ from machine to machine."""
    used = {"measurement": ["used_percent"]}
    return {
        "namespace": namespace,
        "append_dimensions": {"InstanceId": "${aws:InstanceId}"},
        "aggregation_dimensions": [["InstanceId", "path"]],
        "metrics_collected": {"disk": {**used, "resources": ["/"], "drop_device": True}, "mem": used},
    }


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
