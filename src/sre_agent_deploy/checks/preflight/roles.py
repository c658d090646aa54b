"""Check the role that the user named for the gateway: AgentCore may assume it, and it may do what a gateway does;
and the permissions boundary of the roles: it is there, and leaves them what they need.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.agentcore import runtime_statements
from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.blueprint import instance_statements
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.preflight import Context, ask
from sre_agent_deploy.later import Ref
from sre_agent_deploy.names import gateway_name
from sre_agent_deploy.policies import SESSION_ACTIONS, gateway_role_statements, gateway_trust
from sre_agent_deploy.resources import policy_document
from sre_core.problem import Problem

SERVICE = "bedrock-agentcore.amazonaws.com"
# AWS appends characters of its own to the names of these.
_SUFFIX = "AbCdEf"


@dataclass(frozen=True)
class RoleFacts:
    """The role: its trust policy (None: there is no such role), who must be able to assume it, and what it may not do."""

    role: str
    trust: Mapping[str, Any] | None
    account_id: str
    gateway_arn: str
    wanted_trust: Mapping[str, Any]
    missing: tuple[tuple[str, str], ...] = ()
    """Actions that its policies do not allow, each with the resource."""


class RoleFits:
    """The named role serves the gateway."""

    id: ClassVar[str] = "iam.role"
    proves: ClassVar[str] = "the named role trusts AgentCore and allows what the gateway does"
    requirements: ClassVar[tuple[str, ...]] = ("3.2", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> RoleFacts | Problem:
        name, iam = world.config.aws.role_name.rpartition("/")[2], world.aws.client("iam")
        found: Any = ask(lambda: or_none(lambda: iam.get_role(RoleName=name)["Role"], ("NoSuchEntity",)), "iam:GetRole")
        if isinstance(found, Problem):
            return found
        account, region, partition = world.aws.account_id, world.aws.region, world.aws.partition
        gateway = gateway_name(world.config, world.deployment)
        arn = f"arn:{partition}:bedrock-agentcore:{region}:{account}:gateway/{gateway.lower()}-0123456789"
        wanted = policy_document.trust_policy(SERVICE, gateway_trust(partition, region, account, gateway))
        if found is None:
            return RoleFacts(name, None, account, arn, wanted)
        missing = _find_missing(world, found["Arn"])
        return (
            missing if isinstance(missing, Problem) else RoleFacts(name, found["AssumeRolePolicyDocument"], account, arn, wanted, missing)
        )

    def judge(self, facts: RoleFacts) -> Verdict:
        if facts.trust is None:
            return Verdict(False, f"there is no role {facts.role}", _not_found(facts))
        if not trusts(facts.trust, facts.account_id, facts.gateway_arn):
            return Verdict(False, f"role {facts.role} does not trust AgentCore", _distrusts(facts))
        if facts.missing:
            return Verdict(False, f"role {facts.role} may not do all that the gateway does", _may_not(facts))
        return Verdict(True, f"role {facts.role} trusts AgentCore and allows what the gateway does")


def _find_missing(world: Context, role_arn: str) -> tuple[tuple[str, str], ...] | Problem:
    """Ask IAM which of the gateway's calls the policies of a role do not allow."""
    iam, missing = world.aws.client("iam"), list[tuple[str, str]]()
    for action, resources in list_calls(world):
        answer = ask(
            lambda action=action, resources=resources: iam.simulate_principal_policy(  # type: ignore[misc]  # mypy: defaults of a lambda
                PolicySourceArn=role_arn,
                ActionNames=[action],
                ResourceArns=resources,
                ContextEntries=[
                    {"ContextKeyName": "aws:ResourceAccount", "ContextKeyValues": [world.aws.account_id], "ContextKeyType": "string"}
                ],
            )["EvaluationResults"],
            "iam:SimulatePrincipalPolicy",
        )
        if isinstance(answer, Problem):
            return answer
        missing += [(action, each["EvalResourceName"]) for each in answer if each["EvalDecision"] != "allowed"]
    return tuple(missing)


