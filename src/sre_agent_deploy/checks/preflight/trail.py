"""Check the log group that the user named for the trail: a trail of this account delivers into it what this deployment is to count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.preflight import Context, ask
from sre_agent_deploy.names import gateway_name
from sre_agent_deploy.resources.cloudtrail_trail import describe_deliveries, find_trails
from sre_core.problem import Problem

type Event = Mapping[str, str]
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {"Equals": str.__eq__, "StartsWith": str.startswith, "EndsWith": str.endswith}
# The id of a gateway is its name, a hyphen and ten characters that are unknown before.
_ANY_END = "0000000000"


@dataclass(frozen=True)
class TrailFacts:
    """The trails that deliver into a log group: why each delivers nothing, and which of the events it does not keep."""

    log_group: str
    faults: Mapping[str, str]
    gaps: Mapping[str, tuple[str, ...]]


class TrailUsable:
    """A trail delivers into the named log group whom the gateway and Cognito refuse."""

    id: ClassVar[str] = "cloudtrail.log_group"
    proves: ClassVar[str] = "a trail delivers into the named log group what the gateway and Cognito refuse"
    requirements: ClassVar[tuple[str, ...]] = ("2.3", "4.3")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> TrailFacts | Problem:
        group = world.config.monitoring.trail_log_group
        name = gateway_name(world.config, world.deployment).lower()
        gateway = f"arn:{world.aws.partition}:bedrock-agentcore:{world.aws.region}:{world.aws.account_id}:gateway/{name}-{_ANY_END}"
        return ask(lambda: _look(world.aws, group, gateway), "cloudtrail:DescribeTrails")

    def judge(self, facts: TrailFacts) -> Verdict:
        if not facts.faults:
            return Verdict(False, f"no trail delivers into log group {facts.log_group}", _not_found(facts))
        whole = [trail for trail, fault in facts.faults.items() if not fault and not facts.gaps[trail]]
        if whole:
            return Verdict(True, f"trail {whole[0]} delivers into log group {facts.log_group} what is refused")
        trail, fault = next(iter(facts.faults.items()))
        if fault:
            return Verdict(False, f"trail {trail}: {fault}", _delivers_nothing(facts, trail, fault))
        return Verdict(False, f"trail {trail} does not keep {' and '.join(facts.gaps[trail])}", _incomplete(facts, trail))


def _look(aws: Aws, group: str, gateway_arn: str) -> TrailFacts:
    arns = find_trails(aws, group)
    read = {arn: aws.client("cloudtrail").get_event_selectors(TrailName=arn) for arn in arns}
    return TrailFacts(
        group,
        {arn: describe_deliveries(aws, arn) for arn in arns},
        {arn: tuple(list_gaps(selectors, gateway_arn)) for arn, selectors in read.items()},
    )


def list_gaps(selectors: Mapping[str, Any], gateway_arn: str) -> Iterator[str]:
    """Name what a trail with these selectors does not keep of the gateway and of Cognito (pure).

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
    """
    request = {
        "eventCategory": "Data", "eventName": "InvokeGateway", "eventSource": "bedrock-agentcore.amazonaws.com", "eventType": "AwsApiCall",
        "readOnly": "false", "resources.type": "AWS::BedrockAgentCore::Gateway", "resources.ARN": gateway_arn,
    }  # fmt: skip
    token = {"eventCategory": "Management", "eventSource": "cognito-idp.amazonaws.com", "readOnly": "false"}
    advanced: Sequence[Mapping[str, Any]] = selectors.get("AdvancedEventSelectors") or ()
    if not _keeps(advanced, request):
        yield "the data events of AWS::BedrockAgentCore::Gateway"
    if not (_keeps(advanced, token) or any(map(_keeps_writes, selectors.get("EventSelectors") or ()))):
        yield "management events that write"


def _keeps(selectors: Sequence[Mapping[str, Any]], event: Event) -> bool:
    return any(all(_holds(field, event.get(field["Field"], "")) for field in each["FieldSelectors"]) for each in selectors)


def _holds(field: Mapping[str, Any], value: str) -> bool:
    for operator, matches in _OPERATORS.items():
        if field.get(operator) and not any(matches(value, wanted) for wanted in field[operator]):
            return False
        if any(matches(value, wanted) for wanted in field.get(f"Not{operator}") or ()):
            return False
    return True


def _keeps_writes(selector: Mapping[str, Any]) -> bool:
    """Say if a selector of the older kind, which knows no gateways, keeps management events that write."""
    return bool(selector.get("IncludeManagementEvents", True)) and selector.get("ReadWriteType", "All") in ("All", "WriteOnly")


def _not_found(facts: TrailFacts) -> Problem:
    return Problem(
        code="CLOUDTRAIL-NAMED-NOT-FOUND",
        what=f"No trail delivers into the log group {facts.log_group}, which monitoring.trail_log_group names.",
        why="The name is misspelled or of another region, or the trail sends its events to S3 alone. The log group of an organization's "
        "trail is in the account that manages it, where no other account can count.",
        do=(
            "See which log group your trail has: aws cloudtrail describe-trails --query 'trailList[].[Name,CloudWatchLogsLogGroupArn]'",
            "Write its name, or leave the field empty: the deployment then makes a trail of its own.",
        ),
        aws_docs="https://docs.aws.amazon.com/awscloudtrail/latest/userguide/send-cloudtrail-events-to-cloudwatch-logs.html",
    )


def _delivers_nothing(facts: TrailFacts, trail: str, fault: str) -> Problem:
    return Problem(
        code="CLOUDTRAIL-NAMED-SILENT",
        what=f"The trail {trail}, which is to fill the log group {facts.log_group}, delivers nothing.",
        why=f"CloudTrail says: {fault}. A trail that is named is never changed.",
        do=(
            f"Let its owner repair it: aws cloudtrail get-trail-status --name {trail}",
            "Or leave monitoring.trail_log_group empty: the deployment then makes a trail of its own.",
        ),
        aws_docs="https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html",
    )


def _incomplete(facts: TrailFacts, trail: str) -> Problem:
    return Problem(
        code="CLOUDTRAIL-NAMED-EVENTS",
        what=f"The trail {trail} does not keep all that this deployment counts in the log group {facts.log_group}.",
        why=f"Its selectors leave out {' and '.join(facts.gaps[trail])}. A trail that is named is never changed.",
        do=(
            "Let its owner add them: CloudTrail > Trails > (trail) > Data events > Bedrock-AgentCore Gateway; Management events > Write.",
            "Or leave monitoring.trail_log_group empty: the deployment then makes a trail of its own.",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/enabling-cloudtrail-data-event-logging.html",
    )
