"""`backup`, `restore` and `set`, as a user runs them."""

from __future__ import annotations

import json
import stat
import zipfile

import pytest

from fixtures.kept_files import Folder

LOCAL = """\
# my assistant
version: 1
mode: local
name: demo   # short

deployment:
  instance_type: t3.xlarge  # enough for us
  volume_gb: 60
tags: {team: platform}
"""


def backed_up(folder: Folder) -> str:
    folder.write("config.yaml", LOCAL)
    result = folder.run("backup", "--json")
    assert result.code == 0, result.text
    return str(json.loads(result.out)["backup"])


def test_a_backup_names_what_it_does_not_hold(folder: Folder) -> None:
    """The configuration is in it byte for byte; of .env only the names; of the state what exists."""
    folder.write(".env", "COGNITO_CLIENT_SECRET=planted\n")
    with zipfile.ZipFile(backed_up(folder)) as file:
        assert file.read("config.yaml") == LOCAL.encode()
        assert json.loads(file.read("environment.json")) == {"names": ["COGNITO_CLIENT_SECRET"]}
    assert stat.S_IMODE(folder.backups()[0].stat().st_mode) == 0o600


def test_the_same_configuration_is_kept_once(folder: Folder) -> None:
    """Backups of an unchanged configuration are one file; --output writes another where one is wanted."""
    first = backed_up(folder)
    assert backed_up(folder) == first
    assert folder.run("backup", "--output", "mine.zip").code == 0
    assert (folder.path / "mine.zip").read_bytes() == folder.backups()[0].read_bytes()
    assert folder.run("backup", "--list").out.split() == [first]


def test_restoring_what_is_already_there(folder: Folder) -> None:
    """Nothing is written, and there is no question."""
    backup = backed_up(folder)
    result = folder.run("restore", backup)
    assert result.code == 0, result.text
    assert "stays as it is" in result.out


def test_restoring_where_nothing_is(folder: Folder) -> None:
    """The file comes back byte for byte."""
    backup = backed_up(folder)
    folder.config.unlink()
    assert folder.run("restore", backup).code == 0
    assert folder.config.read_text() == LOCAL


CHANGED = LOCAL.replace("volume_gb: 60", "volume_gb: 80  # more").replace("t3.xlarge", "t3.2xlarge")


@pytest.mark.parametrize(
    ("choice", "code", "expected"),
    [(("--conflict=mine",), 0, CHANGED), (("--conflict=theirs",), 0, LOCAL), (("--conflict=abort",), 1, CHANGED), ((), 1, CHANGED)],
)
def test_a_file_that_changed_since(folder: Folder, choice: tuple[str, ...], code: int, expected: str) -> None:
    """Both values are shown; the option decides. Without the option and without a terminal nothing changes."""
    backup = backed_up(folder)
    folder.write("config.yaml", CHANGED)
    result = folder.run("restore", backup, *choice)
    assert result.code == code
    assert folder.config.read_text() == expected
    assert "t3.2xlarge" in result.out
    assert "-  volume_gb: 80  # more" in result.out
    assert ("CONFLICT-UNDECIDED" in result.err) == (choice == ())
    assert ("CONFLICT-ABORTED" in result.err) == (choice == ("--conflict=abort",))


def test_a_restore_can_be_taken_back(folder: Folder) -> None:
    """A restore first backs up the file that it overwrites."""
    backup = backed_up(folder)
    folder.write("config.yaml", CHANGED)
    result = folder.run("restore", backup, "--conflict=theirs", "--json")
    undo = json.loads(result.out.splitlines()[-1])["backup_of_before"]
    assert folder.run("restore", undo, "--conflict=theirs").code == 0
    assert folder.config.read_text() == CHANGED


