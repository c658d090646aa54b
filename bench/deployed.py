"""`python -m bench.deployed`: how long a deployed assistant takes for one question and fifty at once, and whose processor time that is."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import httpx2

from sre_agent import aws, transport
from sre_agent.connection import Connection, choose
from sre_agent.oidc import Discovery
from sre_agent.tokens import BearerAuth, Client, TokenSource
from sre_core.state_folder import state_folder

AT_ONCE = 50
_ALONE = 7
_PROMPT = "What is wrong?"
_OTHERS = (
    _PROMPT,
    "Why is the checkout service failing?",
    "What broke in shop?",
    "Why does payment-service restart?",
    "Errors at frontend since an hour, why?",
)
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@click.command()
@click.option("--connection", metavar="FILE", help="Ask by this connection file.")
@click.option("--deployment", metavar="NAME", help="Which deployment to ask, where there are several.")
@click.option("--at-once", default=AT_ONCE, show_default=True, help="How many investigations are asked for at the same time.")
def main(connection: str | None, deployment: str | None, at_once: int) -> None:
    """Measure a deployment that runs. On an idle machine: at most 0.4 s for one, and 8 s for fifty.

    Fifty ask the same, as in an incident, and then different questions: the same call of several questions at a time is sent once.
    """
    chosen = choose(file=connection, deployment=deployment, state=state_folder())
    asyncio.run(_measure(chosen, at_once))


async def _measure(connection: Connection, at_once: int) -> None:
    secret = aws.read_client_secret(connection.client_secret, connection.registry)
    async with transport.create_client(ca_file=connection.ca_file, seconds=300.0, proxies=not connection.is_local) as http:
        discovery = Discovery(http, connection.oidc_discovery_url)
        tokens = TokenSource(http, discovery, Client(connection.client_id, secret, connection.scope), connection.prefix_token_endpoint)
        http.auth = BearerAuth(tokens)
        await _ask(http, connection)  # the first one opens connections and warms caches, as in a process that serves
        _say("one alone, median", await _take(http, connection, [1] * _ALONE, (_PROMPT,)))
        _say(f"{at_once} at once", await _take(http, connection, [at_once], (_PROMPT,)))
        _say(f"{at_once} different ones at once", await _take(http, connection, [at_once], _OTHERS))


class _Process(NamedTuple):
    number: int
    parent: int
    command: str
    seconds: float


type Times = dict[str, float]
type Taken = tuple[float, Times, list[int]]


async def _take(http: httpx2.AsyncClient, connection: Connection, rounds: list[int], prompts: tuple[str, ...]) -> Taken:
    """Ask in rounds, and return the median of their seconds, the processor time of one round, and the pieces of evidence of each answer."""
    before, seconds, evidence = _processor_times(connection), [], []
    for number in rounds:
        started = time.perf_counter()
        evidence += await asyncio.gather(*(_ask(http, connection, prompts[each % len(prompts)]) for each in range(number)))
        seconds.append(time.perf_counter() - started)
    used = {name: (spent - before.get(name, 0.0)) / len(rounds) for name, spent in _processor_times(connection).items()}
    return statistics.median(seconds), used, evidence


async def _ask(http: httpx2.AsyncClient, connection: Connection, prompt: str = _PROMPT) -> int:
    response = await http.post(connection.invocations_url, json={"input": {"prompt": prompt}})
    response.raise_for_status()
    return len(response.json()["output"]["report"]["evidence"])


def _say(what: str, taken: Taken) -> None:
    seconds, used, evidence = taken
    click.echo(
        f"{what}: {seconds:.2f} s; {min(evidence)} to {max(evidence)} pieces of evidence; processor time {sum(used.values()):.2f} s:"
    )
    for name, share in sorted(used.items(), key=lambda found: -found[1]):
        if share >= 0.01:
            click.echo(f"  {share:6.2f} s  {name}")


def _processor_times(connection: Connection) -> Times:
    """Return the processor time of this program and of the deployment's processes on this machine; nothing without /proc."""
    folder, processes = str(Path(connection.registry).parent) if connection.registry else "", list(_processes())
    ours = {os.getpid(): "this program"}
    ours |= {found.number: "local AWS and its gateway" for found in processes if folder and folder in found.command}
    # The local AWS starts the machine, and the machine its services.
    for _ in range(2):
        ours |= {found.number: _short(found.command) for found in processes if found.parent in ours and found.number not in ours}
    return {f"{ours[found.number]} ({found.number})": found.seconds for found in processes if found.number in ours}


def _processes() -> Iterator[_Process]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        yield _Process(int(process.name), int(fields[1]), line, (int(fields[11]) + int(fields[12])) / _TICKS)


def _short(command: str) -> str:
    """Shorten `python -m sre_services logs --socket …` to `sre_services logs`."""
    return command.partition(" -m ")[2].partition(" --")[0] or "machine"


if __name__ == "__main__":
    main()
