"""How close a deployment comes to its critical path, and a run with nothing to do to its slowest chain of reads.

An AWS on this machine answers as slowly as `latencies.py` says; what is measured is the order of calls, and our own time.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.latencies import rules
from bench.measure import Measured
from bench.tracing import Trace, Traced, longest_path
from sre_agent_deploy.graph import Item
from sre_agent_deploy.resources.agentcore_gateway_target import GatewayTarget

CONFIG = Path(__file__).parents[1] / "examples" / "local.yaml"
SERVICES: tuple[Any, ...] = ("s3", "ec2", "iam", "secretsmanager", "cognito-idp", "bedrock-agentcore-control")
# How long this AWS keeps a gateway, and then a target, in CREATING: part of the critical path, as on AWS.
SETTLE = {"gateway": 0.2, "target_kubernetes": 0.2, "target_logs": 0.2, "target_metrics": 0.2, "target_runbooks": 0.2}
TARGETS = (4, 20, 100)


def measure() -> list[Measured]:
    """The two budgets of the engine; speed-up and growth are printed on the way."""
    with tempfile.TemporaryDirectory() as folder, _aws(Path(folder) / "slow", faults=True) as slow:
        measured = _budgets(slow, Path(folder))
    with tempfile.TemporaryDirectory() as folder, _aws(Path(folder) / "quick", faults=False) as quick:
        _growth(quick, Path(folder))
    return measured


def _budgets(slow: _Bench, folder: Path) -> list[Measured]:
    state_file = folder / "state.json"
    deployed, work = slow.deploy(slow.wanted, state_file)
    path = longest_path(slow.wanted, {name: slow.trace.seconds.get(name, 0) + SETTLE.get(name, 0) for name in slow.trace.seconds})
    print(f"one resource after the other would take {work / deployed:.1f} x as long as the deployment ({deployed:.1f} s)")
    looked, mutating = slow.look(state_file)
    chain = longest_path(slow.wanted, slow.trace.seconds)
    print(f"a run with nothing to do makes {sum(slow.trace.operations.values())} reads and {mutating} mutating calls")
    return [
        Measured("deployment", deployed, "its critical path", path, 1.10),
        Measured("a run with nothing to do", looked, "its slowest chain of reads", chain, 1.3),
    ]


def _growth(quick: _Bench, folder: Path) -> None:
    for number in TARGETS:
        wanted = _with_targets(quick.wanted, number)
        quick.deploy(wanted, folder / f"{number}.json")
        calls = sum(quick.trace.operations.values())
        quick.clean_up()
        print(f"{number:3} targets: {calls:4} calls ({calls / len(wanted.items):.1f} a resource), depth {wanted.depth()}")


class _Bench:
    """One AWS on this machine, and the blueprint to deploy there."""

    def __init__(self, registry_file: Path) -> None:
        from sre_agent_deploy.account import local
        from sre_agent_deploy.account.account import Account
        from sre_agent_deploy.commands.plan import draw_blueprint
        from sre_agent_deploy.config.load import load

        config = load(CONFIG, environ={}, mode="local")
        assert not isinstance(config, tuple), config
        registry = local.parse_registry(registry_file, json.loads(registry_file.read_text()))
        self.config, self.place, self.trace = config, Account(registry.aws(config.aws.region), registry), Trace()
        drawn = draw_blueprint(config, self.place, None)
        self.wanted = Traced(drawn.deployment, drawn.items, drawn.tags, drawn.keep_previous, self.trace)
        for service in SERVICES:
            self.trace.watch(self.place.aws.client(service))

    def deploy(self, wanted: Traced, state_file: Path) -> tuple[float, float]:
        """Seconds that applying took, and seconds that its resources took in sum."""
        from sre_agent_deploy.apply import apply
        from sre_agent_deploy.commands.plan import plan_deployment
        from sre_agent_deploy.commands.workspace import open_journal
        from sre_agent_deploy.journal.store import FileStore

        store = FileStore(state_file)
        journal = open_journal(wanted.deployment, config=self.config, config_file=CONFIG, account=self.place, store=store, state=None)
        plan = plan_deployment(self.place, wanted, None)
        assert not plan.problems, plan.problems
        self.trace.restart()
        work: list[float] = []
        took, outcome = _timed(lambda: apply(self.place.aws, wanted, plan, journal, lambda event: work.append(event.seconds)))
        assert not outcome.problems, outcome.problems
        return took, sum(work)

    def clean_up(self) -> None:
        """Take everything back, by its tags."""
        from sre_agent_deploy.engine.delete import clean_up

        problems = clean_up(self.place.aws, self.wanted.deployment, None).problems
        assert not problems, problems

    def look(self, state_file: Path) -> tuple[float, int]:
        """Seconds that a survey took which finds nothing to do, and how many mutating calls were made."""
        from sre_agent_deploy.commands.plan import plan_deployment
        from sre_agent_deploy.journal.state import State
        from sre_agent_deploy.journal.store import FileStore

        state = FileStore(state_file).load()
        assert isinstance(state, State)
        self.trace.restart()
        took, plan = _timed(lambda: plan_deployment(self.place, self.wanted, state))
        assert plan.nothing_to_do, plan
        reads = ("Get", "List", "Describe", "Head")
        return took, sum(number for operation, number in self.trace.operations.items() if not operation.startswith(reads))


def _timed[T](work: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def _with_targets(wanted: Traced, number: int) -> Traced:
    """The same blueprint with so many gateway targets, all reading the documents that are there."""
    first = [item for item in wanted.items if item.name.startswith("target_")]
    more = [first[extra % len(first)] for extra in range(number - len(first))]
    return dataclasses.replace(wanted, items=(*wanted.items, *(_copy(item, extra) for extra, item in enumerate(more))))


def _copy(item: Item, extra: int) -> Item:
    """The same gateway target once more, under another name."""
    target = item.resource
    assert isinstance(target, GatewayTarget)
    return dataclasses.replace(item, resource=dataclasses.replace(target, name=f"{item.name}_{extra}", target_name=f"more-{extra}"))


@contextmanager
def _aws(state_dir: Path, *, faults: bool) -> Iterator[_Bench]:
    """An AWS whose instances do not boot, as slow as the table says or as quick as it can; it ends with the block."""
    state_dir.mkdir()
    options = ["--no-boot"]
    if faults:
        (state_dir / "latencies.json").write_text(json.dumps(rules()))
        options += ["--faults", str(state_dir / "latencies.json")]
    # The certificate authority of local mode is made in the state folder: the user's own stays untouched.
    os.environ["SRE_AGENT_STATE_DIR"] = str(state_dir)
    program = [sys.executable, "-m", "embedded_aws"]
    subprocess.run([*program, "start", "--state-dir", str(state_dir), *options], check=True, capture_output=True)
    try:
        yield _Bench(state_dir / "embedded-aws.json")
    finally:
        subprocess.run([*program, "stop", "--state-dir", str(state_dir)], check=True, capture_output=True)
