"""The mission's eight properties: each has a test with its number, or is in a list that may only shrink."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from architecture.sources import sources

# Design of the mission, "Core Properties".
SENTENCES = {
    1: (
        "For any valid deployment configuration, the SRE Agent should successfully initialize all services, pass "
        "connectivity tests, and be accessible via HTTPS endpoints"
    ),
    2: (
        "For any connection attempt, the system should require valid SSL certificates and properly authenticate "
        "requests through Cognito JWT tokens"
    ),
    3: (
        "For any AWS resource creation, the deployment process should configure IAM roles, security groups, S3 buckets,"
        " and Cognito with exact specifications that allow required access and deny unauthorized access"
    ),
    4: (
        "For any deployed system, all configuration validation, AWS service connectivity, API endpoint accessibility, "
        "and authentication testing should pass before marking deployment as complete"
    ),
    5: (
        "For any error condition during setup, the system should provide specific error messages with context, suggest "
        "alternative approaches, and support resuming from the last successful step"
    ),
    6: (
        "For any deployment update or backup operation, the system should preserve existing configurations, migrate to "
        "new formats when needed, and handle conflicts with clear resolution options"
    ),
    7: (
        "For any SSL certificate, the system should monitor expiration dates and provide warnings with renewal guidance"
        " before certificates expire"
    ),
    8: ("For any unauthorized access attempt, the system should reject the request and log security events with appropriate detail"),
}
KNOWN = frozenset(SENTENCES)
PENDING: frozenset[int] = frozenset()
LEAST_EXAMPLES = 100


@dataclass(frozen=True)
class PropertyTest:
    """A test marked with a property's number."""

    place: str
    number: int
    docstring: str
    decorators: str


@cache
def property_tests() -> tuple[PropertyTest, ...]:
    return tuple(
        PropertyTest(f"{source}:{node.lineno}", number, ast.get_docstring(node) or "", "\n".join(map(ast.unparse, node.decorator_list)))
        for source in sources("tests")
        for node in source.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for number in numbers(node)
    )


def numbers(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[int]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.property":
            yield from (argument.value for argument in decorator.args if isinstance(argument, ast.Constant))


def examples_asked_for(decorators: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(decorators)):
        if isinstance(node, ast.keyword) and node.arg == "max_examples" and isinstance(node.value, ast.Constant):
            yield int(node.value.value)


def test_every_property_is_tested_or_pending() -> None:
    """A property of the mission can't be forgotten, and one that is tested leaves the pending list for good."""
    tested = {test.number for test in property_tests()}
    assert tested <= KNOWN, f"unknown properties: {tested - KNOWN}"
    assert tested | PENDING == KNOWN, f"neither tested nor pending: {KNOWN - tested - PENDING}"
    assert not tested & PENDING, f"tested now: remove {tested & PENDING} from PENDING"


def test_property_tests_carry_the_missions_tag() -> None:
    """Each says which property it proves, in the form that the mission requires."""
    untagged = [
        test.place
        for test in property_tests()
        if f"**Feature: aws-ec2-production-deployment, Property {test.number}: " not in test.docstring
    ]
    assert not untagged


def test_property_tests_carry_the_missions_sentence() -> None:
    """Each says in full what the mission promises, so that a reader can judge whether it proves that."""
    without = [test.place for test in property_tests() if SENTENCES[test.number] not in " ".join(test.docstring.split())]
    assert not without


def test_property_tests_run_at_least_a_hundred_examples() -> None:
    """No property test asks for fewer than the mission's hundred examples, and each is a Hypothesis test."""
    tests = property_tests()
    assert not [test.place for test in tests if min(examples_asked_for(test.decorators), default=LEAST_EXAMPLES) < LEAST_EXAMPLES]
    assert not [test.place for test in tests if "given(" not in test.decorators]
