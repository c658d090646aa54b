"""Pods: how many there are, whether they are ready, and how often they restarted."""

from __future__ import annotations

from sre_agent.lookups.lookup import MOST_LINES, Lookup, Said, View
from sre_agent.observations import Pod
from sre_agent.question.intent import cue
from sre_agent.report import Claim
from sre_agent.specialists.cluster_records import parse_pods


async def look(view: View) -> Said:
    """Count the pods, and list those in trouble first."""
    answer = await view.call("get_pod_status", namespace=view.scope.namespace, pod_name=view.name)
    pods = sorted(parse_pods(answer), key=lambda pod: (pod.ready, -_restarts(pod), pod.name))
    if not pods:
        return Said(headline=f"No pod{view.of_subject} was found", subject=view.subject)
    unready, restarts = sum(not pod.ready for pod in pods), sum(map(_restarts, pods))
    noun = "pod" if len(pods) == 1 else "pods"
    state = f"{unready} not ready" if unready else "all ready"
    shown = pods if len(pods) <= MOST_LINES else pods[: max(unready, 3)][:MOST_LINES]
    lines = [Claim(what=_describe(pod), evidence=(view.log.record(pod.source),)) for pod in shown]
    return Said(
        headline=f"{len(pods)} {noun}{view.of_subject}: {state}, {_times(restarts, 'restart')}",
        lines=lines,
        hint=f"{len(pods) - len(shown)} more pods: name a service to see its pods." if len(shown) < len(pods) else "",
        subject=view.subject,
    )


def _restarts(pod: Pod) -> int:
    return sum(container.restarts for container in pod.containers)


def _describe(pod: Pod) -> str:
    waiting = [container.reason for container in pod.containers if container.reason and not container.ready]
    ended = [f"last ended: {c.last_reason} (exit code {c.last_exit_code})" for c in pod.containers if c.last_reason and c.restarts]
    state = "ready" if pod.ready else f"NOT READY ({', '.join(waiting) or pod.reason or pod.phase})"
    return ", ".join([f"{pod.name}: {state}", _times(_restarts(pod), "restart"), *ended, f"node {pod.node}" if pod.node else "no node"])


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count or 'no'} {noun}s"


LOOKUP = Lookup(
    kind="pods",
    example="Which pods of orders restart?",
    look=look,
    cues=(
        cue(8, r"\bpods?\b"),
        cue(5, r"\breplicas?\b|\bcontainers?\b"),
        cue(5, r"\brestarts\b|\bhow (often|many times)\b.*\brestart|\b(restarted|restarting) (most|more|often|lately|recently)\b"),
        cue(5, r"\brestart (counts?|loops?|histor(y|ies)|reasons?|times|rates?|numbers?|frequency)\b"),
        cue(4, r"^(and |so )?(has|have|was|were|did)\b.*\brestart(ed)?\b"),
        cue(4, r"\b(what|which|anything|everything|who)\b.*\b(restart(ed|ing)?|crash(ed|es|ing)?( ?loop(ing)?)?|(oom ?)?killed)\b"),
        cue(3, r"\b(not ready|unready|pending|evicted|killed)\b"),
        cue(9, r"\bhow many\b.{0,30}\b(up|down|alive|dead|ready|unready|crash\w*|restart\w*|running|pending|evicted)$"),
        cue(5, r"\bhow many (instances|copies)\b|\binstances of\b"),
        cue(4, r"\b(crashloopbackoff|imagepullbackoff|errimagepull|createcontainerconfigerror|oomkilled)\b"),
        cue(5, r"^where (is|are|does|do)\b.*\b(runs?|running|scheduled|placed|hosted)\b"),
        cue(6, r"\b(which|what) (node|machine|host)\b.*\b(pods?|runs?|running|scheduled|placed|hosted)\b"),
    ),
)
