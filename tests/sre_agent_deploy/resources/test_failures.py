"""The failures that resource files foresee: ones that AWS really has, each with a next step."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel

from embedded_aws.authorization.call import Call
from embedded_aws.authorization.demands import list_demands
from embedded_aws.authorization.state import ResourceState
from sre_agent_deploy.resource import Ready, Waiting
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.agentcore_gateway_target import GatewayTarget
from sre_agent_deploy.resources.logs_delivery import Delivery
from sre_core.problem import Problem

from ..aws.calls import services
from .samples import kinds, sample
from .wire import Recorder

# Services whose models list the errors of each operation; the others' models name few.
COMPLETE = ("bedrock-agentcore-control", "budgets", "cognito-idp")
FAILURES = [(kind, *failure) for kind in kinds() for failure in kind.FAILURES]


@pytest.fixture(scope="module")
def errors() -> dict[str, frozenset[str] | None]:
    """For each operation, the error codes that its model lists; None where a model's list is not all there is."""
    known: dict[str, frozenset[str] | None] = {}
    loader = botocore.session.create_loader()
    for service in services():
        model = ServiceModel(loader.load_service_model(service, "service-2"), service)
        for name in model.operation_names:
            codes = frozenset(str(shape.error_code) for shape in model.operation_model(name).error_shapes)
            known[name] = codes if service in COMPLETE else None
    return known


@pytest.mark.parametrize(("kind", "operation", "code"), FAILURES, ids=lambda part: getattr(part, "__name__", part))
def test_a_foreseen_failure(errors: dict[str, frozenset[str] | None], kind: type[Any], operation: str, code: str) -> None:
    """The operation exists and can fail so, and the problem has whole sentences and a code with a page."""
    assert operation in errors
    listed = errors[operation]
    assert listed is None or code in listed
    problem = kind.FAILURES[operation, code](sample(kind))
    assert re.fullmatch("[A-Z0-9]+(-[A-Z0-9]+)+", problem.code)
    assert all(sentence.endswith((".", ".)")) for sentence in (problem.what, problem.why, *problem.do))


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_failed_deletion(kind: type[Any]) -> None:
    """Cleanup may know nothing but an id: advice for a deletion does not need the declaration."""
    deletions = [explain for (operation, _), explain in kind.FAILURES.items() if operation.startswith("Delete")]
    assert all(isinstance(explain(None), Problem) for explain in deletions)


def test_a_delivery_that_is_denied() -> None:
    """The advice names each action that AWS asks for: any of them may be the missing one."""
    account, given = ("123456789012", "us-east-1"), {"deliverySourceName": "s", "deliveryDestinationArn": "arn:d", "tags": {"a": "b"}}
    needed = {demand.action for demand in list_demands(Call("logs", "CreateDelivery", given, *account), ResourceState(*account))}
    assert "logs:TagResource" in needed
    problem = Delivery.FAILURES["CreateDelivery", "AccessDeniedException"](sample(Delivery))
    assert needed <= set(re.findall(r"logs:\w+", problem.do[0]))


@pytest.mark.parametrize("kind", [Gateway, GatewayTarget])
def test_a_status_that_nothing_comes_of(recorder: Recorder, kind: type[Any]) -> None:
    """A status that is neither ready nor in progress is a failure, with the reasons that AWS gives."""
    state = sample(kind).ready(recorder.aws, "sre-gateway-abcdefghij/ABCDEFGHIJ")
    assert not isinstance(state, Ready | Waiting)
    assert "anything at all" in state.why
