"""The command `sre-agent`: ask the deployed assistant, show evidence, or serve the assistant.

Imports of more than the standard library and click are late: `--help` must not pay for them.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import click

from sre_agent.cli.asking import Options, ask_once, parse_prompt, read_question
from sre_agent.cli.problems import report_problems, show_problems
from sre_core import exit_codes

_WITH_VALUE = (
    "--prompt",
    "--query",
    "--provider",
    "--deployment",
    "--connection",
    "--output-dir",
    "--since",
    "--namespace",
    "--service",
    "--reasoner",
)


class Questions(click.Group):
    """Takes a question without `--prompt`, before or after options: what has a space or a question mark in it is no command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        found = None if _has_command(self, args) else _find_question(args)
        if found is not None:
            args = [*args[:found], "--prompt", *args[found:]]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found or ctx.resilient_parsing:
            return found
        said = f"`{cmd_name}` is no command, and one word is no question" if cmd_name.strip() else "The question is empty"
        raise click.UsageError(f'{said}. Ask like this: sre-agent "Why do orders fail?"', ctx)


def _find_question(args: list[str]) -> int | None:
    """Return the position of the question; None where nothing is one, or where more than one word could be."""
    values = {place + 1 for place, word in enumerate(args) if word in _WITH_VALUE}
    found = [place for place, word in enumerate(args) if place not in values and not word.startswith("-")]
    return found[0] if len(found) == 1 and {" ", "?"} & set(args[found[0]].strip()) else None


def _has_command(group: click.Group, args: list[str]) -> bool:
    return any(word in group.commands for word in args)


_EXIT_CODES = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in exit_codes.MEANINGS.items())


@click.group(cls=Questions, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXIT_CODES)
@click.option("--prompt", "--query", "prompt", metavar="TEXT", help="Ask the deployed assistant, for example: Why do orders fail?")
@click.option("--since", default="", metavar="TIME", help="Look from this time on: 2h, 14:00, yesterday, 2026-11-22T14:35:40Z.")
@click.option("--namespace", default="", metavar="NAME", help="Look in this namespace; all looks in every one.")
@click.option("--service", default="", metavar="NAME", help="Look at this service.")
@click.option("--reasoner", default="", metavar="NAME", help="Answer with the deployment's language model, or with rules.")
@click.option("--provider", metavar="NAME", help="Accepted from users of the sample; the deployment's configuration names the provider.")
@click.option("--deployment", metavar="NAME", help="Which deployment to ask, by name or id. Needed where there are several.")
@click.option("--connection", metavar="FILE", help="Ask by this connection file instead.")
@click.option(
    "--output-dir", type=click.Path(file_okay=False, path_type=Path), help="Where reports are kept. Default: <state dir>/reports."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
@click.option("--full", is_flag=True, help="Print the whole report instead of the short answer.")
@click.option("-q", "--quiet", is_flag=True, help="Print the answer only.")
@click.option("--interactive", is_flag=True, help="The same as sre-agent chat.")
@click.version_option(package_name="sre-agent", prog_name="sre-agent")
@click.pass_context
def command(
    context: click.Context, /, prompt: str | None, interactive: bool, provider: str | None, **given: str | bool | Path | None
) -> None:
    """Find out what broke, with evidence.

    \b
    sre-agent "Why do orders fail?"            ask (also: --prompt "...", or on standard input)
    sre-agent chat                             ask one question after the other
    sre-agent evidence inv-7c2f91ab-e12        show one observation that an answer cites
    sre-agent report inv-7c2f91ab              show the whole report behind an answer
    """
    options = Options(**given)  # type: ignore[arg-type] # click has made each option's value what its field is
    context.obj = options
    if provider:
        click.echo(f"--provider {provider} was not used: assistant.reasoner of the deployment's configuration decides.", err=True)
    if context.invoked_subcommand and prompt is not None:
        raise click.UsageError(f"--prompt asks a question; it can't be used with the command {context.invoked_subcommand}.")
    if context.invoked_subcommand:
        return
    if interactive:
        context.invoke(chat)
        return
    question = read_question() if prompt is None else prompt
    if question is None:
        click.echo(context.get_help())
        return
    with report_problems(options.as_json):
        ask_once(parse_prompt(question), options)


@command.command()
@click.option("-q", "--quiet", is_flag=True, help="Print the answers only.")
@click.option("--session", default="", metavar="ID", help="Continue this session, here or from another computer.")
@click.pass_obj
def chat(options: Options, quiet: bool, session: str) -> None:
    """Ask one question after the other; each may continue the one before."""
    options = replace(options, quiet=options.quiet or quiet)
    if session and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", session):
        raise click.UsageError("--session takes the id that a chat shows: letters, digits, hyphens and underscores.")
    with report_problems(as_json=False):
        from sre_agent.cli.chat import Chat

        Chat(options, session).run()


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_obj
def reports(options: Options, as_json: bool) -> None:
    """List the kept reports, the newest first."""
    from sre_agent import archive

    with report_problems(as_json or options.as_json):
        click.echo(archive.format_list(archive.list_reports(options.reports), as_json=as_json or options.as_json), nl=False)


@command.command()
@click.argument("report_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
@click.pass_obj
def report(options: Options, report_id: str, as_json: bool) -> None:
    """Show the whole report behind an answer."""
    from sre_agent import archive

    with report_problems(as_json or options.as_json):
        click.echo(archive.read_report(options.reports, report_id, as_json=as_json or options.as_json), nl=False)


@command.command()
@click.argument("evidence_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
@click.pass_obj
def evidence(options: Options, evidence_id: str, as_json: bool) -> None:
    """Show one observation: tool, arguments, time and excerpt."""
    from sre_agent import archive

    with report_problems(as_json or options.as_json):
        record = archive.find_evidence(options.reports, evidence_id)
        click.echo(archive.format_evidence(record, as_json=as_json or options.as_json), nl=False)


@command.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for bash, zsh or fish."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(command, {}, "sre-agent", "_SRE_AGENT_COMPLETE").source())


@command.command()
@click.option("--socket", metavar="PATH", help="The Unix socket to answer on.")
@click.option("--port", type=click.IntRange(1, 65535), help="Instead: the port to answer on, without TLS. AgentCore Runtime uses 8080.")
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", show_default=True, help="With --port: the address to answer on.")
def serve(socket: str | None, port: int | None, host: str) -> None:
    """Serve the assistant (this is what runs on the instance, or in a container of AgentCore Runtime)."""
    if (socket is None) == (port is None):
        raise click.UsageError("say where to answer: --socket PATH, or --port NUMBER.")
    with report_problems(as_json=False):
        from sre_agent.serve import serve as run

        run(socket, host, port or 0)


def main() -> None:
    """Run a command and turn every way in which it can end into an exit code, without a traceback."""
    try:
        # click returns the code of an Exit that a command has raised.
        if code := command.main(prog_name="sre-agent", standalone_mode=False):
            sys.exit(code)
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
        show_problems((problem,), as_json=False)
        sys.exit(exit_codes.FAILED)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        sys.exit(exit_codes.INTERRUPTED)
