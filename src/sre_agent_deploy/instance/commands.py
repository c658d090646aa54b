"""Run the machine's own programs and the AWS CLI, with failures that can be reported."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from dataclasses import dataclass

from sre_core.machine import SecretRef


class StepFailed(Exception):
    """A failed step: one sentence for the user, and the end of the failing program's output."""

    def __init__(self, what: str, output: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.output = output


def run(*command: str, standard_input: str | None = None) -> str:
    """Run a program and return its standard output. StepFailed has its output where it fails."""
    environment = {**os.environ, "PATH": os.environ.get("PATH", os.defpath) + ":/snap/bin"}
    try:
        done = subprocess.run(  # noqa: S603  # the bootstrap's own words and machine.json's
            command, input=standard_input, capture_output=True, text=True, errors="replace", check=False, env=environment
        )
    except OSError as absent:
        raise StepFailed(f"`{command[0]}` could not be started: {absent.strerror}.") from absent
    if done.returncode:
        raise StepFailed(f"`{' '.join(command[:4])}` ended with exit code {done.returncode}.", done.stdout + done.stderr)
    return done.stdout


@dataclass(frozen=True)
class AwsCli:
    """The AWS CLI in one region, with the instance's role: the bootstrap needs no library of its own."""

    region: str

    def secret(self, reference: SecretRef) -> str:
        """Read the value that a reference names. StepFailed names the secret and never shows its text."""
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
    question = ("secretsmanager", "get-secret-value", "--secret-id", secret_arn, "--query", "SecretString", "--output", "text")
    return run("aws", "--region", region, *question).rstrip("\n")
