"""The seconds for which things are CREATING, UPDATING or DELETING here: fewer than on AWS, but enough to show who does not wait."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Pace:
    """The pace of this process's AWS."""

    agentcore: float = 0.2
    custom_domain: float = 1.0
    """On AWS it takes minutes."""
    table: float = 0.3
    """On AWS some seconds."""

    def hurry(self) -> None:
        """Let everything take no time."""
        self.agentcore = self.custom_domain = self.table = 0.0


PACE = Pace()
