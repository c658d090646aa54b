"""A backup of all that a deployment holds in AWS becomes the same deployment in an empty account."""

from __future__ import annotations

import json
import re
import stat
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from behaviours.command_line import Desk
from fixtures.sample import THOROUGH
from sre_agent_deploy.backup.data import DataBackup, open_data
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.restore import restore_data
from sre_agent_deploy.commands.user import Question, User
from sre_core.problem import Refused

PASSPHRASE = {"SRE_AGENT_BACKUP_PASSPHRASE": "correct horse battery staple"}
ELSEWHERE = "eu-central-1"
SESSION = b"what was said\n" * 1000


@pytest.fixture(scope="module")
def lived_in(deployed: Desk) -> Iterator[Desk]:
    """A deployment that people and programs have used."""
    cognito, s3 = deployed.client("cognito-idp"), deployed.client("s3")
    pool, bucket = output(deployed, "user_pool_id"), output(deployed, "bucket_name")
    cognito.add_custom_attributes(UserPoolId=pool, CustomAttributes=[{"Name": "team", "AttributeDataType": "String", "Mutable": True}])
    for name, number in (("on-call", 1), ("readers", 2)):
        cognito.create_group(UserPoolId=pool, GroupName=name, Description=f"the {name}", Precedence=number)
    for name, groups in (("ann", ("on-call", "readers")), ("bob", ("readers",)), ("carol", ())):
        attributes = {"email": f"{name}@example.com", "email_verified": "true", "custom:team": "platform"}
        pairs = [{"Name": key, "Value": value} for key, value in attributes.items()]
        cognito.admin_create_user(UserPoolId=pool, Username=name, UserAttributes=pairs, MessageAction="SUPPRESS")
        for group in groups:
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=name, GroupName=group)
    cognito.admin_disable_user(UserPoolId=pool, Username="carol")
    id = json.loads(deployed.state_file.read_text())["deployment"]
    s3.put_object(Bucket=bucket, Key=f"{id}/sessions/1.json", Body=SESSION, ContentType="application/json", Metadata={"by": "ann"})
    s3.put_object(Bucket=bucket, Key="reports/ünusual name?.md", Body=b"# Report", Tagging="kind=report")
    yield deployed
    for key in (f"{id}/sessions/1.json", "reports/ünusual name?.md"):
        s3.delete_object(Bucket=bucket, Key=key)
    for name in ("ann", "bob", "carol"):
        cognito.admin_delete_user(UserPoolId=pool, Username=name)


def output(desk: Desk, name: str) -> str:
    """Return an output of the deployment from its state."""
    records = json.loads(desk.state_file.read_text())["records"].values()
    [value] = [record["outputs"][name] for record in records if name in record["outputs"] and record["phase"] == "ready"]
    return str(value)


def api_key(desk: Desk, region: str = "us-east-1") -> str:
    id = json.loads(desk.state_file.read_text())["deployment"]
    answer = desk.client("secretsmanager", region).get_secret_value(SecretId=f"{id}/backend-api-key")
    return str(json.loads(answer["SecretString"])["api_key"])


@pytest.fixture(scope="module")
def moved(lived_in: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The same deployment, restored from a backup into an empty account in another region, where its machine makes backups."""
    folder = tmp_path_factory.mktemp("moved")
    file = folder / "backup.zip"
    made = lived_in.deploy("backup", "--data", "--output", str(file), "--json", **PASSPHRASE)
    assert made.code == 0, made.text
    assert json.loads(made.out)["left_out"] == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert_no_secret(file, api_key(lived_in))
    desk = Desk(folder)
    try:
        desk.start_aws("--region", ELSEWHERE)
        where = {"LocationConstraint": ELSEWHERE}
        desk.client("s3", ELSEWHERE).create_bucket(Bucket="team-backups", CreateBucketConfiguration=where)
        assert desk.deploy("restore", str(file)).code == 0
        assert desk.deploy("set", "aws.region", ELSEWHERE, "backups.at", "02:30", "backups.bucket", "team-backups").code == 0
        assert_nothing_unasked(desk)
        assert_restored(desk, "backup.zip")
        yield desk
    finally:
        desk.close()


def assert_nothing_unasked(desk: Desk) -> None:
    """A restore shows what it would do, and does nothing without a yes."""
    shown = desk.deploy("restore", "backup.zip", "--data", "--dry-run", **PASSPHRASE)
    assert (shown.code, "3 to put back" in shown.out) == (0, True), shown.text
    assert desk.deploy("restore", "backup.zip", "--data", **PASSPHRASE).code == 1
    assert not desk.state_file.exists()


def test_into_an_empty_account(lived_in: Desk, moved: Desk) -> None:
    """Users, groups, objects and the API key are there again, in another region, and all checks pass."""
    ready = json.loads(lived_in.deploy("readiness", "--json").out)["items"]
    assert {item["id"]: item["status"] for item in ready}["data-backup"] == "done"
    assert_the_same(lived_in, moved)


def test_after_the_loss_of_pool_and_bucket(lived_in: Desk, moved: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users and documents come back from the backup that the machine has made by itself, and all checks pass.

    The bucket was lost while a restore had asked and waited: that one puts nothing back, and says why.
    """
    if THOROUGH:
        made = wait_for_backup(moved)
        lose_pool(moved)
        assert_restored(moved, made)
        assert_the_same(lived_in, moved)
    made = wait_for_backup(moved)
    lose_bucket_while_asked(moved, monkeypatch)
    lose_pool(moved)
    assert_restored(moved, made)
    assert_the_same(lived_in, moved)


def assert_restored(desk: Desk, place: str) -> None:
    """`restore` deploys what is missing, puts the content back, and verifies."""
    ended = desk.deploy("restore", place, "--data", "--yes", **PASSPHRASE)
    assert ended.code == 0, ended.text
    assert int(re.findall(r"verified: (\d+) checks passed", ended.out)[-1]) >= 26


def lose_bucket_while_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """All was there when the restore asked, and a part is lost when it gets its answer: it puts nothing back, and says why."""

    class Slow(User):
        def confirm(self, question: Question) -> None:
            lose_bucket(desk)

    monkeypatch.chdir(desk.folder)
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(desk.state_dir))
    backup = open_data(desk.folder / "backup.zip")
    assert isinstance(backup, DataBackup)
    with pytest.raises(Refused) as refused:
        restore_data(Request(), backup, None, Slow())
    [problem] = refused.value.problems
    assert (problem.code, "of its resources" in problem.why) == ("RESTORE-INCOMPLETE", True), problem


