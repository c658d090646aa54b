"""Settings for operating a deployment: state, limits, alerts, monitoring, updates, backups and retries."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from sre_agent_deploy.config import Fault, Mode
from sre_agent_deploy.config.field_syntax import ALERT_URL, DAY_TIME, DURATION, EMAIL, KMS_KEY, REBOOT_WINDOW, TRACES, TRAIL_LOG_GROUP
from sre_agent_deploy.config.gateway import bucket_faults
from sre_agent_deploy.config.section import Section, setting
from sre_agent_deploy.progress import RetryLimits
from sre_core import duration, tracing
from sre_core.reboot_window import RebootWindow

# What PutRetentionPolicy accepts: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
XRAY = "xray"
_LONGEST_KEPT = 3650
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
        "What this deployment may cost in a month, in US dollars: a budget of AWS Budgets mails alerts.email at 80 % and 100 % of it, and "
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
    """The recipients of alerts."""

    email: str = setting(
        "",
        "Where alarms and the budget of limits.monthly_usd send their mails. AWS first asks this address to confirm alarms.",
        example=EMAIL.example,
    )
    url: str = setting(
        "", "An HTTPS address that alarms and the budget are sent to as well; it must confirm the subscription.", example=ALERT_URL.example
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for an address that AWS would refuse."""
        yield from EMAIL.faults("email", self.email)
        yield from ALERT_URL.faults("url", self.url)


