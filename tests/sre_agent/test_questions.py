"""The question decides the answer: thirty-five questions of every kind, over two recordings, through the real services."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from evals.questions.run import ENDS, FOLDER, RECORDINGS, Asked, ask_all, read_questions, read_wordings, render_answers
from evals.recorded_tools import RecordedTools

from sre_agent import supervisor
from sre_agent.brief import MOST_LINES, render_brief
from sre_agent.evidence import Answer, Argument
from sre_agent.lookups.registry import CUES, LOOKUPS
from sre_agent.question.intent import parse_intent
from sre_agent.reasoners.rules.reasoner import Rules
from sre_agent.report import Report
from sre_agent.request import Before, Request
from sre_agent.tools import Tool
from sre_services.recording import SHIPPED

QUESTIONS = read_questions()
NAMES = {"get_workload_status", "get_service_status"}  # the names that exist, where a question names something


# The recording, which is the same for every question, is parsed once.
open_tools = cache(RecordedTools)


class Counted:
    """Keeps the calls of one question; named operations fail."""

    def __init__(self, recording: str, *failing: str) -> None:
        self._tools = open_tools(recording, ENDS)
        self._failing = failing
        self.calls: list[tuple[str, dict[str, Argument]]] = []

    @property
    def operations(self) -> set[str]:
        return {operation for operation, _ in self.calls}

    def offered(self) -> Mapping[str, Tool]:
        return self._tools.offered()

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        self.calls.append((operation, arguments))
        if operation in self._failing:
            return Answer(
                tool=f"target___{operation}", arguments=arguments, at=(await self._tools.call("get_node_status")).at, failure="status 503"
            )
        return await self._tools.call(operation, **arguments)


def ask(prompt: str, tools: Counted | None = None, **options: str) -> Report:
    before = Before(**{name.removeprefix("before_"): options.pop(name) for name in list(options) if name.startswith("before_")})
    request = Request(prompt=prompt, before=before if before.kind else None, **options)
    return asyncio.run(supervisor.answer(request, tools or Counted("crash-loop"), Rules()))


@pytest.fixture(scope="module")
def crash_loop() -> Counted:
    return Counted("crash-loop")


@cache
def asked(recording: str) -> list[Asked]:
    return ask_all(recording, QUESTIONS)


def test_there_are_some_of_every_kind() -> None:
    """Every kind of look-up has a question, and so have a diagnosis, nonsense and another language."""
    assert len(QUESTIONS) == 35
    assert {question.kind for question in QUESTIONS} == {*LOOKUPS, "capabilities", "language"}


@pytest.mark.parametrize("recording", RECORDINGS)
def test_the_answers_that_were_reviewed(recording: str) -> None:
    """Each question gets the answer in the file beside it. `python -m evals questions --write` writes it anew, to be reviewed."""
    assert render_answers(recording, asked(recording)) == (FOLDER / f"{recording}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("recording", RECORDINGS)
def test_answers_are_short_and_cite(recording: str) -> None:
    """No answer has more than twelve lines, and every line of an answer cites evidence of its report."""
    for one in asked(recording):
        assert len(render_brief(one.report).splitlines()) <= MOST_LINES, one.text
        known = {record.id for record in one.report.evidence}
        for claim in one.report.findings if one.report.verdict != "not_understood" else ():
            assert claim.evidence, (one.text, claim.what)
            assert set(claim.evidence) <= known


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text[:30])
def test_the_same_in_other_words(question: object) -> None:
    """The kind of a question does not depend on its wording."""
    assert question in QUESTIONS
    one = next(found for found in QUESTIONS if found is question)
    if one.verdict != "not_found":
        assert [text for text in one.paraphrases if parse_intent(text, CUES).kind not in {one.kind, "capabilities"}] == []


@pytest.mark.parametrize(
    ("prompt", "kind", "subject"),
    [
        ("Payments fail and I can't fix it myself, who should I call?", "escalation", ""),
        ("I just took over the shift. Is everything running the way it should?", "health", ""),
        ("checkout is slow - is payment ok?", "health", "payment-service"),
        ("It's stuck and nothing else has helped, so please do a restart of the payment pods", "action", "payment-service"),
        ("I'd like to know which runbooks there are", "runbook", ""),
        ("Why does checkout fail, is it the database?", "diagnosis", "checkout-service"),
    ],
)
def test_what_is_asked_last(prompt: str, kind: str, subject: str) -> None:
    """A person says first what happened, and asks last: the last clause decides if it asks for something by itself."""
    report = ask(prompt)
    assert (report.kind, report.subject.get("name") or "") == (kind, subject)


def test_further_wordings() -> None:
    """Terse, polite, passive, with typing errors: nearly all get the intended kind."""
    wordings = [one for one in read_wordings() if one.verdict != "not_found"]
    missed = [one.text for one in wordings if parse_intent(one.text, CUES).kind != one.kind]
    assert len(wordings) > 200
    assert len(missed) <= 0.02 * len(wordings), missed


@pytest.mark.parametrize(
    ("prompt", "operations"),
    [
        ("How many nodes are there?", {"get_node_status"}),
        ("Who is on call?", {"get_escalation_procedures"}),
        ("Which runbook is for OOM?", {"search_runbooks", "get_incident_playbook"}),
        ("What changed in the last 2 hours?", {"get_deployment_status"}),
        ("Show me the logs of payment", {*NAMES, "get_recent_logs"}),
        ("How much memory does catalog use?", {*NAMES, "get_resource_metrics"}),
        ("What is wrong with billing?", NAMES),
        ("Hello!", set()),
        ("Was ist los?", set()),
    ],
)
def test_only_the_tools_that_it_needs(prompt: str, operations: set[str]) -> None:
    """A look-up calls no tool that it does not need."""
    tools = Counted("crash-loop")
    ask(prompt, tools)
    assert tools.operations == operations


_DENIED = ", ".join(f"DENIES frontend to {name}-service" for name in ("catalog", "cart", "checkout", "recommendation"))
QUIET = f"quiet: selects all pods, {_DENIED}"


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording with a job, an autoscaler, routes and a policy."""
    folder = Path(shutil.copytree(SHIPPED / "healthy", tmp_path_factory.mktemp("bounded") / "bounded"))
    job = {"status": {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}]}}
    backend = {"name": "cart-service", "port": {"number": 8080}}
    scaled = {"scaleTargetRef": {"kind": "Deployment", "name": "frontend"}, "minReplicas": 2, "maxReplicas": 4}
    for kind, found in {
        "jobs": {"backup-1": job, "import-1": {}},
        "horizontalpodautoscalers": {"busy": {"spec": scaled}},
        "ingresses": {"shop": {"spec": {"rules": [{"host": "shop.example", "http": {"paths": [{"backend": {"service": backend}}]}}]}}},
        "networkpolicies": {"quiet": {"spec": {"podSelector": {}, "policyTypes": ["Egress"]}}},
    }.items():
        items = [{"metadata": {"name": name, "namespace": "shop"}, "spec": {}, **item} for name, item in found.items()]
        (folder / "kubernetes" / f"{kind}.json").write_text(json.dumps({"items": items}))
    (folder / "kubernetes" / "nodemetrics.json").unlink()
    return str(folder)


