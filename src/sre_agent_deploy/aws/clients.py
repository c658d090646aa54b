"""Typed clients for one account in one region, created when first used."""

from __future__ import annotations

import copy
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from sre_agent_deploy.aws.hooks import AT_ONCE, Check, Fence, ServerClock, limit_calls
from sre_agent_deploy.config.regions import partition_of
from sre_agent_deploy.progress import DEFAULT_PROGRESS, Progress
from sre_core.secret import Secret

if TYPE_CHECKING:
    import boto3


@dataclass(frozen=True)
class Endpoint:
    """An AWS that is not Amazon's: where it is, which CA it shows, and credentials that only it accepts (or the usual ones)."""

    url: str
    ca_file: str = ""
    access_key_id: str = ""
    secret_access_key: Secret | None = None


class Session:
    """boto3's session for one account and region, and its clients, which all threads share."""

    def __init__(self, region: str, endpoint: Endpoint | None, account_id: str) -> None:
        self.region, self.endpoint, self.account_id = region, endpoint, account_id
        self.fence, self.clock = Fence(), ServerClock()
        self._making = threading.Lock()
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return a client, shared by all threads. botocore's clients are thread-safe; making one is not."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._boto3.client(service, **self._settings())
            return self._clients[service]

    @cached_property
    def _boto3(self) -> Any:
        import boto3

        session = boto3.Session(region_name=self.region, **self._credentials())
        session.events.register("creating-client-class", limit_calls)
        session.events.register_last("before-send", self.fence.check_call)
        session.events.register("after-call", self.clock.note_answer)
        return session

    def _credentials(self) -> dict[str, Any]:
        """Return those of the endpoint; nothing where the usual ones are to be found."""
        if not self.endpoint or not self.endpoint.secret_access_key:
            return {}
        return {"aws_access_key_id": self.endpoint.access_key_id, "aws_secret_access_key": self.endpoint.secret_access_key.reveal()}

    def _settings(self) -> dict[str, Any]:
        from botocore.config import Config

        once: dict[str, Any] = {
            "retries": {"total_max_attempts": 1},
            "max_pool_connections": AT_ONCE,
            "connect_timeout": 10,
            "read_timeout": 60,
        }
        if not self.endpoint:
            return {"config": Config(**once)}
        addressed = Config(**once, s3={"addressing_style": "path"}, proxies={} if self.endpoint.access_key_id else None)
        return {"endpoint_url": self.endpoint.url, "verify": self.endpoint.ca_file or None, "config": addressed}


class Aws:
    """One account in one region, with its retry limits. botocore makes each call once: this tool retries by its own rules, because botocore
    also repeats calls that are not idempotent (a second user pool of the same name succeeds).
    """

    def __init__(
        self, *, region: str, account_id: str = "", endpoint: Endpoint | None = None, progress: Progress = DEFAULT_PROGRESS
    ) -> None:
        self.region = region
        self.endpoint = endpoint
        self.progress = progress
        self._session = Session(region, endpoint, account_id)
        # Our session creates clients as boto3's does, so it has the same types: boto3's stubs know each client by its service's name.
        self.client = cast("boto3.Session", self._session).client

    def with_progress(self, progress: Progress) -> Aws:
        """Copy this account, with the same clients and other limits, stop request and observer."""
        same = copy.copy(self)
        same.progress = progress
        return same

    def separate(self) -> Aws:
        """Open the same account once more, with clients of its own that no check of this one concerns."""
        return Aws(region=self.region, account_id=self._session.account_id, endpoint=self.endpoint, progress=self.progress)

    def in_region(self, region: str) -> Aws:
        """Open the same account in another region, to read what AWS keeps there alone."""
        return Aws(region=region, account_id=self._session.account_id, endpoint=self.endpoint, progress=self.progress)

    def fenced(self, check: Check) -> AbstractContextManager[None]:
        """Make this check before each call that changes something, by any copy of this account, until the block ends."""
        return self._session.fence.checking(check)

    def server_time(self) -> datetime:
        """Return AWS's time, as its last answer said it."""
        return self._session.clock.now()

    @property
    def account_id(self) -> str:
        """The account that the credentials belong to, asked once."""
        if not self._session.account_id:
            self._session.account_id = self.client("sts").get_caller_identity()["Account"]
        return self._session.account_id

    @property
    def partition(self) -> str:
        """The partition of the region, as in ARNs."""
        return partition_of(self.region)
