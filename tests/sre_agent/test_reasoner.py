"""Another reasoner is one new file and one line in the registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent_asking import Investigate

from sre_agent.reasoners import REASONERS, Reasoner, create_reasoner
from sre_core.problem import Refused

MADE_UP = '''
from sre_agent.evidence import new_investigation_id
from sre_agent.report import Report
from sre_core import clock


class Counting:
    """Concludes nothing, counts what it was given, and asks one more question of its own."""

    name = "counting"

    def __init__(self, unit):
        self.unit = unit

    async def conclude(self, inquiry, observations, tools):
        nodes = await tools.call("get_node_status")
        return Report(
            investigation_id=new_investigation_id(), prompt=f"{len(observations.pods)} {self.unit}, {len(nodes.data['items'])} nodes",
            scope=inquiry.scope.to_json(), started_at=inquiry.started_at, finished_at=clock.now(), reasoner=self.name,
            verdict="not_enough_evidence", root_cause=None, findings=(), timeline=(), ruled_out=(), gaps=observations.gaps, checked=(),
            next_steps=(), evidence=(),
        )


def create(environment):
    return Counting(environment["COUNTING_UNIT"])
'''


def test_a_reasoner_that_was_added(investigate: Investigate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the first look of the specialists and the tools, reads its own settings, and its report is the answer."""
    (tmp_path / "made_up_reasoner.py").write_text(MADE_UP)
    monkeypatch.syspath_prepend(tmp_path)
    registry = {**REASONERS, "counting": "made_up_reasoner"}
    reasoner = create_reasoner("counting", {"COUNTING_UNIT": "pods"}, registry=registry)
    report = investigate("healthy", "What is wrong in namespace shop?", reasoner=reasoner)
    assert report.reasoner == "counting"
    assert report.prompt == "22 pods, 3 nodes"
    assert report.scope["namespace"] == "shop"


@pytest.mark.parametrize("name", REASONERS)
def test_each_reasoner_of_the_registry(name: str) -> None:
    """Its module creates what the protocol asks for."""
    settings = {
        "AWS_REGION": "eu-west-1",
        "ANTHROPIC_API_KEY": "k-of-this-run",
        "SRE_MODEL": "some-model",
        "SRE_MODEL_URL": "http://127.0.0.1:1",
    }
    assert isinstance(create_reasoner(name, settings), Reasoner)


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("bedrock", {}, "MODEL-SETTING-INVALID"),
        ("anthropic", {}, "MODEL-KEY-MISSING"),
        ("openai", {}, "MODEL-SETTING-INVALID"),
        ("openai", {"SRE_MODEL": "gpt-5.2"}, "MODEL-KEY-MISSING"),
        ("openai", {"SRE_MODEL": "m", "SRE_MODEL_URL": "http://models.example.com/v1"}, "MODEL-SETTING-INVALID"),
        ("anthropic", {"ANTHROPIC_API_KEY": "k", "SRE_MODEL_TOKENS": "many"}, "MODEL-SETTING-INVALID"),
        ("anthropic", {"ANTHROPIC_API_KEY": "k", "SRE_PRIVACY_HIDE": '["("]'}, "MODEL-SETTING-INVALID"),
    ],
)
def test_settings_of_a_model(name: str, settings: dict[str, str], expected: str) -> None:
    """A model that can't be asked is refused at the start, with what to set; an address in clear text is refused outside this machine."""
    with pytest.raises(Refused) as refused:
        create_reasoner(name, settings)
    assert [problem.code for problem in refused.value.problems] == [expected]
