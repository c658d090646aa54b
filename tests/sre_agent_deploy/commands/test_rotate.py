"""`rotate`: after a stop at any call, the same command ends as an uninterrupted one would."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from fixtures.cut import MOMENTS, Cut, cut_at
from fixtures.engine import Engine
from fixtures.sample import sample
from sre_agent_deploy.checks.verification.access import request_token
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Client, Endpoints
from sre_agent_deploy.commands.rotate import Rotation, rotate_api_key, rotate_client_secret
from sre_agent_deploy.commands.user import UNATTENDED, User
from sre_agent_deploy.names import CALLER_SCOPE, RESOURCE_SERVER
from sre_agent_deploy.plan import Action
from sre_agent_deploy.progress import run_interrupted
from sre_agent_deploy.resources.cognito_app_client import add_secret, list_secrets
from sre_agent_deploy.tls import local_ca
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

KEY, CLIENT = "backend_key", "caller_client"


@dataclass(frozen=True)
class Deployed(Endpoints):
    """A deployment without a machine: its backends accept what a machine would write for them at this moment."""

    engine: Engine | None = None
    always: int = 0
    """The status of a backend that does not read its keys anew."""

    def http(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer | Problem:
        if not url.startswith(self.base_url):
            return super().http(method, url, headers=headers, body=body)
        assert self.engine
        right = (headers or {})["X-API-Key"] in staged(self.engine, KEY, "api_key").values()
        return Answer(self.always or (200 if right else 401), b"", {})


def staged(engine: Engine, name: str, key: str) -> dict[str, str]:
    """Return the value of a secret under each of its labels."""
    aws, id = engine.client("secretsmanager"), engine.id_of(name)
    versions = aws.describe_secret(SecretId=id)["VersionIdsToStages"]
    values = {version: json.loads(aws.get_secret_value(SecretId=id, VersionId=version)["SecretString"])[key] for version in versions}
    return {stage: values[version] for version, stages in versions.items() for stage in stages}


@pytest.fixture
def engine(engine: Engine) -> Engine:
    engine.parts = ("caller_client_secret", "user_pool_domain", "credential_provider")
    engine.deploy()
    return engine


def rotation(engine: Engine) -> Rotation:
    return Rotation(engine.aws, engine.plan(), find_endpoints(engine), timedelta(0), UNATTENDED)


def find_endpoints(engine: Engine) -> Deployed:
    client = Client(engine.id_of(CLIENT).partition("/")[2], Secret(""), f"{RESOURCE_SERVER}/{CALLER_SCOPE}")
    pool = engine.state.current("user_pool") if engine.state else None
    assert pool
    discovery, ca = pool.outputs["discovery_url"], (engine.embedded.ca_file,)
    return Deployed("https://machine.invalid", "", "", discovery, client, client, ca, engine=engine)


def is_accepted(engine: Engine, secret: str) -> bool:
    found = find_endpoints(engine)
    return not isinstance(request_token(found, Client(found.caller_client.id, Secret(secret), found.caller_client.scope)), Problem)


@pytest.mark.parametrize("moment", sample(MOMENTS, 1))
def test_an_api_key_rotation_that_is_cut(engine: Engine, moment: str) -> None:
    """At each call: the current key is accepted at once, and the same command ends with a new key and no other."""
    for nth in count(1):
        before = staged(engine, KEY, "api_key")["AWSCURRENT"]
        try:
            with cut_at(engine.aws, nth, moment):
                rotate_api_key(rotation(engine))
        except Cut:
            # Between the tag and the label a deployment would do what is left: make the new key the current one.
            if changes := engine.changes():
                assert changes == {KEY: Action.UPDATE}
                engine.deploy()
                assert staged(engine, KEY, "api_key")["AWSPREVIOUS"] == before
            rotate_api_key(rotation(engine))
            assert engine.changes() == {}
            assert list(staged(engine, KEY, "api_key")) == ["AWSCURRENT"]
        else:
            assert nth > 4
            assert staged(engine, KEY, "api_key")["AWSCURRENT"] != before
            return


class Leaves(User):
    """A user who stops a rotation at the first wait of which it speaks."""

    def note(self, line: str) -> None:
        if "Both are valid" in line:
            raise Refused(run_interrupted())


@pytest.mark.parametrize("rotate", [rotate_api_key, lambda rotation: rotate_client_secret(rotation, CLIENT)], ids=["key", "secret"])
def test_old_and_new_for_a_while(engine: Engine, rotate: Callable[[Rotation], str]) -> None:
    """Until the overlap has ended both are valid, also for a command that goes on with a rotation that was stopped."""
    old = {name: staged(engine, name, key)["AWSCURRENT"] for name, key in ((KEY, "api_key"), (f"{CLIENT}_secret", "client_secret"))}
    for _ in range(2):
        with pytest.raises(Refused):
            rotate(replace(rotation(engine), overlap=timedelta(hours=1), user=Leaves()))
    key, secret = staged(engine, KEY, "api_key"), staged(engine, f"{CLIENT}_secret", "client_secret")
    assert [old[KEY], old[f"{CLIENT}_secret"]] == [
        key.get("AWSPREVIOUS", key["AWSCURRENT"]),
        secret.get("AWSPREVIOUS", secret["AWSCURRENT"]),
    ]
    assert ("AWSPREVIOUS" in key) != ("AWSPREVIOUS" in secret)
    assert is_accepted(engine, old[f"{CLIENT}_secret"])
    assert is_accepted(engine, secret["AWSCURRENT"])


@pytest.mark.parametrize("moment", sample(MOMENTS, 1))
def test_a_client_secret_rotation_that_is_cut(engine: Engine, moment: str) -> None:
    """At each call: what is stored gets tokens at once, and the same command ends with one secret, which is stored."""
    for nth in count(1):
        try:
            with cut_at(engine.aws, nth, moment):
                rotate_client_secret(rotation(engine), CLIENT)
        except Cut:
            assert is_accepted(engine, staged(engine, f"{CLIENT}_secret", "client_secret")["AWSCURRENT"])
            assert engine.changes() == {}
            rotate_client_secret(rotation(engine), CLIENT)
            assert len(list_secrets(engine.aws, engine.id_of(CLIENT))) == 1
            stages = staged(engine, f"{CLIENT}_secret", "client_secret")
            assert list(stages) == ["AWSCURRENT"]
            assert is_accepted(engine, stages["AWSCURRENT"])
            assert engine.changes() == {}
        else:
            assert nth > 4
            return


def test_a_leaked_secret_is_refused(engine: Engine) -> None:
    """After a rotation neither Cognito nor the backends accept what was valid before."""
    key, secret = (staged(engine, name, field)["AWSCURRENT"] for name, field in ((KEY, "api_key"), (f"{CLIENT}_secret", "client_secret")))
    rotate_api_key(rotation(engine))
    rotate_client_secret(rotation(engine), CLIENT)
    assert not is_accepted(engine, secret)
    assert key not in staged(engine, KEY, "api_key").values()


def test_a_key_that_was_changed_by_hand(engine: Engine) -> None:
    """The deployment that repairs it leaves nothing that looks like a rotation: the foreign key is refused, the next rotation is one."""
    ours = staged(engine, KEY, "api_key")["AWSCURRENT"]
    engine.client("secretsmanager").put_secret_value(SecretId=engine.id_of(KEY), SecretString='{"api_key": "foreign"}')
    engine.deploy()
    assert staged(engine, KEY, "api_key") == {"AWSCURRENT": ours}
    rotate_api_key(rotation(engine))
    assert ours not in staged(engine, KEY, "api_key").values()


def test_a_client_that_was_replaced_during_its_rotation(engine: Engine) -> None:
    """The unfinished rotation of the old client is dropped: the new client's id stays, and its secret is rotated."""
    with pytest.raises(Cut), cut_at(engine.aws, "AddUserPoolClientSecret", "before"):
        rotate_client_secret(rotation(engine), CLIENT)
    pool, _, client = engine.id_of(CLIENT).partition("/")
    engine.client("cognito-idp").delete_user_pool_client(UserPoolId=pool, ClientId=client)
    engine.deploy()
    secret = f"{CLIENT}_secret"
    assert list(staged(engine, secret, "client_id")) == ["AWSCURRENT"]
    rotate_client_secret(rotation(engine), CLIENT)
    assert staged(engine, secret, "client_id") == {"AWSCURRENT": engine.id_of(CLIENT).partition("/")[2]}
    assert is_accepted(engine, staged(engine, secret, "client_secret")["AWSCURRENT"])


