"""The problems of calls without an answer."""

from __future__ import annotations

import pytest
from botocore.exceptions import EndpointConnectionError

from sre_agent_deploy.aws.general import unanswered


@pytest.mark.parametrize(
    ("url", "word"), [("https://127.0.0.1:43645/", "local mode starts a new local AWS"), ("https://sts.us-east-1.amazonaws.com/", "DNS")]
)
def test_which_aws_is_silent(url: str, word: str) -> None:
    """The network's names and proxies do not matter for a local AWS that was killed."""
    problem = unanswered(EndpointConnectionError(endpoint_url=url))
    assert problem.code == "AWS-UNREACHABLE"
    assert (word in " ".join(problem.do), "DNS" in " ".join(problem.do)) == (True, word == "DNS")
