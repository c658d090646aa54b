"""The identities of agents: those that a caller creates, and those of gateways and runtimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from embedded_aws.agentcore.conventions import select_page
from embedded_aws.agentcore.errors import conflict, invalid, not_found
from embedded_aws.agentcore.identity_records import WorkloadIdentity
from embedded_aws.agentcore.records import Registry
from embedded_aws.world import World
from sre_core import clock

type Request = Mapping[str, Any]
type Answer = dict[str, Any]


class WorkloadIdentities:
    """The operations on workload identities."""

    def __init__(self, world: World, registry: Registry) -> None:
        self._world = world
        self._registry = registry

    async def create(self, request: Request) -> Answer:
        """Perform CreateWorkloadIdentity."""
        name = request["name"]
        if name in self._registry.identities:
            raise conflict(f"WorkloadIdentity with name: {name} already exists")
        directory = f"arn:aws:bedrock-agentcore:{self._world.region}:{self._world.account_id}:workload-identity-directory/default"
        moment = clock.now()
        identity = WorkloadIdentity(
            name=name,
            arn=f"{directory}/workload-identity/{name}",
            created_at=moment,
            updated_at=moment,
            return_urls=tuple(request.get("allowedResourceOauth2ReturnUrls", ())),
        )
        self._registry.identities[name] = identity
        self._registry.tags[identity.arn] = dict(request.get("tags", {}))
        return identity.to_json()

    async def get(self, request: Request) -> Answer:
        """Perform GetWorkloadIdentity; the identity of a gateway or runtime has its id as name."""
        return self.existing(request["name"]).to_json()

    async def update(self, request: Request) -> Answer:
        """Perform UpdateWorkloadIdentity: replace the URLs to which a user may return."""
        urls = tuple(request.get("allowedResourceOauth2ReturnUrls", ()))
        after = replace(self.existing(request["name"]), return_urls=urls, updated_at=clock.now())
        self._registry.identities[after.name] = after
        return after.to_json()

    async def list_all(self, request: Request) -> Answer:
        """Perform ListWorkloadIdentities."""
        found, following = select_page(list(self._registry.identities.values()), request, default=20)
        return {"workloadIdentities": [identity.to_json() for identity in found], **following}

    async def delete(self, request: Request) -> Answer:
        """Perform DeleteWorkloadIdentity; that of a gateway or runtime goes with it only."""
        identity = self.existing(request["name"])
        if identity.linked:
            raise invalid("WorkloadIdentity is linked to a service and cannot be deleted by the caller")
        del self._registry.identities[identity.name]
        self._registry.forget(identity.arn)
        return {}

    def existing(self, name: str) -> WorkloadIdentity:
        """Return the identity of this name. Raises ResourceNotFoundException."""
        found = self._registry.identities.get(name)
        if found is None:
            raise not_found(f"Workload identity not found: {name}")
        return found
