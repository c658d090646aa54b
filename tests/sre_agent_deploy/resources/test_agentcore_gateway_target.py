"""Gateway targets: one OpenAPI document, one key, under one gateway."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from fixtures.embedded import EmbeddedAws
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.later import Ref
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.agentcore_gateway_target import GatewayTarget
from sre_core.problem import Problem

from .agentcore_neighbours import gateway, provider, role_arn, schema_uri, secret_arn, stored_schema, target
from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, delete, drift, read, refused, until, wait_until_ready

__all__ = ["gateway", "provider", "role_arn", "schema_uri", "secret_arn", "target"]


def test_a_target_from_creation_to_deletion(aws: Aws, marked: Marked, target: GatewayTarget) -> None:
    """It is made as declared, found under its gateway, and goes without a trace."""
    check_life_cycle(aws, target, marked("kubernetes_target"))


def test_the_ids_of_a_target(aws: Aws, marked: Marked, target: GatewayTarget) -> None:
    """A target is found again by its name under its gateway, so that none is made twice."""
    assert target.natural_id(aws) == ""
    id = create(aws, target, marked("kubernetes_target"))
    assert target.natural_id(aws) == id == f"{target.gateway_id}/{read(aws, target, id).outputs['target_id']}"


def test_a_target_creation_that_is_sent_twice(aws: Aws, marked: Marked, target: GatewayTarget) -> None:
    """The client token makes one target of it."""
    mark = marked("kubernetes_target")
    assert target.create(aws, mark) == target.create(aws, mark)


def test_a_target_that_differs(aws: Aws, marked: Marked, target: GatewayTarget, deployment: str) -> None:
    """Name, description, header and document become what is declared, in place."""
    uri = stored_schema(aws, deployment, "openapi/other.json")
    id = create(aws, target, marked("kubernetes_target"))
    check_repair(aws, target, id, target_name="pods", description="Another", header="X-Other-Key", schema_uri=uri)


def test_a_target_with_a_private_ca(aws: Aws, marked: Marked, target: GatewayTarget, deployment: str, embedded: EmbeddedAws) -> None:
    """The gateway gets the CA, it can be removed again, and CloudFormation's template says what it can't do."""
    aws.client("s3").put_object(Bucket=deployment, Key="ca.pem", Body=Path(embedded.ca_file).read_bytes())
    private = replace(target, ca_uri=f"s3://{deployment}/ca.pem")
    id = create(aws, private, marked("kubernetes_target"))
    check_repair(aws, private, id, ca_uri="")
    assert f"s3://{deployment}/ca.pem" in private.template().note
    assert target.template().note == ""


def test_a_target_that_sends_the_key_elsewhere(aws: Aws, marked: Marked, target: GatewayTarget) -> None:
    """A key in the query string would appear in every log: that is a difference, and is repaired."""
    id = create(aws, target, marked("kubernetes_target"))
    sent: Any = replace(target, header="key")._settings() | {"gatewayIdentifier": target.gateway_id, "targetId": id.partition("/")[2]}
    key = sent["credentialProviderConfigurations"][0]["credentialProvider"]["apiKeyCredentialProvider"]
    key["credentialLocation"] = "QUERY_PARAMETER"
    aws.client("bedrock-agentcore-control").update_gateway_target(**sent)
    assert "header" in {entry.field for entry in drift(aws, target, id)}
    wait_until_ready(lambda: target.ready(aws, id))
    configure(aws, target, id)
    assert drift(aws, target, id) == ()


def test_a_document_that_was_corrected(aws: Aws, marked: Marked, target: GatewayTarget, deployment: str) -> None:
    """A target that failed is a difference, though its settings match; configuring it makes it read the document again."""
    uri = stored_schema(aws, deployment, "openapi/corrected.json", openapi="2.0")
    wanted = replace(target, schema_uri=uri)
    id = wanted.create(aws, marked("kubernetes_target"))
    assert until(lambda: isinstance(wanted.ready(aws, id), Problem))
    assert {entry.field for entry in drift(aws, wanted, id)} == {"schema_uri"}
    stored_schema(aws, deployment, "openapi/corrected.json")
    configure(aws, wanted, id)
    assert drift(aws, wanted, id) == ()


def test_a_document_that_agentcore_can_not_use(aws: Aws, marked: Marked, target: GatewayTarget, deployment: str) -> None:
    """The target fails with AgentCore's own reasons, and the advice names the document."""
    uri = stored_schema(aws, deployment, "openapi/old.json", openapi="2.0")
    wrong = replace(target, schema_uri=uri)
    id = wrong.create(aws, marked("kubernetes_target"))
    assert until(lambda: isinstance(wrong.ready(aws, id), Problem))
    problem = wrong.ready(aws, id)
    assert isinstance(problem, Problem)
    assert problem.code == "AGENTCORE-TARGET-FAILED"
    assert "2.0" in problem.why
    assert uri in problem.do[0]


def test_a_target_name_that_the_gateway_has(aws: Aws, marked: Marked, target: GatewayTarget) -> None:
    """A second creation with the name is refused, with what to do."""
    create(aws, target, marked("kubernetes_target"))
    assert refused(aws, target, marked("kubernetes_target")).code == "AGENTCORE-TARGET-EXISTS"


def test_a_provider_that_is_not_there(aws: Aws, marked: Marked, target: GatewayTarget) -> None:
    """The problem names what is missing."""
    problem = refused(aws, replace(target, provider_arn=f"{target.provider_arn}-gone"), marked("kubernetes_target"))
    assert problem.code == "AGENTCORE-TARGET-NEEDS"
    assert f"{target.provider_arn}-gone" in problem.why


def test_a_target_that_is_being_deleted(aws: Aws, marked: Marked, target: GatewayTarget, deployment: str) -> None:
    """It is there until it is really gone, because its gateway can't go before; then the gateway can."""
    id = create(aws, target, marked("kubernetes_target"))
    GatewayTarget.delete(aws, id)
    going = GatewayTarget.read(aws, id, target.name)
    assert going is None or going.broken == "it is being deleted"
    delete(aws, target, id, deployment)
    Gateway.delete(aws, str(target.gateway_id))
    assert until(lambda: Gateway.read(aws, str(target.gateway_id), "gateway") is None)


def test_a_target_of_a_gateway_to_come(aws: Aws, target: GatewayTarget) -> None:
    """While the gateway has no id, nothing is looked up; the guide shows the gateway's name."""
    later = replace(target, gateway_id=Ref("gateway", "gateway_id"))
    assert later.natural_id(aws) == ""
    assert "<gateway.gateway_id>" in later.console()[0]
