"""`plan`, `costs`, `validate --account` and `iam-policy`: what a configuration means in an account. Makes no mutating call.

`plan --out FILE` saves the plan, and `deploy FILE` applies exactly that plan, or refuses because something changed: the file holds
what the plan was made from (configuration, state, account) and its steps; `deploy FILE` plans again and compares both. A file that
was edited or cut is refused by its checksum. No secret is in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.account.account import Account, describe_account, look_up_account, open_production_account
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.checks import Finding
from sre_agent_deploy.checks.suite import run_preflight
from sre_agent_deploy.commands import Mode, Request
from sre_agent_deploy.commands.claims import explain_missing_aws
from sre_agent_deploy.commands.user import UNATTENDED, User
from sre_agent_deploy.commands.workspace import Located, find_state, load_config, open_workspace, require_own_state, warn_if_locked, watch
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.costs import Estimate, estimate_cost
from sre_agent_deploy.deployer_policy import list_statements, name_policies, split_policies
from sre_agent_deploy.deployment_tags import taggable
from sre_agent_deploy.engine.planning import plan_changes
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.journal.state import CHECKSUM, State, is_intact, seal
from sre_agent_deploy.plan import Action, Change, Plan
from sre_core import atomic_file, clock
from sre_core.nearest import find_nearest
from sre_core.problem import Problem, Refused
from sre_core.regions import partition_of

if TYPE_CHECKING:
    from sre_agent_deploy.commands.workspace import Workspace


def plan(request: Request, user: User = UNATTENDED, *, targets: tuple[str, ...] = (), out: Path | None = None) -> Plan:
    """Compare the configuration with what AWS has now. With `out`, save the plan there, if it can be applied."""
    if out:
        require_replaceable(out)
    located = find_state(request)
    with open_workspace(located, user, start=True) as here, watch(here.account, user) as account:
        warn_if_locked(here.store, user)
        _note_ended_aws(located, here.state, user)
        facts = look_up_facts(here.config, account, here.state, here.store.location)
        wanted = blueprint(here.config, facts)
        require_own_state(wanted.deployment, here.state, here.store.location)
        limited = limit_blueprint(wanted, targets)
        found = plan_deployment(account, wanted, here.state)
        if targets:
            found = found.limit([item.name for item in limited])
        if out and not (found.problems or found.extras):
            save_plan(out, describe_plan(here, facts, found, targets))
        return found


def limit_blueprint(wanted: Blueprint, targets: tuple[str, ...]) -> Blueprint:
    """Return the targets and what they need; everything without targets. Raises Refused where there is no resource of that name."""
    names = [item.name for item in wanted]
    unknown = [target for target in targets if target not in names]
    if unknown:
        raise Refused(*(_target_unknown(target, names) for target in unknown))
    return wanted.limit(targets)


def _target_unknown(target: str, names: list[str]) -> Problem:
    alike = find_nearest(target, names)
    return Problem(
        code="TARGET-UNKNOWN",
        what=f"The deployment has no resource {target}. Nothing was changed.",
        why="--target takes the name that a resource has in the plan, not its id and not its type.",
        do=(*((f"Did you mean --target {alike}?",) if alike else ()), f"The names are: {', '.join(names)}."),
    )


def _note_ended_aws(located: Located, current: State | None, user: User) -> None:
    """Say why everything is to be created, if the state is of a local AWS that has ended."""
    ended = located.state
    if current is None and ended and ended.mode == "local" and ended.alive():
        problem = explain_missing_aws(ended)
        user.warn(f"{problem.code}: the local AWS with deployment {ended.deployment} has ended. {problem.why}")


def check_account(located: Located, user: User = UNATTENDED) -> tuple[Finding, ...]:
    """Run preflight: every check of the account and the certificate before anything is changed."""
    with open_workspace(located, user, start=True) as here:
        return run_preflight(here.config, here.account.aws, clock.now())


def estimate_costs(request: Request) -> Estimate:
    """Estimate what a configuration costs a month; nothing in local mode. Makes no call."""
    config = load_config(request)
    if config.mode == "local":
        return Estimate()
    return estimate_cost(config, blueprint(config, describe_account(config)))


def draw_blueprint(config: Config, account: Account, state: State | None, location: str = "") -> Blueprint:
    """Draw the blueprint of a configuration for an account. Raises Refused where the account can't be used.

    `location` is that of the state.
    """
    return blueprint(config, look_up_facts(config, account, state, location))


def look_up_facts(config: Config, account: Account, state: State | None, location: str = "") -> AccountFacts:
    """Look up what a blueprint needs to know. Raises Refused where the account can't be used."""
    return replace(
        look_up_account(config, account, _image_in_use(state, config.deployment.operating_system)), state_location=taggable(location)
    )


def _image_in_use(state: State | None, operating_system: str) -> str:
    """Return the official image of this system that the instance runs: a newer one alone is no reason to replace an instance."""
    record = state.current("instance") if state else None
    outputs = record.outputs if record else {}
    return outputs.get("image_id", "") if outputs.get("operating_system") == operating_system else ""


def plan_deployment(account: Account, wanted: Blueprint, state: State | None, *, leave: Collection[str] = ()) -> Plan:
    """Plan the changes from what AWS has now to a blueprint. The state of another deployment says nothing about this one."""
    return plan_changes(account.aws, wanted, state if state and state.deployment == wanted.deployment else None, leave=leave)


def write_policies(request: Request) -> Mapping[str, Any]:
    """Write the policies of a configuration, by name. Raises Refused with every fault of the configuration.

    The account's number is part of the deployment's id, and so of most ARNs: without aws.account_id AWS is asked for it.
    """
    config = load_config(request)
    if config.mode == "local":
        raise Refused(_local())
    account_id = config.aws.account_id or _ask_account(config)
    facts = replace(describe_account(config), account_id=account_id, partition=partition_of(config.aws.region))
    plan = blueprint(config, facts)
    policies = split_policies(list_statements(config, plan, account_id))
    return dict(zip(name_policies(plan.deployment, len(policies)), policies, strict=True))


def save_policies(policies: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Write each policy into a file of its own, named like it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(folder / f"{name}.json" for name in policies)
    for file, policy in zip(files, policies.values(), strict=True):
        atomic_file.write(file, (json.dumps(policy, indent=2) + "\n").encode())
    return files


def _ask_account(config: Config) -> str:
    account = open_production_account(config)
    return ask_or_refuse(account.aws, lambda: account.aws.account_id)


def _local() -> Problem:
    return Problem(
        code="IAM-POLICY-LOCAL",
        what="There is no policy for local mode.",
        why="In local mode everything is done as the root of the local AWS, which needs no policy.",
        do=("Name the mode that the policy is for: sre-agent-deploy iam-policy --mode production",),
    )


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
    """Sum up what the configuration asks for, in any account. Secrets print as `***`."""
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
        raise Refused(_already_applied(saved) if is_applied(saved, now) else _moved(saved, moved))


def is_applied(saved: SavedPlan, now: SavedPlan) -> bool:
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


def _already_applied(saved: SavedPlan) -> Problem:
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
        why=f"Since it was saved, something changed: {'; '.join(moved)}.",
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
