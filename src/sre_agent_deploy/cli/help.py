"""Add to `--help`: the groups of commands, examples, and exit codes; and the commands `explain` and `completion`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import click

from sre_core import exit_codes
from sre_core.problem import Problem, Refused

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Configure": ("init", "validate", "set", "schema", "doctor", "migrate", "backup", "restore"),
    "Deploy": ("plan", "costs", "deploy", "resume", "rollback", "verify", "rotate", "cleanup"),
    "Look": ("list", "status", "alarms", "output", "logs", "exec", "ssh", "open", "certs", "history", "audit", "readiness", "maintenance"),
    "Repair": ("state", "unlock", "explain"),
    "Hand over": ("guide", "export", "iam-policy", "completion"),
}

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "init": ("init --mode local", "init --interactive"),
    "validate": ("validate --config config.yaml", "validate --account"),
    "set": ("set deployment.instance_type m6i.xlarge",),
    "schema": ("schema > config.schema.json",),
    "doctor": ("doctor --mode local",),
    "migrate": ("migrate --help",),
    "backup": ("backup", "backup --list", "backup --data --passphrase-file FILE", "backup --list --data", "backup --check BACKUP"),
    "restore": ("restore BACKUP --dry-run", "restore BACKUP --data --dry-run", "restore BACKUP --data --passphrase-file FILE"),
    "plan": ("plan", "plan --out deployment.plan", "plan --target gateway"),
    "costs": ("costs", "costs --config config.yaml --json"),
    "deploy": (
        "deploy --config config.yaml",
        "deploy deployment.plan",
        "deploy --target gateway",
        "deploy --manual dns_record",
        "deploy --yes --json",
    ),
    "resume": ("resume", "resume --on-failure rollback"),
    "rollback": ("rollback", "rollback --yes"),
    "verify": ("verify", "verify --report report.html --report results.xml", "verify --watch --every 5m", "verify --deployment NAME"),
    "cleanup": ("cleanup --dry-run", "cleanup --deployment NAME", "cleanup --older-than 24h --yes"),
    "list": ("list", "list --account --json"),
    "status": ("status", "status --deployment NAME"),
    "alarms": ("alarms", "alarms test"),
    "output": ("output", "output assistant_url", "output --json"),
    "logs": ("logs -f", "logs metrics -n 20", "logs boot"),
    "exec": ("exec uptime", "exec ls /opt/sre-agent"),
    "ssh": ("ssh", "ssh --deployment NAME"),
    "open": ("open",),
    "rotate": ("rotate api-key", "rotate client-secret --overlap 24h", "rotate all"),
    "certs": ("certs", "certs --deployment NAME", "certs --json"),
    "history": ("history",),
    "audit": ("audit", "audit --since 7d --json"),
    "readiness": ("readiness", "readiness --markdown", "readiness --html > readiness.html"),
    "maintenance": ("maintenance", "maintenance --ics > maintenance.ics"),
    "state": ("state list", "state show gateway", "state adopt NAME ID"),
    "unlock": ("unlock",),
    "explain": ("explain S3-NAME-TAKEN", "explain --list"),
    "guide": ("guide --out by-hand", "guide --interactive", "guide --interactive --step gateway", "guide > guide.md"),
    "iam-policy": ("iam-policy --mode production", "iam-policy --out policies"),
    "export": ("export cloudformation > template.json",),
    "completion": ("completion bash > ~/.local/share/bash-completion/completions/sre-agent-deploy", "completion zsh", "completion fish"),
}

COMMANDS_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("apply", "setup", "up", "update", "upgrade"), "deploy"),
    **dict.fromkeys(("destroy", "remove", "delete", "down", "teardown"), "cleanup"),
    "import": "state adopt",
    "show": "state show",
    "force-unlock": "unlock",
    "details": "status",
    "refresh": "plan",
    "help": "--help",
}
"""What commands of OpenTofu, Kamal and others are called here."""

OPTIONS_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("-auto-approve", "--auto-approve", "--force", "-y"), "--yes"),
    "-json": "--json",
    "-destroy": "cleanup --dry-run",
    "-state": "--state-file",
    "-raw": "output NAME, which prints the value alone",
    "-detailed-exitcode": "plan, which ends with 2 where there are changes",
}


def translate_options(arguments: Sequence[str]) -> str:
    """Say what the first option that another tool has is called here; nothing where there is none."""
    names = [word.partition("=")[0] for word in arguments]
    return next((f"There is no option {name}. Here it is {OPTIONS_ELSEWHERE[name]}." for name in names if name in OPTIONS_ELSEWHERE), "")


def explain_extra_words(error: click.UsageError) -> str:
    """Say which option takes a word that a command has no place for; nothing where it has no such option."""
    extra = re.match(r"Got unexpected extra arguments? \((\S+)", error.message)
    if not extra or not error.ctx:
        return ""
    word = extra[1].rstrip(")")
    taken = {name for parameter in error.ctx.command.params for name in parameter.opts}
    wanted = ("--config",) if word.endswith((".yaml", ".yml", ".json")) else ("--deployment", "--deployment-id")
    option = next((name for name in wanted if name in taken), "")
    return f"{error.message}. Did you mean `{error.ctx.command_path} {option} {word}`?" if option else ""


def render_codes() -> str:
    """List the exit codes in one line each."""
    return "\n".join(f"  {code:<4} {meaning}" for code, meaning in exit_codes.MEANINGS.items())


def render_epilog(name: str) -> str:
    """Render the examples of a command and the exit codes of all."""
    examples = "\n".join(f"  sre-agent-deploy {example}" for example in EXAMPLES[name])
    return f"\b\nExamples:\n{examples}\n\n\b\nExit codes:\n{render_codes()}"


@click.command("explain", help="Explain a problem by its code: what it means, why it happens, what to do.")
@click.argument("code", required=False)
@click.option("--list", "listing", is_flag=True, help="Show every code with its meaning.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def explain(code: str | None, listing: bool, as_json: bool) -> None:
    if bool(code) == listing:
        raise click.UsageError("give one code, for example: sre-agent-deploy explain S3-NAME-TAKEN; or --list.")
    _show_one(code, as_json=as_json) if code else _show_all(as_json=as_json)


def _show_one(code: str, *, as_json: bool) -> None:
    from sre_agent_deploy.commands.explain import find_page

    found = find_page(code)
    if isinstance(found, Problem):
        raise Refused(found)
    click.echo(json.dumps({"code": found.code, "page": found.text}) if as_json else found.text.rstrip())


def _show_all(*, as_json: bool) -> None:
    from sre_agent_deploy.commands.explain import Page, find_page, list_codes

    pages = [found for code in list_codes() if isinstance(found := find_page(code), Page)]
    if as_json:
        click.echo(json.dumps({found.code: found.summary for found in pages}))
        return
    width = max((len(found.code) for found in pages), default=0)
    for found in pages:
        click.echo(f"{found.code:{width}}  {found.summary}")


@click.command("completion", help="Print the script by which a shell completes commands and options. Load it in the shell's start file.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "sre-agent-deploy", "_SRE_AGENT_DEPLOY_COMPLETE").source())
