"""A data backup as a file: whole or refused, for its owner only, and with no secret that can be read."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from fixtures.kept_files import Folder
from sre_agent_deploy.backup import contents
from sre_agent_deploy.backup.contents import Origin, Secrets, Writer, judge_passphrase, unseal
from sre_agent_deploy.backup.data import DataBackup, Opened, open_any, open_data, write_data
from sre_agent_deploy.backup.keep import Archive, pack
from sre_agent_deploy.resources.cognito_users import Directory, Group, Person
from sre_agent_deploy.resources.s3_content import StoredObject
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

MADE_AT = "2026-11-29T12:00:00Z"
PASSPHRASE, KEY = Secret("correct horse battery staple"), "planted-0123456789abcdef"
ORIGIN = Origin(made_at=MADE_AT, account="123456789012", region="us-east-1", deployment="sre-1", name="test", mode="local", release="0.1.0")
ANN = Person(username="ann", attributes={"email": "ann@example.com"}, groups=("readers",), modified="2026-11-01T00:00:00Z")
BOB = Person(username="bob", attributes={"email": "bob@example.com"}, enabled=False, modified="2026-11-01T00:00:00Z")
DIRECTORY = Directory(people=(ANN, BOB), groups=(Group(name="readers", precedence=2),))
CONTENT = b"what was said\n" * 100
SECRETS = Secrets(values={"backend_key": {"api_key": Secret(KEY)}}, dotenv=f"TOKEN={KEY}\n")


def stored(key: str = "sre-1/sessions/1.json", **changed: Any) -> StoredObject:
    usual = StoredObject(
        key=key, size=len(CONTENT), etag="e", modified="2026-11-01T00:00:00Z", part="objects/000000", content_type="text/plain",
        metadata={"by": "ann"}, tags={"kind": "session"},
    )  # fmt: skip
    return replace(usual, **changed)


def write(path: Path, *, secrets: Secrets | None = SECRETS, config: bytes = b"version: 1\n") -> DataBackup:
    def fill(writer: Writer) -> None:
        kept = Archive(config_name="config.yaml", config=config, environment=("TOKEN",), dotenv="TOKEN=***\n")
        writer.add(contents.CONFIGURATION, pack(kept))
        writer.add(contents.STATE, b"{}")
        writer.add(contents.USERS, contents.render_part(DIRECTORY))
        digest = writer.add_file("objects/000000", BytesIO(CONTENT))
        writer.add(contents.OBJECTS, contents.render_part((stored(sha256=digest),)))
        if secrets:
            writer.add_secrets(secrets, PASSPHRASE)
        writer.finish(ORIGIN, ())

    return write_data(path, fill)


def test_a_backup_that_is_written_and_read(tmp_path: Path) -> None:
    """It comes back as it was, its objects too; the file is its owner's alone, and its secrets open with the passphrase only."""
    made = write(tmp_path / "backup.zip")
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    opened = open_data(made.path)
    assert isinstance(opened, DataBackup)
    assert (opened.origin, opened.directory) == (ORIGIN, DIRECTORY)
    with opened.open_objects() as open_object, open_object(opened.objects[0]) as content:
        assert content.read() == CONTENT
    assert opened.open_secrets(PASSPHRASE) == SECRETS
    assert code(opened.open_secrets(Secret("another passphrase"))) == "BACKUP-PASSPHRASE-WRONG"


def test_no_secret_can_be_read(tmp_path: Path) -> None:
    """No secret can be read in the file or in any part of it, compressed or not."""
    path = write(tmp_path / "backup.zip").path
    with zipfile.ZipFile(path) as file:
        everything = b"".join((path.read_bytes(), *(file.read(name) for name in file.namelist())))
    assert KEY.encode() not in everything
    assert KEY not in repr(open_any(path, PASSPHRASE))


def test_without_a_passphrase(tmp_path: Path) -> None:
    """The secrets are left out, which is reported, and the rest can be restored."""
    opened = open_any(write(tmp_path / "backup.zip", secrets=None).path, PASSPHRASE)
    assert not isinstance(opened, Problem)
    assert opened.data
    assert (opened.secrets, opened.data.describe()["secrets"]) == (None, "left out")
    assert code(judge_passphrase(Secret("short"))) == "BACKUP-PASSPHRASE-SHORT"


def test_how_the_key_is_made(tmp_path: Path) -> None:
    """The passphrase is slow to guess, each file has a salt of its own, and a file can't ask for more memory than a key needs."""
    sealed = [write(tmp_path / f"{name}.zip").sealed.partition(b"\n") for name in "ab"]
    how = [json.loads(line) for line, _, _ in sealed]
    assert [(each["kdf"], each["cost"]) for each in how] == [("scrypt", 131072)] * 2
    assert how[0]["salt"] != how[1]["salt"]
    asking = json.dumps({**how[0], "cost": 2**40}).encode() + b"\n" + sealed[0][2]
    assert code(unseal(asking, PASSPHRASE)) == "BACKUP-PASSPHRASE-WRONG"


def code(answer: Any) -> str:
    assert isinstance(answer, Problem), answer
    return answer.code


