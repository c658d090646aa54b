"""Run once on a new machine, from its verified release: from machine.json to services behind nginx.

Needs root, systemd and nginx, which the first stage installed. It begins with the standard library of Python 3.12 only, installs the
locked libraries, and continues with them: what follows calls AWS from this one process.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sre_agent_deploy.instance import USER, Layout
from sre_agent_deploy.instance.interpreter import UV
from sre_agent_deploy.instance.logs import limit_logs, start_agent
from sre_agent_deploy.instance.nginx import NginxPaths, render_nginx_conf
from sre_agent_deploy.instance.steps import BootReport, StepFailed, is_healthy_on_socket, is_healthy_through_front_door, run, wait_until
from sre_agent_deploy.instance.systemd import (
    CERTIFICATE_FOLLOW,
    CERTIFICATE_ORDER_TIMER,
    CERTIFICATE_TIMER,
    CERTIFICATE_WATCH,
    render_certificate_units,
    render_order_units,
    render_restart,
    render_unit,
    unit_name,
)
from sre_core import atomic_file
from sre_core.machine import MACHINE_FILE, Listener, Machine, MachineService, SecretRef

if TYPE_CHECKING:
    from sre_agent_deploy.instance.aws import MachineAws

# Limits for what hangs. A machine that is slow, as one without CPU credits is, must not meet them: it has a tenth of a processor.
_HEALTHY_WITHIN, _PUBLISHED_WITHIN = 600.0, 120.0
# What ends this often will not serve by waiting.
_MOST_RESTARTS = 3
_INSTALLED_WITHIN = 1800.0
# To compile takes longest of all. These are imported only by an assistant that reasons with a model, of the providers by one with theirs.
_OF_MODELS = frozenset({"genai_prices", "griffe", "pydantic_ai", "pydantic_graph"})
_OF_PROVIDERS = frozenset({"anthropic", "openai"})
_OF_TERMINALS = frozenset({"markdown_it", "pygments", "rich"})
_UNITS = Path("/etc/systemd/system")
_NGINX_DROP_IN = Path("/etc/systemd/system/nginx.service.d/restart.conf")
_NGINX_CONF = Path("/etc/nginx/nginx.conf")
_NGINX_TEMPORARY = Path("/var/lib/nginx/tmp")


def bootstrap(machine: Machine, layout: Layout) -> None:
    """Start the services on a machine that has its libraries, and report each step. Raises StepFailed after it reported a failure."""
    from sre_agent_deploy.instance.aws import MachineAws
    from sre_agent_deploy.instance.backups import keep_backed_up
    from sre_agent_deploy.instance.certificates import write_credentials
    from sre_agent_deploy.instance.software import install_software
    from sre_agent_deploy.instance.updates import keep_updated

    aws = MachineAws(machine.region)
    progress = BootReport(aws, machine.status_uri)
    with progress.step("release"):
        pass  # its libraries are what this runs with
    with progress.step("credentials"):
        progress.conceal(*write_credentials(aws, machine, layout), write_certificate(aws, machine, layout))
    with progress.step("services"):
        start_services(machine, layout)
    with progress.step("front_door"):
        start_front_door(machine, layout)
        if machine.monitoring:
            start_agent(machine, machine.monitoring)
    with progress.step("ready") as facts:
        facts["listeners"] = check_front_door(machine, layout)
        keep_certificate(machine, layout)
        keep_updated(machine, layout)
        keep_backed_up(machine, layout)
    install_software(machine, progress)


def install_libraries(layout: Layout, reasoner: str) -> None:
    """Install exactly the locked libraries, each verified by its hash, in an environment of this release."""
    if not _user_exists(USER):
        run("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER)
    for command in install_commands(layout, reasoner, bundled=layout.wheels.is_dir()):
        run(*command, longest=_INSTALLED_WITHIN)
    # The libraries are links to its files.
    shutil.rmtree(layout.cache, ignore_errors=True)


def find_reasoner(machine: Machine) -> str:
    """Return the name of the engine that the machine's assistant reasons with; empty where it answers by rules."""
    return next((each.environment["SRE_REASONER"] for each in machine.services if "SRE_REASONER" in each.environment), "")


def install_commands(layout: Layout, reasoner: str = "", *, bundled: bool = False) -> tuple[tuple[str, ...], ...]:
    """List the commands that install the libraries (pure). A library without its hash, or one that would run a setup script, is refused."""
    python, requirements, cache = (
        str(layout.python),
        layout.release / "sre_agent_deploy" / "instance" / "requirements.txt",
        str(layout.cache),
    )
    unused = "|".join(sorted(_OF_TERMINALS | (_OF_PROVIDERS - {reasoner}) | (frozenset() if reasoner else _OF_MODELS)))
    # A release that brings its libraries along needs no index.
    source = ("--no-index", "--find-links", str(layout.wheels)) if bundled else ()
    options = ("--require-hashes", "--only-binary", ":all:", *source)
    return (
        (str(UV), "venv", "--quiet", "--cache-dir", cache, "--python", sys.executable, str(layout.venv)),
        (str(UV), "pip", "install", "--quiet", "--cache-dir", cache, "--python", python, *options, "-r", str(requirements)),
        # uv would compile everything, and no service can write what it compiles.
        (
            python,
            "-m",
            "compileall",
            "-q",
            "-j",
            "0",
            "-x",
            f"/site-packages/({unused})/|/tests/",
            str(layout.release),
            str(layout.venv / "lib"),
        ),
    )


def write_certificate(aws: MachineAws, machine: Machine, layout: Layout) -> str:
    """Write chain and key of the front door as files that only root reads; return the key."""
    arn = machine.front_door.certificate.secret_arn
    write_private(layout.certificate, aws.secret(SecretRef(arn, "certificate")))
    key = aws.secret(SecretRef(arn, "private_key"))
    write_private(layout.key, key)
    return key


