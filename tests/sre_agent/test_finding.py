"""A claim that cites no existing observation is never shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sre_agent.evidence import Answer, EvidenceLog, Excerpt
from sre_agent.finding import Finding, accept
from sre_core import clock

ANSWER = Answer(tool="kubernetes___get_pod_status", arguments={"namespace": "shop"}, at=clock.now(), sha256="0" * 64)


def log_of(count: int) -> EvidenceLog:
    """A log that holds `count` observations."""
    log = EvidenceLog("inv-0a1b2c3d")
    for number in range(count):
        log.record(Excerpt(ANSWER, f"observation {number}"))
    return log


@given(
    count=st.integers(0, 6),
    cited=st.lists(st.one_of(st.integers(1, 9).map("inv-0a1b2c3d-e{}".format), st.text(max_size=20)), max_size=5),
)
def test_citations(count: int, cited: list[str]) -> None:
    """A finding is accepted exactly when it cites something and everything it cites exists."""
    log = log_of(count)
    known = {f"inv-0a1b2c3d-e{number}" for number in range(1, count + 1)}
    finding = Finding(claim="it broke", evidence=tuple(cited))
    decision = accept(finding, log)
    assert isinstance(decision, Finding) == (bool(cited) and set(cited) <= known)


def test_the_same_observation_twice() -> None:
    """One observation has one id, however often it is recorded; ids belong to their investigation."""
    log = log_of(3)
    assert log.record(Excerpt(ANSWER, "observation 1")) == "inv-0a1b2c3d-e2"
    assert len(log) == 3
    assert "inv-ffffffff-e2" not in log
