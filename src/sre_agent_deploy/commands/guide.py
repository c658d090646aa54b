"""`guide` and `export`: how to make the same deployment in the AWS Console, or by CloudFormation, with its files. Makes no call.

With `guide --interactive` one step at a time: AWS is read after each, and what is right is adopted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.apply import apply
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.deploy import confirm_losses
from sre_agent_deploy.commands.plan import draw_blueprint, limit_blueprint
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, User
from sre_agent_deploy.commands.workspace import (
    Workspace,
    find_state,
    hold_deployment,
    hold_state,
    load_config,
    open_journal,
    open_workspace,
    watch,
)
from sre_agent_deploy.engine.planning import describe_gap, is_right, limit_to_step, look_at_step, take_over
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.guide import steps
from sre_agent_deploy.guide.places import account_values
from sre_agent_deploy.guide.steps import UPLOAD, Guide, Step, fill_in, name_step, write_guide
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.later import Outputs
from sre_agent_deploy.plan import Plan
from sre_core import atomic_file

FILES = Path("guide-files")
"""The folder for what a person uploads or pastes during a walk."""

_ANSWERS = {"check": "look again", "deploy": "let the command make or correct it", "skip": "leave it for later", "quit": "end here"}


@dataclass
class Walk:
    """A walk through the guide under the deployment's locks, and what AWS has chosen so far."""

    here: Workspace
    wanted: Blueprint
    guide: Guide
    journal: Journal
    user: User
    outputs: dict[str, Outputs] = field(default_factory=dict)
    open_steps: list[str] = field(default_factory=list)
    """The steps that were left as they are."""

    def look(self, name: str) -> Plan:
        """Compare one step with AWS; remember what AWS has chosen for it."""
        with watch(self.here.account, self.user) as account:
            plan = look_at_step(account.aws, self.wanted, name, self.outputs, self.journal.state)
        for change in plan.changes:
            if change.outputs:
                self.outputs[change.name] = change.outputs
        return plan


def walk_guide(request: Request, user: User = UNATTENDED, *, step: str = "") -> CommandResult:
    """Go through the steps in order, or only one of them. What is right is recorded in the state."""
    with _open_walk(request, user, step) as walk, walk.journal.run("guide"):
        finished = all(_see_to(walk, item.name, shown=not step or item.name == step) for item in _order(walk.wanted, step))
        walk.journal.end_run("applied" if finished and not walk.open_steps and not step else "applied in part")
        if finished and not walk.open_steps:
            done = f"{step} is right." if step else "Every step is right."
            return CommandResult(success=True, component="guide", message=done, next_steps=("sre-agent-deploy verify",))
        left = f"Left: {', '.join(walk.open_steps)}." if walk.open_steps else "Ended before the last step."
        return CommandResult(success=False, component="guide", message=f"{left} Go on: sre-agent-deploy guide --interactive")


def _order(wanted: Blueprint, step: str) -> Blueprint:
    """Return the steps to look at: all, or one with what it refers to."""
    return wanted.limit((step,)) if step else wanted


@contextmanager
def _open_walk(request: Request, user: User, step: str) -> Iterator[Walk]:
    located = find_state(request)
    with open_workspace(located, user, start=True) as opened, hold_state(opened.store, opened.account, "guide"):
        here = opened.reload_state()
        with watch(here.account, user) as account:
            wanted = draw_blueprint(here.config, account, here.state, here.store.location)
        limit_blueprint(wanted, (step,) if step else ())
        with hold_deployment(wanted.deployment, here.account, "guide"):
            journal = open_journal(
                wanted.deployment,
                config=here.config,
                config_file=here.config_file,
                account=here.account,
                store=here.store,
                state=here.state,
            )
            guide = write_guide(wanted, account_values(here.config), here.config)
            yield Walk(here, wanted, guide, journal, user)


