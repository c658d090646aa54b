"""Check the credentials and the region: valid, of the configured account and partition, and with Amazon Bedrock AgentCore;
and that each AWS service that a deployment needs answers a cheap read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.account.facts import other_account
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Caller, Context, ask
from sre_agent_deploy.config.regions import partition_of
from sre_core.problem import Problem

# A refusal by STS is a fact about the credentials; an STS that can't be reached is not.
_REFUSED = ("AWS-CREDENTIALS", "AWS-CLOCK-WRONG", "AWS-ACCOUNT-NOT-READY")


@dataclass(frozen=True)
class CredentialsFacts:
    """The caller, or why AWS refused the credentials, and the account that is wanted (empty: any)."""

    caller: Caller | Problem
    wanted: str


class CredentialsHold:
    """The credentials are valid and of the configured account. In any other account nothing is read or changed."""

    id: ClassVar[str] = "account.credentials"
    proves: ClassVar[str] = "the credentials are valid and belong to the configured account"
    requirements: ClassVar[tuple[str, ...]] = ("4.2", "5.4")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> CredentialsFacts | Problem:
        caller = world.caller
        if isinstance(caller, Problem) and caller.code not in _REFUSED:
            return caller
        return CredentialsFacts(caller, world.config.aws.account_id)

    def judge(self, facts: CredentialsFacts) -> Verdict:
        if isinstance(facts.caller, Problem):
            return Verdict(False, facts.caller.what, facts.caller)
        actual = facts.caller.account_id
        if facts.wanted and actual != facts.wanted:
            return Verdict(
                False, f"signed in to account {actual}, not {facts.wanted}", other_account(actual, facts.wanted, arn=facts.caller.arn)
            )
        return Verdict(True, f"signed in to account {actual} as {facts.caller.arn}")


AGENTCORE_REGIONS_SOURCE = "https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/agentcore-regions.html"
AGENTCORE_REGIONS_DATE = "2026-11-22"
AGENTCORE_REGIONS = frozenset(
    {
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-5",
        "ap-southeast-7",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-gov-west-1",
        "us-west-1",
        "us-west-2",
    }
)
"""Where AgentCore Gateway and AgentCore Identity are, by the page and on the day above."""


@dataclass(frozen=True)
class RegionFacts:
    """A region, its partition and the caller's, and why AgentCore gave no answer there (None: it did, or it is listed)."""

    region: str
    partition: str
    callers_partition: str
    silent: Problem | None = None


class RegionFits:
    """The gateway and the credential provider can be created in this region with these credentials."""

    id: ClassVar[str] = "account.region"
    proves: ClassVar[str] = "the region has Amazon Bedrock AgentCore and belongs to the credentials' partition"
    requirements: ClassVar[tuple[str, ...]] = ("4.2", "5.2")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> RegionFacts | Problem:
        if isinstance(world.caller, Problem):
            return world.caller
        region = world.aws.region
        silent = None
        # AWS opens regions faster than this table is renewed, so AgentCore is asked in a region that is not listed.
        if region not in AGENTCORE_REGIONS:
            answer = ask(
                lambda: world.aws.client("bedrock-agentcore-control").list_gateways(maxResults=1), "bedrock-agentcore:ListGateways"
            )
            silent = answer if isinstance(answer, Problem) else None
        return RegionFacts(region, partition_of(region), world.caller.partition, silent)

    def judge(self, facts: RegionFacts) -> Verdict:
        if facts.partition != facts.callers_partition:
            return Verdict(False, f"{facts.region} is in another partition than the credentials", _other_partition(facts))
        if facts.silent:
            return Verdict(False, f"{facts.region} does not seem to have AgentCore", _no_agentcore(facts.region, facts.silent))
        return Verdict(True, f"{facts.region} ({facts.partition}) has Amazon Bedrock AgentCore")


def _other_partition(facts: RegionFacts) -> Problem:
    return Problem(
        code="AWS-OTHER-PARTITION",
        what=f"Region {facts.region} is in partition {facts.partition}; the credentials are of partition {facts.callers_partition}.",
        why="Accounts, credentials and resources of one partition (AWS, China, GovCloud) do not exist in another.",
        do=(f"Sign in to an account of partition {facts.partition}, or set aws.region to a region of {facts.callers_partition}.",),
        aws_docs="https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html",
    )


def _no_agentcore(region: str, silent: Problem) -> Problem:
    return Problem(
        code="AGENTCORE-NOT-IN-REGION",
        what=f"Amazon Bedrock AgentCore did not answer in {region}.",
        why=f"{silent.what} The list of {AGENTCORE_REGIONS_DATE} does not have this region.",
        do=(
            f"Set aws.region to one that has it: {', '.join(sorted(AGENTCORE_REGIONS))}.",
            f"If AWS has added {region} since, check that this account has enabled it, and try again.",
        ),
        aws_docs=AGENTCORE_REGIONS_SOURCE,
    )


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
