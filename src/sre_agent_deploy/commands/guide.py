"""`guide`: the steps to make the same deployment in the AWS Console, and the files that a person needs. Asks nobody."""

from __future__ import annotations

from pathlib import Path

from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.workspace import load_config
from sre_agent_deploy.guide import console
from sre_agent_deploy.guide.account_values import account_values
from sre_agent_deploy.guide.steps import Guide, write_guide
from sre_core import atomic_file


def guide(request: Request) -> str:
    """Write the guide as Markdown."""
    return console.markdown(read_guide(request))


def read_guide(request: Request) -> Guide:
    """Write the guide of a configuration. Raises Refused with every fault of the configuration."""
    config = load_config(request)
    return write_guide(blueprint(config, describe_account(config)), account_values(config), config)


def save_guide(request: Request, folder: Path) -> tuple[str, ...]:
    """Write the guide as Markdown and as a page, and every file to upload or paste; return what must still be filled in."""
    written = read_guide(request)
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    atomic_file.write(folder / "guide.md", console.markdown(written).encode())
    atomic_file.write(folder / "guide.html", console.page(written).encode())
    for file in written.files:
        atomic_file.write(files / file.name, file.content())
    return tuple(file.name for file in written.files if not file.complete)
