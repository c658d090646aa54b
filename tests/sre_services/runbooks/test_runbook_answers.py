"""Finding the right runbook, and citing it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sre_services.runbooks.markdown import parse_runbook
from sre_services.runbooks.scoring import split_words

from ..conftest import Asked, application

type Ask = Callable[..., Asked]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("CrashLoopBackOff", "crash-looping-pods"),
        ("crash_loop", "crash-looping-pods"),
        ("pods keep restarting", "crash-looping-pods"),
        ("OOMKilled exit code 137", "out-of-memory-kills"),
        ("memory leak", "out-of-memory-kills"),
        ("bad configuration rolled out, rollback", "bad-rollout"),
        ("payment outage", "payment-failures"),
        ("high latency p95", "high-latency"),
        ("no such host database", "database-connection-failures"),
        ("5xx error rate", "elevated-error-rate"),
        ("node disk pressure eviction", "node-pressure"),
        ("x509 certificate expired", "certificate-expiry"),
        ("ImagePullBackOff", "image-pull-failures"),
    ],
)
def test_the_right_runbook_is_first(ask: Ask, question: str, expected: str) -> None:
    """For every wording of the incident, its runbook ranks first and cites file and heading."""
    first = ask("runbooks", "healthy").items("/runbooks/search", incident_type=question)[0]
    assert first["playbook_id"] == expected
    assert first["file"] == f"runbooks/{expected}.md"
    assert first["heading"]


def test_a_severity(ask: Ask) -> None:
    """It chooses among all runbooks."""
    items = ask("runbooks", "healthy").items("/runbooks/search", severity="Critical")
    assert [item["playbook_id"] for item in items] == ["payment-failures"]


def test_a_playbook(ask: Ask) -> None:
    """Steps are numbered and say whether they change anything; those that only look come with their tool."""
    (item,) = ask("runbooks", "crash-loop").items("/runbooks/playbook", playbook_id="crash-looping-pods")
    assert [step["number"] for step in item["steps"]] == [1, 2, 3, 4, 5]
    assert [step["changes"] for step in item["steps"]] == [False, False, False, True, True]
    assert item["steps"][3]["command"] == "kubectl rollout undo deployment/NAME -n NAMESPACE"
    assert item["steps"][0]["tool"] == "get_pod_status"
    assert item["escalation"][0] == {"role": "On-call SRE", "contact": "pager: sre-primary", "after_minutes": 0}


def test_an_unknown_playbook(ask: Ask) -> None:
    """The note lists those that there are."""
    assert "crash-looping-pods" in ask("runbooks", "healthy").get("/runbooks/playbook", playbook_id="restart-everything")["note"]


def test_a_guide_only_looks(ask: Ask) -> None:
    """The troubleshooting guide has the diagnosis and no step that changes anything; categories choose."""
    asked = ask("runbooks", "healthy")
    first = asked.items("/runbooks/troubleshooting", category="kubernetes", issue_type="container restarts")[0]
    assert (first["playbook_id"], first["heading"]) == ("crash-looping-pods", "Diagnosis")
    assert not any(step["changes"] for item in asked.items("/runbooks/troubleshooting") for step in item.get("steps", ()))
    # A category that no runbook has is a word to search for.
    assert asked.items("/runbooks/troubleshooting", category="garbage collection")[0]["playbook_id"] == "out-of-memory-kills"


def test_resolutions_change_something(ask: Ask) -> None:
    """Resolutions come with the steps that need approval, for the service asked for or for all."""
    asked = ask("runbooks", "healthy")
    first = asked.items("/runbooks/resolutions", issue="container killed for memory", service="catalog-service")[0]
    assert (first["playbook_id"], first["heading"]) == ("out-of-memory-kills", "Resolution")
    assert all(step["changes"] for step in first["steps"])
    elsewhere = asked.items("/runbooks/resolutions", issue="payment", service="cart-service")
    assert "payment-failures" not in [item["playbook_id"] for item in elsewhere]


def test_escalation(ask: Ask) -> None:
    """The contacts by severity, with the minutes after which."""
    items = ask("runbooks", "healthy").items("/runbooks/escalation", severity="critical")
    assert [contact["after_minutes"] for contact in items[0]["escalation"]] == [0, 15, 45]


def test_a_step_that_does_not_say(copied: Callable[[str], Path]) -> None:
    """A step without `changes`, or with a word for it, counts as one that changes: approval is the safe side."""
    folder = copied("healthy")
    front = "id: x\ntitle: X\nseverity: low\nsteps:\n  - do: look\n  - do: poke\n    changes: maybe\n  - do: read\n    changes: false"
    (folder / "runbooks" / "x.md").write_text(f"---\n{front}\n---\n\nText without a heading.\n")
    (item,) = Asked(application("runbooks", folder)).items("/runbooks/playbook", playbook_id="x")
    assert [step["changes"] for step in item["steps"]] == [True, True, False]


def test_sections_and_line_ends() -> None:
    """Text before the first heading is an introduction; Windows' line ends are fine."""
    found = parse_runbook("f.md", "---\r\nid: x\r\ntitle: X\r\nseverity: low\r\n---\r\nHello\r\n## Diagnosis\r\nLook.\r\n")
    assert [(section.heading, section.text) for section in found.sections] == [("Introduction", "Hello"), ("Diagnosis", "Look.")]


def test_words() -> None:
    """Endings, case, underscores and joined names don't matter."""
    assert split_words("Crashing_Pods") == split_words("crash pod")
    assert split_words("CrashLoopBackOff")[:2] == ["crash", "loop"]
    assert split_words("OOMKilled") == ["oom", "kill"]
