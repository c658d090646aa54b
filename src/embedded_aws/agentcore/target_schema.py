"""Turn the declaration of a target into tools, or into the reasons why it FAILED."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache

from embedded_aws.agentcore.catalog import LiveTarget
from embedded_aws.agentcore.openapi import Unusable, read
from embedded_aws.agentcore.records import Target, outbound_of
from embedded_aws.agentcore.tools import Tool
from embedded_aws.world import World

_INLINE_AT_MOST = 1024 * 1024
_S3_AT_MOST = 10 * 1024 * 1024


@dataclass(frozen=True)
class Loaded:
    """A target whose schema and certificates can be used."""

    target: LiveTarget


class TargetSchemas:
    """Reads the OpenAPI document and the private CA that a target refers to."""

    def __init__(self, world: World) -> None:
        self._world = world

    def load(self, target: Target) -> Loaded | Unusable:
        """Return the target, ready to be called; or everything that is wrong with it."""
        document = self._document(target)
        if isinstance(document, Unusable):
            return document
        operations = read(document)
        tls = self._tls(target)
        if isinstance(operations, Unusable):
            return operations
        if isinstance(tls, Unusable):
            return tls
        tools = tuple(Tool.of(target.name, operation) for operation in operations)
        return Loaded(LiveTarget(target.target_id, tools, outbound_of(target.declared), tls, target.passed_headers))

    def _document(self, target: Target) -> bytes | Unusable:
        schema = target.openapi_schema
        if "inlinePayload" in schema:
            inline = str(schema["inlinePayload"]).encode()
            return inline if len(inline) <= _INLINE_AT_MOST else Unusable(("The inline OpenAPI schema is larger than 1 MB.",))
        uri = str(schema.get("s3", {}).get("uri", ""))
        found = self._world.s3_object(uri) if uri else None
        if found is None:
            return Unusable((f"Failed to fetch the OpenAPI schema from S3: no object at {uri or 'an empty URI'}",))
        return found if len(found) <= _S3_AT_MOST else Unusable((f"The OpenAPI schema at {uri} is larger than 10 MB.",))

    def _tls(self, target: Target) -> ssl.SSLContext | Unusable:
        """Trust the CAs of the system and of the target, and verify host names."""
        pems: list[str] = []
        for configured in target.certificate_configurations:
            place, pem = self._certificate(configured)
            if pem is None:
                return Unusable((f"The CA certificate at {place} can't be read.",))
            try:
                _trusting((*pems, pem))
            except (ssl.SSLError, ValueError):
                return Unusable((f"The CA certificate at {place} is not PEM.",))
            pems.append(pem)
        return _trusting(tuple(pems))

    def _certificate(self, configured: object) -> tuple[str, str | None]:
        parts = configured if isinstance(configured, dict) else {}
        if "s3" in parts:
            uri = str(parts["s3"]["uri"])
            found = self._world.s3_object(uri)
            return uri, found.decode(errors="replace") if found is not None else None
        arn = str(parts.get("secretsManager", {}).get("secretArn", ""))
        return arn, self._world.secret(arn)


@lru_cache(maxsize=64)
def _trusting(pems: tuple[str, ...]) -> ssl.SSLContext:
    """Return the TLS context for these CAs. Targets with the same CAs share one, because reading the CAs of the system is slow."""
    context = ssl.create_default_context()
    for pem in pems:
        context.load_verify_locations(cadata=pem)
    return context