def list_calls(world: Context) -> tuple[tuple[str, list[str]], ...]:
    """List what a gateway calls with its role, each with the resources that AWS checks."""
    partition, region, account = world.aws.partition, world.aws.region, world.aws.account_id
    agentcore = f"arn:{partition}:bedrock-agentcore:{region}:{account}"
    directory, vault = f"{agentcore}:workload-identity-directory/default", f"{agentcore}:token-vault/default"
    identity = f"{directory}/workload-identity/{gateway_name(world.config, world.deployment).lower()}-0123456789"
    named = world.config.gateway.provider_arn
    secret = f"arn:{partition}:secretsmanager:{region}:{account}:secret:{world.deployment}/backend-api-key-{_SUFFIX}"
    provider = named or f"{vault}/apikeycredentialprovider/{world.deployment}-backends"
    return (
        ("bedrock-agentcore:GetWorkloadAccessToken", [directory, identity]),
        ("bedrock-agentcore:GetResourceApiKey", [provider, vault, directory, identity]),
        # Which secret a provider of the user's refers to is not known here.
        *((("secretsmanager:GetSecretValue", [secret]),) if not named else ()),
    )


def trusts(document: Mapping[str, Any], account_id: str, gateway_arn: str) -> bool:
    """Say if a trust policy lets AgentCore assume the role for a gateway (pure). A condition on anything else is taken to hold."""
    keys = {"aws:sourceaccount": account_id, "aws:sourcearn": gateway_arn}
    statements = document.get("Statement", ())
    return any(_allows(each, keys) for each in ([statements] if isinstance(statements, Mapping) else statements))


def _allows(statement: Mapping[str, Any], keys: Mapping[str, str]) -> bool:
    principal = statement.get("Principal", {})
    services = _as_list(principal.get("Service")) if isinstance(principal, Mapping) else _as_list(principal)
    return (
        statement.get("Effect") == "Allow"
        and any(each in (SERVICE, "*") for each in services)
        and any(matches(each, "sts:AssumeRole") for each in _as_list(statement.get("Action")))
        and all(
            any(matches(value, keys[name.lower()]) for value in _as_list(values))
            for operator, wanted in statement.get("Condition", {}).items()
            for name, values in wanted.items()
            if name.lower() in keys and "Not" not in operator
        )
    )


def matches(pattern: str, text: str) -> bool:
    """Say if a text is what a pattern of a policy names, with `*` and `?` as wildcards (pure)."""
    regex = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(regex, text, re.IGNORECASE) is not None


def covers(actions: Any, action: str) -> bool:
    """Say if the Action of a statement, one pattern or several, names an action (pure)."""
    return any(matches(each, action) for each in ([actions] if isinstance(actions, str) else actions))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _not_found(facts: RoleFacts) -> Problem:
    return Problem(
        code="IAM-NAMED-ROLE-NOT-FOUND",
        what=f"The role {facts.role}, which aws.role_name names, does not exist.",
        why="A role that is named is used and never created; its name is misspelled, or it was deleted.",
        do=("Correct aws.role_name (`aws iam list-roles` lists your roles), or leave it empty to have a role created.",),
    )


def _distrusts(facts: RoleFacts) -> Problem:
    return Problem(
        code="IAM-NAMED-ROLE-TRUST",
        what=f"AgentCore can't assume the role {facts.role}, which aws.role_name names.",
        why=f"Its trust policy does not allow {SERVICE} to perform sts:AssumeRole for this deployment's gateway.",
        do=(
            f"Add this to its trust policy (IAM > Roles > {facts.role} > Trust relationships): "
            f"{policy_document.render_json(facts.wanted_trust['Statement'][0])}",
            "Or leave aws.role_name empty to have a role created.",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-prerequisites-permissions.html",
    )


def _may_not(facts: RoleFacts) -> Problem:
    gaps = "; ".join(f"{action} on {resource}" for action, resource in facts.missing)
    actions = ", ".join(dict.fromkeys(action for action, _ in facts.missing))
    return Problem(
        code="IAM-NAMED-ROLE-PERMISSIONS",
        what=f"The role {facts.role}, which aws.role_name names, may not do what the gateway does with it.",
        why=f"Its policies, permissions boundary or an organization's policy do not allow {gaps}.",
        do=(
            f"Allow {actions} on these resources in a policy of the role (names that AWS completes end in -*).",
            "Or leave aws.role_name empty to have a role with exactly these permissions created.",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-outbound-auth.html",
    )


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
            return Verdict(False, "the permissions boundary does not exist", _boundary_not_found(facts))
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


def _boundary_not_found(facts: BoundaryFacts) -> Problem:
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
