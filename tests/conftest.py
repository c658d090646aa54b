"""Shared by all tests: Hypothesis profiles, the `needs(program)` marker, what was tried, and that nothing is left behind."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.session
import psutil
import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

from fixtures import preloaded, sample
from fixtures.embedded import embedded

pytest.register_assert_rewrite("behaviours.assertions")

__all__ = ["embedded"]

# The folders whose tests take the longest.
LONG = {"behaviours", "properties"}

settings.register_profile("ci", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# Each session would parse every AWS model that it uses anew, and the tests open hundreds.
botocore.session.create_loader = cache(botocore.loaders.create_loader)

# A deployment syncs each step of its state to the disk, whose answers were a tenth of the tests' time: files of tests lie in memory where
# that has room, and programs may be run from it.
_MEMORY, _ROOM = "/dev/shm", 2 * 2**30


def _has_room(folder: str) -> bool:
    if not os.access(folder, os.W_OK):
        return False
    there = os.statvfs(folder)
    return there.f_bavail * there.f_frsize > _ROOM and not there.f_flag & os.ST_NOEXEC


if "TMPDIR" not in os.environ and _has_room(_MEMORY):
    os.environ["TMPDIR"], tempfile.tempdir = _MEMORY, None

# With any environment of the caller: each worker would rewrite the asserts of all tests, which takes half of its collection.
sys.dont_write_bytecode = False

# What a shell without job control starts in the background is deaf to Ctrl-C, and so would be all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let the commit choose Hypothesis' examples too, unless `--hypothesis-seed` does."""
    if config.getoption("hypothesis_seed") is None:
        config.option.hypothesis_seed = sample.seed()
    if worker := getattr(config, "workerinput", None):
        preloaded.share(worker["preloaded"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Load our programs once for all workers, while these collect."""
    node.workerinput["preloaded"] = preloaded.start()


def pytest_unconfigure() -> None:
    preloaded.end()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage while modules and tests are collected, nor later among them: they stay until the end.

    Later it is looked for less often than by Python's own thresholds, which take a tenth of a worker's time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that needs an absent program is skipped with its name; under CI that is a failure."""
    absent = [name for mark in item.iter_markers("needs") for name in mark.args if not shutil.which(name)]
    if not absent:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must have {', '.join(absent)}")
    pytest.skip(f"needs {', '.join(absent)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Of a test marked `unmeasured`, neither it nor what it starts is measured.

    pytest-cov's own `no_cover` stops one of the two measurements that a worker has, and none of what the test starts.
    """
    if not item.get_closest_marker("unmeasured"):
        return (yield)
    stopped = []
    while running := Coverage.current():
        running.stop()
        stopped.append(running)
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("COV")]:
            environment.delenv(name)
        answer = yield
    for measurement in reversed(stopped):
        measurement.start()
    return answer


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each worker begin with its share of the long tests, whole files each: at the end one of them lets the others wait."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    long = [tests for file, tests in files.items() if LONG & set(file.parts)]
    others = [test for file, tests in files.items() if not LONG & set(file.parts) for test in tests]
    dealt = [[test for tests in long[worker::workers] for test in tests] for worker in range(workers)]
    items.clear()
    # As xdist divides them: in order, in equal parts.
    for worker, begun in enumerate(dealt):
        rest = len(others) + sum(map(len, dealt[worker:]))
        share = max(rest // (workers - worker) - len(begun), 0)
        items += [*begun, *others[:share]]
        del others[:share]


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Report at the end how much a test tried, in any worker: `tried("kills of a deployment", 40)`."""
    return lambda what, number: record_property("tried", [what, number])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried where a run tries a sample only, and which seed chose it."""
    counts: Counter[str] = Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if getattr(report, "when", "") == "call":
            counts.update({what: number for name, (what, number) in report.user_properties if name == "tried"})
    if counts:
        terminalreporter.section("tried")
        terminalreporter.write_line(f"chosen by SRE_TEST_SEED={sample.seed()}")
        for what, number in sorted(counts.items()):
            terminalreporter.write_line(f"{number:6,} {what}")


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Temporary files of tests, and of all that they start, end with them; a process that outlives its test is a failure."""
    # Short, because sockets are in it.
    folder = tempfile.mkdtemp(prefix="sre-")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TMPDIR", folder)
        yield
        preloaded.end()
    _, left = psutil.wait_procs(_processes_of(folder, str(tmp_path_factory.getbasetemp())), timeout=120)
    shutil.rmtree(folder)
    assert not left, "these outlive the tests that started them"


def _processes_of(*folders: str) -> list[psutil.Process]:
    """List the processes that have one of these folders in their command line or their environment."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        text = "\0".join((*(process.info["cmdline"] or ()), *(process.info["environ"] or {}).values()))
        if any(folder in text for folder in folders):
            found.append(process)
    return found
