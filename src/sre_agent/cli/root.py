"""The command `sre-agent`: ask the deployed assistant, show evidence, or serve the assistant.

Imports of more than the standard library and click are late: `--help` must not pay for them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_core import exit_codes
from sre_core.problem import Problem, Refused
from sre_core.state_folder import state_folder

if TYPE_CHECKING:
    from sre_agent.ask import Reply


@dataclass(frozen=True)
class Options:
    """The options before the command, which all commands share."""

    deployment: str | None
    connection: str | None
    output_dir: Path | None
    as_json: bool
    full: bool = False

    @property
    def reports(self) -> Path:
        """The folder in which reports are kept."""
        return self.output_dir or state_folder() / "reports"


class Questions(click.Group):
    """Takes a question without `--prompt`: what has a space in it is no command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and " " in args[-1].strip() and (len(args) == 1 or args[-2] not in _WITH_VALUE) and not _has_command(self, args):
            args = [*args[:-1], "--prompt", args[-1]]
        return super().parse_args(ctx, args)


_WITH_VALUE = ("--prompt", "--deployment", "--connection", "--output-dir")


def _has_command(group: click.Group, args: list[str]) -> bool:
    return any(word in group.commands for word in args)


@click.group(cls=Questions, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--prompt", metavar="TEXT", help="Ask the deployed assistant, for example: Why do orders fail?")
@click.option("--deployment", metavar="ID", help="Which deployment to ask. Default: the newest.")
@click.option("--connection", metavar="FILE", help="Ask by this connection file instead.")
@click.option(
    "--output-dir", type=click.Path(file_okay=False, path_type=Path), help="Where reports are kept. Default: <state dir>/reports."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
@click.option("--full", is_flag=True, help="Print the whole report instead of the short answer.")
@click.pass_context
def command(
    context: click.Context,
    *,
    prompt: str | None,
    deployment: str | None,
    connection: str | None,
    output_dir: Path | None,
    as_json: bool,
    full: bool,
) -> None:
    """Find out what broke, with evidence.

    \b
    sre-agent "Why do orders fail?"            ask, and print the report (also: --prompt "...")
    sre-agent evidence inv-7c2f91ab-e12        show one observation that the report cites
    """
    context.obj = Options(deployment, connection, output_dir, as_json, full)
    if context.invoked_subcommand and prompt is not None:
        raise click.UsageError(f"--prompt asks a question; it can't be used with the command {context.invoked_subcommand}.")
    if context.invoked_subcommand:
        return
    if prompt is None:
        click.echo(context.get_help())
        return
    with _report_problems(as_json):
        _ask(_parse_prompt(prompt), context.obj)


@command.command()
@click.argument("evidence_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
@click.pass_obj
def evidence(options: Options, evidence_id: str, as_json: bool) -> None:
    """Show one observation: tool, arguments, time and excerpt."""
    from sre_agent import archive

    with _report_problems(as_json or options.as_json):
        record = archive.find_evidence(options.reports, evidence_id)
        click.echo(archive.format_evidence(record, as_json=as_json or options.as_json), nl=False)


@command.command()
@click.option("--socket", required=True, metavar="PATH", help="The Unix socket to answer on.")
def serve(socket: str) -> None:
    """Serve the assistant (this is what runs on the instance)."""
    with _report_problems(as_json=False):
        from sre_agent.serve import serve as run

        run(socket)


def main() -> None:
    """Run a command and turn every way in which it can end into an exit code, without a traceback."""
    try:
        command.main(prog_name="sre-agent", standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.UsageError as error:
        error.show()
        sys.exit(exit_codes.USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OSError as error:
        from sre_core import file_error, output

        problem = file_error.file_problem(error)
        if problem is None:
            raise
        output.discard_stdout()
        _show((problem,), as_json=False)
        sys.exit(exit_codes.FAILED)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        sys.exit(exit_codes.INTERRUPTED)


def _ask(prompt: str, options: Options) -> None:
    """Ask, keep the report, and print it. A report that can't be kept is printed whole, before the Problem."""
    from sre_agent import archive, connection
    from sre_agent.ask import ask

    chosen = connection.choose(file=options.connection, deployment=options.deployment, state=state_folder())
    click.echo(f"Asking {chosen.assistant_url} (deployment {chosen.deployment_id}) …", err=True)
    reply = ask(chosen, prompt)
    try:
        saved = archive.save_report(options.reports, reply)
    except Refused as refused:
        click.echo(archive.format_report(reply) if options.as_json else reply.markdown, nl=False)
        # Not as JSON: standard output already holds the report.
        _show(refused.problems, as_json=False)
        sys.exit(exit_codes.FAILED)
    _print_report(reply, saved, options)


def _print_report(reply: Reply, saved: Path, options: Options) -> None:
    from sre_agent.archive import format_report
    from sre_agent.render import cut_evidence

    shown = cut_evidence(reply.markdown) if options.full else reply.message
    click.echo(format_report(reply) if options.as_json else shown, nl=False)
    click.echo(f"\nThe whole report, with its evidence, is kept in {saved}", err=True)
    if reply.citations:
        flag = f" --output-dir {options.output_dir}" if options.output_dir else ""
        click.echo(f"Next: sre-agent{flag} evidence {reply.citations[0]}", err=options.as_json)


def _parse_prompt(prompt: str) -> str:
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


@contextmanager
def _report_problems(as_json: bool) -> Iterator[None]:
    """Print Problems as text or JSON and end the command with status 1."""
    try:
        yield
    except Refused as refused:
        _show(refused.problems, as_json)
        sys.exit(exit_codes.FAILED)
    except OSError as error:
        from sre_core import file_error

        # An error without a file is about standard output: `main` handles it, because nothing can be printed there.
        problem = file_error.file_problem(error) if error.filename else None
        if problem is None:
            raise
        _show((problem,), as_json)
        sys.exit(exit_codes.FAILED)


def _show(problems: tuple[Problem, ...], as_json: bool) -> None:
    import json

    if as_json:
        click.echo(json.dumps({"problems": [problem.to_json() for problem in problems]}, indent=2))
        return
    click.echo("\n\n".join(map(str, problems)), err=True)
