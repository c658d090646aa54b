"""Runbooks of a git repository: an https or ssh address, or a path. The git program reads it; nothing is ever written to it."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from sre_core.problem import Problem, Refused
from sre_services.runbooks.files import MOST_BYTES, MOST_FILES, FileLibrary, Files
from sre_services.sources.settings import Settings

_SECONDS = 60.0
# A server that sends nothing for so long is not waited for; a large repository may take longer.
_SILENT_SECONDS = 8
_LONGEST_REASON = 300


class Repository:
    """Fetches the newest commit of one branch, without its history, into a folder of this process."""

    def __init__(self, url: str, branch: str, folder: str, environment: Mapping[str, str]) -> None:
        self._url, self._branch, self._folder = url, branch or "HEAD", folder.strip("/")
        self._environment = environment
        self._place = Path(tempfile.mkdtemp(prefix="sre-runbooks-"))
        weakref.finalize(self, shutil.rmtree, self._place, ignore_errors=True)

    def read(self) -> Files:
        """Return the Markdown files. Raises Refused."""
        if not (self._place / ".git").exists():
            self._git("init", "--quiet")
        self._git("fetch", "--quiet", "--depth=1", "--no-tags", "--", self._url, self._branch)
        listed = self._git("ls-tree", "-r", "-l", "-z", "FETCH_HEAD", "--", *([self._folder] if self._folder else []))
        names = (name for entry in listed.split("\0") if entry and (name := _markdown_name(entry)))
        return {name: self._git("show", f"FETCH_HEAD:{name}") for name in islice(names, MOST_FILES)}

    def _git(self, *arguments: str) -> str:
        # Nothing of the repository is run: no hook, no filter, no other protocol than those of an address.
        silent = ("-c", "http.lowSpeedLimit=1", "-c", f"http.lowSpeedTime={_SILENT_SECONDS}")
        command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", *silent, *arguments]
        try:
            ended = subprocess.run(  # noqa: S603
                command, cwd=self._place, env=self._environment, capture_output=True, timeout=_SECONDS, check=False
            )
        except FileNotFoundError:
            raise Refused(_no_git()) from None
        except subprocess.TimeoutExpired:
            raise Refused(_unreadable(self._url, f"It took longer than {_SECONDS:.0f} seconds")) from None
        if ended.returncode:
            raise Refused(_unreadable(self._url, ended.stderr.decode(errors="replace").strip()[-_LONGEST_REASON:]))
        return ended.stdout.decode(errors="replace")


def open_provider(settings: Settings) -> FileLibrary:
    """Open the repository at `url`; optional `branch`, `path` in it, and a `token` (https) or a `key` and `known_hosts` (ssh)."""
    url = settings.require("url")
    # A variable such as GIT_DIR would lead to another repository.
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {**own, **_never_ask(), **_credentials(settings)}
    return FileLibrary(url, Repository(url, settings.get("branch"), settings.get("path"), environment).read)


def _never_ask() -> dict[str, str]:
    return {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


def _credentials(settings: Settings) -> dict[str, str]:
    """Give git its credentials by variables and files: arguments can be read by every user of the machine."""
    token, key = settings.credential("token"), settings.get("key")
    if token:
        account = f"{settings.get('username') or 'x-access-token'}:{token.reveal()}"
        header = f"Authorization: Basic {base64.b64encode(account.encode()).decode()}"
        return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"http.{settings.require('url')}.extraHeader", "GIT_CONFIG_VALUE_0": header}
    if key:
        folder = settings.environment.get("CREDENTIALS_DIRECTORY", "")
        known = f"{folder}/{settings.require('known_hosts')}"
        options = f"-F /dev/null -i '{folder}/{key}' -o IdentitiesOnly=yes -o BatchMode=yes"
        options += f" -o ConnectTimeout={_SILENT_SECONDS} -o ServerAliveInterval={_SILENT_SECONDS} -o ServerAliveCountMax=1"
        return {"GIT_SSH_COMMAND": f"ssh {options} -o StrictHostKeyChecking=yes -o UserKnownHostsFile='{known}'"}
    return {}


def _markdown_name(entry: str) -> str:
    """Return the name of a Markdown file that is not too long; empty for any other entry of `ls-tree -l`."""
    about, _, name = entry.partition("\t")
    _, kind, _, size = about.split()
    return name if kind == "blob" and name.endswith(".md") and int(size) <= MOST_BYTES else ""


def _unreadable(url: str, reason: str) -> Problem:
    return Problem(
        code="SVC-SOURCE-GIT",
        what=f"The repository {url} can't be read.",
        why=f"{reason or 'git gave no reason'}.",
        do=(
            f"Try it: git ls-remote {url}",
            "Set `url` and `branch` of this source in config.yaml, and `token` or `key` where it is not public, and deploy again.",
        ),
    )


def _no_git() -> Problem:
    return Problem(
        code="SVC-SOURCE-GIT",
        what="Runbooks can't be read from a repository.",
        why="There is no program git on this machine.",
        do=("Install it: sudo apt-get install git, or sudo dnf install git.",),
    )
