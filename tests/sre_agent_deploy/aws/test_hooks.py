"""The number of simultaneous calls to a service is limited, and one look at AWS reads nothing twice."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.embedded import EmbeddedAws
from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.aws.clients import AT_ONCE, Fence
from sre_core.secret import Secret


class UnderWay:
    """Counts the calls under way: the maximum, and the maximum before any was answered."""

    def __init__(self, client: Any) -> None:
        self._counting, self.now, self.most, self.most_at_first, self.answered = threading.Lock(), 0, 0, 0, 0
        client.meta.events.register("before-send", lambda **_: self._changes(1))
        client.meta.events.register("after-call", lambda **_: self._changes(-1))

    def _changes(self, by: int) -> None:
        with self._counting:
            self.now += by
            self.most = max(self.most, self.now)
            self.answered += by < 0
            if not self.answered:
                self.most_at_first = self.most


def test_many_calls_at_once(unbooted: EmbeddedAws, faults: Callable[..., None]) -> None:
    """Only as many calls are sent at once as the limit allows; the others wait, and all are answered.

    The very first is sent alone: its connection gives the TLS context its certificate authorities, which OpenSSL does not lock.
    """
    faults({"kind": "delay", "service": "sts", "seconds": 0.1})
    aws = _opened(unbooted)
    under_way = UnderWay(aws.client("sts"))
    with ThreadPoolExecutor(4 * AT_ONCE) as crowd:
        answers = list(crowd.map(lambda _: aws.client("sts").get_caller_identity()["Account"], range(4 * AT_ONCE)))
    assert answers == [unbooted.account_id] * (4 * AT_ONCE)
    assert 1 < under_way.most <= AT_ONCE
    assert under_way.most_at_first == 1


def test_what_a_run_that_lost_its_lock_can_still_send() -> None:
    """Of all calls of the deployer it can send reads only."""
    text = files("sre_agent_deploy").joinpath("actions.json").read_text(encoding="utf-8")
    operations = {action.partition(":")[2] for actions in json.loads(text).values() for action in actions}
    fence, checks = Fence(), list[str]()
    with fence.checking(lambda: checks.append("checked")):
        for operation in operations:
            fence.check_call(f"before-send.service.{operation}")
            if not checks:
                assert re.match(r"(Describe|Get|Head|List)[A-Z]", operation), operation
            checks.clear()


def _opened(embedded: EmbeddedAws) -> Aws:
    registry = embedded.registry
    endpoint = Endpoint(embedded.endpoint, embedded.ca_file, registry["access_key_id"], Secret(registry["secret_access_key"]))
    return Aws(region="us-east-1", endpoint=endpoint)


def test_one_look_at_aws(unbooted: EmbeddedAws) -> None:
    """Within one look, equal reads are sent once, page by page; no error is cached, and no answer from before a change.

    Outside of a look each read is sent.
    """
    aws = _opened(unbooted)
    look, logs, sent = aws.observing(), aws.client("logs"), list[str]()
    logs.meta.events.register("before-send", lambda event_name, **_: sent.append(event_name.rpartition(".")[2]))

    def listed(_: object = None) -> list[str]:
        pages = (
            look.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix="a-look", PaginationConfig={"PageSize": 1})
        )
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    for name in ("a-look-1", "a-look-2"):
        logs.create_log_group(logGroupName=name)
    with ThreadPoolExecutor(8) as crowd:
        assert list(crowd.map(listed, range(16))) == [["a-look-1", "a-look-2"]] * 16
    assert sent == ["CreateLogGroup"] * 2 + ["DescribeLogGroups"] * 2

    for _ in range(2):
        with pytest.raises(ClientError):
            look.client("logs").describe_log_streams(logGroupName="a-look-3")
    assert sent[4:] == ["DescribeLogStreams"] * 2

    logs.create_log_group(logGroupName="a-look-3")
    assert len(listed()) == 2
    assert len(look.anew().client("logs").describe_log_groups(logGroupNamePrefix="a-look")["logGroups"]) == 3
    look.client("logs").delete_log_group(logGroupName="a-look-1")
    assert listed() == ["a-look-2", "a-look-3"]
