"""nginx.conf says what the front door's description says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.machines import make_machine
from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.nginx import NginxPaths, render_nginx_conf
from sre_core.machine import Listener, Machine, Route

LAYOUT = Layout(Path("/opt/sre-agent/releases/abc"))


@pytest.fixture
def conf(machine: Machine) -> str:
    return render_nginx_conf(machine.front_door, LAYOUT, NginxPaths())


def test_the_whole_file(conf: str) -> None:
    """It is nginx.conf beside this test, reviewed line by line: a header that passes, or a path that leads elsewhere, is a change there."""
    assert conf == (Path(__file__).parent / "nginx.conf").read_text()


def test_its_ports(conf: str, machine: Machine) -> None:
    """Every listener is a TLS port, and the redirect port is the only plain one."""
    listens = [line.strip() for line in conf.splitlines() if line.strip().startswith("listen ")]
    assert listens == [
        *(f"listen {each.port} ssl default_server;" for each in machine.front_door.listeners),
        "listen 80 default_server;",
    ]


def test_its_ports_over_ipv6(machine: Machine) -> None:
    """The public port and the redirect listen there, too; those inside the VPC, and a door with an address of its own, never."""
    door = replace(machine.front_door, ipv6=True)
    listens = [line.strip() for line in render_nginx_conf(door, LAYOUT, NginxPaths()).splitlines() if "listen [" in line]
    assert listens == ["listen [::]:443 ssl default_server;", "listen [::]:80 default_server;"]
    assert "[::]" not in render_nginx_conf(door, LAYOUT, NginxPaths(address="127.0.0.1"))
    assert Machine.parse(replace(machine, front_door=door).text()).front_door == door


def test_a_door_without_an_assistant(machine: Machine) -> None:
    """A path without a route is a JSON error, also the path of a route without its slash."""
    listener = Listener(443, "public", (Route("/api/logs/", "logs"),))
    conf = render_nginx_conf(replace(machine.front_door, listeners=(listener,)), LAYOUT, NginxPaths())
    message = "No service is published below this path."
    nothing = "set $refusal no_route; return 404 '" + '{"error": {"code": "FRONT-DOOR-NO-ROUTE", "message": "' + message + "\"}}';"
    assert [line.strip() for line in conf.splitlines() if line.strip().startswith("location ")] == [
        f"location = /api/logs {{ {nothing} }}",
        f"location / {{ {nothing} }}",
        "location /api/logs/ { set $service logs; proxy_pass http://logs/; }",
    ]


def test_one_address(machine: Machine) -> None:
    """A front door that is given an address listens on no other, and has a plain port only if it redirects."""
    door = replace(machine.front_door, redirect_port=None)
    for described, plain in ((machine.front_door, ["listen 127.0.0.1:80 default_server;"]), (door, [])):
        conf = render_nginx_conf(described, LAYOUT, NginxPaths(address="127.0.0.1"))
        listens = [line.strip() for line in conf.splitlines() if line.strip().startswith("listen ")]
        assert listens == [*(f"listen 127.0.0.1:{each.port} ssl default_server;" for each in door.listeners), *plain]


def test_tls_is_the_intermediate_profile(conf: str) -> None:
    """TLS 1.2 and 1.3, forward secrecy only."""
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in conf
    ciphers = next(line for line in conf.splitlines() if "ssl_ciphers" in line).split()[1].rstrip(";").split(":")
    assert all(cipher.startswith("ECDHE-") and ("GCM" in cipher or "POLY1305" in cipher) for cipher in ciphers)


def test_a_route_without_its_slash(conf: str) -> None:
    """nginx's own redirect to the path with a slash does not happen; the next shorter route answers."""
    assert "location = /api/kubernetes { set $service assistant; proxy_pass http://assistant/api/kubernetes; }" in conf


def test_the_same_machine(machine: Machine, conf: str) -> None:
    """The same description gives the same text."""
    assert render_nginx_conf(make_machine().front_door, LAYOUT, NginxPaths()) == conf
