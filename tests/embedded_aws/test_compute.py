"""From RunInstances to HTTPS and back to nothing, over the wire: EC2's API moves real processes and addresses."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import ssl
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

from embedded_aws.authority import LocalAuthority
from fixtures.embedded import EmbeddedAws, served

SERVICE = """
import http.server, os, socketserver, sys
from pathlib import Path

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["ANSWER"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"

socketserver.ThreadingUnixStreamServer(sys.argv[sys.argv.index("--socket") + 1], Handler).serve_forever()
"""
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
ROLE = {
    "ReadRelease": {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::release/release.zip"},
    "ReportProgress": {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::release/status/*"},
    "ReadOwnSecrets": {
        "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
        "Resource": "arn:aws:secretsmanager:*:*:secret:certificate-*",
    },
}


@dataclass(frozen=True)
class Stage:
    """One account with all that an instance needs, and an Elastic IP whose certificate clients trust."""

    aws: EmbeddedAws
    allocation_id: str
    url: str
    ca_file: Path
    parameters: Callable[[str], dict[str, Any]]

    def launch(self, answer: str) -> str:
        """An instance whose service gives this answer; it is ready when this returns."""
        instance = self.aws.client("ec2").run_instances(**self.parameters(answer))["Instances"][0]["InstanceId"]
        document = eventually(lambda: self.reported(answer))
        assert document["state"] == "ok", document
        return str(instance)

    def reported(self, answer: str) -> dict[str, Any] | None:
        s3 = self.aws.client("s3")
        for found in s3.list_objects_v2(Bucket="release", Prefix=f"status/{answer}/").get("Contents", []):
            document = dict(json.loads(s3.get_object(Bucket="release", Key=found["Key"])["Body"].read()))
            if document["state"] == "failed" or (document["step"] == "ready" and document["state"] == "ok"):
                return document
        return None

    def associate(self, instance_id: str) -> None:
        self.aws.client("ec2").associate_address(AllocationId=self.allocation_id, InstanceId=instance_id, AllowReassociation=True)

    def fetched(self) -> str:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(self.url, context=context, timeout=120) as answer:
            return str(answer.read().decode())

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.aws.pid).children(recursive=True)


def eventually[T](look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen within a minute")


@cache  # an archive holds the time at which it was made
def release() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("answering.py", SERVICE)
    return archive.getvalue()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with served(tmp_path / "state") as aws:
        yield prepared(aws, tmp_path)


def prepared(aws: EmbeddedAws, tmp_path: Path) -> Stage:
    ec2, iam, s3 = aws.client("ec2"), aws.client("iam"), aws.client("s3")
    iam.create_role(RoleName="instance", AssumeRolePolicyDocument=TRUST)
    allow_instance(aws, *ROLE)
    iam.create_instance_profile(InstanceProfileName="instance")
    iam.add_role_to_instance_profile(InstanceProfileName="instance", RoleName="instance")
    s3.create_bucket(Bucket="release")
    s3.put_object(Bucket="release", Key="release.zip", Body=release())
    elastic = ec2.allocate_address(Domain="vpc")
    (described,) = ec2.describe_addresses(AllocationIds=[elastic["AllocationId"]])["Addresses"]
    port = {tag["Key"]: tag["Value"] for tag in described["Tags"]}["embedded-aws:port-443"]
    authority = LocalAuthority(tmp_path / "public-ca.pem")
    certificate = authority.issue(elastic["PublicIp"])
    pair = json.dumps({"certificate": certificate.chain, "private_key": certificate.key})
    secret_arn = aws.client("secretsmanager").create_secret(Name="certificate", SecretString=pair)["ARN"]
    image_id = aws.client("ssm").get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")

    def parameters(answer: str) -> dict[str, Any]:
        return {
            "ImageId": image_id["Parameter"]["Value"],
            "InstanceType": "t3.xlarge",
            "MinCount": 1,
            "MaxCount": 1,
            "ClientToken": uuid.uuid4().hex,
            "IamInstanceProfile": {"Name": "instance"},
            "UserData": user_data(answer, secret_arn),
        }

    url = f"https://{elastic['PublicIp']}:{port}/"
    return Stage(aws, elastic["AllocationId"], url, tmp_path / "public-ca.pem", parameters)


def allow_instance(aws: EmbeddedAws, *sids: str) -> None:
    """Give the instance's role these statements and no others."""
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Sid": sid, **ROLE[sid]} for sid in sids]}
    aws.client("iam").put_role_policy(RoleName="instance", PolicyName="instance", PolicyDocument=json.dumps(policy))


@pytest.mark.parametrize(("lacking", "step"), [("ReadRelease", "release"), ("ReadOwnSecrets", "credentials")])
def test_a_role_that_lacks_a_permission(stage: Stage, lacking: str, step: str) -> None:
    """A machine may do what its role allows: its boot fails if it lacks a permission, and quotes AWS's message."""
    allow_instance(stage.aws, *(sid for sid in ROLE if sid != lacking))
    stage.aws.client("ec2").run_instances(**stage.parameters("lacking"))
    failed = eventually(lambda: stage.reported("lacking"))
    action = "s3:GetObject" if lacking == "ReadRelease" else "secretsmanager:DescribeSecret"
    assert (failed["step"], failed["state"]) == (step, "failed")
    assert "assumed-role/instance/i-" in failed["what"]
    assert failed["what"].endswith(f"because no identity-based policy allows the {action} action")


def user_data(answer: str, secret_arn: str) -> str:
    service = {
        "name": "answering",
        "command": ["-m", "answering"],
        "environment": {"ANSWER": answer},
        "credentials": {},
        "health_path": "/",
    }
    machine = {
        "schema": 1,
        "deployment_id": "test",
        "machine": answer,
        "generation": 1,
        "region": "us-east-1",
        "release": {"uri": "s3://release/release.zip", "sha256": hashlib.sha256(release()).hexdigest()},
        "status": {"uri": f"s3://release/status/{answer}/"},
        "services": [service],
        "front_door": {
            "domain": "",
            "certificate": {"secret_arn": secret_arn},
            "listeners": [{"port": 443, "scope": "public", "routes": [{"path": "/", "service": "answering"}]}],
            "redirect_port": 80,
        },
        "timers": [],
    }
    files = [{"path": "/etc/sre-agent/machine.json", "content": json.dumps(machine)}]
    return "#cloud-config\n" + json.dumps({"write_files": files})


def test_an_update_moves_the_address_and_the_end_leaves_nothing(stage: Stage) -> None:
    """Two instances beside each other, the address from one to the other, stop and start, and no process at the end."""
    ec2 = stage.aws.client("ec2")
    first, second = stage.launch("first"), stage.launch("second")

    stage.associate(first)
    assert stage.fetched() == "first"
    stage.associate(second)
    assert stage.fetched() == "second"
    ec2.stop_instances(InstanceIds=[second])
    with pytest.raises((urllib.error.URLError, OSError)):
        stage.fetched()
    ec2.terminate_instances(InstanceIds=[first, second])
    assert eventually(lambda: True if not stage.children() else None)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_its_aws(stage: Stage, how: signal.Signals) -> None:
    """Every end of this AWS ends all processes that it started."""
    stage.launch("running")
    children = stage.children()
    assert children
    os.kill(stage.aws.pid, how)

    gone, alive = psutil.wait_procs(children, timeout=120)
    assert {child.pid for child in alive if child.status() != psutil.STATUS_ZOMBIE} == set()
    assert gone or alive
