"""The network of a runtime, in AgentCore's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class RuntimeNetwork:
    """AgentCore's own network, or network interfaces in subnets of a VPC. AgentCore lets interfaces stay for hours after their runtime."""

    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # These are sets that AWS may answer in an order of its own.
        for field in ("subnet_ids", "security_group_ids"):
            object.__setattr__(self, field, tuple(sorted(getattr(self, field))))

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """Read it as AgentCore shows it."""
        vpc = given.get("networkModeConfig", {})
        return cls(tuple(vpc.get("subnets", ())), tuple(vpc.get("securityGroups", ())))

    @property
    def mode(self) -> str:
        return "VPC" if self.subnet_ids or self.security_group_ids else "PUBLIC"

    def settings(self) -> dict[str, Any]:
        """Build the value of `networkConfiguration`."""
        vpc = {"securityGroups": list(self.security_group_ids), "subnets": list(self.subnet_ids)}
        return {"networkMode": self.mode, **({"networkModeConfig": vpc} if self.mode == "VPC" else {})}

    def template(self) -> dict[str, Any]:
        """Build the value of `NetworkConfiguration`."""
        vpc = {"SecurityGroups": list(self.security_group_ids), "Subnets": list(self.subnet_ids)}
        return {"NetworkMode": self.mode, **({"NetworkModeConfig": vpc} if self.mode == "VPC" else {})}

    def console(self) -> tuple[str, ...]:
        """Describe the fields of the Console."""
        if self.mode == "PUBLIC":
            return ("Network: PUBLIC",)
        groups = ", ".join(self.security_group_ids)
        return ("Network: VPC", f"Subnets: {', '.join(self.subnet_ids)}", f"Security groups: {groups}")

    def __str__(self) -> str:
        return "; ".join(self.console()).removeprefix("Network: ")


PUBLIC = RuntimeNetwork()
