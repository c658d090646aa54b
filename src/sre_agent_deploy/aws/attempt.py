"""The one place that catches AWS's errors: repeats what may be repeated, and turns the rest into Problems."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sre_agent_deploy.aws.backoff import Backoff, Refusal, asked_for
from sre_agent_deploy.aws.errors import code_of, kind_of, request_id_of, status_of
from sre_agent_deploy.patience import ALONE, Waits
from sre_agent_deploy.resource import Failures
from sre_core.problem import Problem


@dataclass(frozen=True)
class Lost:
    """A call whose answer never came: AWS may have done it or not. Before a birth is tried again, the engine looks."""

    problem: Problem


def or_none[T](call: Callable[[], T], codes: Collection[str]) -> T | None:
    """What a read answers, or None where AWS says with one of `codes` that there is nothing."""
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
    waits: Waits = ALONE,
    subject: Any = None,
    failures: Failures | None = None,
    propagates: frozenset[str] = frozenset(),
    repeatable: bool = True,
) -> T | Problem | Lost:
    """Make an AWS call and answer its result, a Problem, or Lost where it is not known what came of it.

    Throttling and IAM propagation did not change anything, so every call is repeated after them, with exponential
    backoff and full jitter; server errors and lost connections only where sending the call twice does no harm.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    backoff = Backoff(waits, repeatable)
    while True:
        try:
            return call()
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            refusal = _refusal(error, propagates)
            if refusal and backoff.wait(refusal):
                continue
            problem = _told(error, subject, failures or {})
            if refusal is None:
                return problem
            problem = waits.ended(problem)
            return Lost(problem) if refusal.why == "transient" else problem


def _refusal(error: Exception, propagates: frozenset[str]) -> Refusal | None:
    """What AWS refuses for now, or did not answer; None where trying again changes nothing."""
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return Refusal("transient", "", type(error).__name__) if isinstance(error, _no_answers()) else None
    kind = kind_of(code_of(error), status_of(error), propagates)
    if kind not in ("throttled", "propagating", "transient"):
        return None
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return Refusal(kind, error.operation_name, code_of(error), asked_for(headers))


def _no_answers() -> tuple[type[Exception], ...]:
    """What botocore raises where no answer came, or none that is AWS's: a proxy's page, say."""
    from botocore.exceptions import ConnectionError, HTTPClientError
    from botocore.parsers import ResponseParserError

    return (HTTPClientError, ConnectionError, ResponseParserError)


def _told(error: Any, subject: Any, failures: Failures) -> Problem:
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return _unreachable(error)
    operation, code, request_id = error.operation_name, code_of(error), request_id_of(error)
    table = failures.get((operation, code))
    problem = table(subject) if table else _general(operation, code, status_of(error), str(error.response["Error"].get("Message", "")))
    return _with_request(problem, operation, code, request_id)


def _with_request(problem: Problem, operation: str, code: str, request_id: str | None) -> Problem:
    from dataclasses import replace

    return replace(problem.with_context(operation=operation, aws_code=code), request_id=request_id)


def _general(operation: str, code: str, status: int, message: str) -> Problem:
    kind = kind_of(code, status)
    if kind == "denied":
        return Problem(
            code="AWS-ACCESS-DENIED",
            what=f"AWS refused {operation}: {message or code}",
            why="The credentials in use lack the permission for this call, or a service control policy forbids it.",
            do=(
                f"Allow the action for {operation} in the policy of the identity you deploy with.",
                "Run the same command again; it continues.",
            ),
            aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
        )
    if kind == "expired":
        return no_credentials(f"{operation} answered {code}.")
    if kind == "throttled":
        return Problem(
            code="AWS-THROTTLED",
            what=f"AWS throttled {operation} for longer than `retries.throttled` allows.",
            why="This account sends more requests of this kind than its quota allows.",
            do=("Run the same command again in a few minutes; it continues where it stopped.", "Or set `retries.throttled` higher."),
        )
    return Problem(
        code="AWS-UNEXPECTED",
        what=f"{operation} failed: {message or code}",
        why=f"AWS answered {code} (HTTP {status}), which this tool has no specific advice for.",
        do=("Run the same command again; it continues where it stopped.", "If it fails again, give AWS Support the request id below."),
    )


def no_credentials(detail: str) -> Problem:
    """AWS does not accept who we say we are."""
    return Problem(
        code="AWS-CREDENTIALS",
        what=f"There are no valid AWS credentials. {detail}",
        why="The environment, the profile or the instance role gave none, or they have expired.",
        do=("Run `aws sts get-caller-identity` and sign in until it answers (for example `aws sso login`).", "Run the same command again."),
        aws_docs="https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html",
    )


def _unreachable(error: BaseException) -> Problem:
    name = type(error).__name__
    if "Credential" in name or "Token" in name or "Profile" in name:
        return no_credentials(str(error))
    if not isinstance(error, _no_answers()):
        return Problem(
            code="AWS-CALL-INVALID",
            what=f"A call to AWS could not be made: {error}",
            why=f"botocore refused it before sending ({name}).",
            do=("Check the values in the configuration that the message names.", "If they are right, report this as a fault of this tool."),
        )
    return Problem(
        code="AWS-UNREACHABLE",
        what=f"AWS could not be reached: {error}",
        why="The name did not resolve, the connection was refused or cut, or TLS failed on the way.",
        do=(
            "Check the network: DNS, proxy (HTTPS_PROXY) and firewall must let this machine reach the endpoint above on 443.",
            "Check that aws.region is spelled right.",
            "Run the same command again; it continues where it stopped.",
        ),
    )
