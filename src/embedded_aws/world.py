"""The interface between the parts of the local AWS: one account in one region, its moto state, certificates and listeners."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from embedded_aws.addresses import LoopbackAddresses
from sre_core.secret import Secret

type Scope = MutableMapping[str, Any]
type MutableMessage = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMessage]]
type Send = Callable[[MutableMessage], Awaitable[None]]
type AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class ServerCertificate:
    """A certificate chain (leaf first) and its key, as PEM text."""

    chain: str
    key: str


class Authority(Protocol):
    """The certificate authority of this start; its key stays in memory."""

    @property
    def ca_file(self) -> Path: ...
    def issue(self, *names: str) -> ServerCertificate:
        """Issue a server certificate for these DNS names and IP addresses."""
        ...


class Listener(Protocol):
    """An HTTPS server that runs until it is closed."""

    @property
    def url(self) -> str:
        """Return `https://127.0.0.1:41297`, without a slash at the end."""
        ...

    async def close(self) -> None: ...


class NotAuthorized(Exception):
    """A machine did what its role does not allow; the text is AWS's."""


@dataclass(frozen=True)
class TemporaryCredentials:
    """Credentials of a role from STS or the metadata service of an instance; the local AWS accepts their signatures."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret
    expiration: datetime


class World(Protocol):
    """One account in one region. Everything in it lives until the process ends."""

    @property
    def addresses(self) -> LoopbackAddresses:
        """Return the loopback addresses of its machines and Elastic IPs."""
        ...

    @property
    def account_id(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def endpoint(self) -> str:
        """Return the AWS endpoint, `https://127.0.0.1:41297`."""
        ...

    @property
    def folder(self) -> Path:
        """Return a folder of this start (0700); it is deleted at the end."""
        ...

    @property
    def authority(self) -> Authority: ...

    def s3_object(self, uri: str) -> bytes | None:
        """Return the bytes of `s3://bucket/key`, or None where the bucket or key is absent."""
        ...

    def put_s3_object(self, uri: str, body: bytes) -> None:
        """Store an object as an instance would; the bucket must exist (KeyError)."""
        ...

    def secret(self, arn: str) -> str | None:
        """Return the current SecretString of a secret, or None."""
        ...

    def secret_stages(self, arn: str) -> Mapping[str, str]:
        """Map each staging label of a secret to the SecretString that has it; nothing where the secret is absent."""
        ...

    def role_exists(self, arn: str) -> bool: ...
    def as_role(self, role_arn: str, session_name: str) -> World:
        """Return the same account as this role may use it: S3 and Secrets Manager raise NotAuthorized for the rest."""
        ...

    def role_of_profile(self, profile_arn: str) -> str | None:
        """Return the ARN of the role of an instance profile; None where there is no such profile, or no role in it."""
        ...

    def credentials_for_role(self, role_arn: str, session_name: str) -> TemporaryCredentials:
        """Create credentials of a role, as an instance profile provides them (KeyError where the role is absent)."""
        ...

    def resolve(self, host: str) -> str | None:
        """Resolve a host: an IP address stays as it is, a name is looked up in the Route 53 zones of this account; None if unknown."""
        ...

    def owned_address(self, address: str) -> bool:
        """Return whether an IP address belongs to an instance or Elastic IP of the local AWS, so that a gateway may send requests to it."""
        ...

    def deliver_logs(self, resource_arn: str, stream: str, lines: Sequence[str]) -> None:
        """Deliver application logs of a resource into the log groups that its owner chose, if any."""
        ...

    def write_logs(self, group: str, stream: str, lines: Sequence[str]) -> None:
        """Write lines into a log group, which is created where it is absent."""
        ...

    def record_event(self, event: Mapping[str, Any]) -> None:
        """Record an event for the trails of CloudTrail, which get it later."""
        ...

    async def listen(self, app: AsgiApp, *, address: str = "127.0.0.1", port: int = 0) -> Listener:
        """Serve an ASGI app over TLS with a certificate of the local authority. Raises OSError where the address is in use."""
        ...
