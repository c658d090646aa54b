"""The four APIs against their own documents: what a document allows is answered, and what it does not allow is refused."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig

from sre_services.application import NAMES, Api

from .conftest import KEY, application

# A few of each operation and kind; `make test-thorough` makes twenty times as many.
EXAMPLES = settings().max_examples // 25


@cache
def schema(name: str) -> Any:
    """The document as the service itself gives it, and the service behind it."""
    client = application(name, "crash-loop")
    # As a gateway sends it, and in the clear: control characters that UTF-8 can't write never arrive.
    generation = GenerationConfig(allow_extra_parameters=False, with_security_parameters=False)
    config = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=generation)))
    return schemathesis.openapi.from_asgi("/openapi.json", client.app, headers={"X-API-Key": KEY}, config=config)


def operations() -> Iterator[Any]:
    """Each operation of the documents. What reads and asks them is made by the test: every worker collects all tests."""
    for name in NAMES:
        for path, methods in Api.of(name).document()["paths"].items():
            yield from (pytest.param(name, path, method, id=f"{name} {method.upper()} {path}") for method in methods)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("name", "path", "method"), list(operations()))
def test_an_operation(name: str, path: str, method: str, mode: GenerationMode) -> None:
    """Allowed arguments are answered as the document says, others with 400; no answer is a failure of ours."""
    operation = schema(name)[path][method]

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        deadline=None,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        # An empty value is one that is left out: models send one for a parameter that they do not need.
        assume(all(str(value).strip(" ") for value in case.query.values()))
        if mode is GenerationMode.POSITIVE:
            # One of no answer is refused.
            case.query.pop("cursor", None)
        case.call_and_validate(headers={"X-API-Key": KEY})

    ask()
