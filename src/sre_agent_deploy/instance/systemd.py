"""Render systemd units: each service of a machine hardened, and restarted when it fails (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sre_agent_deploy.instance import LOGS, STATE, USER, Layout
from sre_core.machine import MachineService
from sre_core.reboot_window import RebootWindow

# What no unit needs of the kernel and of other processes.
_ISOLATION = (
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
)
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
    *_ISOLATION,
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

_WATCHDOG_SECONDS, _START_SECONDS = 60, 600
# The metadata service gives the role's credentials to any process that asks.
_NO_METADATA = ("IPAddressDeny=169.254.169.254 fd00:ec2::254",)


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
                # It says itself when it serves: until then the watchdog waits, and the kernel loads a slow machine's libraries for minutes.
                "Type=notify",
                f"TimeoutStartSec={_START_SECONDS}",
                f"User={USER}",
                f"Group={USER}",
                f"ExecStart={' '.join(map(_quote_argument, command))}",
                *(f"Environment={_quote(f'{name}={value}')}" for name, value in environment.items()),
                # A folder, and not LoadCredential=, which copies at the start: a rotated secret must reach a service that runs.
                f"TemporaryFileSystem={layout.secrets}:ro",
                f"BindReadOnlyPaths={layout.credentials(service.name)}",
                f"Environment=CREDENTIALS_DIRECTORY={layout.credentials(service.name)}",
                f"RuntimeDirectory={layout.run.name}/{service.name}",
                "RuntimeDirectoryMode=0750",
                # It may write there and nowhere else; $LOGS_DIRECTORY names it.
                f"LogsDirectory={LOGS}/{service.name}",
                "LogsDirectoryMode=0750",
                *((f"StateDirectory={STATE}/{service.name}", "StateDirectoryMode=0700") if service.keeps_state else ()),
                "Restart=always",
                "RestartSec=2",
                "TimeoutStopSec=10",
                # It gives a sign of life every ten seconds; one that hangs is killed and started again.
                f"WatchdogSec={_WATCHDOG_SECONDS}",
                *(() if service.uses_role else _NO_METADATA),
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


CERTIFICATE_FOLLOW, CERTIFICATE_WATCH = "sre-agent-certificate.service", "sre-agent-certificate-watch.service"
CERTIFICATE_TIMER = "sre-agent-certificate-watch.timer"
CERTIFICATE_ORDER, CERTIFICATE_ORDER_TIMER = "sre-agent-certificate-order.service", "sre-agent-certificate-order.timer"

# Root, because nginx is reloaded and its private key written. `nginx -t` binds the ports, and writes into the folders of logs and PID.
_AS_ROOT = (
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_NET_BIND_SERVICE",
    "AmbientCapabilities=",
    "ProtectSystem=strict",
    "ReadWritePaths=/run /var/log/nginx /var/lib/nginx",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    *_ISOLATION,
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "KeyringMode=private",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "MemoryMax=25%",
    "TasksMax=64",
    "UMask=0077",
)


def render_certificate_units(layout: Layout, region: str, machine_file: str) -> dict[str, str]:
    """Render what keeps certificate and credentials current (a service), and what warns of its end (a timer, four times a day)."""
    return {
        CERTIFICATE_FOLLOW: _file(
            (
                "Unit",
                (
                    "Description=sre-agent certificate and credentials",
                    "After=network-online.target nginx.service",
                    "StartLimitIntervalSec=0",
                ),
            ),
            ("Service", ("Type=exec", "Restart=always", "RestartSec=10", *_certificate_task("follow", layout, region, machine_file))),
            ("Install", ("WantedBy=multi-user.target",)),
        ),
        CERTIFICATE_WATCH: _file(
            ("Unit", ("Description=sre-agent certificate expiry", "After=network-online.target")),
            ("Service", ("Type=oneshot", "TimeoutStartSec=120", *_certificate_task("watch", layout, region, machine_file))),
        ),
        CERTIFICATE_TIMER: _file(
            ("Unit", ("Description=sre-agent certificate expiry, four times a day",)),
            # The warnings of one day are counted by the program, so that a certificate of six days is not missed.
            ("Timer", ("OnCalendar=00/6:00:00", "RandomizedDelaySec=600", "Persistent=yes", f"Unit={CERTIFICATE_WATCH}")),
            ("Install", ("WantedBy=timers.target",)),
        ),
    }


def render_order_units(layout: Layout, region: str, machine_file: str, instance_id: str) -> dict[str, str]:
    """Render what orders and renews the certificate: a service that is no root, started by a timer and when the secret changes."""
    module = "sre_agent_deploy.instance.certificate_order"
    command = (str(layout.python), "-m", module, "machine.json", str(layout.release), instance_id)
    return {
        CERTIFICATE_ORDER: _file(
            ("Unit", ("Description=sre-agent certificate order", "Wants=network-online.target", "After=network-online.target")),
            (
                "Service",
                (
                    "Type=oneshot",
                    "TimeoutStartSec=900",
                    f"User={USER}",
                    f"Group={USER}",
                    f"ExecStart={' '.join(map(_quote_argument, command))}",
                    f"Environment={_quote(f'PYTHONPATH={layout.release}')}",
                    f"Environment={_quote(f'AWS_REGION={region}')}",
                    f"LoadCredential=machine.json:{machine_file}",
                    f"RuntimeDirectory={layout.run.name}/{layout.challenges.name}",
                    "RuntimeDirectoryMode=0750",
                    "MemoryMax=25%",
                    "TasksMax=64",
                    *_HARDENING,
                ),
            ),
        ),
        CERTIFICATE_ORDER_TIMER: _file(
            ("Unit", ("Description=sre-agent certificate renewal, four times a day",)),
            # Authorities ask for different times; many machines may have been made at the same one.
            ("Timer", ("OnCalendar=00/6:00:00", "RandomizedDelaySec=5h", "Persistent=yes", f"Unit={CERTIFICATE_ORDER}")),
            ("Install", ("WantedBy=timers.target",)),
        ),
    }


UPDATES, UPDATES_TIMER = "sre-agent-updates.service", "sre-agent-updates.timer"
_USUAL_UPDATES = timedelta(hours=3)
# Packages write everywhere, with any owner and mode, restart services and install kernels and boot loaders: that stays open, and so does
# what their scripts may do to devices and mounts. Closed is what none needs.
_FOR_PACKAGES = (
    "CapabilityBoundingSet=~CAP_SYS_TIME CAP_SYS_RAWIO CAP_SYS_PACCT CAP_SYS_BOOT CAP_SYSLOG CAP_LEASE CAP_WAKE_ALARM CAP_BLOCK_SUSPEND "
    "CAP_NET_RAW CAP_NET_BROADCAST CAP_BPF CAP_PERFMON CAP_CHECKPOINT_RESTORE",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictRealtime=yes",
    "LockPersonality=yes",
    "KeyringMode=private",
    "SystemCallArchitectures=native",
    "SystemCallFilter=~@clock @cpu-emulation @debug @obsolete @raw-io @reboot @swap",
    "SystemCallErrorNumber=EPERM",
)


def render_update_units(layout: Layout, region: str, machine_file: str, instance_id: str, window: RebootWindow | None) -> dict[str, str]:
    """Render what installs security updates, and its daily timer."""
    command = (str(layout.python), "-m", "sre_agent_deploy.instance.updates", machine_file, instance_id)
    at = (datetime.min + (window.begins if window else _USUAL_UPDATES)).time()
    return {
        UPDATES: _file(
            ("Unit", ("Description=sre-agent security updates", "Wants=network-online.target", "After=network-online.target")),
            (
                "Service",
                (
                    "Type=oneshot",
                    "TimeoutStartSec=2h",
                    "Nice=10",
                    "IOSchedulingClass=idle",
                    f"ExecStart={' '.join(map(_quote_argument, command))}",
                    f"Environment={_quote(f'PYTHONPATH={layout.release}')}",
                    f"Environment={_quote(f'AWS_REGION={region}')}",
                    "Environment=DEBIAN_FRONTEND=noninteractive",
                    *_FOR_PACKAGES,
                ),
            ),
        ),
        UPDATES_TIMER: _file(
            ("Unit", ("Description=sre-agent security updates, each day at the begin of the window for restarts",)),
            # Soon after a boot, too, but not while a deployment is verified.
            ("Timer", ("OnBootSec=30min", f"OnCalendar=*-*-* {at:%H:%M}:00 UTC", "RandomizedDelaySec=300", f"Unit={UPDATES}")),
            ("Install", ("WantedBy=timers.target",)),
        ),
    }


BACKUP, BACKUP_TIMER = "sre-agent-backup.service", "sre-agent-backup.timer"


def render_backup_units(layout: Layout, region: str, machine_file: str, instance_id: str, at: str) -> dict[str, str]:
    """Render what makes a backup, without root, and its daily timer."""
    command = (str(layout.python), "-m", "sre_agent_deploy.instance.backups", "machine.json", instance_id)
    return {
        BACKUP: _file(
            (
                "Unit",
                (
                    "Description=sre-agent backup",
                    "Wants=network-online.target",
                    "After=network-online.target",
                    "StartLimitIntervalSec=12h",
                    "StartLimitBurst=4",
                ),
            ),
            (
                "Service",
                (
                    "Type=oneshot",
                    # Another try, where AWS or the deployer was not ready.
                    "Restart=on-failure",
                    "RestartSec=30min",
                    "TimeoutStartSec=2h",
                    "Nice=10",
                    "IOSchedulingClass=idle",
                    f"User={USER}",
                    f"Group={USER}",
                    f"ExecStart={' '.join(map(_quote_argument, command))}",
                    f"Environment={_quote(f'PYTHONPATH={layout.release}')}",
                    f"Environment={_quote(f'AWS_REGION={region}')}",
                    # On Amazon Linux /tmp is in memory.
                    "Environment=TMPDIR=/var/tmp",
                    f"LoadCredential=machine.json:{machine_file}",
                    "MemoryMax=25%",
                    "TasksMax=64",
                    *_HARDENING,
                ),
            ),
        ),
        BACKUP_TIMER: _file(
            ("Unit", ("Description=sre-agent backup, each day",)),
            # Soon after a boot, too: a new machine has made none.
            ("Timer", ("OnBootSec=15min", f"OnCalendar=*-*-* {at}:00 UTC", "RandomizedDelaySec=300", f"Unit={BACKUP}")),
            ("Install", ("WantedBy=timers.target",)),
        ),
    }


def _certificate_task(task: str, layout: Layout, region: str, machine_file: str) -> tuple[str, ...]:
    command = (str(layout.python), "-m", "sre_agent_deploy.instance.certificates", task, machine_file, str(layout.release))
    return (
        f"ExecStart={' '.join(map(_quote_argument, command))}",
        f"Environment={_quote(f'PYTHONPATH={layout.release}')}",
        f"Environment={_quote(f'AWS_REGION={region}')}",
        f"ReadWritePaths={layout.secrets}",
        *_AS_ROOT,
    )


def _file(*sections: tuple[str, Iterable[str]]) -> str:
    return "\n".join("\n".join((f"[{name}]", *lines, "")) for name, lines in sections)


def _quote(text: str) -> str:
    """Quote one word of a unit file: escape what systemd would interpret (`%`, quotes, backslashes, line ends)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    return f'"{escaped}"'


def _quote_argument(text: str) -> str:
    # Only in command lines does a dollar sign name a variable.
    return _quote(text).replace("$", "$$")
