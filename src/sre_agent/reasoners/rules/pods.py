"""Detectors over pods: crash loops, kills, and restarts that are too old to matter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sre_agent.observations import Container, Pod
from sre_agent.reasoners.rules import error_patterns
from sre_agent.reasoners.rules.signals import Kind, Signal
from sre_core import clock

_CANNOT_START = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun"})
_IMAGE_PULL = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
_NORMAL_EXITS = frozenset({0, 143})  # finished, or stopped by SIGTERM, as in every rollout and node drain


def detect(pods: tuple[Pod, ...], since: datetime) -> Iterator[Signal]:
    """Detect signals in all containers; `since` is the start of the time to look at."""
    for pod in pods:
        if pod.phase == "Pending" and pod.reason == "Unschedulable":
            yield _signal(Kind.UNSCHEDULABLE, pod, f"pod {pod.name} can't be scheduled: {pod.message}", pod.created)
        for container in pod.containers:
            yield from _container(pod, container, since)
            yield from _termination_message(pod, container, since)


def _container(pod: Pod, container: Container, since: datetime) -> Iterator[Signal]:
    where = f"container {container.name} of pod {pod.name}"
    if container.reason in _IMAGE_PULL:
        yield _signal(Kind.IMAGE_PULL, pod, f"{where} can't pull its image ({container.reason}): {container.message}", pod.created)
    elif container.reason in _CANNOT_START or container.last_reason in _CANNOT_START:
        message = container.message or container.last_message
        yield _signal(Kind.CANNOT_START, pod, f"{where} can't start ({container.reason or container.last_reason}): {message}", pod.created)
    elif container.restarts or container.reason == "CrashLoopBackOff":
        yield _restarted(pod, container, where, since)


def _restarted(pod: Pod, container: Container, where: str, since: datetime) -> Signal:
    ended = container.last_finished
    how = f"{where} restarted {container.restarts} times; it ended last {_when(ended)} with {_exit(container)}"
    looping = container.reason == "CrashLoopBackOff"
    if not looping and ended is not None and ended < since:
        return _signal(Kind.OLD_RESTARTS, pod, how, ended)
    if container.last_reason == "OOMKilled":
        return _signal(Kind.OOM_KILL, pod, how, ended, f"{where} was killed for memory, for the last time so far")
    normal_exit = container.last_exit_code in _NORMAL_EXITS
    # Between two crashes of a loop a container runs for a moment.
    if not normal_exit and (looping or (ended is not None and not container.ready and container.restarts > 1)):
        waits = ", and waits in CrashLoopBackOff" if looping else ""
        began = _first_failure(pod, container, since)
        return _signal(Kind.CRASH_LOOP, pod, f"{how}{waits}", began, f"{where} fails from here on, {container.restarts} restarts so far")
    return _signal(Kind.RESTARTED, pod, how, ended)


def _termination_message(pod: Pod, container: Container, since: datetime) -> Iterator[Signal]:
    """Detect a bad setting in a container's termination message, which is as good as a line of its log."""
    message = container.last_message or container.message
    found = error_patterns.find_configuration_error(message) if container.restarts else None
    if found and (container.last_finished is None or container.last_finished >= since):
        what = f"{pod.service} ended with the message: {message[:300]}"
        yield Signal(
            kind=Kind.TERMINATION_MESSAGE,
            service=pod.service,
            what=what,
            sources=(pod.source,),
            at=container.last_finished,
            subject=found.name,
        )


def _first_failure(pod: Pod, container: Container, since: datetime) -> datetime | None:
    """Return the creation of a pod that is younger than the incident; for an older one, its last end."""
    return pod.created if pod.created and pod.created >= since else container.last_finished


def _exit(container: Container) -> str:
    code = "an unknown exit code" if container.last_exit_code is None else f"exit code {container.last_exit_code}"
    reason = f" ({container.last_reason})" if container.last_reason else ""
    return f"{code}{reason}{f': {container.last_message}' if container.last_message else ''}"


def _when(moment: datetime | None) -> str:
    return f"at {clock.stamp(moment)}" if moment else "at an unknown time"


def _signal(kind: Kind, pod: Pod, what: str, at: datetime | None, moment: str = "") -> Signal:
    return Signal(kind=kind, service=pod.service, what=what, sources=(pod.source,), at=at, moment=moment)
