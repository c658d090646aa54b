"""The `World` of one start: one account in one region, over moto's state."""

from __future__ import annotations

import copy
import ipaddress
from pathlib import Path

from embedded_aws import listener, moto_state
from embedded_aws.addresses import LoopbackAddresses
from embedded_aws.authority import LocalAuthority
from embedded_aws.world import AsgiApp, Listener, TemporaryCredentials

ACCOUNT_ID = "123456789012"


class Account:
    """One account in one region. `moto_settings.apply()` comes before it."""

    def __init__(self, *, region: str, folder: Path, ca_file: Path, endpoint: str) -> None:
        self.account_id = ACCOUNT_ID
        self.region = region
        self.folder = folder
        self.endpoint = endpoint
        self.authority = LocalAuthority(ca_file)
        self.addresses = LoopbackAddresses()

    def elsewhere(self, region: str) -> Account:
        """The same account in another region."""
        there = copy.copy(self)
        there.region = region
        return there

    def s3_object(self, uri: str) -> bytes | None:
        """The bytes of `s3://bucket/key`, or None where bucket or key is absent."""
        return moto_state.s3_object(self.account_id, *_bucket_and_key(uri))

    def put_s3_object(self, uri: str, body: bytes) -> None:
        """Store an object as an instance would; the bucket must exist (KeyError)."""
        moto_state.put_s3_object(self.account_id, *_bucket_and_key(uri), body)

    def secret(self, arn: str) -> str | None:
        """The current SecretString of a secret, or None."""
        return moto_state.secret_string(self.account_id, self.region, arn)

    def role_exists(self, arn: str) -> bool:
        """Whether IAM has a role of this ARN."""
        return moto_state.role_exists(self.account_id, arn)

    def credentials_for_role(self, role_arn: str, session_name: str) -> TemporaryCredentials:
        """Fresh credentials of a role, as an instance profile gives them (KeyError where the role is absent)."""
        if not self.role_exists(role_arn):
            raise KeyError(role_arn)
        return moto_state.assume_role(self.account_id, self.region, role_arn, session_name)

    def resolve(self, host: str) -> str | None:
        """The address of a name: an IP address as it is, a name from this account's Route 53 zones, else None."""
        try:
            return str(ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            return next(iter(moto_state.route53_addresses(self.account_id, host)), None)

    def owned_address(self, address: str) -> bool:
        """Whether an IP address is one of this AWS's own instances or Elastic IPs: where a gateway may send requests."""
        return self.addresses.owns(address)

    async def listen(self, app: AsgiApp, *, address: str = "127.0.0.1", port: int = 0) -> Listener:
        """Serve an ASGI app over TLS with this authority's certificate. Raises OSError where the address is taken."""
        certificate = self.authority.issue(address, "localhost")
        return await listener.serve(app, certificate, listener.bind(address, port), self.folder)


def _bucket_and_key(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
