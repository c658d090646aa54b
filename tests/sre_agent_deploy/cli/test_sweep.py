"""`cleanup --older-than`, as it is typed, against an account with several deployments in it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from behaviours import lister
from fixtures.engine import Engine
from sre_agent_deploy.account.account import Account
from sre_agent_deploy.cli.root import main
from sre_agent_deploy.commands.sweep import Scope
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.store import FileStore
from sre_agent_deploy.progress import NEVER, ignore_event
from sre_core import exit_codes

PARTS = ("backend_key", "user_pool_domain", "gateway_role", "address")

type Swept = Callable[..., tuple[int, str, str]]
type Made = Callable[..., Engine]


pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def made(engine: Engine, tmp_path: Path) -> Iterator[Made]:
    """Deploy; no state file is near the folder that is swept from."""
    engines: list[Engine] = []

    def deploy(ttl: str, *parts: str) -> Engine:
        home = tmp_path / f"home-{len(engines)}"
        home.mkdir()
        sections = {"deployment": {"ttl": ttl}}
        new = Engine(engine.embedded, engine.site, home, sections=sections, parts=parts or PARTS)
        new.deploy()
        engines.append(new)
        return new

    yield deploy
    for each in engines:
        each.discard()


@pytest.fixture
def sweep(capfd: pytest.CaptureFixture[str]) -> Swept:
    """Run the command, and return its exit code and both of its outputs."""

    def swept(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["cleanup", "--older-than", "1s", *words])
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return swept


def row(said: str, engine: Engine) -> str:
    """Return the line about one deployment."""
    return next((line for line in said.splitlines() if f" {engine.id} " in line), "")


def test_a_sweep(made: Made, sweep: Swept, engine: Engine) -> None:
    """Temporary and old deployments are deleted, whole or remaining; everything else stays as it was, with a reason."""
    before = lister.everything(engine.client)
    lasting, needed = made(""), made("1h")
    kept = lister.everything(engine.client)
    old, leftover = made("1s"), made("1s")
    leftover.client("secretsmanager").delete_secret(SecretId=leftover.id_of("backend_key"), ForceDeleteWithoutRecovery=True)
    time.sleep(2.1)
    code, out, _ = sweep("--dry-run")
    assert code == 0
    assert "it has no deployment.ttl; name it with --deployment-id" in row(out, lasting)
    assert "its ttl of 1h is not over" in row(out, needed)
    assert "delete" in row(out, old)
    assert "leftover" in row(out, leftover)
    code, out, err = sweep("--yes")
    assert code == 0, err
    assert old.id in out.rpartition("Swept:")[2]
    assert leftover.id in out.rpartition("Swept:")[2]
    assert lister.everything(engine.client) == kept
    assert before != kept


def test_output_for_programs(made: Made, sweep: Swept) -> None:
    """The verdicts come first, as one line of JSON; then the events, and the results."""
    old = made("1s", "backend_key")
    time.sleep(2.1)
    code, out, _ = sweep("--yes", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    [verdict] = [each for each in lines[0]["deployments"] if each["deployment"] == old.id]
    assert (verdict["action"], verdict["ttl"], verdict["resources"]) == ("delete", "1s", 1)
    assert verdict["age_seconds"] >= 2
    assert lines[-1] == {"swept": [old.id], "remain": 0}


def test_nobody_to_ask(made: Made, sweep: Swept) -> None:
    """Without a terminal nothing is deleted, except with --yes."""
    old = made("1s", "backend_key")
    time.sleep(2.1)
    code, _, err = sweep()
    assert code == 1
    assert "CLEANUP-UNCONFIRMED" in err
    assert old.changes() == {}


def test_a_deployment_that_another_run_changes(made: Made, sweep: Swept) -> None:
    """A deployment that a living run of this machine changes is left alone, and the run is named."""
    old = made("1s", "backend_key")
    time.sleep(2.1)
    with lock.hold_lock(lock.deployment_lock(old.id), "deploy"):
        code, out, _ = sweep("--yes")
    assert code == 0
    assert "runs `deploy`" in row(out, old)
    assert old.changes() == {}


def test_the_deployment_of_this_folder(made: Made, sweep: Swept, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Where its state is at hand, `status` says that its time is over, and it keeps account of what was deleted."""
    old = made("1s", "backend_key")
    assert old.state
    FileStore(folder / ".deployment_state").save(dataclasses.replace(old.state, mode="production"))
    time.sleep(2.1)
    main(["status"])
    assert "EXPIRED" in capfd.readouterr().out
    code, out, err = sweep("--yes")
    assert code == 0, out + err
    document: dict[str, Any] = json.loads((folder / ".deployment_state").read_text())
    assert {record["phase"] for record in document["records"].values()} == {"gone"}
    assert document["runs"][-1]["result"] == "cleaned up"


