"""AWS's errors become Problems in one place; only calls that may be repeated are repeated."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.aws.attempt import Lost, attempt, or_none
from sre_agent_deploy.progress import Event, Progress, RetryLimits, Stop
from sre_core import clock
from sre_core.problem import Problem

HOUR = timedelta(hours=1)
QUICK = Progress(RetryLimits(throttled=timedelta(seconds=5), transient=timedelta(seconds=5), first_wait=0.001, longest_wait=0.002))


def error(code: str, status: int = 400, operation: str = "CreateThing", **headers: str) -> ClientError:
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    response: Any = {
        "Error": {"Code": code, "Message": "AWS's own words"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "request-1", "HTTPHeaders": sent},
    }
    return ClientError(response, operation)


class Script:
    """Raises its errors, one for each call, then returns `done`."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


NOT_NOW = [error("ThrottlingException"), error("SlowDown", 503), error("RequestLimitExceeded", 503), error("OperationAborted", 409)]


@pytest.mark.parametrize("failure", NOT_NOW)
@pytest.mark.parametrize("repeatable", [True, False])
def test_throttling_is_repeated(failure: ClientError, *, repeatable: bool) -> None:
    """A call that is throttled, or refused because of an earlier change, had no effect: even a creation is sent again."""
    script = Script(failure, failure)
    assert attempt(script, progress=QUICK, repeatable=repeatable) == "done"
    assert script.calls == 3


@pytest.mark.parametrize(
    "failure", [error("InternalError", 500), EndpointConnectionError(endpoint_url="https://x"), ResponseParserError("not XML")]
)
def test_an_answer_that_never_came(failure: Exception) -> None:
    """After a lost answer a repeatable call is sent again; a creation is not, and the problem says that its result is unknown."""
    assert attempt(Script(failure), progress=QUICK) == "done"
    creation = Script(failure)
    assert isinstance(attempt(creation, progress=QUICK, repeatable=False), Lost)
    assert creation.calls == 1


def test_a_fresh_role_is_waited_for_only_where_it_is_declared() -> None:
    """The same code is propagation for one resource and a refusal for another."""
    fresh = frozenset({"ValidationException"})
    assert attempt(Script(error("ValidationException")), propagates=fresh, progress=QUICK, repeatable=False) == "done"
    assert isinstance(attempt(Script(error("ValidationException")), progress=QUICK, repeatable=False), Problem)


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
    """Every error of AWS or botocore becomes a problem with a code, a cause and a next step."""
    problem = attempt(Script(failure), progress=QUICK)
    assert isinstance(problem, Problem)
    assert problem.code == code
    assert problem.do


def test_the_resources_own_table_comes_first() -> None:
    """A resource's own advice is used first; an unexpected error keeps operation, code and request id."""
    advice = Problem(code="THING-TAKEN", what="w", why="y", do=("d",))
    problem = attempt(Script(error("AlreadyExists")), failures={("CreateThing", "AlreadyExists"): lambda _: advice}, progress=QUICK)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.request_id) == ("THING-TAKEN", "request-1")
    assert problem.context == {"operation": "CreateThing", "aws_code": "AlreadyExists"}


def test_absence_is_an_answer() -> None:
    """Only the codes for `not found` become None."""
    assert or_none(Script(error("NoSuchThing")), ("NoSuchThing",)) is None
    assert or_none(Script(), ("NoSuchThing",)) == "done"
    with pytest.raises(ClientError):
        or_none(Script(error("AccessDenied")), ("NoSuchThing",))


class Clock(Stop):
    """Adds up the seconds of all waits, and requests a stop after so many waits."""

    def __init__(self, stops_after: int = 1000) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._stops_after = stops_after

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        if len(self.pauses) >= self._stops_after:
            self.request()
        return self.requested


