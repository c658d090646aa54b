"""The Console guide: every resource, in order, with the exact values (requirement 3.1; pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.guide.account_values import AccountValues
from sre_agent_deploy.later import ACCOUNT
from sre_agent_deploy.resource import DEPLOYMENT_TAG, GENERATION_TAG, NAME_TAG, Steps


def markdown(blueprint: Blueprint, values: AccountValues) -> str:
    """Render steps for a person.

    A value that AWS chooses on the way is named by the step that shows it: «gateway_id from step 12». One that only the account
    knows is shown as such: <your VPC's id>.
    """
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
        lines += [f"Exists already: `{item.named}`. Nothing to do."] if item.named else _list_steps(item.resource.console())
        lines.append("")
    return name_values("\n".join(lines), values, numbers)


def name_values(text: str, values: AccountValues, numbers: Mapping[str, int] = {}) -> str:
    """Replace each Ref inside a text by what a person can look up: the account's value, or the step that shows it."""

    def name(match: re.Match[str]) -> str:
        of, output = match[1], match[2]
        if of == ACCOUNT:
            return values[output].shown
        return f"«{output} from step {numbers[of]}»" if of in numbers else match[0]

    return re.sub(r"[<⟦]([a-z_0-9]+)\.([a-z_]+)[>⟧]", name, text)


def _list_steps(steps: Steps) -> list[str]:
    lines: list[str] = []
    for step in steps:
        # What must be pasted keeps its line breaks.
        lines += ["", "  ```", *(f"  {line}" for line in step.splitlines()), "  ```"] if "\n" in step else [f"- {step}"]
    return lines