def rewritten(path: Path, change: Callable[[dict[str, bytes]], Mapping[str, bytes]]) -> None:
    """Exchange parts of the zip file, and nothing else of it."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, body in change(parts).items():
            file.writestr(name, body)


def manifest(parts: Mapping[str, bytes], **changed: Any) -> bytes:
    return json.dumps({**json.loads(parts["manifest.json"]), **changed}).encode()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda parts: {**parts, "users.json": parts["users.json"].replace(b"bob", b"eve")}, "BACKUP-DAMAGED"),
        (lambda parts: {**parts, "objects/000000": b"other"}, "BACKUP-DAMAGED"),
        (lambda parts: {name: body for name, body in parts.items() if name != "users.json"}, "BACKUP-DAMAGED"),
        (lambda parts: {name: body for name, body in parts.items() if name != "objects/000000"}, "BACKUP-DAMAGED"),
        (lambda parts: {**parts, "more": b""}, "BACKUP-DAMAGED"),
        (lambda parts: {**parts, "manifest.json": b"[]"}, "BACKUP-NO-DATA"),
        (lambda parts: {**parts, "manifest.json": manifest(parts, files={})}, "BACKUP-DAMAGED"),
        (lambda parts: {**parts, "manifest.json": manifest(parts, schema=2)}, "BACKUP-TOO-NEW"),
        (lambda parts: {**parts, "manifest.json": manifest(parts, kind="another")}, "BACKUP-NO-DATA"),
    ],
)
def test_a_file_that_was_changed(tmp_path: Path, change: Callable[[dict[str, bytes]], Mapping[str, bytes]], expected: str) -> None:
    """It is refused whole, with a problem; `restore` sees nothing of it."""
    path = write(tmp_path / "backup.zip", secrets=None).path
    rewritten(path, change)
    assert code(open_data(path)) == expected
    assert isinstance(open_any(path), Problem)


@pytest.mark.parametrize("changed", [b"x" * 5000, None, b"other"])
def test_a_file_that_changes_while_it_is_restored(tmp_path: Path, changed: bytes | None) -> None:
    """An object whose content is not what was checked is not put back; the answer does not say that nothing was changed."""
    opened = open_data(write(tmp_path / "backup.zip", secrets=None).path)
    assert isinstance(opened, DataBackup)
    if changed is None:
        opened.path.unlink()
    elif changed == b"other":
        rewritten(opened.path, lambda parts: {**parts, "objects/000000": changed})
    else:
        opened.path.write_bytes(changed)
    with pytest.raises(Refused) as refused, opened.open_objects() as open_object, open_object(opened.objects[0]):
        pass
    assert (refused.value.problems[0].code, "Nothing was changed" in str(refused.value)) == ("BACKUP-DAMAGED", False)


def test_a_backup_of_another_deployment(folder: Folder) -> None:
    """It is refused before AWS is asked for anything, or the local AWS is started: the data of two would be mixed."""
    folder.write("config.yaml", "version: 1\nmode: local\nname: another\n")
    ended = folder.run("restore", str(write(folder.path / "backup.zip").path), "--data", "--yes")
    assert (ended.code, "BACKUP-FOREIGN" in ended.err, "this configuration is another" in ended.err) == (1, True, True), ended.text
    assert not list(folder.state.rglob("embedded-aws.json"))


def test_a_file_that_was_truncated(tmp_path: Path) -> None:
    """A file that is cut at any place is refused."""
    body = write(tmp_path / "backup.zip", secrets=None).path.read_bytes()
    for length in range(0, len(body), len(body) // 20):
        (tmp_path / "cut.zip").write_bytes(body[:length])
        assert code(open_data(tmp_path / "cut.zip")) == "BACKUP-DAMAGED"
        assert code(open_any(tmp_path / "cut.zip")) == "BACKUP-DAMAGED"


def test_parts_of_two_backups(tmp_path: Path) -> None:
    """With the passphrase a part is refused that was exchanged together with its checksum: a backup can't be given another user."""
    path = write(tmp_path / "backup.zip").path

    def exchange(parts: dict[str, bytes]) -> Mapping[str, bytes]:
        users = parts["users.json"].replace(b"bob", b"eve")
        files = json.loads(parts["manifest.json"])["files"]
        files["users.json"]["sha256"] = hashlib.sha256(users).hexdigest()
        return {**parts, "users.json": users, "manifest.json": manifest(parts, files=files)}

    rewritten(path, exchange)
    assert isinstance(open_any(path), Opened)
    assert code(open_any(path, PASSPHRASE)) == "BACKUP-DAMAGED"


def test_a_backup_that_could_not_be_finished(tmp_path: Path) -> None:
    """The one before stays, and nothing is beside it."""
    path = write(tmp_path / "backup.zip", secrets=None).path
    before = path.read_bytes()
    with pytest.raises(Refused):
        write_data(path, lambda writer: writer.add(contents.STATE, b"{}"))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["backup.zip"]


def test_the_secrets_of_a_dotenv_file(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the passphrase an empty folder gets them back, for its owner only; a value that is there stays, and none is shown."""
    config = b"version: 1\nmode: local\nname: test\n"
    path = str(write(folder.path / "backup.zip", config=config).path)
    folder.write("passphrase", f"{PASSPHRASE.reveal()}\n")
    assert folder.run("restore", path).code == 0
    assert KEY not in (folder.path / ".env").read_text()
    restored = folder.run("restore", path, "--passphrase-file", str(folder.path / "passphrase"))
    assert (restored.code, KEY in restored.text) == (0, False), restored.text
    dotenv = folder.path / ".env"
    assert f"TOKEN={KEY}" in dotenv.read_text().splitlines()
    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
    folder.write(".env", "TOKEN=mine\n")
    monkeypatch.setenv("SRE_AGENT_BACKUP_PASSPHRASE", PASSPHRASE.reveal())
    assert folder.run("restore", path).code == 0
    assert dotenv.read_text() == "TOKEN=mine\n"
    checked = folder.run("backup", "--check", path)
    assert (checked.code, "can be decrypted" in checked.out, KEY in checked.text) == (0, True, False)
    monkeypatch.setenv("SRE_AGENT_BACKUP_PASSPHRASE", "another passphrase")
    assert "BACKUP-PASSPHRASE-WRONG" in folder.run("restore", path, "--data").err