def _see_to(walk: Walk, name: str, *, shown: bool) -> bool:
    """Look at one step until it is right or left. Returns False if the user ends the walk."""
    plan = walk.look(name)
    if not is_right(plan) and shown:
        _show_step(walk, name)
    while not is_right(plan):
        if not shown:
            walk.open_steps.append(name)
            return True
        for gap in describe_gap(plan):
            walk.user.note(f"  {gap}")
        answer = walk.user.choose(f"{name}:", _ANSWERS)
        if answer in ("skip", "quit"):
            walk.open_steps.append(name)
            return answer == "skip"
        if answer == "deploy":
            _let_command_do(walk, name, plan)
        plan = walk.look(name)
    taken = take_over(walk.journal, plan.changes[0])
    walk.user.note(f"{name} is right{' and recorded' if taken else ''} ({plan.changes[0].id}).")
    return True


def _let_command_do(walk: Walk, name: str, plan: Plan) -> None:
    config = walk.here.config
    confirm_losses(plan, f"{config.name} in {config.aws.region}", walk.user)
    part = limit_to_step(walk.wanted, name, walk.outputs)
    with walk.user.progress() as observe, walk.user.stoppable() as stop:
        # Other steps may still lead to what this one replaces: a deployment deletes it in the end.
        outcome = apply(walk.here.account.aws, part, plan, walk.journal, observe, stop=stop, delete=False)
    walk.user.show_problems(outcome.problems)


def _show_step(walk: Walk, name: str) -> None:
    """Show where to click and what to enter, with every value that is known by now."""
    step = name_step(walk.guide, name)
    if step is None:
        return
    known = known_values(walk.outputs)
    for file in (line.file or line.text for line in step.lines if line.file or line.label == UPLOAD):
        _write_file(walk.guide, file, known)
    for text in describe_step(step, known):
        walk.user.note(text)


def _write_file(guide: Guide, name: str, known: Mapping[str, str]) -> None:
    """Write a file to upload or paste, with the values that AWS has chosen by now."""
    FILES.mkdir(exist_ok=True)
    atomic_file.write(FILES / name, next(file for file in guide.files if file.name == name).content(known))


def describe_step(step: Step, known: Mapping[str, str]) -> Iterator[str]:
    """Describe a step in lines for a terminal (pure)."""
    yield f"\n{step.title}"
    if step.link:
        yield f"  {step.link}"
    for line in step.lines:
        value = f"{FILES / line.text}" if line.label == UPLOAD else fill_in(line.value, known)
        if line.file:
            yield f"  paste ({FILES / line.file}):"
            yield from (f"    {text}" for text in value.splitlines())
        else:
            yield f"  {f'{line.label}: ' if line.label else ''}{value}"
    if step.right:
        yield f"  Right when: {step.right}"


def known_values(outputs: Mapping[str, Outputs]) -> dict[str, str]:
    """Return what AWS has chosen by now, as `fill_in` takes it; nothing that is secret (pure)."""
    return {f"{of}.{output}": value for of, found in outputs.items() for output, value in found.items() if isinstance(value, str)}


def guide(request: Request) -> str:
    """Write the guide as Markdown."""
    return steps.markdown(read_guide(request))


def read_guide(request: Request) -> Guide:
    """Write the guide of a configuration. Raises Refused with every fault of the configuration."""
    config = load_config(request)
    return write_guide(blueprint(config, describe_account(config)), account_values(config), config)


def save_guide(request: Request, folder: Path) -> tuple[str, ...]:
    """Write the guide as Markdown and as a page, and every file to upload or paste; return what must still be filled in."""
    written = read_guide(request)
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    atomic_file.write(folder / "guide.md", steps.markdown(written).encode())
    atomic_file.write(folder / "guide.html", steps.page(written).encode())
    for file in written.files:
        atomic_file.write(files / file.name, file.content())
    return tuple(file.name for file in written.files if not file.complete)


def export_cloudformation(request: Request) -> str:
    """Write a CloudFormation template of the deployment, as JSON."""
    from sre_agent_deploy.guide.cloudformation import render

    config = load_config(request)
    return render(blueprint(config, describe_account(config)), account_values(config))
