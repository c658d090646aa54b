"""Suites built at run time from the recordings that ship: two faults at once, decoys, and what a report says of further causes."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from evals import calibration, left_out, observations, results  # noqa: E402
from evals.cases.run import Scored, to_verdict  # noqa: E402
from evals.made import make_incidents  # noqa: E402
from evals.recorded_tools import RecordedTools  # noqa: E402
from evals.score import Verdict  # noqa: E402
from evals.suites import run as suites  # noqa: E402
from evals.suites.build import DECOYS, merge  # noqa: E402
from evals.suites.enlarge import enlarge  # noqa: E402
from evals.suites.incident import Incident, cut_before, first_measured, move_to, read_incident  # noqa: E402
from evals.suites.rename import rename  # noqa: E402

from fixtures.sample import sample  # noqa: E402
from sre_agent import supervisor  # noqa: E402
from sre_agent.brief import render_brief  # noqa: E402
from sre_agent.calls import MOST_CALLS  # noqa: E402
from sre_agent.evidence import EvidenceLog, new_investigation_id  # noqa: E402
from sre_agent.observations import Observations  # noqa: E402
from sre_agent.reasoners import Inquiry  # noqa: E402
from sre_agent.reasoners.rules.calibration import BANDS, calibrate  # noqa: E402
from sre_agent.reasoners.rules.diagnose import diagnose  # noqa: E402
from sre_agent.reasoners.rules.reasoner import Rules  # noqa: E402
from sre_agent.reasoners.rules.write import write_report  # noqa: E402
from sre_agent.render import render_markdown  # noqa: E402
from sre_agent.report import Confidence, Report  # noqa: E402
from sre_agent.tools import Tools  # noqa: E402
from sre_services.recording import SHIPPED  # noqa: E402


def shipped(name: str, *expected: Verdict) -> Incident:
    return read_incident(SHIPPED / name, name, *expected)


def test_every_suite_of_our_own_recordings() -> None:
    """Both faults are named when two happen at once; restarts, warnings and rollouts elsewhere, other names and two hundred more
    applications change no answer.
    """
    # An investigation among so many applications takes ten times as long as another one.
    enlarged = suites.run(None, only=["enlarged"], shipped=sample(tuple(suites.OURS), 1))
    results = [*suites.run(None, only=[name for name in suites.SUITES if name != "enlarged"]), *enlarged]
    assert {result.suite for result in results} == {"two faults", "decoys", "renamed", "enlarged"}
    assert not [result for result in results if not result.right], suites.table(results)
    assert max(result.calls for result in results) <= MOST_CALLS
    assert not any(result.confident_error for result in results)


def test_names_of_another_system() -> None:
    """Names change in every spelling and the fault stays: what differs by an underscore still does."""
    incident = shipped("memory-leak", Verdict("memory_leak", "app/catalog-service"))
    for service in incident.objects["services"]:
        if service["metadata"]["name"] == "catalog-service":
            service["spec"]["selector"] = {"app": "catalog_service"}
    other = rename(incident)
    texts = json.dumps([other.objects, other.logs, [one["metric"] for found in other.series.values() for one in found]])
    stems = {name.removesuffix("-service") for name in incident.services}
    assert [name for name in stems | {incident.namespace} if re.search(rf"(?<![a-z]){name}(?![a-z])", texts)] == []
    (fault,) = other.expected
    name = fault.object.removeprefix("app/")
    assert name in other.services
    assert {"app": name.replace("-", "_")} in [service["spec"].get("selector") for service in other.objects["services"]]
    many = enlarge(other).services
    assert len(set(many)) == len(many) >= 220


def test_a_healthy_system_with_decoys(tmp_path: Path) -> None:
    """Nothing is wrong, in spite of old events; logs without a record were read too, and the gap is named."""
    quiet = shipped("healthy")
    for name, add in DECOYS.items():
        report = _ask(add(quiet, ""), tmp_path / name)
        assert report.verdict == "nothing_wrong", name
    silent = Incident(**{**vars(quiet), "logs": {}, "name": "silent"})
    report = _ask(silent, tmp_path / "silent")
    assert report.verdict == "nothing_wrong"
    assert "not seen: logs" in render_brief(report)


def test_two_causes_and_a_third(tmp_path: Path) -> None:
    """The report names the further cause, and what explains the complaint second best with what speaks against it."""
    both = merge(shipped("memory-leak"), shipped("crash-loop", Verdict("bad_configuration", "app/payment-service")))
    report = _ask(both, tmp_path)
    roles = [cause.role for cause in report.other_causes]
    assert roles == ["further", "second_best"]
    assert report.other_causes[1].to_json()["against"]
    for text in (render_brief(report), render_markdown(report)):
        assert "Also: " in text
        assert "Second best explanation: " in text


def test_moved_and_cut() -> None:
    """Every time moves by the same, and nothing after a cut is left."""
    incident = shipped("crash-loop")
    moved = move_to(incident, incident.end.replace(year=2031))
    assert first_measured(moved) - first_measured(incident) == moved.end - incident.end
    assert "2026-11-20T" not in str(moved.objects["events"]) + str(moved.logs)
    cut = cut_before(incident, first_measured(incident))
    assert not any(one["values"] for series in cut.series.values() for one in series)


def _ask(incident: Incident, folder: Path) -> Report:
    tools = RecordedTools(str(incident.write(folder)))
    return asyncio.run(supervisor.investigate("What is wrong?", tools, Rules()))


def test_a_cause_that_is_not_known(tmp_path: Path) -> None:
    """Rules without the detector of a cause name the object with another cause, or nothing; the figures say so."""
    recording = str(shipped("crash-loop").write(tmp_path / "crash-loop"))
    ask = supervisor.investigate("What is wrong?", RecordedTools(recording), Rules(frozenset({"bad_configuration"})))
    cause = asyncio.run(ask).root_cause
    assert cause is not None
    assert (cause.kind != "bad_configuration", cause.ref.name) == (True, "payment-service")
    verdict, expected = to_verdict(cause), Verdict("bad_configuration", "app/payment-service")
    scored = Scored(name="one", expected=expected, said=verdict, confidence=cause.confidence.score, seconds=0.1, calls=24)
    assert left_out.count([scored]) == {"cases": 1, "right object": 1, "wrong": 0, "confidently wrong": 0}
    assert left_out.table([scored]).endswith("| all | 1 | 1 | 0 | 0 | 0 |")
    assert "1 of 1 at 0.9" in left_out.plot({"known": [scored]})


def test_figures_are_compared(tmp_path: Path) -> None:
    """A run says what differs from the committed figures."""
    file = tmp_path / "results.json"
    assert "nothing is committed" in results.compare("cases", {"right": 3}, file)
    results.keep("cases", {"right": 3}, file)
    assert results.compare("cases", {"right": 3}, file) == "cases: as committed"
    assert results.compare("cases", {"right": 2}, file) == "cases: right 3 -> 2"
    assert "not compared" in results.compare("cases", {"right": 1, "cases": 1}, file)


def test_causes_of_which_no_labelled_case_is_known(tmp_path: Path) -> None:
    """Each incident that is made from the healthy recording has its cause concluded, at the right object, by rules that know neither."""
    for incident in make_incidents():
        report = asyncio.run(
            supervisor.investigate("What is wrong?", RecordedTools(str(incident.write(tmp_path / incident.name))), Rules())
        )
        assert (incident.name, to_verdict(report.root_cause)) == (incident.name, incident.expected[0])


def test_the_operation_that_decides() -> None:
    """A Secret that is missing is seen by the state of the pods alone, and not without it."""
    missing = next(one for one in make_incidents() if one.expected[0].cause == "missing_secret_binding")
    found = observations.look(missing)
    assert found.seen
    assert found.decisive == {"get_pod_status"}
    assert "| `missing_secret_binding` | 1 of 1 | `get_pod_status` |" in observations.table([found])


def test_a_low_confidence_reads_as_a_suspicion(tmp_path: Path) -> None:
    """Title, confidence and next step say the same, in the short answer and in the report; a high one reads as before."""
    report = _ask(shipped("crash-loop"), tmp_path)
    assert report.root_cause
    low = replace(report, root_cause=replace(report.root_cause, confidence=Confidence(calibrate(0.65))))
    for render in (render_brief, render_markdown):
        assert render(report).startswith("# Root cause: payment-service")
        assert render(low).startswith("# Suspected root cause: payment-service")
        assert "Confidence: low (0.29): confirm it before you act · evidence: inv-" in render(low)
    assert ("needs approval" in render_brief(report), "needs approval" in render_brief(low)) == (True, False)
    assert "(less likely: its evidence weighs less, 0.95 against 0.97)" in render_brief(report)


class Weak(Rules):
    """Rules whose evidence has fewer points than it had."""

    async def conclude(self, inquiry: Inquiry, observations: Observations, tools: Tools) -> Report:
        diagnosis = diagnose(observations, inquiry.scope, frozenset())
        assert diagnosis.cause
        each = 0.65 / len(diagnosis.cause.reasons)
        weak = replace(diagnosis.cause, reasons=tuple(replace(reason, points=each) for reason in diagnosis.cause.reasons))
        return write_report(inquiry, observations, replace(diagnosis, cause=weak), EvidenceLog(new_investigation_id()))


def test_the_verdict_of_a_low_confidence(tmp_path: Path) -> None:
    """A program reads it as a suspicion, too: exactly where the calibration says that more such conclusions are wrong than right."""
    recording = RecordedTools(str(shipped("crash-loop").write(tmp_path)))
    weak, sure = (asyncio.run(supervisor.investigate("What is wrong?", recording, rules)).to_json() for rules in (Weak(), Rules()))
    assert (weak["verdict"], sure["verdict"]) == ("root_cause_suspected", "root_cause_found")
    assert all((stated < 0.5) == (Confidence(stated).word == "low") for _, *band in BANDS for stated in band)


def test_confidence_is_fitted() -> None:
    """It never falls with the score, is high only where no wrong object was named, and the fit of other causes states it as well."""
    right = [calibration.Outcome("a", score, score, right=True) for score in (0.75, 0.9, 0.93, 0.97) for _ in range(20)]
    wrong = [calibration.Outcome("b", score, score, right=False) for score in (0.65, 0.75)]
    bands = calibration.fit([*right, *wrong])
    assert bands == ((0.0, 0.0, 0.33), (0.6, 0.33, 0.33), (0.7, 0.79, 0.79), (0.9, 0.9, 0.97))
    stated = [calibrate(number / 100, bands) for number in range(98)]
    assert stated == sorted(stated)
    assert "highest confidence of a wrong object 0.79" in calibration.table(calibration.state(wrong, bands))
    assert max(one.stated for one in calibration.cross_validate([*right, *wrong]) if not one.right) < 0.97
    committed = [calibrate(number / 100) for number in range(98)]
    assert committed == sorted(committed)
    assert [calibrate(score) for score in (0.5, 0.69, 0.79, 0.8, 0.97)] == [pytest.approx(0.2417, abs=1e-3), 0.29, 0.79, 0.9, 0.97]
