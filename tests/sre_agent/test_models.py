"""Language models as reasoners, by scripted models behind the APIs of Bedrock, Anthropic and OpenAI, with the providers' own clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from agent_asking import Investigate
from evals.recorded_tools import RecordedTools
from scripted_models import Scripted

from fixtures.api_key import make_api_key
from fixtures.embedded import EmbeddedAws, served
from sre_agent import supervisor
from sre_agent.brief import render_brief
from sre_agent.reasoners import Reasoner, create_reasoner
from sre_agent.render import render_markdown
from sre_agent.report import Report
from sre_agent.request import Request

# The program ignores it when it loads its agents; pytest begins each test with filters of its own.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic_ai.exceptions.CostNotFoundWarning")
KEY = "k-of-this-run"
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


@pytest.fixture(scope="module")
def tools() -> RecordedTools:
    """The services in the process: through a gateway an answer takes twice as long, and shows no more of a model's faults."""
    return RecordedTools("crash-loop")


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
    [used] = report.model["models"]
    tokens = ("input_tokens", "cached_tokens", "output_tokens")
    assert {name: used[name] for name in tokens} == {name: report.model[name] for name in tokens}
    # The scripted model has no price: it has tokens, and no cost.
    assert used.get("dollars") == pytest.approx(report.model["dollars"])
    assert report.notes == ()


THROTTLED = {"error": "ThrottlingException", "status": 429, "message": "Too many tokens"}
ENDLESS = (
    {"system": SUPERVISOR, "tools": [ask("kubernetes", "Again?")]},
    answer(KUBERNETES, 0, "get_node_status"),
    {"system": KUBERNETES, "tools": [{"name": "answer", "arguments": {"claims": [], "not_seen": "all"}}]},
)
CONCLUDED = {"verdict": "root_cause_found", "cause": "oom_killed", "kind": "Deployment", "namespace": "shop", "name": "cart-service"}
INVENTED = [
    {"claim": "It was killed", "evidence": "inv-00000000-e1", "quote": "OOMKilled exit code 137"},
    {"claim": "It used all memory", "evidence": r"<<id=\"(inv-[0-9a-f]+-e\d+)\">>", "quote": "memory usage is 4096 petabytes"},
]
SAID = {**CONCLUDED, "summary": "It was killed", "claims": INVENTED}
INVENTS = ({"system": SUPERVISOR, "tools": [{"name": "conclude", "arguments": SAID}]},)


@pytest.mark.parametrize(
    ("provider", "rules", "settings", "says"),
    [
        ("bedrock", (THROTTLED,), {}, "throttles"),
        ("anthropic", (THROTTLED,), {}, "throttles"),
        ("openai", ({"error": "server_error", "status": 500, "message": "down"},), {}, "error (500"),
        ("openai", ({"error": "invalid_api_key", "status": 401, "message": "no"},), {}, "refuses access"),
        ("openai", GOOD, {"SRE_MODEL_URL": "http://127.0.0.1:9/v1"}, "can't be reached"),
        ("openai", ({"text": "Clouds are made of water."},), {}, "no form that can be used"),
        ("openai", ENDLESS, {"SRE_MODEL_REQUESTS": "6"}, "budget (requests)"),
        ("openai", ENDLESS, {"SRE_MODEL_CALLS": "4"}, "budget (calls of tools)"),
        ("openai", ENDLESS, {"SRE_MODEL_TOKENS": "3000"}, "budget (tokens)"),
        ("anthropic", ENDLESS, {"SRE_MODEL_DOLLARS": "0.00001"}, "budget (dollars)"),
        ("openai", ({"seconds": 3, "text": "late"},), {"SRE_MODEL_SECONDS": "0.5"}, "within 0.5 s"),
    ],
    ids=[
        "throttled",
        "throttled-anthropic",
        "down",
        "refused",
        "unreachable",
        "nonsense",
        "never stops",
        "calls",
        "tokens",
        "money",
        "slow",
    ],
)
def test_a_model_that_fails(
    models: Models, tools: RecordedTools, provider: str, rules: tuple[Rule, ...], settings: dict[str, str], says: str
) -> None:
    """The rules' answer is shown, and the first lines of the short answer and of the report say why the model gave none."""
    models.script(*rules)
    report = asyncio.run(supervisor.answer(Request(prompt="What is wrong?"), tools, models.reasoner(provider, **settings)))
    assert report.root_cause
    assert report.root_cause.kind == "bad_configuration"
    assert says in str(report.model["why"])
    first = render_brief(report).splitlines()[1]
    assert "gave no usable answer" in first
    assert "answer of the rules" in first
    assert "gave no usable answer" in "".join(render_markdown(report).splitlines()[:4])


