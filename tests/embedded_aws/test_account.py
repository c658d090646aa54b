"""The parts of this AWS share moto's state in this process."""

from __future__ import annotations

import asyncio
import os
import ssl
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws.account import Account
from embedded_aws.credentials import new_root_key
from embedded_aws.http_messages import Request
from embedded_aws.moto_app import MotoApp, configure_moto
from embedded_aws.sigv4 import Signature
from embedded_aws.verifier import Caller
from embedded_aws.world import Receive, Scope, Send, World


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    before = dict(os.environ)
    configure_moto()
    yield Account(region="us-east-1", folder=tmp_path, ca_file=tmp_path / "ca.pem", endpoint="https://127.0.0.1:1")
    os.environ.clear()
    os.environ.update(before)


def name(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def test_it_is_a_world(account: Account) -> None:
    """The protocol holds; mypy proves the types, this that all is there."""
    world: World = account

    assert world.account_id == "123456789012"
    assert world.region == "us-east-1"


def test_objects(account: Account) -> None:
    """An object that one part stores is read by another; an absent one is None, and no bucket is created for it."""
    from moto.s3.models import s3_backends

    bucket = name("bucket")
    assert account.s3_object(f"s3://{bucket}/a/b") is None
    with pytest.raises(KeyError):
        account.put_s3_object(f"s3://{bucket}/a/b", b"body")
    s3_backends[account.account_id]["aws"].create_bucket(bucket, "us-east-1")
    account.put_s3_object(f"s3://{bucket}/a/b", b"body")

    assert account.s3_object(f"s3://{bucket}/a/b") == b"body"
    assert account.s3_object(f"s3://{bucket}/a") is None


def test_secrets(account: Account) -> None:
    """By ARN, and None once it is deleted."""
    from moto.secretsmanager.models import secretsmanager_backends

    secrets, secret = secretsmanager_backends[account.account_id]["us-east-1"], name("secret")
    absent = dict.fromkeys(("secret_binary", "description", "tags", "kms_key_id", "client_request_token", "replica_regions"))
    secrets.create_secret(name=secret, secret_string="text", force_overwrite=False, **absent)
    arn = secrets.secrets[secret].arn

    assert account.secret(arn) == "text"
    secrets.delete_secret(secret, 7, False)
    assert account.secret(arn) is None
    assert account.secret("arn:aws:secretsmanager:us-east-1:123456789012:secret:absent-AbCdEf") is None


def test_credentials_of_a_role(account: Account) -> None:
    """Temporary, with a token, and only for a role that exists."""
    from moto.iam.models import iam_backends

    role = iam_backends[account.account_id]["aws"].create_role(name("role"), "{}", "/", None, "", {}, "3600")

    assert account.role_exists(role.arn)
    given = account.credentials_for_role(role.arn, "i-0123456789abcdef0")
    assert given.access_key_id.startswith("ASIA")
    assert str(given.secret_access_key) == str(given.session_token) == "***"
    with pytest.raises(KeyError):
        account.credentials_for_role(role.arn + "x", "session")


def test_looking_while_others_make_and_delete(account: Account) -> None:
    """The gateways and instances of this AWS see either what was or what is: an API call is one step of the event loop, never half done."""
    role, key = name("role"), new_root_key(account.account_id)
    signature = Signature(key.access_key_id, "20261130", "us-east-1", "iam", (), "", "", "", None)
    parameters = urllib.parse.urlencode(
        {"Action": "CreateRole", "Version": "2010-05-08", "RoleName": role, "AssumeRolePolicyDocument": '{"Version": "2012-10-17"}'}
    )
    headers = (("host", "127.0.0.1:1"), ("content-type", "application/x-www-form-urlencoded"))
    request = Request("POST", "/", "", headers, parameters.encode(), "127.0.0.1")

    with pytest.raises(StopIteration) as answered:
        MotoApp()(request, Caller(key, signature)).send(None)

    assert answered.value.value.status == 200
    assert account.role_exists(f"arn:aws:iam::{account.account_id}:role/{role}")


def test_names(account: Account) -> None:
    """Route 53's records, through aliases; an address is itself; nothing is asked of a real DNS."""
    from moto.route53.models import route53_backends

    domain = f"{name('zone')}.example.com."
    route53 = route53_backends[account.account_id]["aws"]
    zone = route53.create_hosted_zone(domain, private_zone=False, caller_reference=name("call"))
    for record in (
        {"Name": f"api.{domain}", "Type": "A", "TTL": 60, "ResourceRecords": ["127.70.0.1"]},
        {"Name": f"www.{domain}", "Type": "CNAME", "TTL": 60, "ResourceRecords": [f"api.{domain}"]},
        {"Name": f"loop.{domain}", "Type": "CNAME", "TTL": 60, "ResourceRecords": [f"loop.{domain}"]},
    ):
        zone.upsert_rrset(record)

    assert account.resolve(f"api.{domain}") == "127.70.0.1"
    assert account.resolve(f"WWW.{domain}".rstrip(".")) == "127.70.0.1"
    assert account.resolve(f"loop.{domain}") is None
    assert account.resolve("localhost") is None
    assert account.resolve("192.0.2.1") == "192.0.2.1"


def test_owned_addresses(account: Account) -> None:
    """Only addresses that were allocated and not released, and no others of this machine."""
    address = account.addresses.take()

    assert account.owned_address(address)
    assert address not in {account.addresses.take() for _ in range(20)}
    account.addresses.release(address)
    assert not account.owned_address(address)
    assert not account.owned_address("10.0.0.1")


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def fetched(url: str, ca_file: Path) -> bytes:
    with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=str(ca_file)), timeout=120) as answer:
        return bytes(answer.read())


def test_listeners_are_trusted_by_the_authority_of_this_start(account: Account) -> None:
    """Verified by name, on an address of this AWS's own; closed, they are gone; no key is on disk."""
    asyncio.run(_listens_until_closed(account))


async def _listens_until_closed(account: Account) -> None:
    address = account.addresses.take()
    listener = await account.listen(hello, address=address)

    assert await asyncio.to_thread(fetched, listener.url, account.authority.ca_file) == b"hello"
    assert [path.name for path in account.folder.iterdir()] == ["ca.pem"]
    with pytest.raises(OSError, match="in use"):
        await account.listen(hello, address=address, port=int(listener.url.rpartition(":")[2]))
    await listener.close()
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(fetched, listener.url, account.authority.ca_file)