def test_a_dry_run(folder: Folder) -> None:
    """It shows every change and writes nothing."""
    backup = backed_up(folder)
    folder.write("config.yaml", CHANGED)
    before = folder.everything_written()
    result = folder.run("restore", backup, "--dry-run", "--json")
    document = json.loads(result.out)
    assert [each["field"] for each in document["differences"]] == ["deployment.instance_type", "deployment.volume_gb"]
    assert folder.everything_written() == before


def test_comments_alone_are_a_difference_too(folder: Folder) -> None:
    """A comment that was written since the backup is not overwritten without a question."""
    backup = backed_up(folder)
    folder.write("config.yaml", LOCAL + "# new\n")
    assert "CONFLICT-UNDECIDED" in folder.run("restore", backup).err
    assert folder.config.read_text() == LOCAL + "# new\n"


def test_a_backup_that_is_not_valid_here(folder: Folder) -> None:
    """It is validated first; every fault is reported, and the file stays."""
    folder.write("config.yaml", LOCAL.replace("demo", "${NOT_SET_HERE_AT_ALL}").replace("t3.xlarge", "t3.nano"))
    backup = json.loads(folder.run("backup", "--json").out)["backup"]
    folder.write("config.yaml", LOCAL)
    result = folder.run("restore", backup, "--conflict=theirs")
    assert result.code == 1
    assert [code for code in ("RESTORE-INVALID", "CONFIG-ENV-MISSING", "CONFIG-INSTANCE-TOO-SMALL") if code not in result.err] == []
    assert folder.config.read_text() == LOCAL


ENV = """\
# of our team
AWS_ACCOUNT_ID=123456789012   # shared
export SRE_DOMAIN_NAME='sre.example.org'
SRE_AGENT__DEPLOYMENT__VOLUME_GB=80
# password: planted-in-a-comment
COGNITO_CLIENT_SECRET=planted
OTHER=planted-too
"""


def template_backed_up(folder: Folder) -> str:
    """The template as `init` writes it, with the .env file that its fields refer to, in a backup; then all of it is gone."""
    assert folder.run("init").code == 0
    folder.write(".env", ENV)
    result = folder.run("backup", "--json")
    assert result.code == 0, result.text
    document = json.loads(result.out)
    assert document["hidden"] == []
    return str(document["backup"])


def test_a_template_and_its_env_file_are_restored_elsewhere(folder: Folder) -> None:
    """The template comes back byte for byte, .env with every setting and comment; what may be a secret is named and left out."""
    backup = template_backed_up(folder)
    template = folder.config.read_bytes()
    folder.config.unlink()
    (folder.path / ".env").unlink()
    result = folder.run("restore", backup)
    assert result.code == 0, result.text
    assert folder.config.read_bytes() == template
    assert folder.run("validate").code == 0
    restored = (folder.path / ".env").read_text()
    assert restored.splitlines()[:4] == ENV.splitlines()[:4]
    assert stat.S_IMODE((folder.path / ".env").stat().st_mode) == 0o600
    assert "planted" not in restored
    assert [name for name in ("COGNITO_CLIENT_SECRET", "OTHER") if name not in result.out or f"# {name}=***" not in restored] == []
    with zipfile.ZipFile(backup) as file:
        assert not [name for name in file.namelist() if b"planted" in file.read(name)]


@pytest.mark.parametrize(("choice", "account"), [("mine", "210987654321"), ("theirs", "123456789012")])
def test_an_env_file_that_is_there(folder: Folder, choice: str, account: str) -> None:
    """Missing names are added, a value that differs is a conflict, and the value that is replaced stays as a comment."""
    backup = template_backed_up(folder)
    mine = "AWS_ACCOUNT_ID=210987654321\nCOGNITO_CLIENT_SECRET=planted\n# mine\n"
    folder.write(".env", mine)
    assert "CONFLICT-UNDECIDED" in folder.run("restore", backup).err
    assert (folder.path / ".env").read_text() == mine
    result = folder.run("restore", backup, f"--conflict={choice}")
    assert result.code == 0, result.text
    restored = (folder.path / ".env").read_text()
    assert [line for line in mine.splitlines() if line not in restored] == []
    assert f"\nAWS_ACCOUNT_ID={account}" in f"\n{restored}"
    assert "export SRE_DOMAIN_NAME='sre.example.org'" in restored
    assert folder.run("restore", backup, f"--conflict={choice}").code == 0
    assert (folder.path / ".env").read_text() == restored


