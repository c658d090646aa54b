"""Killed at any mutating call, before it, after it, or before its record: nothing is lost, and nothing is created twice."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from behaviours import lister
from behaviours.assertions import ONE_OF_EACH
from behaviours.command_line import Desk
from behaviours.engine import Ran, engine
from behaviours.killed_at import MOMENTS
from behaviours.lanes import Lane, every, lane
from fixtures.sample import THOROUGH, sample, seed
from sre_agent_deploy.account import local
from sre_agent_deploy.backup.contents import CONFIGURATION, STATE, USERS, Writer, render_part, save_objects
from sre_agent_deploy.backup.data import write_data
from sre_agent_deploy.commands.backup import describe_origin, find_content
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.journal.state import State, parse_state
from sre_agent_deploy.resources.cognito_users import read_directory
from sre_core import clock

type Tried = Callable[[str, int], None]

# Another machine, another description, another version of the runtime, and one port more: what is replaced, what changes in one call,
# what changes in two.
OTHERWISE = {
    "gateway": {"description": "Another description"},
    "services": {"recording": "memory-leak"},
    "deployment": {"ssh_cidrs": ["192.0.2.0/24"]},
    "limits": {"monthly_usd": 60},
    "assistant": {"runtime": "agentcore", "reasoner": "openai", "model": "any", "url": "https://models.example.com/v1"},
}

# At each call the same moment of the three, another one with each commit.
DEATHS = sample(MOMENTS, 1)
# And at every fifth call; the others with another commit.
ONE_IN = "1" if THOROUGH else "5"
# Of an update, which makes few, at every second.
OF_UPDATE = "1" if THOROUGH else "2"
# A deployment makes at least as many calls that change something.
ALWAYS = 50
# What a deployment adds to an account, by unfiltered listings of every kind but files.
COMPLETE = ONE_OF_EACH | {"roles": 3, "secrets": 4, "security groups": 1, "volumes": 1, "interfaces": 1, "tables": 1}
COMPLETE |= {"runtimes": 1, "endpoints": 2, "log groups": 2}


@dataclass(frozen=True)
class Point:
    """The point where a run dies, and the command that follows."""

    nth: int
    moment: str
    ending: Literal["resume", "cleanup"]

    def where(self) -> dict[str, str]:
        return {"nth": str(self.nth), "moment": self.moment}


def points(calls: int, *endings: Literal["resume", "cleanup"]) -> list[Point]:
    return [Point(nth, moment, ending) for nth in range(1, calls + 1) for moment in MOMENTS for ending in endings]


@dataclass(frozen=True)
class Uncut:
    """The counts of each kind before and after a deployment, and the number of its calls."""

    nothing: dict[str, int]
    everything: dict[str, int]
    calls: int


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Uncut:
    with lane(tmp_path_factory.mktemp("uncut") / "lane") as here:
        nothing, folder = here.counted(), here.fresh()
        deployed = here.engine.deploy(folder)
        assert deployed.code == 0, deployed.said
        return Uncut(nothing, here.counted(), len(deployed.calls))


@pytest.fixture(scope="module")
def update_calls(tmp_path_factory: pytest.TempPathFactory) -> int:
    """The number of calls of an update."""
    with lane(tmp_path_factory.mktemp("updated") / "lane") as here:
        folder = here.fresh()
        assert here.engine.deploy(folder).code == 0
        here.configure(folder, **OTHERWISE)
        updated = here.engine.deploy(folder)
        assert updated.code == 0, updated.said
        return len(updated.calls)


@pytest.mark.skipif(THOROUGH, reason="the next test has every point")
def test_a_cleanup_of_a_killed_deployment(tmp_path: Path) -> None:
    """A deployment that was killed and not resumed leaves nothing either, at another call with each commit."""
    [point] = sample(points(ALWAYS, "cleanup"), 1)
    with lane(tmp_path / "lane") as here:
        before, folder = here.counted(), here.fresh()
        assert here.engine.deploy(folder, **point.where()).killed, point
        cleaned = here.engine.cleanup(folder)
        assert (cleaned.code, here.counted()) == (0, before), f"{point}: {cleaned.said}"


@pytest.mark.skipif(not THOROUGH, reason="`make test` cleans up one killed deployment, above, and resumes another one over and over, below")
@pytest.mark.timeout(3600)
def test_a_deployment_killed_at_every_point(uncut: Uncut, tmp_path: Path, tried: Tried) -> None:
    """Resuming ends with one of each resource, cleaning up with none; then the same id deploys again."""
    assert uncut.calls >= ALWAYS
    chosen = points(uncut.calls, "resume", "cleanup")
    faults = every(chosen, lambda here, point: _deployment(here, point, uncut), tmp_path)
    tried("kills of a deployment", len(chosen))
    assert not faults, "\n\n".join(faults)


def _deployment(here: Lane, point: Point, uncut: Uncut) -> str:
    folder = here.fresh()
    killed = here.engine.deploy(folder, **point.where())
    if not killed.killed and killed.code:
        return f"failed before it was killed: {killed.said}"
    if point.ending == "resume":
        resumed = here.engine.deploy(folder)
        if resumed.code or here.counted() != uncut.everything:
            return f"resumed to {_difference(here, uncut.everything)} {resumed.said}"
    cleaned = here.engine.cleanup(folder)
    if cleaned.code or here.counted() != uncut.nothing:
        return f"cleaned up to {_difference(here, uncut.nothing)} {cleaned.said}"
    return ""


@pytest.mark.skipif(not THOROUGH, reason="`make test` kills the update of one deployment over and over, below")
@pytest.mark.timeout(3600)
def test_an_update_killed_at_every_point(uncut: Uncut, update_calls: int, tmp_path: Path, tried: Tried) -> None:
    """Resuming ends with one of each resource, as the new configuration wants them; nothing is left to do."""
    chosen = points(update_calls, "resume")
    folders: dict[Lane, Path] = {}
    faults = every(chosen, lambda here, point: _update(here, point, uncut, folders), tmp_path)
    tried("kills of an update", len(chosen))
    assert not faults, "\n\n".join(faults)


def _update(here: Lane, point: Point, uncut: Uncut, folders: dict[Lane, Path]) -> str:
    if here not in folders:
        folders[here] = here.fresh()
        assert here.engine.deploy(folders[here]).code == 0
    folder = folders[here]
    # With the next point of a lane back again.
    there = "memory-leak" in (folder / "config.yaml").read_text()
    here.configure(folder, **({} if there else OTHERWISE))
    killed = here.engine.deploy(folder, **point.where())
    if not killed.killed and killed.code:
        return f"failed before it was killed: {killed.said}"
    resumed, again = here.engine.deploy(folder), here.engine.deploy(folder)
    if resumed.code or here.counted() != uncut.everything:
        return f"resumed to {_difference(here, uncut.everything)} {resumed.said}"
    return f"a run with nothing to do made calls: {again.calls}" if again.code or again.calls else ""


# Made at run time: it is no key of anything that outlives the test.
SAVED_KEY = secrets.token_hex(32)
PEOPLE = {"ann": ("on-call", "readers"), "bob": ("readers",), "carol": ()}
# Where the backup's content goes: nothing else is planned anew at each start.
HOLDERS = {"parts": "user_pool bucket credential_provider"}
FILES = {"sessions/1.json": b"what was said", "reports/a name.md": b"# Report"}


@pytest.mark.timeout(1800)
def test_a_restore_killed_over_and_over(tmp_path: Path, tried: Tried) -> None:
    """Killed at one call after the other, the same command puts back all people with their attributes, all files and the API key of the
    backup in the end, none of them twice.
    """
    with lane(tmp_path / "lane") as here:
        folder = here.fresh()
        assert here.engine.deploy(folder, **HOLDERS).code == 0
        _fill(here)
        _save(here, folder, folder / "backup.zip")
        there, (people, groups, files) = here.counted(), _read_content(here)
        _lose_content(here)
        killed = _ratcheted(here.engine.restore, folder, "deaths", DEATHS, one_in="1", **HOLDERS)
        tried("kills of a restore", killed)
        deaths = (folder / "deaths").read_text()
        for operation in (
            "AddCustomAttributes",
            "CreateGroup",
            "AdminCreateUser",
            "PutObject",
            "PutSecretValue",
            "UpdateSecretVersionStage",
        ):
            assert operation in deaths, deaths
        returned = {name: (enabled, sorted((*facts, ("custom:shift", "night")))) for name, (enabled, facts) in people.items()}
        assert (here.counted(), _read_content(here)) == (there, (returned, groups, files))
        assert _read_keys(here) == [SAVED_KEY]
        again = here.engine.restore(folder, **HOLDERS)
        assert (again.code, again.calls) == (0, ()), again.said


def _pool(here: Lane) -> str:
    [pool] = here.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"]
    return str(pool["Id"])


def _read_keys(here: Lane) -> list[str]:
    """The API keys that backends accept now."""
    client = here.client("secretsmanager")
    [secret] = [each["ARN"] for each in client.list_secrets()["SecretList"] if each["Name"].endswith("/backend-api-key")]
    stages = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
    accepted = [version for version, labels in stages.items() if labels]
    return [json.loads(client.get_secret_value(SecretId=secret, VersionId=each)["SecretString"])["api_key"] for each in accepted]


def _fill(here: Lane) -> None:
    cognito, s3, pool = here.client("cognito-idp"), here.client("s3"), _pool(here)
    cognito.add_custom_attributes(UserPoolId=pool, CustomAttributes=[{"Name": "team", "AttributeDataType": "String", "Mutable": True}])
    for number, name in enumerate(("on-call", "readers")):
        cognito.create_group(UserPoolId=pool, GroupName=name, Precedence=number)
    for name, groups in PEOPLE.items():
        pairs = [{"Name": "email", "Value": f"{name}@example.com"}, {"Name": "custom:team", "Value": "sre"}]
        cognito.admin_create_user(UserPoolId=pool, Username=name, UserAttributes=pairs, MessageAction="SUPPRESS")
        for group in groups:
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=name, GroupName=group)
    cognito.admin_disable_user(UserPoolId=pool, Username="carol")
    [bucket] = [each["Name"] for each in s3.list_buckets()["Buckets"]]
    for key, body in FILES.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body, Tagging="kind=kept")


def _save(here: Lane, folder: Path, backup: Path) -> None:
    """Save what is there by the code of `backup --data`: an hour ago, with an attribute that the pool has lost and with another API key."""
    (folder / "api-key").write_text(SAVED_KEY)
    registry = local.parse_registry(here.desk.registry_file, json.loads(here.desk.registry_file.read_text()))
    config, state = load(folder / "config.yaml", environ={}, mode="local"), parse_state((folder / ".deployment_state").read_bytes(), "")
    assert isinstance(config, Config) and isinstance(state, State)
    aws, content = registry.aws("us-east-1"), find_content(config, state, "")

    def fill(writer: Writer) -> None:
        writer.add(CONFIGURATION, b"")
        writer.add(STATE, b"{}")
        found = read_directory(aws, content.user_pool_id)
        shift = {**found.custom_attributes[0], "Name": "custom:shift"}
        people = tuple(replace(each, attributes={**each.attributes, "custom:shift": "night"}) for each in found.people)
        writer.add(USERS, render_part(replace(found, custom_attributes=(*found.custom_attributes, shift), people=people)))
        save_objects(aws, content, writer, [])
        writer.finish(describe_origin(config, state, clock.stamp(clock.now() - timedelta(hours=1))), ())

    write_data(backup, fill)


def _read_content(here: Lane) -> Any:
    """Read the people and files of a deployment, without times and ids of AWS's own."""
    cognito, s3, pool = here.client("cognito-idp"), here.client("s3"), _pool(here)
    people = {
        user["Username"]: (user["Enabled"], sorted((each["Name"], each["Value"]) for each in user["Attributes"] if each["Name"] != "sub"))
        for user in cognito.list_users(UserPoolId=pool)["Users"]
    }
    groups = {
        group["GroupName"]: sorted(
            user["Username"] for user in cognito.list_users_in_group(UserPoolId=pool, GroupName=group["GroupName"])["Users"]
        )
        for group in cognito.list_groups(UserPoolId=pool)["Groups"]
    }
    [bucket] = [each["Name"] for each in s3.list_buckets()["Buckets"]]
    files = {key: (s3.get_object(Bucket=bucket, Key=key)["Body"].read(), _kind(s3, bucket, key)) for key in FILES}
    return people, groups, files


