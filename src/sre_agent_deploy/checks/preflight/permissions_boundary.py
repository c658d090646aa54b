"""Check the permissions boundary that the user named for the roles: it is there, and leaves them what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.assistant_runtime import runtime_statements
from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.blueprint import instance_statements
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context, ask
from sre_agent_deploy.checks.preflight.encryption_key import covers
from sre_agent_deploy.later import Ref
from sre_agent_deploy.policies import SESSION_ACTIONS, gateway_role_statements
from sre_core.problem import Problem


@dataclass(frozen=True)
class BoundaryFacts:
    """The policy, the document of its default version (None: there is no such policy), and the actions that the roles need."""

    arn: str
    document: Mapping[str, Any] | None
    actions: tuple[str, ...]


class BoundaryFits:
    """The named boundary exists, and allows each action of the roles on some resource."""

    id: ClassVar[str] = "iam.permissions_boundary"
    proves: ClassVar[str] = "the permissions boundary exists and leaves the roles what they need"
    requirements: ClassVar[tuple[str, ...]] = ("3.2", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> BoundaryFacts | Problem:
        arn, iam = world.config.aws.permissions_boundary, world.aws.client("iam")
        found: Any = ask(lambda: or_none(lambda: iam.get_policy(PolicyArn=arn)["Policy"], ("NoSuchEntity",)), "iam:GetPolicy")
        if isinstance(found, Problem):
            return found
        if found is None:
            return BoundaryFacts(arn, None, ())
        version = found["DefaultVersionId"]
        read: Any = ask(
            lambda: iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"], "iam:GetPolicyVersion"
        )
        return read if isinstance(read, Problem) else BoundaryFacts(arn, read, list_actions(world))

    def judge(self, facts: BoundaryFacts) -> Verdict:
        if facts.document is None:
            return Verdict(False, "the permissions boundary does not exist", _not_found(facts))
        if gaps := find_gaps(facts.document, facts.actions):
            return Verdict(False, "the permissions boundary does not leave the roles what they need", _too_narrow(facts, gaps))
        return Verdict(True, self.proves)


def list_actions(world: Context) -> tuple[str, ...]:
    """List what the roles of this deployment call: the gateway's, the machine's and the runtime's, with Session Manager as the way in."""
    config, where = world.config, (world.aws.partition, world.aws.region, world.aws.account_id)
    statements = (
        *(() if config.aws.role_name else gateway_role_statements(*where, "", Ref("backend_key", "secret_arn"))),
        *instance_statements(config, where, world.deployment),
        *(runtime_statements(config, where, world.deployment) if config.assistant.on_runtime else ()),
    )
    # A key pair is another way onto the machine.
    sessions = () if config.deployment.key_name else SESSION_ACTIONS
    return tuple(dict.fromkeys((*(action for statement in statements for action in statement.actions), *sessions)))


def find_gaps(document: Mapping[str, Any], actions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the actions that a boundary allows on no resource, or denies always (pure). Its other conditions are taken to fit."""
    listed = document.get("Statement", ())
    statements = [listed] if isinstance(listed, Mapping) else list(listed)
    allowed = [each for each in statements if each.get("Effect") == "Allow"]
    denied = [each for each in statements if each.get("Effect") == "Deny" and _always(each)]
    return tuple(
        action for action in actions if not any(_names(each, action) for each in allowed) or any(_names(each, action) for each in denied)
    )


def _always(statement: Mapping[str, Any]) -> bool:
    return not statement.get("Condition") and statement.get("Resource") in ("*", ["*"])


def _names(statement: Mapping[str, Any], action: str) -> bool:
    return not covers(statement["NotAction"], action) if "NotAction" in statement else covers(statement.get("Action", ()), action)


def _not_found(facts: BoundaryFacts) -> Problem:
    return Problem(
        code="IAM-BOUNDARY-NOT-FOUND",
        what=f"The policy {facts.arn}, which aws.permissions_boundary names, does not exist.",
        why="A permissions boundary is used and never created; its ARN is misspelled, or the policy was deleted.",
        do=("Correct aws.permissions_boundary (`aws iam list-policies --scope Local` lists your policies).",),
        aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
    )


def _too_narrow(facts: BoundaryFacts, gaps: tuple[str, ...]) -> Problem:
    return Problem(
        code="IAM-BOUNDARY-TOO-NARROW",
        what="The roles of the deployment could not do their work within aws.permissions_boundary.",
        why=f"{facts.arn} does not allow {', '.join(gaps)}.",
        do=(
            "Ask the owner of that policy to allow these actions in it; each role's own policy stays narrower.",
            "Or name another policy in aws.permissions_boundary.",
        ),
        aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
    )
