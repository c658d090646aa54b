"""The CloudFormation export: the same resources as a template (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sre_agent_deploy.graph import Blueprint, Item
from sre_agent_deploy.guide.places import AccountValues
from sre_agent_deploy.guide.steps import REF
from sre_agent_deploy.later import ACCOUNT, Ref, Text, decode_refs, refs
from sre_agent_deploy.resource import CfnResource
from sre_agent_deploy.resources.route53_record import mark_record


def template(blueprint: Blueprint, values: AccountValues) -> dict[str, Any]:
    """Build a template of the deployment. What CloudFormation can't create, and what only the account knows, becomes a parameter."""
    made = {item.name: item.resource.template() for item in blueprint}
    rendering = _Rendering(blueprint, made, values)
    resources: dict[str, Any] = {}
    for item in blueprint:
        if not item.named and made[item.name].type:
            resources |= rendering.resources(item, made[item.name])
    parameters = dict(sorted(rendering.parameters.items()))
    by_hand = {item.name: rendering.name_values(made[item.name].note) for item in blueprint if not made[item.name].type}
    document: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": rendering.name_values(f"sre-agent deployment {blueprint.deployment}"),
        "Metadata": {"ByHand": by_hand},
    }
    return document | ({"Parameters": parameters} if parameters else {}) | {"Resources": resources}


def render(blueprint: Blueprint, values: AccountValues) -> str:
    """Render the template as JSON."""
    return json.dumps(template(blueprint, values), indent=2) + "\n"


class _Rendering:
    def __init__(self, blueprint: Blueprint, made: Mapping[str, CfnResource], values: AccountValues) -> None:
        self.blueprint, self.made, self.values = blueprint, made, values
        self.parameters: dict[str, Any] = {}

    def resources(self, item: Item, resource: CfnResource) -> dict[str, Any]:
        """Render one resource, and its companions after it."""
        name, needed = item.name, [*self._made(item.after), *self._companions(item)]
        after = {"DependsOn": needed} if needed else {}
        by_hand = {"Metadata": {"ByHand": self.name_values(resource.note)}} if resource.note else {}
        rendered = {logical_id(name): {"Type": resource.type, **by_hand, **after, "Properties": self.value(resource.properties)}}
        for suffix, companion in resource.also.items():
            body = {"Type": companion.type, "DependsOn": [logical_id(name), *needed], "Properties": self.value(companion.properties)}
            rendered[logical_id(name) + suffix] = body
        return rendered

    def _made(self, names: Iterable[str]) -> list[str]:
        """List those that the stack makes, by their logical ids."""
        return [logical_id(name) for name in names if self.made[name].type and not self.blueprint.item(name).named]

    def _companions(self, item: Item) -> list[str]:
        """List the companions of what a resource refers to: a route needs the attachment of its gateway, a machine that of its subnet."""
        others = {ref.of for ref in refs(item.resource) if ref.of != ACCOUNT}
        return sorted(logical_id(other) + suffix for other in others for suffix in self.made[other].also if self._made((other,)))

    def value(self, value: Any) -> Any:
        """Render a property, with every Ref in CloudFormation's own syntax."""
        if isinstance(value, str):
            decoded = decode_refs(value)
            return decoded if isinstance(decoded, str) else self.value(decoded)
        if isinstance(value, Ref):
            return self._reference(value)
        if isinstance(value, Text):
            return {"Fn::Join": ["", [self.value(part) for part in value.parts]]}
        if isinstance(value, Mapping):
            return {key: self.value(inner) for key, inner in value.items()}
        return [self.value(inner) for inner in value] if isinstance(value, list | tuple) else value

    def name_values(self, text: str) -> str:
        """Name each value inside a text for people: as the account shows it, or by the resource of the stack."""
        return REF.sub(self._name, mark_record(text, self.blueprint.deployment, self.blueprint.tags))

    def _name(self, match: re.Match[str]) -> str:
        of, output = match[1], match[2]
        if of == ACCOUNT:
            return self.values[output].shown
        if of not in self.made:
            return match[0]
        item = self.blueprint.item(of)
        if item.named or output not in self.made[of].attributes:
            return f"({output} of {item.named or of})"
        return _describe_reference(self._reference(Ref(of, output)))

    def _reference(self, ref: Ref) -> Any:
        if ref.of == ACCOUNT:
            return {"Ref": self.values[ref.output].pseudo or self._account_parameter(ref.output)}
        target, item = self.made[ref.of], self.blueprint.item(ref.of)
        attribute = target.attributes.get(ref.output)
        if item.named or not target.type or attribute is None:
            return {"Ref": self._parameter(ref, item, target)}
        if not attribute:
            return ""
        if "${" in attribute:
            return {"Fn::Sub": attribute.replace("${", f"${{{logical_id(ref.of)}.")}
        return {"Ref": logical_id(ref.of)} if attribute == "Ref" else {"Fn::GetAtt": [logical_id(ref.of), attribute]}

    def _account_parameter(self, output: str) -> str:
        name = logical_id(output)
        self.parameters[name] = dict(self.values[output].parameter)
        return name

    def _parameter(self, ref: Ref, item: Item, target: CfnResource) -> str:
        name = logical_id(f"{ref.of}_{ref.output}")
        why = f"{ref.output} of the existing {item.named}" if item.named else target.note or f"{ref.output} of {ref.of}"
        described = {"Type": "String", "Description": self.name_values(why)[:4000]}
        self.parameters[name] = described | ({"NoEcho": True} if "secret" in ref.output else {})
        return name


def _describe_reference(reference: Any) -> str:
    """Describe a reference in a text that is no reference: `<Ref Bucket>`. CloudFormation would replace none inside a note."""
    if isinstance(reference, str):
        return reference
    [(function, of)] = reference.items()
    if function == "Fn::Sub":
        return re.sub(r"\$\{([A-Za-z.]+)\}", lambda inner: f"<{'GetAtt' if '.' in inner[1] else 'Ref'} {inner[1]}>", of)
    return f"<Ref {of}>" if function == "Ref" else f"<GetAtt {'.'.join(of)}>"


def logical_id(name: str) -> str:
    """Turn `gateway_role` into `GatewayRole`: CloudFormation's logical ids have no underscores."""
    return "".join(part.capitalize() for part in name.split("_"))
