"""What the bootstrap asks of AWS: with the AWS CLI and the instance's role, so that it needs no library of its own."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

from sre_agent_deploy.instance.commands import StepFailed, run
from sre_agent_deploy.instance.machine import SecretRef


@dataclass(frozen=True)
class AwsCli:
    """The AWS CLI in one region."""

    region: str

    def secret(self, reference: SecretRef) -> str:
        """The value that a reference means. StepFailed names the secret and never shows its text."""
        text = _secret_string(self.region, reference.secret_arn)
        if not reference.json_key:
            return text
        try:
            value = json.loads(text)[reference.json_key]
        except (ValueError, KeyError, TypeError):
            value = None
        if not isinstance(value, str) or not value:
            raise StepFailed(f"The secret {reference.secret_arn} has no text under the key {reference.json_key}.")
        return value

    def put_object(self, uri: str, body: str) -> None:
        """Write one S3 object."""
        run("aws", "--region", self.region, "s3", "cp", "--only-show-errors", "-", uri, standard_input=body)


@functools.cache
def _secret_string(region: str, secret_arn: str) -> str:
    # One secret serves several services, and each call of the AWS CLI takes a second.
    asked = ("secretsmanager", "get-secret-value", "--secret-id", secret_arn, "--query", "SecretString", "--output", "text")
    return run("aws", "--region", region, *asked).rstrip("\n")
