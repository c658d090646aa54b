"""A value that botocore refuses before it sends anything is a problem, never a traceback, and the next run continues."""

from __future__ import annotations

from collections.abc import Iterable

from fixtures.cut import invalid
from fixtures.engine import Engine
from sre_core.problem import Problem


def explained(problems: Iterable[Problem], parameter: str) -> bool:
    """Return true if each problem names the resource and the parameter, and says what to do."""
    named = [(problem.code, problem.context["resource"], parameter in problem.what, bool(problem.do)) for problem in problems]
    return bool(named) and set(named) == {("AWS-CALL-INVALID", "gateway_role", True, True)}


def test_a_value_that_botocore_refuses(engine: Engine) -> None:
    """Plan, apply and cleanup name the resource and the parameter; each continues once the value is right."""
    engine.parts = ("gateway_role",)
    with invalid(engine.aws, "iam", "CreateRole", "RoleName"):
        assert explained(engine.apply().problems, "RoleName")
    engine.deploy()
    with invalid(engine.aws, "iam", "GetRole", "RoleName"):
        assert explained(engine.plan().problems, "RoleName")
    with invalid(engine.aws, "iam", "DeleteRole", "RoleName"):
        assert explained(engine.cleanup().problems, "RoleName")
    assert engine.cleanup().problems == ()
    assert engine.state
    assert engine.state.alive() == ()
