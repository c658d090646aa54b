"""The known AWS Regions and their partitions.

botocore has this table too, but `--validate-only` must not pay for importing it. A test compares the two.
"""

from __future__ import annotations

import re

HEALTH_CHECKS_IN = "us-east-1"
"""The region in which Route 53 reports its health checks; an alarm watches metrics of its own region, and sends to topics of it."""

PARTITIONS: dict[str, tuple[str, ...]] = {
    "aws": (
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "me-west-1",
        "mx-central-1",
        "sa-east-1",
        "sa-west-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    ),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
    "aws-eusc": ("eusc-de-east-1",),
    "aws-iso": ("us-iso-east-1", "us-iso-west-1"),
    "aws-iso-b": ("us-isob-east-1", "us-isob-west-1"),
    "aws-iso-e": ("eu-isoe-west-1",),
    "aws-iso-f": ("us-isof-east-1", "us-isof-south-1"),
    "aws-us-gov": ("us-gov-east-1", "us-gov-west-1"),
}

BUDGETS_IN_USD = frozenset({"aws"})
"""The partitions in which AWS Budgets counts US dollars: GovCloud has no AWS Budgets, and China is billed in yuan."""

_DIRECTION = r"(central|(north|south)?(east|west)|north|south)"
_SHAPE = re.compile(rf"(us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov|us-iso[a-z]?|eu-isoe|eusc-de)-{_DIRECTION}-[1-9]")
# How the regions of each partition but `aws` begin.
_BEGINNINGS = {
    "cn-": "aws-cn",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "us-gov-": "aws-us-gov",
}


def is_plausible_region(text: str) -> bool:
    """Say whether AWS could have a region of this name, so that one younger than this table is not refused."""
    return _SHAPE.fullmatch(text) is not None


def known_regions() -> tuple[str, ...]:
    """List every region of the table."""
    return tuple(region for regions in PARTITIONS.values() for region in regions)


def partition_of(region: str) -> str:
    """Name the partition of a region, known or not: `aws`, `aws-cn`, `aws-us-gov` ... The only answer to this in the deployer."""
    return next((partition for beginning, partition in _BEGINNINGS.items() if region.startswith(beginning)), "aws")
