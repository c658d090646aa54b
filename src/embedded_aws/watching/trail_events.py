"""The events of CloudTrail: what the gateway and Cognito's token endpoint report, and which of them a trail selects (pure).

https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/understanding-gateway-cloudtrail-log-entries.html
https://docs.aws.amazon.com/cognito/latest/developerguide/understanding-amazon-cognito-entries.html
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from embedded_aws.http_messages import parse_json
from sre_core import clock

GATEWAY = "AWS::BedrockAgentCore::Gateway"
_HIDDEN, _HIDDEN_BY_COGNITO = "REDACTED", "HIDDEN_DUE_TO_SECURITY_REASONS"
# What Cognito shows of a form; every other field may be a secret.
_SHOWN_OF_FORM = frozenset({"grant_type", "client_id", "redirect_uri"})
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "Equals": str.__eq__,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
}
_FIELDS = {
    "Management": ("eventCategory", "eventSource", "readOnly"),
    "Data": (
        "eventCategory", "eventName", "eventSource", "eventType", "resources.type", "resources.ARN", "readOnly",
        "sessionCredentialFromConsole", "userIdentity.arn",
    ),
    "NetworkActivity": ("eventCategory", "eventSource", "eventName", "errorCode", "vpcEndpointId"),
}  # fmt: skip
_REQUIRED = {"Data": "resources.type", "NetworkActivity": "eventSource"}
_NOT_KEPT = ("kms.amazonaws.com", "rdsdata.amazonaws.com")
_MOST_VALUES = 500

type Event = Mapping[str, Any]


def describe_invocation(
    *, gateway_arn: str, request: bytes, response: bytes, status: int, request_id: str, client: str, agent: str
) -> dict[str, Any]:
    """Build the data event of one request to a gateway, without the arguments and contents in its bodies."""
    account = gateway_arn.split(":")[4]
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"},
        **_common("bedrock-agentcore.amazonaws.com", "InvokeGateway", gateway_arn.split(":")[3], client, agent),
        "requestParameters": {"body": _redact(request, "params", ("arguments", "_meta"))},
        "responseElements": {
            "body": _redact(response, "result", ("content", "tools", "structuredContent")),
            "contentType": "application/json",
            "statusCode": status,
        },
        "requestID": request_id,
        "resources": [{"accountId": account, "type": GATEWAY, "ARN": gateway_arn}],
        "eventType": "AwsApiCall",
        "managementEvent": False,
        "recipientAccountId": account,
        "eventCategory": "Data",
    }


def describe_token_request(
    *, account: str, region: str, pool_id: str, domain: str, form: Mapping[str, str], status: int, request_id: str, client: str, agent: str
) -> dict[str, Any]:
    """Build the management event of one request to a token endpoint."""
    shown = {name: [value if name in _SHOWN_OF_FORM else _HIDDEN_BY_COGNITO] for name, value in form.items()}
    return {
        "eventVersion": "1.08",
        "userIdentity": {"accountId": account},
        **_common("cognito-idp.amazonaws.com", "Token_POST", region, client, agent),
        "requestParameters": None,
        "responseElements": None,
        "additionalEventData": {
            "responseParameters": {"status": status},
            "requestParameters": shown,
            "userPoolDomain": domain,
            "userPoolId": pool_id,
        },
        "requestID": request_id,
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }


def _common(source: str, name: str, region: str, client: str, agent: str) -> dict[str, Any]:
    return {
        "eventTime": clock.stamp(),
        "eventSource": source,
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": client,
        "userAgent": agent,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
    }


def _redact(body: bytes, part: str, hidden: Iterable[str]) -> Any:
    try:
        parsed = parse_json(body) if body else None
    except ValueError:
        return None
    if isinstance(parsed, dict) and isinstance(inner := parsed.get(part), dict):
        return {**parsed, part: {key: _HIDDEN if key in hidden else value for key, value in inner.items()}}
    return parsed


def selects(selectors: Sequence[Mapping[str, Any]], event: Event) -> bool:
    """Say if a trail with these advanced event selectors keeps an event; without any it keeps the management events."""
    if not selectors:
        return bool(event["managementEvent"])
    return any(all(_holds(field, event) for field in each["FieldSelectors"]) for each in selectors)


def _holds(field: Mapping[str, Any], event: Event) -> bool:
    return all(
        any(matches(value, wanted) for value in _read(field["Field"], event) for wanted in field.get(operator) or ())
        for operator, matches in _OPERATORS.items()
        if field.get(operator)
    ) and not any(
        matches(value, wanted)
        for operator, matches in _OPERATORS.items()
        for wanted in field.get(f"Not{operator}") or ()
        for value in _read(field["Field"], event)
    )


def _read(name: str, event: Event) -> list[str]:
    if name.startswith("resources."):
        return [str(resource.get(name.partition(".")[2], "")) for resource in event.get("resources") or ()]
    value = event.get(name, "")
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def refuse_selectors(selectors: Sequence[Mapping[str, Any]]) -> str:
    """Say what CloudTrail does not accept of advanced event selectors; empty where it accepts them.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
    """
    counted = [value for each in selectors for field in each["FieldSelectors"] for value in _values(field)]
    if len(counted) > _MOST_VALUES:
        return f"A trail has at most {_MOST_VALUES} values in its selectors."
    return next(filter(None, map(_refuse_one, selectors)), "")


def _values(field: Mapping[str, Any]) -> list[str]:
    return [value for operator in _OPERATORS for key in (operator, f"Not{operator}") for value in field.get(key) or ()]


def _refuse_one(selector: Mapping[str, Any]) -> str:
    fields = {field["Field"]: field for field in selector["FieldSelectors"]}
    category = (fields.get("eventCategory", {}).get("Equals") or [""])[0]
    if len(fields) != len(selector["FieldSelectors"]):
        return "A field is selected twice."
    if category not in _FIELDS:
        return "eventCategory must equal Management, Data or NetworkActivity."
    if missing := [name for name in (_REQUIRED.get(category, "eventCategory"),) if not fields.get(name, {}).get("Equals")]:
        return f"{missing[0]} is required for {category} events."
    return next(filter(None, (_refuse_field(category, field) for field in fields.values())), "")


def _refuse_field(category: str, field: Mapping[str, Any]) -> str:
    name = field["Field"]
    if name not in _FIELDS[category]:
        return f"{name} can't be selected for {category} events of a trail."
    if not _values(field):
        return f"{name} has no operator."
    if name in ("eventCategory", "resources.type", "readOnly") and (set(field) - {"Field", "Equals"} or len(field["Equals"]) != 1):
        return f"{name} can only equal one value."
    if name == "readOnly" and field["Equals"][0] not in ("true", "false"):
        return "readOnly must be true or false."
    if (category, name) == ("Management", "eventSource") and not set(_values(field)) <= set(_NOT_KEPT):
        return f"eventSource of a trail's management events can only differ from {' or '.join(_NOT_KEPT)}."
    return ""
