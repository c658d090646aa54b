"""A plan in a file: `plan --out FILE` saves it, and `deploy FILE` carries out exactly that plan, or refuses because something moved.

The file holds what the plan was made from (configuration, state, account) and its steps; `deploy FILE` plans again and compares both.
A file that was edited or cut is refused by its checksum. No secret is in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sre_agent_deploy.account.facts import AccountFacts
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.commands import Mode, Request
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.journal.state import CHECKSUM, is_intact, seal
from sre_agent_deploy.plan import Action, Change, Plan
from sre_core import atomic_file, clock
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.commands.workspace import Workspace

VERSION = 1
_MOST_STEPS = 5


@dataclass(frozen=True)
class SavedPlan:
    """The steps of a plan, and what they were decided from."""

    version: int
    made_at: str
    made_by: str
    """The version of this program."""
    deployment: str
    account: str
    region: str
    mode: Mode
    config_file: str
    config_sha256: str
    wanted_sha256: str
    """Of the resources that the configuration asks for, with the environment and the files that it names."""
    state_file: str
    lineage: str
    serial: int
    """Lineage and serial are empty and 0 where there was no state."""
    aws: Mapping[str, str]
    """Which AWS it was, as in a state file."""
    facts: Mapping[str, str]
    """What was looked up in the account."""
    targets: tuple[str, ...]
    changes: tuple[Mapping[str, Any], ...]

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    def request(self, given: Request) -> Request:
        """Say what to work on: the files of the plan, or the same ones at another place."""
        return Request(given.config_file or Path(self.config_file), self.mode, given.state_file or Path(self.state_file))


def describe_plan(here: Workspace, facts: AccountFacts, plan: Plan, targets: tuple[str, ...]) -> SavedPlan:
    """Describe a plan and what it was made from."""
    return SavedPlan(
        version=VERSION,
        made_at=clock.stamp(),
        made_by=version("sre-agent"),
        deployment=plan.deployment,
        account=facts.account_id,
        region=facts.region,
        mode=here.config.mode,
        config_file=str(here.config_file.absolute()),
        config_sha256=hashlib.sha256(here.config_file.read_bytes()).hexdigest(),
        wanted_sha256=_sum_wanted(here.config, facts),
        state_file=here.store.location,
        lineage=here.state.lineage if here.state else "",
        serial=here.state.serial if here.state else 0,
        aws=here.account.origin(),
        facts=_looked_up(facts),
        targets=targets,
        changes=tuple(map(_describe_change, plan.changes)),
    )


def _describe_change(change: Change) -> Mapping[str, Any]:
    return {**change.to_json(), "generation": change.generation, "next_generation": change.next_generation}


def _looked_up(facts: AccountFacts) -> dict[str, str]:
    return {"vpc_id": facts.vpc_id, "vpc_cidr": facts.vpc_cidr, "subnet_id": facts.subnet_id, "image_id": facts.image_id}


def _sum_wanted(config: Config, facts: AccountFacts) -> str:
    """Sum up what the configuration asks for, whatever the account answers. Secrets print as `***`."""
    neutral = replace(facts, vpc_id="", vpc_cidr="10.0.0.0/8", subnet_id="", image_id="", zones={})
    return hashlib.sha256(repr(blueprint(config, neutral)).encode()).hexdigest()


def save_plan(path: Path, saved: SavedPlan) -> None:
    """Write a plan that only its owner can read: it names every resource of the account's deployment."""
    atomic_file.write(path, seal(asdict(saved)), mode=0o600)


def require_replaceable(path: Path) -> None:
    """Raise Refused if no plan can be saved there: what is there is not a saved plan, or its folder does not exist."""
    if path.is_dir() or not path.parent.is_dir():
        raise Refused(_no_place(path))
    if path.exists() and isinstance(load_plan(path), Problem):
        raise Refused(
            Problem(
                code="PLAN-FILE-EXISTS",
                what=f"{path} is there already and is not a saved plan. It was not replaced, and nothing was planned.",
                why="--out replaces only what it has written itself.",
                do=("Choose another name, for example --out deployment.plan.", f"Or delete it first, if nobody needs it: `rm {path}`."),
            )
        )


def load_plan(path: Path) -> SavedPlan | Problem:
    """Load a saved plan, or say why the file is none."""
    try:
        written = path.read_bytes()
        document = json.loads(written)
        if isinstance(document, dict) and isinstance(document.get("version"), int) and document["version"] > VERSION:
            return _unusable(path, f"its format is {document['version']}, and this version knows formats up to {VERSION}")
        if isinstance(document, dict) and not is_intact(written, document.pop(CHECKSUM, "")):
            raise ValueError("its checksum is that of other content")
        return _parse(document)
    except OSError as error:
        return _unusable(path, f"this file can't be read ({error.strerror})")
    except (ValueError, RecursionError) as error:
        if path.suffix in (".yaml", ".yml"):
            return _unusable(path, "it is a configuration", f"Pass it with --config: `sre-agent-deploy deploy --config {path}`.")
        return _unusable(path, f"it was cut or edited, or is another kind of file ({str(error).splitlines()[0]})")


