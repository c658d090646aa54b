"""The permission of a role to use a model, directly or through an inference profile.

https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html: the caller needs the profile and, in every region
that the profile routes to, the model.
"""

from __future__ import annotations

from collections.abc import Iterator

from embedded_aws import moto_state, policy, sigv4
from embedded_aws.http_messages import Request
from sre_core import bedrock


def find_forbidden(request: Request, account_id: str, region: str, model: str, *, streams: bool) -> str:
    """Return AWS's words for the first resource that the caller's role may not use; empty where it may use all, or is no role."""
    claim = sigv4.read(request)
    role = moto_state.role_of_key(account_id, claim.access_key_id) if claim else None
    if role is None:
        return ""
    action = "bedrock:InvokeModelWithResponseStream" if streams else "bedrock:InvokeModel"
    policies = moto_state.role_policies(account_id, role)
    for resource, context in _list_resources(account_id, region, model):
        if not policy.allows(policies, action, resource, context):
            return f"User: {role} is not authorized to perform: {action} on resource: {resource}"
    return ""


def _list_resources(account_id: str, region: str, model: str) -> Iterator[tuple[str, dict[str, str]]]:
    name = bedrock.model_of(model)
    context: dict[str, str] = {}
    if name != model:
        profile = f"arn:aws:bedrock:{region}:{account_id}:inference-profile/{model}"
        yield profile, {}
        context = {"bedrock:InferenceProfileArn": profile}
    for destination in bedrock.list_destinations(model, region):
        yield f"arn:aws:bedrock:{destination}::foundation-model/{name}", context
