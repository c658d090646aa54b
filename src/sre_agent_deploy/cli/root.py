"""The root command. The mission's flags (`--config`, `--validate-only`, …) are the same commands in another spelling."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from sre_agent_deploy.cli.help import COMMANDS_ELSEWHERE, GROUPS, explain_extra_words, render_codes, render_epilog, translate_options
from sre_core import exit_codes

# Name -> where it is, and one line of help. The module is imported only when its command is used, so that --help stays quick.
COMMANDS = {
    "init": ("init.init", "Write a commented config.yaml to begin with, or be asked for it step by step."),
    "deploy": ("deploy.deploy", "Take a configuration to a verified, running deployment."),
    "validate": ("config.validate", "Check a configuration and show every fault in it; changes nothing."),
    "doctor": ("init.doctor", "Check variables, programs and credentials that a deployment needs; changes nothing."),
    "schema": ("config.schema", "Print the JSON Schema of config.yaml."),
    "plan": ("deploy.plan", "Show what a deployment would change, and why; changes nothing."),
    "costs": ("config.costs", "Estimate what a configuration costs a month, and why; asks nobody."),
    "resume": ("deploy.resume", "Go on with an interrupted deployment."),
    "rollback": ("deploy.rollback", "Return to the machine before the last update."),
    "verify": ("deploy.verify", "Prove again that a deployment works, and write the report."),
    "status": ("status.status", "Show what the last run left, and how to go on."),
    "history": ("status.history", "Show who did what to a deployment, when, and how it ended."),
    "audit": ("status.audit", "List every refused access together with who changed the deployment."),
    "alarms": ("status.alarms", "List the alarms of a deployment, what they mean and what to do first; `alarms test` proves they arrive."),
    "readiness": ("status.readiness", "Ask the real deployment whether it is ready for production."),
    "maintenance": ("status.maintenance", "Show what is due when, derived from what is deployed."),
    "list": ("deployments.list_deployments", "List the deployments of this machine; with --account also those that only AWS knows."),
    "output": ("deployments.output", "Print addresses, ids and, by name, secrets of a deployment."),
    "logs": ("deployments.logs", "Show what the services log."),
    "exec": ("deployments.exec_command", "Run a command on the instance, or open a shell, through Session Manager."),
    "ssh": ("deployments.ssh", "Open a shell on the instance through Session Manager."),
    "rotate": ("deploy.rotate", "Exchange API key, client secrets or private authority without a failed request."),
    "certs": ("status.certs", "Show the certificate that is served: issuer, days left and next renewal."),
    "open": ("deployments.open_url", "Open the assistant's address in the browser."),
    "state": ("deployments.state", "List, show, adopt, forget or delete single resources of the state."),
    "unlock": ("status.unlock", "Take a lock away from an owner that is dead."),
    "cleanup": ("deploy.cleanup", "Delete everything of a deployment."),
    "guide": ("config.guide", "Print the steps to make the same deployment in the AWS Console."),
    "iam-policy": ("config.iam_policy", "Print the policies of the identity that deploys, narrowed to the deployment."),
    "export": ("config.export", "Print the same deployment as a CloudFormation template."),
    "set": ("config.set_values", "Change one setting; comments, order and formatting of the rest stay."),
    "migrate": ("config.migrate", "Bring older configurations, and the files of the sample, to the current config.yaml."),
    "backup": ("backup.backup", "Keep every setting in one portable file; with --data, also what the deployment holds in AWS."),
    "restore": ("backup.restore", "Take a configuration, or with --data a whole deployment, back out of a backup."),
    "explain": ("help.explain", "Explain a problem by its code."),
    "completion": ("help.completion", "Print the completion script for bash, zsh or fish."),
}


class Commands(click.Group):
    """Loads a command's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS and ctx.resilient_parsing:
            return None
        if cmd_name not in COMMANDS:
            raise click.UsageError(f"There is no command {cmd_name}. {_suggest(cmd_name)}", ctx)
        module, _, function = COMMANDS[cmd_name][0].partition(".")
        command: click.Command = getattr(import_module(f"sre_agent_deploy.cli.{module}"), function)
        command.epilog = render_epilog(cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group, names in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name, COMMANDS[name][1]) for name in names])