@pytest.mark.parametrize(("always", "code", "rotated"), [(401, "ROTATE-NOT-TAKEN", False), (200, "ROTATE-NOT-DROPPED", True)])
def test_a_machine_that_does_not_read_its_keys(engine: Engine, always: int, code: str, rotated: bool) -> None:
    """Before the exchange both keys stay, and the same command goes on; after it no other rotation is asked for."""
    before, asked = staged(engine, KEY, "api_key")["AWSCURRENT"], rotation(engine)
    assert isinstance(asked.endpoints, Deployed)
    with pytest.raises(Refused) as refused:
        rotate_api_key(replace(asked, endpoints=replace(asked.endpoints, always=always), taken_within=timedelta(0)))
    [problem] = refused.value.problems
    assert (problem.code, "same command" in str(problem.do)) == (code, not rotated)
    assert (before in staged(engine, KEY, "api_key").values()) is not rotated


def test_a_second_secret_of_others(engine: Engine) -> None:
    """It is not deleted: the command says how, if nothing uses it."""
    add_secret(engine.aws, engine.id_of(CLIENT), Secret("x" * 32))
    with pytest.raises(Refused) as refused:
        rotate_client_secret(rotation(engine), CLIENT)
    assert [problem.code for problem in refused.value.problems] == ["ROTATE-SECOND-SECRET"]
    assert len(list_secrets(engine.aws, engine.id_of(CLIENT))) == 2


