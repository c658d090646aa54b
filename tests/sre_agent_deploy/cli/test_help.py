"""`--help`, completion and the question before a replacement: what a person who types the command meets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from sre_agent_deploy.cli.help import COMMANDS_ELSEWHERE, EXAMPLES, GROUPS
from sre_agent_deploy.cli.root import COMMANDS, main, root
from sre_agent_deploy.cli.terminal import Terminal, end
from sre_agent_deploy.commands.deploy import confirm_losses
from sre_agent_deploy.commands.user import CommandResult, Question, User
from sre_agent_deploy.journal.state import Record, Run, State
from sre_agent_deploy.journal.store import FileStore
from sre_agent_deploy.plan import Action, Change, Plan
from sre_agent_deploy.progress import Event
from sre_core import exit_codes
from sre_core.problem import Refused

type Typed = Callable[..., tuple[int, str, str]]


def test_every_command_is_in_one_group() -> None:
    """One list in groups, and none is missing."""
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(COMMANDS)
    assert sorted(EXAMPLES) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(name: str, typed: Typed) -> None:
    """It has examples that the command line accepts, and every exit code."""
    code, out, _ = typed(name, "--help")
    assert (code, "Examples:" in out) == (0, True), out
    assert [number for number in exit_codes.MEANINGS if f"    {number:<4} " not in out] == []
    for example in EXAMPLES[name]:
        words = example.partition(" > ")[0].split()
        command = root.get_command(click.Context(root), words[0])
        assert command is not None
        if "--help" not in words:
            command.make_context(words[0], words[1:], resilient_parsing=True)


def test_help_in_both_programs() -> None:
    """The exit codes are the same in `sre-agent`."""
    from sre_agent.cli.root import command as assistant

    shown = assistant.get_help(click.Context(assistant))
    assert [number for number in exit_codes.MEANINGS if f"  {number:<4} " not in shown] == []


@pytest.mark.parametrize("command", ["resume", "cleanup", "rollback", "rotate", "restore"])
def test_the_command_that_finishes_a_run(command: str, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`status` names the command that goes on: after a rollback, `resume` is refused, and after a rotation it would end the overlap."""
    monkeypatch.chdir(tmp_path)
    record = Record("bucket", "AWS::S3::Bucket", 1, "", "ready", "2026-11-22T15:00:00Z", id="sre-1")
    run = Run("deploy" if command == "resume" else command, "ann", "host", "2026-11-22T15:00:00Z", result="interrupted")
    state = State("sre-1", "123456789012", "us-east-1", "production", "c", records={record.key: record}, runs=(run,))
    FileStore(tmp_path / ".deployment_state").save(state)
    code, out, err = typed("status")
    assert (code, f"sre-agent-deploy {command} " in out.partition("Not finished. Next: ")[2]) == (0, True), out + err


def test_the_end_of_a_watch(tmp_path: Path) -> None:
    """Ctrl-C in its pause says no more than that: nothing was created that could be continued or deleted."""
    command, environ = [sys.executable, "-m", "sre_agent_deploy", "verify", "--watch"], {**os.environ, "SRE_AGENT_STATE_DIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert any("Ctrl-C ends it" in line for line in watching.stdout)
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=60)
    assert (watching.returncode, err.splitlines()[-1]) == (exit_codes.INTERRUPTED, "Interrupted."), err


