"""What the format knows and this version can't do."""

from __future__ import annotations

from sre_agent_deploy.config.fault import Fault


def not_there_yet(field: str, subject: str, instead: str) -> Fault:
    """The fault of asking for it, with what to write instead."""
    return Fault(
        code="CONFIG-NOT-YET",
        path=(field,),
        what=f"{field} asks for something this version does not have.",
        why=f"{subject}: not there yet.",
        do=(f"Use {instead}.",),
        correction=instead,
    )
