"""The environment of the clients that can't be installed beside mcp 2: mcp 1.x and langchain-mcp-adapters."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = ("mcp==1.30.0", "langchain-mcp-adapters==0.3.2")
_FOLDER = Path(__file__).parent / ".venv-mcp1"
_GET_UV = Path(__file__).parents[2] / "scripts" / "get-uv"
_INSTALLED = _FOLDER / "installed.txt"


def python() -> Path | str:
    """The environment's interpreter, or why there is none. Made once; parallel test processes wait for one another."""
    with (Path(__file__).parent / ".venv-mcp1.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = "\n".join((sys.version, *REQUIREMENTS))
        if _INSTALLED.exists() and _INSTALLED.read_text() == wanted:
            return _FOLDER / "bin" / "python"
        uv = subprocess.run([_GET_UV, sys.executable], capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, _FOLDER], check=True)
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", _FOLDER / "bin" / "python", *REQUIREMENTS]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"uv could not install {', '.join(REQUIREMENTS)}: {done.stderr[-500:]}"
        _INSTALLED.write_text(wanted)
        return _FOLDER / "bin" / "python"
