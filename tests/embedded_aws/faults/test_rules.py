"""Rules select calls, and a file of rules is validated."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import boto3.session
import pytest

from embedded_aws.agentcore import model
from embedded_aws.faults.call import Call, call_of
from embedded_aws.faults.faults import Faults
from embedded_aws.faults.rules import Kind, Rule, Rules, read
from embedded_aws.http_messages import ConnectionCut, Request, Response
from sre_core.problem import Problem

FORM = (("content-type", "application/x-www-form-urlencoded"),)


def request(method: str, path: str, query: str = "", headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Request:
    return Request(method, path, query, headers, body, "127.0.0.1")


@pytest.mark.parametrize(
    ("asked", "service", "operation"),
    [
        (request("POST", "/", headers=FORM, body=b"Action=RunInstances&Version=2016-11-15"), "ec2", "RunInstances"),
        (request("POST", "/", headers=(("x-amz-target", "secretsmanager.CreateSecret"),)), "secretsmanager", "CreateSecret"),
        (request("GET", "/"), "s3", "ListBuckets"),
        (request("PUT", "/bucket"), "s3", "CreateBucket"),
        (request("PUT", "/bucket", "policy"), "s3", "PutBucketPolicy"),
        (request("GET", "/bucket", "list-type=2&prefix=a"), "s3", "ListObjectsV2"),
        (request("PUT", "/bucket/a/long/key.json"), "s3", "PutObject"),
        (request("PUT", "/bucket/key", headers=(("x-amz-copy-source", "/other/key"),)), "s3", "CopyObject"),
        (request("HEAD", "/bucket/key"), "s3", "HeadObject"),
        (request("POST", "/2013-04-01/hostedzone/Z1/rrset/"), "route53", "ChangeResourceRecordSets"),
        (request("POST", "/gateways/", body=b'{"name": "n"}'), "bedrock-agentcore", "CreateGateway"),
        (request("GET", "/gateways/g-1/targets/"), "bedrock-agentcore", "ListGatewayTargets"),
        (request("GET", "/nowhere/at/all"), "bedrock-agentcore", ""),
    ],
)
def test_the_operation_of_a_request(asked: Request, service: str, operation: str) -> None:
    """With every protocol, a request's operation has the name that AWS's model gives it."""
    assert call_of(asked, service).operation == operation


def test_a_client_of_s3_in_the_same_process() -> None:
    """It takes the bucket out of the paths in the model that botocore gave it, and out of no path here."""
    model.parse_models_once()
    client = boto3.session.Session("AKIDEXAMPLE", "none", region_name="us-east-1").client("s3")
    client.generate_presigned_url("create_bucket", {"Bucket": "bucket"})
    assert model.load_model.__wrapped__("s3")["operations"]["CreateBucket"]["http"]["requestUri"] == "/{Bucket}"


def failures(rules: Rules, calls: int, operation: str = "DescribeVpcs") -> list[bool]:
    """Return which of so many equal calls are refused."""
    faults, asked = Faults(rules), request("POST", "/", headers=FORM, body=f"Action={operation}".encode())

    async def perform() -> Response:
        return Response(200)

    async def all_calls() -> list[bool]:
        return [(await faults.handle(asked, "ec2", perform)).status != 200 for _ in range(calls)]

    return asyncio.run(all_calls())


def test_the_nth_call_alone() -> None:
    """A rule with a number strikes that call, and counts only those that it is about."""
    assert failures(Rules((Rule(kind=Kind.THROTTLE, operation="Describe*", nth=2),)), 4) == [False, True, False, False]
    assert failures(Rules((Rule(kind=Kind.THROTTLE, operation="Run*", nth=2),)), 4) == [False] * 4
    assert failures(Rules((Rule(kind=Kind.THROTTLE, service="s3"),)), 2) == [False] * 2


def test_chance_is_seeded() -> None:
    """The same seed strikes the same calls, another seed others, and about as many as it should."""
    rule = Rule(kind=Kind.SERVER_ERROR, probability=0.3)
    first, again, other = (failures(Rules((rule,), seed), 200) for seed in (1, 1, 2))
    assert first == again != other
    assert 30 < sum(first) < 90


def test_nothing_without_rules() -> None:
    """By default every call passes."""
    assert failures(Rules(), 3) == [False] * 3


@pytest.mark.parametrize("committed", [False, True])
def test_a_cut(committed: bool) -> None:
    """The client gets no answer; `committed` decides if AWS did it."""
    done = []

    async def perform() -> Response:
        done.append(True)
        return Response(200)

    faults = Faults(Rules((Rule(kind=Kind.CUT, committed=committed),)))
    with pytest.raises(ConnectionCut):
        asyncio.run(faults.handle(request("GET", "/"), "s3", perform))
    assert bool(done) is committed


def test_rules_in_a_file(tmp_path: Path) -> None:
    """Every field can be given; what is left out has its default."""
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"seed": 3, "rules": [{"kind": "delay", "service": "ec2", "seconds": 0.5}, {"kind": "cut", "nth": 2}]}))
    assert read(file) == Rules((Rule(kind=Kind.DELAY, service="ec2", seconds=0.5), Rule(kind=Kind.CUT, nth=2)), 3)
    assert Rule(kind=Kind.DELAY, service="ec2").concerns(Call("ec2", "RunInstances"))


@pytest.mark.parametrize(
    "text", ["", "[]", '{"rules": [{"kind": "earthquake"}]}', '{"rules": [{"kind": "cut", "when": 1}]}', '{"rules": [{}]}']
)
def test_a_file_that_says_something_else(tmp_path: Path, text: str) -> None:
    """A Problem that names the file and shows a rule that works."""
    file = tmp_path / "faults.json"
    file.write_text(text)
    problem = read(file)
    assert isinstance(problem, Problem)
    assert problem.code == "EMBEDDED-AWS-FAULTS-UNREADABLE"
    assert str(file) in str(problem)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A Problem as well, not a start without faults."""
    assert isinstance(read(tmp_path / "none.json"), Problem)
