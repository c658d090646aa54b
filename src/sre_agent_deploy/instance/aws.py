"""Call AWS from the machine with the role of the instance: read secrets, write reports."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cache

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sre_agent_deploy.instance.steps import StepFailed
from sre_core.machine import STAGES, SecretRef

# Seconds between tries. AWS may refuse a new role for some minutes, which boto3 does not try again.
WAITS = (1, 2, 5, 10, 20, 30)
_RECORD_TTL = 60
# Route 53 says that most changes are everywhere within a minute.
_IN_SYNC = {"Delay": 5, "MaxAttempts": 36}
_CONFIG = Config(retries={"mode": "standard"}, connect_timeout=5, read_timeout=20)


class MachineAws:
    """AWS in one region, as this machine may use it. Its values are never logged."""

    def __init__(self, region: str, waits: tuple[float, ...] = WAITS) -> None:
        self._waits = waits
        self._client = cache(lambda service: boto3.session.Session(region_name=region).client(service, config=_CONFIG))
        # What a version holds never changes, and one secret serves several services.
        self._read_once = cache(self._read_version)

    def secret(self, reference: SecretRef) -> str:
        """Read the value that a reference names; of one that overlaps, each value that counts now, one a line, the first to use first.

        StepFailed names the secret and never shows its text.
        """
        versions = self._list_versions(reference.secret_arn)
        staged = [versions[stage] for stage in (STAGES if reference.overlaps else STAGES[:1]) if stage in versions]
        if not staged:
            raise StepFailed(f"The secret {reference.secret_arn} has no current value.")
        texts = [_pick(self._read_once(reference.secret_arn, version), reference) for version in dict.fromkeys(staged)]
        return "\n".join(dict.fromkeys(texts))

    def _list_versions(self, arn: str) -> dict[str, str]:
        """Map each staging label of a secret to the version that has it now."""
        client = self._client("secretsmanager")
        found = self._call(f"The secret {arn} could not be read.", lambda: client.describe_secret(SecretId=arn))
        return {stage: version for version, stages in found.get("VersionIdsToStages", {}).items() for stage in stages}

    def _read_version(self, arn: str, version: str) -> str:
        client = self._client("secretsmanager")
        return self._call(
            f"The secret {arn} could not be read.", lambda: str(client.get_secret_value(SecretId=arn, VersionId=version)["SecretString"])
        )

    def read_secret(self, arn: str) -> str:
        """Read the whole text that a secret has now. StepFailed where this is refused to the end."""
        client = self._client("secretsmanager")
        return self._call(f"The secret {arn} could not be read.", lambda: str(client.get_secret_value(SecretId=arn)["SecretString"]))

    def write_secret(self, arn: str, text: str) -> None:
        """Store the whole text of a secret. StepFailed, which never shows it, where this is refused to the end."""
        client = self._client("secretsmanager")
        self._call(f"The secret {arn} could not be written.", lambda: client.put_secret_value(SecretId=arn, SecretString=text))

    def change_txt_record(self, action: str, zone: str, name: str, value: str) -> None:
        """Make or delete a TXT record of one value, and wait until every name server of Route 53 has the change."""
        route53 = self._client("route53")
        record = {"Name": name, "Type": "TXT", "TTL": _RECORD_TTL, "ResourceRecords": [{"Value": f'"{value}"'}]}
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        failure = f"The TXT record {name} could not be changed in {zone} ({action})."
        made = self._call(failure, lambda: route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch))
        self._call(
            failure, lambda: route53.get_waiter("resource_record_sets_changed").wait(Id=made["ChangeInfo"]["Id"], WaiterConfig=_IN_SYNC)
        )

    def put_metric(self, namespace: str, name: str, value: float) -> None:
        """Write one value of a metric without dimensions. StepFailed where CloudWatch refuses it to the end."""
        client = self._client("cloudwatch")
        values = [{"MetricName": name, "Value": value, "Unit": "None"}]
        self._call(f"The metric {name} could not be written.", lambda: client.put_metric_data(Namespace=namespace, MetricData=values))

    def put_object(self, uri: str, body: str) -> None:
        """Write one S3 object. StepFailed where S3 refuses it to the end."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        s3 = self._client("s3")
        self._call(f"The report {uri} could not be written.", lambda: s3.put_object(Bucket=bucket, Key=key, Body=body.encode()))

    def _call[T](self, failure: str, call: Callable[[], T]) -> T:
        for seconds in (*self._waits, None):
            try:
                return call()
            except (BotoCoreError, ClientError) as refused:
                if seconds is None:
                    raise StepFailed(failure, str(refused)) from refused
                time.sleep(seconds)
        raise AssertionError("the last try returned or raised")


def _pick(text: str, reference: SecretRef) -> str:
    if not reference.json_key:
        return text
    try:
        value = json.loads(text)[reference.json_key]
    except (ValueError, KeyError, TypeError):
        value = None
    if not isinstance(value, str) or not value:
        raise StepFailed(f"The secret {reference.secret_arn} has no text under the key {reference.json_key}.")
    return value
