"""Read which operation a request calls, and with which parameters."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embedded_aws.agentcore.model import has_model
from embedded_aws.http_messages import Request, parse_json

# Services whose clients sign with another name than their model has. The first model that knows the request is the one.
_MODELS = {
    "monitoring": ("cloudwatch",),
    "tagging": ("resourcegroupstaggingapi",),
    "servicequotas": ("service-quotas",),
    "bedrock": ("bedrock", "bedrock-runtime"),
    "bedrock-agentcore": ("bedrock-agentcore-control", "bedrock-agentcore"),
}
# IAM's own name of a service, where it is not the one in the signature.
_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}


@dataclass(frozen=True)
class Call:
    """One operation, in the terms of its service's model. `service` is IAM's prefix of its actions."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    account_id: str
    region: str

    def text(self, *names: str) -> str:
        """Return the first of these parameters that the call has, else nothing."""
        found = (self.parameters.get(name) for name in names)
        return next((value for value in found if isinstance(value, str) and value), "")

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.parameters.get(name)
        return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, str) else ()

    def arn(self, resource: str, *, service: str = "", region: str | None = None, account: str | None = None) -> str:
        """Build the ARN of a resource of this account and region."""
        owner, place = (self.account_id if account is None else account), (self.region if region is None else region)
        return f"arn:aws:{service or self.service}:{place}:{owner}:{resource}"


def read_call(request: Request, service: str, *, account_id: str, region: str) -> Call | None:
    """Read the call that a request makes of the service that it is signed for; None for what no model describes or what can't be read."""
    for name in _MODELS.get(service, (service,)):
        if (found := _match(request, name)) is not None:
            operation, parameters = found
            return Call(_PREFIXES.get(service, service), operation, parameters, account_id, region)
    return None


def _match(request: Request, model: str) -> tuple[str, Mapping[str, Any]] | None:
    if not has_model(model):
        return None
    from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
    from moto.core.request import Request as WireRequest
    from moto.core.request import determine_request_protocol
    from moto.core.routing import get_service_router
    from werkzeug.exceptions import NotFound

    url = f"https://127.0.0.1{request.raw_path}" + (f"?{request.query}" if request.query else "")
    try:
        # What is stored in S3 may be compressed: it stays as it is.
        body = request.body if model == "s3" else request.decompress_body()
        wire = WireRequest.from_primitives(request.method, url, dict(request.headers), body)
        operation, labels = get_service_router(model).match(wire)
        protocol = determine_request_protocol(operation.service_model, wire.content_type)
        # The parser reads a body that is no JSON as one without parameters.
        if protocol in ("json", "rest-json") and body and not _has_raw_body(operation) and not isinstance(parse_json(body), dict):
            return None
        parsed = PROTOCOL_PARSERS[protocol](operation).parse(
            {
                "method": wire.method,
                "values": wire.values,
                "headers": wire.headers,
                "body": wire.get_data(),
                "url_path": wire.path,
                "url_params": labels,
            }
        )
    except (NotFound, NotImplementedError, RequestParserError, ValueError, AttributeError, KeyError, TypeError, zlib.error):
        return None
    return str(operation.name), parsed


def _has_raw_body(operation: Any) -> bool:
    """Say if the body of an operation is one parameter, such as what a model is asked, and not JSON with all of them."""
    shape = operation.input_shape
    payload = shape.serialization.get("payload") if shape else None
    return payload is not None and shape.members[payload].type_name != "structure"
