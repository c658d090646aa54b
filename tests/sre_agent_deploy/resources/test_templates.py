"""The templates of all resource types, judged by cfn-lint with CloudFormation's own schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fixtures.cfn_lint import find_faults
from sre_agent_deploy.later import PARTITION, Ref, Text
from sre_agent_deploy.resource import CfnResource

from .samples import kinds, sample

TEMPLATES: dict[str, CfnResource] = {kind.__name__: sample(kind).template() for kind in kinds()}


def test_no_template_has_a_fault() -> None:
    """Properties are ones that CloudFormation has and accepts, and every output that others refer to can be had."""
    resources: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    for name, template in TEMPLATES.items():
        for logical, part in {name: template, **{name + suffix: also for suffix, also in template.also.items()}}.items():
            resources |= {logical: {"Type": part.type, "Properties": part.properties}} if part.type else {}
        values = {f"{name}{output.title()}".replace("_", ""): _value(name, where) for output, where in template.attributes.items()}
        outputs |= {output: {"Value": value} for output, value in values.items()} if template.type else {}
    document = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources, "Outputs": outputs}
    # The user names the Availability Zones of a network that is created.
    faults = find_faults(json.dumps(_refer_to_own(document), default=_plain), ignored=("W3010",))
    assert [text for severity, text in faults if severity != "informational"] == []


def _refer_to_own(value: Any, logical: str = "") -> Any:
    """A companion refers to its own resource, which has the same logical id without a suffix."""
    if isinstance(value, Ref) and value != PARTITION:
        return {"Ref": max((name for name in TEMPLATES if logical.startswith(name)), key=len)}
    if isinstance(value, Mapping):
        return {key: _refer_to_own(part, logical or (key if key.startswith(tuple(TEMPLATES)) else "")) for key, part in value.items()}
    return [_refer_to_own(part, logical) for part in value] if isinstance(value, list | tuple) else value


def test_what_cloudformation_can_not_make() -> None:
    """A type without a template says what a person has to do instead."""
    assert [name for name, template in TEMPLATES.items() if not template.type and not template.note] == []


def _value(name: str, attribute: str) -> Any:
    if "${" in attribute:
        return {"Fn::Sub": attribute.replace("${", f"${{{name}.")}
    # On AWS some outputs are always empty, such as the port behind an address.
    return {"Ref": name} if attribute == "Ref" else attribute and {"Fn::GetAtt": [name, attribute]}


def _plain(value: Any) -> Any:
    if isinstance(value, Text):
        return {"Fn::Join": ["", list(value.parts)]}
    if isinstance(value, Ref):
        assert value == PARTITION
        return {"Ref": "AWS::Partition"}
    return dict(value) if isinstance(value, Mapping) else list(value)
