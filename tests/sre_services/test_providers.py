"""Another provider is one new file and one line in the registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sre_core.problem import Refused
from sre_core.secret import Secret
from sre_services.application import NAMES, Api, build_app
from sre_services.providers import PROVIDERS, open_provider

from .conftest import KEY

KUBECONFIG = {
    "clusters": [{"name": "a", "cluster": {"server": "https://cluster.example"}}],
    "users": [{"name": "a", "user": {"token": "of this test"}}],
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    "current-context": "a",
}
# Only a pod of a cluster, or an identity of AWS, has what they read when they are opened.
ELSEWHERE = {"in-cluster", "eks"}
SETTINGS = {
    "prometheus": {"url": "https://prometheus.example"},
    "kubeconfig": {"kubeconfig": "kubeconfig"},
    "files": {"path": "/var/log"},
    "journald": {"url": "https://journal.example"},
    "loki": {"url": "https://loki.example"},
    "folder": {"path": "/var/runbooks"},
    "git": {"url": "https://git.example/runbooks"},
    "s3": {"bucket": "runbooks", "region": "eu-west-1"},
    "opensearch": {"url": "https://opensearch.example", "index": "logs-*"},
    "amp": {"url": "https://aps-workspaces.example/workspaces/ws-1", "region": "eu-west-1"},
    "cloudwatch": {"log_groups": "/aws/lambda/checkout", "region": "eu-west-1"},
}
"""What each source needs at least."""

WIKI = '''
from sre_core import clock
from sre_services.runbooks.markdown import parse_runbook


class Wiki:
    """Runbooks as a made-up wiki keeps them."""

    def __init__(self, address):
        self.address = address

    @property
    def as_of(self):
        return clock.now()

    def runbooks(self):
        page = "---\\nid: flood\\ntitle: The cellar is flooded\\nseverity: high\\n---\\n## Resolution\\nPump.\\n"
        return (parse_runbook(f"{self.address}/flood", page),)


def open_provider(settings):
    return Wiki(settings.require("address"))
'''


def test_a_provider_that_was_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service answers from it; it read its own settings, and nothing else had to know of it."""
    (tmp_path / "made_up_wiki.py").write_text(WIKI)
    monkeypatch.syspath_prepend(tmp_path)
    registry = {**PROVIDERS, "runbooks": {**PROVIDERS["runbooks"], "wiki": "made_up_wiki"}}
    provider = open_provider("runbooks", {"SRE_SOURCES": '[{"source": "wiki", "address": "https://wiki.example"}]'}, registry=registry)
    client = TestClient(build_app(Api.of("runbooks"), provider, Secret(KEY)), headers={"X-API-Key": KEY})
    (item,) = client.get("/runbooks/search", params={"keyword": "flooded"}).json()["items"]
    assert (item["playbook_id"], item["file"]) == ("flood", "https://wiki.example/flood")


def test_an_unknown_provider_names_those_that_there_are() -> None:
    """The registry is the list of what can be set."""
    with pytest.raises(Refused) as refused:
        open_provider("logs", {"SRE_SOURCES": '[{"source": "a-notebook"}]'})
    assert refused.value.problems[0].code == "SVC-PROVIDER-UNKNOWN"
    assert "recorded" in refused.value.problems[0].do[0]


@pytest.mark.parametrize("service", NAMES)
def test_each_provider_of_the_registry(service: str, tmp_path: Path) -> None:
    """It opens from the settings that the documentation gives it, also while its system is out of reach."""
    (tmp_path / "kubeconfig").write_text(json.dumps(KUBECONFIG))
    for name in PROVIDERS[service].keys() - ELSEWHERE:
        sources = json.dumps([{"source": name, **SETTINGS.get(name, {})}])
        assert open_provider(service, {"SRE_SOURCES": sources, "SRE_RECORDING": "healthy", "CREDENTIALS_DIRECTORY": str(tmp_path)})
