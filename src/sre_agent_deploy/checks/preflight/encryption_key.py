"""Check the KMS keys that the user named: each is enabled, and its policy lets those use it who encrypt with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.preflight import Context, ask
from sre_agent_deploy.checks.preflight.roles import covers
from sre_agent_deploy.config.models import Config
from sre_core.problem import Problem

_USE = ("kms:Decrypt", "kms:GenerateDataKey")
_ABSENT = ("NotFoundException",)


@dataclass(frozen=True)
class KeyFacts:
    """A key as KMS shows it: its state (empty: it does not exist), its kind, its policy, and who must be able to do what with it."""

    setting: str
    arn: str
    needs: Mapping[str, tuple[str, ...]]
    """Actions by principal: the service, or the ARN of the account's root for its identities."""
    state: str = ""
    kind: str = ""
    policy: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class KeyUsable:
    """The key of one setting can be used as the configuration wants."""

    setting: str
    required: ClassVar[bool] = True
    requirements: ClassVar[tuple[str, ...]] = ("3.2", "3.3")

    @property
    def id(self) -> str:
        return f"kms.{self.setting.partition('.')[0]}_key"

    @property
    def proves(self) -> str:
        return f"the KMS key of {self.setting} is enabled, and its policy lets it be used"

    def probe(self, world: Context) -> KeyFacts | Problem:
        arn, kms = list_keys(world.config)[self.setting], world.aws.client("kms")
        facts = KeyFacts(self.setting, arn, _list_needs(self.setting, world))
        described = ask(lambda: or_none(lambda: kms.describe_key(KeyId=arn)["KeyMetadata"], _ABSENT), "kms:DescribeKey")
        if described is None:
            return facts
        if isinstance(described, Problem):
            return described
        policy = ask(lambda: kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"], "kms:GetKeyPolicy")
        if isinstance(policy, Problem):
            return policy
        kind = described.get("KeySpec", "SYMMETRIC_DEFAULT")
        return KeyFacts(self.setting, arn, facts.needs, described["KeyState"], kind, json.loads(policy))

    def judge(self, facts: KeyFacts) -> Verdict:
        if facts.state != "Enabled" or facts.kind != "SYMMETRIC_DEFAULT":
            what = (
                f"is {facts.state}"
                if facts.state not in ("", "Enabled")
                else "does not exist"
                if not facts.state
                else f"is of {facts.kind}"
            )
            return Verdict(False, f"the KMS key of {facts.setting} {what}", _unusable(facts, what))
        gaps = {
            principal: missing
            for principal, actions in facts.needs.items()
            if (missing := find_gaps(facts.policy or {}, principal, actions))
        }
        if gaps:
            return Verdict(False, f"the policy of the KMS key of {facts.setting} does not let it be used", _closed(facts, gaps))
        return Verdict(True, f"the KMS key of {facts.setting} is enabled, and its policy lets it be used")


def list_keys(config: Config) -> dict[str, str]:
    """Map each setting that names a key which is used to the key's ARN (pure)."""
    monitored = config.monitoring.kms_key_arn if config.is_monitored(config.mode) else ""
    named = {"gateway.kms_key_arn": config.gateway.kms_key_arn, "monitoring.kms_key_arn": monitored}
    return {setting: arn for setting, arn in named.items() if arn}


def _list_needs(setting: str, world: Context) -> dict[str, tuple[str, ...]]:
    """List who needs what: for objects in S3, or for the log groups and the topic, to which CloudWatch and AWS Budgets publish.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
    https://github.com/aws/modern-data-architecture-accelerator, for the delivery of the gateway's logs
    """
    if setting.startswith("gateway"):
        return {f"arn:{world.aws.partition}:iam::{world.aws.account_id}:root": _USE}
    return {
        f"logs.{world.aws.region}.amazonaws.com": (
            "kms:Encrypt",
            "kms:Decrypt",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
            "kms:GenerateDataKey",
            "kms:DescribeKey",
        ),
        "cloudwatch.amazonaws.com": _USE,
        **({"delivery.logs.amazonaws.com": _USE} if world.config.monitoring.gateway_logs else {}),
        **({"cloudtrail.amazonaws.com": ("kms:GenerateDataKey", "kms:DescribeKey")} if world.config.monitoring.makes_trail else {}),
        **({"budgets.amazonaws.com": _USE} if world.config.limits.monthly_usd is not None else {}),
    }


def find_gaps(policy: Mapping[str, Any], principal: str, actions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the actions that no statement of a key's policy allows to a principal (pure). Conditions are taken to hold."""
    statements = policy.get("Statement", ())
    listed = [statements] if isinstance(statements, Mapping) else list(statements)
    ours = [each for each in listed if each.get("Effect") == "Allow" and _names(each.get("Principal"), principal)]
    return tuple(action for action in actions if not any(covers(each.get("Action", ()), action) for each in ours))


def _names(principal: Any, wanted: str) -> bool:
    kind = "AWS" if wanted.startswith("arn:") else "Service"
    found = principal.get(kind, ()) if isinstance(principal, Mapping) else principal
    named = [found] if isinstance(found, str) else list(found or ())
    if kind == "Service":
        return any(each in (wanted, "*") for each in named)
    # Who is allowed by name is not looked up: it may be the identity that deploys.
    return any(each == "*" or each == wanted.split(":")[4] or each.split(":")[4:5] == wanted.split(":")[4:5] for each in named)


def _unusable(facts: KeyFacts, what: str) -> Problem:
    return Problem(
        code="KMS-KEY-UNUSABLE",
        what=f"The KMS key of {facts.setting} can't encrypt anything: it {what}.",
        why=f"{facts.arn} must be an enabled symmetric key of this account and region.",
        do=(
            f"Enable it (`aws kms enable-key --key-id {facts.arn}`), or name another key in {facts.setting}.",
            f"Or leave {facts.setting} empty to use AWS's own keys.",
        ),
        aws_docs="https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html",
    )


def _closed(facts: KeyFacts, gaps: Mapping[str, tuple[str, ...]]) -> Problem:
    listed = "; ".join(f"{', '.join(actions)} to {principal}" for principal, actions in gaps.items())
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS" if principal.startswith("arn:") else "Service": principal},
            "Action": list(actions),
            "Resource": "*",
        }
        for principal, actions in gaps.items()
    ]
    return Problem(
        code="KMS-KEY-POLICY",
        what=f"The policy of the KMS key of {facts.setting} does not let this deployment use it.",
        why=f"No statement of it allows {listed}.",
        do=(
            f"Add to the policy of {facts.arn} (KMS > Customer managed keys > Key policy): {json.dumps(statements)}",
            f"Or leave {facts.setting} empty to use AWS's own keys.",
        ),
        aws_docs="https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html",
    )
