"""A cluster of Amazon EKS by its name: where its API server is, and the token that it accepts from an identity of AWS.

The identity needs `eks:DescribeCluster`, and an access entry of the cluster: https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx2

from sre_core.http_client import HttpClient
from sre_core.problem import Refused
from sre_services.sources.aws import AwsClient, region_of, sign_cluster_token
from sre_services.sources.client import LIMITS, TIMEOUT, SourceClient
from sre_services.sources.failures import not_understood, unusable_authority
from sre_services.sources.settings import Settings

# EKS accepts a token for 15 minutes.
_TOKEN_SECONDS = 600.0


class ClusterTokens(httpx2.Auth):
    """Sends a token of the machine's identity, and makes a new one before it ends."""

    def __init__(self, cluster: str, region: str, settings: Settings) -> None:
        self._cluster, self._region, self._settings = cluster, region, settings
        self._token, self._until = "", 0.0

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if self._until < time.monotonic():
            # Credentials may have to be fetched first.
            self._token = await asyncio.to_thread(sign_cluster_token, self._cluster, self._region, self._settings.environment)
            self._until = time.monotonic() + _TOKEN_SECONDS
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class EksCluster:
    """Requests to the API server of a cluster, which is looked up before the first of them: until that works, each of them says why."""

    name = "The Kubernetes API"

    def __init__(self, settings: Settings) -> None:
        self.url = f"the cluster {settings.require('cluster')} of Amazon EKS in {region_of(settings)}"
        self._settings = settings
        self._lookup: asyncio.Task[SourceClient] | None = None

    async def get(
        self, path: str, parameters: Mapping[str, Any] | None = None, *, permission: str = "", headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """Ask for a path. Raises Refused as SourceClient does, and where the cluster can't be looked up."""
        return await (await self._find()).get(path, parameters, permission=permission, headers=headers)

    async def _find(self) -> SourceClient:
        """Share one lookup between requests; after one that failed, look again."""
        lookup = self._lookup
        if lookup is None or (lookup.done() and (lookup.cancelled() or lookup.exception())):
            lookup = self._lookup = asyncio.create_task(asyncio.to_thread(find_cluster, self._settings))
        # A request that is given up leaves the lookup to the others.
        return await asyncio.shield(lookup)


def find_cluster(settings: Settings) -> SourceClient:
    """Look a cluster up and open a client of its API server. Raises Refused."""
    name, aws = settings.require("cluster"), AwsClient("eks", "Amazon EKS", settings)
    found = aws.call("describe_cluster", "eks:DescribeCluster", name=name)["cluster"]
    try:
        address, authority = found["endpoint"], base64.b64decode(found["certificateAuthority"]["data"]).decode()
        trust = ssl.create_default_context(cadata=authority)
    except (KeyError, ValueError, UnicodeDecodeError) as fault:
        raise Refused(not_understood(aws.name, aws.region, f"The cluster is {found.get('status')} and has no {fault}.")) from None
    except ssl.SSLError as fault:
        raise Refused(unusable_authority(settings.source, str(fault))) from None
    tokens = ClusterTokens(name, aws.region, settings)
    http = HttpClient(base_url=address, verify=trust, auth=tokens, timeout=TIMEOUT, limits=LIMITS)
    return SourceClient("The Kubernetes API", address, http)
