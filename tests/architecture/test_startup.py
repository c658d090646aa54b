"""Help is instant: nothing heavy is imported to show it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"boto3", "botocore", "pydantic", "rich", "ruamel", "moto", "mcp", "fastapi", "aiohttp", "numpy", "structlog", "cryptography"}

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
        ("sre_agent_deploy.cli", "sre-agent-deploy", ["deploy", "--help"]),
        ("sre_agent.cli", "sre-agent", ["--help"]),
    ],
)
def test_help_imports_nothing_heavy(module: str, program: str, arguments: list[str]) -> None:
    """`--help` costs a Python and click, no more."""
    assert not imported(module, program, *arguments) & HEAVY


def test_reading_a_configuration_does_not_import_boto3() -> None:
    """Offline validation of a configuration needs neither AWS's library nor a terminal's."""
    code = "import sys, pathlib; from sre_agent_deploy.config.load import load; load(pathlib.Path('x'), environ={}, mode=None)"
    code += "; print(*sys.modules.keys() & {'boto3', 'botocore', 'rich', 'click', 'cryptography'})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, ""), ended.stderr