def test_another_region(made: Made, sweep: Swept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep is of one region. Of a deployment elsewhere IAM shows a part in every region, which stays."""
    old = made("1s", *PARTS, "bucket")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    time.sleep(2.1)
    code, out, err = sweep("--yes")
    assert code == 0, err
    assert "region eu-west-1: 1 deployment." in out
    assert " 1 resource    only what has no region" in row(out, old)
    assert old.changes() == {}


def test_a_protected_resource(made: Made, sweep: Swept, engine: Engine) -> None:
    """A resource that can't be deleted is reported with its deployment, the others are deleted, and the exit code says that one remains."""
    protected, other = made("1s", "user_pool"), made("1s", "backend_key")
    cognito, pool = engine.client("cognito-idp"), protected.id_of("user_pool")
    tags = cognito.describe_user_pool(UserPoolId=pool)["UserPool"]["UserPoolTags"]
    cognito.update_user_pool(UserPoolId=pool, UserPoolTags=tags, DeletionProtection="ACTIVE")
    time.sleep(2.1)
    code, out, err = sweep("--yes")
    cognito.update_user_pool(UserPoolId=pool, UserPoolTags=tags, DeletionProtection="INACTIVE")
    assert code == 1
    assert f"Swept: {other.id}." in out
    assert "COGNITO-POOL-PROTECTED" in err
    assert f"deployment: {protected.id}" in err
    assert "1 of 2 remain" in err


def test_a_change_of_mind(made: Made, folder: Path) -> None:
    """Each is looked at once more when its turn comes: what changed meanwhile, or is being worked on now, stays."""
    kept = made("1h", "backend_key")
    scope = Scope(Account(kept.aws), timedelta(seconds=1), {}, FileStore(folder / ".deployment_state"), None)
    assert [problem.code for problem in scope.delete(kept.id, ignore_event, NEVER)] == ["CLEANUP-KEPT-AFTER-ALL"]
    with lock.hold_lock(lock.deployment_lock(kept.id), "deploy"):
        assert [problem.code for problem in scope.delete(kept.id, ignore_event, NEVER)] == ["STATE-LOCKED"]
    assert kept.changes() == {}


def test_another_account_than_the_configured(sweep: Swept, folder: Path) -> None:
    """A sweep never works in an account that the configuration does not name."""
    sections = {"aws": {"account_id": "999988887777"}, "tls": {"source": "files"}}
    certificate = {"ssl_cert_path": "/c.pem", "ssl_key_path": "/k.pem", "domain_name": "sre.example.com"}
    (folder / "config.yaml").write_text(json.dumps({"version": 1, "mode": "production", **sections, "deployment": certificate}))
    code, _, err = sweep("--yes")
    assert code == 1
    assert "AWS-OTHER-ACCOUNT" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--older-than", "1d", "--deployment-id", "sre-0123456789"), "not both"),
        (("--older-than", "24"), "a whole number and a unit"),
        (("--older-than", ""), "a whole number and a unit"),
    ],
)
def test_what_was_typed_wrongly(words: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The problem says what to type instead, and nothing is deleted."""
    with pytest.raises(SystemExit) as ended:
        main(["cleanup", *words])
    assert ended.value.code == exit_codes.USAGE
    assert said in capfd.readouterr().err
