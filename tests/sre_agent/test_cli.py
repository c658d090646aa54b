"""The command `sre-agent` as people run it: a process, a connection file, a secret fetched from AWS."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from a2wsgi import WSGIMiddleware
from agent_backends import tools_and_backend
from agent_gateway import Gateway
from agent_https import Authority, https
from agent_issuer import CALLER_CLIENT, CALLER_SCOPE, GATEWAY_CLIENT, GATEWAY_SCOPE, Issuer
from agent_running import assistant_app
from click.testing import CliRunner, Result
from moto.server import DomainDispatcherApplication, create_backend_app

from fixtures import preloaded
from sre_agent.ask import ask
from sre_agent.cli.root import command
from sre_agent.connection import load
from sre_core import exit_codes

POISON = {
    "AWS_PROFILE": "does-not-exist",
    "AWS_ENDPOINT_URL": "https://127.0.0.1:9",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "a-real-account",
    "AWS_SECRET_ACCESS_KEY": "never-to-be-used",
    "AWS_CA_BUNDLE": "/nonexistent",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
}


@dataclass
class Deployment:
    """A deployed assistant as `sre-agent-deploy` leaves it, and the command to ask it with."""

    state: Path
    connection: Path

    def run(self, *arguments: str, stdin: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"} or name.startswith("COVERAGE")}
        variables = {**own, **POISON, "SRE_AGENT_STATE_DIR": str(self.state), **environment}
        # With modules of a test's own it is started as users start it.
        started = [sys.executable, "-m", "sre_agent", *arguments]
        program = started if "PYTHONPATH" in environment else preloaded.command("sre_agent", *arguments)
        return subprocess.run(program, env=variables, input=stdin, capture_output=True, text=True, timeout=120, check=False)

    def invoke(self, *arguments: str, input: str | None = None, **environment: str) -> Result:
        """The same command within this process, which is quicker; its environment is restored."""
        variables = {
            **POISON,
            "AWS_CONFIG_FILE": "",
            "AWS_SHARED_CREDENTIALS_FILE": "",
            "SRE_AGENT_STATE_DIR": str(self.state),
            **environment,
        }
        return CliRunner().invoke(command, arguments, input=input, env=variables, prog_name="sre-agent")

    def changed(self, **changes: object) -> str:
        """Another connection file that differs in these parts."""
        path = self.state / f"changed-{time.monotonic_ns()}.json"
        path.write_text(json.dumps({**json.loads(self.connection.read_text()), **changes}))
        return str(path)


@pytest.fixture(scope="module")
def aws(authority: Authority) -> Iterator[str]:
    """An AWS with Secrets Manager, over TLS."""
    with https(WSGIMiddleware(DomainDispatcherApplication(create_backend_app)), authority) as url:
        yield url


@pytest.fixture(scope="module")
def assistant_url(authority: Authority, issuer: Issuer) -> Iterator[str]:
    """An assistant over the crash loop."""
    with Gateway.running(*tools_and_backend("crash-loop"), issuer, authority) as gateway:
        app = assistant_app(gateway.url, issuer, authority)
        with https(app, authority) as url:
            yield url


@pytest.fixture
def deployment(tmp_path: Path, aws: str, assistant_url: str, issuer: Issuer, authority: Authority) -> Deployment:
    """Connection and registry files in a state directory of its own."""
    registry = {"endpoint": aws, "ca_file": str(authority.ca_file), "region": "us-east-1", "access_key_id": "k", "secret_access_key": "s"}
    client = boto3.client(
        "secretsmanager",
        region_name="us-east-1",
        endpoint_url=aws,
        verify=str(authority.ca_file),
        aws_access_key_id="k",
        aws_secret_access_key="s",
    )
    secret = json.dumps({"client_secret": issuer.secrets[CALLER_CLIENT], "gateway_secret": issuer.secrets[GATEWAY_CLIENT]})
    stored = client.create_secret(Name=f"caller-{time.monotonic_ns()}", SecretString=secret)
    (tmp_path / "embedded-aws.json").write_text(json.dumps(registry))
    connection: Mapping[str, Any] = {
        "schema": 1,
        "deployment_id": "sre-3f9a2c41d7",
        "assistant_url": assistant_url,
        "ca_file": str(authority.ca_file),
        "oidc_discovery_url": issuer.discovery_url,
        "client_id": CALLER_CLIENT,
        "scope": CALLER_SCOPE,
        "client_secret": {"secret_arn": stored["ARN"], "json_key": "client_secret", "region": "us-east-1"},
        "aws": {"registry": str(tmp_path / "embedded-aws.json")},
    }
    path = tmp_path / "connections" / "sre-3f9a2c41d7.json"
    path.parent.mkdir()
    path.write_text(json.dumps(connection))
    return Deployment(tmp_path, path)


def test_asking_and_looking_at_evidence(deployment: Deployment, issuer: Issuer) -> None:
    """The report is printed, root cause first, and kept; what it says to type next shows the evidence.

    AWS settings and proxies of the user's environment are not looked at: each would have made this fail.
    """
    asked = deployment.run("--prompt", "What is wrong?")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.startswith("# Root cause: payment-service")
    assert issuer.secrets[CALLER_CLIENT] not in asked.stdout + asked.stderr
    kept = sorted(path.suffix for path in (deployment.state / "reports").iterdir())
    assert kept == [".json", ".md"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (deployment.state / "reports").iterdir())
    next_command = asked.stdout.strip().splitlines()[-1].removeprefix("Next: sre-agent ").split()
    shown = deployment.run(*next_command)
    assert shown.returncode == 0, shown.stderr
    for word in ("tool:", "arguments:", "time:", "sha256"):
        assert word in shown.stdout


def test_asking_as_a_program(deployment: Deployment, tmp_path: Path) -> None:
    """With --json only JSON is on stdout, and --output-dir holds the report."""
    folder = tmp_path / "out"
    asked = deployment.invoke("--deployment", "sre-3f9a2c41d7", "--json", "--output-dir", str(folder), "--prompt", "What is wrong?")
    report = json.loads(asked.stdout)
    cited = report["root_cause"]["evidence"][0]
    shown = deployment.invoke("--output-dir", str(folder), "evidence", cited, "--json")
    assert json.loads(shown.stdout)["id"] == cited


def test_questions_one_after_the_other(deployment: Deployment) -> None:
    """A question continues the one before, in one command after the other and in a chat; -q prints the answer alone."""
    first = deployment.invoke("-q", "Is payment healthy?")
    assert first.stdout.startswith("# payment-service is NOT healthy")
    assert first.stderr == ""
    assert json.loads(deployment.invoke("healthy?", "--service", "payment", "--json").stdout)["kind"] == "health"
    assert deployment.invoke("and its logs?").stdout.startswith("# The newest 6 log lines of payment-service")
    typed = "/help\nIs cart healthy?\nand its pods?\n/history\n/save\n/clear\n/nonsense\n/exit\nnever read\n"
    chat = deployment.invoke("chat", input=typed)
    assert chat.exit_code == 0, chat.output
    assert "# cart-service is healthy" in chat.stdout
    assert "# 2 pods of cart-service" in chat.stdout
    assert "and its pods?" in chat.stdout
    assert "There is no /nonsense" in chat.stdout
    assert "never read" not in chat.output
    assert "/help says" in chat.stderr
    [session] = [line.rpartition(" ")[2] for line in chat.stderr.splitlines() if "--session" in line]
    assert "log lines of cart-service" in deployment.invoke("chat", "-q", "--session", session, input="and its logs?\n").stdout
    assert deployment.invoke("chat", "--session", "no id", input="").exit_code == 2
    quiet = deployment.invoke("chat", "-q", input="Is cart healthy?\n")
    assert (quiet.stdout.splitlines()[0], quiet.stderr) == ("# cart-service is healthy", "")


def test_progress(deployment: Deployment) -> None:
    """A waiting user sees each call that is made for the answer, and gets the same answer."""
    seen: list[str] = []
    reply = ask(load(deployment.connection), "Who is on call?", None, seen.append)
    assert seen == ["get_escalation_procedures"]
    assert reply.message.startswith("# Whom to inform")


def test_progress_at_a_terminal(deployment: Deployment) -> None:
    """At a terminal the call under way is shown on standard error, and wiped before the answer."""
    ours, terminal = pty.openpty()
    variables = {**os.environ, **POISON, "SRE_AGENT_STATE_DIR": str(deployment.state)}
    command_line = [sys.executable, "-m", "sre_agent", "Who is on call?"]
    done = subprocess.run(
        command_line, env=variables, stdout=subprocess.PIPE, stderr=terminal, stdin=subprocess.DEVNULL, timeout=120, check=False
    )
    os.close(terminal)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert done.stdout.startswith(b"# Whom to inform"), shown
    assert "1: get_escalation_procedures\r\x1b[K" in shown


def test_a_question_on_standard_input(deployment: Deployment) -> None:
    """A pipe is a question."""
    done = deployment.run("-q", stdin="How many nodes are there?\n")
    assert done.stdout.startswith("# 3 nodes, all ready"), done.stderr
    # As the README of the sample writes it.
    asked = deployment.invoke("--full", "--provider", "bedrock", "--query", "How many nodes are there?")
    full = asked.stdout
    assert "--provider bedrock was not used" in asked.stderr
    assert "## Answer" in full


def test_which_deployment_is_asked(deployment: Deployment) -> None:
    """It is named by its id or its name; with several, and none named, the command that lists them is shown."""
    deployment.connection.write_text(json.dumps({**json.loads(deployment.connection.read_text()), "name": "demo"}))
    other = deployment.connection.with_name("sre-0000000001.json")
    other.write_text(json.dumps({**json.loads(deployment.connection.read_text()), "name": "other"}))
    for named in ("demo", "sre-3f9a2c41d7"):
        assert deployment.invoke("--deployment", named, "--prompt", "How many nodes are there?").exit_code == 0
    asked = deployment.invoke("--prompt", "?")
    assert (asked.exit_code, "DEPLOYMENT-AMBIGUOUS" in asked.stderr, "sre-agent-deploy list" in asked.stderr) == (1, True, True)


@pytest.mark.parametrize("since", ["never", "tomorrow", "99", "gibberish"])
def test_a_time_that_is_none(deployment: Deployment, since: str) -> None:
    """It is refused: an answer about another time would pass for the one that was asked for."""
    asked = deployment.invoke("--since", since, "--prompt", "What changed?")
    assert (asked.exit_code, asked.stderr.startswith("SINCE-UNREADABLE")) == (1, True), asked.stderr


@pytest.mark.parametrize("since", ["2h", "14:00", "yesterday", "2026-11-22T14:35:40Z"])
def test_a_time_that_is_one(deployment: Deployment, since: str) -> None:
    """Each form of the help is understood."""
    assert deployment.invoke("--since", since, "--prompt", "What changed?").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--deployment", "sre-0000000000", "--prompt", "?"], "DEPLOYMENT-UNKNOWN"),
        (["--deployment", "../connections/sre-3f9a2c41d7", "--prompt", "?"], "DEPLOYMENT-UNKNOWN"),
        (["--connection", "/nonexistent.json", "--prompt", "?"], "CONNECTION-UNREADABLE"),
        (["evidence", "inv-00000000-e1"], "EVIDENCE-UNKNOWN"),
        (["evidence", "../../etc/passwd"], "EVIDENCE-ID-INVALID"),
    ],
)
def test_asking_for_what_is_not_there(deployment: Deployment, arguments: list[str], code: str) -> None:
    """An unknown name is a Problem with a next step, not a traceback, and ends with 1."""
    done = deployment.invoke(*arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith(code)
    assert "do:" in done.stderr
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_without_any_deployment(deployment: Deployment, tmp_path: Path) -> None:
    """A user without a deployment gets the command that makes one."""
    done = deployment.invoke("--prompt", "?", SRE_AGENT_STATE_DIR=str(tmp_path / "nothing"))
    assert (done.exit_code, done.stderr.startswith("NO-DEPLOYMENT")) == (1, True)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"assistant_url": "https://127.0.0.1:9"}, "ASSISTANT-DOWN"),
        ({"assistant_url": "http://127.0.0.1:9"}, "CONNECTION-UNREADABLE"),
        ({"ca_file": ""}, "OIDC-TLS-NOT-VERIFIED"),
        ({"ca_file": "/nonexistent.pem"}, "ASSISTANT-CA-UNREADABLE"),
        ({"client_id": "nobody"}, "AUTH-NO-TOKEN"),
        ({"client_secret": {"secret_arn": "arn:nothing", "json_key": "client_secret", "region": "us-east-1"}}, "CALLER-SECRET-REFUSED"),
        ({"aws": {"registry": "/nonexistent.json"}}, "LOCAL-AWS-GONE"),
        ({"schema": 2}, "CONNECTION-UNREADABLE"),
    ],
)
def test_each_hop_that_can_fail(deployment: Deployment, changes: dict[str, object], code: str) -> None:
    """From connection file to answer, every hop has its own Problem; with --json it is JSON."""
    done = deployment.invoke("--json", "--connection", deployment.changed(**changes), "--prompt", "?")
    assert done.exit_code == 1
    assert [problem["code"] for problem in json.loads(done.stdout)["problems"]] == [code]
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_the_other_clients_token(deployment: Deployment) -> None:
    """The assistant refuses the client that the gateway lets in, and the message says which side to look at."""
    arn = json.loads(deployment.connection.read_text())["client_secret"]["secret_arn"]
    secret = {"secret_arn": arn, "json_key": "gateway_secret", "region": "us-east-1"}
    changed = deployment.changed(client_id=GATEWAY_CLIENT, scope=GATEWAY_SCOPE, client_secret=secret)
    done = deployment.invoke("--connection", changed, "--prompt", "?")
    assert done.exit_code == 1
    assert "ASSISTANT-REFUSED-TOKEN" in done.stderr
    assert "sre-agent-deploy verify" in done.stderr


@pytest.mark.parametrize("kept", ["", "[]", '{"evidence": [{"id": "inv-0123abcd-e1"}]}', '{"evidence": 1}'])
def test_a_kept_report_that_is_damaged(deployment: Deployment, kept: str) -> None:
    """Half a report is a Problem that says which file and what to do, and no traceback."""
    folder = deployment.state / "reports"
    folder.mkdir()
    (folder / "inv-0123abcd.json").write_text(kept)
    done = deployment.invoke("evidence", "inv-0123abcd-e1")
    assert done.exit_code == 1
    assert "REPORT-DAMAGED" in done.stderr
    assert "inv-0123abcd.json" in done.stderr


def test_a_page_that_is_no_assistant(deployment: Deployment, issuer: Issuer) -> None:
    """Another server on the assistant's address is recognised as such."""
    done = deployment.invoke("--connection", deployment.changed(assistant_url=issuer.url), "--prompt", "?")
    assert done.stderr.splitlines()[1].startswith("ASSISTANT-ANSWER-UNREADABLE")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--prompt", "?", "evidence", "inv-00000000-e1"], "--prompt"),
        (["--nonsense"], "--nonsense"),
        (["evidence"], "ID"),
        (["ask"], "ask"),
        ([""], "The question is empty"),
        (["help"], "no question"),
    ],
)
def test_a_wrong_command_line(deployment: Deployment, arguments: list[str], named: str) -> None:
    """It is refused with what is wrong and the exit code of usage errors (EX_USAGE); a question beside a command is not dropped."""
    done = deployment.run(*arguments)
    assert done.returncode == exit_codes.USAGE
    assert named in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("extra", [[], ["--json"]], ids=["markdown", "json"])