def _kind(s3: Any, bucket: str, key: str) -> str:
    tags = {each["Key"]: each["Value"] for each in s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}
    return tags["kind"]


def _lose_content(here: Lane) -> None:
    cognito, s3, pool = here.client("cognito-idp"), here.client("s3"), _pool(here)
    for name in PEOPLE:
        cognito.admin_delete_user(UserPoolId=pool, Username=name)
    for group in ("on-call", "readers"):
        cognito.delete_group(UserPoolId=pool, GroupName=group)
    [bucket] = [each["Name"] for each in s3.list_buckets()["Buckets"]]
    for key in FILES:
        s3.delete_object(Bucket=bucket, Key=key)


@pytest.mark.timeout(1800)
def test_one_deployment_killed_over_and_over(desk: Desk, tried: Tried) -> None:
    """Killed at one call after the other and resumed by a run that is killed at a later one, it ends verified, with one of each; then its
    update, killed as often, ends likewise, and leaves nothing to do; then its cleanup ends with nothing.
    """
    desk.configure(assistant={"runtime": "agentcore"})
    desk.start_aws()
    before = lister.everything(desk.client)
    with engine(desk.registry_file, {"SRE_AGENT_STATE_DIR": str(desk.state_dir)}) as runs:
        tried("kills of one and the same deployment", _ratcheted(runs.deploy, desk.folder, "deaths", DEATHS))
        _verified(desk, before)
        desk.configure(**OTHERWISE, alerts={"email": "team@example.com"})
        tried("kills of its update", _ratcheted(runs.deploy, desk.folder, "updates", DEATHS, one_in=OF_UPDATE))
        again = runs.deploy(desk.folder)
        assert (again.code, again.calls) == (0, ()), again.said
        _verified(desk, before, budgets=1)
        tried("kills of its cleanup", _ratcheted(runs.cleanup, desk.folder, "deletes", DEATHS))
    assert lister.everything(desk.client) == before


