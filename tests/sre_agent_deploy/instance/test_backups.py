"""The machine's own backups: what they hold, what is reported, and what is deleted."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.backup import contents
from sre_agent_deploy.backup.contents import Content, Origin
from sre_agent_deploy.backup.data import DataBackup, open_data
from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.backups import _store, back_up, main
from sre_agent_deploy.instance.steps import StepFailed
from sre_agent_deploy.instance.systemd import BACKUP, BACKUP_TIMER, render_backup_units
from sre_agent_deploy.resource import DEPLOYMENT_TAG, NAME_TAG
from sre_agent_deploy.resources.ec2_boot import Status
from sre_core import clock
from sre_core.machine import BACKUP_SOURCE_FILE, Backups, Machine

ID = "sre-3f9a2c41d7"
CHOSEN = Backups(at="02:30", keep_days=30, uri="s3://elsewhere/team/backups/")
OWN = f"s3://bucket/{ID}/status/i-1/"


@pytest.fixture
def lived_in(client: Callable[[str], Any], s3: Any) -> Any:
    """A pool with people, a bucket with documents and with what a deployment stores itself, and a bucket for backups."""
    cognito = client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="p")["UserPool"]["Id"]
    cognito.create_group(UserPoolId=pool, GroupName="on-call")
    cognito.admin_create_user(UserPoolId=pool, Username="ann", UserAttributes=[{"Name": "email", "Value": "ann@example.com"}])
    cognito.admin_add_user_to_group(UserPoolId=pool, Username="ann", GroupName="on-call")
    s3.create_bucket(Bucket="elsewhere")
    s3.put_object(Bucket="bucket", Key=f"{ID}/sessions/1.json", Body=b"kept")
    s3.put_object(Bucket="bucket", Key=f"{ID}/releases/1.zip", Body=b"x", Tagging=f"{DEPLOYMENT_TAG}={ID}&{NAME_TAG}=release")
    for key in ("status/i-1/ready.json", "backups/data-1.zip"):
        s3.put_object(Bucket="bucket", Key=f"{ID}/{key}", Body=b"x")
    s3.put_object(Bucket="bucket", Key=f"{ID}/status/i-1/{BACKUP_SOURCE_FILE}", Body=left_by_the_deployer(pool))
    return s3


def left_by_the_deployer(pool: str) -> bytes:
    origin = Origin(made_at="", account="123456789012", region="us-east-1", deployment=ID, name="a", mode="production", release="1")
    content = Content(deployment=ID, user_pool_id=pool, bucket="bucket", within="", ours=f"{ID}/")
    described = json.dumps({"origin": asdict(origin), "content": asdict(content)})
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as file:
        for name, part in ((contents.SOURCE, described), (contents.CONFIGURATION, "configuration"), (contents.STATE, "state")):
            file.writestr(name, part)
    return body.getvalue()


def run(machine: Machine, folder: Path, chosen: Backups = CHOSEN) -> int:
    file = folder / "machine.json"
    file.write_text(dataclasses.replace(machine, backups=chosen).text())
    return main(str(file), "i-1")


def report(s3: Any) -> Status:
    return Status.parse("backup", s3.get_object(Bucket="bucket", Key=f"{ID}/status/i-1/{contents.REPORT}.json")["Body"].read().decode())


def opened(s3: Any, folder: Path) -> list[DataBackup]:
    found = []
    for entry in s3.list_objects_v2(Bucket="elsewhere").get("Contents", []):
        (path := folder / "backup.zip").write_bytes(s3.get_object(Bucket="elsewhere", Key=entry["Key"])["Body"].read())
        backup = open_data(path)
        assert isinstance(backup, DataBackup)
        found.append(backup)
    return found


def metric(client: Callable[[str], Any]) -> list[float]:
    asked = {"Namespace": f"SREAgent/{ID}", "MetricName": "Backups", "Period": 60, "Statistics": ["Minimum"]}
    now = clock.now()
    points = client("cloudwatch").get_metric_statistics(**asked, StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1))
    return [point["Minimum"] for point in points["Datapoints"]]


def test_what_it_holds(lived_in: Any, client: Callable[[str], Any], machine: Machine, tmp_path: Path) -> None:
    """People, groups and documents, and what the deployer has left; nothing that a deployment stores itself. It is reported and counted."""
    assert run(machine, tmp_path) == 0
    [backup] = opened(lived_in, tmp_path)
    assert [(each.username, each.groups) for each in backup.directory.people] == [("ann", ("on-call",))]
    assert [each.key for each in backup.objects] == [f"{ID}/sessions/1.json"]
    assert (backup.configuration, backup.state) == (b"configuration", b"state")
    assert (backup.origin.name, backup.origin.deployment) == ("a", ID)
    assert "Secrets Manager keeps those" in backup.left_out[0]
    assert report(lived_in).state == "ok"
    assert "1 users and 1 objects" in report(lived_in).what
    assert metric(client) == [1.0]


def test_what_is_deleted(lived_in: Any, tmp_path: Path) -> None:
    """Backups that are older than their retention, after a new one was stored, and nothing else: the newest never expires."""
    aws, now, source = Aws(region="us-east-1"), clock.now(), f"{OWN}{BACKUP_SOURCE_FILE}"
    lived_in.put_object(Bucket="elsewhere", Key="team/backups/notes.txt", Body=b"x")
    for days in (0, 20, 29):
        back_up(aws, CHOSEN, source, now + timedelta(days=days))
    assert len(keys(lived_in)) == 4
    facts = back_up(aws, CHOSEN, source, now + timedelta(days=31))
    assert str(facts["what"]).endswith("3 older deleted")
    assert keys(lived_in) == [str(facts["uri"]).removeprefix("s3://elsewhere/"), "team/backups/notes.txt"]


def test_how_it_is_stored(lived_in: Any, client: Callable[[str], Any]) -> None:
    """Under the key that the configuration names; one that can't be read whole is not stored."""
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    chosen, aws = dataclasses.replace(CHOSEN, kms_key_arn=key), Aws(region="us-east-1")
    back_up(aws, chosen, f"{OWN}{BACKUP_SOURCE_FILE}", clock.now())
    [stored] = keys(lived_in)
    head = lived_in.head_object(Bucket="elsewhere", Key=stored)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    damaged = io.BytesIO(lived_in.get_object(Bucket="elsewhere", Key=stored)["Body"].read())
    with zipfile.ZipFile(damaged, "a") as archive:
        archive.writestr("more", "of nobody")
    with pytest.raises(StepFailed, match="was not stored"):
        _store(aws, chosen, "data-2.zip", damaged)
    assert keys(lived_in) == [stored]


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="elsewhere")["Contents"]]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda s3: s3.delete_object(Bucket="bucket", Key=f"{ID}/status/i-1/{BACKUP_SOURCE_FILE}"), "left nothing to back up yet"),
        (lambda s3: s3.delete_bucket(Bucket="elsewhere"), "bucket does not exist"),
    ],
)
def test_one_that_fails(
    lived_in: Any, client: Callable[[str], Any], machine: Machine, tmp_path: Path, broken: Callable[[Any], object], says: str
) -> None:
    """Nothing is stored; the report says why, and the metric has a 0."""
    broken(lived_in)
    assert run(machine, tmp_path) == 1
    assert report(lived_in).state == "failed"
    assert says in report(lived_in).what
    assert metric(client) == [0.0]


