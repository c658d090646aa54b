"""What AWS can answer, and what the user then reads."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from sre_core.problem import Problem

from .samples import kinds, sample

_SESSION = botocore.session.get_session()
_SERVICES = ("bedrock-agentcore-control", "cognito-idp", "ec2", "iam", "route53", "s3", "secretsmanager", "ssm", "sts")
MODELS = [_SESSION.get_service_model(service) for service in _SERVICES]
TABLES = [(kind, operation, code) for kind in kinds() for operation, code in kind.FAILURES]


@pytest.mark.parametrize(("kind", "operation", "code"), TABLES, ids=lambda value: getattr(value, "__name__", value))
def test_a_failure_that_is_foreseen(kind: type[Any], operation: str, code: str) -> None:
    """Its operation is one of AWS's, and its Problem can be told of any declaration: what, why, and what to do."""
    assert any(operation in model.operation_names for model in MODELS), operation
    problem = kind.FAILURES[operation, code](sample(kind))
    assert isinstance(problem, Problem)
    assert problem.code == problem.code.upper()
    assert all(text.strip() for text in (problem.what, problem.why, *problem.do))


@pytest.mark.parametrize(("kind", "operation", "code"), TABLES, ids=lambda value: getattr(value, "__name__", value))
def test_an_error_code_of_aws(kind: type[Any], operation: str, code: str) -> None:
    """Where the service model lists an operation's errors, a foreseen one is among them: tables can't rot unseen."""
    model = next(model for model in MODELS if operation in model.operation_names)
    listed = {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.operation_model(operation).error_shapes}
    # EC2 lists none, S3 nearly none, and every service may refuse access without listing it.
    if listed and model.service_name not in ("ec2", "s3") and "Denied" not in code:
        assert code in listed
