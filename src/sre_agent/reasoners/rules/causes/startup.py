"""Containers that can't start: images, Secrets, mounts, memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre_agent.observations import Container, Pod
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import ObservationIndex, fact, suspect
from sre_agent.reasoners.rules.signals import Kind

_PULLS = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
# In this order: a name that can't be resolved says nothing of the image, and a refusal nothing of its existence.
_REGISTRY = tuple(
    (cause, re.compile(words, re.IGNORECASE))
    for cause, words in (
        ("image_registry_dns_failure", r"no such host|lookup \S+.*(?:misbehaving|timeout|failure)|name resolution|NXDOMAIN"),
        (
            "missing_image_pull_secret",
            r"unauthorized|authoriz|authentication required|no basic auth|forbidden|access denied|\b40[13]\b",
        ),
        (
            "incorrect_image_reference",
            r"not found|manifest unknown|name unknown|does not exist|invalid reference|couldn't parse|InvalidImageName",
        ),
    )
)
_SECRET = re.compile(
    r'(?:secret|object) "?(?:[\w.-]+/)?(?P<name>[\w.-]+)"? not (?:found|registered)|couldn\'t find key \S+ in Secret (?P<keyed>\S+)'
)
_DENIED = re.compile(r"permission denied|operation not permitted|EACCES|read-only file system|AccessDeniedException", re.IGNORECASE)
_PATH = re.compile(r"(?:/[\w.-]+){1,}|\b[\w-]+\.\w{2,5}\b|\bmkdir\b|\bopen\b")
_OOM = re.compile(r"OOM-?[Kk]illed|OOMKilling|init was OOM", re.IGNORECASE)
_MANY = 3  # restarts for memory that are no accident


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect why containers don't start or don't stay."""
    for service, pods in index.pods.items():
        if index.is_lacking(service):
            yield from _images(index, service, pods)
            yield from _secrets(index, service, pods)
            yield from _mounts(index, service, pods)
        yield from _memory(index, service, pods)


def _images(index: ObservationIndex, service: str, pods: list[Pod]) -> Iterator[Candidate]:
    for pod in pods:
        for container in (found for found in pod.containers if found.reason in _PULLS):
            cited = [event for event in index.events.get(pod.name, ()) if event.reason in {"Failed", "InspectFailed", "FailedToPullImage"}]
            texts = [container.message, *(event.message for event in cited), container.reason]
            cause, text = next(((name, text) for name, words in _REGISTRY for text in texts if words.search(text)), ("", ""))
            if cause:
                sources = tuple(event.source for event in cited if event.message == text) or (pod.source,)
                state = fact(service, f"container {container.name} of pod {pod.name} waits: {container.reason}", pod.source, at=pod.created)
                yield suspect(
                    cause,
                    index.ref(service),
                    text[:300],
                    Reason(0.7, "the attempt to pull its image ended so", (fact(service, text[:400], *sources),)),
                    Reason(0.2, "its container waits for the image", (state,)),
                )
                return


def _secrets(index: ObservationIndex, service: str, pods: list[Pod]) -> Iterator[Candidate]:
    required = index.requirements.get(service)
    absent = [found for found in required.mismatches if found.relation == "secret"] if required else []
    for pod in pods:
        texts = [(container.message, pod.source) for container in pod.containers]
        texts += [(event.message, event.source) for event in index.events.get(pod.name, ()) if event.reason in {"FailedMount", "Failed"}]
        cited = next(((text, source) for text, source in texts if _SECRET.search(text) and "configmap" not in text.lower()), None)
        if cited:
            known = tuple(fact(service, found.message, required.source) for found in absent) if required else ()
            yield suspect(
                "missing_secret_binding",
                index.ref(service),
                cited[0][:300],
                Reason(0.85, "the kubelet can't find the Secret", (fact(service, cited[0][:400], cited[1]),)),
                Reason(0.05, "the Secret does not exist", known),
            )
            return


def _mounts(index: ObservationIndex, service: str, pods: list[Pod]) -> Iterator[Candidate]:
    """Find a container that ends because a path may not be read or written; a refused user is no refused path."""
    failing = [pod for pod in pods if any(_ended_badly(container) for container in pod.containers)]
    lines = [line for line in index.logs.get(service, ()) if _DENIED.search(line.message) and _PATH.search(line.message)]
    lines = [line for line in lines if not re.search(r"for user|for role|publickey", line.message, re.IGNORECASE)]
    cited = [fact(service, f"{service} logged: {line.message[:300]}", line.source, at=line.at) for line in lines[:2]]
    for pod in pods:
        texts = [(container.message or container.last_message, pod.source) for container in pod.containers]
        texts += [(event.message, event.source) for event in index.events.get(pod.name, ()) if event.reason in {"FailedMount", "Failed"}]
        cited += [fact(service, text[:300], source) for text, source in texts if _DENIED.search(text)]
    if failing and cited:
        ended = fact(service, f"containers of pod {failing[0].name} end or do not start", failing[0].source)
        yield suspect(
            "volume_mount_permission_denied",
            index.ref(service),
            cited[0].what[:300],
            Reason(0.65, "it may not use a path that it needs", tuple(cited[:3])),
            Reason(0.2, "its containers end because of that", (ended,)),
        )


def _memory(index: ObservationIndex, service: str, pods: list[Pod]) -> Iterator[Candidate]:
    """Find a container that its memory limit does not let live. One that only grows is a leak, and has a detector of its own."""
    if any(signal.kind is Kind.MEMORY_RISING and signal.service == service for signal in index.signals):
        return
    for pod in pods:
        killed = [
            c
            for c in pod.containers
            if c.last_reason == "OOMKilled" or c.reason == "OOMKilled" or _OOM.search(f"{c.message} {c.last_message}")
        ]
        cited = [
            event for event in index.events.get(pod.name, ()) if _OOM.search(event.message) or event.reason in {"OOMKilling", "OOMKilled"}
        ]
        now = not pod.ready or any(c.restarts > _MANY and c.last_finished and c.last_finished >= index.since for c in killed)
        if now and (killed or cited):
            ends = tuple(
                fact(service, f"container {c.name} of pod {pod.name} was OOMKilled, {c.restarts} restarts", pod.source) for c in killed
            )
            events = tuple(fact(service, event.message[:300], event.source, at=event.at) for event in cited[:2])
            yield suspect(
                "oom_killed",
                index.ref(service),
                (cited[0].message if cited else ends[0].what)[:300],
                Reason(0.8, "the kernel killed it for its memory limit", (*ends, *events)),
                Reason(0.1, "it is not ready", (fact(service, f"pod {pod.name} is not ready", pod.source),)),
            )
            return


def _ended_badly(container: Container) -> bool:
    return container.reason in {"CrashLoopBackOff", "ContainerCreating", "RunContainerError", "CreateContainerError", "Error"} or (
        not container.ready and container.last_exit_code not in {None, 0}
    )
