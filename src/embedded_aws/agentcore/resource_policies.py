"""Resource-based policies of gateways, runtimes and endpoints: kept, and evaluated when one is invoked.

https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/resource-based-policies.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from embedded_aws import policy
from embedded_aws.agentcore.errors import Violation, invalid, not_found
from embedded_aws.agentcore.records import Registry
from embedded_aws.policy import AccessRequest, Verdict

type Request = Mapping[str, Any]
type Answer = dict[str, Any]


class ResourcePolicies:
    """The operations on resource-based policies."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def put(self, request: Request) -> Answer:
        """Perform PutResourcePolicy."""
        arn = self._existing(request)
        if wrong := _find_fault(request["policy"], arn):
            raise invalid(wrong, Violation("policy", wrong))
        self._registry.policies[arn] = request["policy"]
        return {"policy": request["policy"]}

    async def get(self, request: Request) -> Answer:
        """Perform GetResourcePolicy: the answer for a resource without one has no policy."""
        found = self._registry.policies.get(self._existing(request))
        return {"policy": found} if found else {}

    async def delete(self, request: Request) -> Answer:
        """Perform DeleteResourcePolicy."""
        self._registry.policies.pop(self._existing(request), None)
        return {}

    def _existing(self, request: Request) -> str:
        registry, arn = self._registry, str(request["resourceArn"])
        endpoints = (endpoint.arn for each in registry.endpoints.values() for endpoint in each.values())
        gateways, runtimes = (
            (gateway.arn for gateway in registry.gateways.values()),
            (runtime.arn for runtime in registry.runtimes.values()),
        )
        if arn not in (*gateways, *runtimes, *endpoints):
            raise not_found(f"Resource not found: {arn}")
        return arn


def allows_invocation(registry: Registry, action: str, arn: str, client: str) -> bool:
    """Say if the policy of a resource lets a caller with an accepted token invoke it; without a policy it does.

    Such a caller is no principal of IAM, so that only statements for everyone are about it.
    """
    text = registry.policies.get(arn)
    keys = {"aws:sourceip": client, "aws:securetransport": "true"}
    request = AccessRequest(principal="", action=f"bedrock-agentcore:{action}", resource=arn, keys=keys)
    return text is None or policy.evaluate(json.loads(text), request) is Verdict.ALLOWED


def _find_fault(text: str, arn: str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "The policy is not valid JSON."
    if not isinstance(document, dict) or not document.get("Statement"):
        return "The policy must be an object with a Statement."
    if document.get("Version") not in ("2012-10-17", "2008-10-17"):
        return "The Version of the policy must be 2012-10-17."
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    return next(filter(None, (_statement_fault(each, arn) for each in statements)), "")


def _statement_fault(statement: object, arn: str) -> str:
    if not isinstance(statement, dict):
        return "Each Statement must be an object."
    if statement.get("Effect") not in ("Allow", "Deny"):
        return "The Effect of a statement must be Allow or Deny."
    actions = statement.get("Action")
    listed = actions if isinstance(actions, list) else [actions]
    if not all(isinstance(each, str) and each.startswith("bedrock-agentcore:") for each in listed):
        return "Each Action must be one of bedrock-agentcore."
    if statement.get("Resource") not in (arn, [arn]):
        return f"The Resource of a statement must be exactly {arn}."
    # Both kinds of resource are invoked with OAuth tokens here, or without any.
    if statement.get("Principal") != "*":
        return 'The Principal must be "*" for a resource that is invoked with OAuth tokens.'
    return ""