def _parse(document: Any) -> SavedPlan:
    """Parse a document. Raises ValueError with the faulty field, and never shows a value."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(SavedPlan).validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def require_unmoved(saved: SavedPlan, now: SavedPlan) -> None:
    """Raise Refused if the plan of today is not the saved one, and say what moved."""
    if moved := tuple(find_moves(saved, now)):
        raise Refused(_carried_out(saved) if is_carried_out(saved, now) else _moved(saved, moved))


def is_carried_out(saved: SavedPlan, now: SavedPlan) -> bool:
    """Return True if nothing is left to do of what was saved: this plan, or another run with the same configuration, did it (pure)."""
    same = (saved.config_sha256, saved.wanted_sha256, saved.deployment) == (now.config_sha256, now.wanted_sha256, now.deployment)
    left = [any(step["action"] != Action.KEEP for step in plan.changes) for plan in (saved, now)]
    return same and left == [True, False] and now.serial > saved.serial


def find_moves(saved: SavedPlan, now: SavedPlan) -> Iterator[str]:
    """Say what is different since a plan was saved (pure)."""
    if saved.config_sha256 != now.config_sha256:
        yield f"the configuration {now.config_file} was changed"
    elif saved.wanted_sha256 != now.wanted_sha256:
        yield _explain_wanted(saved, now)
    if (saved.deployment, saved.account, saved.region) != (now.deployment, now.account, now.region):
        yield f"it was for deployment {saved.deployment} in account {saved.account}, {saved.region}; this is {_describe_place(now)}"
    if (saved.lineage, saved.serial) != (now.lineage, now.serial):
        yield f"the state {now.state_file} was {_describe_state(saved)} and is {_describe_state(now)}"
    # A local AWS that was started again has other ids, and nothing in it that could have moved.
    elif saved.aws == now.aws:
        differing = [(name, value, now.facts.get(name)) for name, value in saved.facts.items() if value != now.facts.get(name)]
        yield from (f"the account answers another {name}: {before} before, {after} now" for name, before, after in differing)
    steps = [*_find_changed_steps(saved, now)]
    yield from steps[:_MOST_STEPS]
    if len(steps) > _MOST_STEPS:
        yield f"{len(steps) - _MOST_STEPS} more"


def _explain_wanted(saved: SavedPlan, now: SavedPlan) -> str:
    if saved.made_by != now.made_by:
        return f"the plan was made by version {saved.made_by} of sre-agent-deploy; this is {now.made_by}"
    return "the configuration means something else: a variable of the environment or a file that it names was changed"


def _describe_place(plan: SavedPlan) -> str:
    return f"{plan.deployment} in account {plan.account}, {plan.region}"


def _describe_state(plan: SavedPlan) -> str:
    return f"number {plan.serial} of {plan.lineage or 'no lineage'}" if plan.serial else "none"


def _find_changed_steps(saved: SavedPlan, now: SavedPlan) -> Iterator[str]:
    """Say which resources AWS has in another way than when the plan was saved."""
    before, after = ({(step["name"], step["generation"]): step for step in plan.changes} for plan in (saved, now))
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            yield f"{key[0]} in AWS: {_describe_step(before.get(key))} before, {_describe_step(after.get(key))} now"


def _describe_step(step: Mapping[str, Any] | None) -> str:
    return f"{step['action']} ({step['because']})" if step else "nothing to do"


def _carried_out(saved: SavedPlan) -> Problem:
    return Problem(
        code="PLAN-MOVED",
        what=f"The plan of {saved.made_at} was carried out already, and nothing was changed now.",
        why="AWS has everything that it creates or changes, and the state was written since the plan was saved.",
        do=(
            "Nothing has to be done. What is there: `sre-agent-deploy status`, and who did it: `sre-agent-deploy history`.",
            f"If more is to change, make a new plan: `sre-agent-deploy plan --config {saved.config_file} --out FILE`.",
        ),
    )


def _moved(saved: SavedPlan, moved: tuple[str, ...]) -> Problem:
    targets = "".join(f" --target {target}" for target in saved.targets)
    return Problem(
        code="PLAN-MOVED",
        what=f"The plan of {saved.made_at} was not carried out, and nothing was changed.",
        why=f"Since it was saved, something moved: {'; '.join(moved)}.",
        do=(
            f"Make a new plan and read it: `sre-agent-deploy plan --config {saved.config_file}{targets} --out FILE`.",
            "Then carry it out: `sre-agent-deploy deploy FILE`.",
        ),
    )


def _no_place(path: Path) -> Problem:
    return Problem(
        code="PLAN-FILE-EXISTS",
        what=f"No plan can be saved as {path}, and nothing was planned.",
        why="It is a folder." if path.is_dir() else f"The folder {path.parent} does not exist.",
        do=("Name a file in a folder that exists, for example --out deployment.plan.",),
    )


def _unusable(path: Path, why: str, first: str = "") -> Problem:
    return Problem(
        code="PLAN-UNREADABLE",
        what=f"{path} is not a saved plan that can be carried out. Nothing was changed.",
        why=f"`deploy FILE` takes what `plan --out FILE` has written; {why}.",
        do=(*((first,) if first else ()), "Make a plan and save it: `sre-agent-deploy plan --config config.yaml --out FILE`."),
    )