@pytest.mark.parametrize(
    ("prompt", "headline", "line"),
    [
        ("Did the nightly backup job run?", "1 of 2 jobs", "backup-1: Job, Failed: DeadlineExceeded: too long, started never"),
        ("list the jobs", "2 jobs", "backup-1: Job, Failed: DeadlineExceeded: too long, started never"),
        ("is frontend autoscaled?", "1 of 1 autoscaler", "busy: Deployment frontend, 0 replicas of 2 to 4"),
        ("which ingress leads to cart?", "1 of 1 route", "shop: Ingress, shop.example/ to cart-service"),
        ("what network policies are there", "1 network policy", QUIET),
    ],
)
def test_what_few_applications_have(bounded: str, prompt: str, headline: str, line: str) -> None:
    """Jobs, autoscalers, routes and policies are found by their names and by what they are about."""
    report = ask(prompt, Counted(bounded))
    assert (report.kind, report.headline, report.findings[0].what) == ("objects", headline, line)


def test_nodes_whose_use_is_not_measured(bounded: str) -> None:
    """Their size is no use: that it is not known is said to those who ask for it."""
    report = ask("cpu of the nodes", Counted(bounded))
    assert "used" not in report.findings[0].what
    assert report.hint == "The use of 3 of 3 nodes is not known: the cluster's metrics API does not give it."
    assert ask("how many nodes are there?", Counted(bounded)).hint == ""


def test_jobs_that_can_not_be_read() -> None:
    """That there are none is not said."""
    report = ask("Did the backup job run?", Counted("crash-loop", "get_job_status"))
    assert not report.headline.startswith("No job")


