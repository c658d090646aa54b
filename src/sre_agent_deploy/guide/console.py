"""Render the Console guide as Markdown and as one self-contained page that remembers what is done (requirement 3.1; pure)."""

from __future__ import annotations

from sre_agent_deploy.guide.steps import Guide, Line, Step
from sre_agent_deploy.report.render import render_page
from sre_agent_deploy.resource import DEPLOYMENT_TAG, GENERATION_TAG, NAME_TAG


def markdown(guide: Guide) -> str:
    """Render the steps for a person."""
    head = [
        f"# Deployment {guide.deployment} in the AWS Console",
        "",
        "Work from top to bottom. Give every resource that takes tags these, so that it is recognised, verified and cleaned up later:",
        "",
        f"- `{DEPLOYMENT_TAG}` = `{guide.deployment}`",
        f"- `{NAME_TAG}` = the name in the step's title, `{GENERATION_TAG}` = `1`",
        "",
        "Then `sre-agent-deploy plan` shows what differs from the configuration, and `sre-agent-deploy verify` proves that it works.",
        "`sre-agent-deploy guide --out FOLDER` writes the files to upload, and this guide as a page with check boxes.",
        "",
    ]
    return "\n".join([*head, *(line for step in guide.steps for line in _describe(step))])


def _describe(step: Step) -> list[str]:
    lines = [f"## {step.title}", ""]
    if step.named:
        return [*lines, f"Exists already: `{step.named}`. Nothing to do.", ""]
    lines += [f"Open: <{step.link}>", ""] if step.link else []
    lines += [rendered for line in step.lines for rendered in _list_line(line)]
    lines += [f"- Note for later steps: {', '.join(note.partition('.')[2] for note in step.notes)}"] if step.notes else []
    lines += ["", f"Right when: {step.right}"] if step.right else []
    return [*lines, *((f"Verify: `{step.verify}`",) if step.verify else ()), ""]


def _list_line(line: Line) -> list[str]:
    if line.file:
        # What must be pasted keeps its line breaks.
        return ["", f"  Paste ({line.file}):", "  ```", *(f"  {text}" for text in line.text.splitlines()), "  ```"]
    return [f"- {f'{line.label}: ' if line.label else ''}{line.text}"]


def page(guide: Guide) -> str:
    """Render the page: check boxes and values that it remembers, a button to copy each value, and how much is done."""
    return render_page(
        "guide.html", title=f"{guide.deployment} in the AWS Console", guide=guide, file_names=[file.name for file in guide.files]
    )
