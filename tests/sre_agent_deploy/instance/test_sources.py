"""Each service gets the settings of the system that it answers from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.checks.preflight.sources import source_checks
from sre_agent_deploy.config.load import load_text
from sre_agent_deploy.config.models import AssistantConfig, Config
from sre_agent_deploy.config.sources import ClusterSource, LogSource, MetricSource, RunbookSource
from sre_agent_deploy.instance.user_data import ServiceSources, describe_machine, describe_sources, keep_source
from sre_agent_deploy.policies import model_statements, source_statements


def configured(services: dict[str, object]) -> Config:
    text = json.dumps({"version": 1, "mode": "local", "name": "test", "services": services})
    loaded = load_text(Path("config.yaml"), text, environ={}, mode="local")
    assert isinstance(loaded, Config), loaded
    return loaded


PROMETHEUS = {
    "source": "prometheus",
    "url": "https://prometheus.example",
    "username": "sre",
    "password": "env:PASSWORD",
    "ca": "file:/ca.pem",
}


def test_a_recording() -> None:
    """Nothing is added to what every release gives its services, but where the assistant keeps sessions: on the disk of the machine."""
    found = describe_sources(configured({"recording": "healthy"}))
    own = {"SRE_SESSION_STORE": "sqlite", "SRE_SESSION_SECONDS": "86400"}
    assert found == {"assistant": ServiceSources(own, keeps_state=True)}


def test_where_sessions_are_kept() -> None:
    """In a table of the deployment, reached with the role, on AgentCore Runtime or where it is chosen; nowhere where none are wanted."""
    config = configured({})
    chosen = {
        ("ec2", "auto"): "sqlite", ("agentcore", "auto"): "dynamodb", ("ec2", "dynamodb"): "dynamodb", ("ec2", "none"): "",
        ("agentcore", "none"): "",
    }  # fmt: skip
    for (runtime, store), expected in chosen.items():
        assistant = AssistantConfig.model_validate({"runtime": runtime, "session_store": store, "session_ttl": "2h"})
        found = describe_sources(config.model_copy(update={"assistant": assistant})).get("assistant", ServiceSources())
        assert found.environment.get("SRE_SESSION_STORE", "") == expected
        assert (found.uses_role, found.keeps_state) == (expected == "dynamodb", expected == "sqlite")
        assert found.environment.get("SRE_SESSION_SECONDS", "") == ("7200" if expected else "")
        assert ("SRE_SESSION_TABLE" in found.environment) is (expected == "dynamodb")


def test_who_uses_the_role() -> None:
    """A service that reads a system on AWS, and an assistant with a model on Bedrock; no other gets the role's credentials."""
    services = {"logs": [{"source": "cloudwatch", "log_groups": ["/ecs/c"]}], "metrics": [PROMETHEUS]}
    config = Config.model_validate({"mode": "production", "name": "test", "services": services})
    for assistant, users in (
        (AssistantConfig(reasoner="rules"), {"logs"}),
        (AssistantConfig(reasoner="bedrock"), {"logs", "assistant"}),
        (AssistantConfig(reasoner="bedrock", api_key="env:KEY"), {"logs"}),
        (AssistantConfig(reasoner="anthropic", api_key="env:KEY"), {"logs"}),
    ):
        found = describe_sources(config.model_copy(update={"assistant": assistant}))
        assert {service for service, sources in found.items() if sources.uses_role} == users
    assert keep_source(describe_sources(config)["logs"], "cloudwatch").uses_role


def test_one_system_of_the_users_own() -> None:
    """Its secrets come as files; the other services have no source, so that no recorded incident is mixed with what is real."""
    found = describe_sources(configured({"metrics": [PROMETHEUS]}))
    entries = {service: json.loads(each.environment["SRE_SOURCES"]) for service, each in found.items() if service != "assistant"}
    assert entries == {
        "kubernetes": [{"source": "none"}],
        "logs": [{"source": "none"}],
        "metrics": [
            {
                "source": "prometheus",
                "name": "prometheus",
                "url": "https://prometheus.example",
                "username": "sre",
                "password": "source-prometheus-password",
                "ca": "source-prometheus-ca",
            }
        ],
    }
    assert {name: reference.json_key for name, reference in found["metrics"].credentials.items()} == {
        "source-prometheus-password": "prometheus-password",
        "source-prometheus-ca": "prometheus-ca",
    }


def test_the_deployment_of_it() -> None:
    """The secret is a resource, the instance may read it, and its service gets it; no other service does."""
    config = configured({"metrics": [PROMETHEUS]})
    facts = describe_account(config)
    drawn: dict[str, Any] = {item.name: item.resource for item in blueprint(config, facts)}
    assert {key for key, _ in drawn["source_metrics"].values} == {"prometheus-password", "prometheus-ca"}
    assert "source_metrics" in str(drawn["instance_role"].statements)
    machine = describe_machine(config, facts, "sre-0000000000")
    with_it = {service.name for service in machine.services if "source-prometheus-password" in service.credentials}
    assert with_it == {"metrics"}
    assert {service.name for service in machine.services if "SRE_SOURCES" in service.environment} == {"kubernetes", "logs", "metrics"}


