"""Jobs, autoscalers, routes and network policies: which there are, and what is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sre_agent.lookups.lookup import MOST_LINES, Lookup, Said, View
from sre_agent.question.intent import cue
from sre_agent.question.names import match_names
from sre_agent.question.wording import split_words
from sre_agent.reading import Json, objects, part, text, texts, whole
from sre_agent.report import Claim

_JOBS = (
    r"\bcron ?jobs?\b|\bcrons?\b|\bjobs\b|\b(the|a|any|this|that|our) ([\w.-]+ ){1,3}job\b|\bschedules\b"
    r"|\b(backups?|imports?|exports?)( jobs?)? (\w+ ){0,2}(ran|run|succeed\w*|finish\w*|complete\w*|fail\w*|happen\w*|execut\w*|work\w*)\b"
    r"|\b(did|has|have)\b.{0,30}\b(backups?|imports?|exports?) (ran|run|succeed|finish|complete|fail|happen)\b"
    r"|\b(backups?|imports?|exports?) jobs?\b|\b(nightly|daily|hourly|weekly|last night's) (backups?|imports?|exports?)\b"
)
_AUTOSCALERS = r"\bauto-?scal(e|es|ed|ing|ers?)\b|\bhpas?\b|\bhorizontalpodautoscalers?\b"
_ROUTES = r"\bingress(es)?\b|\b(http ?)?routes\b|\bhttproutes?\b|\b(hosts?|urls?|paths?) leads? to\b"
_POLICIES = r"\bnetwork ?polic(y|ies)\b"


@dataclass(frozen=True)
class Topic:
    """A kind of objects: the words for it, one and many of them, the tool that lists them, and what is said of each."""

    words: str
    one: str
    many: str
    operation: str
    describe: Callable[[Json], Iterator[str]]


async def look(view: View) -> Said:
    """List the objects that the question names, or all of their kind; those in trouble first, as the tool gives them."""
    topic = next((found for found in _TOPICS if re.search(found.words, view.words)), _TOPICS[-1])
    answer = await view.call(topic.operation, namespace=view.scope.namespace)
    every = objects(answer.data, "items")
    if not every:
        return Said(headline=f"No {topic.one} was found")
    total = whole(answer.data, "total") or len(every)
    names = {name for item in every for name in _names(item)}
    # A job is often named by a common word: backup, import, report.
    named = {*match_names(view.words, names), *names.intersection(split_words(view.words))}
    found = [item for item in every if named & set(_names(item))]
    shown = (found or every)[: MOST_LINES - 1]
    lines = [
        Claim(what=f"{text(item, 'name')}: {', '.join(topic.describe(item))}", evidence=view.cite(answer, json.dumps(item)))
        for item in shown
    ]
    count = f"{len(found)} of {total}" if found else str(total)
    rest = len(found or every) - len(shown) or total - len(every)
    return Said(
        headline=f"{count} {topic.one if total == 1 else topic.many}",
        lines=lines,
        hint=f"{rest} more: name one of them, or what it is about." if rest else "",
    )


def _names(item: Json) -> tuple[str, ...]:
    """Return the names by which a question may mean an object: its own, and those of what it is about."""
    owner = text(item, "owner").rpartition("/")[2]
    about = [text(item, "target", "name"), owner, *(text(rule, "service", "name") for rule in objects(item, "rules"))]
    denied = [text(denial, side, "name") for denial in objects(item, "denies") for side in ("source", "destination")]
    # A CronJob gives its Jobs a number.
    run = re.sub(r"-\d+$", "", text(item, "name"))
    return tuple(name for name in (text(item, "name"), run, *about, *denied) if name)


def _describe_job(item: Json) -> Iterator[str]:
    yield text(item, "kind")
    if text(item, "kind") == "Job":
        yield ": ".join(filter(None, (text(item, "state"), text(item, "reason"), text(item, "message")[:140])))
        yield f"ended {text(item, 'endedAt')}" if text(item, "endedAt") else f"started {text(item, 'startedAt') or 'never'}"
        return
    yield f"schedule {text(item, 'schedule')} {text(item, 'timeZone')}".strip()
    yield from ["suspended"] if part(item, "suspended") is True else []
    yield f"last run {text(item, 'lastScheduledAt') or 'never'}"
    yield f"last success {text(item, 'lastSucceededAt') or 'never'}"
    yield from [f"MISSED {text(item, 'missed')} times since {text(item, 'missedSince')}"] if whole(item, "missed") else []
    yield from [f"failed: {', '.join(texts(item, 'failedJobs'))}"] if texts(item, "failedJobs") else []


def _describe_autoscaler(item: Json) -> Iterator[str]:
    yield f"{text(item, 'target', 'kind')} {text(item, 'target', 'name')}"
    yield f"{text(item, 'currentReplicas')} replicas of {text(item, 'minReplicas')} to {text(item, 'maxReplicas')}"
    yield from ["NEEDS MORE THAN ITS MAXIMUM"] if part(item, "limited") is True else []
    yield from (
        f"{text(found, 'name')} {text(found, 'current') or 'UNKNOWN'} for {text(found, 'target')}" for found in objects(item, "metrics")
    )
    yield from _mismatches(item)


def _describe_route(item: Json) -> Iterator[str]:
    yield text(item, "kind")
    rules = objects(item, "rules")
    yield from (f"{text(rule, 'host')}{text(rule, 'path') or '/'} to {text(rule, 'service', 'name')}" for rule in rules[:4])
    yield from [f"{len(rules) - 4} more rules"] if len(rules) > 4 else []
    yield from _mismatches(item)


def _describe_policy(item: Json) -> Iterator[str]:
    yield f"selects {text(item, 'selector')}"
    denials = objects(item, "denies")
    yield from (f"DENIES {text(found, 'source', 'name')} to {text(found, 'destination', 'name')}" for found in denials[:4])
    yield from ["denies no connection that is known"] if not denials else []


def _mismatches(item: Json) -> Iterator[str]:
    return (text(found, "message") for found in objects(item, "mismatches")[:3])


_TOPICS = (
    Topic(_POLICIES, "network policy", "network policies", "get_connectivity_status", _describe_policy),
    Topic(_AUTOSCALERS, "autoscaler", "autoscalers", "get_autoscaler_status", _describe_autoscaler),
    Topic(_ROUTES, "route", "routes", "get_route_status", _describe_route),
    Topic(_JOBS, "job", "jobs", "get_job_status", _describe_job),
)

LOOKUP = Lookup(
    kind="objects",
    example="Did the nightly backup job run?",
    look=look,
    about="words",
    cues=tuple(cue(6, found.words) for found in _TOPICS),
)
