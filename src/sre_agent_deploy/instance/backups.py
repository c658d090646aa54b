"""Back up each day what the deployment holds in AWS, and delete what is older than the configuration keeps. It runs without root.

It makes what `backup --data` makes, of what the deployer has left beside the reports of this machine, without the secrets.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import zipfile
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask_or_refuse, or_none
from sre_agent_deploy.backup import contents
from sre_agent_deploy.backup.contents import Content, Origin, Writer
from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.aws import MachineAws
from sre_agent_deploy.instance.steps import BootReport, StepFailed, run
from sre_agent_deploy.instance.systemd import BACKUP_TIMER, render_backup_units
from sre_core import clock, log, metrics
from sre_core.machine import BACKUP_SOURCE_FILE, MACHINE_FILE, Backups, Machine
from sre_core.problem import Refused

_UNITS = Path("/etc/systemd/system")
_LEFT_OUT = (
    "the secrets: Secrets Manager keeps those, and a deleted one for 7 days or more",
    "the questions of sessions: nobody keeps those longer than assistant.session_ttl",
)


def keep_backed_up(machine: Machine, layout: Layout) -> None:
    """Start the timer that makes backups, if the configuration wants any."""
    if machine.backups is None:
        return
    instance_id = machine.status_uri.rstrip("/").rpartition("/")[2]
    for name, unit in render_backup_units(layout, machine.region, MACHINE_FILE, instance_id, machine.backups.at).items():
        (_UNITS / name).write_text(unit, encoding="utf-8")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", BACKUP_TIMER)


def back_up(aws: Aws, chosen: Backups, source_uri: str, now: datetime) -> dict[str, object]:
    """Make and store one backup; return the facts of the report. Raises StepFailed, and Refused with AWS's answer."""
    source = _read_source(aws, source_uri)
    described = json.loads(source.read(contents.SOURCE))
    origin, content = Origin(**described["origin"] | {"made_at": clock.stamp(now)}), Content(**described["content"])
    left_out = [*_LEFT_OUT]
    with tempfile.TemporaryFile() as file:
        writer = Writer(file)
        for part in (contents.CONFIGURATION, contents.STATE):
            writer.add(part, source.read(part))
        people = contents.save_people(aws, content, writer, left_out)
        objects = contents.save_objects(aws, content, writer, left_out)
        writer.finish(origin, tuple(left_out))
        uri = _store(aws, chosen, origin.file_name, file)
    deleted = _delete_old(aws, chosen, now, but=uri)
    return {"what": f"{len(people.people)} users and {len(objects)} objects in {uri}; {deleted} older deleted", "uri": uri}


def _read_source(aws: Aws, uri: str) -> zipfile.ZipFile:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    answer: Any = ask_or_refuse(aws, lambda: or_none(lambda: aws.client("s3").get_object(Bucket=bucket, Key=key), ("NoSuchKey",)))
    if answer is None:
        raise StepFailed("The deployer has left nothing to back up yet: run `sre-agent-deploy deploy`.")
    return zipfile.ZipFile(io.BytesIO(answer["Body"].read()))


def _store(aws: Aws, chosen: Backups, name: str, file: IO[bytes]) -> str:
    """Check a backup by reading it once, then store it: S3 takes it whole or not at all."""
    with zipfile.ZipFile(file) as archive:
        if damage := contents.find_damage(archive, contents.read_manifest(archive)):
            raise StepFailed(f"The backup is damaged, and was not stored. {damage}")
    bucket, _, prefix = chosen.uri.removeprefix("s3://").partition("/")
    key: Any = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": chosen.kms_key_arn} if chosen.kms_key_arn else {}
    ask_or_refuse(aws, lambda: _put(aws, bucket, f"{prefix}{name}", file, key))
    return f"{chosen.uri}{name}"


def _put(aws: Aws, bucket: str, key: str, file: IO[bytes], settings: Any) -> None:
    file.seek(0)
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=file, ContentType="application/zip", ChecksumAlgorithm="SHA256", **settings)


def _delete_old(aws: Aws, chosen: Backups, now: datetime, *, but: str) -> int:
    """Delete the backups that are old enough. It follows a new one, so the last backup is never deleted by its age alone."""
    bucket, _, prefix = chosen.uri.removeprefix("s3://").partition("/")
    s3 = aws.client("s3")
    pages: Any = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}data-")
    listed = ask_or_refuse(aws, lambda: [entry for page in pages for entry in page.get("Contents", [])])
    before = now - timedelta(days=chosen.keep_days)
    old = [entry["Key"] for entry in listed if entry["LastModified"] < before and f"s3://{bucket}/{entry['Key']}" != but]
    for key in old:
        ask_or_refuse(aws, partial(s3.delete_object, Bucket=bucket, Key=key))
    return len(old)


def main(machine_file: str, instance_id: str) -> int:
    """Make one backup and report it, also as a metric; 1 if it failed."""
    # It is no root, so systemd passes it the file; an absolute path is read as it is.
    machine = Machine.parse(Path(os.environ.get("CREDENTIALS_DIRECTORY", ""), machine_file).read_text(encoding="utf-8"))
    if machine.backups is None:
        return 0
    own, aws = f"{machine.status_uri}{instance_id}/", MachineAws(machine.region)
    made = _make(machine.backups, Aws(region=machine.region), own, BootReport(aws, own))
    try:
        aws.put_metric(metrics.namespace(machine.deployment_id), metrics.BACKUPS, float(made))
    except StepFailed as refused:
        log.get().error("backup.metric_refused", because=refused.output)
    return 0 if made else 1


def _make(chosen: Backups, aws: Aws, own: str, report: BootReport) -> bool:
    try:
        with report.step(contents.REPORT) as facts:
            try:
                facts.update(back_up(aws, chosen, f"{own}{BACKUP_SOURCE_FILE}", clock.now()))
            except Refused as refused:
                problem = refused.problems[0]
                raise StepFailed(problem.what, problem.why) from refused
    except StepFailed as failed:
        log.get().error("backup.not_made", because=failed.what, output=failed.output)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
