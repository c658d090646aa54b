"""The verification report: one cause once, with its hop; and the same facts in each of its forms."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from architecture.sources import sources
from sre_agent_deploy.checks import Finding
from sre_agent_deploy.checks.suite import verification_checks
from sre_agent_deploy.report.render import SUFFIXES, export_report, html, junit, markdown
from sre_agent_deploy.report.report import (
    Report,
    ResourceResult,
    Since,
    compare_reports,
    find_causes,
    find_hop,
    prove_hops,
    prove_hops_from_assistant,
)
from sre_core.hops import HOPS
from sre_core.problem import Problem

CHECKS = verification_checks()
FROM_ASSISTANT = dict.fromkeys(HOPS[:-1], "works")
WORKS = tuple(
    Finding(
        check.id,
        "passed",
        check.proves,
        check.requirements,
        check.required,
        None,
        0.1,
        FROM_ASSISTANT if check.id == "assistant.hops" else {},
    )
    for check in CHECKS
)
MADE = (ResourceResult("bucket", "AWS::S3::Bucket", "sre-1-files", "kept"),)


def problem(code: str, why: str = "it is so", **context: str) -> Problem:
    return Problem(code=code, what=f"{code} happened <b>here</b>.", why=why, do=("Do this.", "Then that."), context=context)


def findings(**broken: Problem) -> tuple[Finding, ...]:
    """All checks, of which those did not pass; `a__b` is the check `a.b`."""
    named = {name.replace("__", "."): found for name, found in broken.items()}
    return tuple(replace(each, status="failed", problem=named[each.check]) if each.check in named else each for each in WORKS)


def report(*broken: Finding) -> Report:
    return Report("sre-1", "us-east-1", "production", "https://sre.example.com", MADE, broken or WORKS, "2026-11-29T12:00:00Z")


def test_every_problem_of_verification_has_a_hop() -> None:
    """Each code that a verification check can report is at a hop, so that its cause is found in the right order."""
    from architecture.test_problem_pages import _codes

    files = [source for source in sources("src") if "checks/verification" in str(source) or str(source).endswith("tls/expiry.py")]
    used = {code for source in files for code, _ in _codes(source)}
    assert {code for code in used if not find_hop(problem(code))} == set()
    assert {find_hop(problem(code)) for code in used} <= set(HOPS)


def test_a_dead_instance_is_reported_once() -> None:
    """Twenty checks meet one address that does not answer: one cause, which names them."""
    dead = problem("ENDPOINT-UNREACHABLE", part="front door", url="https://sre.example.com/ping")
    others = {
        check.id for check in CHECKS if check.id.startswith(("service.", "assistant.", "kubernetes.", "logs.", "metrics.", "runbooks."))
    }
    broken = tuple(
        replace(each, status="unknown", problem=replace(dead, why=each.check)) if each.check in others else each for each in WORKS
    )
    called = replace(
        next(each for each in WORKS if each.check == "gateway.tools_called"), status="failed", problem=problem("GATEWAY-CALL-FAILED")
    )
    [cause] = find_causes((*(each for each in broken if each.check != called.check), called))
    assert (cause.hop, set(cause.checks)) == ("tcp", {*others, "gateway.tools_called"})


@pytest.mark.parametrize("code", ["ACCESS-NOT-REFUSED", "ENDPOINT-PLAIN-HTTP"])
def test_an_open_door_is_never_explained_away(code: str) -> None:
    """Open access is always a cause of its own, beside every other failure."""
    found = find_causes(findings(service__kubernetes=problem("SERVICE-UNHEALTHY"), kubernetes__no_key=problem(code)))
    assert {cause.problem.code for cause in found} == {"SERVICE-UNHEALTHY", code}


def test_two_causes_stay_two() -> None:
    """A failure that the first cause does not explain is reported as well, the earlier hop first."""
    found = find_causes(findings(service__logs=problem("SERVICE-UNHEALTHY"), token__gateway_client=problem("AUTH-NO-TOKEN")))
    assert [(cause.hop, cause.checks) for cause in found] == [("token", ("token.gateway_client",)), ("backend", ("service.logs",))]


def test_a_hop_there_before_a_failure_here() -> None:
    """A service that is down explains no hop before it from the instance; it explains that calls of its tools fail there."""
    down = {"service__logs": problem("SERVICE-UNHEALTHY")}
    for hop, expected in (("target", {"target", "backend"}), ("backend", {"backend"})):
        broken = problem("ASSISTANT-HOP-BROKEN", hop=hop, part="logs")
        assert {cause.hop for cause in find_causes(findings(**down, assistant__hops=broken))} == expected


def test_a_call_that_fails_for_another_service() -> None:
    """A service that is down explains the calls that reach it, and no other."""
    both = {"service__logs": problem("SERVICE-UNHEALTHY")}
    one = find_causes(findings(**both, gateway__tools_called=problem("GATEWAY-CALL-FAILED", services="logs")))
    two = find_causes(findings(**both, gateway__tools_called=problem("GATEWAY-CALL-FAILED", services="logs, metrics")))
    assert (len(one), len(two)) == (1, 2)


def test_hops() -> None:
    """A hop is proven by a check that crosses it; what could not be tried is not proven."""
    assert set(prove_hops(WORKS).values()) == {True}
    broken = findings(gateway__tools_listed=problem("GATEWAY-UNREACHABLE"), gateway__tools_called=problem("GATEWAY-UNREACHABLE"))
    assert [hop for hop, works in prove_hops(broken).items() if not works] == ["gateway", "target", "backend"]


def test_hops_from_the_instance() -> None:
    """The assistant tries them itself; what works from here alone is shown as such, in each form."""
    assert set(prove_hops_from_assistant(WORKS).values()) == {True}
    broken = findings(assistant__hops=problem("ASSISTANT-HOP-BROKEN", hop="dns", part="login"), assistant__model=problem("MODEL-NO-ANSWER"))
    alone = report(*(replace(each, values={}) for each in broken))
    assert alone.hops["gateway"] == (True, False)
    assert "| gateway | works | NOT proven |" in markdown(alone)
    assert "| hop | from here | from the instance |" in markdown(alone)
    assert html(alone).partition("From the instance:")[2].count(" not proven") == len(HOPS)
    assert not any(json.loads(alone.json())["connectivity_from_assistant"].values())
    model = prove_hops_from_assistant(findings(assistant__model=problem("MODEL-NO-ANSWER")))
    assert [hop for hop, works in model.items() if not works] == ["model"]
    on_runtime = report(*(each for each in WORKS if each.check != "service.assistant"))
    assert on_runtime.assistant_at == "AgentCore Runtime"


def test_the_missions_report() -> None:
    """It has a time, a status, a result for each component, each hop, and what to do first."""
    made = report(*findings(service__logs=problem("SERVICE-UNHEALTHY"))).summarize()
    assert (made.timestamp.year, made.overall_status) == (2026, "not verified")
    assert {result.component for result in made.component_results if not result.success} == {"logs"}
    assert not made.connectivity_tests["backend"]
    assert made.recommendations == ("SERVICE-UNHEALTHY happened <b>here</b>. Do this.",)


def test_what_changed() -> None:
    """Checks that fail since the last report, those that pass again, and resources that came and went."""
    before = json.loads(report(*findings(service__logs=problem("SERVICE-UNHEALTHY"))).json())
    after = findings(service__metrics=problem("SERVICE-UNHEALTHY"))
    since = compare_reports(before, after, (replace(MADE[0], id="sre-1-other"),))
    assert since == Since("2026-11-29T12:00:00Z", ("service.metrics",), ("service.logs",), ("bucket sre-1-other",), ("bucket sre-1-files",))
    assert compare_reports(None, after, ()) == compare_reports({"findings": 1}, after, ()) == Since()


def test_each_form(tmp_path: Path) -> None:
    """Each says the verdict; the page escapes what it shows and loads nothing."""
    failed = report(*findings(service__logs=problem("SERVICE-UNHEALTHY", why="\x00 \ufffe odd")))
    for suffix in SUFFIXES:
        export_report(failed, tmp_path / f"report{suffix}")
        assert "SERVICE-UNHEALTHY" in (tmp_path / f"report{suffix}").read_text()
    page = html(failed)
    assert "NOT verified" in page
    assert "<b>here</b>" not in page
    assert not {"http://", "src=", "@import", "url("} & set(page.split())
    assert "# Deployment sre-1: NOT verified" in markdown(failed)
    suite = Xml.fromstring(junit(failed)).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == (f"{len(CHECKS)}", "1")
