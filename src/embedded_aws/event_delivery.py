"""Deliver events into the buckets and log groups of trails, as CloudTrail does; moto keeps trails and records nothing.

On AWS this takes about five minutes, seldom more than fifteen: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html.
The local AWS records the requests to its gateways and token endpoints; its API calls are in no trail.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from embedded_aws import moto_state
from embedded_aws.strict import cloudtrail
from embedded_aws.strict.log_delivery import group_of
from embedded_aws.watching.trail_events import Event, selects
from sre_core import clock

EVERY = 2.0
"""Seconds that an event takes at most: minutes on AWS."""
_DENIED = "AccessDenied"


class EventDelivery:
    """Delivers what was recorded."""

    def __init__(self, account_id: str, recorded: deque[Event]) -> None:
        self._account_id = account_id
        self._recorded = recorded

    async def run(self) -> None:
        """Deliver until the task is cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            events = [self._recorded.popleft() for _ in range(len(self._recorded))]
            if events:
                deliver(self._account_id, events)


def deliver(account_id: str, events: Sequence[Event]) -> None:
    """Give each trail that logs the events that it selects."""
    for trail in _list_trails(account_id):
        regions = None if trail.is_multi_region else trail.region_name
        seen = [event for event in events if regions in (None, event["awsRegion"])]
        if chosen := [event for event in seen if selects(trail.advanced_event_selectors, event)]:
            now = clock.now().timestamp()
            trail.status.delivered = {**_write_file(trail, chosen, now), **_write_lines(trail, chosen, now)}


def _list_trails(account_id: str) -> Iterator[Any]:
    from moto.cloudtrail.models import cloudtrail_backends

    backends = tuple(cloudtrail_backends[account_id].values())
    return (trail for backend in backends for trail in tuple(backend.trails.values()) if trail.status.is_logging)


def _write_file(trail: Any, events: Sequence[Event], now: float) -> dict[str, object]:
    """Write a log file, named as https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html says."""
    if cloudtrail.find_bucket_gaps(trail):
        return {"LatestDeliveryError": _DENIED}
    moment, account, region = clock.now(), trail.account_id, trail.region_name
    folder = f"AWSLogs/{account}/CloudTrail/{region}/{moment:%Y/%m/%d}"
    file = f"{account}_CloudTrail_{region}_{moment:%Y%m%dT%H%MZ}_{secrets.token_hex(8)}.json.gz"
    prefix = f"{trail.s3_key_prefix}/" if trail.s3_key_prefix else ""
    try:
        moto_state.put_s3_object(
            account, trail.bucket_name, f"{prefix}{folder}/{file}", gzip.compress(json.dumps({"Records": events}).encode())
        )
    except KeyError:
        return {"LatestDeliveryError": "NoSuchBucket"}
    return {"LatestDeliveryTime": now}


def _write_lines(trail: Any, events: Sequence[Event], now: float) -> dict[str, object]:
    if not trail.cw_log_group_arn:
        return {}
    group = moto_state.log_group(trail.account_id, trail.region_name, group_of(trail.cw_log_group_arn))
    if group is None or cloudtrail.find_role_gap(trail):
        return {"LatestCloudWatchLogsDeliveryError": _DENIED}
    stream = cloudtrail.name_stream(trail)
    if stream not in group.streams:
        group.create_log_stream(stream)
    lines = [{"timestamp": int(clock.parse(event["eventTime"]).timestamp() * 1000), "message": json.dumps(event)} for event in events]
    group.put_log_events(stream, lines)
    return {"LatestCloudWatchLogsDeliveryTime": now}
