"""`plan --out FILE` and `deploy FILE`, as they are typed: exactly that plan is applied, or the command says what changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedAws
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.plan import SavedPlan, find_moves, load_plan
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.commands.verify import watch_deployment
from sre_agent_deploy.progress import Stop
from sre_core.problem import Problem, Refused

type Typed = Callable[..., tuple[int, str, str]]


class Stopping(User):
    """A user who presses Ctrl-C while AWS is read."""

    @contextmanager
    def stoppable(self) -> Iterator[Stop]:
        stop = Stop()
        stop.request()
        yield stop


def test_a_saved_plan_is_carried_out_once(local_folder: Path, typed: Typed, unbooted: EmbeddedAws) -> None:
    """Only its target and what that needs is created. The same file again is refused, and so is one that AWS has left behind."""
    code, out, _ = typed("plan", "--target", "credential_provider", "--out", "p.plan")
    names = [change["name"] for change in json.loads((local_folder / "p.plan").read_text())["changes"]]
    assert (code, names) == (2, ["backend_key", "credential_provider"]), out
    assert (local_folder / "p.plan").stat().st_mode & 0o777 == 0o600
    code, out, err = typed("deploy", "p.plan")
    assert (code, "2 created" in out, "Only credential_provider and what it needs" in out) == (0, True, True), out + err
    state = json.loads((local_folder / ".deployment_state").read_text())
    assert [record["name"] for record in state["records"].values()] == names
    assert state["runs"][-1]["result"] == "applied in part"
    assert "Not finished" in typed("status")[1]
    with pytest.raises(Refused, match="RUN-INTERRUPTED"):
        next(watch_deployment(Request(), Stopping(), timedelta()))

    code, _, err = typed("deploy", "p.plan")
    assert (code, "PLAN-MOVED" in err, "was carried out already" in err) == (1, True, True), err
    assert json.loads((local_folder / ".deployment_state").read_text()) == state

    client, secret = unbooted.client("secretsmanager"), state["records"]["backend_key-1"]["id"]
    client.update_secret(SecretId=secret, Description="changed")
    assert typed("plan", "--target", "backend_key", "--out", "p.plan")[0] == 2
    client.update_secret(SecretId=secret, Description="changed again")
    code, _, err = typed("deploy", "p.plan", "--yes")
    assert (code, "backend_key in AWS: update" in err) == (1, True), err


def test_a_changed_configuration(local_folder: Path, typed: Typed) -> None:
    """A plan of another configuration is not applied, and nothing begins."""
    assert typed("plan", "--target", "bucket", "--out", "p.plan")[0] == 2
    config = local_folder / "config.yaml"
    config.write_text(json.dumps({**json.loads(config.read_text()), "tags": {"team": "other"}}))
    code, _, err = typed("deploy", "p.plan")
    assert (code, f"the configuration {config} was changed" in err) == (1, True), err
    assert not (local_folder / ".deployment_state").exists()


def test_a_target_that_does_not_exist(local_folder: Path, typed: Typed) -> None:
    """The nearest name is offered, by `plan` and by `deploy`."""
    for command in ("plan", "deploy"):
        code, _, err = typed(command, "--target", "user-pol")
        assert (code, "TARGET-UNKNOWN" in err, "--target user_pool?" in err) == (1, True, True), err


def test_a_file_that_is_no_plan(local_folder: Path, typed: Typed) -> None:
    """A configuration, a cut file, a newer format and a missing file are refused; --out replaces only plans."""
    code, _, err = typed("deploy", "config.yaml")
    assert (code, "PLAN-UNREADABLE" in err, "deploy --config config.yaml" in err) == (1, True, True), err
    (local_folder / "cut").write_text('{"version": 1,')
    (local_folder / "newer").write_text('{"version": 99}')
    (local_folder / "other").write_text('{"version": 1, "password": "hidden"}')
    for name in ("cut", "newer", "other", "missing"):
        code, _, err = typed("deploy", name)
        assert (code, "PLAN-UNREADABLE" in err, "hidden" in err) == (1, True, False), err
    (local_folder / "deep").write_text("[" * 100_000)
    assert "PLAN-UNREADABLE" in typed("deploy", "deep")[2]
    for place in (".", "missing/p.plan"):
        code, _, err = typed("plan", "--out", place)
        assert (code, "PLAN-FILE-EXISTS" in err, "rm " in err) == (1, True, False), err
    kept = (local_folder / "config.yaml").read_text()
    assert "PLAN-FILE-EXISTS" in typed("plan", "--out", "config.yaml")[2]
    assert (local_folder / "config.yaml").read_text() == kept
    assert typed("deploy", "cut", "--mode", "local")[0] == 64


@pytest.fixture
def saved() -> SavedPlan:
    step = {"name": "bucket", "generation": 1, "action": "create", "because": "nothing has this name yet"}
    return SavedPlan(
        version=1,
        made_at="2026-11-29T00:00:00Z",
        made_by="1.0",
        deployment="sre-1",
        account="111122223333",
        region="eu-west-1",
        mode="production",
        config_file="config.yaml",
        config_sha256="c",
        wanted_sha256="w",
        state_file="s3://bucket/state",
        lineage="l",
        serial=3,
        aws={},
        facts={"image_id": "ami-1"},
        targets=(),
        changes=(step,),
    )


def test_what_moved(saved: SavedPlan) -> None:
    """Every input of a plan is compared, and named with its value before and now."""
    step = {**saved.changes[0], "action": "keep", "because": "AWS already matches the configuration"}
    moved = {
        "means something else": replace(saved, wanted_sha256="x"),
        "version 1.0 of sre-agent-deploy; this is 2.0": replace(saved, wanted_sha256="x", made_by="2.0"),
        "account 999999999999": replace(saved, account="999999999999"),
        "was number 3 of l and is number 4 of l": replace(saved, serial=4),
        "another image_id: ami-1 before, ami-2 now": replace(saved, facts={"image_id": "ami-2"}),
        "bucket in AWS: create (nothing has this name yet) before, keep": replace(saved, changes=(step,)),
        "bucket in AWS: create (nothing has this name yet) before, nothing to do now": replace(saved, changes=()),
    }
    assert [*find_moves(saved, saved)] == []
    assert [text for text, now in moved.items() if [text in said for said in find_moves(saved, now)] != [True]] == []


def test_a_restarted_local_aws(saved: SavedPlan) -> None:
    """A local AWS that only the plan had started has new ids, and that is no reason to refuse."""
    began = replace(saved, mode="local", aws={"start_id": "a"}, serial=0, lineage="")
    assert [*find_moves(began, replace(began, aws={"start_id": "b"}, facts={"image_id": "ami-2"}))] == []


def test_the_file_of_a_plan(saved: SavedPlan, tmp_path: Path) -> None:
    """A plan that is read equals the plan that was written, with any umask."""
    from sre_agent_deploy.commands.plan import save_plan

    save_plan(tmp_path / "p.plan", saved)
    assert load_plan(tmp_path / "p.plan") == saved
    written = (tmp_path / "p.plan").read_text()
    for edited in (written.replace(saved.state_file, "/elsewhere"), written.replace('"version": 1', '"version": 1 '), '{"version": 1}'):
        assert edited != written
        (tmp_path / "p.plan").write_text(edited)
        assert isinstance(load_plan(tmp_path / "p.plan"), Problem)
