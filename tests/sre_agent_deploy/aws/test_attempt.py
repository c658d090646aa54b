"""AWS's errors become Problems once; what may be repeated is, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError
from botocore.parsers import ResponseParserError

from sre_agent_deploy.aws.attempt import Lost, Patience, attempt, or_none
from sre_core.problem import Problem

QUICK = Patience(throttled=timedelta(seconds=5), transient=timedelta(seconds=5), first_wait=0.001, longest_wait=0.002)
BIRTH = Patience(repeatable=False, throttled=timedelta(seconds=5), first_wait=0.001, longest_wait=0.002)


def error(code: str, status: int = 400, operation: str = "CreateThing") -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "AWS's own words"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "request-1"},
    }
    return ClientError(response, operation)


class Script:
    """Raises the errors it is given, one a call, then answers `done`."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.mark.parametrize("failure", [error("ThrottlingException"), error("SlowDown", 503), error("RequestLimitExceeded", 503)])
@pytest.mark.parametrize("patience", [QUICK, BIRTH])
def test_throttling_is_repeated(failure: ClientError, patience: Patience) -> None:
    """A throttled call did nothing, so even a birth is sent again."""
    script = Script(failure, failure)
    assert attempt(script, patience=patience) == "done"
    assert script.calls == 3


@pytest.mark.parametrize(
    "failure", [error("InternalError", 500), EndpointConnectionError(endpoint_url="https://x"), ResponseParserError("not XML")]
)
def test_an_answer_that_never_came(failure: Exception) -> None:
    """A call that may be repeated is; a birth is not, and says that it is not known what came of it."""
    assert attempt(Script(failure), patience=QUICK) == "done"
    birth = Script(failure)
    assert isinstance(attempt(birth, patience=BIRTH), Lost)
    assert birth.calls == 1


def test_a_fresh_role_is_waited_for_only_where_it_is_declared() -> None:
    """The same code is propagation for one resource and a refusal for another."""
    fresh = frozenset({"ValidationException"})
    assert attempt(Script(error("ValidationException")), propagates=fresh, patience=BIRTH) == "done"
    assert isinstance(attempt(Script(error("ValidationException")), patience=BIRTH), Problem)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (error("AccessDenied", 403), "AWS-ACCESS-DENIED"),
        (error("ExpiredToken", 400), "AWS-CREDENTIALS"),
        (NoCredentialsError(), "AWS-CREDENTIALS"),
        (ParamValidationError(report="x"), "AWS-CALL-INVALID"),
        (error("SomethingNew", 400), "AWS-UNEXPECTED"),
    ],
)
def test_every_error_is_a_problem(failure: Exception, code: str) -> None:
    """Whatever AWS or botocore says, the user gets a code, a cause and a next step."""
    problem = attempt(Script(failure), patience=QUICK)
    assert isinstance(problem, Problem)
    assert problem.code == code
    assert problem.do


def test_the_resources_own_table_comes_first() -> None:
    """A resource's advice is used, and the unexpected keeps operation, code and request id."""
    told = Problem(code="THING-TAKEN", what="w", why="y", do=("d",))
    problem = attempt(Script(error("AlreadyExists")), failures={("CreateThing", "AlreadyExists"): lambda _: told}, patience=QUICK)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.request_id) == ("THING-TAKEN", "request-1")
    assert problem.context == {"operation": "CreateThing", "aws_code": "AlreadyExists"}


def test_absence_is_an_answer() -> None:
    """Only the codes that mean `not there` become None."""
    assert or_none(Script(error("NoSuchThing")), ("NoSuchThing",)) is None
    assert or_none(Script(), ("NoSuchThing",)) == "done"
    with pytest.raises(ClientError):
        or_none(Script(error("AccessDenied")), ("NoSuchThing",))
