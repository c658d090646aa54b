"""Any damaged configuration gives a Config or problems with places: never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config

EXAMPLE = Path(__file__).parents[3] / "examples/production.yaml"
LINES = tuple(line for line in EXAMPLE.read_text(encoding="utf-8").split("\n") if line.strip() and not line.strip().startswith("#"))
ENVIRON = {"AWS_ACCOUNT_ID": "123456789012"}
SECRET = "planted-secret-7c1e"

VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            "~",
            "[]",
            "{}",
            "[1, 2]",
            "{a: b}",
            "no",
            "0x10",
            "1e3",
            "-1",
            "'",
            '"',
            "|",
            ">",
            "*a",
            "&a b",
            "!x y",
            "${",
            "${A}",
            "$${",
            "% @",
        ]
    ),
    st.text(max_size=30),
    st.integers().map(str),
)
places = st.integers(min_value=0, max_value=len(LINES) - 1)


def with_value(lines: list[str], at: int, value: str) -> list[str]:
    key = lines[at].partition(":")[0]
    return [*lines[:at], f"{key}: {value}", *lines[at + 1 :]]


def with_key(lines: list[str], at: int, key: str) -> list[str]:
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    return [*lines[:at], f"{indent}{key}:{lines[at].partition(':')[2]}", *lines[at + 1 :]]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The production example after one to four accidents."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["delete", "duplicate", "value", "key", "indent", "insert", "swap", "secret"])):
            case "delete" if len(lines) > 1:
                del lines[at]
            case "duplicate":
                lines.insert(draw(st.integers(0, len(lines))), lines[at])
            case "value":
                lines = with_value(lines, at, draw(VALUES))
            case "key":
                lines = with_key(lines, at, draw(st.text(max_size=12)))
            case "indent":
                lines[at] = draw(st.sampled_from([" ", "\t", "    ", ""])) + lines[at].strip()
            case "insert":
                column = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:column] + draw(st.text(max_size=5)) + lines[at][column:]
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                lines.append(f"{draw(st.sampled_from(['password', 'api_key', '  client_secret']))}: {SECRET}")
    body = "\n".join(lines).encode("utf-8", "surrogatepass")
    cut = draw(st.one_of(st.none(), st.integers(0, len(body))))
    noise = draw(st.one_of(st.just(b""), st.binary(max_size=3)))
    return body if cut is None else body[:cut] + noise


def assert_helpful(path: Path, body: bytes) -> None:
    """Each problem has a place inside the file (or names a variable), and shows no secret."""
    loaded = load(path, environ=ENVIRON, mode="production")
    lines = body.count(b"\n") + 1
    for problem in () if isinstance(loaded, Config) else loaded:
        assert problem.where
        assert problem.where.file == str(path)
        assert problem.where.line is not None
        assert 1 <= problem.where.line <= lines + 1
        assert (problem.where.column or 0) >= 1
        assert SECRET not in str(problem) + repr(problem)


@pytest.mark.property(5)
@settings(max_examples=3 * settings().max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=mutated())
def test_a_configuration_after_accidents(body: bytes, tmp_path: Path) -> None:
    """**Feature: aws-ec2-production-deployment, Property 5: Error Handling and Recovery**

    For any error condition during setup, the system should provide specific error messages with context, suggest alternative
    approaches, and support resuming from the last successful step.

    In any damaged configuration each fault is reported with its place and a next step, and no secret is repeated.
    """
    path = tmp_path / "config.yaml"
    path.write_bytes(body)
    assert_helpful(path, body)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200), suffix=st.sampled_from([".yaml", ".json"]))
def test_any_bytes_at_all(body: bytes, suffix: str, tmp_path: Path) -> None:
    """A file of any bytes is answered, as YAML and as JSON."""
    path = tmp_path / f"config{suffix}"
    path.write_bytes(body)
    assert_helpful(path, body)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        lambda below: st.one_of(
            st.lists(below, max_size=3),
            st.dictionaries(st.one_of(st.sampled_from(list(Config.model_fields)), st.text(max_size=8)), below, max_size=4),
        ),
        max_leaves=8,
    )
)
def test_any_json(data: object, tmp_path: Path) -> None:
    """A file of any JSON is answered, with any value in any field."""
    import json

    path = tmp_path / "config.json"
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")
    assert_helpful(path, path.read_bytes())
