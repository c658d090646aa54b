"""A deployment goes to Amazon's AWS, or to another one that the configuration or the environment names."""

from __future__ import annotations

import pytest

from sre_agent_deploy.account.account import open_production_account
from sre_agent_deploy.config.models import Config
from sre_core.problem import Refused


@pytest.mark.parametrize("url", ["127.0.0.1:4566", "http://127.0.0.1:4566", "https://", "https://user:pass@host"])
def test_an_endpoint_of_the_environment_that_is_none(url: str) -> None:
    """Secrets are sent to it, so the configuration's rule applies, and the problem names the variable."""
    with pytest.raises(Refused) as refused:
        open_production_account(Config.model_validate({"mode": "local"}), {"AWS_ENDPOINT_URL": url})
    (problem,) = refused.value.problems
    assert problem.code == "CONFIG-ENDPOINT"
    assert "AWS_ENDPOINT_URL" in problem.what
    assert "user:pass" not in str(problem)


def test_an_endpoint_of_the_environment() -> None:
    """It is used with its own CA; without an endpoint, Amazon's AWS is used."""
    config = Config.model_validate({"mode": "local"})
    elsewhere = open_production_account(config, {"AWS_ENDPOINT_URL": "https://127.0.0.1:4566", "AWS_CA_BUNDLE": "ca.pem"}).aws.endpoint
    assert elsewhere
    assert (elsewhere.url, elsewhere.ca_file) == ("https://127.0.0.1:4566", "ca.pem")
    assert open_production_account(config, {}).aws.endpoint is None
