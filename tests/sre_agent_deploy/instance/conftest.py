"""One machine, described with values that need care."""

from __future__ import annotations

import os
import shlex
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from fixtures import preloaded
from fixtures.machines import make_machine
from sre_core.machine import Machine


@pytest.fixture
def machine() -> Machine:
    """A machine with every value that the release asks for."""
    return make_machine()


@pytest.fixture(scope="session")
def aws_cli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a script that is the AWS CLI beside this Python, forked: most of a short call is its start."""
    script = tmp_path_factory.mktemp("aws-cli") / "aws"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(preloaded.command("awscli"))} "$@"\n')
    script.chmod(0o755)
    return script


@pytest.fixture
def client(aws_cli: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """AWS clients of an AWS that the AWS CLI reaches too, by its usual variables and PATH."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # All servers of a process have the same state: what one test left is not there for the next.
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("PATH", f"{aws_cli.parent}:{Path(sys.executable).parent}:{os.defpath}")
    yield lambda service: boto3.client(service, region_name="us-east-1")
    server.stop()


@pytest.fixture
def s3(client: Callable[[str], Any]) -> Any:
    """S3, with a bucket of the name `bucket`."""
    made = client("s3")
    made.create_bucket(Bucket="bucket")
    return made
