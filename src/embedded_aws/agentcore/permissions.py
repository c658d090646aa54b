"""What IAM lets a gateway's role do: the two questions that AgentCore asks of policies. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from embedded_aws.policy import Asked, Verdict, verdict

type Policy = Mapping[str, Any]
type Context = Mapping[str, str]

GATEWAY_SERVICE = "bedrock-agentcore.amazonaws.com"


def trusts_gateway(trust: Policy, context: Context) -> bool:
    """Whether a role lets AgentCore assume it, for the account and gateway in `context`."""
    asked = Asked(principal=GATEWAY_SERVICE, action="sts:AssumeRole", resource="", keys=_keys(context))
    return verdict(trust, asked) is Verdict.ALLOWED


def allows(policies: Iterable[Policy], action: str, resource: str, context: Context) -> bool:
    """Whether these policies together allow `action` on `resource`: an allow, and no deny."""
    asked = Asked(principal="", action=action, resource=resource, keys=_keys(context))
    verdicts = {verdict(policy, asked) for policy in policies}
    return Verdict.ALLOWED in verdicts and Verdict.DENIED not in verdicts


def _keys(context: Context) -> dict[str, str]:
    return {key.lower(): value for key, value in context.items()}