def test_a_report_that_can_not_be_kept(deployment: Deployment, tmp_path: Path, extra: list[str]) -> None:
    """It is printed whole, with its evidence, and the Problem says why it is in no file: the answer is not lost with the disk."""
    (tmp_path / "a-file").write_text("")
    done = deployment.invoke("--output-dir", str(tmp_path / "a-file" / "reports"), *extra, "--prompt", "What is wrong?")
    assert done.exit_code == 1
    assert "REPORT-NOT-KEPT" in done.stderr
    if extra:
        assert json.loads(done.stdout)["root_cause"]["service"] == "payment-service"
    else:
        assert done.stdout.startswith("# Root cause: payment-service")
        assert "## Evidence" in done.stdout
        assert "Next: sre-agent evidence" not in done.stdout


INTERRUPTER = """
import os, signal, sys

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupter())
"""


@pytest.mark.parametrize("module", ["click", "sre_agent.cli.root", "sre_core.problem", "sre_agent.ask", "httpx2", "ssl"])
def test_ctrl_c_while_loading(deployment: Deployment, tmp_path: Path, module: str) -> None:
    """Ctrl-C during any import gives one line and 130, and no traceback."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(INTERRUPTER)
    done = deployment.run("--prompt", "?", PYTHONPATH=str(tmp_path / "site"), INTERRUPT_AT=module)
    assert done.returncode == exit_codes.INTERRUPTED, done.stderr
    assert done.stderr.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in done.stderr


def test_help_is_cheap() -> None:
    """`--help` imports neither models, nor AWS, nor MCP, nor HTTP."""
    script = (
        "import sys\nfrom sre_agent.cli.root import command\n"
        "try: command(['--help'], prog_name='sre-agent')\nexcept SystemExit: pass\n"
        "heavy = {'rich', 'pydantic', 'boto3', 'botocore', 'mcp', 'httpx2', 'joserfc', 'starlette', 'uvicorn', 'asyncio', 'structlog'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert "--prompt" in done.stdout
    assert done.stderr.strip() == "[]"


def test_an_empty_question() -> None:
    """Nothing is asked without a question, and the next step is one for the command line."""
    result = CliRunner().invoke(command, ["--prompt", "  "])
    assert result.exit_code == 1
    assert "PROMPT-EMPTY" in result.stderr
    assert "sre-agent --prompt" in result.stderr


def test_a_terminal_without_utf8(deployment: Deployment) -> None:
    """A question in a character set that Python could not read is asked all the same, never a traceback."""
    own = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = deployment.run("--prompt", "Was ist los? \u00e4\u2192", **own)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
