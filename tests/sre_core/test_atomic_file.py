"""A file is replaced at once or not at all."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sre_core import atomic_file

KILLED = """
import os, pathlib, signal, sys
from sre_core import atomic_file
with atomic_file.replace(pathlib.Path(sys.argv[1])) as file:
    file.write(b"half of the n")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
# Stops when it has opened what another writer has begun, and is about to see if that writer lives.
LOOKS_FOR_LEFTOVERS = """
import os, pathlib, signal, sys
from sre_core import atomic_file
waits = [True]
sys.addaudithook(lambda event, _: os.kill(os.getpid(), signal.SIGSTOP) if event == "fcntl.flock" and waits and waits.pop() else None)
atomic_file.write(pathlib.Path(sys.argv[1]), b"other")
"""
MANY = """
import pathlib, sys
from sre_core import atomic_file
for _ in range(50):
    atomic_file.write(pathlib.Path(sys.argv[1]), sys.argv[2].encode() * 1000)
"""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret(tmp_path: Path) -> None:
    """It has the permissions that were asked for, also where the file of before had others."""
    path = tmp_path / "key"
    path.write_text("old")
    path.chmod(0o666)
    with atomic_file.replace(path, mode=0o600) as file:
        file.write(b"new")
        assert {mode(tmp_path / name) for name in names(tmp_path) if name != "key"} == {0o600}
    assert (path.read_bytes(), mode(path), names(tmp_path)) == (b"new", 0o600, ["key"])


def test_a_file_of_the_user(tmp_path: Path) -> None:
    """Its permissions and a link to it stay; a new file can be read by everybody."""
    real, link = tmp_path / "real.yaml", tmp_path / "config.yaml"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    atomic_file.write(link, b"new")
    assert (real.read_bytes(), mode(real), link.is_symlink()) == (b"new", 0o640, True)
    atomic_file.write(tmp_path / "other", b"new")
    assert mode(tmp_path / "other") == 0o644


def open_files() -> list[str]:
    return sorted(file.name for file in Path("/proc/self/fd").iterdir())


def test_a_writer_that_fails(tmp_path: Path) -> None:
    """The old file is intact, and nothing is left beside it."""
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_file.replace(path) as file:
        file.write(b"half")
        _ = 1 // 0
    assert (path.read_text(), names(tmp_path)) == ("old", ["file"])
    with pytest.raises(FileNotFoundError):
        atomic_file.write(tmp_path / "absent" / "file", b"new")


def test_a_writer_that_is_interrupted_while_it_waits(tmp_path: Path) -> None:
    """It holds neither the lock nor a file open, so the next one can write."""

    def interrupt(*_: object) -> None:
        raise ZeroDivisionError

    begun = tmp_path / f".file.{os.getpid()}.new"
    with begun.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        open_before = open_files()
        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            with pytest.raises(ZeroDivisionError):
                atomic_file.write(tmp_path / "file", b"new")
        finally:
            signal.signal(signal.SIGALRM, before)
        assert open_files() == open_before
    atomic_file.write(tmp_path / "file", b"new")
    assert names(tmp_path) == ["file"]


def test_a_writer_that_is_killed(tmp_path: Path) -> None:
    """The old file is intact, and the next write leaves nothing beside it."""
    path = tmp_path / "file"
    path.write_text("old")
    assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    atomic_file.write(path, b"new")
    assert (path.read_text(), names(tmp_path)) == ("new", ["file"])


def test_a_machine_that_loses_power(tmp_path: Path) -> None:
    """The content is on the disk before the name leads to it, and the name before the call returns."""
    calls: list[str] = []

    def note(_: object, event: str, called: object) -> None:
        name = getattr(called, "__name__", "")
        if event == "c_call" and name in ("flush", "fsync", "replace", "rename"):
            calls.append(name)

    sys.setprofile(note)
    try:
        atomic_file.write(tmp_path / "file", b"new")
    finally:
        sys.setprofile(None)
    assert calls == ["flush", "fsync", "replace", "fsync"]


