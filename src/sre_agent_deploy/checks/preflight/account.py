"""Check the account: its credentials, its region, and the language models that it may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.account import other_account
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.preflight import Caller, Context, ask
from sre_core import bedrock
from sre_core.problem import Problem
from sre_core.regions import partition_of

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
        what=f"Region {facts.region} is in partition {facts.partition}; the credentials belong to partition {facts.callers_partition}.",
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
"""Where the configuration sets a monthly limit: an account can close its billing to everybody, with any policy."""


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


_DOCS = "https://docs.aws.amazon.com/bedrock/latest/userguide/model-access.html"
_AVAILABLE = {
    "agreementAvailability": "AVAILABLE",
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
}


@dataclass(frozen=True)
class ModelFacts:
    """Bedrock's answers about a model: the region's status, what the account lacks, if the use-case form is missing, and the refusal."""

    region: str
    in_region: bool = True
    lacks: tuple[str, ...] = ()
    form_missing: bool = False
    refusal: Problem | None = None


@dataclass(frozen=True)
class ModelUsable:
    """One model answers with a token. It never stops a deployment: until the model can be used, the rules answer, and say so."""

    model: str

    requirements: ClassVar[tuple[str, ...]] = ("4.2",)
    required: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return f"model.{bedrock.model_of(self.model)}"

    @property
    def proves(self) -> str:
        return f"{self.model} answers on Bedrock"

    def probe(self, world: Context) -> ModelFacts | Problem:
        """Ask for a token only where the agreement exists: the first request of a model would accept its terms for the account."""
        region, profile = world.aws.region, bedrock.choose_profile(self.model, world.aws.region)
        if not profile.startswith("arn:"):
            found = _read_availability(world.aws, bedrock.model_of(profile))
            if isinstance(found, Problem):
                return found
            lacks = tuple(f"{name} {found[name]}" for name, wanted in _AVAILABLE.items() if found[name] != wanted)
            if found["regionAvailability"] != "AVAILABLE" or lacks:
                return ModelFacts(region, found["regionAvailability"] == "AVAILABLE", lacks, self._is_form_missing(world.aws))
        refusal = _ask_for_a_token(world.aws, profile)
        if refusal is not None and refusal.code == "AWS-PERMISSION-MISSING":
            return refusal
        return ModelFacts(region, form_missing=refusal is not None and self._is_form_missing(world.aws), refusal=refusal)

    def judge(self, facts: ModelFacts) -> Verdict:
        if not facts.in_region:
            return Verdict(False, f"{facts.region} does not have {self.model}", _not_in_region(self.model, facts.region))
        if facts.form_missing:
            return Verdict(False, f"Anthropic's use-case form is missing for {self.model}", _form_missing(self.model, facts.region))
        if facts.lacks:
            return Verdict(False, f"the account has no access to {self.model}", _no_access(self.model, facts))
        if facts.refusal:
            return Verdict(False, f"{self.model} gave no token", _no_token(self.model, facts.region, facts.refusal))
        return Verdict(True, self.proves)

    def _is_form_missing(self, aws: Aws) -> bool:
        """Say if Anthropic's form was never sent, which its models need once for each account. Other vendors have none."""
        if ".anthropic." not in f".{self.model}":
            return False
        answer = ask(aws.client("bedrock").get_use_case_for_model_access, "bedrock:GetUseCaseForModelAccess")
        return isinstance(answer, Problem) and answer.context.get("aws_code") == "ResourceNotFoundException"


def _read_availability(aws: Aws, model: str) -> dict[str, str] | Problem:
    action = "bedrock:GetFoundationModelAvailability"
    answer: Any = ask(lambda: aws.client("bedrock").get_foundation_model_availability(modelId=model), action)
    if isinstance(answer, Problem):
        unknown = answer.context.get("aws_code") in {"ResourceNotFoundException", "ValidationException"}
        return {**_AVAILABLE, "regionAvailability": "NOT_AVAILABLE"} if unknown else answer
    return {**answer, "agreementAvailability": answer["agreementAvailability"]["status"]}


def _ask_for_a_token(aws: Aws, profile: str) -> Problem | None:
    """Ask for one token, which costs a fraction of a cent. Returns why there is none."""
    answer = ask(
        lambda: aws.client("bedrock-runtime").converse(
            modelId=profile, messages=[{"role": "user", "content": [{"text": "ok"}]}], inferenceConfig={"maxTokens": 1}
        ),
        "bedrock:InvokeModel",
    )
    return answer if isinstance(answer, Problem) else None


_UNTIL_THEN = "Until then the assistant answers by its rules, and says so. No new deployment is needed."


def _not_in_region(model: str, region: str) -> Problem:
    return Problem(
        code="MODEL-NOT-IN-REGION",
        what=f"Bedrock has no model {model} in {region}.",
        why="The name is wrong, or the model is offered in other regions only.",
        do=(
            f"See which there are: aws bedrock list-foundation-models --region {region} --query 'modelSummaries[].modelId'",
            f"Set assistant.model (or assistant.fallback_model) to one of them. {_UNTIL_THEN}",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock/latest/userguide/models-regions.html",
    )


def _form_missing(model: str, region: str) -> Problem:
    return Problem(
        code="MODEL-USE-CASE-MISSING",
        what=f"The account may not use {model}: Anthropic's use-case form was not sent.",
        why="Anthropic asks each account, or the organization's management account for all, once for its use case. AWS forwards it.",
        do=(
            f"Open {model} in the model catalog of Bedrock in {region} and submit the use case; access follows within minutes.",
            f"Or by API: aws bedrock put-use-case-for-model-access. {_UNTIL_THEN}",
        ),
        aws_docs=_DOCS,
    )


def _no_access(model: str, facts: ModelFacts) -> Problem:
    id = bedrock.model_of(model)
    return Problem(
        code="MODEL-NO-ACCESS",
        what=f"The account has no access to {model} in {facts.region}.",
        why=f"Bedrock reports {', '.join(facts.lacks)}. The model is a subscription of AWS Marketplace, which nobody has accepted yet.",
        do=(
            "With aws-marketplace:Subscribe and aws-marketplace:ViewSubscriptions, read the terms and accept them: "
            f"aws bedrock list-foundation-model-agreement-offers --model-id {id} --region {facts.region}, "
            f"then aws bedrock create-foundation-model-agreement --model-id {id} --offer-token TOKEN --region {facts.region}",
            f"Or use the model once in Bedrock's playground with the same permissions. {_UNTIL_THEN}",
            "authorizationStatus NOT_AUTHORIZED: a policy of the identity or of the organization denies it; ask its administrators.",
        ),
        aws_docs=_DOCS,
    )


def _no_token(model: str, region: str, refusal: Problem) -> Problem:
    return Problem(
        code="MODEL-NO-TOKEN",
        what=f"{model} is available in {region}, but returned no token.",
        why=f"{refusal.what} {refusal.why}",
        do=(*refusal.do[:1], "A quota of 0 tokens a minute looks like throttling: see Service Quotas > Amazon Bedrock.", _UNTIL_THEN),
        context=refusal.context,
        request_id=refusal.request_id,
        aws_docs="https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html",
    )
