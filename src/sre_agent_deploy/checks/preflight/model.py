"""Check that the language models on Bedrock may be used: their availability for the account, and one real token of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context, ask
from sre_core import bedrock
from sre_core.problem import Problem

_DOCS = "https://docs.aws.amazon.com/bedrock/latest/userguide/model-access.html"
_AVAILABLE = {
    "agreementAvailability": "AVAILABLE",
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
}


@dataclass(frozen=True)
class ModelFacts:
    """What Bedrock said of a model: the region's status, what the account lacks, if the use-case form is missing, and the refusal."""

    region: str
    in_region: bool = True
    lacks: tuple[str, ...] = ()
    form_missing: bool = False
    refusal: Problem | None = None


@dataclass(frozen=True)
class ModelAnswers:
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
        what=f"{model} is available in {region}, and gave no token.",
        why=f"{refusal.what} {refusal.why}",
        do=(*refusal.do[:1], "A quota of 0 tokens a minute looks like throttling: see Service Quotas > Amazon Bedrock.", _UNTIL_THEN),
        context=refusal.context,
        request_id=refusal.request_id,
        aws_docs="https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html",
    )
