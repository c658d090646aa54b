"""What preflight checks look at: the configuration, and the AWS account that it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sre_agent_deploy.account.facts import deployment_id
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.progress.progress import Progress, RetryLimits
from sre_agent_deploy.resource import Failures
from sre_core.problem import Problem

# Nothing was begun yet, so an AWS that does not answer is told soon rather than waited for.
_SOON = Progress(RetryLimits(throttled=timedelta(seconds=10), transient=timedelta(seconds=2)))


@dataclass(frozen=True)
class Caller:
    """Who the credentials say we are."""

    account_id: str
    arn: str

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, `aws-us-gov` ..., as the identity's own ARN says."""
        return self.arn.split(":")[1]


@dataclass(frozen=True)
class Context:
    """An account as it is before anything is touched."""

    config: Config
    aws: Aws
    now: datetime

    @cached_property
    def caller(self) -> Caller | Problem:
        """Who we are to this AWS, asked once."""
        answer = ask(self.aws.client("sts").get_caller_identity, "sts:GetCallerIdentity")
        return answer if isinstance(answer, Problem) else Caller(answer["Account"], answer["Arn"])

    @property
    def deployment(self) -> str:
        """The id that this configuration's deployment has here."""
        return deployment_id(self.aws.account_id, self.aws.region, self.config.name)


def ask[T](call: Callable[[], T], action: str, *, subject: Any = None, failures: Failures | None = None) -> T | Problem:
    """What a cheap read answers, or why not. A refusal names `action`, the permission that it takes."""
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
            "If a service control policy forbids it, ask whoever keeps the organization's policies.",
        ),
        aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
    )
    return replace(missing, context={**denied.context, "permission": action}, request_id=denied.request_id)
