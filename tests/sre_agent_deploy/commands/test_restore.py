"""`restore --data`: after a stop at any call, the same command ends as an uninterrupted one would; newer content stays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from fixtures.cut import MOMENTS, Cut, cut_at
from fixtures.engine import Engine
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.backup.contents import Origin
from sre_agent_deploy.backup.data import (
    DataBackup,
    OpenObject,
    Step,
    decide_api_key,
    decide_client_secret,
    decide_object,
    decide_people,
    describe_steps,
)
from sre_agent_deploy.checks.verification.endpoint_client import Client, Endpoints
from sre_agent_deploy.commands.restore import Restore, _is_of_here, put_back
from sre_agent_deploy.commands.rotate import Rotation
from sre_agent_deploy.commands.user import UNATTENDED
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.journal.state import State, render_state
from sre_agent_deploy.plan import Action, Change, Plan
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_agent_deploy.resources.cognito_users import NEVER_SIGNED_IN, Directory, Group, Person, read_directory
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.s3_content import StoredObject
from sre_core.problem import Refused
from sre_core.secret import Secret

ROLE = "arn:aws:iam::123456789012:role/on-call"
BEFORE, MADE_AT, AFTER = "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z"
OLD = {"created": BEFORE, "modified": BEFORE}
ANN = Person(username="ann", attributes={"email": "ann@example.com", "custom:team": "sre"}, groups=("on-call",), **OLD)
BOB = Person(username="bob", attributes={"email": "bob@example.com"}, enabled=False, **OLD)
TEAM = {"Name": "custom:team", "AttributeDataType": "String", "Mutable": True}
GROUP = Group(name="on-call", description="who is called", precedence=1, created=BEFORE)
SAVED = Directory(people=(ANN, BOB), groups=(GROUP,), custom_attributes=(TEAM,))
KEPT = StoredObject(
    key="sre-old/sessions/1.json", size=4, etag="e", modified=BEFORE, sha256=hashlib.sha256(b"kept").hexdigest(),
    content_type="text/plain", metadata={}, tags={"kind": "x"},
)  # fmt: skip


class Kept(DataBackup):
    """A backup whose objects all have one content."""

    @contextmanager
    def open_objects(self) -> Iterator[OpenObject]:
        yield lambda stored: nullcontext(BytesIO(b"kept"))


@pytest.fixture
def engine(engine: Engine) -> Engine:
    engine.parts = ("user_pool", "bucket", "caller_client")
    engine.deploy()
    return engine


class Overtaken(Kept):
    """The same, but another program writes each object just before it is put back."""

    write: ClassVar[Callable[[], object]]

    @contextmanager
    def open_objects(self) -> Iterator[OpenObject]:
        def open_object(stored: StoredObject) -> Any:
            type(self).write()
            return nullcontext(BytesIO(b"kept"))

        yield open_object


def restore_of(engine: Engine) -> tuple[Restore, Rotation]:
    origin = Origin(
        made_at=MADE_AT, account="123456789012", region="us-east-1", deployment="sre-old", name=engine.name, mode="local", release="1"
    )
    backup = Kept(path=Path("kept.zip"), origin=origin, configuration=b"", directory=SAVED, objects=(KEPT,))
    config = Config.model_validate({"mode": "local", "name": engine.name})
    client = Client("", Secret(""), "")
    endpoints = Endpoints("https://machine.invalid", "", "", "", client, client, ())
    plan = engine.plan()
    return Restore(backup, None, config, plan, engine.aws), Rotation(engine.aws, plan, endpoints, timedelta(0), UNATTENDED)


def found(engine: Engine) -> Any:
    """Return everything in the deployment, without times and ids of Cognito's own."""
    there = read_directory(engine.aws, engine.id_of("user_pool"))
    people = {(each.username, tuple(sorted(each.attributes.items())), each.enabled, each.groups) for each in there.people}
    s3, bucket = engine.client("s3"), engine.id_of("bucket")
    keys = [(each["Key"], each["Size"]) for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return people, [(each.name, each.precedence) for each in there.groups], [each["Name"] for each in there.custom_attributes], keys


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_restore_that_is_cut(engine: Engine, moment: str) -> None:
    """At each call: the same command puts back the rest, nothing twice, and a user who was disabled stays so."""
    expected = (
        {("ann", tuple(sorted(ANN.attributes.items())), True, ("on-call",)), ("bob", tuple(BOB.attributes.items()), False, ())},
        [("on-call", 1)],
        ["custom:team"],
        [(f"{engine.id}/sessions/1.json", 4)],
    )
    cognito, pool = engine.client("cognito-idp"), engine.id_of("user_pool")
    for nth in count(1):
        try:
            with cut_at(engine.aws, nth, moment):
                put_back(*restore_of(engine), None)
        except Cut:
            put_back(*restore_of(engine), None)
            assert found(engine) == expected
            for person in SAVED.people:
                cognito.admin_delete_user(UserPoolId=pool, Username=person.username)
            cognito.delete_group(UserPoolId=pool, GroupName="on-call")
            engine.client("s3").delete_object(Bucket=engine.id_of("bucket"), Key=f"{engine.id}/sessions/1.json")
        else:
            assert nth > 5
            assert found(engine) == expected
            assert {step.action for step in restore_of(engine)[0].decide(None)} == {"keep"}
            return


def _check_roles_of_groups(engine: Engine, restore: Restore, rotation: Rotation) -> None:
    """A group gets its role back in the account of the backup alone: in another account the role is another one, or none."""
    cognito, where = engine.client("cognito-idp"), {"UserPoolId": engine.id_of("user_pool"), "GroupName": GROUP.name}
    directory = replace(SAVED, groups=(replace(GROUP, role_arn=ROLE),))
    for account, expected in (("999999999999", ""), ("123456789012", ROLE)):
        cognito.delete_group(**where)
        origin = replace(restore.backup.origin, account=account)
        put_back(replace(restore, backup=replace(restore.backup, origin=origin, directory=directory)), rotation, None)
        assert cognito.get_group(**where)["Group"].get("RoleArn", "") == expected


def test_what_the_configuration_names() -> None:
    """No user is put into a pool of the user's own, and into a bucket of the user's own only what is below the prefix of the deployment."""
    kinds = {"bucket": S3Bucket.KIND, "user_pool": UserPool.KIND}
    plan = Plan("sre-new", tuple(Change(name, kind, Action.KEEP, "", id=f"team-{name}", named=True) for name, kind in kinds.items()))
    origin = Origin(made_at=MADE_AT, account="123456789012", region="us-east-1", deployment="sre-old", name="a", mode="local", release="1")
    others = replace(KEPT, key="sre-older/1.json")
    backup = Kept(path=Path("kept.zip"), origin=origin, configuration=b"", directory=SAVED, objects=(KEPT, others))
    config = Config.model_validate({"mode": "local", "name": "a", "gateway": {"s3_bucket": "team-bucket", "s3_path_prefix": ""}})
    restore = Restore(backup, None, config, plan, Aws(region="us-east-1", account_id="123456789012"))
    assert list(restore.objects) == ["sre-new/sessions/1.json"]
    assert restore._decide_people() == ()


def test_whose_state_comes_back() -> None:
    """Only that of the same deployment in the same AWS, where none is: a local AWS that was started anew has nothing of the one before."""
    local = {"endpoint": "https://127.0.0.1:1", "start_id": "a"}
    state = State("sre-new", "123456789012", "us-east-1", "local", "config.yaml", aws=local)
    origin = Origin(made_at=MADE_AT, account="123456789012", region="us-east-1", deployment="sre-new", name="a", mode="local", release="1")
    plan, aws = Plan("sre-new", ()), Aws(region="us-east-1", account_id="123456789012")

    def comes_back(saved: State, *, here: dict[str, str] = local, kept: State | None = None) -> bool:
        path = Path("kept.zip")
        backup = Kept(path=path, origin=origin, configuration=b"", directory=SAVED, objects=(), state=render_state(saved))
        restore = Restore(backup, None, Config.model_validate({"mode": "local", "name": "a"}), plan, aws)
        store = SimpleNamespace(load=lambda: kept)
        place: Any = SimpleNamespace(store=store, account=SimpleNamespace(origin=lambda: here))
        return _is_of_here(restore, place)

    assert comes_back(state)
    assert not comes_back(state, kept=state)
    assert not comes_back(replace(state, deployment="sre-other"))
    assert not comes_back(state, here={**local, "start_id": "b"})
    assert not comes_back(state, here={"endpoint": "", "start_id": ""})


def decided(**changed: Any) -> dict[str, str]:
    """Return what is done with Ann and her membership if she is there as `changed` says."""
    there = replace(SAVED, people=(replace(ANN, **changed), BOB), groups=changed.pop("in_groups", (GROUP,))) if changed else Directory()
    return {f"{step.kind} {step.name}": step.action for step in decide_people(SAVED, there, MADE_AT) if "ann" in step.name}


def test_what_is_newer_stays() -> None:
    """A change since the backup is named and stays: above all a user who was disabled or removed from a group since."""
    assert decided() == {"user ann": "create", "member ann": "create"}
    assert decided(sub="1") == {"user ann": "keep", "member ann": "keep"}
    changed = {"email": "new@example.com"}
    assert decided(attributes=changed, modified=AFTER) == {"user ann": "newer", "member ann": "keep"}
    assert decided(attributes=changed) == {"user ann": "update", "member ann": "keep"}
    assert decided(enabled=False) == {"user ann": "newer", "member ann": "keep"}
    assert decided(groups=()) == {"user ann": "keep", "member ann": "newer"}
    begun = {"created": AFTER, "modified": AFTER, "status": NEVER_SIGNED_IN, "groups": ()}
    assert decided(**begun) == {"user ann": "keep", "member ann": "create"}
    assert decided(**begun, attributes=changed) == {"user ann": "newer", "member ann": "newer"}


def test_objects_and_secrets_that_are_newer() -> None:
    """An object or a key that was changed since stays; one that was made anew in the place of a lost one does not."""
    other = replace(KEPT, etag="f", sha256="t")
    assert decide_object(KEPT, None, MADE_AT).action == "create"
    assert decide_object(KEPT, replace(other, sha256=KEPT.sha256, modified=AFTER), MADE_AT).action == "keep"
    assert decide_object(KEPT, replace(other, modified=AFTER), MADE_AT).action == "newer"
    assert decide_object(KEPT, other, MADE_AT).action == "update"
    old, new = Secret("old"), Secret("new")
    assert decide_api_key(old, {"AWSCURRENT": old}, created=BEFORE, made_at=MADE_AT).action == "keep"
    assert decide_api_key(old, {"AWSCURRENT": new}, created=BEFORE, made_at=MADE_AT).action == "newer"
    assert decide_api_key(old, {"AWSCURRENT": new}, created=AFTER, made_at=MADE_AT).action == "update"
    assert decide_api_key(old, {"AWSCURRENT": old, "AWSPREVIOUS": new}, created=AFTER, made_at=MADE_AT).action == "update"
    saved = {"client_id": Secret("a"), "client_secret": old}
    assert decide_client_secret("c", saved, {"client_id": Secret("a"), "client_secret": Secret("")}).action == "update"
    assert decide_client_secret("c", saved, {"client_id": Secret("b"), "client_secret": Secret("")}).action == "keep"


def test_a_conflict_that_aborts(engine: Engine) -> None:
    """`abort` changes nothing and names what is newer; `theirs` replaces it; without the option it stays and is named.

    What another program writes while the restore runs is newer, too.
    """
    restore, rotation = restore_of(engine)
    s3, where = engine.client("s3"), {"Bucket": engine.id_of("bucket"), "Key": f"{engine.id}/sessions/1.json"}
    Overtaken.write = lambda: s3.put_object(**where, Body=b"newer")
    put_back(replace(restore, backup=Overtaken(**vars(restore.backup))), rotation, None)
    with pytest.raises(Refused) as refused:
        put_back(restore, rotation, "abort")
    assert refused.value.problems[0].code == "RESTORE-NEWER"
    put_back(restore, rotation, "mine")
    assert any("stays as it is: object" in line for line in describe_steps(restore.decide(None)))
    assert s3.get_object(**where)["Body"].read() == b"newer"
    put_back(restore, rotation, "theirs")
    assert s3.get_object(**where)["Body"].read() == b"kept"
    _check_roles_of_groups(engine, restore, rotation)
    assert Step("object", where["Key"], "keep", "it is the same") in restore.decide(None)
