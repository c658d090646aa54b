"""Render systemd units: each service of a machine hardened, and restarted when it fails (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from sre_agent_deploy.instance.layout import USER, Layout
from sre_core.machine import MachineService

# A service uses its socket and the network, and reads its release and credentials. Nothing else is allowed.
_HARDENING = (
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "PrivateUsers=yes",
    "ProtectHostname=yes",
    "ProtectClock=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RemoveIPC=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "KeyringMode=private",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
    "UMask=0007",
)


def unit_name(service: str) -> str:
    """Name the unit of a service."""
    return f"sre-agent-{service}.service"


def render_unit(service: MachineService, layout: Layout, region: str) -> str:
    """Render the unit file of one service."""
    command = (str(layout.python), *service.command, "--socket", str(layout.socket(service.name)))
    environment = {"PYTHONPATH": str(layout.release), "AWS_REGION": region, **service.environment}
    return _file(
        (
            "Unit",
            (
                f"Description=sre-agent {service.name}",
                "Wants=network-online.target",
                "After=network-online.target",
                "StartLimitIntervalSec=0",
            ),
        ),
        (
            "Service",
            (
                "Type=exec",
                f"User={USER}",
                f"Group={USER}",
                f"ExecStart={' '.join(map(_quote_argument, command))}",
                *(f"Environment={_quote(f'{name}={value}')}" for name, value in environment.items()),
                *(f"LoadCredential={name}:{layout.credential(service.name, name)}" for name in service.credentials),
                f"RuntimeDirectory={layout.run.name}/{service.name}",
                "RuntimeDirectoryMode=0750",
                "Restart=on-failure",
                "RestartSec=2",
                "TimeoutStopSec=10",
                # One that leaks is killed and restarted before the whole machine is out of memory.
                "MemoryMax=25%",
                "TasksMax=512",
                *_HARDENING,
            ),
        ),
        ("Install", ("WantedBy=multi-user.target",)),
    )


def render_restart() -> str:
    """Render the drop-in that starts a distribution's own unit again when it ends; nginx's has none."""
    return _file(("Unit", ("StartLimitIntervalSec=0",)), ("Service", ("Restart=always", "RestartSec=1")))


def _file(*sections: tuple[str, Iterable[str]]) -> str:
    return "\n".join("\n".join((f"[{name}]", *lines, "")) for name, lines in sections)


def _quote(text: str) -> str:
    """Quote one word of a unit file: escape what systemd would interpret (`%`, quotes, backslashes, line ends)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    return f'"{escaped}"'


def _quote_argument(text: str) -> str:
    # Only in command lines does a dollar sign name a variable.
    return _quote(text).replace("$", "$$")
