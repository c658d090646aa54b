"""The instance role has what the configured sources on AWS need: all of it is needed, and what is missing is named."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures import cloudwatch, signed
from fixtures.embedded import EmbeddedAws
from fixtures.prometheus import prometheus
from sre_agent_deploy.config.sources import ClusterSource, LogSource, MetricSource, RunbookSource, Source
from sre_agent_deploy.policies import source_statements
from sre_agent_deploy.resources.policy_document import Statement, permissions_policy, render_json
from sre_core import clock
from sre_core.problem import Problem
from sre_services.providers import check_sources, open_provider
from sre_services.recording import Recording, open_recording
from sre_services.sources.background import wait_for
from sre_services.sources.client import SourceClient

BUCKET, GROUP = "runbooks-by-role", "/by-role/payments"
SOURCES: Mapping[str, Source] = {
    "logs": LogSource(source="cloudwatch", log_groups=[GROUP]),
    "metrics": MetricSource(source="cloudwatch"),
    "runbooks": RunbookSource(source="s3", bucket=BUCKET, prefix="team/"),
}


def without(statements: Sequence[Statement], action: str) -> list[Statement]:
    """The statements with one action less."""
    kept = (replace(each, actions=tuple(name for name in each.actions if name != action)) for each in statements)
    return [each for each in kept if each.actions]


@pytest.fixture(scope="module")
def role(embedded: EmbeddedAws) -> Iterator[Callable[[Sequence[Statement]], dict[str, str]]]:
    """role(statements): the environment of a machine whose role may do this and no more."""
    iam, name = embedded.client("iam"), f"by-role-{uuid.uuid4().hex[:8]}"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))["Role"]["Arn"]
    given = embedded.client("sts").assume_role(RoleArn=arn, RoleSessionName="i-1")["Credentials"]
    session = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey", "AWS_SESSION_TOKEN": "SessionToken"}

    def allow(statements: Sequence[Statement]) -> dict[str, str]:
        iam.put_role_policy(RoleName=name, PolicyName="sources", PolicyDocument=render_json(permissions_policy(tuple(statements))))
        return cloudwatch.environment(embedded) | {variable: given[key] for variable, key in session.items()}

    yield allow
    iam.delete_role_policy(RoleName=name, PolicyName="sources")
    iam.delete_role(RoleName=name)


def check(service: str, source: Source, environment: Mapping[str, str]) -> Problem | None:
    values = {name: ",".join(value) if isinstance(value, list) else value for name, value in source.plain_values().items() if value}
    provider = open_provider(service, {**environment, "SRE_SOURCES": json.dumps([values])})
    [found] = check_sources(provider).values()
    close(provider)
    return found


def close(provider: Any) -> None:
    """Close the connections that a service keeps for as long as its process runs."""
    clients = [getattr(source.provider, "_client", None) for source in provider.sources]
    for client in clients:
        if isinstance(client, SourceClient):
            wait_for(client.http.aclose())


@pytest.mark.parametrize("service", SOURCES)
def test_sources_of_the_local_aws(embedded: EmbeddedAws, role: Callable[..., dict[str, str]], service: str) -> None:
    """With the statements of the role the check has nothing to say; with one action less it names that action."""
    if service == "logs":
        embedded.client("logs").create_log_group(logGroupName=GROUP)
    if service == "runbooks":
        embedded.client("s3").create_bucket(Bucket=BUCKET)
        text = b"---\nid: one\ntitle: One\nseverity: high\n---\n## Resolution\nWait.\n"
        embedded.client("s3").put_object(Bucket=BUCKET, Key="team/one.md", Body=text)
    source = SOURCES[service]
    statements = source_statements("aws", embedded.region, embedded.account_id, [source])
    assert check(service, source, role(statements)) is None
    for action in [action for each in statements for action in each.actions]:
        found = check(service, source, role(without(statements, action)))
        assert found is not None, action
        assert (found.code, found.context) == ("SVC-SOURCE-PERMISSION", {"permission": action})


@pytest.mark.needs("prometheus")
def test_a_workspace_of_amp(tmp_path: Path) -> None:
    """The same for Amazon Managed Service for Prometheus."""
    recording, denied = open_recording("healthy", clock.now()), set[str]()
    assert isinstance(recording, Recording)
    with prometheus(recording, tmp_path) as real, signed.managed_prometheus(real, denied) as url:
        source = MetricSource(source="amp", url=url, region=signed.REGION)
        assert check("metrics", source, signed.CREDENTIALS) is None
        for action in source_statements("aws", signed.REGION, "123456789012", [source])[0].actions:
            denied |= {action}
            found = check("metrics", source, signed.CREDENTIALS)
            denied.clear()
            assert found is not None, action
            assert found.context == {"permission": action}


def test_a_cluster_of_eks() -> None:
    """The same for a cluster that is looked up by its name."""
    with signed.eks({}, denied={"eks:DescribeCluster"}) as url:
        source = ClusterSource(source="eks", cluster="prod", region=signed.REGION)
        [statement] = source_statements("aws", signed.REGION, "123456789012", [source])
        found = check("kubernetes", source, {**signed.CREDENTIALS, "AWS_ENDPOINT_URL_EKS": url})
    assert found is not None
    assert [found.context["permission"]] == list(statement.actions)