@given(
    refused=st.lists(st.sampled_from(["ThrottlingException", "InternalError", "NotYet"]), max_size=14),
    first=st.floats(0.01, 2),
    longest=st.floats(0.01, 20),
    wish=st.sampled_from([{}, {"retry_after": "3"}, {"x_amz_retry_after": "700"}, {"retry_after": "soon"}]),
)
def test_the_waits_between_trials(refused: list[str], first: float, longest: float, wish: dict[str, str]) -> None:
    """For every error each wait is between zero and a bound that doubles up to the maximum; or is what AWS asks for."""
    ticks, least = Clock(), {"3": 3.0, "700": 0.7}.get("".join(wish.values()), 0.0)
    progress = Progress(RetryLimits(transient=timedelta(hours=1), first_wait=first, longest_wait=longest), ticks)
    script = Script(*(error(code, **wish) for code in refused))
    assert attempt(script, progress=progress, propagates=frozenset({"NotYet"})) == "done"
    assert len(ticks.pauses) == len(refused)
    for trial, wait in enumerate(ticks.pauses):
        assert least <= wait <= max(least, min(longest, first * 2**trial))


def test_the_waits_are_spread() -> None:
    """Full jitter: callers that were refused at the same moment retry at any moment up to the bound."""
    ticks = Clock()
    for _ in range(200):
        attempt(Script(error("SlowDown")), progress=Progress(RetryLimits(first_wait=8.0), ticks))
    spread = [sum(low <= wait < low + 2 for wait in ticks.pauses) for low in (0, 2, 4, 6)]
    assert min(spread) > 20, spread


@pytest.mark.parametrize(("kind", "code"), [("throttled", "SlowDown"), ("propagating", "NotYet"), ("transient", "InternalError")])
def test_each_kind_has_a_deadline_of_its_own(kind: str, code: str) -> None:
    """The configured deadline of one kind of error ends the retries of this kind, and of no other."""
    progress = Progress(RetryLimits(**{"throttled": HOUR, "propagating": HOUR, "transient": HOUR, kind: timedelta(0)}), Clock())
    script = Script(error(code), error(code))
    given_up = attempt(script, progress=progress, propagates=frozenset({"NotYet"}))
    assert (script.calls, isinstance(given_up, Lost)) == (1, kind == "transient")
    for other in {"SlowDown", "NotYet", "InternalError"} - {code}:
        assert attempt(Script(error(other)), progress=progress, propagates=frozenset({"NotYet"})) == "done"


def test_a_wait_of_a_few_seconds() -> None:
    """The user sees the reason of the wait and its deadline, once for all refusals."""
    events: list[Event] = []
    progress = Progress(stop=Clock(), observe=events.append, name="gateway")
    assert attempt(Script(error("SlowDown", retry_after="4"), error("SlowDown", retry_after="4")), progress=progress) == "done"
    [event] = events
    assert (event.step, event.name) == ("waiting", "gateway")
    assert event.wait
    assert {**event.wait.to_json(), "until": ""} == {"kind": "throttled", "until": "", "operation": "CreateThing", "code": "SlowDown"}
    assert timedelta(seconds=170) < event.wait.until - clock.now() < timedelta(seconds=190)


def test_a_wait_of_a_moment() -> None:
    """A wait that is too short to read about is not reported."""
    events: list[Event] = []
    assert attempt(Script(error("SlowDown")), progress=Progress(stop=Clock(), observe=events.append)) == "done"
    assert events == []


@pytest.mark.parametrize("code", ["SlowDown", "InternalError"])
def test_a_stop_between_two_trials(code: str) -> None:
    """No further call is made; a call that may have had an effect stays recorded."""
    script = Script(*(error(code) for _ in range(9)))
    answer = attempt(script, progress=Progress(stop=Clock(stops_after=2)))
    assert script.calls == 2
    assert isinstance(answer, Lost) == (code == "InternalError")
    problem = answer.problem if isinstance(answer, Lost) else answer
    assert isinstance(problem, Problem)
    assert problem.code == "RUN-INTERRUPTED"