def test_variables_that_are_missing_now(folder: Folder) -> None:
    """A name that was in .env when the backup was made, and is not now, is reported."""
    folder.write(".env", "MINE_OF_THEN=1\n")
    backup = backed_up(folder)
    (folder.path / ".env").unlink()
    assert "MINE_OF_THEN" in folder.run("restore", backup).out


@pytest.mark.parametrize("body", [b"", b"PK no zip", b"\x00" * 3_000_000])
def test_a_file_that_is_no_backup(folder: Folder, body: bytes) -> None:
    """It is reported without a traceback, and nothing changes."""
    (folder.path / "x.zip").write_bytes(body)
    assert "BACKUP-DAMAGED" in folder.run("restore", "x.zip").err
    assert "BACKUP-MISSING" in folder.run("restore", "none.zip").err


def test_setting_values(folder: Folder) -> None:
    """Several values are set at once; the file from before is backed up."""
    folder.write("config.yaml", LOCAL)
    result = folder.run("set", "deployment.volume_gb", "80", "tags.cost", "17")
    assert result.code == 0, result.text
    assert folder.config.read_text() == LOCAL.replace("60", "80").replace("platform}", "platform, cost: 17}")
    with zipfile.ZipFile(folder.backups()[0]) as file:
        assert file.read("config.yaml") == LOCAL.encode()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("deployment.volume_gb", "8"), "CONFIG-VOLUME"),
        (("deployment.volume", "80"), "CONFIG-UNKNOWN-KEY"),
        (("aws", "80"), "CONFIG-TYPE"),
        (("name.first", "x"), "EDIT-UNSAFE"),
        (("version", "9"), "CONFIG-VERSION"),
    ],
)
def test_a_value_that_is_not_valid(folder: Folder, words: tuple[str, ...], code: str) -> None:
    """Nothing is written, not even a backup."""
    folder.write("config.yaml", LOCAL)
    result = folder.run("set", *words)
    assert result.code == 1
    assert code in result.err
    assert folder.config.read_text() == LOCAL
    assert not folder.backups()


def test_correcting_one_fault_of_two(folder: Folder) -> None:
    """A fault that was there before is reported again, and does not prevent a correction."""
    folder.write("config.yaml", LOCAL.replace("t3.xlarge", "t3.nano").replace("60", "6"))
    result = folder.run("set", "deployment.volume_gb", "60")
    assert result.code == 0
    assert "CONFIG-INSTANCE-TOO-SMALL" in result.err
    assert "volume_gb: 60" in folder.config.read_text()


def test_a_file_from_windows_with_its_own_rights(folder: Folder) -> None:
    """Byte order mark, line ends, permissions and a link to the file stay."""
    real = folder.write("real.yaml", "\ufeff" + LOCAL.replace("\n", "\r\n"))
    real.chmod(0o640)
    folder.config.symlink_to(real)
    assert folder.run("set", "name", "other").code == 0
    assert real.read_bytes() == b"\xef\xbb\xbf" + LOCAL.replace("demo", "other").replace("\n", "\r\n").encode()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert folder.config.is_symlink()
    assert not [file for file in folder.path.iterdir() if file.name.startswith(".")]


def test_no_backup_no_write(folder: Folder) -> None:
    """If no backup can be made, the configuration is not changed."""
    folder.write("config.yaml", LOCAL)
    (folder.state / "backups").write_text("a file, where the folder should be")
    result = folder.run("set", "name", "other")
    assert "BACKUP-NOT-MADE" in result.err
    assert folder.config.read_text() == LOCAL
