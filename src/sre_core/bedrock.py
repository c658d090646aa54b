"""Inference profiles of Bedrock: which one fits a model in a region, and to which regions it routes.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html (AWS extends the lists from time to time)
and global-cross-region-inference.html: IAM checks a global profile against the model's ARN in the region asked and its ARN without one.
"""

from __future__ import annotations

from collections.abc import Mapping

MODEL = "anthropic.claude-sonnet-4-6"
FALLBACK = "amazon.nova-pro-v1:0"
UNSPECIFIED = ""  # the region in the ARN of a model that a global profile routes to

# Where a geography's profile may send a request.
DESTINATIONS: Mapping[str, tuple[str, ...]] = {
    "us": ("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    "us-gov": ("us-gov-east-1", "us-gov-west-1"),
    "eu": ("eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "au": ("ap-southeast-2", "ap-southeast-4"),
    "apac": ("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2"),
    "global": (UNSPECIFIED,),
}
# The Availability Zones in which AgentCore Runtime can use a subnet; a region that is not here is not judged.
# https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/agentcore-vpc.html
RUNTIME_ZONES: Mapping[str, frozenset[str]] = {
    "us-east-1": frozenset({"use1-az1", "use1-az2", "use1-az4"}),
    "us-east-2": frozenset({"use2-az1", "use2-az2", "use2-az3"}),
    "us-west-2": frozenset({"usw2-az1", "usw2-az2", "usw2-az3"}),
    "ap-south-1": frozenset({"aps1-az1", "aps1-az2", "aps1-az3"}),
    "ap-southeast-1": frozenset({"apse1-az1", "apse1-az2", "apse1-az3"}),
    "ap-southeast-2": frozenset({"apse2-az1", "apse2-az2", "apse2-az3"}),
    "ap-northeast-1": frozenset({"apne1-az1", "apne1-az2", "apne1-az4"}),
    "eu-central-1": frozenset({"euc1-az1", "euc1-az2", "euc1-az3"}),
    "eu-west-1": frozenset({"euw1-az1", "euw1-az2", "euw1-az3"}),
}
_BY_REGION = (("us-gov-", "us-gov"), ("us-", "us"), ("eu-", "eu"))
_ANTHROPIC_ASIA = {region: name for name in ("jp", "au") for region in DESTINATIONS[name]}


def choose_profile(model: str, region: str) -> str:
    """Return the inference profile of a model that fits a region. A name that is a profile or an ARN stays as it is."""
    vendor = model.partition(".")[0]
    if model.startswith("arn:") or vendor in DESTINATIONS:
        return model
    geography = next((name for start, name in _BY_REGION if region.startswith(start)), "")
    if not geography and vendor == "anthropic":
        geography = _ANTHROPIC_ASIA.get(region, "global")
    if not geography and region.startswith("ap-"):
        geography = "apac"
    return f"{geography}.{model}" if geography else model


def list_destinations(profile: str, region: str) -> tuple[str, ...]:
    """List the regions to which a profile routes requests of a region; a model without a profile stays in the region."""
    return tuple(sorted({region, *DESTINATIONS.get(_geography(profile), ())}))


def model_of(profile: str) -> str:
    """Return the model behind a profile."""
    geography = _geography(profile)
    return profile.removeprefix(f"{geography}.") if geography else profile


def _geography(profile: str) -> str:
    found = profile.partition(".")[0]
    return found if found in DESTINATIONS else ""
