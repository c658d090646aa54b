"""The OpenAPI documents: what the code says, and what AgentCore accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from sre_core import release
from sre_services import openapi
from sre_services.application import NAMES, Api
from sre_services.cli import main

# The tools that existing users have, and those that were added since: operation to parameters.
OPERATIONS = {
    "kubernetes": {
        "get_pod_status": {"namespace", "pod_name"},
        "get_deployment_status": {"namespace", "deployment_name"},
        "get_cluster_events": {"since", "severity"},
        "get_resource_usage": {"namespace", "resource_type"},
        "get_node_status": {"node_name"},
        "get_service_status": {"namespace", "service_name"},
        "get_workload_status": {"namespace", "workload_name"},
        "get_storage_status": {"namespace", "claim_name"},
        "get_quota_status": {"namespace"},
        "get_node_components": {"node_name"},
        "get_job_status": {"namespace", "job_name"},
        "get_autoscaler_status": {"namespace", "autoscaler_name"},
        "get_limit_status": {"namespace"},
        "get_route_status": {"namespace", "route_name"},
        "get_connectivity_status": {"namespace", "policy_name"},
    },
    "logs": {
        "search_logs": {"pattern", "start_time", "end_time", "log_level"},
        "get_error_logs": {"since", "service"},
        "analyze_log_patterns": {"time_window", "min_occurrences"},
        "get_recent_logs": {"limit", "service"},
        "count_log_events": {"event_type", "time_window", "group_by"},
    },
    "metrics": {
        "get_performance_metrics": {"metric_type", "start_time", "end_time", "service"},
        "get_service_graph": {"service", "time_window"},
        "get_error_rates": {"time_window", "service"},
        "get_resource_metrics": {"resource_type", "service", "time_window"},
        "get_availability_metrics": {"service", "time_window"},
        "analyze_trends": {"metric_name", "service", "time_window", "anomaly_threshold"},
    },
    "runbooks": {
        "search_runbooks": {"incident_type", "keyword", "severity"},
        "get_incident_playbook": {"playbook_id"},
        "get_troubleshooting_guide": {"category", "issue_type"},
        "get_escalation_procedures": {"severity", "incident_type"},
        "get_common_resolutions": {"issue", "service"},
    },
}
# Bedrock refuses longer tool names; this is the longest target name that leaves room for all.
LONGEST_TOOL, LONGEST_TARGET = 64, 36
FORBIDDEN = {"oneOf", "anyOf", "allOf", "callbacks", "links", "security", "securitySchemes", "servers", "style", "explode", "allowReserved"}


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(openapi.document_path(name).read_text(encoding="utf-8"))
    return found


def operations(name: str) -> dict[str, dict[str, Any]]:
    return {item["get"]["operationId"]: item["get"] for item in document(name)["paths"].values()}


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from keys(part)
    elif isinstance(value, list):
        for part in value:
            yield from keys(part)


@pytest.mark.parametrize("name", NAMES)
def test_committed_document(name: str) -> None:
    """It is what the code generates, and where the release says it is."""
    assert document(name) == Api.of(name).document()
    assert [service.openapi for service in release.backends() if service.name == name] == [f"sre_services/{name}/openapi.json"]


@pytest.mark.parametrize("name", NAMES)
def test_operations_and_parameters(name: str) -> None:
    """Exactly these operations with the parameters that their users know; nothing else is in the document."""
    found = {operation: {parameter["name"] for parameter in about["parameters"]} for operation, about in operations(name).items()}
    assert found == {operation: {*parameters, "cursor"} for operation, parameters in OPERATIONS[name].items()}
    assert all(set(item) == {"get"} for item in document(name)["paths"].values())


@pytest.mark.parametrize("name", NAMES)
def test_document_is_valid_openapi(name: str) -> None:
    """It passes OpenAPI's own schema."""
    validate(document(name))
    assert document(name)["openapi"].startswith(("3.0", "3.1"))


@pytest.mark.parametrize("name", NAMES)
def test_document_has_only_what_agentcore_accepts(name: str) -> None:
    """No composition of schemas, no serializers, callbacks, links, security or servers."""
    assert FORBIDDEN.isdisjoint(keys(document(name)))


@pytest.mark.parametrize("name", NAMES)
def test_words_for_a_model(name: str) -> None:
    """Every operation and parameter says what it is for, and tool names stay short."""
    for operation, about in operations(name).items():
        assert len(operation) + len("___") + LONGEST_TARGET <= LONGEST_TOOL
        assert 40 < len(about["description"]) < 600
        assert all(20 < len(parameter["description"]) < 300 for parameter in about["parameters"])


def test_only_the_playbook_needs_an_argument() -> None:
    """All else has defaults: a first look takes no arguments."""
    needed = {
        (operation, parameter["name"])
        for name in NAMES
        for operation, about in operations(name).items()
        for parameter in about["parameters"]
        if parameter.get("required")
    }
    assert needed == {("get_incident_playbook", "playbook_id")}


def test_check_of_fresh_documents(capsys: pytest.CaptureFixture[str]) -> None:
    """`openapi --check` ends 0 and says nothing when the documents are fresh."""
    assert main(["openapi", "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_check_of_stale_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A check names what differs and writes nothing; without it, what differs is written."""
    from sre_services.cli import write_generated

    stale, fresh = tmp_path / "stale.json", tmp_path / "fresh.json"
    stale.write_text("old")
    fresh.write_text("new")
    wanted = {stale: "new", fresh: "new", tmp_path / "absent" / "file.json": "new"}
    assert write_generated(wanted, check=True) == 1
    assert stale.read_text() == "old"
    assert str(stale) in capsys.readouterr().out
    assert write_generated(wanted, check=False) == 0
    assert stale.read_text() == "new"
    assert write_generated(wanted, check=True) == 0
