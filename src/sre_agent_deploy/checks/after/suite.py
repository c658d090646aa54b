"""Everything that is proven after a deployment, in the order of the report."""

from __future__ import annotations

from typing import Any

from sre_agent_deploy.checks.after.certificate_lasts import CertificateLasts
from sre_agent_deploy.checks.after.deployed import Deployed
from sre_agent_deploy.checks.after.investigation import InvestigationAnswers
from sre_agent_deploy.checks.after.plain_http import PlainHttpRefused
from sre_agent_deploy.checks.after.refusals import refusals
from sre_agent_deploy.checks.after.services_healthy import every_service
from sre_agent_deploy.checks.after.token_issued import TokenIssued
from sre_agent_deploy.checks.after.tools import ToolsCalled, ToolsListed
from sre_agent_deploy.checks.check import Check


def suite() -> tuple[Check[Deployed, Any], ...]:
    """The verification checks; a deployment is complete only when every required one passes (Property 4)."""
    return (
        *every_service(),
        PlainHttpRefused(),
        CertificateLasts(),
        TokenIssued("gateway_client"),
        TokenIssued("caller_client"),
        *refusals(),
        ToolsListed(),
        ToolsCalled(),
        InvestigationAnswers(),
    )
