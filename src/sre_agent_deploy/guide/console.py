"""The Console guide: every resource, in order, with the exact values (requirement 3.1; pure)."""

from __future__ import annotations

import re

from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.resource import DEPLOYMENT_TAG, GENERATION_TAG, NAME_TAG


def markdown(blueprint: Blueprint) -> str:
    """Steps for a person. What AWS chooses on the way is named by the step that shows it: «gateway_id from step 12»."""
    numbers = {item.name: number for number, item in enumerate(blueprint, 1)}
    lines = [
        f"# Deployment {blueprint.deployment} in the AWS Console",
        "",
        "Work from top to bottom. Give every resource that takes tags these two, so that it is recognised, verified and cleaned up later:",
        "",
        f"- `{DEPLOYMENT_TAG}` = `{blueprint.deployment}`",
        f"- `{NAME_TAG}` = the name in the step's title, `{GENERATION_TAG}` = `1`",
        "",
        "Then `sre-agent-deploy plan` shows what differs from the configuration, and `sre-agent-deploy verify` proves that it works.",
        "",
    ]
    for item in blueprint:
        lines += [f"## {numbers[item.name]}. {item.name} ({item.resource.KIND})", ""]
        lines += [f"Exists already: `{item.named}`. Nothing to do."] if item.named else _steps(item.resource.console(), numbers)
        lines.append("")
    return "\n".join(lines)


def _steps(steps: tuple[str, ...], numbers: dict[str, int]) -> list[str]:
    lines: list[str] = []
    for step in steps:
        told = _told(step, numbers)
        # What must be pasted keeps its line breaks.
        lines += ["", "  ```", *(f"  {line}" for line in told.splitlines()), "  ```"] if "\n" in told else [f"- {told}"]
    return lines


def _told(step: str, numbers: dict[str, int]) -> str:
    return re.sub(
        r"<([a-z_0-9]+)\.([a-z_]+)>", lambda match: f"«{match[2]} from step {numbers[match[1]]}»" if match[1] in numbers else match[0], step
    )
