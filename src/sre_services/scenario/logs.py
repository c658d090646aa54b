"""The story as `kubectl logs --timestamps --prefix` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from sre_services.scenario import log_texts
from sre_services.scenario.shop import RECORDED_SECONDS, SERVICES, Service, seeded_random, to_datetime
from sre_services.scenario.stories import CATALOG_ROLLOUT, PAYMENT_ROLLOUT, CrashLoop, MemoryLeak, PodRun, Story

# Seconds between logged requests: services log a sample of them.
_SAMPLED_EVERY = 21.0


@dataclass(frozen=True, order=True)
class Entry:
    """One line at its time."""

    at: float
    pod: str
    text: str


def build_files(story: Story) -> dict[str, str]:
    """Build the files by name: each has the lines of a service's pods in order of time, deleted pods included."""
    shop = {f"logs/{service.name}.log": _text(service, _entries(story, service)) for service in SERVICES}
    return {**shop, "logs/payments-db.log": _database("payments-db"), "logs/catalog-db.log": _database("catalog-db")}


def _entries(story: Story, service: Service) -> list[Entry]:
    pods = [pod for pod in story.pods if pod.service is service]
    found = [entry for pod in pods for run in pod.runs for entry in _start(pod, run.started)]
    found += [entry for pod in pods if pod.removed is not None for entry in _stop(pod, pod.removed)]
    found += _requests(story, service, pods)
    if isinstance(story, CrashLoop) and service.name == "payment-service":
        found += _failing_payments(pods)
    if isinstance(story, MemoryLeak) and service.name == "catalog-service":
        found += _full_heaps(story, pods)
    return sorted(entry for entry in found if -RECORDED_SECONDS <= entry.at <= 0)


def _requests(story: Story, service: Service, pods: list[PodRun]) -> Iterator[Entry]:
    """Make lines of sampled requests, routine messages, and failures where the story has them."""
    random, t = seeded_random("log", service.name), float(-RECORDED_SECONDS)
    while (t := t + random.expovariate(1 / _SAMPLED_EVERY)) < 0:
        serving = [pod for pod in pods if (pod.removed is None or t < pod.removed) and (run := pod.run_at(t)) and t - run.started > 9]
        roll, kind = random.random(), random.random()
        if not serving:
            continue
        pod = serving[int(roll * 1000) % len(serving)]
        if kind < 0.16:
            yield Entry(t, pod.name, log_texts.routine_text(service, random))
        elif kind < 0.22 + story.error_ratio(service.name, t) * 0.7 and story.error_ratio(service.name, t) > 0.01:
            yield from (Entry(t + n / 1000, pod.name, text) for n, text in enumerate(log_texts.failure_texts(story, service, random, t)))
        else:
            yield Entry(t, pod.name, log_texts.request_text(service, random, story.latency_factor(service.name, t)))


def _start(pod: PodRun, at: float) -> Iterator[Entry]:
    version = f"{pod.service.name} {pod.revision.version}"
    yield Entry(at + 0.4, pod.name, f"INFO  main: starting {version} ({pod.service.runtime})")
    yield Entry(at + 0.6, pod.name, f"INFO  config: {len(pod.revision.config)} values from environment, log level info")
    if pod.run_at(at + 6) is None:
        return
    if pod.service.database:
        yield Entry(at + 1.3, pod.name, f"INFO  db: pool of 20 open to {pod.revision.config['DB_HOST']}:5432")
    yield Entry(at + 2.1, pod.name, "INFO  main: listening on :8080")


def _stop(pod: PodRun, at: float) -> Iterator[Entry]:
    yield Entry(at + 0.2, pod.name, "INFO  main: SIGTERM received, shutting down")
    yield Entry(at + 2.9, pod.name, "INFO  main: open requests finished, exiting")


def _failing_payments(pods: list[PodRun]) -> Iterator[Entry]:
    """Make the lines of each run of the new pods: three attempts, and the exit."""
    for pod in [pod for pod in pods if pod.created >= PAYMENT_ROLLOUT]:
        lookup = f"lookup {pod.revision.config['DB_HOST']} on 10.100.0.10:53: no such host"
        for run in pod.runs:
            for attempt in (1, 2, 3):
                yield Entry(run.started + 0.6 + attempt, pod.name, f"ERROR db: connect attempt {attempt}/3 failed: dial tcp: {lookup}")
            yield Entry(run.started + 3.9, pod.name, run.message)


def _full_heaps(story: MemoryLeak, pods: list[PodRun]) -> Iterator[Entry]:
    """Make lines of garbage collections, which take longer and free less as the heap fills."""
    for pod in [pod for pod in pods if pod.created >= CATALOG_ROLLOUT]:
        random = seeded_random("gc", pod.name)
        for number, t in enumerate(range(int(pod.created), 0, 40), start=1):
            share = story.memory_share(pod, t) * pod.service.memory_mib / pod.service.memory_limit_mib
            if pod.run_at(t) and share >= 0.55:
                yield Entry(t + random.random(), pod.name, _collection(number, share, random))
                if number % 6 == 0:
                    yield Entry(t + 1.5, pod.name, f"INFO  cache: product-images holds {int(share * 210_000)} entries, 0 evicted")


def _collection(number: int, share: float, random: Random) -> str:
    used, pause = share * 512, 30 + 5400 * max(0.0, share - 0.6) ** 2 * random.uniform(0.8, 1.2)
    freed = used * (0.97 - 0.1 * (1 - share))
    return f"{'WARN ' if pause > 200 else 'INFO '} gc: GC({number}) Pause Full {used:.0f}M->{freed:.0f}M(512M) {pause:.1f}ms"


def _database(name: str) -> str:
    """Make the log of a database, which has routine messages only."""
    random, t, lines = seeded_random("log", name), float(-RECORDED_SECONDS), []
    while (t := t + random.uniform(140, 320)) < 0:
        seconds = random.uniform(2, 27)
        lines.append(Entry(t, f"{name}-0", f"INFO  checkpoint complete: wrote {random.randrange(40, 900)} buffers in {seconds:.1f}s"))
    return _lines(name, lines)


def _text(service: Service, entries: list[Entry]) -> str:
    return _lines(service.name.removesuffix("-service"), entries)


def _lines(container: str, entries: list[Entry]) -> str:
    return "".join(f"[pod/{entry.pod}/{container}] {_nanoseconds(entry.at)} {entry.text}\n" for entry in entries)


def _nanoseconds(at: float) -> str:
    nanoseconds = seeded_random("ns", at).randrange(1000)
    return f"{to_datetime(at).strftime('%Y-%m-%dT%H:%M:%S.%f')}{nanoseconds:03d}Z"