def test_what_does_not_exist() -> None:
    """It is named, with the nearest names, and nothing is said about anything else."""
    report = ask("Why does chekout-service fail?")
    assert (report.verdict, report.headline) == ("not_found", "There is nothing named chekout-service")
    assert "checkout-service" in report.findings[0].what
    assert report.root_cause is None


@pytest.mark.parametrize(
    ("prompt", "kind", "headline", "line"),
    [
        ("what happend around 5:55", "diagnosis", "", ""),
        ("compare latency before and after the rollout", "metric", "Latency in the last 2 hours", "checkout-service: latency_p99"),
        ("cpu of the nodes", "nodes", "3 nodes, all ready", "ip-10-0-2-42.ec2.internal: ready, 9 pods, 1.2 of 4 CPU used, 5.9 of 16 GiB"),
        ("rollback history of payment-service", "changes", "2 changes of payment-service in the", "2026-11-26T10:16:00Z payment-service"),
        ("list revisions of cart", "changes", "1 change of cart-service in the revisions", "2026-11-05T10:30:00Z cart-service revision 18"),
        ("restart count of payment", "pods", "2 pods of payment-service: 2 not ready, 12 restarts", "payment-service-"),
        ("list namespaces", "services", "2 namespaces with workloads or pods", "monitoring: no workloads, 3 pods"),
        ("in which namespace does cart run", "services", "1 namespace with workloads or pods of cart", "shop: 1 workload, 2 pods"),
        ("what's the image of payment-service", "services", "The images of payment-service", "payment-service: registry.shop.example/"),
        ("list the images", "services", "The images of 9 Deployments", "cart-service: registry.shop.example/shop/cart-service:1.19.2"),
        ("is anything else broken besides payment?", "health", "2 of 8 services besides payment-service show", "checkout-service: 34"),
        ("is everything ok except payment", "health", "2 of 8 services besides payment-service show trouble", "checkout-service: 34"),
        ("no other errors besides payment?", "health", "2 of 8 services besides payment-service show trouble", "checkout-service: 34"),
        (
            "how is checkout doing compared to yesterday",
            "comparison",
            "checkout-service: 2026-11-25 09:30 to 10:30 (before)",
            "error rate: not",
        ),
        ("was checkout healthy yesterday?", "health", "Nothing is known of the health of checkout-service from 2026-11-25", ""),
        ("was checkout healthy between 10:15 and 10:25?", "health", "checkout-service was NOT healthy from 2026-11-26T10:10", ""),
        ("has payment been restarted", "pods", "2 pods of payment-service: 2 not ready, 12 restarts", "payment-service-"),
        ("which services are slow", "metric", "Latency in the last 2 hours", "checkout-service: latency_p99"),
        ("is everything up apart from payment", "health", "2 of 8 services besides payment-service show trouble", "checkout-service: 34"),
        ("does cart run the newest image?", "services", "The images of cart-service", "cart-service: registry.shop.example/"),
        ("what's in namespace shop", "services", "9 workloads: 1 with too few ready replicas", "payment-service: Deployment"),
        ("pods in all namespaces", "pods", "25 pods: 2 not ready, 26 restarts", "payment-service-"),
        (
            "is anything else broken besides payment and checkout",
            "health",
            "1 of 7 services besides payment-service and ch",
            "frontend: 4.",
        ),
        ("payment is down, but is anything else down?", "health", "2 of 8 services besides payment-service show", "checkout-service: 34"),
        ("cpu usage of the nodes", "nodes", "3 nodes, all ready", "ip-10-0-2-42.ec2.internal: ready, 9 pods, 1.2 of 4 CPU used"),
        ("is checkout slower than yesterday", "comparison", "checkout-service: 2026-11-25 09:30 to 10:30 (before)", "latency_p95: not"),
        (
            "compare checkout at 10:00 with now",
            "comparison",
            "checkout-service: 2026-11-26 09:45 to 10:07",
            "error rate: 0.04 % before and",
        ),
        (
            "compare before and after 10:16",
            "comparison",
            "All services: 2026-11-26 10:01 to 10:16 (before)",
            "checkout-service: error rate",
        ),
        ('search the logs for "refused"', "logs", "20 lines with “refused” in the last 2 hours", "2026-11-26T10:29:35Z ERROR client"),
        ('lines with "refused" in the logs of cart', "logs", "No lines with “refused” of cart-service in the last 2 hours", ""),
        ("what changed before 10:00", "changes", "1 change from 2026-11-26T08:00:00Z to 2026-11-26T10:00:00Z", "2026-11-26T09:49:00Z"),
        ("what changed at 09:50", "changes", "1 change from 2026-11-26T09:35:00Z to 2026-11-26T10:05:00Z", "2026-11-26T09:49:00Z"),
    ],
)
def test_asked_otherwise_than_by_the_first_that_asked(crash_loop: Counted, prompt: str, kind: str, headline: str, line: str) -> None:
    """Slips, records of changes, images, namespaces, the use of nodes, and what fails besides one thing are answered from the tools."""
    report = ask(prompt, crash_loop)
    assert report.kind == kind
    assert report.headline.startswith(headline)
    assert next((claim.what for claim in report.findings), "").startswith(line)


