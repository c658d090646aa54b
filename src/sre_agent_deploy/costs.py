"""Estimate what a deployment costs a month, line by line, from its blueprint and AWS's list prices (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_agent_deploy.resources.ec2_vpc_endpoint import VpcEndpoint

HOURS = 730
"""The hours of a month, as AWS's own calculator counts them."""

PRICED = "us-east-1, November 2026, on demand, without free tier, discounts and taxes"

# US dollars an hour for Linux: https://aws.amazon.com/ec2/pricing/on-demand/
INSTANCE_HOUR: Mapping[str, float] = {
    "t3.xlarge": 0.1664,
    "t3.2xlarge": 0.3328,
    "t3a.xlarge": 0.1504,
    "t3a.2xlarge": 0.3008,
    "m5.xlarge": 0.192,
    "m5.2xlarge": 0.384,
    "m6i.xlarge": 0.192,
    "m6i.2xlarge": 0.384,
    "m7i.xlarge": 0.2016,
    "m7i.2xlarge": 0.4032,
    "r5.xlarge": 0.252,
    "r6i.xlarge": 0.252,
}
GP3_GB_MONTH = 0.08  # https://aws.amazon.com/ebs/pricing/
ADDRESS_HOUR = 0.005  # https://aws.amazon.com/vpc/pricing/: each public IPv4 address
ENDPOINT_HOUR, ENDPOINT_GB = 0.01, 0.01  # https://aws.amazon.com/privatelink/pricing/: each zone of an interface; S3's gateway is free
SECRET_MONTH = 0.40  # https://aws.amazon.com/secrets-manager/pricing/
SECRET_CALLS_MONTH = 1.30  # docs/concepts/costs.md: the machine looks every half minute
# Programs' tokens are charged; their app clients are no longer: https://docs.aws.amazon.com/cognito/latest/developerguide/tracking-cost.html
TOKEN = 0.00225
ALARM_MONTH, METRIC_MONTH, DASHBOARD_MONTH, LOG_GB = 0.10, 0.30, 3.00, 0.50  # https://aws.amazon.com/cloudwatch/pricing/
TRAIL_DATA_EVENTS, TRAIL_COPIES = 0.10, 2.00  # https://aws.amazon.com/cloudtrail/pricing/: for 100,000
HEALTH_CHECK_MONTH = 1.50  # https://aws.amazon.com/route53/pricing/: 0.50 for an AWS endpoint, 1.00 because it asks by HTTPS
TOOL_CALLS_1000, TOOL_SEARCHES_1000 = 0.005, 0.025  # https://aws.amazon.com/bedrock/agentcore/pricing/
TABLE_WRITES, TABLE_READS = 0.625, 0.125  # https://aws.amazon.com/dynamodb/pricing/on-demand/: for a million
RUNTIME_CPU_HOUR, RUNTIME_GB_HOUR = 0.0895, 0.00945
# Of the metrics without a filter: the certificate's days, memory, and disk with and without the device's dimensions.
_METRICS_BY_THE_MACHINE = 4


@dataclass(frozen=True)
class Line:
    """One item that is charged: how many of it there are, what one costs a month, and why it is needed."""

    what: str
    count: int
    each: float
    why: str

    @property
    def usd(self) -> float:
        return self.count * self.each


@dataclass(frozen=True)
class Usage:
    """One item that is charged for use alone, with its price as a text."""

    what: str
    price: str


@dataclass(frozen=True)
class Estimate:
    """The monthly cost of a deployment without a question, and the prices of its use."""

    lines: tuple[Line, ...] = ()
    usage: tuple[Usage, ...] = ()
    unknown: tuple[str, ...] = ()
    """What has no price here, so that the total lacks it."""

    @property
    def month(self) -> float:
        return sum(line.usd for line in self.lines)

    def hours(self, hours: float, machines: int = 1) -> float:
        """Return what so many hours cost with so many machines at once, as if each had everything else of its own, too."""
        return self.month * hours / HOURS * machines

    def to_json(self) -> dict[str, Any]:
        return {
            "usd_per_month": round(self.month, 2),
            "priced": PRICED,
            "lines": [{"what": line.what, "count": line.count, "usd_each": round(line.each, 4), "why": line.why} for line in self.lines],
            "usage": [{"what": use.what, "price": use.price} for use in self.usage],
            "unknown": list(self.unknown),
        }


