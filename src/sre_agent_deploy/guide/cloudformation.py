"""The CloudFormation export: the same resources as a template (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sre_agent_deploy.graph import Blueprint, Item
from sre_agent_deploy.later import Ref, Text
from sre_agent_deploy.resource import CfnResource


def template(blueprint: Blueprint) -> dict[str, Any]:
    """A template of the deployment. What CloudFormation can't make becomes a parameter, with what to do in its description."""
    made = {item.name: item.resource.template() for item in blueprint}
    rendering = _Rendering(blueprint, made)
    resources: dict[str, Any] = {}
    for item in blueprint:
        if not item.named and made[item.name].type:
            resources |= rendering.resources(item.name, made[item.name])
    parameters = dict(sorted(rendering.asked.items()))
    document: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"sre-agent deployment {blueprint.deployment}",
        "Metadata": {"ByHand": {item.name: made[item.name].note for item in blueprint if not made[item.name].type}},
    }
    return document | ({"Parameters": parameters} if parameters else {}) | {"Resources": resources}


def render(blueprint: Blueprint) -> str:
    return json.dumps(template(blueprint), indent=2) + "\n"


class _Rendering:
    def __init__(self, blueprint: Blueprint, made: Mapping[str, CfnResource]) -> None:
        self.blueprint, self.made = blueprint, made
        self.asked: dict[str, Any] = {}

    def resources(self, name: str, resource: CfnResource) -> dict[str, Any]:
        """One resource and its companions, which stand after it."""
        by_hand = {"Metadata": {"ByHand": resource.note}} if resource.note else {}
        rendered = {logical(name): {"Type": resource.type, **by_hand, "Properties": self.value(resource.properties)}}
        for suffix, companion in resource.also.items():
            body = {"Type": companion.type, "DependsOn": logical(name), "Properties": self.value(companion.properties)}
            rendered[logical(name) + suffix] = body
        return rendered

    def value(self, value: Any) -> Any:
        """A property with every Ref in CloudFormation's own words."""
        if isinstance(value, Ref):
            return self._reference(value)
        if isinstance(value, Text):
            return {"Fn::Join": ["", [self.value(part) for part in value.parts]]}
        if isinstance(value, Mapping):
            return {key: self.value(inner) for key, inner in value.items()}
        return [self.value(inner) for inner in value] if isinstance(value, list | tuple) else value

    def _reference(self, ref: Ref) -> Any:
        target, item = self.made[ref.of], self.blueprint.item(ref.of)
        attribute = target.attributes.get(ref.output)
        if item.named or not target.type or attribute is None:
            return {"Ref": self._parameter(ref, item, target)}
        if not attribute:
            return ""
        if "${" in attribute:
            return {"Fn::Sub": attribute.replace("${", f"${{{logical(ref.of)}.")}
        return {"Ref": logical(ref.of)} if attribute == "Ref" else {"Fn::GetAtt": [logical(ref.of), attribute]}

    def _parameter(self, ref: Ref, item: Item, target: CfnResource) -> str:
        name = logical(f"{ref.of}_{ref.output}")
        why = f"{ref.output} of the existing {item.named}" if item.named else target.note or f"{ref.output} of {ref.of}"
        self.asked[name] = {"Type": "String", "Description": why[:4000]} | ({"NoEcho": True} if "secret" in ref.output else {})
        return name


def logical(name: str) -> str:
    """`gateway_role` -> `GatewayRole`: CloudFormation's logical ids have no underscores."""
    return "".join(part.capitalize() for part in name.split("_"))