def test_many_writers(tmp_path: Path) -> None:
    """A reader always sees what one of them wrote, whole."""
    path = tmp_path / "file"
    atomic_file.write(path, b"0" * 1000)
    writers = [subprocess.Popen([sys.executable, "-c", MANY, path, digit]) for digit in "123"]
    while any(writer.poll() is None for writer in writers):
        text = path.read_text()
        assert (len(text), len(set(text))) == (1000, 1)
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert names(tmp_path) == ["file"]


def test_a_writer_that_is_stopped(tmp_path: Path) -> None:
    """Others write meanwhile without waiting; once cancelled, it fails when it wakes, and what they wrote stays."""
    path = tmp_path / "file"
    path.write_text("old")
    stopped = subprocess.Popen([sys.executable, "-c", KILLED.replace("SIGKILL", "SIGSTOP"), path], stderr=subprocess.PIPE, text=True)
    os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
    atomic_file.write(path, b"new")
    atomic_file.cancel_writers(path)
    stopped.send_signal(signal.SIGCONT)
    assert "FileNotFoundError" in stopped.communicate()[1]
    assert (path.read_text(), names(tmp_path)) == ("new", ["file"])


def test_a_writer_that_begins_again_while_another_looks_for_leftovers(tmp_path: Path) -> None:
    """Its new file is not deleted as a leftover, although its first file was free for a moment."""
    path = tmp_path / "file"
    with atomic_file.replace(path) as file:
        file.write(b"first")
        other = subprocess.Popen([sys.executable, "-c", LOOKS_FOR_LEFTOVERS, path])
        os.waitid(os.P_PID, other.pid, os.WSTOPPED | os.WNOWAIT)
    with atomic_file.replace(path) as file:
        other.send_signal(signal.SIGCONT)
        assert other.wait() == 0
        file.write(b"second")
    assert (path.read_text(), names(tmp_path)) == ("second", ["file"])


def test_mode_and_owner_of_a_whole_file(tmp_path: Path) -> None:
    """`write` takes both over from its caller, in place of those of the old file."""
    file = tmp_path / "file"
    file.touch(0o644)
    atomic_file.write(file, b"new", mode=0o640)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    if os.getuid() == 0:
        atomic_file.write(file, b"new", owner=(1, 2))
        assert (file.stat().st_uid, file.stat().st_gid) == (1, 2)
    else:
        with pytest.raises(PermissionError):
            atomic_file.write(file, b"new", owner=(0, 0))


def test_what_killed_writers_left(tmp_path: Path) -> None:
    """All of it goes, also beside what a killed writer with this process's number left, of which nothing stays in the file."""
    file, own = tmp_path / "file", tmp_path / f".file.{os.getpid()}.new"
    for number in range(10):
        (tmp_path / f".file.{number}.new").write_text("left")
        own.write_text("left")
    atomic_file.write(file, b"")
    assert (names(tmp_path), file.read_bytes()) == (["file"], b"")
    atomic_file.write(file, b"")
    assert file.read_bytes() == b""


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux shows who waits for a lock")
def test_a_writer_that_waited_for_another_of_its_process(tmp_path: Path) -> None:
    """The file that it waited for was renamed or removed meanwhile: it begins another one."""
    file, begun = tmp_path / "file", tmp_path / f".file.{os.getpid()}.new"
    with begun.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writer = threading.Thread(target=atomic_file.write, args=(file, b"mine"))
        writer.start()
        while f" {os.fstat(other.fileno()).st_ino} " not in _waited_for():
            time.sleep(0.01)
        begun.unlink()
    writer.join(60)
    assert (names(tmp_path), file.read_bytes()) == (["file"], b"mine")


def _waited_for() -> str:
    """The inodes of the files whose locks are waited for, as proc(5) shows them."""
    waiting = [line for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    return " ".join(["", *(line.split()[6].rpartition(":")[2] for line in waiting), ""])
