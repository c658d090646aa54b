"""Check that each AWS service that a deployment needs answers a cheap read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context, ask
from sre_core.problem import Problem


@dataclass(frozen=True)
class ServiceFacts:
    """The failure of a read; None where it was answered."""

    problem: Problem | None = None


@dataclass(frozen=True)
class ServiceAnswers:
    """One service can be reached and read. A missing permission leaves it unknown."""

    service: str
    action: str
    read: Callable[[Aws], Any]

    requirements: ClassVar[tuple[str, ...]] = ("4.2", "5.1")
    required: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return f"service.{self.service}"

    @property
    def proves(self) -> str:
        return f"{self.action} is answered"

    def probe(self, world: Context) -> ServiceFacts | Problem:
        answer = ask(lambda: self.read(world.aws), self.action)
        if isinstance(answer, Problem):
            return answer if answer.code == "AWS-PERMISSION-MISSING" else ServiceFacts(answer)
        return ServiceFacts()

    def judge(self, facts: ServiceFacts) -> Verdict:
        if facts.problem:
            return Verdict(False, f"{self.action} failed", facts.problem)
        return Verdict(True, self.proves)


BUDGETS = ServiceAnswers(
    "budgets", "budgets:ViewBudget", lambda aws: aws.client("budgets").describe_budgets(AccountId=aws.account_id, MaxResults=1)
)
"""Where the configuration sets a monthly limit: an account can keep everybody out of its billing, whatever their policies say."""


def service_checks() -> tuple[ServiceAnswers, ...]:
    """List a check for each service that every deployment calls; STS, EC2 and Route 53 have checks of their own."""
    return (
        ServiceAnswers("s3", "s3:ListAllMyBuckets", lambda aws: aws.client("s3").list_buckets(MaxBuckets=1)),
        ServiceAnswers("iam", "iam:ListRoles", lambda aws: aws.client("iam").list_roles(PathPrefix="/sre-agent/", MaxItems=1)),
        ServiceAnswers("cognito", "cognito-idp:ListUserPools", lambda aws: aws.client("cognito-idp").list_user_pools(MaxResults=1)),
        ServiceAnswers("secretsmanager", "secretsmanager:ListSecrets", lambda aws: aws.client("secretsmanager").list_secrets(MaxResults=1)),
        ServiceAnswers(
            "agentcore", "bedrock-agentcore:ListGateways", lambda aws: aws.client("bedrock-agentcore-control").list_gateways(maxResults=1)
        ),
    )
