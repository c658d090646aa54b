"""The requests that a declaration would send to AWS: real boto3 serialises each, and the service model gives the answers."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.resource import Mark
from sre_core.secret import Secret

from ..aws.calls import services

_READS = re.compile("Get|List|Describe|Head")
# Answers may be ids, ARNs or JSON documents; one text passes for all of them.
_TEXT = '{"text": "anything at all, and long enough for an ARN"}'
_MARK = Mark("sre-0000000000", "sample", 1, "0123456789abcdef0123456789abcdef01")


type Sent = Mapping[tuple[str | int, ...], Any]


class Recorder:
    """Keeps the changing requests that boto3 would have sent; nothing leaves the machine."""

    def __init__(self, region: str = "us-east-1") -> None:
        nowhere = Endpoint("https://127.0.0.1:1", access_key_id="AKIDEXAMPLE", secret_access_key=Secret("unused"))
        self.aws = Aws(region=region, account_id="123456789012", endpoint=nowhere)
        self._sent: list[Any] = []
        self._parameters: dict[str, Any] = {}
        for service in services():
            self.aws.client(service).meta.events.register("before-call", self._answer)
            self.aws.client(service).meta.events.register("before-parameter-build", self._keep)

    def requests(self, declared: Any) -> Sent:
        """List every value in the requests of a declaration's creation and configuration, by its place."""
        self._sent = []
        declared.configure(self.aws, declared.create(self.aws, _MARK))
        return dict(_leaves(self._sent))

    def parameters(self, declared: Any) -> dict[str, Any]:
        """The parameters of each changing call of a declaration's creation and configuration, by operation."""
        self._parameters = {}
        declared.configure(self.aws, declared.create(self.aws, _MARK))
        return self._parameters

    def _keep(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        if not _READS.match(model.name):
            self._parameters[model.name] = copy.deepcopy(params)

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, Any]:
        if not _READS.match(model.name):
            self._sent.append([model.name, params["url"], params["query_string"], params["headers"], params["body"]])
        answer = _made_up(model.output_shape) if model.output_shape else {}
        return _Answered(), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


def _leaves(value: Any, *place: str | int) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, str | bytes) and value[:1] in ("{", b"{"):
        value = json.loads(value)
    if isinstance(value, Mapping | list):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _leaves(part, *place, key)
    else:
        yield place, value


class _Answered:
    status_code = 200


def _made_up(shape: Any, depth: int = 0) -> Any:
    if shape.type_name == "structure":
        return {name: _made_up(member, depth + 1) for name, member in _members(shape)} if depth < 8 else {}
    if shape.type_name == "list":
        return [_made_up(shape.member, depth + 1)] if depth < 8 else []
    if shape.type_name in ("integer", "long", "double"):
        return shape.metadata.get("min", 1)
    return {"map": {}, "boolean": False, "timestamp": None}.get(shape.type_name, _TEXT)


def _members(shape: Any) -> list[tuple[str, Any]]:
    # A token of a next page would make paginators ask for ever; a union has one member.
    members = [(name, member) for name, member in shape.members.items() if not re.search("[tT]oken$|Marker$", name)]
    return members[:1] if shape.is_tagged_union else members