def test_a_time_that_is_over(crash_loop: Counted) -> None:
    """The cluster is seen as it is now, and a diagnosis of another time says so."""
    assert "as they are now" in ask("what happened between 10:00 and 10:10", crash_loop).notes[-1]
    assert ask("what happened since 10:00", crash_loop).notes == ()
    before = {"before_kind": "health", "before_subject": "cart-service", "before_prompt": "Was cart fine yesterday?"}
    assert ask("was it ok?", crash_loop, **before).headline.endswith("from 2026-11-25T00:00:00Z to 2026-11-26T00:00:00Z")
    assert ask("is it ok now?", crash_loop, **before).headline == "cart-service is healthy"


def test_what_is_left_out() -> None:
    """An excluded name is never the subject, and an answer that leaves out a name of the question says so."""
    report = ask("restart everything except payment")
    assert report.proposal is not None
    assert "payment" not in report.proposal.command
    assert report.notes == ("payment-service could not be left out: this is about everything.",)
    else_ = ask(
        "is anything else broken?", before_kind="diagnosis", before_subject="payment-service", before_prompt="Why does payment fail?"
    )
    assert else_.headline.startswith("2 of 8 services besides payment-service")
    assert ask("compare the latency of checkout with payment").notes == (
        "This is about checkout-service only: ask about payment-service by itself.",
    )


def test_the_next_step_of_a_question_that_names_nothing() -> None:
    """Its command can be typed as it is: the namespace is that of the object at fault."""
    brief = render_brief(ask("What is wrong?"))
    assert "kubectl rollout undo deployment/payment-service -n shop" in brief


def test_a_namespace_in_which_nothing_is() -> None:
    """The option is not dropped silently: those that have something are named. `all` and a namespace that exists are looked at."""
    for prompt in ("What is wrong?", "How many pods are there?"):
        report = asyncio.run(supervisor.answer(Request(prompt=prompt, namespace="nope"), Counted("crash-loop"), Rules()))
        assert (report.verdict, report.headline) == ("not_found", "There is nothing in a namespace named nope")
        assert "shop" in " ".join(claim.what for claim in report.findings)
    for namespace in ("all", "shop"):
        report = asyncio.run(supervisor.answer(Request(prompt="What is wrong?", namespace=namespace), Counted("crash-loop"), Rules()))
        assert report.root_cause is not None


def test_a_word_that_is_no_service() -> None:
    """A question that names things of the business is investigated all the same, and the answer says what it is about."""
    report = ask("Why do invoices fail?")
    assert report.root_cause is not None
    assert report.notes == ("Nothing is named invoices (nearest: inventory-service, shipping-service): this is about everything.",)


@pytest.mark.parametrize(
    ("prompt", "subject", "note"),
    [
        ("billing is broken since noon", "", "Nothing is named billing (nearest: shipping-service): this is about everything."),
        ("Our ledger keeps crashing", "", "Nothing is named ledger (there are: cart-service,"),
        (
            "billing is broken and checkout is slow",
            "checkout-service",
            "Nothing is named billing (nearest: shipping-service): this is about ch",
        ),
        ("is checkout ok? ledger is down", "checkout-service", "Nothing is named ledger (there are: cart-service,"),
        ("checkout is slow since ledger went down", "checkout-service", "Nothing is named ledger"),
        ("paymnet is down", "payment-service", "Nothing is named paymnet: this is read as payment-service."),
        ("the logs of chekout please", "checkout-service", "Nothing is named chekout: this is read as checkout-service."),
    ],
)
def test_a_statement_about_what_does_not_exist(crash_loop: Counted, prompt: str, subject: str, note: str) -> None:
    """Its name is reported, with the nearest names, also if other parts name something; one typing error is read as the name."""
    report = ask(prompt, crash_loop)
    assert report.subject.get("name", "") == subject
    assert report.notes[0].startswith(note)


