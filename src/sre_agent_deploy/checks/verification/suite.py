"""START HERE: the verification checks, in the order of the report."""

from __future__ import annotations

from typing import Any

from sre_agent_deploy.checks.check import Check
from sre_agent_deploy.checks.verification.endpoint_client import Endpoints
from sre_agent_deploy.checks.verification.front_door import (
    AnswersOverIpv6,
    CertificateLasts,
    LoginNameResolves,
    NameResolves,
    PlainHttpRefused,
)
from sre_agent_deploy.checks.verification.hops import HopsFromAssistant
from sre_agent_deploy.checks.verification.refusals import ExpiredTokenRefused, refusal_checks
from sre_agent_deploy.checks.verification.services import InvestigationAnswers, ModelAnswers, TracesAccepted, health_checks
from sre_agent_deploy.checks.verification.tokens import TokenIssued
from sre_agent_deploy.checks.verification.tools import ToolsCalled, ToolsListed


def verification_checks(
    *, on_runtime: bool = False, custom_domain: bool = False, traced: bool = False, ipv6: bool = False
) -> tuple[Check[Endpoints, Any], ...]:
    """List every verification check. A deployment is complete only when every required one passes (Property 4).

    `on_runtime` leaves out what does not apply where the assistant runs on AgentCore Runtime: its health path, which nobody can call.
    """
    return (
        NameResolves(),
        *((AnswersOverIpv6(),) if ipv6 else ()),
        *health_checks(on_runtime=on_runtime),
        PlainHttpRefused(),
        CertificateLasts(),
        *((LoginNameResolves(),) if custom_domain else ()),
        TokenIssued("gateway_client"),
        TokenIssued("caller_client"),
        *refusal_checks(),
        ExpiredTokenRefused(),
        ToolsListed(),
        ToolsCalled(),
        HopsFromAssistant(),
        InvestigationAnswers(),
        ModelAnswers(),
        *((TracesAccepted(),) if traced else ()),
    )
