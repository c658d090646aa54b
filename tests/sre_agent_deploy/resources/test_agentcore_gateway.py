"""Gateways: one identity provider, the clients that were named, and no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import attempt
from sre_agent_deploy.aws.errors import kind_of
from sre_agent_deploy.later import Ref
from sre_agent_deploy.resource import Owned, Ready, Waiting
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.agentcore_gateway_target import GatewayTarget
from sre_core.problem import Problem

from .agentcore_neighbours import gateway, provider, role_arn, schema_uri, secret_arn, target
from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, delete, drift, read, refused, until, wait_until_ready

__all__ = ["gateway", "provider", "role_arn", "schema_uri", "secret_arn", "target"]


def test_a_gateway_from_creation_to_deletion(aws: Aws, marked: Marked, gateway: Gateway) -> None:
    """It is made as declared, found by its tags, and goes without a trace."""
    check_life_cycle(aws, gateway, marked("gateway"))


def test_a_gateway_while_it_is_made(aws: Aws, marked: Marked, gateway: Gateway) -> None:
    """It says what it waits for, and configuring it now asks AWS for nothing that it would refuse."""
    id = gateway.create(aws, marked("gateway"))
    assert gateway.ready(aws, id) in (Waiting(f"gateway {gateway.gateway_name} is CREATING"), Ready())
    configure(aws, gateway, id)
    assert drift(aws, gateway, id) == ()


def test_the_outputs_of_a_gateway(aws: Aws, marked: Marked, gateway: Gateway) -> None:
    """Id, URL and ARN are the ones that AgentCore answered."""
    id = create(aws, gateway, marked("gateway"))
    answer = aws.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=id)
    assert read(aws, gateway, id).outputs == {"gateway_id": id, "gateway_url": answer["gatewayUrl"], "arn": answer["gatewayArn"]}


def test_a_creation_that_is_sent_twice(aws: Aws, marked: Marked, gateway: Gateway) -> None:
    """The client token makes one gateway of it."""
    mark = marked("gateway")
    assert gateway.create(aws, mark) == gateway.create(aws, mark)
    assert len(Gateway.owned(aws, mark.deployment)) == 1


def test_a_gateway_that_differs(aws: Aws, marked: Marked, gateway: Gateway) -> None:
    """Description, authorizer and exception level become what is declared, in place."""
    changed: dict[str, Any] = {
        "description": "Another",
        "discovery_url": "https://id.example.com/.well-known/openid-configuration",
        "allowed_clients": ("another-client",),
        "allowed_scopes": (),
        "debug": True,
    }
    check_repair(aws, gateway, create(aws, gateway, marked("gateway")), **changed)


def test_a_gateway_that_was_opened_by_hand(aws: Aws, marked: Marked, gateway: Gateway) -> None:
    """A gateway that accepts calls without a token is a difference, and is closed again."""
    id = create(aws, gateway, marked("gateway"))
    aws.client("bedrock-agentcore-control").update_gateway(
        gatewayIdentifier=id, name=gateway.gateway_name, roleArn=str(gateway.role_arn), protocolType="MCP", authorizerType="NONE"
    )
    wait_until_ready(lambda: gateway.ready(aws, id))
    assert {"discovery_url", "allowed_clients"} <= {entry.field for entry in drift(aws, gateway, id)}
    configure(aws, gateway, id)
    assert drift(aws, gateway, id) == ()


def test_a_gateway_with_search(aws: Aws, marked: Marked, gateway: Gateway) -> None:
    """Search is chosen at creation and stays when another setting is changed."""
    searching = replace(gateway, search=True)
    id = create(aws, searching, marked("gateway"))
    check_repair(aws, searching, id, description="Another")
    assert "search" in Gateway.FIXED


def test_settings_of_a_gateway_that_are_not_ours(aws: Aws, marked: Marked, gateway: Gateway) -> None:
    """Configuring keeps settings of another owner: UpdateGateway alone would reset them."""
    id = create(aws, gateway, marked("gateway"))
    answer: Any = aws.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=id)
    kept = {"mcp": {"instructions": "Ask for pods first", "supportedVersions": ["2025-06-18"]}}
    same = {key: answer[key] for key in ("name", "roleArn", "protocolType", "authorizerType", "authorizerConfiguration")}
    aws.client("bedrock-agentcore-control").update_gateway(gatewayIdentifier=id, protocolConfiguration=kept, **same)
    wait_until_ready(lambda: gateway.ready(aws, id))
    replace(gateway, debug=True).configure(aws, id)
    wait_until_ready(lambda: gateway.ready(aws, id))
    configure(aws, gateway, id)
    assert drift(aws, gateway, id) == ()
    assert aws.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=id)["protocolConfiguration"] == kept


def test_the_order_of_clients_and_scopes(gateway: Gateway) -> None:
    """Both are sets, known or to come: their order is no difference."""
    assert gateway == replace(gateway, allowed_clients=gateway.allowed_clients[::-1])
    one = replace(gateway, allowed_clients=(Ref("a", "client_id"), "b"))
    assert one == replace(gateway, allowed_clients=("b", Ref("a", "client_id")))


def test_the_name_of_a_gateway_of_another_owner(aws: Aws, marked: Marked, gateway: Gateway, deployment: str) -> None:
    """It is seen by its name, known to be a stranger's, and never listed as ours."""
    wanted = gateway._settings()
    stranger = aws.client("bedrock-agentcore-control").create_gateway(**wanted)["gatewayId"]
    assert gateway.natural_id(aws) == stranger
    assert read(aws, gateway, stranger).owner(deployment) == "stranger"
    assert Gateway.owned(aws, deployment) == ()
    assert refused(aws, gateway, marked("gateway")).code == "AGENTCORE-GATEWAY-EXISTS"