def wait_for_backup(desk: Desk) -> str:
    """The place of a backup that the machine has made since the content is there; `readiness` has its report."""
    end, item = time.monotonic() + 60, {"evidence": ""}
    while "3 users and 2 objects" not in item["evidence"] and time.monotonic() < end:
        [item] = [each for each in json.loads(desk.deploy("readiness", "--json").out)["items"] if each["id"] == "data-backup"]
    made = scheduled(desk)[-1]
    assert (item["status"], made in item["evidence"]) == ("done", True), item
    return made


def scheduled(desk: Desk) -> list[str]:
    return list(json.loads(desk.deploy("backup", "--list", "--data", "--json").out)["backups"])


def lose_pool(desk: Desk) -> None:
    """Delete the user pool with its domain, as a person in the Console."""
    cognito, pool = desk.client("cognito-idp", ELSEWHERE), output(desk, "user_pool_id")
    cognito.delete_user_pool_domain(UserPoolId=pool, Domain=cognito.describe_user_pool(UserPoolId=pool)["UserPool"]["Domain"])
    cognito.delete_user_pool(UserPoolId=pool)


def lose_bucket(desk: Desk) -> None:
    """Empty the bucket and delete it, as a person in the Console."""
    s3, bucket = desk.client("s3", ELSEWHERE), output(desk, "bucket_name")
    for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=bucket)


def assert_no_secret(file: Path, *known: str) -> None:
    with zipfile.ZipFile(file) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert [secret for secret in known if secret.encode() in everything] == []


def assert_the_same(before: Desk, after: Desk) -> None:
    assert api_key(after, ELSEWHERE) == api_key(before)
    assert people(after, ELSEWHERE) == people(before, "us-east-1")
    assert objects(after, ELSEWHERE) == objects(before, "us-east-1")


def people(desk: Desk, region: str) -> dict[str, Any]:
    cognito, pool = desk.client("cognito-idp", region), output(desk, "user_pool_id")
    found = {}
    for user in cognito.list_users(UserPoolId=pool)["Users"]:
        groups = cognito.admin_list_groups_for_user(UserPoolId=pool, Username=user["Username"])["Groups"]
        attributes = {each["Name"]: each["Value"] for each in user["Attributes"] if each["Name"] != "sub"}
        found[user["Username"]] = (user["Enabled"], attributes, sorted((each["GroupName"], each["Precedence"]) for each in groups))
    return found


def objects(desk: Desk, region: str) -> dict[str, Any]:
    s3, bucket = desk.client("s3", region), output(desk, "bucket_name")
    id = json.loads(desk.state_file.read_text())["deployment"]
    found = {}
    for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        answer = s3.get_object(Bucket=bucket, Key=entry["Key"])
        tags = s3.get_object_tagging(Bucket=bucket, Key=entry["Key"])["TagSet"]
        if not any(tag["Key"].startswith("sre-agent:") for tag in tags) and "/status/" not in entry["Key"]:
            key = entry["Key"].replace(id, "ID")
            found[key] = (answer["Body"].read(), answer["ContentType"], answer["Metadata"], tags)
    return found