def test_what_happened_around_a_time(crash_loop: Counted) -> None:
    """Only that time is looked at, and what came after it, or is so now, is no cause of it."""
    for prompt in ("what happened between 08:35 and 09:00", "What happened around 08:50?", "what went wrong at 06:00"):
        report = ask(prompt, crash_loop)
        assert report.root_cause is None, prompt
        assert report.scope["until"] != "now"
        assert f" from {report.scope['since']} to {report.scope['until']}" in render_brief(report).splitlines()[0]
    during = ask("what broke between 10:00 and 10:25", crash_loop)
    assert during.root_cause is not None
    assert during.root_cause.service == "payment-service"
    assert ask("checkout broke at 09:30, why?", crash_loop).scope["until"] == "now"


def test_a_wish_to_act() -> None:
    """The step, the exact command and who may run it are given, nothing is done, and the step can be handed on for approval."""
    tools = Counted("crash-loop")
    report = ask("please restart payment", tools)
    assert report.proposal is not None
    assert report.proposal.command == "kubectl rollout restart deployment/payment-service -n shop"
    assert report.proposal.role.startswith("On-call SRE")
    kept = report.to_json()["proposal"]
    assert isinstance(kept, dict)
    assert (kept["needs_approval"], kept["executed"]) == (True, False)
    assert all(operation.startswith("get_") for operation in tools.operations)


@pytest.mark.parametrize(
    ("prompt", "options", "since"),
    [
        ("Errors of payment since 10:15", {}, "15m"),
        ("Errors of payment", {"since": "10:15"}, "15m"),
        ("Errors of payment", {"since": "45m"}, "45m"),
        ("Errors of payment in the last 20 minutes", {"since": "45m"}, "45m"),
        ("Errors of payment yesterday", {}, "2026-11-25T00:00:00Z"),
        ("Errors of payment last Tuesday", {}, "2026-11-24T00:00:00Z"),
    ],
)
def test_time(prompt: str, options: dict[str, str], since: str) -> None:
    """A time is placed by the clock of the tools, and an option is stronger than the question."""
    assert ask(prompt, **options).scope["since"] == since


def test_where() -> None:
    """Namespace and service are taken from the question, or from options."""
    tools = Counted("crash-loop")
    ask("Which pods are there in namespace monitoring?", tools)
    assert ("get_pod_status", "monitoring") in [(name, arguments.get("namespace")) for name, arguments in tools.calls]
    assert ask("Is it healthy?", service="cart").headline == "cart-service is healthy"
    assert "there are: monitoring, shop" in [claim.what for claim in ask("Show pods", namespace="nowhere").findings]


@pytest.mark.parametrize(
    ("prompt", "kind", "subject"),
    [
        ("and its logs?", "logs", "payment-service"),
        ("What about cart?", "health", "cart-service"),
        ("why is that?", "diagnosis", "payment-service"),
        ("How many nodes are there?", "nodes", ""),
    ],
)
def test_a_question_that_continues(prompt: str, kind: str, subject: str) -> None:
    """An omitted part is taken from the question before; a part of the question itself has priority."""
    report = ask(
        prompt, before_kind="health", before_subject="payment-service", before_namespace="shop", before_prompt="Is payment healthy?"
    )
    assert (report.kind, report.subject.get("name", "")) == (kind, subject)


def test_less_evidence_than_asked_for() -> None:
    """An answer with less evidence says so in its first lines, also if no lookup was possible."""
    partly = render_brief(ask("Is cart healthy?", Counted("crash-loop", "get_error_rates"))).splitlines()
    assert partly[1] == "**Incomplete**: 1 call failed, so this rests on less evidence than was asked for: get\\_error\\_rates".replace(
        "\\", ""
    )
    nothing = ask("How many nodes are there?", Counted("crash-loop", "get_node_status"))
    assert (nothing.verdict, nothing.headline) == ("not_enough_evidence", "The answer could not be looked up")
    diagnosis = render_brief(ask("What is wrong?", Counted("crash-loop", "get_cluster_events"))).splitlines()
    assert diagnosis[1].startswith("**Incomplete**")
    unread = ask("Is cart healthy?", Counted("crash-loop", *NAMES))
    assert "Not all names could be read" in unread.notes[0]