def test_runbooks_of_the_users_own() -> None:
    """They change nothing else: the other services still answer from the recording, and with a system of one's own it is as before."""
    repository = {"source": "git", "url": "https://git.example/runbooks.git", "token": "env:TOKEN"}
    alone = describe_sources(configured({"runbooks": [repository]}))
    assert set(alone) == {"assistant", "runbooks"}
    assert set(alone["runbooks"].credentials) == {"source-git-token"}
    with_another = describe_sources(configured({"runbooks": [repository], "metrics": [PROMETHEUS]}))
    assert set(with_another) == {"assistant", "kubernetes", "logs", "metrics", "runbooks"}


def test_several_systems_of_one_kind() -> None:
    """Each has a name, which is in the names of its credentials, so that none gets another's; preflight gets only its own."""
    config = configured({"metrics": [PROMETHEUS, {**PROMETHEUS, "name": "prod"}, {"source": "prometheus", "url": "http://third.example"}]})
    sources = describe_sources(config)["metrics"]
    entries = json.loads(sources.environment["SRE_SOURCES"])
    assert [entry["name"] for entry in entries] == ["prometheus", "prod", "prometheus-3"]
    assert set(sources.credentials) == {f"source-{name}-{field}" for name in ("prometheus", "prod") for field in ("password", "ca")}
    own = keep_source(sources, "prod")
    assert [entry["name"] for entry in json.loads(own.environment["SRE_SOURCES"])] == ["prod"]
    assert set(own.credentials) == {"source-prod-password", "source-prod-ca"}
    checks = source_checks(config)
    assert [check.id for check in checks] == ["source.metrics.prometheus", "source.metrics.prod", "source.metrics.prometheus-3"]
    assert [check.id for check in source_checks(configured({"metrics": [PROMETHEUS]}))] == ["source.metrics"]


def test_sources_on_aws() -> None:
    """The instance may query the named log groups and no others, in their region; a metric has no resource. Nothing else is added."""
    sources: list[dict[str, object]] = [
        {"source": "cloudwatch", "log_groups": ["/aws/lambda/a", "/ecs/b"]},
        {"source": "cloudwatch", "log_groups": ["/ecs/c"], "region": "eu-west-1"},
    ]
    chosen = [
        *(LogSource.model_validate(each) for each in sources),
        MetricSource(source="cloudwatch"),
        MetricSource(source="amp", url="https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/", region="eu-west-1"),
        *(ClusterSource(source="eks", cluster=name) for name in ("prod", "test")),
        LogSource(source="eks", cluster="prod"),
        LogSource(source="files", path="/var/log"),
        RunbookSource(source="s3", bucket="team", prefix="runbooks/"),
    ]
    found = source_statements("aws", "us-east-1", "123456789012", chosen)
    allowed = {(action, str(resource)) for statement in found for action in statement.actions for resource in statement.resources}
    groups = {("us-east-1", "/aws/lambda/a"), ("us-east-1", "/ecs/b"), ("eu-west-1", "/ecs/c")}
    arns = [f"arn:aws:logs:{region}:123456789012:log-group:{name}{end}" for region, name in groups for end in ("", ":*")]
    anywhere = ("logs:GetQueryResults", "logs:StopQuery", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics")
    workspace = "arn:aws:aps:eu-west-1:123456789012:workspace/ws-1"
    assert allowed == {
        *(("logs:StartQuery", arn) for arn in arns),
        *((action, "*") for action in anywhere),
        ("s3:ListBucket", "arn:aws:s3:::team"),
        ("s3:GetObject", "arn:aws:s3:::team/runbooks/*"),
        *((f"aps:{action}", workspace) for action in ("GetSeries", "QueryMetrics")),
        *(("eks:DescribeCluster", f"arn:aws:eks:us-east-1:123456789012:cluster/{name}") for name in ("prod", "test")),
    }
    assert len({statement.sid for statement in found}) == len(found)
    assert [dict(each.conditions) for each in found if each.conditions] == [{"StringLike": {"s3:prefix": "runbooks/*"}}]


def with_model(**assistant: object) -> Config:
    parts = {"version": 1, "mode": "local", "name": "test", "assistant": assistant, "privacy": {"hide": ["x[0-9]"]}}
    loaded = load_text(Path("config.yaml"), json.dumps(parts), environ={}, mode="local")
    assert isinstance(loaded, Config), loaded
    return loaded


def test_a_model_with_a_key() -> None:
    """The assistant gets the model, its budget and what to hide; the key is a credential, never a variable."""
    found = describe_sources(with_model(reasoner="anthropic", api_key="env:ANTHROPIC_API_KEY", tokens_per_question=1000))["assistant"]
    assert found.environment["SRE_REASONER"] == "anthropic"
    assert found.environment["SRE_MODEL_TOKENS"] == "1000"
    assert found.environment["SRE_PRIVACY_HIDE"] == '["x[0-9]"]'
    assert found.credentials["model-api-key"].json_key == "api_key"
    assert "KEY" not in "".join(found.environment)


def test_the_models_that_the_instance_may_use() -> None:
    """On Bedrock exactly two: by profile in this region, and only through it in those regions that it routes to. Otherwise none."""
    chosen = AssistantConfig(reasoner="bedrock").models
    statements = model_statements("aws", "eu-west-1", "123456789012", chosen)
    arns = [str(arn) for statement in statements for arn in statement.resources]
    assert "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-6" in arns
    assert "arn:aws:bedrock:eu-north-1::foundation-model/amazon.nova-pro-v1:0" in arns
    assert not [arn for arn in arns if "*" in arn or "us-" in arn]
    assert all(statement.conditions for statement in statements if "foundation-model" in str(statement.resources[0]))
    assert with_model(reasoner="openai", model="m", api_key="env:K").assistant.models == ()