def _suggest(word: str) -> str:
    from sre_core.nearest import find_nearest

    if word in COMMANDS_ELSEWHERE:
        return f"Here it is `sre-agent-deploy {COMMANDS_ELSEWHERE[word]}`."
    alike = find_nearest(word, COMMANDS)
    return f"Did you mean {alike}?" if alike else "See --help."


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog=f"\b\nExit codes:\n{render_codes()}",
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The configuration file; with no other flag: deploy it.")
@click.option("--mode", type=click.Choice(["production", "local"]), help="Where to; overrides the mode in the configuration.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="With --mode local: deploy over the cluster of this kubeconfig.")
@click.option("--prometheus", metavar="URL", help="With --kubeconfig: the metrics of that cluster.")
@click.option("--validate-only", is_flag=True, help="Same as `validate`.")
@click.option("--interactive", is_flag=True, help="Same as `init --interactive`: be asked for a configuration.")
@click.option("--resume", "resume_flag", is_flag=True, help="Same as `resume`.")
@click.option("--state-file", type=click.Path(path_type=Path), help="The state file (default: .deployment_state).")
@click.option("--cleanup", "cleanup_flag", is_flag=True, help="Same as `cleanup`.")
@click.option("--deployment-id", help="Which deployment to clean up.")
@click.option("--yes", is_flag=True, help="Don't ask before deleting.")
@click.option("--json", "as_json", is_flag=True, help="Events and results as JSON lines.")
@click.version_option(package_name="sre-agent", prog_name="sre-agent-deploy")
@click.pass_context
def root(ctx: click.Context, /, **flags: Any) -> None:
    """Take a config.yaml to a verified, running, HTTPS-only SRE assistant on AWS EC2 - or, with --mode local, on this machine."""
    given = {name for name, value in flags.items() if value}
    if ctx.invoked_subcommand:
        if given:
            spelled = ", ".join(_spell(name) for name in sorted(given))
            raise click.UsageError(f"{spelled} is in front of `{ctx.invoked_subcommand}` and would be ignored; put it after the command.")
        return
    name, options = _parse_flags(flags, given)
    if name is None:
        click.echo(ctx.get_help())
        return
    if "kubeconfig" in options:
        options["config_file"] = _write_configuration(options.pop("kubeconfig"), options.pop("prometheus", None))
    command = ctx.command.get_command(ctx, name)  # type: ignore[attr-defined]  # the group above
    ctx.invoke(command, **options)


_FLAGS = {"validate_only": "validate", "interactive": "init", "resume_flag": "resume", "cleanup_flag": "cleanup"}
_TAKES = {
    "init": {"config_file", "mode"},
    "deploy": {"config_file", "mode", "state_file", "yes", "as_json", "kubeconfig", "prometheus"},
    "validate": {"config_file", "mode", "as_json"},
    "resume": {"config_file", "mode", "state_file", "yes", "as_json"},
    "cleanup": {"config_file", "mode", "state_file", "deployment_id", "yes", "as_json"},
}


def _parse_flags(flags: dict[str, Any], given: set[str]) -> tuple[str | None, dict[str, Any]]:
    """Translate flags into a command and its options. Flags that the command would ignore are refused."""
    verbs = [command for flag, command in _FLAGS.items() if flag in given]
    if len(verbs) > 1:
        raise click.UsageError(f"{' and '.join(map(_spell, sorted(given & _FLAGS.keys())))} are different commands; give one.")
    if not verbs and not given:
        return None, {}
    verb = verbs[0] if verbs else "deploy"
    options = {name: value for name, value in flags.items() if name in given and name not in _FLAGS}
    if ignored := options.keys() - _TAKES[verb]:
        raise click.UsageError(f"{', '.join(map(_spell, sorted(ignored)))} is no option of `{verb}` and would be ignored.")
    if verb == "init":
        options["interactive"] = True
    _check_own_cluster(options, given)
    if verb == "deploy" and not given & {"config_file", "kubeconfig"}:
        raise click.UsageError("say what to deploy: --config config.yaml; or a command, see --help.")
    return verb, options


def _check_own_cluster(options: dict[str, Any], given: set[str]) -> None:
    """Refuse what --kubeconfig and --prometheus would ignore."""
    if "prometheus" in given and "kubeconfig" not in given:
        raise click.UsageError("--prometheus needs --kubeconfig; in a configuration, set services.metrics.")
    if "kubeconfig" in given and (options.get("mode") != "local" or "config_file" in given):
        raise click.UsageError("--kubeconfig needs --mode local and no --config: it writes a config.yaml of its own.")


def _write_configuration(kubeconfig: Path, prometheus: str | None) -> Path:
    """Write config.yaml for a cluster of the user's own, unless it is there already."""
    from sre_agent_deploy.commands import CONFIG
    from sre_agent_deploy.config.template import write_configuration

    if write_configuration(CONFIG, kubeconfig, prometheus):
        click.echo(f"Wrote {CONFIG}.", err=True)
    return CONFIG


def _spell(name: str) -> str:
    return "--" + name.removesuffix("_flag").removesuffix("_file" if name == "config_file" else "").removeprefix("as_").replace("_", "-")


def main(
    arguments: list[str] | None = None, command: click.Command = root, prog_name: str = "sre-agent-deploy", obj: object = None
) -> None:
    """Run a command and exit with its code. What a user can meet is a Problem; any other exception is our bug and keeps its traceback."""
    try:
        _run(sys.argv[1:] if arguments is None else arguments, command, prog_name, obj)
    except OSError as error:
        sys.exit(_show_refused_file(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nInterrupted. What was changed, if anything, is recorded: `sre-agent-deploy status` says how to go on.", err=True)
        sys.exit(exit_codes.INTERRUPTED)


def _run(arguments: list[str], command: click.Command, prog_name: str, obj: object) -> None:
    from sre_core.problem import Refused

    try:
        color = False if os.environ.get("NO_COLOR") else None
        # click returns the code of an Exit that a command has raised.
        if code := command.main(arguments, prog_name=prog_name, standalone_mode=False, color=color, obj=obj):
            sys.exit(code)
    except click.UsageError as error:
        if isinstance(error, click.NoSuchOption) and (known := translate_options(arguments)):
            error = click.UsageError(known, error.ctx)
        elif explanation := explain_extra_words(error):
            error = click.UsageError(explanation, error.ctx)
        error.show()
        sys.exit(exit_codes.USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(exit_codes.FAILED)
    except Refused as refused:
        from sre_agent_deploy.cli.render import show_problems
        from sre_agent_deploy.progress import was_interrupted

        show_problems(refused.problems, as_json="--json" in arguments)
        sys.exit(exit_codes.INTERRUPTED if was_interrupted(refused.problems) else exit_codes.FAILED)


def _show_refused_file(error: OSError) -> int:
    """Show that the system refused a file or the output, and return the exit code. A closed pipe needs no message."""
    from sre_agent_deploy.cli.render import show_problems
    from sre_core import file_error, output

    problem = file_error.file_problem(error)
    if problem is None and not isinstance(error, BrokenPipeError):
        raise error
    output.discard_stdout()
    show_problems((problem,) if problem else ())
    return exit_codes.FAILED
