"""What each service is told about the system that it answers from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.config.load import load_text
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.instance.sources import describe_sources
from sre_agent_deploy.instance.user_data import describe_machine


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
    """Nothing is added to what every release gives its services."""
    assert describe_sources(configured({"recording": "healthy"})) == {}


def test_one_system_of_the_users_own() -> None:
    """Its secrets come as files; the other services have no source, so that no recorded incident is mixed with what is real."""
    found = describe_sources(configured({"metrics": [PROMETHEUS]}))
    entries = {service: json.loads(sources.environment["SRE_SOURCES"]) for service, sources in found.items()}
    assert entries == {
        "kubernetes": [{"source": "none"}],
        "logs": [{"source": "none"}],
        "metrics": [
            {
                "source": "prometheus",
                "url": "https://prometheus.example",
                "username": "sre",
                "password": "source-password",
                "ca": "source-ca",
            }
        ],
    }
    assert {name: reference.json_key for name, reference in found["metrics"].credentials.items()} == {
        "source-password": "password",
        "source-ca": "ca",
    }


def test_the_deployment_of_it() -> None:
    """The secret is a resource, the instance may read it, and its service gets it; no other service does."""
    config = configured({"metrics": [PROMETHEUS]})
    facts = describe_account(config)
    drawn: dict[str, Any] = {item.name: item.resource for item in blueprint(config, facts)}
    assert {key for key, _ in drawn["source_metrics"].values} == {"password", "ca"}
    assert "source_metrics" in str(drawn["instance_role"].statements)
    machine = describe_machine(config, facts, "sre-0000000000")
    with_it = {service.name for service in machine.services if "source-password" in service.credentials}
    assert with_it == {"metrics"}
    assert {service.name for service in machine.services if "SRE_SOURCES" in service.environment} == {"kubernetes", "logs", "metrics"}
