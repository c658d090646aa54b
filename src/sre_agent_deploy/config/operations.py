"""Settings for operating a deployment: state, limits, alerts and retries."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

from sre_agent_deploy.config import duration
from sre_agent_deploy.config.fault import Fault, Mode
from sre_agent_deploy.config.field_syntax import DURATION, EMAIL
from sre_agent_deploy.config.section import Section, setting
from sre_agent_deploy.progress.progress import RetryLimits

_S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+")


class StateConfig(Section):
    """Where the deployment's state is kept, so that it can be resumed and cleaned up."""

    location: str = setting(
        "", "s3://BUCKET/KEY for a team; empty keeps it in the file that --state-file names.", example="s3://team-state/sre/state.json"
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a location that is not an object in S3."""
        if self.location and not _S3_URI.fullmatch(self.location):
            yield Fault(
                code="CONFIG-STATE-LOCATION",
                path=("location",),
                what="location is not an S3 object.",
                why="It must be s3:// with a bucket's name and a key.",
                do=("Write it like this: s3://team-state/sre/state.json", "Or leave it empty for a file."),
                correction="s3://team-state/sre/state.json",
            )


class LimitsConfig(Section):
    """Limits that a deployment must not exceed."""

    instance_types: tuple[str, ...] = setting(
        (), "The only EC2 instance types that may be deployed; empty allows any that is large enough.", example="[t3.xlarge, m7i.xlarge]"
    )
    instances: int = setting(
        0, "The most EC2 instances that all deployments of this account and region may have together; 0 allows any number.", example="3"
    )
    monthly_usd: float | None = setting(
        None,
        "What this deployment may cost in a month, in US dollars: a budget of AWS Budgets tells alerts.email at 80 % and 100 % of it, and "
        "when 100 % is forecast. It stops nothing, and it counts only after the tag sre-agent:deployment-id was activated as a cost "
        "allocation tag in the account that pays. Empty: no budget.",
        example="50",
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a negative count and for an amount that can't be spent."""
        yield from amount_faults(self.monthly_usd)
        if self.instances < 0:
            yield Fault(
                code="CONFIG-LIMIT-COUNT",
                path=("instances",),
                what="instances is negative.",
                why="It is the largest allowed number of EC2 instances; 0 means no limit.",
                do=("Write it like this: 3", "Or write 0 for no limit."),
                correction="0",
            )


class AlertsConfig(Section):
    """The recipient of alerts."""

    email: str = setting(
        "", "Where the budget of limits.monthly_usd sends its mails; alerts about the certificate are not sent yet.", example=EMAIL.example
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for an e-mail address that AWS would refuse."""
        yield from EMAIL.faults("email", self.email)


def amount_faults(monthly_usd: float | None) -> Iterator[Fault]:
    """Yield a fault for an amount that AWS Budgets would refuse: it must be at least a cent."""
    if monthly_usd is None or 0.01 <= monthly_usd < math.inf:
        return
    yield Fault(
        code="CONFIG-MONTHLY-USD",
        path=("monthly_usd",),
        what="monthly_usd is not a valid amount.",
        why="It must be an amount in US dollars of at least 0.01.",
        do=("Write it like this: 50", "Or leave it empty: then there is no budget."),
        correction="50",
    )


class RetriesConfig(Section):
    """Retry limits for AWS calls after each kind of error, and the deadline for a resource to become ready."""

    throttled: str = setting("3m", "While AWS throttles the call.", example="10m")
    transient: str = setting("30s", "While AWS has an error of its own, or can't be reached.", example="2m")
    propagating: str = setting("2m", "While AWS has not spread a new IAM role to all of its services.", example="5m")
    ready: str = setting("15m", "Until a resource works, or until what was deleted is gone.", example="30m")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each value that is no duration."""
        for field, usual in type(self).model_fields.items():
            yield from replace(DURATION, example=str(usual.default)).faults(field, getattr(self, field))

    def limits(self) -> RetryLimits:
        """Convert to retry limits; an empty field gets the default."""
        usual = RetryLimits()
        return RetryLimits(
            throttled=duration.parse(self.throttled) or usual.throttled,
            transient=duration.parse(self.transient) or usual.transient,
            propagating=duration.parse(self.propagating) or usual.propagating,
            ready=duration.parse(self.ready) or usual.ready,
        )
