"""Tables that are committed so that validation works offline: they say what AWS says."""

from __future__ import annotations

import gzip
import json
import re
from importlib.resources import files

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.config.deployment import find_smallest_sufficient, load_table
from sre_core.regions import is_plausible_region, known_regions, partition_of


def test_regions_are_those_of_botocore() -> None:
    """Every region that botocore knows is known here, in the same partition, and looks like one."""
    document = json.loads(files("botocore").joinpath("data/partitions.json").read_text(encoding="utf-8"))
    theirs = {region: part["id"] for part in document["partitions"] for region in part["regions"] if not region.endswith("global")}
    assert {region: partition_of(region) for region in known_regions()} == theirs
    assert all(map(is_plausible_region, theirs))


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
    ],
)
def test_one_answer_for_the_partition_of_a_region(region: str, partition: str) -> None:
    """Rules of the configuration and ARNs of resources are in the same partition, European and isolated ones included."""
    assert partition_of(region) == partition
    assert Aws(region=region).partition == partition


@pytest.mark.parametrize(
    "region", ["cn-south-7", "us-gov-central-9", "eusc-de-west-1", "us-iso-north-1", "us-isob-south-2", "eu-isoe-east-3"]
)
def test_the_partition_of_a_region_that_aws_opens_later(region: str) -> None:
    """A region that is not in the table is in the partition that botocore's patterns say."""
    document = json.loads(files("botocore").joinpath("data/partitions.json").read_text(encoding="utf-8"))
    (theirs,) = (part["id"] for part in document["partitions"] if re.search(part["regionRegex"], region))
    assert partition_of(region) == theirs


def test_names_that_no_region_can_have() -> None:
    """Misspelled names and Availability Zones are distinguished from regions that AWS may open some day."""
    assert is_plausible_region("eu-central-3")
    assert not any(map(is_plausible_region, ("us-esat-1", "us-east-1a", "useast1", "europe-west-1", "")))


def test_instance_types_are_those_that_moto_ships() -> None:
    """Size and architecture are AWS's own description; `make generate` renews the table."""
    theirs = json.loads(gzip.decompress(files("moto").joinpath("ec2/resources/instance_types.json.gz").read_bytes()))
    ours = {name: (kind.vcpus, kind.memory_mib) for name, kind in load_table().items()}
    assert ours == {name: (kind["VCpuInfo"]["DefaultVCpus"], kind["MemoryInfo"]["SizeInMiB"]) for name, kind in theirs.items()}
    assert load_table()["m7g.xlarge"].architecture == "arm64"


def test_the_smallest_type_that_is_large_enough() -> None:
    """It has at least 4 vCPU and 16 GiB, and is of the same family where that has one."""
    assert find_smallest_sufficient("t3") == "t3.xlarge"
    assert find_smallest_sufficient("c7g") == "c7g.2xlarge"
    assert find_smallest_sufficient("nothing") == "t3.xlarge"
