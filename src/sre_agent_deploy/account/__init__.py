"""The AWS account and region of a deployment, Amazon's or local: its facts, the deployment's id, and the refusal of another account (pure).

account.py looks the facts up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sre_agent_deploy.later import ACCOUNT, Ref, encode_ref
from sre_core.problem import Problem
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.tls.chain import CertificateSource

DEPLOYMENT_ID_PATTERN = r"sre-[0-9a-f]{10}"
"""The form of an id: this tool made no deployment with any other."""


def deployment_id(account_id: str, region: str, name: str) -> str:
    """Derive the id from account, region and configured name: the same configuration is the same deployment everywhere."""
    return f"sre-{hashlib.sha256(f'{account_id}/{region}/{name}'.encode()).hexdigest()[:10]}"


def other_account(actual: str, wanted: str, *, arn: str = "") -> Problem:
    """Report credentials of another account, in which nothing is read or changed. `arn` is their identity, where known."""
    whose = f"They are {arn}: another" if arn else "Another"
    return Problem(
        code="AWS-OTHER-ACCOUNT",
        what=f"The credentials belong to account {actual}; the deployment is for account {wanted}.",
        why=f"{whose} profile or role is active than the one that the configuration, or the state file, was written for.",
        do=(
            f"Sign in to account {wanted} (check with `aws sts get-caller-identity`), or correct aws.account_id.",
            "Nothing was changed. If the state file was edited by hand, restore it.",
        ),
    )


@dataclass(frozen=True)
class AccountFacts:
    """The facts about its account that a blueprint needs. `account.py` looks them up; nothing is decided here."""

    account_id: str
    """Twelve digits, or an encoded Ref where no account was asked."""
    region: str
    partition: str
    vpc_id: str
    vpc_cidr: str
    subnet_id: str
    image_id: str
    release: bytes
    release_sha256: str
    openapi: Mapping[str, str]
    certificate: CertificateSource
    private_ca: str = ""
    """The CA certificate, in PEM, when clients and the gateway don't know it already."""
    source_secrets: Mapping[tuple[str, str], Secret] = field(default_factory=dict)
    """The secrets of the systems from which the services answer, by service and key."""
    https_suffix: str = ""
    """`:` and the port that is used for 443 in the local AWS, where that is another one; empty in Amazon's."""
    package: bytes = b""
    """The assistant's package for AgentCore Runtime; empty where it runs on the instance, or as an image."""
    package_sha256: str = ""
    zone_name: str = ""
    """The name of the hosted zone, if a custom authentication domain may lie in it; empty if it was not asked."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """A public subnet of the VPC for each Availability Zone that has one."""
    zone: str = ""
    """The first Availability Zone, where the network is to be created."""
    state_location: str = ""
    """Where the state is in S3, as the value of a tag; empty if it is on this machine."""

    def deployment_id(self, name: str) -> str:
        """Derive the id of the deployment of this name; an encoded Ref where no account was asked."""
        if not self.account_id.isdecimal():
            return encode_ref(Ref(ACCOUNT, "deployment_id"))
        return deployment_id(self.account_id, self.region, name)