def test_a_model_that_invents_evidence(asked: Callable[..., Report]) -> None:
    """Neither an observation that does not exist nor a quotation that is not in it reaches the reader, and the rules' cause is shown."""
    report = asked("openai", *INVENTS)
    assert report.root_cause
    assert report.root_cause.kind == "bad_configuration"
    assert not [claim for claim in report.findings if claim.what in {"It was killed", "It used all memory"}]
    assert any("2 claims of the language model were refused" in note for note in report.notes)


def test_the_second_model(asked: Callable[..., Report], models: Models) -> None:
    """Where the first model is throttled, the second one answers, each by the profile of the region."""
    report = asked("bedrock", {"model": "us.anthropic.*", **THROTTLED}, *({"model": "us.amazon.nova-pro*", **rule} for rule in GOOD))
    assert models.aws.region.startswith("us-")
    assert report.model["answered"], report.model["why"]
    [used] = report.model["models"]
    assert "nova-pro" in used["model"]
    assert used["requests"] == report.model["requests"]
    assert used["dollars"] == pytest.approx(report.model["dollars"])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_progress(models: Models, tools: RecordedTools, provider: str) -> None:
    """For a waiting user the answers are streamed, and each question to a specialist is shown as it is put."""
    models.script(*GOOD)
    shown: list[str] = []
    report = asyncio.run(supervisor.answer(Request(prompt="What is wrong?"), tools, models.reasoner(provider), shown.append))
    assert report.model["answered"], report.model["why"]
    assert report.model["models"][0]["output_tokens"] == report.model["output_tokens"]
    assert shown == ["ask_kubernetes"]


def test_secrets_and_what_the_settings_hide(asked: Callable[..., Report], models: Models) -> None:
    """Nothing that is secret or hidden is in any request, not even from the question; the key is only in its header."""
    secret = "AKIA" + "Q7RT2ZX4MN8PLK3V"
    hidden = {"SRE_PRIVACY_HIDE": '["payments-db", "customer-[0-9]+"]', "SRE_PRIVACY_ADDRESSES": "hide"}
    prompt = f"Why does payment fail for customer-4711 at 10.1.2.3 with password=hunter2 and {secret}?"
    models.scripted.headers.clear()
    report = asked("anthropic", *GOOD, prompt=prompt, **hidden)
    assert report.model["answered"], report.model["why"]
    sent = "".join(models.scripted.bodies)
    assert "Why does payment fail for" in sent
    assert not [text for text in (secret, "hunter2", "customer-4711", "10.1.2.3", "payments-db", KEY) if text in sent]
    assert all(KEY in str(headers) for headers in models.scripted.headers)
    assert '"cache_control"' in sent


def test_bedrock_with_an_api_key(asked: Callable[..., Report], models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key alone opens the models: in local mode, and if the assistant has no role. No other credential is sent."""
    monkeypatch.setenv("AWS_CA_BUNDLE", models.aws.ca_file)
    settings = {"AWS_BEARER_TOKEN_BEDROCK": make_api_key(models.aws), "SRE_MODEL_URL": models.aws.endpoint}
    none = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"), "")
    report = asked("bedrock", *GOOD, **none, **settings)
    assert report.model["answered"], report.model["why"]
    assert report.findings[0].what == "The pods of the payment service were looked at"
    refused = asked("bedrock", *GOOD, **none, **{**settings, "AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-forged"})
    assert "refuses access" in str(refused.model["why"])
    assert refused.root_cause
