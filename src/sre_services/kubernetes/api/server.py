"""Requests to one API server: lists and the logs of pods. There is no other request, and none for Secrets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
import msgspec
from lightkube.config.client_adapter import ConnectionParams
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError

from sre_core.http_client import HttpClient
from sre_core.problem import Problem, Refused
from sre_services.kubernetes.api.kubeconfig import read_context
from sre_services.kubernetes.api.plugin import PluginAuth
from sre_services.kubernetes.resources import LOGS, RESOURCES, Resource
from sre_services.sources.client import LIMITS, TIMEOUT, SourceClient
from sre_services.sources.failures import not_understood, unusable_authority
from sre_services.sources.settings import Settings

# As kubectl asks: a long list comes in parts, so that the server need not hold all of it at once.
PART = 500
# Each connection begins with a handshake, of which a busy server makes few in a second: a check opens no more than it needs.
CHECKED_AT_ONCE = 4
EKS = "eks"
# The server of an API such as metrics.k8s.io may be down while the API server answers 503 for it.
_NOT_LISTED = ("SVC-SOURCE-PERMISSION", "SVC-SOURCE-ABSENT", "SVC-SOURCE-ANSWER")


class Requests(Protocol):
    """Reads paths of one server: a SourceClient, or one that has to be looked up first."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    async def get(
        self, path: str, parameters: Mapping[str, Any] | None = None, *, permission: str = "", headers: Mapping[str, str] | None = None
    ) -> httpx2.Response: ...


@dataclass(frozen=True)
class Listed:
    """The objects of a kind. An optional kind that can't be listed has none, and `problem` says why."""

    items: Sequence[Mapping[str, Any]]
    problem: Problem | None = None


class ApiServer:
    """One API server, with the namespace that is looked at by default."""

    def __init__(self, client: Requests, namespace: str) -> None:
        self._client = client
        self.namespace = namespace
        self._versions: dict[Resource, str] = {}

    async def list_objects(self, kind: str, namespace: str | None = None) -> Listed:
        """List the objects of a kind, in one namespace or in all. Raises Refused, for an optional kind only where nothing answers."""
        resource = RESOURCES[kind]
        try:
            return Listed([item async for part in self._parts(resource, namespace) for item in part])
        except Refused as refused:
            if resource.optional and refused.problems[0].code in _NOT_LISTED:
                return Listed((), refused.problems[0])
            raise

    async def read_log(self, namespace: str, pod: str, parameters: Mapping[str, Any]) -> str:
        """Read the log of one container."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        answer = await self._client.get(path, {**parameters, "timestamps": "true"}, permission=f"get {LOGS.name}")
        return answer.text

    async def check(self) -> Problem | None:
        """Explain which of the needed requests is not possible; None where all are."""
        few = asyncio.Semaphore(CHECKED_AT_ONCE)
        found = await asyncio.gather(*(self._check(resource, few) for resource in RESOURCES.values()))
        return next((problem for problem in found if problem), None)

    async def _check(self, resource: Resource, few: asyncio.Semaphore) -> Problem | None:
        try:
            async with few:
                await self._get(resource, None, {"limit": 1})
        except Refused as refused:
            return None if resource.optional and refused.problems[0].code == "SVC-SOURCE-ABSENT" else refused.problems[0]
        return None

    async def _parts(self, resource: Resource, namespace: str | None) -> AsyncIterator[list[Mapping[str, Any]]]:
        """Yield a list part by part."""
        more = ""
        while True:
            parameters = {"limit": PART, **({"continue": more} if more else {})}
            answer = await self._get(resource, namespace, parameters)
            document = self._decode(answer)
            yield document.get("items") or []
            more = (document.get("metadata") or {}).get("continue") or ""
            if not more:
                return

    async def _get(self, resource: Resource, namespace: str | None, parameters: Mapping[str, Any]) -> httpx2.Response:
        """Ask for a list in the version that the server had before, else in the newest that it has."""
        known = self._versions.get(resource)
        *others, last = sorted((resource.version, *resource.older), key=lambda version: version != known)
        for version in others:
            try:
                return await self._get_in(version, resource, namespace, parameters)
            except Refused as refused:
                if refused.problems[0].code != "SVC-SOURCE-ABSENT":
                    raise
        return await self._get_in(last, resource, namespace, parameters)

    async def _get_in(self, version: str, resource: Resource, namespace: str | None, parameters: Mapping[str, Any]) -> httpx2.Response:
        answer = await self._client.get(resource.path(namespace, version), parameters, permission=resource.permission)
        self._versions[resource] = version
        return answer

    def _decode(self, answer: httpx2.Response) -> Mapping[str, Any]:
        try:
            document = msgspec.json.decode(answer.content)
        except msgspec.DecodeError:
            document = None
        if not isinstance(document, Mapping):
            raise Refused(not_understood(self._client.name, self._client.url, "It is no list of the Kubernetes API."))
        return document


def open_server(settings: Settings) -> ApiServer:
    """Open the API server of a kubeconfig's context, of a cluster of EKS, or of the cluster that this runs in. Raises Refused."""
    if settings.source == EKS:
        # Importing boto3 takes long.
        from sre_services.kubernetes.api.eks import EksCluster

        return ApiServer(EksCluster(settings), settings.get("namespace") or "default")
    context = read_context(settings)
    client = SourceClient("The Kubernetes API", context.cluster.server, _http(context, settings))
    return ApiServer(client, settings.get("namespace") or context.namespace)


def _http(context: SingleConfig, settings: Settings) -> httpx2.AsyncClient:
    """Open an HTTP client with the certificates and credentials of a context."""
    try:
        parameters = ConnectionParams(timeout=TIMEOUT).httpx_params(context)
    except (ConfigError, OSError, ValueError) as fault:
        raise Refused(unusable_authority(settings.source, str(fault))) from None
    assert context.user
    if context.user.exec:
        parameters["auth"] = PluginAuth(context.user.exec)
    return HttpClient(**parameters, limits=LIMITS)
