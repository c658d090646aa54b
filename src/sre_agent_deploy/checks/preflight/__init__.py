"""Preflight: checks before anything is changed, of a configuration and the AWS account that it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sre_agent_deploy.account import deployment_id
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.progress import Progress, RetryLimits
from sre_agent_deploy.resource import Failures
from sre_core.problem import Problem

# Nothing has been changed yet, so an AWS that does not answer is reported soon instead of waited for.
_SOON = Progress(RetryLimits(throttled=timedelta(seconds=10), transient=timedelta(seconds=2)))


@dataclass(frozen=True)
class Caller:
    """The identity of the credentials."""

    account_id: str
    arn: str

    @property
    def partition(self) -> str:
        """Return `aws`, `aws-cn`, `aws-us-gov`, …, as the identity's own ARN says."""
        return self.arn.split(":")[1]


@dataclass(frozen=True)
class Context:
    """A configuration and its account before anything is changed."""

    config: Config
    aws: Aws
    now: datetime

    @cached_property
    def caller(self) -> Caller | Problem:
        """Ask STS for the identity of the credentials, once."""
        answer = ask(self.aws.client("sts").get_caller_identity, "sts:GetCallerIdentity")
        return answer if isinstance(answer, Problem) else Caller(answer["Account"], answer["Arn"])

    @property
    def deployment(self) -> str:
        """Return the id of this configuration's deployment in this account."""
        return deployment_id(self.aws.account_id, self.aws.region, self.config.name)


def ask[T](call: Callable[[], T], action: str, *, subject: Any = None, failures: Failures | None = None) -> T | Problem:
    """Make a cheap read and return its answer, or why there is none. A refusal names `action`, the missing permission."""
    answer = attempt(call, subject=subject, failures=failures, progress=_SOON)
    problem = answer.problem if isinstance(answer, Lost) else answer
    if isinstance(problem, Problem) and problem.code == "AWS-ACCESS-DENIED":
        return _permission_missing(action, problem)
    return problem


def _permission_missing(action: str, denied: Problem) -> Problem:
    missing = Problem(
        code="AWS-PERMISSION-MISSING",
        what=f"The credentials in use may not call {action}, so it could not be checked.",
        why=denied.what,
        do=(
            f"Allow {action} in the policy of the identity you deploy with: the deployment needs it, too.",
            "If a service control policy forbids it, ask the administrators of the organization.",
        ),
        aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
    )
    return replace(missing, context={**denied.context, "permission": action}, request_id=denied.request_id)
