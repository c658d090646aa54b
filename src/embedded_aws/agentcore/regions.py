"""AgentCore in every region of the account: what one of them holds, no other shows."""

from __future__ import annotations

from embedded_aws.account import Account
from embedded_aws.agentcore.control import ControlPlane


class Regions:
    """A control plane for each region that is called, made when it first is."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._planes: dict[str, ControlPlane] = {}

    def plane(self, region: str) -> ControlPlane:
        """The control plane that requests signed for this region reach."""
        if region not in self._planes:
            self._planes[region] = ControlPlane(self._account.elsewhere(region))
        return self._planes[region]

    async def close(self) -> None:
        """Close every gateway of every region."""
        for plane in self._planes.values():
            await plane.close()
