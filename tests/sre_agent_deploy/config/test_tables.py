"""Tables that are committed so that validation works offline: they say what AWS says."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

from sre_agent_deploy.config.instance_types import smallest_that_suffices, table
from sre_agent_deploy.config.regions import known_regions, looks_like_a_region, partition_of


def test_regions_are_those_of_botocore() -> None:
    """Every region that botocore knows is known here, in the same partition, and looks like one."""
    document = json.loads(files("botocore").joinpath("data/partitions.json").read_text(encoding="utf-8"))
    theirs = {region: part["id"] for part in document["partitions"] for region in part["regions"] if not region.endswith("global")}
    assert {region: partition_of(region) for region in known_regions()} == theirs
    assert all(map(looks_like_a_region, theirs))


def test_names_that_no_region_can_have() -> None:
    """Slips and Availability Zones are told from regions that AWS may open some day."""
    assert looks_like_a_region("eu-central-3")
    assert not any(map(looks_like_a_region, ("us-esat-1", "us-east-1a", "useast1", "europe-west-1", "")))


def test_instance_types_are_those_that_moto_ships() -> None:
    """Size and architecture are AWS's own description; `make generate` renews the table."""
    theirs = json.loads(gzip.decompress(files("moto").joinpath("ec2/resources/instance_types.json.gz").read_bytes()))
    ours = {name: (kind.vcpus, kind.memory_mib) for name, kind in table().items()}
    assert ours == {name: (kind["VCpuInfo"]["DefaultVCpus"], kind["MemoryInfo"]["SizeInMiB"]) for name, kind in theirs.items()}
    assert table()["m7g.xlarge"].architecture == "arm64"


def test_the_smallest_type_that_is_large_enough() -> None:
    """It has at least 4 vCPU and 16 GiB, and is of the same family where that has one."""
    assert smallest_that_suffices("t3") == "t3.xlarge"
    assert smallest_that_suffices("c7g") == "c7g.2xlarge"
    assert smallest_that_suffices("nothing") == "t3.xlarge"
