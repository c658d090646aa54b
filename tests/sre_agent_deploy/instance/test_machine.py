"""machine.json follows from the release and the values of a deployment."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.machines import CREDENTIALS, ENVIRONMENT, make_machine
from sre_core import release
from sre_core.machine import Machine

VALUES: dict[str, Any] = {"environment": ENVIRONMENT, "credentials": CREDENTIALS}


def test_what_the_machine_runs(machine: Machine) -> None:
    """Every service of the release, with exactly the variables and credentials that it asks for."""
    described = {service["name"]: service for service in machine.to_json()["services"]}
    for service in release.services():
        assert set(described[service.name]["environment"]) == set(service.environment)
        assert set(described[service.name]["credentials"]) == set(service.credentials)
        assert described[service.name]["command"] == list(service.command)


def test_where_it_listens(machine: Machine) -> None:
    """443 leads to all services from anywhere; each backend's own port is for the VPC only."""
    listeners = machine.to_json()["front_door"]["listeners"]
    assert {route["path"]: route["service"] for route in listeners[0]["routes"]} == {each.route: each.name for each in release.services()}
    assert [(each["port"], each["scope"]) for each in listeners] == [
        (443, "public"), (8011, "vpc"), (8012, "vpc"), (8013, "vpc"), (8014, "vpc"),
    ]  # fmt: skip


@pytest.mark.parametrize("field", ["environment", "credentials"])
def test_a_value_that_nobody_provides(field: str) -> None:
    """A machine without something that a service needs is a fault that is found here, not on the machine."""
    name, *_ = VALUES[field]
    rest = {key: value for key, value in VALUES[field].items() if key != name}
    with pytest.raises(KeyError, match=name):
        make_machine(**{field: rest})


def test_read_again(machine: Machine) -> None:
    """The bootstrap reads from the file the same machine that the deployer wrote."""
    assert Machine.parse(machine.text()) == machine