def start_services(machine: Machine, layout: Layout) -> None:
    """Start each service and wait until it is healthy. StepFailed has the end of the journal of the one that is not."""
    limit_logs(_nginx_user())
    names = [unit_name(service.name) for service in machine.services]
    for service, name in zip(machine.services, names, strict=True):
        (_UNITS / name).write_text(render_unit(service, layout, machine.region), encoding="utf-8")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", *names)
    # They are waited for one by one below, where one that ends at its start is seen at once.
    run("systemctl", "restart", "--no-block", *names)
    for service in machine.services:
        await_service(service, layout)


def await_service(service: MachineService, layout: Layout) -> None:
    """Wait until a service is healthy. One that is not, or that ends at each start, is a StepFailed with the end of its journal."""
    unit, healthy = unit_name(service.name), partial(_is_healthy, service, layout)
    wait_until(lambda: healthy() or count_restarts(unit) >= _MOST_RESTARTS, _HEALTHY_WITHIN)
    if healthy():
        return
    journal = run("journalctl", "--no-pager", "--output=cat", "--lines=40", f"--unit={unit}")
    if restarts := count_restarts(unit):
        raise StepFailed(f"The service {service.name} ends at its start; it was started again {restarts} times.", journal)
    raise StepFailed(f"The service {service.name} did not answer {service.health_path} within {_HEALTHY_WITHIN:.0f} s.", journal)


def count_restarts(unit: str) -> int:
    """Count how often systemd has started a unit again because it had ended."""
    return int(run("systemctl", "show", "--property=NRestarts", "--value", unit))


def start_front_door(machine: Machine, layout: Layout) -> None:
    """Start nginx. Its configuration is tested first, so that a fault is reported with its line."""
    user = _nginx_user()
    # Only their own group can connect to the services' sockets.
    run("usermod", "--append", "--groups", USER, user)
    _NGINX_TEMPORARY.mkdir(parents=True, exist_ok=True)
    _NGINX_CONF.write_text(render_nginx_conf(machine.front_door, layout, NginxPaths(user=f"user {user};")), encoding="utf-8")
    run("nginx", "-t")
    _NGINX_DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    _NGINX_DROP_IN.write_text(render_restart(), encoding="utf-8")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "nginx")
    run("systemctl", "restart", "nginx")


def keep_certificate(machine: Machine, layout: Layout) -> None:
    """Start what keeps the certificate current and warns of its end; the first look is now."""
    units, ordered = render_certificate_units(layout, machine.region, MACHINE_FILE), machine.front_door.certificate_source == "letsencrypt"
    if ordered:
        units |= render_order_units(layout, machine.region, MACHINE_FILE, machine.status_uri.rstrip("/").rpartition("/")[2])
    for name, unit in units.items():
        (_UNITS / name).write_text(unit, encoding="utf-8")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", CERTIFICATE_FOLLOW, CERTIFICATE_TIMER, *((CERTIFICATE_ORDER_TIMER,) if ordered else ()))
    run("systemctl", "start", "--no-block", CERTIFICATE_WATCH)


def check_front_door(machine: Machine, layout: Layout) -> list[dict[str, object]]:
    """Check that every health path answers through nginx with this machine's certificate; return the listeners."""
    public = machine.front_door.listeners[0]
    for service in machine.services:
        path = _published_path(service, public)
        for address in ("127.0.0.1", *(("::1",) if machine.front_door.ipv6 else ())):
            through = partial(is_healthy_through_front_door, address, public.port, path, layout.certificate)
            if path and not wait_until(through, _PUBLISHED_WITHIN):
                raise StepFailed(f"The service {service.name} is well but does not answer through the front door at {path} of {address}.")
    address = find_own_address()
    return [{"port": each.port, "address": address, "actual_port": each.port} for each in machine.front_door.listeners]


def find_own_address() -> str:
    """Return the address that this machine has in its subnet: the one from which it would send to others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unconnected:
        # Nothing is sent: connecting a datagram socket only chooses the route.
        unconnected.connect(("169.254.169.254", 80))
        return str(unconnected.getsockname()[0])


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_file.write(file, text.encode(), mode=0o600)


def _published_path(service: MachineService, listener: Listener) -> str:
    """Return the path at which a listener publishes a service's health; empty where it does not."""
    routes = (route.path for route in listener.routes if route.service == service.name)
    return next((path + service.health_path.lstrip("/") for path in routes), "")


def _nginx_user() -> str:
    return "nginx" if _user_exists("nginx") else "www-data"


def _user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _is_healthy(service: MachineService, layout: Layout) -> bool:
    return is_healthy_on_socket(layout.socket(service.name), service.health_path)


def main(machine_file: str, release: str, instance_id: str) -> int:
    """Run the bootstrap; 0 when the machine is ready. It reports below its own id: an update has two machines."""
    machine = Machine.parse(Path(machine_file).read_text(encoding="utf-8"))
    machine = replace(machine, status_uri=f"{machine.status_uri}{instance_id}/")
    layout = Layout(Path(release))
    try:
        if Path(sys.prefix) != layout.venv:
            install_libraries(layout, find_reasoner(machine))
            os.execv(layout.python, [str(layout.python), "-m", "sre_agent_deploy.instance.bootstrap", machine_file, release, instance_id])  # noqa: S606
        bootstrap(machine, layout)
    except StepFailed as failed:
        if Path(sys.prefix) != layout.venv:
            # AWS can't be called without the libraries; the first stage reports what is printed.
            print(json.dumps({"step": "release", "state": "failed", "what": failed.what, "output": failed.output}), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
