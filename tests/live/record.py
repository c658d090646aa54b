"""The report of a run: each step with its time and outcome, what is left, and what it was allowed to cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live.statement import STEPS, Statement
from sre_core import clock

FOLDER = Path(".deploy/live")


@dataclass(frozen=True)
class Step:
    """One step of a run, and how it ended: passed, failed or skipped."""

    name: str
    outcome: str
    seconds: float
    detail: str = ""


@dataclass
class Record:
    """The events of one run."""

    statement: Statement
    started: str = field(default_factory=lambda: clock.stamp(clock.now()))
    steps: list[Step] = field(default_factory=list)
    spent: float = 0.0
    open_items: list[str] = field(default_factory=list)
    left: dict[str, list[str]] | None = None
    """What exists now and did not exist before; None where it could not be looked up."""
    only_swept: bool = False
    """Whether only expired deployments were deleted: then what is younger may be left."""

    @property
    def passed(self) -> bool:
        """Each step passed and nothing is left."""
        done = {step.name for step in self.steps if step.outcome == "passed"}
        complete = self.only_swept or (done >= {*STEPS, "sweep"} and self.left == {})
        return complete and all(step.outcome == "passed" for step in self.steps)

    def note_left(self, before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> None:
        """Note what a run has left behind."""
        found = {kind: sorted({*ids} - {*before.get(kind, ())}) for kind, ids in after.items()}
        self.left = {kind: ids for kind, ids in found.items() if ids}

    def to_json(self) -> dict[str, Any]:
        chosen = self.statement.settings
        return {
            "account": self.statement.account_id,
            "region": chosen.region,
            "endpoint": chosen.endpoint or "Amazon",
            "deployment": chosen.deployment(self.statement.account_id),
            "started": self.started,
            "ended": clock.stamp(clock.now()),
            "passed": self.passed,
            "steps": [vars(step) for step in self.steps],
            "left": self.left,
            "open": self.open_items,
            "usd": {
                "limit": chosen.usd,
                "spent_this_month": self.spent,
                "usual": round(self.statement.usual, 2),
                "most": round(self.statement.most, 2),
            },
        }

    def to_markdown(self) -> str:
        facts = self.to_json()
        rows = [f"| {step.name} | {step.outcome} | {step.seconds:.1f} | {step.detail} |" for step in self.steps]
        left = "It could not be looked up." if self.left is None else "Nothing."
        if self.left:
            left = "\n".join(f"- {kind}: {', '.join(ids)}" for kind, ids in self.left.items())
        return "\n".join(
            (
                f"# Tests in account {facts['account']}: {'passed' if self.passed else 'FAILED'}",
                "",
                f"{facts['started']} to {facts['ended']}, region {facts['region']}, {facts['endpoint']}, deployment {facts['deployment']}",
                "",
                "| step | outcome | seconds | |",
                "| --- | --- | --- | --- |",
                *rows,
                "",
                "## What is left",
                "",
                left,
                "",
                "## Cost",
                "",
                f"Limit {facts['usd']['limit']:.2f} USD a month, {self.spent:.2f} spent as AWS has counted it; "
                f"this run about {facts['usd']['usual']:.2f}, at most {facts['usd']['most']:.2f}.",
                *(f"- {item}" for item in self.open_items),
                "",
            )
        )

    def write(self, folder: Path = FOLDER) -> Path:
        """Write report.json and report.md; return where the second one is."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(self.to_json(), indent=2) + "\n")
        (folder / "report.md").write_text(self.to_markdown())
        return folder / "report.md"
