"""Events of the cluster: warnings first."""

from __future__ import annotations

from sre_agent.lookups.lookup import MOST_LINES, Lookup, Said, View
from sre_agent.question.intent import cue
from sre_agent.report import Claim
from sre_agent.specialists.cluster_records import parse_events
from sre_core import clock


async def look(view: View) -> Said:
    """List the warnings; where there are none, the newest events."""
    answer = await view.call("get_cluster_events", since=view.scope.window)
    namespaces = frozenset({view.scope.namespace} - {"", "all"})
    every = [event for event in parse_events(answer, {}, namespaces) if not view.subject or view.name in {event.service, event.name}]
    warnings = [event for event in every if event.warning]
    shown = (warnings or every)[: MOST_LINES - 1]
    lines = [
        Claim(
            what=f"{clock.stamp(event.source.happened) if event.source.happened else '?'} {event.reason} {event.kind}/{event.name}: "
            f"{event.message[:140]}{f' ({event.count} times)' if event.count > 1 else ''}",
            evidence=(view.log.record(event.source),),
        )
        for event in shown
    ]
    kinds = f"{len(warnings)} warning{'' if len(warnings) == 1 else 's'} among {len(every)} events"
    return Said(headline=f"{kinds}{view.of_subject} {view.during}", lines=lines, subject=view.subject)


LOOKUP = Lookup(
    kind="events",
    example="Which warnings are there in the cluster?",
    look=look,
    cues=(cue(7, r"\bevents?\b"), cue(6, r"\bwarnings?\b"), cue(11, r"\bkubernetes\b.{0,20}\b(complain|moan|whin|grumbl|warn|report)\w*")),
)
