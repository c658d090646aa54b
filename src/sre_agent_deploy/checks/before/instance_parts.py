"""The key pair and the image that the configuration names exist, which RunInstances would find out last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.checks.before.account import Account, ask
from sre_agent_deploy.checks.check import Verdict
from sre_core.problem import Problem


@dataclass(frozen=True)
class Part:
    """What is named, and whether this region has it."""

    named: str
    region: str
    there: bool


class KeyPairThere:
    """The named EC2 key pair exists in this region."""

    id: ClassVar[str] = "ec2.key_pair"
    proves: ClassVar[str] = "the key pair exists"
    requirements: ClassVar[tuple[str, ...]] = ("4.1",)
    required: ClassVar[bool] = True

    def probe(self, world: Account) -> Part | Problem:
        named = world.config.deployment.key_name
        only: list[Any] = [{"Name": "key-name", "Values": [named]}]
        answer = ask(lambda: world.aws.ec2.describe_key_pairs(Filters=only)["KeyPairs"], "ec2:DescribeKeyPairs")
        return answer if isinstance(answer, Problem) else Part(named, world.aws.region, bool(answer))

    def judge(self, facts: Part) -> Verdict:
        if facts.there:
            return Verdict(True, f"key pair {facts.named} exists")
        return Verdict(False, f"there is no key pair {facts.named}", _no_key_pair(facts))


class ImageThere:
    """The named image exists in this region and may be used."""

    id: ClassVar[str] = "ec2.image"
    proves: ClassVar[str] = "the image exists"
    requirements: ClassVar[tuple[str, ...]] = ("4.1",)
    required: ClassVar[bool] = True

    def probe(self, world: Account) -> Part | Problem:
        named = world.config.deployment.ami_id
        only: list[Any] = [{"Name": "image-id", "Values": [named]}, {"Name": "state", "Values": ["available"]}]
        answer = ask(lambda: world.aws.ec2.describe_images(Filters=only)["Images"], "ec2:DescribeImages")
        return answer if isinstance(answer, Problem) else Part(named, world.aws.region, bool(answer))

    def judge(self, facts: Part) -> Verdict:
        if facts.there:
            return Verdict(True, f"image {facts.named} exists")
        return Verdict(False, f"there is no image {facts.named}", _no_image(facts))


def _no_key_pair(facts: Part) -> Problem:
    return Problem(
        code="INSTANCE-KEY-PAIR-NOT-FOUND",
        what=f"There is no key pair {facts.named} in {facts.region}.",
        why="Key pairs belong to a region; this one is in another, was deleted, or its name is misspelled.",
        do=(
            "Correct deployment.key_name: `aws ec2 describe-key-pairs --query 'KeyPairs[].KeyName'`.",
            "Or leave it empty: Session Manager needs none.",
        ),
    )


def _no_image(facts: Part) -> Problem:
    return Problem(
        code="INSTANCE-IMAGE-NOT-FOUND",
        what=f"There is no image {facts.named} in {facts.region} that this account may use.",
        why="Image ids differ from region to region; or it was deregistered, or is not shared with this account.",
        do=("Correct deployment.ami_id, or leave it empty to use the newest official image.",),
    )