def test_a_command_that_leaves_with_a_code() -> None:
    """It is the exit code of the program: a pipeline that asks for the certificate must not take an expired one for a good one."""

    @click.command()
    def failing() -> None:
        raise click.exceptions.Exit(exit_codes.FAILED)

    with pytest.raises(SystemExit) as ended:
        main([], failing)
    assert ended.value.code == exit_codes.FAILED


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, typed: Typed) -> None:
    """Each shell gets its script, and the script's own call answers with the commands that begin like this."""
    code, out, _ = typed("completion", shell)
    assert (code, "_SRE_AGENT_DEPLOY_COMPLETE" in out) == (0, True)
    environ = {**os.environ, "_SRE_AGENT_DEPLOY_COMPLETE": f"{shell}_complete", "COMP_WORDS": "sre-agent-deploy outp", "COMP_CWORD": "1"}
    if shell == "fish":
        environ["COMP_CWORD"] = "outp"
    ended = subprocess.run([sys.executable, "-m", "sre_agent_deploy"], env=environ, capture_output=True, text=True, check=False)
    assert "output" in ended.stdout, ended.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_of_the_assistant(shell: str) -> None:
    """`sre-agent` prints the script, too, and answers its call."""
    program = [sys.executable, "-m", "sre_agent"]
    script = subprocess.run([*program, "completion", shell], capture_output=True, text=True, check=True).stdout
    assert "_SRE_AGENT_COMPLETE" in script
    environ = {**os.environ, "_SRE_AGENT_COMPLETE": f"{shell}_complete", "COMP_WORDS": "sre-agent evid", "COMP_CWORD": "1"}
    assert "evidence" in subprocess.run(program, env=environ, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("apply",), "There is no command apply. Here it is `sre-agent-deploy deploy`."),
        (("destroy",), "There is no command destroy. Here it is `sre-agent-deploy cleanup`."),
        (("stats",), "There is no command stats. Did you mean status?"),
        (("frobnicate",), "There is no command frobnicate. See --help."),
        (("plan", "-auto-approve"), "There is no option -auto-approve. Here it is --yes."),
        (("output", "-raw", "url"), "There is no option -raw."),
        (("plan", "--nonsense"), "No such option '--nonsense'."),
    ],
)
def test_words_of_other_tools(words: tuple[str, ...], said: str, typed: Typed) -> None:
    """A command of OpenTofu or Kamal is answered with the name of ours; nothing is done."""
    code, _, err = typed(*words)
    assert code == exit_codes.USAGE
    assert said in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status", "sre-000"), "Did you mean `sre-agent-deploy status --deployment sre-000`?"),
        (("cleanup", "sre-000"), "Did you mean `sre-agent-deploy cleanup --deployment"),
        (("logs", "gateway", "shop"), "Did you mean `sre-agent-deploy logs --deployment shop`?"),
        (("plan", "other.yaml"), "Did you mean `sre-agent-deploy plan --config other.yaml`?"),
        (("completion", "bash", "zsh"), "Got unexpected extra argument (zsh)"),
    ],
)
def test_a_word_without_its_option(words: tuple[str, ...], said: str, typed: Typed) -> None:
    """A deployment or a file without its option is answered with the option that takes it; nothing is done."""
    code, _, err = typed(*words)
    assert code == exit_codes.USAGE
    assert said in err


def test_words_of_other_tools_lead_to_what_there_is() -> None:
    """No command of another tool hides one of ours, and the named command exists."""
    assert not COMMANDS_ELSEWHERE.keys() & COMMANDS.keys()
    assert {words.split()[0] for words in COMMANDS_ELSEWHERE.values()} <= {*COMMANDS, "--help"}


def test_a_quiet_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """-q leaves problems, warnings and the plan before a question; the end of a run is its exit code."""
    user = Terminal(quiet=True)
    with user.progress() as observe:
        observe(Event("done", "bucket", "created"))
    user.note("a note")
    user.warn("a warning")
    with pytest.raises(SystemExit):
        end(CommandResult(success=True, component="deploy", message="deployed"), user)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "a warning\n")


@pytest.mark.parametrize("name", ["plan", "deploy", "resume", "rollback", "verify", "cleanup"])
def test_commands_that_can_be_quiet(name: str, typed: Typed) -> None:
    """Every command that reports what it does takes -q."""
    assert "-q, --quiet" in typed(name, "--help")[1]


class Asked(User):
    """A user who is asked, and sees the plan."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []

    def show_plan(self, plan: Plan) -> None:
        self.seen.append(plan)

    def confirm(self, question: Question) -> None:
        self.seen.append(question.text)
        super().confirm(question)


def test_the_question_before_a_replacement() -> None:
    """Plan, name, account and region are shown. Without a terminal only a loss needs the answer."""
    change = Change("instance", "AWS::EC2::Instance", Action.REPLACE, "image_id can't be changed in place", id="i-1")
    asked, plan = Asked(), Plan("sre-1", (change,))
    confirm_losses(plan, "demo in account 111122223333, eu-west-1", asked)
    assert asked.seen == [plan, "Deployment sre-1, demo in account 111122223333, eu-west-1: replace instance. Continue?"]
    losing = Plan("sre-1", (Change("address", "AWS::EC2::EIP", Action.DELETE, "not wanted", id="e-1", loses="the address"),))
    with pytest.raises(Refused) as refused:
        confirm_losses(losing, "demo in account 111122223333, eu-west-1", asked)
    assert refused.value.problems[0].code == "PLAN-LOSES"
    keeping = Asked()
    confirm_losses(Plan("sre-1", (Change("bucket", "AWS::S3::Bucket", Action.KEEP, "matches"),)), "demo", keeping)
    assert keeping.seen == []