def test_a_role_that_is_new(aws: Aws, marked: Marked, gateway: Gateway) -> None:
    """AgentCore can't assume a role that IAM has not propagated yet: its refusal is retried, and then reported as such."""
    unknown = replace(gateway, role_arn=f"{gateway.role_arn}-to-come")
    problem = attempt(lambda: unknown.create(aws, marked("gateway")), subject=unknown, failures=Gateway.FAILURES, repeatable=False)
    assert isinstance(problem, Problem)
    assert problem.code == "AGENTCORE-GATEWAY-REFUSED"
    assert kind_of(problem.context["aws_code"], 400, Gateway.PROPAGATES) == "propagating"


def test_a_gateway_with_targets(aws: Aws, marked: Marked, target: GatewayTarget, deployment: str) -> None:
    """It can't be deleted while it has one; the problem says what to do."""
    id = create(aws, target, marked("kubernetes_target"))
    refusal = attempt(lambda: Gateway.delete(aws, str(target.gateway_id)), failures=Gateway.FAILURES)
    assert isinstance(refusal, Problem)
    assert refusal.code == "AGENTCORE-GATEWAY-HAS-TARGETS"
    delete(aws, target, id, deployment)
    Gateway.delete(aws, str(target.gateway_id))


def test_a_gateway_that_is_being_deleted(aws: Aws, marked: Marked, gateway: Gateway, deployment: str) -> None:
    """It is there until its name is free; a plan makes it anew, and deleting it again does no harm."""
    id = create(aws, gateway, marked("gateway"))
    assert Gateway.owned(aws, deployment) == (Owned(id, "gateway"),)
    Gateway.delete(aws, id)
    going = Gateway.read(aws, id, "gateway")
    assert going is None or going.broken == "it is being deleted"
    assert Gateway.owned(aws, deployment) == ()
    Gateway.delete(aws, id)
    assert until(lambda: Gateway.read(aws, id, "gateway") is None)
    assert create(aws, gateway, marked("gateway")) != id


def test_a_gateway_with_a_name_of_its_own(aws: Aws, marked: Marked, gateway: Gateway, deployment: str) -> None:
    """It is found by its tags, with any name."""
    id = create(aws, replace(gateway, gateway_name=f"tools-of-{deployment[4:]}"), marked("gateway"))
    assert Gateway.owned(aws, deployment) == (Owned(id, "gateway"),)
