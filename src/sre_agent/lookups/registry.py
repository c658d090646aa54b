"""The kinds of questions. To add one: a file with a LOOKUP here, and a line below."""

from __future__ import annotations

from collections.abc import Mapping

from sre_agent.lookups import (
    action,
    changes,
    cluster_objects,
    comparison,
    diagnosis,
    escalation,
    events,
    health,
    logs,
    metrics,
    nodes,
    pods,
    runbook,
    services,
)
from sre_agent.lookups.lookup import Lookup

# Where two kinds weigh the same, the first is the answer.
LOOKUPS: Mapping[str, Lookup] = {
    found.LOOKUP.kind: found.LOOKUP
    for found in (
        action,
        runbook,
        escalation,
        diagnosis,
        comparison,
        changes,
        health,
        logs,
        metrics,
        events,
        pods,
        nodes,
        services,
        cluster_objects,
    )
}
CUES = {kind: found.cues for kind, found in LOOKUPS.items()}
