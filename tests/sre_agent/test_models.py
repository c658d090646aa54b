"""Language models as reasoners, by scripted models behind the APIs of Bedrock, Anthropic and OpenAI, with the providers' own clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from agent_asking import Investigate
from scripted_models import Scripted

from fixtures.embedded import EmbeddedAws, served
from sre_agent.reasoner import Reasoner, create_reasoner
from sre_agent.report import Report

KEY = "k-of-this-run"
DATABASE = r'id="(inv-[0-9a-f]+-e\d+)" tool="logs___get_recent_logs'
PROVIDERS = ("bedrock", "anthropic", "openai")
SUPERVISOR = "You are the supervisor"
LOGS, METRICS, KUBERNETES = "the logs specialist", "the metrics specialist", "the kubernetes specialist"


def ask(name: str, question: str) -> dict[str, Any]:
    return {"name": f"ask_{name}", "arguments": {"question": question}}


def claim(tool: str, quote: str, text: str = "It is seen.", before: str = "") -> dict[str, str]:
    """A claim on the last observation of a tool, quoted by an expression."""
    found = rf'id="(inv-[0-9a-f]+-e\d+)" tool="[a-z]+___{tool}"'
    return {"claim": text, "evidence": f"<<{found}>>", "quote": quote}


type Rule = Mapping[str, Any]


def answer(system: str, turn: int, name: str, /, **arguments: Any) -> Rule:
    return {"system": system, "turn": turn, "tools": [{"name": name, "arguments": arguments}]}


# A model that works: it asks one specialist, who calls a tool, quotes its answer, and the supervisor concludes the rules' cause.
GOOD: tuple[Rule, ...] = (
    {"system": SUPERVISOR, "turn": 0, "text": "I ask.", "tools": [ask("kubernetes", "Which pods of payment-service fail?")]},
    answer(KUBERNETES, 0, "get_pod_status", namespace="shop"),
    answer(KUBERNETES, 1, "answer", claims=[claim("get_pod_status", '"namespace": "shop"', "Pods run in shop")], not_seen=""),
    answer(
        SUPERVISOR, 1, "conclude", verdict="root_cause_found", cause="bad_configuration", kind="Deployment", namespace="shop",
        name="payment-service", summary="payment-service can't start", confidence=0.9,
        claims=[claim("get_pod_status", '"namespace": "shop"', "The pods of the payment service were looked at")],
    ),
)  # fmt: skip


class Models:
    """The three scripted APIs, and a reasoner for each."""

    def __init__(self, aws: EmbeddedAws, scripted: Scripted) -> None:
        self.aws, self.scripted = aws, scripted

    def script(self, *rules: Rule) -> None:
        self.scripted.rules = rules
        self.scripted.bodies.clear()
        (self.aws.state_dir / "script.json").write_text(json.dumps({"answers": rules}))

    def reasoner(self, name: str, **settings: str) -> Reasoner:
        registry = self.aws.registry
        environment = {
            "bedrock": {
                "AWS_REGION": self.aws.region,
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.aws.endpoint,
                "AWS_CA_BUNDLE": self.aws.ca_file,
                "AWS_ACCESS_KEY_ID": registry["access_key_id"],
                "AWS_SECRET_ACCESS_KEY": registry["secret_access_key"],
            },
            "anthropic": {"ANTHROPIC_API_KEY": KEY, "SRE_MODEL_URL": self.scripted.url},
            "openai": {"SRE_MODEL": "scripted-1", "SRE_MODEL_URL": f"{self.scripted.url}/v1"},
        }[name]
        return create_reasoner(name, {**environment, **settings})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    folder = tmp_path_factory.mktemp("bedrock")
    with served(folder, "--no-boot", "--bedrock-script", str(folder / "script.json")) as aws, Scripted.running() as scripted:
        yield Models(aws, scripted)


@pytest.fixture
def asked(models: Models, investigate: Investigate) -> Callable[..., Report]:
    """Asks about a recording with a scripted model."""

    def ask_model(name: str, *rules: Rule, recording: str = "crash-loop", prompt: str = "What is wrong?", **settings: str) -> Report:
        models.script(*rules)
        return investigate(recording, prompt, reasoner=models.reasoner(name, **settings))

    return ask_model


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_tool_loop(asked: Callable[..., Report], provider: str) -> None:
    """A supervisor asks a specialist, who calls a tool of the gateway by its own schema and quotes it; the report cites the quote."""
    report = asked(provider, *GOOD)
    assert report.model["answered"], report.model["why"]
    assert report.root_cause
    assert (report.root_cause.kind, report.root_cause.service) == ("bad_configuration", "payment-service")
    assert report.findings[0].what == "The pods of the payment service were looked at"
    cited = next(record for record in report.evidence if record.id == report.findings[0].evidence[0])
    assert cited.tool == "kubernetes___get_pod_status"
    assert report.model["requests"] == 4
    assert report.notes == ()
