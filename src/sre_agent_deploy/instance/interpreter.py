"""Install uv, and find the Python 3.12 that runs the release: the image's own, or one that uv installs. Print where it is.

It runs on the image's own Python (3.9 and later), with the standard library only.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

UV = Path("/usr/local/bin/uv")
# uv knows the hash of this build, which it downloads from GitHub where the image has no Python 3.12.
PYTHON, BUILD = "3.12.16", "20261110"
LOCK = Path(__file__).with_name("installer.txt")
# https://docs.pypi.org/api/json/
INDEX = "https://pypi.org/pypi/uv/{version}/json"
_WAITS = (5, 15, 30)
# Four tries end before the first stage ends them.
_ANSWER_WITHIN, _INSTALLED_WITHIN = 60, 120


def install_uv(wheels: Path, uv: Path, lock: Path = LOCK, index: str = INDEX) -> None:
    """Install uv from the wheel that the release brings along, or from PyPI. A file without a hash of the lock is refused."""
    text = lock.read_text(encoding="utf-8")
    version, hashes = re.findall(r"^uv==(\S+)", text, re.MULTILINE)[0], re.findall(r"sha256:(\w{64})", text)
    bundled = sorted(wheels.glob(f"uv-{version}-*_{platform.machine()}*.whl"))
    body = bundled[0].read_bytes() if bundled else _download(index.format(version=version))
    found = hashlib.sha256(body).hexdigest()
    if found not in hashes:
        raise SystemExit(f"uv {version} has SHA-256 {found}, which is not in the lock of the release.")
    with zipfile.ZipFile(io.BytesIO(body)) as wheel:
        uv.write_bytes(wheel.read(f"uv-{version}.data/scripts/uv"))
    uv.chmod(0o755)


def find_python(release: Path, uv: Path, folder: Path) -> str:
    """Find a Python 3.12; where the image has none, uv installs one, from the release if that brings it along."""
    if found := shutil.which("python3.12"):
        return found
    bundled = release / "python"
    mirror = ("--mirror", bundled.as_uri()) if bundled.is_dir() else ()
    command = (str(uv), "python", "install", "--no-bin", "--no-progress", "--no-cache", "--install-dir", str(folder), *mirror, PYTHON)
    for seconds in (*_WAITS, 0):
        failed = _run(command)
        # What is in the release is the same at the next try.
        if not failed or mirror:
            break
        time.sleep(seconds)
    if failed:
        raise SystemExit(f"uv could not install Python {PYTHON}:\n{failed}")
    return str(sorted(folder.glob("cpython-3.12*/bin/python3.12"))[-1])


def _run(command: tuple[str, ...]) -> str:
    """Run a program within its time; return why it failed, or nothing."""
    try:
        done = subprocess.run(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, timeout=_INSTALLED_WITHIN
        )
    except subprocess.TimeoutExpired:
        return f"It did not end within {_INSTALLED_WITHIN} s."
    return f"It ended with exit code {done.returncode}.\n{done.stdout}" if done.returncode else ""


def _download(description: str) -> bytes:
    """Download the wheel of uv for this processor, by PyPI's description of its version."""
    urls = json.loads(_read(description))["urls"]
    return _read(next(each["url"] for each in urls if f"manylinux2014_{platform.machine()}" in each["filename"]))


def _read(url: str) -> bytes:
    for seconds in (*_WAITS, None):
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_WITHIN) as answer:  # noqa: S310  # PyPI's, or the index that a test names
                return bytes(answer.read())
        except OSError:
            if seconds is None:
                raise
            time.sleep(seconds)
    raise AssertionError("the last try returned or raised")


def main(release: Path, root: Path, uv: Path = UV) -> None:
    """Install uv, find or install Python, and print the path of Python."""
    install_uv(release / "wheels", uv)
    print(find_python(release, uv, root / "python"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
