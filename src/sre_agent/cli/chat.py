"""`sre-agent chat`: questions one after the other, each of which may continue the one before."""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING

import click

from sre_agent.cli.asking import Options, ask_in_session, choose_deployment, keep_and_print, require_readable
from sre_agent.cli.problems import show_problems
from sre_core.problem import Refused
from sre_core.state_folder import state_folder

if TYPE_CHECKING:
    from sre_agent.ask import Reply

HELP = """Ask in English. A question may leave out what the one before named: "and its logs?"
/agents    what can be looked at
/history   the questions of this session
/save      keep the last report, and say where
/clear     start again: the next question continues nothing
/exit      end (or Ctrl-D)"""
AGENTS = """Kubernetes: pods, workloads, services, nodes, events, changes
Logs: lines, errors, patterns
Metrics: error rates, latency, memory, CPU, availability
Runbooks: steps, escalation, commands (never executed)"""


class Chat:
    """One session at a terminal, or with questions from a file."""

    def __init__(self, options: Options, session: str = "") -> None:
        self._options = options
        require_readable(options)
        self._chosen = choose_deployment(options)
        self._session = session or _new_session()
        self._last: Reply | None = None

    def run(self) -> None:
        """Read questions until /exit or the end of the input."""
        if not self._options.quiet:
            click.echo(f"Deployment {self._chosen.deployment_id}. /help says what can be typed, /exit ends.", err=True)
            click.echo(f"Continue this session later, here or elsewhere: sre-agent chat --session {self._session}", err=True)
        while (line := _read_line(self._options.quiet)) is not None and line != "/exit":
            if line.startswith("/"):
                self._command(line)
            elif line:
                self._ask(line)

    def _ask(self, line: str) -> None:
        try:
            self._last = ask_in_session(self._chosen, line, self._options, session=self._session, named=True)
        except Refused as refused:
            show_problems(refused.problems, as_json=False)
            return
        keep_and_print(self._last, self._options)

    def _command(self, line: str) -> None:
        if line == "/history":
            self._show_history()
        elif line == "/clear":
            self._session = _new_session()
            click.echo("The next question continues nothing.")
        elif line == "/save":
            self._save()
        else:
            click.echo({"/help": HELP, "/agents": AGENTS}.get(line, f"There is no {line}.\n{HELP}"))

    def _show_history(self) -> None:
        from sre_agent.sessions.sqlite import SqliteSessions

        turns = SqliteSessions(state_folder()).turns(self._session)
        if isinstance(turns, tuple):
            click.echo("\n".join(f"{turn.at} {turn.report} {turn.prompt}" for turn in turns) or "Nothing was asked yet.")
        else:
            show_problems((turns,), as_json=False)

    def _save(self) -> None:
        from sre_agent import archive

        if self._last is None:
            click.echo("Nothing was asked yet.")
            return
        try:
            click.echo(f"Kept in {archive.save_report(self._options.reports, self._last)}")
        except Refused as refused:
            show_problems(refused.problems, as_json=False)


def _new_session() -> str:
    # Who knows it can continue the session.
    return f"chat-{secrets.token_hex(16)}"


def _read_line(quiet: bool) -> str | None:
    try:
        return input("" if quiet and not sys.stdin.isatty() else "> ").strip()
    except EOFError:
        return None
