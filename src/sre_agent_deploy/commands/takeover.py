"""Asks before a deployment is taken over that another state file describes: the same name is the same deployment, in any folder.

What AWS shows tells since when a deployment exists, not whose it is. So each run notes on this machine who runs it and from where.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from sre_agent_deploy.commands.user import Question, User
from sre_agent_deploy.journal.lock import user_name
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.lifetime import TTL_RESOURCE
from sre_agent_deploy.plan import Plan
from sre_core import atomic_file, clock
from sre_core.problem import Problem
from sre_core.state_folder import state_folder


@dataclass(frozen=True)
class Claim:
    """The last run on this machine that changed a deployment: who ran it, when, and with which state file."""

    who: str
    host: str
    since: str
    state_file: str

    def __str__(self) -> str:
        return f"deployed by {self.who} on {self.host} at {self.since} with the state file {self.state_file}"


def record_claim(deployment: str, state_file: str) -> None:
    """Note that this run changes a deployment."""
    claim = Claim(user_name(), socket.gethostname(), clock.stamp(), state_file)
    path = _path(deployment)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_file.write(path, json.dumps(asdict(claim)).encode(), mode=0o600)


def delete_claim(deployment: str) -> None:
    """Forget who deployed a deployment that is gone."""
    _path(deployment).unlink(missing_ok=True)


def _read_claim(deployment: str) -> Claim | None:
    """Read the note about a deployment; None if this machine has none that can be read."""
    try:
        return Claim(**json.loads(_path(deployment).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _path(deployment: str) -> Path:
    return state_folder() / "claims" / f"{deployment}.json"


def confirm_takeover(plan: Plan, state: State | None, state_file: str, user: User) -> None:
    """Ask before changing what exists of a deployment if this state file knows nothing of it."""
    known = state is not None and state.deployment == plan.deployment and state.alive()
    found = [change for change in plan.changes if change.id and not change.named]
    if known or not found:
        return
    since = next((str(change.outputs["created_at"]) for change in found if change.name == TTL_RESOURCE and change.outputs), "")
    claim = _read_claim(plan.deployment)
    owner = str(claim) if claim else "this machine has no note of who deployed it"
    exists = f"{len(found)} resources of it exist{f', since {since}' if since else ''}; {owner}"
    question = Question(
        "Take it over with this configuration and this state file?",
        _exists_already(plan.deployment, exists, claim, state_file),
        lines=(f"Deployment {plan.deployment} exists already: {exists}.", f"The state file {state_file} knows nothing of it."),
    )
    user.confirm(question)


def _exists_already(deployment: str, exists: str, claim: Claim | None, state_file: str) -> Problem:
    own = f"Work with its own state file: --state-file {claim.state_file}" if claim else "Work in the folder where it was deployed."
    return Problem(
        code="DEPLOYMENT-EXISTS",
        what=f"Deployment {deployment} exists already, and the state file {state_file} knows nothing of it.",
        why=f"The account, the region and the name are the same as those of another deployment: {exists}.",
        do=(
            own,
            "For a second deployment, choose another `name` in the configuration.",
            "If its state file is lost, or it is to be managed from here, take it over: add --yes.",
        ),
    )
