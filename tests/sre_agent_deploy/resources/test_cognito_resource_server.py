"""Resource servers: the scopes that tokens can have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resources.cognito_resource_server import ResourceServer
from sre_agent_deploy.resources.cognito_user_pool import UserPool

from .conftest import Marked
from .life import check_life_cycle, check_repair, create, refused

SCOPES = (("gateway.invoke", "Call tools"), ("assistant.invoke", "Ask the assistant"))


@pytest.fixture
def server(aws: Aws, marked: Marked, deployment: str) -> ResourceServer:
    pool = create(aws, UserPool(name="user_pool", pool_name=f"{deployment}-users"), marked("user_pool"))
    return ResourceServer(name="resource_server", user_pool_id=pool, identifier="sre-agent", scopes=SCOPES)


def test_a_resource_server_from_creation_to_deletion(aws: Aws, marked: Marked, server: ResourceServer) -> None:
    """It is made as declared, found under its pool, and goes without a trace."""
    check_life_cycle(aws, server, marked("resource_server"))


def test_the_id_of_a_resource_server(aws: Aws, marked: Marked, server: ResourceServer) -> None:
    """It is known before the server is: the pool's id and the identifier."""
    assert server.natural_id(aws) == create(aws, server, marked("resource_server")) == f"{server.user_pool_id}/sre-agent"


def test_the_order_of_scopes(server: ResourceServer) -> None:
    """Scopes are a set: their order is no difference."""
    assert server == replace(server, scopes=SCOPES[::-1])


def test_a_resource_server_that_differs(aws: Aws, marked: Marked, server: ResourceServer) -> None:
    """Its scopes become what is declared, in place."""
    check_repair(aws, server, create(aws, server, marked("resource_server")), scopes=SCOPES[:1])


def test_an_identifier_that_the_pool_has(aws: Aws, marked: Marked, server: ResourceServer) -> None:
    """The creation is refused, and the problem says where to compare."""
    create(aws, server, marked("resource_server"))
    assert refused(aws, server, marked("resource_server")).code == "COGNITO-RESOURCE-SERVER-INVALID"
