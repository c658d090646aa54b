"""The deployments that this machine knows: each run that changes one notes who runs it, and with which state file.

`list` needs nothing else, so nothing heavy is imported here; only a state file that was not saved by this version costs pydantic. Why a
local deployment can't be reached is explained here, too: its local AWS has ended, or it runs with another HOME or as another user.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from sre_agent_deploy import connection
from sre_agent_deploy.account import local
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.deployment_tags import TTL_RESOURCE
from sre_agent_deploy.journal.lock import user_name
from sre_agent_deploy.journal.state import State, read_sealed
from sre_agent_deploy.journal.store import is_s3, open_store
from sre_core import atomic_file, clock
from sre_core.nearest import find_nearest
from sre_core.problem import Problem, Refused
from sre_core.state_folder import state_folder

_MOST_NAMED = 3


@dataclass(frozen=True)
class Claim:
    """The last run on this machine that changed a deployment: who ran it, when, in which mode, and with which state file."""

    who: str
    host: str
    since: str
    state_file: str
    mode: str = ""
    name: str = ""
    account: str = ""
    region: str = ""

    def __str__(self) -> str:
        return f"deployed by {self.who} on {self.host} at {self.since} with the state file {self.state_file}"

    @property
    def has_state(self) -> bool:
        """Say if the state file can still be there; of one in S3 nothing is known."""
        return is_s3(self.state_file) or Path(self.state_file).exists()


def record_claim(deployment: str, state_file: str, mode: str = "", *, name: str = "", account: str = "", region: str = "") -> None:
    """Note that this run changes a deployment."""
    claim = Claim(user_name(), socket.gethostname(), clock.stamp(), state_file, mode, name, account, region)
    path = _path(deployment)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_file.write(path, json.dumps(asdict(claim)).encode(), mode=0o600)


def delete_claim(deployment: str) -> None:
    """Forget who deployed a deployment that is gone."""
    _path(deployment).unlink(missing_ok=True)


def read_claim(deployment: str) -> Claim | None:
    """Read the note about a deployment; None if this machine has none that can be read."""
    try:
        return Claim(**json.loads(_path(deployment).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def list_claims() -> dict[str, Claim]:
    """List the deployments that this machine knows, newest first."""
    files = _path("any").parent.glob("*.json")
    claims = {file.stem: claim for file in files if (claim := read_claim(file.stem))}
    return dict(sorted(claims.items(), key=lambda item: item[1].since, reverse=True))


@dataclass(frozen=True)
class Row:
    """One deployment, as far as it is known without its files: empty where it is not."""

    deployment: str
    name: str = ""
    mode: str = ""
    account: str = ""
    region: str = ""
    address: str = ""
    since: str = ""
    last: str = ""
    state_file: str = ""


def list_known() -> tuple[Row, ...]:
    """List the deployments that this machine knows. Asks AWS nothing, so a state in S3 is only named."""
    return tuple(_describe(deployment, claim) for deployment, claim in list_claims().items())


def _describe(deployment: str, claim: Claim) -> Row:
    state = _load_file(claim.state_file)
    state = state if isinstance(state, State) and state.deployment == deployment else None
    return Row(
        deployment,
        claim.name,
        claim.mode or (state.mode if state else ""),
        claim.account or (state.account if state else ""),
        claim.region or (state.region if state else ""),
        connection.read_url(deployment),
        _created(state) or claim.since,
        _describe_last(claim, state),
        claim.state_file,
    )


def _load_file(state_file: str) -> State | Problem | None:
    if is_s3(state_file):
        return None
    try:
        sealed = read_sealed(Path(state_file).read_bytes())
    except OSError:
        sealed = None
    return sealed or open_store(state_file, _never).load()


def _never() -> Aws:
    raise AssertionError("a local file needs no AWS")


def _created(state: State | None) -> str:
    """Say when a deployment began: when its first resource was created, else its oldest run that is recorded."""
    if state is None:
        return ""
    record = state.current(TTL_RESOURCE)
    return str(record.outputs.get("created_at", "")) if record else next((run.started for run in state.runs), "")


def _describe_last(claim: Claim, state: State | None) -> str:
    if state is None:
        return "its state is in S3" if is_s3(claim.state_file) else "its state file is gone or can't be read"
    if state.mode == "local" and state.alive() and not is_running(state):
        return "its local AWS has ended"
    last = state.runs[-1] if state.runs else None
    return f"{last.command}: {last.result or 'not ended'}" if last else ""


def choose_claim(text: str) -> tuple[str, Claim]:
    """Return the deployment of this machine with this id or name. Raises Refused if there is none, or more than one."""
    known = list_claims()
    found = [(deployment, claim) for deployment, claim in known.items() if text in (deployment, claim.name)]
    if len(found) == 1:
        return found[0]
    raise Refused(_several(text, found) if found else _unknown(text, known))


def _several(text: str, found: list[tuple[str, Claim]]) -> Problem:
    shown = "; ".join(f"{deployment} ({claim.mode} mode, account {claim.account}, {claim.region})" for deployment, claim in found)
    return Problem(
        code="DEPLOYMENT-AMBIGUOUS",
        what=f"This machine knows {len(found)} deployments with the name {text}: {shown}.",
        why="A name is unique only within one account and region.",
        do=("See them all: `sre-agent-deploy list`.", "Choose one by its id: `--deployment ID`."),
    )


def _unknown(text: str, known: dict[str, Claim]) -> Problem:
    alike = find_nearest(text, [*known, *filter(None, (claim.name for claim in known.values()))])
    return Problem(
        code="DEPLOYMENT-UNKNOWN",
        what=f"This machine knows no deployment with the id or name {text}.",
        why="A deployment is known where it was last deployed, by the user who did it.",
        do=(
            *((f"Did you mean --deployment {alike}?",) if alike else ()),
            "See those that are known: `sre-agent-deploy list`.",
            "If its state is elsewhere, name the state: --state-file PATH, or s3://BUCKET/KEY.",
        ),
    )


def _path(deployment: str) -> Path:
    return state_folder() / "claims" / f"{deployment}.json"


def describe_known() -> str:
    """Name the deployments that this machine knows, with mode and state file; empty if there are none."""
    return "; ".join(
        f"{deployment} ({', '.join(filter(None, (f'{claim.mode} mode' if claim.mode else '', f'state file {claim.state_file}')))})"
        for deployment, claim in list_claims().items()
    )


def state_not_found(location: str, command: str) -> Problem:
    """Explain that a command found no state, and name the state files that this machine knows."""
    known = [(deployment, claim) for deployment, claim in list_claims().items() if claim.has_state and claim.state_file != location]
    places = tuple(_lead_to(deployment, claim.state_file) for deployment, claim in known[:_MOST_NAMED])
    return Problem(
        code="STATE-NOT-FOUND",
        what=f"There is no state {location}.",
        why="No deployment was begun in this folder, or its state has another name or place.",
        do=(
            *places,
            *(() if places else (f"Name the state: `sre-agent-deploy {command} --state-file PATH` (or s3://BUCKET/KEY).",)),
            "Or deploy: `sre-agent-deploy deploy --config config.yaml`. Existing resources are found by their tags and adopted.",
        ),
    )


def _lead_to(deployment: str, state_file: str) -> str:
    path = Path(state_file)
    go = f"Go to {path.parent}, or add" if path.name == ".deployment_state" and not is_s3(state_file) else "Add"
    return f"{go} --state-file {state_file} (deployment {deployment})."


def is_running(state: State) -> bool:
    """Return True if the local AWS of a state still runs."""
    registry = local.find_running()
    return registry is not None and registry.start_id == state.aws.get("start_id")


def explain_missing_aws(state: State | None) -> Problem:
    """Explain why no local AWS is found: it has ended, or it runs with another HOME or as another user."""
    return (find_elsewhere(state) if state else None) or _local_aws_gone(state)


def find_elsewhere(state: State) -> Problem | None:
    """Look for the local AWS of a state where the state says that it was started; None if nothing is left in it, or if it was here."""
    registry_file = Path(state.aws.get("registry", ""))
    if not state.alive() or not registry_file.name or registry_file.parent == state_folder().absolute():
        return None
    try:
        registry = local.find_running(registry_file)
    except PermissionError:
        return _aws_elsewhere(state, registry_file, "This user may not look there, so nothing is known about it.")
    if registry is None or registry.start_id != state.aws.get("start_id"):
        return None
    return _aws_elsewhere(state, registry_file, f"It still runs there, as process {registry.pid}.")


def _aws_elsewhere(state: State, registry_file: Path, known: str) -> Problem:
    folder = registry_file.parent
    return Problem(
        code="LOCAL-RUNS-ELSEWHERE",
        what=f"Deployment {state.deployment} is in a local AWS of another state folder: {folder}.",
        why=f"It was started with another HOME or SRE_AGENT_STATE_DIR, or by another user. {known}",
        do=(
            f"Run the same command there: SRE_AGENT_STATE_DIR={folder} sre-agent-deploy …, as the user who owns that folder.",
            "To deploy here as well, use another state file: --state-file .deployment_state.here",
        ),
    )


def _local_aws_gone(state: State | None) -> Problem:
    """Explain that no local AWS runs. Only a state that says where its AWS was started proves that nothing is left."""
    name = f"Deployment {state.deployment}" if state else "A local deployment"
    file = state.config_file if state and state.config_file else "examples/local.yaml"
    deploy = f"Deploy again: `sre-agent-deploy deploy --config {file} --mode local`."
    if state and state.aws.get("registry"):
        other = "Nothing is left to clean up."
    else:
        other = "If it was deployed with another HOME or by another user, run the command there: only that state folder says if it runs."
    return Problem(
        code="LOCAL-AWS-GONE",
        what=f"{name} is not there: no local AWS runs for the state folder {state_folder()}.",
        why="A local deployment lives in memory. It ends when its AWS is stopped or killed, or when the machine is restarted.",
        do=(deploy, other),
    )
