"""What an instance is launched with: machine.json, and one small program that fetches the release that it names (pure)."""

from __future__ import annotations

from importlib.resources import files
from textwrap import indent

from sre_agent_deploy.instance.machine import Machine

MACHINE_FILE = "/etc/sre-agent/machine.json"
FIRST_STAGE_FILE = "/opt/sre-agent/first_stage.py"
# EC2's limit, before base64.
LARGEST = 16 * 1024


def render_user_data(machine: Machine) -> str:
    """`#cloud-config` text; the same machine gives the same text, and it holds no secret."""
    first_stage = files("sre_agent_deploy.instance").joinpath("first_stage.py").read_text(encoding="utf-8")
    return "\n".join(
        (
            "#cloud-config",
            "write_files:",
            _file(MACHINE_FILE, "0600", machine.text()),
            _file(FIRST_STAGE_FILE, "0755", first_stage),
            "runcmd:",
            f" - [python3, {FIRST_STAGE_FILE}]",
            "",
        )
    )


def _file(path: str, permissions: str, content: str) -> str:
    return f" - path: {path}\n   permissions: '{permissions}'\n   content: |\n{indent(content.rstrip(), '    ')}"
