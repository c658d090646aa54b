"""An order that an authority refused is reported with the authority's own text, and what to do first."""

from __future__ import annotations

import json

import pytest

from sre_agent_deploy.commands.certs import Order, explain_failure
from sre_agent_deploy.resources.ec2_boot import Status

ORDER = Order("sre.example.com", "https://ca/dir", "arn", "i-1", "192.0.2.7", "s3://b/status/", "there is none yet")
POINT = "Point sre.example.com to 192.0.2.7"


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("dns", POINT),
        ("unknownHost", POINT),
        ("connection", POINT),
        ("unauthorized", "Another server answered"),
        ("caa", "Let the domain's CAA records allow the authority, for Let's Encrypt: sre.example.com. CAA 0 issue \"letsencrypt.org\""),
        ("rateLimited", "Wait until the time that the authority names"),
        ("rejectedIdentifier", "Set deployment.domain_name"),
        ("invalidContact", "Set tls.email"),
        ("unheardOf", "Look at what the machine logged"),
    ],
)
def test_each_refusal(kind: str, first: str) -> None:
    """The detail of the authority is the why, and the first advice fits its type."""
    documents = [{"type": f"urn:ietf:params:acme:error:{kind}", "detail": "too many {failed} orders"}]
    problem = explain_failure(ORDER, Status("certificate", "failed", "https://ca/dir refused the order: words", json.dumps(documents)))
    assert problem.code == "TLS-ORDER-FAILED"
    assert problem.what == "No certificate was issued for sre.example.com: https://ca/dir refused the order."
    assert problem.why == f"too many {{failed}} orders ({kind})"
    assert problem.do[0].startswith(first)
    assert "deploy" in problem.do[-1]


@pytest.mark.parametrize("output", ["", "Traceback ...", "[1]", "{}", '[{"detail": 1}]'])
def test_a_report_without_a_document(output: str) -> None:
    """An error of AWS, or an unexpected exception, is quoted unchanged."""
    problem = explain_failure(ORDER, Status("certificate", "failed", "The secret could not be written.", output))
    assert problem.why
    assert problem.do[0].startswith("Look at what the machine logged")
