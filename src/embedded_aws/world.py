"""What the parts of this AWS know of one another: one account in one region, its moto state, its certificates, its listeners."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

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
    """The certificate authority of this start; its key never leaves memory."""

    @property
    def ca_file(self) -> Path: ...
    def issue(self, *names: str) -> ServerCertificate:
        """A server certificate for these DNS names and IP addresses."""
        ...


class Listener(Protocol):
    """An HTTPS server that runs until it is closed."""

    @property
    def url(self) -> str:
        """`https://127.0.0.1:41297`, without a slash at the end."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class TemporaryCredentials:
    """What STS, or an instance's metadata service, hands out for a role; this start's signature check accepts them."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret
    expiration: datetime


class World(Protocol):
    """One account in one region. Everything here lives until the process ends."""

    @property
    def account_id(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def endpoint(self) -> str:
        """The AWS endpoint, `https://127.0.0.1:41297`."""
        ...

    @property
    def folder(self) -> Path:
        """A folder of this start's own (0700); gone when it stops."""
        ...

    @property
    def authority(self) -> Authority: ...

    def s3_object(self, uri: str) -> bytes | None:
        """The bytes of `s3://bucket/key`, or None where bucket or key is absent."""
        ...

    def put_s3_object(self, uri: str, body: bytes) -> None:
        """Store an object as an instance would; the bucket must exist (KeyError)."""
        ...

    def secret(self, arn: str) -> str | None:
        """The current SecretString of a secret, or None."""
        ...

    def role_exists(self, arn: str) -> bool: ...
    def credentials_for_role(self, role_arn: str, session_name: str) -> TemporaryCredentials:
        """Fresh credentials of a role, as an instance profile gives them (KeyError where the role is absent)."""
        ...

    def resolve(self, host: str) -> str | None:
        """The address of a name: an IP address as it is, a name from this account's Route 53 zones, else None."""
        ...

    def owned_address(self, address: str) -> bool:
        """Whether an IP address is one of this AWS's own instances or Elastic IPs: where a gateway may send requests."""
        ...

    async def listen(self, app: AsgiApp, *, address: str = "127.0.0.1", port: int = 0) -> Listener:
        """Serve an ASGI app over TLS with this authority's certificate. Raises OSError where the address is taken."""
        ...
