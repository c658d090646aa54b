"""No operation on a configuration loses anything that its user wrote."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.backup import keep, restore
from sre_agent_deploy.config import text_file
from sre_agent_deploy.config.edit import change_values, put, read_values, rename_key
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.text_file import Original
from sre_agent_deploy.migrate import Step, migrate, upgrade
from sre_agent_deploy.old_files import OldFile, read_old

VALUES = {
    ("name",): ["demo", "a-b", "x1"],
    ("aws", "region"): ["us-east-1", "eu-west-1", "${SRE_REGION}"],
    ("aws", "role_name"): ["ops", "arn:aws:iam::123456789012:role/sre"],
    ("gateway", "description"): ["tools", "it's: ours # really", 'say "hi"', "é ü ✓", "-", "~x", "null"],
    ("deployment", "instance_type"): ["t3.xlarge", "m6i.2xlarge"],
    ("deployment", "volume_gb"): ["50", "200", "${SIZE:-60}"],
    ("deployment", "ssh_cidrs"): [["203.0.113.0/24"], ["192.0.2.0/24", "198.51.100.0/24"], []],
    ("tags", "team"): ["platform", "a b", "17"],
    ("tags", "kubernetes.io/owner"): ["x", "no"],
    ("services", "recording"): ["healthy", "./mine"],
}
FLAT = {
    ("account_id",): ["012345678901", "123456789012"],
    ("region",): ["us-east-1", "eu-west-1"],
    ("gateway_description",): VALUES["gateway", "description"],
    ("s3_path_prefix",): ["devops", "a/b"],
    ("our_own_setting",): ["17", "some words", "x:y"],
    ("another-one",): ["true", "[brackets]"],
}
VARIABLES = {"SRE_REGION": ["us-east-1", "eu-west-1"], "SIZE": ["70", "80"], "SRE_AGENT__TLS__SOURCE": ["local_ca"]}
SECRET = "planted-secret"
STEP = Step(0, "disk_gb is volume_gb", lambda text: rename_key(text, ("deployment", "disk_gb"), "volume_gb"))


@dataclass
class Written:
    """A text that a user might have written, and the comments in it."""

    text: str
    comments: list[str] = field(default_factory=list)


@st.composite
def texts(draw: st.DrawFn, values: dict[tuple[str, ...], list[object]], head: tuple[str, ...] = ()) -> Written:
    """Any selection of fields, in any order, indentation, quotes and line ends, with comments everywhere."""
    written = Written("")
    newline, indent = draw(st.sampled_from(["\n", "\r\n"])), " " * draw(st.integers(1, 4))
    chosen = draw(st.lists(st.sampled_from(list(values)), unique=True, min_size=min(5, len(values) - 1)))
    lines = [*head, *_above(draw, written, "")]
    for top in dict.fromkeys(path[0] for path in chosen):
        deep = [path for path in chosen if path[0] == top and len(path) == 2]
        if deep:
            lines.append(f"{top}:{_beside(draw, written)}")
        for path in deep or [(top,)]:
            lines += _above(draw, written, indent if deep else "")
            lines += _entry(draw, written, path, draw(st.sampled_from(values[path])), indent if deep else "")
    lines += _above(draw, written, "")
    written.text = newline.join(lines) + draw(st.sampled_from(["", newline]))
    return written


def _entry(draw: st.DrawFn, written: Written, path: tuple[str, ...], value: object, indent: str) -> Iterator[str]:
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        yield f"{indent}{path[-1]}:{_beside(draw, written)}"
        for item in value:
            yield f"{indent}  - {item}{_beside(draw, written)}"
    else:
        yield f"{indent}{path[-1]}:{' ' * draw(st.integers(1, 3))}{_scalar(draw, value)}{_beside(draw, written)}"


def _scalar(draw: st.DrawFn, value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(value) + "]"
    text = str(value)
    single = "'" + text.replace("'", "''") + "'"
    double = '"' + text.replace('"', '\\"') + '"'
    free = text.replace("-", "").replace("_", "").isalnum() and text.isascii() and text not in ("null", "-")
    return draw(st.sampled_from([single, double, *([text] if free else [])]))


def _note(draw: st.DrawFn, written: Written) -> str:
    words = draw(st.sampled_from(["why", "see: the wiki", "it's {odd} [", "key: value", "# twice", "'quoted", "- a"]))
    note = f"# note {len(written.comments)}: {words}"
    written.comments.append(note)
    return note


def _above(draw: st.DrawFn, written: Written, indent: str) -> list[str]:
    return [indent + _note(draw, written) if draw(st.booleans()) else "" for _ in range(draw(st.integers(0, 2)))]


def _beside(draw: st.DrawFn, written: Written) -> str:
    return "  " + _note(draw, written) if draw(st.integers(0, 2)) == 0 else ""


@st.composite
def dotenvs(draw: st.DrawFn) -> Written:
    """Generate a .env file with the variables that the texts refer to, a foreign one that is secret, and comments everywhere."""
    written = Written("")
    values = {"SRE_REGION": draw(st.sampled_from(VARIABLES["SRE_REGION"])), "DB_LOGIN": SECRET}
    values |= {name: draw(st.sampled_from(VARIABLES[name])) for name in draw(st.lists(st.sampled_from(list(VARIABLES)), unique=True))}
    lines = []
    for name in draw(st.permutations(list(values))):
        quote, export = draw(st.sampled_from(["", "'", '"'])), draw(st.sampled_from(["", "export "]))
        lines += [*_above(draw, written, ""), f"{export}{name}={quote}{values[name]}{quote}{_beside(draw, written)}"]
    lines += _above(draw, written, "")
    written.text = "".join(f"{line}\n" for line in lines)
    return written


variables = st.sampled_from(list(VARIABLES)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(VARIABLES[name])))
# Lists are drawn twice as often: replacing one is where a comment could go with it.
edits = st.sampled_from([*VALUES, ("deployment", "ssh_cidrs")]).flatmap(
    lambda path: st.tuples(st.just(path), st.sampled_from(VALUES[path])),
)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), edits),
        st.tuples(st.just("set_variable"), variables),
        st.tuples(st.sampled_from(["backup", "migrate", "update"]), st.none()),
        st.tuples(st.just("move"), st.integers(0, 9)),
        st.tuples(st.just("restore"), st.tuples(st.integers(0, 9), st.sampled_from(["mine", "theirs"]))),
    ),
    min_size=3,
    max_size=8,
)


@pytest.fixture(autouse=True, scope="module")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


@dataclass
class Kept:
    """A backup, and what it must give back."""

    path: Path
    body: bytes
    config: Config


@dataclass
class User:
    """A configuration on disk, and all that must still be in it."""

    path: Path
    written: Written
    dotenv: Written
    backups: list[Kept] = field(default_factory=list)

    def now(self) -> Original:
        original = text_file.read(self.path)
        assert isinstance(original, Original), original
        return original

    def config(self) -> Config:
        config = load(self.path, environ={}, mode=None)
        assert isinstance(config, Config), config
        return config

    def dotenv_now(self) -> Original:
        original = text_file.read_if_there(self.path.parent / ".env")
        assert isinstance(original, Original), original
        return original

    def set_variable(self, argument: tuple[str, str]) -> None:
        """The user changes a variable by hand, or adds it."""
        name, value = argument
        before = self.dotenv_now()
        pattern = rf"(?m)^((?:export )?{name}=)['\"]?[^'\"\s]*['\"]?"
        text, found = re.subn(pattern, rf"\g<1>{value}", before.text)
        text_file.replace(before, text if found else f"{text}{name}={value}\n")

    def edit(self, argument: tuple[tuple[str, ...], object]) -> None:
        before = self.now()
        text = put(before.text, *argument)  # type: ignore[arg-type]
        assert isinstance(text, str), text
        assert read_values(text) == change_values(read_values(before.text), *argument)  # type: ignore[arg-type]
        kept = keep.rewrite(before, text, self.path.parent / "none")
        assert kept
        assert kept.archive.config == before.body

    def backup(self, argument: None) -> None:
        made = keep.back_up(self.now(), self.path.parent / "none")
        assert SECRET.encode() not in made.path.read_bytes()
        self.backups.append(Kept(made.path, self.path.read_bytes(), self.config()))

    def migrate(self, argument: None) -> None:
        """A file that is current stays as it is."""
        before = self.now().text
        assert migrate([], before, lambda difference: "abort").text == before

    def update(self, argument: None) -> None:
        """The file as an earlier version wrote it, in its backup too, and a new program that has another format."""
        now, config = self.now(), self.config()
        text_file.replace(now, rename_key(now.text.replace("version: 1", "version: 0", 1), ("deployment", "volume_gb"), "disk_gb"))
        old = self.now()
        made = keep.back_up(old, self.path.parent / "none")
        text = upgrade(old.text, (STEP,), 1)
        assert text == now.text
        undo = keep.rewrite(old, text, self.path.parent / "none")
        assert undo
        assert (undo.archive.config, self.config()) == (old.body, config)
        self.backups.append(Kept(made.path, self.path.read_bytes(), config))

    def restore(self, argument: tuple[int, str]) -> None:
        number, choice = argument
        if not self.backups:
            return
        kept, before = self.backups[number % len(self.backups)], self.now()
        archive = keep.open_backup(kept.path)
        dotenv = self.dotenv_now()
        prepared = restore.prepare(archive, before, dotenv, environ={}, steps=(STEP,))  # type: ignore[arg-type]
        assert isinstance(prepared, restore.Restoration), prepared
        undo = restore.apply(prepared, restore.decide(prepared, lambda difference: choice), self.path.parent / "none")  # type: ignore[arg-type, return-value]
        assert undo
        assert [line for line in dotenv.text.splitlines() if line not in self.dotenv_now().text] == []
        assert undo.archive.config == before.body
        if choice == "theirs":
            assert (self.path.read_bytes(), self.config()) == (kept.body, kept.config)
        else:
            assert self.path.read_bytes() == before.body

    def move(self, number: int) -> None:
        """A backup alone makes the same configuration in an empty folder of another machine."""
        kept = self.backups[number % len(self.backups)]
        with tempfile.TemporaryDirectory() as place:
            there = User(Path(place) / "config.yaml", self.written, self.dotenv)
            archive = keep.open_backup(kept.path)
            none = Original(there.path, None)
            prepared = restore.prepare(archive, none, there.dotenv_now(), environ={}, steps=(STEP,))  # type: ignore[arg-type]
            assert isinstance(prepared, restore.Restoration), prepared
            restore.apply(prepared, restore.decide(prepared, lambda difference: "abort"), there.path.parent / "none")
            assert (there.path.read_bytes(), there.config()) == (kept.body, kept.config)
            dotenv = there.dotenv_now().text
            assert [note for note in self.dotenv.comments if note not in dotenv] == []
            assert (SECRET not in dotenv, "DB_LOGIN" in dotenv) == (True, True)


@pytest.mark.property(6)
@given(texts(VALUES, ("version: 1", "mode: local")), dotenvs(), operations)
def test_nothing_is_lost_by_editing_migrating_updating_or_restoring(
    written: Written, dotenv: Written, sequence: list[tuple[str, object]]
) -> None:
    """**Feature: aws-ec2-production-deployment, Property 6: Configuration Management**

    For any deployment update or backup operation, the system should preserve existing configurations, migrate to new formats when
    needed, and handle conflicts with clear resolution options.

    Here: for any configuration with a .env file, and any sequence of edit, migrate, backup, update, restore and move to another
    machine: no user value or comment is lost, what is overwritten is kept, and restoring yields the same validated configuration.
    """
    with tempfile.TemporaryDirectory() as place:
        user = User(Path(place) / "config.yaml", written, dotenv)
        user.path.write_bytes(written.text.encode())
        (user.path.parent / ".env").write_text(dotenv.text)
        user.backup(None)
        for name, argument in sequence:
            getattr(user, name)(argument)
            assert user.config()
            text = user.now().text
            assert [note for note in written.comments if note not in text] == []
            text = user.dotenv_now().text
            assert [note for note in dotenv.comments if note not in text] == []
            assert SECRET in text


@pytest.mark.property(6)
@given(texts(FLAT))
def test_nothing_is_lost_by_leaving_the_old_format(written: Written) -> None:
    """**Feature: aws-ec2-production-deployment, Property 6: Configuration Management**

    For any deployment update or backup operation, the system should preserve existing configurations, migrate to new formats when
    needed, and handle conflicts with clear resolution options.

    Here: for any file of the flat format, every value, unknown ones included, and every comment is in the new file, and the known
    ones are what the loader reads.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "config.yaml"
        path.write_bytes(written.text.encode())
        old = read_old(path)
        assert isinstance(old, OldFile), old
        text = migrate([old], None, lambda difference: "abort").text
        assert [note for note in written.comments if note not in text] == []
        data = read_values(text)
        places = {"account_id": "aws", "region": "aws", "s3_path_prefix": "gateway", "gateway_description": "gateway"}
        for setting in old.settings:
            section = places.get(setting.name)
            if section:
                name = setting.name.removeprefix("gateway_")
                assert data[section][name] == setting.value  # type: ignore[index, call-overload]
            else:
                assert setting.name in text
                assert str(setting.value) in text
