"""AWS operations that the deployer calls, and the modules that call them: read from its source, so that no list becomes outdated."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from architecture.sources import ROOT, Source, imports, sources
from sre_agent_deploy.aws import Aws

from ..resources.samples import kinds

_RESOURCES = "sre_agent_deploy.resources"


def _types(tree: ast.Module) -> Mapping[str, str]:
    """Return the service of each type of client that a file imports: `EC2Client` of `mypy_boto3_ec2` is `ec2`."""
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mypy_boto3_")]
    services = {alias.name: node.module for node in imported for alias in node.names if alias.name.endswith("Client")}
    return {name: str(module).split(".")[0].removeprefix("mypy_boto3_").replace("_", "-") for name, module in services.items()}


def services() -> tuple[str, ...]:
    """List the services that the deployer names clients of, by boto3's names, from the text: a hundred times faster than by `called`."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "src/sre_agent_deploy").rglob("*.py"))
    return tuple(sorted({service for text in texts for service in re.findall(r'aws\.client\("([a-z0-9-]+)"\)(?!\.meta)', text)}))


def called(aws: Aws) -> Mapping[tuple[str, str], frozenset[str]]:
    """Return every (service, operation) that the deployer calls, and the modules that call it."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for source in _callers():
        for service, method in _methods(source):
            client: Any = aws.client(service)  # type: ignore[call-overload]
            found[service, client.meta.method_to_api_mapping[method]].add(_module(source))
    return {call: frozenset(modules) for call, modules in found.items()}


@cache
def _callers() -> tuple[Source, ...]:
    """List the files that can contain a call: a client is `aws.client(…)`, or has a type such as EC2Client."""
    files = (source for source in sources("src/sre_agent_deploy") if source.area != "aws")
    return tuple(source for source in files if re.search(r"\.client\(|Client\b", source.path.read_text(encoding="utf-8")))


def tellers(modules: frozenset[str]) -> list[type[Any]]:
    """List the resource types whose FAILURES cover a call in these modules: their own types, or those of modules that import them."""
    own = [kind for kind in kinds() if kind.__module__ in modules]
    borrowed = {module for module in modules if not any(kind.__module__ == module for kind in own)}
    return own + [kind for kind in kinds() if kind not in own and any(_reaches(kind.__module__, module) for module in borrowed)]


def _module(source: Source) -> str:
    return ".".join(source.path.relative_to(ROOT / "src").with_suffix("").parts)


@cache
def _imported(module: str) -> frozenset[str]:
    """List what a module of the resources imports from its own package."""
    source = next(source for source in sources("src/sre_agent_deploy") if _module(source) == module)
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, ast.ImportFrom)]
    names = {name for _, name in imports(source)} | {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
    return frozenset(name for name in names if name.startswith(f"{_RESOURCES}.") and name in _modules())


@cache
def _modules() -> frozenset[str]:
    return frozenset(map(_module, sources("src/sre_agent_deploy")))


def _reaches(module: str, wanted: str) -> bool:
    return module == wanted or any(_reaches(name, wanted) for name in _imported(module))


@cache
def _methods(source: Source) -> tuple[tuple[str, str], ...]:
    """Return service and method of each call: of `aws.client("ec2").run_instances`, of a variable, or of a paginator."""
    return tuple(_find_methods(source))


def _find_methods(source: Source) -> Iterator[tuple[str, str]]:
    named = dict(_names(source.tree))
    above = {child: node for node in ast.walk(source.tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(source.tree):
        service = named.get(node.id, "") if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else _client(node)
        if service and not _passed_on(node, above):
            yield service, _method(above[node], above, f"{source}:{node.lineno}")


def _names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Return each variable for a client in this file, and its service: `ec2 = aws.client("ec2")`, alone or among others, or `ec2:
    EC2Client`."""
    types = _types(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            both = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
            pairs = zip(target.elts, value.elts, strict=True) if both else ((target, value),)
            yield from ((name.id, _client(part)) for name, part in pairs if isinstance(name, ast.Name) and _client(part))
        if isinstance(node, ast.arg) and node.annotation and (service := types.get(ast.unparse(node.annotation), "")):
            yield node.arg, service


def _client(node: ast.AST) -> str:
    """Return the service whose client this expression is; nothing for other expressions."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "client"):
        return ""
    return str(ast.literal_eval(node.args[0])) if ast.unparse(node.func.value).endswith("aws") else ""


def _passed_on(node: ast.AST, above: Mapping[ast.AST, ast.AST]) -> bool:
    """Return true if a client is only assigned to a variable, passed to a function, or asked for its description."""
    parent = above[node]
    named = isinstance(parent, ast.Assign) or (isinstance(parent, ast.Tuple) and isinstance(above[parent], ast.Assign))
    given = isinstance(parent, ast.Call) and node in parent.args
    return named or given or (isinstance(parent, ast.Attribute) and parent.attr == "meta")


def _method(node: ast.AST, above: Mapping[ast.AST, ast.AST], place: str) -> str:
    """Return the method of a client that is called, or the one that a paginator calls."""
    assert isinstance(node, ast.Attribute), f"{place}: only `aws.client(service).method` and `name = aws.client(service)` can be followed"
    assert node.attr != "get_waiter", f"{place}: teach this module which operation a waiter calls"
    if node.attr != "get_paginator":
        return node.attr
    call = above[node]
    assert isinstance(call, ast.Call)
    return str(ast.literal_eval(call.args[0]))