def test_what_the_machine_reads(machine: Machine) -> None:
    """machine.json says when, how long and where, or nothing where people make them."""
    chosen = dataclasses.replace(machine, backups=dataclasses.replace(CHOSEN, kms_key_arn="arn:key"))
    assert Machine.parse(chosen.text()) == chosen
    assert "backups" not in machine.to_json()


@pytest.mark.needs("systemd-analyze")
def test_the_units(tmp_path: Path) -> None:
    """systemd understands them, and rates the service at most 2.0: it is no root; the timer is at the time of the configuration."""
    layout = Layout(Path("/opt/sre-agent/releases/abc"), root=tmp_path)
    layout.python.parent.mkdir(parents=True)
    layout.python.symlink_to("/bin/true")
    units = render_backup_units(layout, "us-east-1", "/etc/sre-agent/machine.json", "i-1", "02:30")
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    assert "OnCalendar=*-*-* 02:30:00 UTC" in units[BACKUP_TIMER].splitlines()
    assert "User=sre-agent" in units[BACKUP].splitlines()
    for words in (("verify", "--man=no"), ("security", "--offline=true", "--threshold=20")):
        files = units if words[0] == "verify" else (BACKUP,)
        done = subprocess.run(
            ["systemd-analyze", *words, *(str(tmp_path / name) for name in files)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        assert [line for line in done.stderr.splitlines() if "sre-agent" in line] == []
