"""The first line of help, completion and `list` is instant: nothing heavy is imported to show it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sre_agent_deploy.commands.claims import record_claim
from sre_agent_deploy.journal.state import Record, State, render_state

HEAVY = {"boto3", "botocore", "pydantic", "rich", "ruamel", "moto", "mcp", "fastapi", "aiohttp", "numpy", "structlog", "cryptography"}
HEAVY |= {"pydantic_ai", "anthropic", "openai", "uvicorn", "jinja2", "opentelemetry"}

SHOW_HELP = """
import json, sys
from {module} import main
sys.argv = [{program!r}, *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def imported(module: str, program: str, *arguments: str) -> set[str]:
    """The top-level packages that are loaded after the program ran with these arguments."""
    code = SHOW_HELP.format(module=module, program=program, arguments=list(arguments))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("module", "program", "arguments"),
    [
        ("sre_agent_deploy.cli", "sre-agent-deploy", ["--help"]),
        ("sre_agent_deploy.cli", "sre-agent-deploy", ["--version"]),
        ("sre_agent_deploy.cli", "sre-agent-deploy", ["deploy", "--help"]),
        ("sre_agent_deploy.cli", "sre-agent-deploy", ["list"]),
        ("sre_agent_deploy.cli", "sre-agent-deploy", ["completion", "bash"]),
        ("sre_agent.cli", "sre-agent", ["--help"]),
        ("sre_agent.cli", "sre-agent", ["--version"]),
        ("sre_agent.cli", "sre-agent", ["completion", "zsh"]),
    ],
)
def test_the_first_line_imports_nothing_heavy(
    module: str, program: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that needs neither AWS nor a configuration loads Python and click, no more."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path))
    assert not imported(module, program, *arguments) & HEAVY


def test_list_of_known_deployments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that is as this version has saved it is listed at once; one that was edited is validated, by pydantic and no more."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path))
    _know_deployment(tmp_path)
    assert not imported("sre_agent_deploy.cli", "sre-agent-deploy", "list") & HEAVY
    edited = {key: value for key, value in json.loads((tmp_path / "state").read_text()).items() if key != "checksum"}
    (tmp_path / "state").write_text(json.dumps(edited))
    assert imported("sre_agent_deploy.cli", "sre-agent-deploy", "list") & HEAVY == {"pydantic"}


def _know_deployment(folder: Path) -> None:
    """Write down a local deployment with a state file, as `deploy` does."""
    record = Record("instance", "AWS::EC2::Instance", 1, "", "ready", "2026-11-29T00:00:00Z", id="i-0123456789abcdef0")
    state = State("sre-0123456789", "111122223333", "eu-west-1", "local", "config.yaml", records={record.key: record})
    (folder / "state").write_bytes(render_state(state))
    record_claim("sre-0123456789", str(folder / "state"), "local", name="shop")


LOAD_SERVICE = """
import sys
from sre_core import tracing
from sre_services.application import Api, build_app
from sre_services.providers import open_provider
{hide}
problem = tracing.start("logs", {environment})
build_app(Api.of("logs"), open_provider("logs", {{"SRE_RECORDING": "healthy"}}), None)
print(problem and problem.code, any(name.startswith("opentelemetry.sdk.") for name in sys.modules))
"""


@pytest.mark.parametrize(
    ("hide", "environment", "says"),
    [
        ("", {}, "None False"),
        ("", {"SRE_TRACES": "http://127.0.0.1:9/v1/traces"}, "None True"),
        ("sys.modules['opentelemetry.sdk'] = None", {"SRE_TRACES": "http://127.0.0.1:9/v1/traces"}, "TRACES-LIBRARY-MISSING False"),
    ],
    ids=["off", "on", "without the library"],
)
def test_traces_cost_nothing_where_they_are_off(hide: str, environment: dict[str, str], says: str) -> None:
    """A service loads OpenTelemetry's SDK only for an address, and starts without it. FastAPI itself loads the small API."""
    code = LOAD_SERVICE.format(hide=hide, environment=environment)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert ended.stdout.strip() == says, ended.stderr


def test_reading_a_configuration_does_not_import_boto3() -> None:
    """Offline validation of a configuration needs neither AWS's library nor a terminal's."""
    code = "import sys, pathlib; from sre_agent_deploy.config.load import load; load(pathlib.Path('x'), environ={}, mode=None)"
    code += "; print(*sys.modules.keys() & {'boto3', 'botocore', 'rich', 'click', 'cryptography'})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, ""), ended.stderr
