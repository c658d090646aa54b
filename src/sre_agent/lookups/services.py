"""Services and workloads: which there are."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter

from sre_agent.lookups.lookup import MOST_LINES, Lookup, Said, View
from sre_agent.question.intent import cue
from sre_agent.reading import Json, objects, text, whole
from sre_agent.report import Claim


async def look(view: View) -> Said:
    """List the workloads with their replicas, those in trouble first; or their images, or the namespaces that they are in."""
    if _NAMESPACES.search(view.words):
        return await _namespaces(view)
    if _IMAGES.search(view.words):
        return await _images(view)
    answer = await view.call("get_workload_status", namespace=view.scope.namespace, workload_name=view.name)
    found = sorted(objects(answer.data, "items"), key=lambda item: (not _lacks(item), text(item, "name")))
    if not found:
        return Said(headline="No workload was found")
    lacking = [item for item in found if _lacks(item)]
    lines = [
        Claim(what=f"{text(item, 'name')}: {_replicas(item)}", evidence=view.cite(answer, json.dumps(item)))
        for item in lacking[: MOST_LINES - 1]
    ]
    whole_names = [text(item, "name") for item in found if not _lacks(item)]
    if whole_names:
        lines.append(Claim(what=f"complete: {', '.join(whole_names)}", evidence=view.cite(answer, json.dumps(whole_names))))
    noun = "workload" if len(found) == 1 else "workloads"
    state = f"{len(lacking)} with too few ready replicas" if lacking else "all with all their replicas"
    return Said(headline=f"{len(found)} {noun}{view.of_subject}: {state}", lines=lines, subject=view.subject)


async def _images(view: View) -> Said:
    """List the images of the subject. Of all workloads at once, only the list of Deployments has them."""
    operation, argument, one = ("get_workload_status", "workload_name", "workload") if view.subject else _DEPLOYMENTS
    answer = await view.call(operation, namespace=view.scope.namespace, **{argument: view.name})
    images = {text(item, "name"): [text(found, "image") for found in objects(item, "containers")] for item in objects(answer.data, "items")}
    lines = [
        Claim(what=f"{name}: {', '.join(found)}", evidence=view.cite(answer, json.dumps({name: found})))
        for name, found in sorted(images.items())[:MOST_LINES]
    ]
    if not images:
        return Said(headline=f"No {one} was found", subject=view.subject)
    more = f"{len(images) - len(lines)} more are not shown. " if len(images) > len(lines) else ""
    return Said(
        headline=f"The images of {view.name or _count(len(images), one)}",
        lines=lines,
        hint="" if view.subject else f"{more}Name a workload of any kind to see its own.",
        subject=view.subject,
    )


async def _namespaces(view: View) -> Said:
    """List the namespaces with what is in them; of a subject, those in which it is."""
    workloads, pods = await asyncio.gather(
        view.call("get_workload_status", namespace="all", workload_name=view.name),
        view.call("get_pod_status", namespace="all", pod_name=view.name),
    )
    counts = [Counter(text(item, "namespace") for item in objects(answer.data, "items")) for answer in (workloads, pods)]
    names = sorted(set().union(*counts) - {""})
    lines = [
        Claim(
            what=f"{name}: {_count(counts[0][name], 'workload')}, {_count(counts[1][name], 'pod')}",
            evidence=tuple(
                one
                for answer, count, noun in zip((workloads, pods), counts, ("workloads", "pods"), strict=True)
                for one in view.cite(answer, json.dumps({"namespace": name, noun: count[name]}))
            ),
        )
        for name in names[:MOST_LINES]
    ]
    more = f" {', '.join(names[MOST_LINES:])} besides." if len(names) > MOST_LINES else ""
    return Said(
        headline=f"{_count(len(names), 'namespace')} with workloads or pods{view.of_subject}",
        lines=lines,
        hint=f"Namespaces without any are not seen.{more}",
        subject=view.subject,
    )


def _count(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def _lacks(item: Json) -> bool:
    return (whole(item, "ready") or 0) < (whole(item, "desired") or 0)


def _replicas(item: Json) -> str:
    return f"{text(item, 'kind')}, {whole(item, 'ready') or 0} of {whole(item, 'desired') or 0} replicas ready"


_NAMESPACES = re.compile(r"\bnamespaces\b(?! \w+-)|\b(which|what) namespace (is|are|does|do|has|runs?)\b")
_DEPLOYMENTS = ("get_deployment_status", "deployment_name", "Deployment")
_IMAGES = re.compile(r"\bimages?\b")
LOOKUP = Lookup(
    kind="services",
    example="Which services are there?",
    look=look,
    cues=(
        cue(5, _NAMESPACES.pattern),
        cue(5, r"\bwhat (is|runs|lives) in (the )?(namespace|[\w-]+ namespace)\b"),
        cue(3, r"\bimages?\b(?! pull)"),
        cue(3, r"\b(what|which|show|list|see|print|tell|give)\b.{0,30}\bimages?\b(?! pull)|^([\w.-]+ ){0,2}images?$|\bimages? (of|for)\b"),
        cue(6, r"^(kubectl )?get (all )?(service|deployment|deploy|workload)s?$"),
        cue(4, r"^(the |all )?(services|applications|workloads)( please)?$"),
        cue(6, r"\b(name|list|show) (me )?(every|each) (service|application|workload)\b|^enumerate\b"),
        cue(
            6,
            r"\b(which|what|list|show|how many|do we (?:run|have)|name|give me|all|every|see)\b.*\b(services|microservices"
            r"|deployments|workloads|apps|applications)\b",
        ),
        cue(6, r"\b(names?|list|overview|number|inventor(y|ies)) of (\w+ ){0,2}(services|microservices|workloads|applications|apps)\b"),
        cue(6, r"\bservices? (list|overview|inventor(y|ies)|names)\b|\b(everything|all) that is (deployed|running|installed)\b"),
        cue(4, r"\bwhat (runs|(do )?we run|are we running|we have running)\b"),
        cue(4, r"\bwhat (is|do we have) (deployed|running)\b(?!.*\bsince\b)"),
    ),
)