def _ratcheted(work: Callable[..., Ran], folder: Path, name: str, moments: Sequence[str], one_in: str = ONE_IN, **how: str) -> int:
    """Run until a run is not killed any more, which must end well; answers how many were."""
    deaths = folder / name
    while (ran := work(folder, ratchet=str(deaths), moments=" ".join(moments), one_in=one_in, seed=str(seed()), **how)).killed:
        pass
    assert ran.code == 0, ran.said
    return len(deaths.read_text().splitlines())


def _verified(desk: Desk, before: Mapping[str, list[str]], **more: int) -> None:
    verified = desk.deploy("resume")
    assert verified.code == 0, verified.text
    assert "is verified" in verified.out
    there = lister.everything(desk.client)
    made = {kind: len(ids) - len(before[kind]) for kind, ids in there.items() if len(ids) != len(before[kind])}
    # The machine adds reports of its own; those of a machine that is gone are looked for below.
    assert {kind: number for kind, number in made.items() if kind != "objects"} == COMPLETE | more
    assert {Path(name).parent.name for name in there["objects"] if "/status/" in name} == set(there["instances"]), "reports of what is gone"


def _difference(here: Lane, wanted: dict[str, int]) -> str:
    seen = here.counted()
    return (
        ", ".join(f"{seen[kind]} {kind} instead of {number}" for kind, number in wanted.items() if seen[kind] != number)
        or "the right count"
    )
