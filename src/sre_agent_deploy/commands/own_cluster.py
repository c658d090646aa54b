"""Write the configuration of the short way: the assistant on this machine, over a cluster of one's own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sre_agent_deploy.config.load import load_text
from sre_agent_deploy.config.read_text import read_text
from sre_core import atomic_file
from sre_core.problem import Problem, Refused, Where

NAME = "own"


def write_configuration(path: Path, kubeconfig: Path, prometheus: str | None) -> bool:
    """Write the configuration and return True; False where the same is there already.

    Raises Refused where it would not be valid, and where another configuration is there: that is never replaced.
    """
    text = "\n".join((*_lines(kubeconfig.expanduser().absolute(), prometheus), ""))
    if path.exists():
        if read_text(path) == text:
            return False
        raise Refused(_another(path))
    loaded = load_text(path, text, environ=os.environ, mode="local")
    if isinstance(loaded, tuple):
        raise Refused(*_drop_repeated([_name_flag(problem, text) for problem in loaded]))
    atomic_file.write(path, text.encode(), mode=0o644)
    return True


def _lines(kubeconfig: Path, prometheus: str | None) -> Iterator[str]:
    reference = json.dumps(f"file:{kubeconfig}")
    yield "# The SRE assistant on this machine, over a cluster of your own, which it only reads."
    yield "#   sre-agent-deploy deploy --config THIS_FILE"
    yield from ("version: 1", "mode: local", f"name: {NAME}", "services:")
    for service in ("kubernetes", "logs"):
        yield from (f"  {service}:", "    - source: kubeconfig", f"      kubeconfig: {reference}")
    if prometheus:
        yield from ("  metrics:", "    - source: prometheus", f"      url: {json.dumps(prometheus)}")


def _name_flag(problem: Problem, text: str) -> Problem:
    """Name the flag instead of a place in a file that was not written."""
    line = text.splitlines()[problem.where.line - 1].strip() if problem.where and problem.where.line else ""
    flag = {"url": "--prometheus", "kubeconfig": "--kubeconfig"}.get(line.partition(":")[0])
    return replace(problem, what=f"{flag} can't have this value.", where=Where(flag)) if flag else problem


def _drop_repeated(problems: list[Problem]) -> list[Problem]:
    """Keep each problem once: one value is written for the cluster and for its logs."""
    return [problem for at, problem in enumerate(problems) if problem not in problems[:at]]


def _another(path: Path) -> Problem:
    return Problem(
        code="OWN-CLUSTER-CONFIG-EXISTS",
        what=f"{path} is there already, and was not changed.",
        why="It is not the configuration that --kubeconfig and --prometheus would write.",
        do=(
            f"To use it, set the sources below services in it, and run: sre-agent-deploy deploy --config {path}",
            "Or run the same command in an empty folder.",
        ),
    )
