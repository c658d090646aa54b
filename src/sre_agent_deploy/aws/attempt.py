"""The one place that catches AWS's errors: retries what may be retried, and turns the rest into Problems.

So do the calls here whose request or answer needs more than botocore gives: updates that replace everything, and answers that hide errors.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.errors import code_of, kind_of, request_id_of, status_of
from sre_agent_deploy.aws.general import general, no_answers, unanswered
from sre_agent_deploy.progress import DEFAULT_PROGRESS, REPORT_AFTER, Progress, RetryLimits, Wait, Why
from sre_agent_deploy.resource import Failures
from sre_core import clock
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


@dataclass(frozen=True)
class Lost:
    """A call whose answer was lost: AWS may have done it or not. The engine looks before it sends a creation again."""

    problem: Problem


def or_none[T](call: Callable[[], T], codes: Collection[str]) -> T | None:
    """Make a read call, and return None where AWS answers with one of `codes` that there is nothing."""
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError as error:
        if code_of(error) in codes:
            return None
        raise


def attempt[T](
    call: Callable[[], T],
    *,
    progress: Progress = DEFAULT_PROGRESS,
    subject: Any = None,
    failures: Failures | None = None,
    propagates: frozenset[str] = frozenset(),
    repeatable: bool = True,
) -> T | Problem | Lost:
    """Make an AWS call and return its result, a Problem, or Lost where its result is not known.

    Calls that were refused because of throttling, propagation or an earlier change still under way did nothing, so they are always
    retried, with exponential backoff and full jitter. After server errors and lost connections, only calls that do no harm when
    sent twice are retried.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    backoff = Backoff(progress, repeatable)
    while True:
        try:
            return call()
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            refusal = _refusal(error, propagates)
            if refusal and backoff.wait(refusal):
                continue
            problem = _to_problem(error, subject, failures or {})
            if refusal is None:
                return problem
            problem = progress.interrupted_or(problem)
            return Lost(problem) if refusal.why == "transient" else problem


def ask[T](aws: Aws, call: Callable[[], T]) -> T | Problem:
    """Make a read or a call that may be repeated. Returns a Problem where AWS does not answer it."""
    answer = attempt(call, progress=aws.progress)
    return answer.problem if isinstance(answer, Lost) else answer


def ask_or_refuse[T](aws: Aws, call: Callable[[], T]) -> T:
    """Make such a call, or raise Refused with the Problem of its failure."""
    answer = ask(aws, call)
    if isinstance(answer, Problem):
        raise Refused(answer)
    return answer


def _refusal(error: Exception, propagates: frozenset[str]) -> Refusal | None:
    """Classify an error that a retry may help against; None for all others."""
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return Refusal("transient", "", type(error).__name__) if isinstance(error, no_answers()) else None
    kind = kind_of(code_of(error), status_of(error), propagates)
    if kind not in ("throttled", "busy", "propagating", "transient"):
        return None
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return Refusal(kind, error.operation_name, code_of(error), asked_for(headers))


def _to_problem(error: Any, subject: Any, failures: Failures) -> Problem:
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return unanswered(error)
    operation, code, request_id = error.operation_name, code_of(error), request_id_of(error)
    table = failures.get((operation, code))
    return _add_request(table(subject) if table else general(error), operation, code, request_id)


def _add_request(problem: Problem, operation: str, code: str, request_id: str | None) -> Problem:
    from dataclasses import replace

    return replace(problem.with_context(operation=operation, aws_code=code), request_id=request_id)


_STATUS: Mapping[Why, str] = {
    "throttled": "AWS throttles {operation} ({code})",
    "busy": "AWS has not finished an earlier change: {operation} answers {code}",
    "propagating": "AWS does not know everywhere yet what was just created: {operation} answers {code}",
    "transient": "{operation} got no answer from AWS ({code})",
}


@dataclass(frozen=True)
class Refusal:
    """A temporary failure of a call, and the seconds that AWS asks to wait: 0 where it does not say."""

    why: Why
    operation: str
    code: str
    after: float = 0.0


@dataclass
class Backoff:
    """The pauses of one call, counted from its first attempt.

    They are exponential with full jitter, never shorter than AWS asks for, and never past the deadline.
    """

    progress: Progress
    repeatable: bool
    """True if a call whose answer was lost may be sent again."""
    _began: float = field(default_factory=time.monotonic)
    _attempts: int = 0
    _reported: Why | None = None

    def wait(self, refusal: Refusal) -> bool:
        """Wait until the next attempt is due. Returns False if there is none: it might do harm, time is up, or a stop was requested."""
        if refusal.why == "transient" and not self.repeatable:
            return False
        waited = time.monotonic() - self._began
        left = _limit(self.progress.limits, refusal.why).total_seconds() - waited
        if left <= 0:
            return False
        pause = min(left, max(refusal.after, self._jitter()))
        if waited + pause >= REPORT_AFTER and refusal.why != self._reported:
            self._report(refusal, left)
        return not self.progress.stop.pause(pause)

    def _jitter(self) -> float:
        """Choose a random pause below a bound that doubles each time, so that calls refused together are not repeated together."""
        limits, self._attempts = self.progress.limits, self._attempts + 1
        return random.uniform(0, min(limits.longest_wait, limits.first_wait * 2 ** min(self._attempts - 1, 30)))  # noqa: S311  # no secret

    def _report(self, refusal: Refusal, left: float) -> None:
        self._reported = refusal.why
        until = clock.now() + timedelta(seconds=left)
        what = _STATUS[refusal.why].format(operation=refusal.operation or "a call", code=refusal.code)
        self.progress.report(what, Wait(refusal.why, until, refusal.operation, refusal.code))


def _limit(limits: RetryLimits, why: Why) -> timedelta:
    longest = {"throttled": limits.throttled, "busy": limits.throttled, "propagating": limits.propagating}
    return longest.get(why, limits.transient)


def asked_for(headers: Mapping[str, str]) -> float:
    """Read the seconds that AWS asks to wait: `Retry-After` is in seconds, AWS's own `x-amz-retry-after` in milliseconds."""
    for name, unit in (("x-amz-retry-after", 1000), ("retry-after", 1)):
        if (text := headers.get(name, "")).isdecimal():
            return int(text) / unit
    return 0.0


def update_fields(client: Any, operation: str, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Select the settings of `seen` that `operation` takes, so that an update of a few resets none of the others.

    AWS sets every member that is left out back to its default; the service model says which members there are.
    """
    takes = client.meta.service_model.operation_model(operation).input_shape.members
    return {key: value for key, value in seen.items() if key in takes}


def read_together(*reads: Callable[[], Any]) -> list[Any]:
    """Make several reads at the same time and return their results in order: AWS shows the settings of some things one by one."""
    with ThreadPoolExecutor(len(reads)) as pool:
        return list(pool.map(lambda read: read(), reads))


def raise_first_error(operation: str, answers: Iterable[Mapping[str, Any]]) -> None:
    """Read all answers that say 200 and may list errors; then raise the first error as if AWS had refused the call with it."""
    from botocore.exceptions import ClientError

    errors = [(error, answer) for answer in answers for error in answer.get("Errors", ())]
    if errors:
        error, answer = errors[0]
        said = {"Code": error.get("Code", ""), "Message": f"{error.get('Key', '')}: {error.get('Message', '')}"}
        raise ClientError({"Error": said, "ResponseMetadata": answer["ResponseMetadata"]}, operation)  # type: ignore[typeddict-item]
