"""One run: what exists before it, its steps as pytest sees them, and the sweep at its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from behaviours import lister
from behaviours.command_line import ROOT, Ended
from live.desk import AccountDesk
from live.record import Record, Step
from live.settings import TAG
from live.statement import Statement


@dataclass
class LiveRun:
    """The plugin that lets tests/live/test_aws.py run, and records each step."""

    desk: AccountDesk
    statement: Statement
    record: Record
    before: dict[str, list[str]] = field(default_factory=dict)
    # By this name the tests find it.
    __name__ = "live-run"

    @property
    def deployment(self) -> str:
        return self.statement.settings.deployment(self.statement.account_id)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip what follows a failed step: it would only say that this step failed."""
        if any(step.outcome == "failed" for step in self.record.steps):
            pytest.skip("a step before failed")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a step when it has ended, or could not begin."""
        if report.when == "call" or (report.when == "setup" and not report.passed):
            name = report.nodeid.rpartition("::test_")[2]
            self.record.steps.append(Step(name, report.outcome, round(report.duration, 1), explain(report)))
            print(f"  {report.outcome:8} {name} ({report.duration:.1f} s)", flush=True)

    def prepare(self) -> None:
        """Delete what an earlier run of this name has left, and list what exists then."""
        self._clean("--deployment-id", self.deployment, name="prepare")
        self.before = lister.everything(self.desk.client)

    def walk(self) -> None:
        """Run the steps."""
        steps = str(ROOT / "tests/live/test_aws.py")
        pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", "-m", "live", "--rootdir", str(ROOT), steps], plugins=[self])

    def sweep(self) -> None:
        """Delete this run's deployment and every expired one, then list what is left. Raises nothing of a failed command."""
        self._clean("--deployment-id", self.deployment, name="sweep")
        self.sweep_expired()
        self.record.note_left(self.before, lister.everything(self.desk.client))

    def sweep_expired(self) -> None:
        """Delete every temporary deployment of the account and region whose lifetime has passed."""
        self._clean("--older-than", "1s", name="sweep of expired deployments")

    def note_tagged(self) -> None:
        """Record every resource with the tag of these tests, of any run."""
        filters = [{"Key": TAG[0], "Values": [TAG[1]]}]
        pages = self.desk.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=filters)
        tagged = sorted(found["ResourceARN"] for page in pages for found in page["ResourceTagMappingList"])
        self.record.left = {f"with the tag {TAG[0]}": tagged} if tagged else {}

    def _clean(self, *words: str, name: str) -> None:
        began = time.monotonic()
        ended = self.desk.run_apart("sre_agent_deploy", "cleanup", "--config", "config.yaml", *words, "--yes")
        outcome = "failed" if ended.code else "passed"
        self.record.steps.append(Step(name, outcome, round(time.monotonic() - began, 1), last_line(ended)))
        print(f"  {outcome:8} {name} ({time.monotonic() - began:.1f} s)", flush=True)


def explain(report: pytest.TestReport) -> str:
    """Say in one line why a step did not pass."""
    if report.passed:
        return ""
    if report.skipped:
        return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else "")
    lines = [line[1:].strip() for line in report.longreprtext.splitlines() if line.startswith("E ")]
    return (lines or [report.longreprtext.strip()])[0].replace("|", "/")[:300]


def last_line(ended: Ended) -> str:
    """Return the last line that a failed command printed."""
    lines = [line.strip() for line in ended.text.splitlines() if line.strip()]
    return lines[-1].replace("|", "/")[:300] if ended.code and lines else ""
