"""Volumes of machines that are gone: they go with their machine, unless somebody has decided otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sre_agent_deploy.resources import tag_list

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


def kept(aws: Aws, deployment: str) -> tuple[str, ...]:
    """The ids of the deployment's volumes that belong to no machine any more and are not going either."""
    free: Any = [*tag_list.of_deployment(deployment), {"Name": "status", "Values": ["available"]}]
    pages = aws.client("ec2").get_paginator("describe_volumes").paginate(Filters=free)
    return tuple(volume["VolumeId"] for page in pages for volume in page["Volumes"])
