"""From text to records, templates and bounded searches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_core import clock
from sre_services.logs.kubectl_lines import parse_level, parse_records
from sre_services.logs.lines import parse_lines, read_document
from sre_services.logs.model import LogRecord
from sre_services.logs.pattern import Pattern
from sre_services.logs.templates import group_records, mask_variables

TIME = "2026-11-20T10:00:00.123456789Z"


def line(message: str, number: int = 0) -> LogRecord:
    return LogRecord(
        id=f"s:{number}", time=clock.parse("2026-11-20T10:00:00Z"), service="s", pod="p", level=parse_level(message), message=message
    )


def test_both_forms_of_kubectl() -> None:
    """With --prefix the pod is known; without it, it is empty. The id is file and line. An empty line is no record of its own."""
    text = f"[pod/web-1/app] {TIME} INFO one\n{TIME} ERROR two\nno time at all\n\n{TIME}\n"
    found = list(parse_records(text, "web", clock.parse))
    assert [(record.id, record.pod, record.level, record.message) for record in found] == [
        ("web:1", "web-1", "INFO", "INFO one"),
        ("web:2", "", "ERROR", "ERROR two"),
    ]


def test_a_stack_trace() -> None:
    """It belongs to the record above it, of the same pod."""
    text = f"{TIME} ERROR boom\n{TIME} \tat a.b(C.java:1)\n{TIME} Caused by: x\n{TIME} INFO next\n"
    found = list(parse_records(text, "web", clock.parse))
    assert [record.message for record in found] == ["ERROR boom\n\tat a.b(C.java:1)\nCaused by: x", "INFO next"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("WARNING low disk", "WARN"),
        ('{"level":"error","msg":"x"}', "ERROR"),
        ("level=critical msg=x", "FATAL"),
        ("panic: runtime error", "FATAL"),
        ("notice: reloaded", "INFO"),
        ("TRACE x", "DEBUG"),
        ("GET /errors 200", "UNKNOWN"),
        ("2026-11-20 10:00:00 INFO no error here", "INFO"),
        ("served the request for the page that is called the very long one of the error", "UNKNOWN"),
    ],
)
def test_a_level(message: str, expected: str) -> None:
    """The word at the beginning decides; one within the message does not."""
    assert parse_level(message) == expected


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    """Any output of a program can be read as a log, and every record is in exactly one group."""
    found = list(parse_records(f"{TIME} {text}\n{TIME} INFO end\n", "s", clock.parse))
    assert sum(len(group.records) for group in group_records(found)) == len(found)


def test_what_is_masked() -> None:
    """Numbers, ids and addresses are variable; words are not."""
    text = "user-42 from 10.0.0.7:443 took 12.5ms id 5f2c9a1be0d3 uuid 123e4567-e89b-12d3-a456-426614174000 status 503"
    assert " ".join(mask_variables(text)) == "user-<*> from <*> took <*>ms id <*> uuid <*> status <*>"


def test_templates() -> None:
    """Records that differ in one word of several merge, those of another level or length don't."""
    lines = [line(f"INFO loaded {name} from disk in cache") for name in ("alpha", "beta", "gamma")]
    lines += [line("ERROR loaded alpha from disk in cache"), line("INFO loaded alpha")]
    assert [(group.template, len(group.records)) for group in group_records(lines)] == [
        ("INFO loaded <*> from disk in cache", 3),
        ("ERROR loaded alpha from disk in cache", 1),
        ("INFO loaded alpha", 1),
    ]


@pytest.mark.parametrize("text", ['{"a":' * 5_000, '{"ts": 1e300}', '{"ts": Infinity}', '{"ts": 99999999999999999}'])
def test_json_that_can_not_be_read(text: str) -> None:
    """It is text of the record above it, as any line without a time is."""
    assert [record.message for record in parse_lines([f"{TIME} INFO one", text], "web")] == [f"INFO one\n{text}"]
    assert read_document(text) == (text, "UNKNOWN")


@pytest.mark.parametrize("text", ["(a+)+$", "(a|b)*", "(?i)x", r"(a)\1", "a*b*c*d*e*", "[", "x{1,99999999999}", "(a{2}){3}"])
def test_a_pattern_that_is_plain_text(text: str) -> None:
    """A pattern that can take exponential time, or is no expression, is searched as plain text, and the answer says why."""
    pattern = Pattern(text)
    assert re.search("supported|repeated|regular expression", pattern.note)
    assert pattern.search().matches([f"before {text} after"])
    assert not pattern.search().matches(["a" * 30])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("connection refused", "dial tcp: Connection refused"),
        ("timeout|deadline", "context deadline exceeded"),
        ("order [0-9]+ .*failed", "order 12 has failed"),
        (r"\(3 attempts\)", "gave up (3 attempts)"),
        ("[*+{]x", "a+x"),
        (r"\d+ms", "took 120ms"),
    ],
)
def test_a_pattern_that_is_allowed(text: str, message: str) -> None:
    """Plain words, alternatives, classes and a few wildcards find their line and no other."""
    search = Pattern(text).search()
    assert (search.matches(["all is well"]), search.matches(["all is well", message])) == (False, True)


SPRING = [
    "2026-11-20 10:00:00.123 ERROR 1 --- [nio-80-exec-1] o.a.c.c.C.[.[.[/].[dispatcherServlet] : Servlet.service() threw exception "
    "[Request processing failed] with root cause",
    "",
    "org.example.ServiceException: order failed",
    "\tat org.example.Orders.place(Orders.java:10)",
    "Caused by: java.sql.SQLNonTransientConnectionException: Too many connections",
    "\tat com.mysql.jdbc.Connect(Connect.java:1)",
    "\t... 40 common frames omitted",
    "",
    "2026-11-20 10:00:01.000  INFO 1 --- [main] app : fine",
]


def test_a_stack_trace_after_an_empty_line() -> None:
    """It stays with the record that announced it, whose exception and innermost cause are fields."""
    text = "\n".join(f"2026-11-20T10:00:00.000000Z {line}" for line in SPRING)
    failed, fine = parse_records(text, "orders", clock.parse)
    assert failed.level == "ERROR"
    assert "Orders.java:10" in failed.message
    assert failed.exception == "org.example.ServiceException: order failed"
    assert failed.cause == "java.sql.SQLNonTransientConnectionException: Too many connections"
    assert (fine.level, fine.exception, fine.cause) == ("INFO", "", "")


def test_levels_of_structured_lines() -> None:
    """JSON and logfmt name the level anywhere, and words of the message do not."""
    lines = {
        '{"message":"x","error":"y","http.req.path":"/a/very/long/path/that/goes/on","severity":"warning"}': "WARN",
        'time=2026-11-20T10:00:00Z msg="a long message that fills the beginning of the line" level=error': "ERROR",
        '{"message":"there was no error","level":"info"}': "INFO",
    }
    assert {line: parse_level(line) for line in lines} == lines
