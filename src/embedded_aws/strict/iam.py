"""AWS IAM: the simulation of what a principal may do, with the evaluator that authorizes calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from embedded_aws import iam_state, policy
from embedded_aws.policy import AccessRequest, Policy, Verdict
from embedded_aws.strict.patching import add, patch

_DECISIONS = {Verdict.ALLOWED: "allowed", Verdict.DENIED: "explicitDeny", Verdict.SILENT: "implicitDeny"}


def simulate_policies() -> None:
    """Add SimulatePrincipalPolicy, which moto lacks: identity-based policies and a permissions boundary, for a user or a role.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    from moto.core.responses import ActionResult
    from moto.iam.exceptions import InvalidInput, NoSuchEntity
    from moto.iam.responses import IamResponse

    def simulate_principal_policy(self: Any) -> Any:
        for member in ("PolicyInputList", "PermissionsBoundaryPolicyInputList", "PolicyExclusionList", "ResourcePolicy", "CallerArn"):
            if self._get_param(member):
                raise InvalidInput(f"{member} is not supported by the local AWS. Leave it out.")
        groups = _find_policies(self.current_account, self._get_param("PolicySourceArn"))
        if groups is None:
            raise NoSuchEntity(f"The principal {self._get_param('PolicySourceArn')} cannot be found.")
        keys = {each["ContextKeyName"].lower(): each["ContextKeyValues"] for each in self._get_param("ContextEntries", [])}
        context = {name: values[0] if len(values) == 1 else tuple(values) for name, values in keys.items()}
        resources = self._get_param("ResourceArns", ["*"])
        results = [
            _simulate(groups, AccessRequest("", action, resource, context))
            for action in self._get_param("ActionNames")
            for resource in resources
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})

    add(IamResponse, "simulate_principal_policy", simulate_principal_policy)


def require_existing_boundaries() -> None:
    """Refuse a permissions boundary that is no managed policy.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePermissionsBoundary.html
    """
    from moto.iam.exceptions import NoSuchEntity
    from moto.iam.responses import IamResponse

    def require_boundary(original: Any, self: Any) -> Any:
        boundary = self._get_param("PermissionsBoundary")
        if boundary and not iam_state.policy_exists(self.current_account, boundary):
            raise NoSuchEntity(f"Scope ARN: {boundary} does not exist or is not attachable.")
        return original(self)

    for operation in ("create_role", "put_role_permissions_boundary"):
        patch(IamResponse, operation)(require_boundary)


def refuse_profiles_of_absent_roles() -> None:
    """Refuse to list the instance profiles of a role that does not exist; moto lists none.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html
    """
    from moto.iam.models import IAMBackend

    @patch(IAMBackend, "get_instance_profiles_for_role")
    def get_instance_profiles_for_role(original: Any, self: Any, role_name: str) -> Any:
        self.get_role(role_name)
        return original(self, role_name)


def _find_policies(account_id: str, arn: str) -> tuple[tuple[Policy, ...], ...] | None:
    """Return the groups of policies that must each allow a call; None where there is no such user or role."""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind == "user" and iam_state.user_exists(account_id, name.rpartition("/")[2]):
        return (iam_state.user_policies(account_id, name.rpartition("/")[2]),)
    if kind == "role" and iam_state.role_exists(account_id, arn):
        boundary = iam_state.role_boundary(account_id, arn)
        return (iam_state.role_policies(account_id, arn), *((boundary,) if boundary is not None else ()))
    return None


def _simulate(groups: Iterable[tuple[Policy, ...]], asked: AccessRequest) -> dict[str, Any]:
    verdicts = [{policy.evaluate(each, asked) for each in group} for group in groups]
    decided = Verdict.ALLOWED if all(Verdict.ALLOWED in each for each in verdicts) else Verdict.SILENT
    if any(Verdict.DENIED in each for each in verdicts):
        decided = Verdict.DENIED
    named = {key for group in groups for each in group for key in _keys_in(each)}
    return {
        "EvalActionName": asked.action,
        "EvalResourceName": asked.resource,
        "EvalDecision": _DECISIONS[decided],
        "MatchedStatements": [],
        "MissingContextValues": sorted(key for key in named if key.lower() not in asked.keys),
    }


def _keys_in(document: Policy) -> Iterator[str]:
    """List the condition keys that a policy looks at."""
    statements = document.get("Statement", ())
    for statement in [statements] if isinstance(statements, Mapping) else statements:
        for keys in statement.get("Condition", {}).values():
            yield from keys
