"""Ask the deployed assistant: choose the deployment, send the question with what it continues, keep and print the answer."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent.cli.problems import show_problems
from sre_agent.cli.progress import show_progress
from sre_core import exit_codes
from sre_core.problem import Problem, Refused
from sre_core.state_folder import state_folder

if TYPE_CHECKING:
    from sre_agent.ask import Reply
    from sre_agent.connection import Connection


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options before the command, which all commands share."""

    deployment: str | None = None
    connection: str | None = None
    output_dir: Path | None = None
    as_json: bool = False
    full: bool = False
    quiet: bool = False
    since: str = ""
    namespace: str = ""
    service: str = ""
    reasoner: str = ""

    @property
    def reports(self) -> Path:
        """The folder in which reports are kept."""
        return self.output_dir or state_folder() / "reports"

    @property
    def where(self) -> dict[str, object]:
        """The options that say where and when to look, as they are sent."""
        given = {"since": self.since, "namespace": self.namespace, "service": self.service, "reasoner": self.reasoner}
        return {name: value for name, value in given.items() if value}


def require_readable(options: Options) -> None:
    """Raise Refused if the time that --since names can't be read: the answer would be about another time without a word."""
    from sre_agent.request import is_readable_time

    if not is_readable_time(options.since):
        raise Refused(_since_unreadable(options.since))


def _since_unreadable(since: str) -> Problem:
    return Problem(
        code="SINCE-UNREADABLE",
        what=f"--since {since} names no time. Nothing was asked.",
        why="It takes a length, a time of the day, a day, or a date with a time.",
        do=("Write it like one of these: --since 2h, --since 14:00, --since yesterday, --since 2026-11-22T14:35:40Z.",),
    )


def ask_once(prompt: str, options: Options) -> None:
    """Ask one question; it continues the last one of the last hour where it refers to something that it does not name."""
    require_readable(options)
    chosen = choose_deployment(options)
    if not keep_and_print(ask_in_session(chosen, prompt, options, session=chosen.deployment_id), options):
        sys.exit(exit_codes.FAILED)


def ask_in_session(chosen: Connection, prompt: str, options: Options, *, session: str, named: bool = False) -> Reply:
    """Ask a question of a session, and keep what it was about for the next one; of a `named` session the deployment keeps it, too."""
    from sre_agent.ask import ask
    from sre_agent.sessions.session import CONTINUES_FOR, Turn
    from sre_agent.sessions.sqlite import SqliteSessions

    sessions = SqliteSessions(state_folder())
    last = sessions.last(session)
    before = last if isinstance(last, Turn) and (named or last.is_younger(CONTINUES_FOR)) else None
    if not options.quiet:
        click.echo(f"Asking {chosen.assistant_url} (deployment {chosen.deployment_id}) …", err=True)
    given = {**options.where, **({"before": before.to_json()} if before else {})}
    with show_progress(quiet=options.quiet) as watch:
        reply = ask(chosen, prompt, given, watch, session=session if named else "")
    if (problem := sessions.add(session, Turn.create(prompt, reply.report))) and not options.quiet:
        click.echo(f"{problem.what} {problem.why}", err=True)
    return reply


def choose_deployment(options: Options) -> Connection:
    """Choose the deployment to ask. Where there are several, a person at a terminal is asked; otherwise it must be named."""
    from sre_agent import connection

    state = state_folder()
    known = connection.list_deployments(state) if not options.connection and not options.deployment else ()
    deployment = options.deployment
    if len(known) > 1 and sys.stdin.isatty() and sys.stderr.isatty():
        deployment = click.prompt("Which deployment", type=click.Choice(known), err=True)
    return connection.choose(file=options.connection, deployment=deployment, state=state)


def keep_and_print(reply: Reply, options: Options) -> bool:
    """Keep the report and print the answer. A report that can't be kept is printed whole, before the Problem."""
    from sre_agent import archive

    try:
        saved = archive.save_report(options.reports, reply)
    except Refused as refused:
        click.echo(archive.format_report(reply) if options.as_json else reply.markdown, nl=False)
        # Not as JSON: standard output already holds the report.
        show_problems(refused.problems, as_json=False)
        return False
    _print_answer(reply, saved, options)
    return True


def _print_answer(reply: Reply, saved: Path, options: Options) -> None:
    from sre_agent.archive import format_report
    from sre_agent.render import cut_evidence

    shown = cut_evidence(reply.markdown) if options.full else reply.message
    click.echo(format_report(reply) if options.as_json else shown, nl=False)
    if options.quiet:
        return
    click.echo(f"\nThe whole report, with its evidence, is kept in {saved}", err=True)
    if reply.citations:
        flag = f" --output-dir {options.output_dir}" if options.output_dir else ""
        click.echo(f"Next: sre-agent{flag} evidence {reply.citations[0]}", err=options.as_json)


def read_question() -> str | None:
    """Read a question from standard input where a pipe or a file is there; None where nothing is."""
    try:
        kind = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return None
    if not (stat.S_ISFIFO(kind) or stat.S_ISREG(kind)):
        return None
    return sys.stdin.read() or None


def parse_prompt(prompt: str) -> str:
    """Return the question as text. Bytes that the terminal's character set can't express become a replacement character."""
    text = prompt.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not text.strip():
        raise Refused(_no_question())
    return text


def _no_question() -> Problem:
    return Problem(
        code="PROMPT-EMPTY",
        what="There is no question to ask.",
        why="The text after --prompt is empty.",
        do=('Ask something: sre-agent --prompt "What is wrong right now?"',),
    )
