"""Every exception of botocore becomes a Problem: no credentials, no answer, or an invalid call."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from typing import Any

import pytest
from botocore import exceptions

from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_core.problem import Problem

from .test_kinds import NEVER_AGAIN

RAISED = sorted(
    (kind for kind in vars(exceptions).values() if inspect.isclass(kind) and issubclass(kind, exceptions.BotoCoreError)),
    key=lambda kind: kind.__name__,
)
# The names of botocore's exceptions show their subject: credentials, or an answer that is missing or incomplete.
OF_CREDENTIALS = re.compile("Credential|Token|Profile|SSO|Login|MFA|^(Metadata|Config|InvalidConfig|InfiniteLoopConfig|MissingDependency)")
OF_ANSWERS = re.compile("Connect|HTTP|Timeout|Streaming|SSLError|IncompleteRead|^(Flexible)?ChecksumError$")


def made(kind: type[exceptions.BotoCoreError]) -> exceptions.BotoCoreError:
    """Build one of that kind, with some text for each of its details."""
    error = kind.__new__(kind)
    Exception.__init__(error, kind.fmt.format_map(defaultdict(lambda: "something", error=OSError("cut"))))
    error.kwargs = {}
    return error


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_every_exception_of_botocore(kind: type[Any]) -> None:
    """The problem quotes the exception, and its advice fits the exception's subject."""

    def fails() -> None:
        raise made(kind)

    answer = attempt(fails, progress=NEVER_AGAIN)
    problem = answer.problem if isinstance(answer, Lost) else answer
    assert isinstance(problem, Problem)
    lost = bool(OF_ANSWERS.search(kind.__name__))
    of_credentials = bool(OF_CREDENTIALS.search(kind.__name__))
    assert problem.code == ("AWS-UNREACHABLE" if lost else "AWS-CREDENTIALS" if of_credentials else "AWS-CALL-INVALID")
    assert isinstance(answer, Lost) == lost
    assert str(made(kind)) in problem.what
