"""START HERE: decide if an identity may make a call, as IAM does, and give AWS's message if it may not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from embedded_aws import api_key, policy, refusals
from embedded_aws.authorization.call import Call, read_call
from embedded_aws.authorization.demand import Demand
from embedded_aws.authorization.demands import list_demands
from embedded_aws.authorization.state import BOUNDARY, Identity, ResourceState, find_identity
from embedded_aws.credentials import AccessKey
from embedded_aws.http_messages import Request, Response
from embedded_aws.policy import AccessRequest, Named, Verdict
from embedded_aws.refusals import Protocol
from embedded_aws.verifier import Caller

# AWS allows these to everyone, also against an explicit deny: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
_ALWAYS = frozenset({"sts:GetCallerIdentity"})


@dataclass(frozen=True)
class Denial:
    """A denied action, with AWS's message."""

    action: str
    message: str


def authorize_request(request: Request, caller: Caller) -> Response | None:
    """Return the refusal of a request that its sender may not make; None where it may, as the account root may everything."""
    key, signature = caller.key, caller.signature
    account_id = key.arn.split(":")[4]
    if key.arn.endswith(":root"):
        return None
    denial = _authorize(request, caller, account_id)
    if denial is None:
        return None
    protocol = refusals.protocol_of(request, signature.service)
    return _answer(protocol, signature.service, denial)


def _authorize(request: Request, caller: Caller, account_id: str) -> Denial | None:
    service, region = caller.signature.service, caller.signature.region
    call = read_call(request, service, account_id=account_id, region=region)
    identity = find_identity(account_id, caller.key.arn, caller.key.access_key_id)
    state = ResourceState(account_id, region)
    demands = _read_demands(call, state) or (Demand(f"{service}:Unknown"),)
    if api_key.is_present(request):
        demands = (Demand("bedrock:CallWithBearerToken"), *demands)
    keys = {"aws:sourceip": request.client, "aws:requestedregion": region}
    denials = (find_denial(identity, _with_keys(demand, keys), state.resource_policy(demand.resource)) for demand in demands)
    return next(filter(None, denials), None)


def _read_demands(call: Call | None, state: ResourceState) -> tuple[Demand, ...]:
    """List what a call must be allowed; nothing where it can't be read: the local AWS must not be more permissive than AWS."""
    try:
        return tuple(list_demands(call, state)) if call else ()
    except (AttributeError, KeyError, TypeError):
        # A member that the list needs is absent, or has another type.
        return ()


def _with_keys(demand: Demand, keys: dict[str, str]) -> Demand:
    return replace(demand, keys={**keys, **demand.keys})


def find_denial(identity: Identity, demand: Demand, of_resource: policy.Policy | None = None) -> Denial | None:
    """Return why these policies do not allow an action on a resource; None where they do (pure). `of_resource` is the resource's own.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
    """
    if demand.action in _ALWAYS:
        return None
    account_id = identity.arn.split(":")[4]
    standing = {
        "aws:principalarn": identity.role_arn or identity.arn,
        "aws:principalaccount": account_id,
        "aws:resourceaccount": account_id,
        "aws:securetransport": "true",
        "aws:viaawsservice": "false",
    }
    keys = standing | {key.lower(): value for key, value in demand.keys.items()}
    asked = AccessRequest(identity.arn, demand.action, demand.resource, keys, bounded=BOUNDARY in identity.limits)
    groups = {"identity-based policy": identity.policies, **identity.limits, "resource-based policy": (of_resource,) if of_resource else ()}
    verdicts = {kind: {policy.evaluate(each, asked) for each in policies} for kind, policies in groups.items()}
    if denying := next((kind for kind, found in verdicts.items() if Verdict.DENIED in found), ""):
        return _denial(identity, demand, f"with an explicit deny in {_article(denying)}")
    granted = policy.find_grant(of_resource, asked) if of_resource else Named.NOT
    # What the resource grants to a caller itself needs no other policy's allow; what it grants to its role is within the limits of that.
    needed = {Named.ITSELF: (), Named.BY_ROLE: identity.limits}.get(granted, ("identity-based policy", *identity.limits))
    silent = next((kind for kind in needed if Verdict.ALLOWED not in verdicts[kind]), "")
    return _denial(identity, demand, f"because no {silent} allows the {demand.action} action") if silent else None


def _article(kind: str) -> str:
    return f"an {kind}" if kind.startswith("i") else f"a {kind}"


def _denial(identity: Identity, demand: Demand, because: str) -> Denial:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    where = f" on resource: {demand.resource}"
    return Denial(demand.action, f"User: {identity.arn} is not authorized to perform: {demand.action}{where} {because}")


def _answer(protocol: Protocol, service: str, denial: Denial) -> Response:
    """Encode a denial as each service does: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html."""
    message = denial.message
    if protocol is Protocol.EC2:
        return refusals.answer(protocol, 403, "UnauthorizedOperation", f"You are not authorized to perform this operation. {message}")
    if service == "sns":
        return refusals.answer(protocol, 403, "AuthorizationError", message)
    if protocol in (Protocol.S3, Protocol.QUERY, Protocol.CBOR):
        return refusals.answer(protocol, 403, "AccessDenied", message)
    return refusals.answer(protocol, 403 if protocol is Protocol.REST_JSON else 400, "AccessDeniedException", message)


def find_key_denial(key: AccessKey, action: str, resource: str) -> Denial | None:
    """Return why the owner of a key may not do this one thing; None where it may, as the account root may everything."""
    if key.arn.endswith(":root"):
        return None
    return find_denial(find_identity(key.arn.split(":")[4], key.arn, key.access_key_id), Demand(action, resource))


def find_role_denial(account_id: str, role_arn: str, session: str, action: str, resource: str) -> Denial | None:
    """Return why a role may not do this one thing; None where it may. For a machine that this process runs itself."""
    name = role_arn.rpartition("/")[2]
    arn = f"arn:aws:sts::{account_id}:assumed-role/{name}/{session}"
    return find_denial(find_identity(account_id, arn, ""), Demand(action, resource))