class MonitoringConfig(Section):
    """Logs, metrics, alarms and a dashboard in Amazon CloudWatch, for about 6 to 10 US dollars a month."""

    enabled: Literal["auto", "always", "never"] = setting(
        "auto", "auto: in production, if alerts.email or alerts.url is set. always: in local mode, too. never: nothing.", example="auto"
    )
    log_retention_days: int = setting(30, "How many days logs are kept; one of the numbers that CloudWatch Logs accepts.", example="90")
    kms_key_arn: str = setting(
        "",
        "A KMS key that encrypts logs and alarms; its policy must let CloudWatch, CloudWatch Logs and, with limits.monthly_usd, "
        "AWS Budgets use it (preflight says what it lacks). Empty: AWS's own.",
        example=KMS_KEY.example,
        console=KMS_KEY.found,
    )
    p95_seconds: float = setting(30.0, "An alarm is raised if 5 % of the requests take longer than this, for 15 minutes.", example="30")
    outside_check: bool = setting(
        False,
        "Route 53 asks the front door from several places of the world, and an alarm is raised if it does not answer (about 1.60 US "
        "dollars a month). Only with aws.region us-east-1.",
        example="true",
    )
    gateway_logs: bool = setting(
        True,
        "AgentCore delivers the gateway's own log into a log group: refusals, and each request and answer with its body, so with log lines "
        "of your systems. false: no such log, and what was kept of it is deleted.",
        example="false",
    )
    cloudtrail: bool = setting(
        False,
        "A trail of CloudTrail reports, minutes late, whom the gateway and Cognito refused inside AWS: the alarm on refusals counts them, "
        "and audit lists them. It costs 0.10 US dollars for 100,000 requests to the gateway; changes of the account, which it records "
        "too, cost 2.00 for 100,000 where another trail records them already. false: no trail, and what was kept of it is deleted.",
        example="true",
    )
    trail_log_group: str = setting(
        "",
        "With cloudtrail: the log group of an existing trail of yours in this account and region, which is read instead of a second trail. "
        "The trail must keep the data events of AgentCore gateways; it and its log group are never changed or deleted, but for one metric "
        "filter. Empty: a trail is made.",
        example="aws-cloudtrail-logs-123456789012-0a1b2c3d",
        console="CloudTrail > Trails > (trail) > CloudWatch Logs",
    )
    refusals: int = setting(50, "An alarm is raised if this many requests are refused (401, 403, 429) within 5 minutes.", example="50")
    traces: str = setting(
        "",
        "Where the traces of questions are sent, from the assistant over the gateway to the services: xray (AWS X-Ray, by the agent of the "
        "instance), or the address of any receiver of OTLP over HTTP. They hold no question, answer or log line. Empty: nowhere.",
        example=TRACES.example,
    )
    model_usd_per_day: float = setting(
        20.0,
        "An alarm is raised if the language model costs this many US dollars a day (UTC), as far as its price is known. It stops nothing.",
        example="20",
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a retention that AWS does not have, a key that is no ARN, and thresholds that are always or never passed."""
        yield from KMS_KEY.faults("kms_key_arn", self.kms_key_arn)
        yield from TRACES.faults("traces", self.traces)
        yield from TRAIL_LOG_GROUP.faults("trail_log_group", self.trail_log_group)
        if self.trail_log_group and not self.cloudtrail:
            yield Fault(
                code="CONFIG-NO-EFFECT",
                path=("trail_log_group",),
                what="trail_log_group has no effect.",
                why="Without monitoring.cloudtrail no trail is read.",
                do=("Set monitoring.cloudtrail: true", "Or remove trail_log_group here."),
                warning=True,
            )
        if self.log_retention_days not in RETENTION_DAYS:
            yield _retention_fault(self.log_retention_days)
        for field, example in (("p95_seconds", "30"), ("refusals", "50"), ("model_usd_per_day", "20")):
            value = getattr(self, field)
            if not 0 < value < math.inf:
                yield Fault(
                    code="CONFIG-ALARM-THRESHOLD",
                    path=(field,),
                    what=f"{field} is not a threshold of an alarm.",
                    why="It must be above 0: with any other value the alarm is raised always or never.",
                    do=(f"Write it like this: {example}",),
                    correction=example,
                )

    @property
    def makes_trail(self) -> bool:
        """Return True if the deployment has a trail of its own."""
        return self.cloudtrail and not self.trail_log_group

    @property
    def names_trail(self) -> bool:
        """Return True if the deployment reads the log group of a trail of the user's."""
        return self.cloudtrail and bool(self.trail_log_group)

    @property
    def traces_address(self) -> str:
        """Return where programs send their spans; empty for nowhere."""
        return f"http://{tracing.RECEIVER}/v1/traces" if self.traces == XRAY else self.traces


def _retention_fault(days: int) -> Fault:
    near = min(RETENTION_DAYS, key=lambda each: (abs(each - days), -each))
    return Fault(
        code="CONFIG-LOG-RETENTION",
        path=("log_retention_days",),
        what="log_retention_days is not a number of days that CloudWatch Logs accepts.",
        why=f"It accepts {', '.join(map(str, RETENTION_DAYS[:-1]))} and {RETENTION_DAYS[-1]}.",
        do=(f"The nearest one is {near}.",),
        correction=str(near),
        aws_docs="https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html",
    )


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


class UpdatesConfig(Section):
    """Security updates of the instance's operating system."""

    automatic: bool = setting(
        True, "In production: the instance installs security updates each day. false: you do, or you replace it.", example="true"
    )
    reboot_window: str = setting(
        "Sun 03:00-04:00",
        "When the instance may restart (about a minute without answers) after it installed some, in UTC: a day and two times, or two times "
        "for each day. Empty: never; updates of the kernel then wait for you.",
        example=REBOOT_WINDOW.example,
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for a window that has another form, or that is too short to install updates in."""
        malformed = tuple(REBOOT_WINDOW.faults("reboot_window", self.reboot_window))
        yield from malformed
        if self.reboot_window and not malformed and RebootWindow.parse(self.reboot_window) is None:
            yield Fault(
                code=REBOOT_WINDOW.code,
                path=("reboot_window",),
                what="reboot_window is too short.",
                why="It must have 30 minutes at least: updates are installed at its start, and the instance restarts before its end.",
                do=(f"Write it like this: {REBOOT_WINDOW.example}",),
                correction=REBOOT_WINDOW.example,
            )


class BackupsConfig(Section):
    """Backups of users, objects, configuration and state, which the instance makes each day by itself; secrets stay where they are."""

    at: str = setting("", "When the instance makes one, in UTC. Empty: never.", example=DAY_TIME.example)
    keep_days: int = setting(30, "How many days each is kept; the newest one stays in any case.", example="30")
    bucket: str = setting(
        "",
        "An existing bucket of this region, in which they survive the loss of the deployment's own, and a cleanup. "
        "One that encrypts by a KMS key of yours needs that key in gateway.kms_key_arn. "
        "Empty: the deployment's own, which then keeps old versions; in one that gateway.s3_bucket names, they stay after a cleanup, too.",
        example="sre-backups-123456789012",
        console="S3 > Buckets",
    )

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for what is no time of a day, no bucket, or no number of days."""
        yield from DAY_TIME.faults("at", self.at)
        yield from bucket_faults("bucket", self.bucket, "backups are then kept in the deployment's own bucket")
        if not 1 <= self.keep_days <= _LONGEST_KEPT:
            yield Fault(
                code=DAY_TIME.code,
                path=("keep_days",),
                what="keep_days is not a number of days for which backups can be kept.",
                why=f"It must be 1 to {_LONGEST_KEPT}.",
                do=("Write it like this: 30",),
                correction="30",
            )
        if self.bucket and not self.at:
            yield Fault(
                code="CONFIG-NO-EFFECT",
                path=("bucket",),
                what="bucket has no effect.",
                why="Without backups.at there are no backups.",
                do=("Set backups.at: 02:30", "Or remove bucket here."),
                warning=True,
            )


class RetriesConfig(Section):
    """Retry limits for AWS calls after each kind of error, and the deadlines for a resource to be shown and to become ready."""

    throttled: str = setting("3m", "While AWS throttles the call.", example="10m")
    transient: str = setting("30s", "While AWS has an error of its own, or can't be reached.", example="2m")
    propagating: str = setting("2m", "While AWS has not spread a new IAM role to all of its services.", example="5m")
    ready: str = setting("15m", "Until a resource works, or until what was deleted is gone.", example="30m")
    shown: str = setting(
        "30s",
        "While AWS may hide what was just created; each type has its own time, and this is the most. A shorter time is safe only with an "
        "AWS that hides nothing, such as the local one: a creation that was interrupted would be sent twice.",
        example="30s",
    )

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
            shown=duration.parse(self.shown) or usual.shown,
        )
