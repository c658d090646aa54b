"""What stands in the way in a place is told in the same words, whichever command looks."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.embedded import EmbeddedAws
from fixtures.engine import deployers_aws
from sre_agent_deploy.checks.before.suite import preflight
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.place import Place, survey_site
from sre_core import clock
from sre_core.problem import Refused


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ({"vpc_id": "vpc-0123456789abcdef0", "subnet_id": "subnet-0123456789abcdef0"}, "VPC-NOT-FOUND"),
        ({"subnet_id": "subnet-0123456789abcdef0"}, "SUBNET-NOT-FOUND"),
        ({"account_id": "999988887777"}, "AWS-OTHER-ACCOUNT"),
    ],
)
def test_a_place_that_is_not_there(unbooted: EmbeddedAws, named: dict[str, Any], code: str) -> None:
    """`plan` and `verify`, which survey the site, say what preflight says."""
    config, aws = Config.model_validate({"mode": "local", "aws": named}), deployers_aws(unbooted)
    with pytest.raises(Refused) as refused:
        survey_site(config, Place(aws))
    [problem] = refused.value.problems
    assert problem.code == code
    told = {finding.problem.what for finding in preflight(config, aws, clock.now()) if finding.problem}
    assert problem.what in told
