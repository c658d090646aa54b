"""Every error of every operation that the deployer calls becomes a Problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from embedded_aws.http_messages import Response
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.aws.errors import SKEWED, kind_of
from sre_agent_deploy.progress import Progress, RetryLimits
from sre_agent_deploy.resources.route53_record import DnsRecord
from sre_core.problem import Problem

from ..resources.samples import kinds, sample
from .calls import called, services, tellers
from .refusing import Refusing, refusing
from .table import EVERY, Row, documented, general, modelled, own

NEVER_AGAIN = Progress(RetryLimits(throttled=timedelta(0), transient=timedelta(0), propagating=timedelta(0)))
GENERAL = {
    "throttled": "AWS-THROTTLED",
    "busy": "AWS-BUSY",
    "transient": "AWS-UNEXPECTED",
    "denied": "AWS-ACCESS-DENIED",
    "expired": "AWS-CREDENTIALS",
    "account": "AWS-ACCOUNT-NOT-READY",
    "quota": "AWS-QUOTA",
    "absent": "AWS-NOT-FOUND",
    "value": "AWS-VALUE-REFUSED",
    "final": "AWS-UNEXPECTED",
}
SERVICES = services()


@pytest.fixture(scope="module")
def nothing_but_refusals() -> Iterator[Refusing]:
    with refusing() as aws:
        yield aws


@pytest.fixture(scope="module")
def calls(nothing_but_refusals: Refusing) -> Mapping[tuple[str, str], frozenset[str]]:
    return called(nothing_but_refusals.aws)


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_of_every_call(nothing_but_refusals: Refusing, calls: Mapping[tuple[str, str], frozenset[str]], service: str) -> None:
    """Each becomes a Problem, the resource's own if its table has the error, else that of its kind; always with AWS's request id."""
    client, wrong = nothing_but_refusals.aws.client(service), []
    operations = sorted(operation for of, operation in calls if of == service)
    for operation in operations:
        call, with_advice = _call(client, operation), tellers(calls[service, operation])
        foreseen = {failure for kind in with_advice for failure in kind.FAILURES}
        # An error that any operation can answer is tried with the first operation, and wherever a resource has its own advice for it.
        any_ones = [row for row in general(client, operation) if operation == operations[0] or (operation, row.code) in foreseen]
        for row in (*own(client, operation), *any_ones):
            request_id = nothing_but_refusals.with_(service, row)
            answered = _ask_once(call)
            wrong += filter(None, (_fault(answered, row, request_id, kind) for kind in (None, *with_advice)))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("service", SERVICES)
def test_a_table_knows_all_calls_and_no_others(
    nothing_but_refusals: Refusing, calls: Mapping[tuple[str, str], frozenset[str]], service: str
) -> None:
    """A new call needs rows with its errors ("-" where there are none); the rows of a removed call are removed, too."""
    client, ours = nothing_but_refusals.aws.client(service), {operation for of, operation in calls if of == service}
    known = {row.operation for row in documented(service)}
    assert not known - ours - {EVERY}
    assert not {operation for operation in ours - known if not modelled(client, operation)}


def test_every_service_is_tried(calls: Mapping[tuple[str, str], frozenset[str]]) -> None:
    """The services above are those of all calls."""
    assert {service for service, _ in calls} == set(SERVICES)


def test_a_foreseen_failure_is_documented(nothing_but_refusals: Refusing, calls: Mapping[tuple[str, str], frozenset[str]]) -> None:
    """No resource has advice for, or waits for the end of, an error that AWS does not document for its calls."""
    clients = {(nothing_but_refusals.aws.client(service), operation) for service, operation in calls}
    rows = {row for call in clients for row in (*own(*call), *general(*call))}
    codes = {(row.operation, _seen(row, row.operation)) for row in rows}
    assert not {(kind.__name__, *failure) for kind in kinds() for failure in (*kind.FAILURES, *kind.BLOCKERS) if failure not in codes}
    assert not {(kind.__name__, code) for kind in kinds() for code in kind.PROPAGATES if code not in {code for _, code in codes}}


def test_a_batch_that_route_53_refuses_in_its_older_form(nothing_but_refusals: Refusing) -> None:
    """Route 53's older form has no error code, and botocore finds none; this tool reads it, as AWS's SDKs of other languages do."""
    said = "Tried to create resource record set [name='sre.example.com.', type='A'] but it already exists"
    body = f"<InvalidChangeBatch><Messages><Message>{said}</Message></Messages><RequestId>request-1</RequestId></InvalidChangeBatch>"
    nothing_but_refusals.answer = Response(400, body.encode(), (("content-type", "text/xml"),))
    call = _call(nothing_but_refusals.aws.client("route53"), "ChangeResourceRecordSets")
    for failures, code in ((DnsRecord.FAILURES, "DNS-RECORD-TAKEN"), ({}, "AWS-VALUE-REFUSED")):
        problem = attempt(call, progress=NEVER_AGAIN, subject=sample(DnsRecord), failures=failures)
        assert isinstance(problem, Problem)
        assert (problem.code, problem.request_id) == (code, "request-1")
        assert failures or said in problem.what


def _ask_once(call: Callable[[], Any]) -> Callable[[], Any]:
    """Make a call, and return one that ends as it did, however often: the callers of all kinds get the same answer of AWS."""
    answered: Future[Any] = Future()
    try:
        answered.set_result(call())
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        answered.set_exception(error)
    return answered.result


def _fault(call: Callable[[], Any], row: Row, request_id: str, kind: type[Any] | None) -> str:
    """Return what is wrong with the problem that a caller of this kind gets for an error; nothing if all is right."""
    answer = attempt(call, progress=NEVER_AGAIN, subject=kind and sample(kind), failures=kind and kind.FAILURES)
    problem = answer.problem if isinstance(answer, Lost) else answer
    code = _seen(row, row.operation)
    meaning = kind_of(code, row.status)
    if not isinstance(problem, Problem) or isinstance(answer, Lost) != (meaning == "transient"):
        return f"{row} for {kind} is {meaning}, and yet {answer!r}"
    reported = (problem.code, problem.request_id, problem.context["operation"], problem.context["aws_code"])
    expected = (_expected(row.operation, code, meaning, kind), request_id, row.operation, code)
    return "" if reported == expected and problem.what and problem.why else f"{row} for {kind}: {reported}, not {expected}"


def _expected(operation: str, code: str, meaning: str, kind: type[Any] | None) -> str:
    if kind and (operation, code) in kind.FAILURES:
        return str(kind.FAILURES[operation, code](sample(kind)).code)
    return "AWS-CLOCK-WRONG" if code in SKEWED else GENERAL[meaning]


def _seen(row: Row, operation: str) -> str:
    """Return the code as botocore reports it: a HEAD request has no body, so botocore uses its status."""
    return str(row.status) if operation.startswith("Head") else row.code


def _call(client: Any, operation: str) -> Callable[[], Any]:
    method = next(name for name, known in client.meta.method_to_api_mapping.items() if known == operation)
    asked = _least(client.meta.service_model.operation_model(operation).input_shape)
    return lambda: getattr(client, method)(**asked)


def _least(shape: Any, name: str = "") -> Any:
    """Return the smallest valid request: required members, each as short as possible."""
    if shape is None:
        return {}
    if shape.type_name == "structure":
        needed = shape.required_members or (list(shape.members)[:1] if getattr(shape, "is_tagged_union", False) else [])
        return {member: _least(shape.members[member], member) for member in needed}
    if shape.type_name == "list":
        return [_least(shape.member)]
    if shape.type_name in ("string", "blob"):
        return "sre-files" if name == "Bucket" else "a" * max(1, int(shape.metadata.get("min", 1)))
    return {"boolean": True, "map": {}, "timestamp": 0}.get(shape.type_name, 1)