def estimate_cost(config: Config, wanted: Blueprint) -> Estimate:
    """Estimate a deployment. What the configuration names exists already, and is not charged for this deployment."""
    ours = [item.resource for item in wanted if not item.named]
    addresses = sum(len(resource.subnet_ids) for resource in ours if isinstance(resource, VpcEndpoint))
    instance = next(resource for resource in ours if isinstance(resource, Ec2Instance))
    unknown = () if instance.instance_type in INSTANCE_HOUR else (f"the price of {instance.instance_type}",)
    counts = Counter(resource.KIND for resource in ours)
    endpoints = Line("interface endpoint, in each zone", addresses, ENDPOINT_HOUR * HOURS, "calls of AWS stay in Amazon's network")
    lines = (*_machine_lines(instance), *_other_lines(config, counts), endpoints)
    return Estimate(tuple(line for line in lines if line.usd), tuple(_usages(config, counts)), unknown)


def _machine_lines(instance: Ec2Instance) -> Iterator[Line]:
    hour = INSTANCE_HOUR.get(instance.instance_type, 0)
    yield Line(f"EC2 instance {instance.instance_type}", 1, hour * HOURS, "runs the assistant, the four backend APIs and the front door")
    yield Line(f"EBS gp3 volume, {instance.volume_gb} GiB", 1, instance.volume_gb * GP3_GB_MONTH, "its disk")
    yield Line("public IPv4 address", 1, ADDRESS_HOUR * HOURS, "the address that the domain leads to")


def _other_lines(config: Config, counts: Counter[str]) -> Iterator[Line]:
    secrets = counts["AWS::SecretsManager::Secret"]
    yield Line("secret", secrets, SECRET_MONTH, "API key, client secrets, certificate and keys of your systems")
    yield Line("calls of Secrets Manager", 1, SECRET_CALLS_MONTH, "the machine looks for rotated values every half minute")
    yield Line("alarm", counts["AWS::CloudWatch::Alarm"], ALARM_MONTH, "monitoring")
    # The filter of a trail counts into a metric that there is.
    filters = max(0, counts["AWS::Logs::MetricFilter"] - config.monitoring.cloudtrail)
    machines = (_METRICS_BY_THE_MACHINE if filters else 1) + bool(config.backups.at)
    yield Line("custom metric", filters + machines, METRIC_MONTH, "what the alarms watch")
    yield Line("health check", counts["AWS::Route53::HealthCheck"], HEALTH_CHECK_MONTH, "asks the front door from outside")
    yield Line("dashboard", counts["AWS::CloudWatch::Dashboard"], DASHBOARD_MONTH, "monitoring")


def _usages(config: Config, counts: Counter[str]) -> Iterator[Usage]:
    if config.assistant.reasoner != "rules":
        dollars = config.assistant.usd_per_question
        yield Usage("the language model", f"at most {dollars:.2f} USD a question (assistant.usd_per_question); rules alone cost nothing")
    yield Usage("AgentCore Gateway", f"{TOOL_CALLS_1000} USD for 1,000 calls; a question makes some tens of them")
    if config.gateway.search:
        yield Usage("AgentCore Gateway, tool search", f"{TOOL_SEARCHES_1000} USD for 1,000 searches")
    yield Usage("Cognito tokens", f"{TOKEN} USD for each; a client that keeps its token needs one an hour (1.64 USD a month)")
    if counts["AWS::BedrockAgentCore::Runtime"]:
        yield Usage("AgentCore Runtime", f"{RUNTIME_CPU_HOUR} USD for a vCPU-hour, {RUNTIME_GB_HOUR} USD for a GB-hour, while it answers")
    if counts["AWS::DynamoDB::Table"]:
        yield Usage(
            "DynamoDB", f"{TABLE_WRITES} USD for a million writes, {TABLE_READS} for a million reads; a question of a session makes 1 and 2"
        )
    if counts["AWS::Logs::LogGroup"]:
        yield Usage("logs", f"{LOG_GB:.2f} USD for a GB; a thousand requests an hour are about 0.15 GB a month")
    if config.monitoring.names_trail:
        yield Usage("CloudTrail", f"{TRAIL_DATA_EVENTS:.2f} USD for 100,000 requests to the gateway, paid with your own trail")
    if counts["AWS::CloudTrail::Trail"]:
        yield Usage(
            "CloudTrail",
            f"{TRAIL_DATA_EVENTS:.2f} USD for 100,000 requests to the gateway; {TRAIL_COPIES:.2f} for 100,000 changes of the account "
            "where another trail records them already",
        )
    if config.deployment.hosted_zone_id:
        yield Usage("Route 53", "0.50 USD a month for your hosted zone, 0.40 USD for a million queries")
    if config.aws.creates_network and config.aws.endpoints == "all":
        yield Usage("interface endpoints", f"{ENDPOINT_GB} USD for a GB")
    if config.backups.at:
        yield Usage("backups", f"0.023 USD for a GB a month in S3, each kept {config.backups.keep_days} days")
    if config.deployment.keep_previous:
        yield Usage("the machine before", f"the machine's lines once more, for {config.deployment.keep_previous} after an update")
    yield Usage("traffic to the internet", "0.09 USD for a GB, after 100 GB a month")
