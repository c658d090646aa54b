"""The implementation of `World`: one account in one region, over the state of moto."""

from __future__ import annotations

import copy
import ipaddress
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedded_aws import iam_state, listener, moto_state
from embedded_aws.addresses import LoopbackAddresses
from embedded_aws.authority import LocalAuthority
from embedded_aws.authorization.authorize import find_role_denial
from embedded_aws.watching.trail_events import Event
from embedded_aws.world import AsgiApp, Listener, NotAuthorized, TemporaryCredentials

ACCOUNT_ID = "123456789012"
_MOST_EVENTS = 10_000


class Account:
    """One account in one region. Call `configure_moto()` before it is created."""

    def __init__(self, *, region: str, folder: Path, ca_file: Path, endpoint: str) -> None:
        self.account_id = ACCOUNT_ID
        self.region = region
        self.folder = folder
        self.endpoint = endpoint
        self.authority = LocalAuthority(ca_file)
        self.addresses = LoopbackAddresses()
        self._role: tuple[str, str] | None = None
        self.recorded: deque[Event] = deque(maxlen=_MOST_EVENTS)

    def in_region(self, region: str) -> Account:
        """Return the same account in another region."""
        other = copy.copy(self)
        other.region = region
        return other

    def as_role(self, role_arn: str, session_name: str) -> Account:
        """Return the same account as this role may use it: S3 and Secrets Manager raise NotAuthorized for the rest."""
        other = copy.copy(self)
        other._role = (role_arn, session_name)
        return other

    def _authorize(self, action: str, resource: str) -> None:
        denial = find_role_denial(self.account_id, *self._role, action, resource) if self._role else None
        if denial:
            raise NotAuthorized(denial.message)

    def s3_object(self, uri: str) -> bytes | None:
        """Return the bytes of `s3://bucket/key`, or None where the bucket or key is absent."""
        self._authorize("s3:GetObject", _s3_arn(uri))
        return moto_state.s3_object(self.account_id, *_bucket_and_key(uri))

    def put_s3_object(self, uri: str, body: bytes) -> None:
        """Store an object as an instance would; the bucket must exist (KeyError)."""
        self._authorize("s3:PutObject", _s3_arn(uri))
        moto_state.put_s3_object(self.account_id, *_bucket_and_key(uri), body)

    def secret(self, arn: str) -> str | None:
        """Return the current SecretString of a secret, or None."""
        self._authorize("secretsmanager:GetSecretValue", arn)
        return moto_state.secret_string(self.account_id, self.region, arn)

    def secret_stages(self, arn: str) -> Mapping[str, str]:
        """Map each staging label of a secret to the SecretString that has it."""
        self._authorize("secretsmanager:DescribeSecret", arn)
        self._authorize("secretsmanager:GetSecretValue", arn)
        return moto_state.secret_strings(self.account_id, self.region, arn)

    def role_exists(self, arn: str) -> bool:
        """Return whether IAM has a role of this ARN."""
        return iam_state.role_exists(self.account_id, arn)

    def role_of_profile(self, profile_arn: str) -> str | None:
        """Return the ARN of the role of an instance profile; None where there is no such profile, or no role in it."""
        return iam_state.role_of_profile(self.account_id, profile_arn)

    def credentials_for_role(self, role_arn: str, session_name: str) -> TemporaryCredentials:
        """Create credentials of a role, as an instance profile provides them (KeyError where the role is absent)."""
        if not self.role_exists(role_arn):
            raise KeyError(role_arn)
        return moto_state.assume_role(self.account_id, self.region, role_arn, session_name)

    def resolve(self, host: str) -> str | None:
        """Resolve a host: an IP address stays as it is, a name is looked up in the Route 53 zones of this account; None if unknown."""
        try:
            return str(ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            return next(iter(moto_state.route53_addresses(self.account_id, host)), None)

    def owned_address(self, address: str) -> bool:
        """Return whether an IP address belongs to an instance or Elastic IP of the local AWS, so that a gateway may send requests to it."""
        return self.addresses.owns(address)

    def deliver_logs(self, resource_arn: str, stream: str, lines: Sequence[str]) -> None:
        """Deliver application logs of a resource into the log groups that its owner chose, if any."""
        moto_state.deliver_logs(self.account_id, self.region, resource_arn, stream, lines)

    def write_logs(self, group: str, stream: str, lines: Sequence[str]) -> None:
        """Write lines into a log group, which is created where it is absent."""
        moto_state.write_logs(self.account_id, self.region, group, stream, lines)

    def record_event(self, event: Event) -> None:
        """Record an event for the trails of CloudTrail, which get it later."""
        self.recorded.append(event)

    async def listen(self, app: AsgiApp, *, address: str = "127.0.0.1", port: int = 0) -> Listener:
        """Serve an ASGI app over TLS with a certificate of the local authority. Raises OSError where the address is in use."""
        certificate = self.authority.issue(address, "localhost")
        return await listener.serve(app, certificate, listener.bind(address, port), self.folder)


def _s3_arn(uri: str) -> str:
    return f"arn:aws:s3:::{uri.removeprefix('s3://')}"


def _bucket_and_key(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
