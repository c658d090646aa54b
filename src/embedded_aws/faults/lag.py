"""Hide what was created a moment ago, where AWS documents that its reads lag.

EC2: https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
IAM: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
Secrets Manager: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
Listings of Cognito are hidden too: a second pool of the same name succeeds, so a reader must be careful here above all.
S3, and the Get calls of AgentCore, show what was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from xml.etree import ElementTree

from embedded_aws.faults.call import Call
from embedded_aws.faults.refusal import Refused
from embedded_aws.http_messages import Response


@dataclass(frozen=True)
class _Kind:
    """The calls that create and read resources of one kind. `id_pattern` finds the id in the response of the creation."""

    service: str
    creation: str
    id_pattern: str
    reads: str
    names: str = ""  # parameters with which a read names one resource
    absent: str = ""  # the error code for an absent resource


_KINDS = (
    _Kind("ec2", "RunInstances", "<instanceId>(i-[0-9a-f]+)<", "DescribeInstance*", "InstanceId.*", "InvalidInstanceID.NotFound"),
    _Kind("ec2", "AllocateAddress", "<allocationId>([^<]+)<", "DescribeAddresses", "AllocationId.*", "InvalidAllocationID.NotFound"),
    _Kind("ec2", "CreateSecurityGroup", "<groupId>([^<]+)<", "DescribeSecurityGroups", "GroupId.*", "InvalidGroup.NotFound"),
    _Kind("iam", "CreateRole", "<RoleName>([^<]+)<", "[GL]*Role*", "RoleName", "NoSuchEntity"),
    _Kind("iam", "CreateInstanceProfile", "<InstanceProfileName>([^<]+)<", "[GL]*InstanceProfile*", "InstanceProfileName", "NoSuchEntity"),
    _Kind("secretsmanager", "CreateSecret", '"Name": ?"([^"]+)"', "ListSecrets"),
    _Kind("cognito-idp", "CreateUserPool", '"Id": ?"([^"]+_[^"]+)"', "ListUserPools"),
)


@dataclass(frozen=True)
class _Creation:
    kind: _Kind
    id: str
    moment: datetime


class Lag:
    """Remembers what was created, and hides it from responses for a while."""

    def __init__(self) -> None:
        self._created: list[_Creation] = []

    def record(self, call: Call, answer: Response, moment: datetime) -> None:
        """Record a call that has succeeded."""
        for kind in _KINDS:
            if (call.service, call.operation) == (kind.service, kind.creation):
                found = re.search(kind.id_pattern, answer.body.decode(errors="replace"))
                self._created += [_Creation(kind, found[1], moment)] if found else []

    def refusal_of(self, call: Call, moment: datetime, lasts: timedelta) -> Refused | None:
        """Return the error for a read that names a hidden resource by its id."""
        for created in self._hidden(call, moment, lasts):
            asked = [value for name, value in call.values if created.kind.names and fnmatchcase(name, created.kind.names)]
            if created.id in asked:
                return Refused(created.kind.absent, 404 if call.service == "iam" else 400, f"{created.id} does not exist")
        return None

    def hide_recent(self, call: Call, answer: Response, moment: datetime, lasts: timedelta) -> Response:
        """Remove hidden resources from a response."""
        ids = frozenset(created.id for created in self._hidden(call, moment, lasts))
        return _hide(answer, ids) if ids else answer

    def _hidden(self, call: Call, moment: datetime, lasts: timedelta) -> list[_Creation]:
        return [
            created
            for created in self._created
            if created.kind.service == call.service and fnmatchcase(call.operation, created.kind.reads) and moment - created.moment < lasts
        ]


# How AWS's XML calls the entries of a list.
_ENTRIES = ("item", "member")


def _hide(answer: Response, ids: frozenset[str]) -> Response:
    """Remove the outermost list entries that contain one of these ids."""
    if answer.status >= 300 or not answer.body:
        return answer
    body = _json(answer.body, ids) if answer.body.lstrip().startswith(b"{") else _xml(answer.body, ids)
    kept = tuple(pair for pair in answer.headers if pair[0].lower() != "content-length")
    return replace(answer, body=body, headers=kept)


def _json(body: bytes, ids: frozenset[str]) -> bytes:
    return json.dumps(_prune_json(json.loads(body), ids)).encode()


def _prune_json(value: Any, ids: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _prune_json(inner, ids) for name, inner in value.items()}
    if isinstance(value, list):
        return [_prune_json(entry, ids) for entry in value if not ids & _texts(entry)]
    return value


def _texts(value: Any) -> frozenset[str]:
    if isinstance(value, Mapping):
        return frozenset().union(*map(_texts, value.values()))
    if isinstance(value, list):
        return frozenset().union(*map(_texts, value))
    return frozenset({value}) if isinstance(value, str) else frozenset()


def _xml(body: bytes, ids: frozenset[str]) -> bytes:
    document = ElementTree.fromstring(body)  # noqa: S314  # this process wrote it
    _prune_xml(document, ids)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(document)


def _prune_xml(element: ElementTree.Element, ids: frozenset[str]) -> None:
    for child in list(element):
        is_entry = child.tag.rpartition("}")[2] in _ENTRIES
        if is_entry and any((inner.text or "").strip() in ids for inner in child.iter()):
            element.remove(child)
        else:
            _prune_xml(child, ids)