def test_what_the_configuration_names(engine: Engine) -> None:
    """It is used and never changed, so its secret is not rotated."""
    asked = rotation(engine)
    engine.sections["credentials"] = {}
    named = asked.plan.change(CLIENT)
    object.__setattr__(named, "named", True)
    with pytest.raises(Refused) as refused:
        rotate_client_secret(asked, CLIENT)
    assert refused.value.problems[0].code == "ROTATE-NOT-OURS"


def test_an_exchange_of_authorities_that_dies(tmp_path: Path) -> None:
    """After a stop at any of its files, the next open of the authority completes the exchange, and clients trust both until its end."""
    before = local_ca.open_local_ca(tmp_path)
    local_ca.prepare_exchange(tmp_path)
    begun = local_ca.open_local_ca(tmp_path)
    assert begun.certificate == before.certificate
    assert before.certificate in begun.trusted
    assert begun.trusted.count("BEGIN") == 2
    for died in ("previous.pem", "next.key", "next.pem"):
        folder = tmp_path.with_name(f"{tmp_path.name}-{died}")
        shutil.copytree(tmp_path, folder)
        (folder / "previous.pem").write_text(before.certificate)
        if died != "previous.pem":
            (folder / "next.key").replace(folder / "ca.key")
        if died == "next.pem":
            (folder / "next.pem").replace(folder / "ca.pem")
        found = local_ca.open_local_ca(folder)
        assert found.identity != before.identity
        assert found.trusted == begun.trusted
        assert local_ca.exchange_stage(folder) == "previous"
        local_ca.end_exchange(folder)
        assert local_ca.open_local_ca(folder).trusted == found.certificate
        # Until the last deployment is done the same command goes on with it: nothing begins anew.
        assert local_ca.exchange_stage(folder) == "ended"
        local_ca.prepare_exchange(folder)
        assert local_ca.exchange_stage(folder) == "ended"
        local_ca.complete_exchange(folder)
        assert local_ca.exchange_stage(folder) == "none"
