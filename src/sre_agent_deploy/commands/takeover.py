"""Asks before a deployment is taken over that another state file describes: the same name is the same deployment, in any folder.

AWS shows since when a deployment exists, not whose it is. `claims.py` notes on this machine who ran it and from where.
"""

from __future__ import annotations

from sre_agent_deploy.commands.claims import Claim, read_claim
from sre_agent_deploy.commands.user import Question, User
from sre_agent_deploy.deployment_tags import TTL_RESOURCE
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.plan import Plan
from sre_core.problem import Problem


def confirm_takeover(plan: Plan, state: State | None, state_file: str, user: User) -> None:
    """Ask before changing what exists of a deployment if this state file does not contain it."""
    known = state is not None and state.deployment == plan.deployment and state.alive()
    found = [change for change in plan.changes if change.id and not change.named]
    if known or not found:
        return
    since = next((str(change.outputs["created_at"]) for change in found if change.name == TTL_RESOURCE and change.outputs), "")
    claim = read_claim(plan.deployment)
    owner = str(claim) if claim else "this machine has no note of who deployed it"
    exists = f"{len(found)} resources of it exist{f', since {since}' if since else ''}; {owner}"
    question = Question(
        "Take it over with this configuration and this state file?",
        _exists_already(plan.deployment, exists, claim, state_file),
        lines=(f"Deployment {plan.deployment} exists already: {exists}.", f"The state file {state_file} does not contain it."),
    )
    user.confirm(question)


def _exists_already(deployment: str, exists: str, claim: Claim | None, state_file: str) -> Problem:
    own = f"Work with its own state file: --state-file {claim.state_file}" if claim else "Work in the folder where it was deployed."
    return Problem(
        code="DEPLOYMENT-EXISTS",
        what=f"Deployment {deployment} exists already, and the state file {state_file} does not contain it.",
        why=f"The account, the region and the name are the same as those of another deployment: {exists}.",
        do=(
            own,
            "For a second deployment, choose another `name` in the configuration.",
            "If its state file is lost, or it is to be managed from here, take it over: run the same command with --yes.",
        ),
    )
