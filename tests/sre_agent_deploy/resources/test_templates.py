"""The templates of all resource types, judged by cfn-lint with CloudFormation's own schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cfnlint.api import lint

from sre_agent_deploy.resource import CfnResource

from .samples import kinds, sample


def _parts(template: CfnResource) -> dict[str, dict[str, Any]]:
    wanted = {"Sample": template, **{f"Sample{suffix}": also for suffix, also in template.also.items()}}
    return {name: {"Type": part.type, "Properties": dict(part.properties)} for name, part in wanted.items() if part.type}


def _value(attribute: str) -> Mapping[str, Any]:
    if attribute == "Ref":
        return {"Ref": "Sample"}
    if "${" in attribute:
        return {"Fn::Sub": attribute.replace("${", "${Sample.")}
    return {"Fn::GetAtt": ["Sample", attribute]}


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_template_has_no_fault(kind: type[Any]) -> None:
    """Properties are ones that CloudFormation has and accepts, and every output that others refer to can be had."""
    template: CfnResource = sample(kind).template()
    outputs = {name.title().replace("_", ""): {"Value": _value(attribute)} for name, attribute in template.attributes.items()}
    document = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": _parts(template), "Outputs": outputs}
    if not template.type:
        assert template.note, "what CloudFormation can't make, a person has to"
        return
    faults = lint(json.dumps(document, default=list), regions=["us-east-1"])
    assert [str(fault) for fault in faults if fault.rule.severity != "informational"] == []
