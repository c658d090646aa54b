"""Takes entries out of listings, in whichever format they travel (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from embedded_aws.response import Response

# How AWS's XML calls the entries of a list.
_ENTRIES = ("item", "member")


def without(answer: Response, ids: frozenset[str]) -> Response:
    """The same answer without the outermost list entries that mention one of these ids."""
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
