"""Typed clients for one account in one region, created when first used.

Each call passes hooks into botocore: a limit on calls at the same time, the check of the lock, and the clock of AWS."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from sre_agent_deploy.progress import DEFAULT_PROGRESS, Progress
from sre_core import clock
from sre_core.regions import partition_of
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
            # CloudTrail shows it. botocore composes its own, which is long, anew for each call: a tenth of the call's processor time.
            "user_agent": "sre-agent-deploy",
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

    def observing(self) -> Aws:
        """Copy this account for one look at AWS: what is read twice is asked once. A change that the copy makes forgets all answers."""
        same = copy.copy(self)
        same.client = cast("boto3.Session", Observation(self._session)).client
        return same

    def anew(self) -> Aws:
        """Copy this account so that it remembers nothing: each read asks AWS."""
        same = copy.copy(self)
        same.client = cast("boto3.Session", self._session).client
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


AT_ONCE = 8
"""Calls of one service at the same time: enough to lose no time, too few to be throttled as a burst."""


class CallLimit:
    """The limit of one client: eight calls at a time, and the first of all alone."""

    def __init__(self) -> None:
        self._slots, self._first = threading.Semaphore(AT_ONCE), threading.Lock()
        self._opened = False

    @contextmanager
    def hold_slot(self) -> Iterator[None]:
        """Wait for a slot, and keep it for one call.

        With its first connection urllib3 gives the client's one TLS context the file of certificate authorities, and OpenSSL locks
        nothing there (X509_STORE_add_lookup): two at once left a thread in an endless loop. Later connections only read.
        """
        with self._slots:
            with self._first:
                if alone := not self._opened:
                    yield
                    self._opened = True
            if not alone:
                yield


def limit_calls(class_attributes: dict[str, Any], base_classes: list[Any], **_: Any) -> None:
    """Handle botocore's `creating-client-class`: limit how many calls of this client are under way at once.

    `_make_api_call` is botocore's one way for every operation, paginators and waiters included.
    """
    base, limit, inside = base_classes[0], CallLimit(), threading.local()

    def _make_api_call(client: Any, operation_name: str, api_params: Any) -> Any:
        # S3 asks where a bucket is from within a call, and would wait for its own slot.
        if getattr(inside, "a_call", False):
            return base._make_api_call(client, operation_name, api_params)
        with limit.hold_slot():
            inside.a_call = True
            try:
                return base._make_api_call(client, operation_name, api_params)
            finally:
                inside.a_call = False

    class_attributes["_make_api_call"] = _make_api_call


# What begins otherwise is taken for a change: an unknown read then costs a check, and no change escapes it.
_READS = ("Get", "List", "Describe", "Head")


class Observation:
    """The clients of one look at AWS, by all threads that take part: an answer to the same question is remembered, an error is not."""

    def __init__(self, session: Session) -> None:
        self._session, self._clients = session, dict[str, Any]()
        self._locks, self._answers = dict[Question, threading.Lock](), dict[Question, Any]()
        self._opening = threading.Lock()

    def client(self, service: str) -> Any:
        """Return a client that has the same connections and hooks, and remembers."""
        with self._opening:
            if service not in self._clients:
                client = self._session.client(service)
                same = self._clients[service] = object.__new__(type(client))
                same.__dict__.update(client.__dict__)
                # botocore's one way for every operation, as in `limit_calls`.
                same._make_api_call = partial(self._call, client)
            return self._clients[service]

    def _call(self, client: Any, operation: str, params: Mapping[str, Any]) -> Any:
        model = client.meta.service_model.operation_model(operation)
        if not operation.startswith(_READS):
            return self._change(client, operation, params)
        if model.has_streaming_output:
            return client._make_api_call(operation, params)
        question = client.meta.service_model.service_name, operation, json.dumps(params, sort_keys=True, default=str)
        with self._opening:
            answers, lock = self._answers, self._locks.setdefault(question, threading.Lock())
        with lock:
            if question not in answers:
                answers[question] = client._make_api_call(operation, params)
            return answers[question]

    def _change(self, client: Any, operation: str, params: Mapping[str, Any]) -> Any:
        try:
            return client._make_api_call(operation, params)
        finally:
            # A new one: a read that is under way answers with what was before.
            self._answers = {}


type Question = tuple[str, str, str]
"""A read: service, operation and parameters."""
type Check = Callable[[], None]


class Fence:
    """The checks before each changing call of one boto3 session: a run that has lost its lock changes nothing more.

    Each raises Refused if the run must change nothing more.
    """

    def __init__(self) -> None:
        self._checks: tuple[Check, ...] = ()

    @contextmanager
    def checking(self, check: Check) -> Iterator[None]:
        """Make this check before each change until the block ends."""
        before = self._checks
        self._checks = (*before, check)
        try:
            yield
        finally:
            self._checks = before

    def check_call(self, event_name: str, **_: Any) -> None:
        """Handle botocore's `before-send.SERVICE.OPERATION`: the last moment before a call leaves this process."""
        if not event_name.rpartition(".")[2].startswith(_READS):
            for check in self._checks:
                check()


class ServerClock:
    """AWS's time, read from the `Date` of the last answer of one session, and what has passed since.

    This machine's clock may be wrong by hours, and differs from that of other machines.
    """

    def __init__(self) -> None:
        self._answered: tuple[datetime, float] | None = None

    def note_answer(self, parsed: Mapping[str, Any], **_: Any) -> None:
        """Handle botocore's `after-call`, which comes with every answer, refusals included."""
        said = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        try:
            self._answered = parsedate_to_datetime(said), clock.elapsed()
        except ValueError:  # an answer without a date
            return

    def now(self) -> datetime:
        """Return AWS's time, to about a second; this machine's while no answer has come yet."""
        if self._answered is None:
            return clock.now()
        answered, at = self._answered
        return answered + timedelta(seconds=clock.elapsed() - at)
