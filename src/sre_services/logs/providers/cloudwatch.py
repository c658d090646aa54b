"""Logs of Amazon CloudWatch by Logs Insights: each log group is a service, or each value of one field of its records.

API: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html. A query costs by the data that it
reads, so each answer makes one for its window, and it is stopped when its caller is gone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil

from sre_core.problem import Problem, Refused
from sre_services.kubernetes.workload_names import workload_name
from sre_services.logs.at_hand import Fetched, FetchedLogs
from sre_services.logs.insights import MOST_RESULTS, POD, quote_field, write_names_query, write_query
from sre_services.logs.kubectl_lines import complete_record
from sre_services.logs.lines import read_document
from sre_services.logs.model import LogFilter, LogRecord
from sre_services.logs.selection import BY_TIME
from sre_services.sources.aws import AwsClient
from sre_services.sources.background import LONGEST_SECONDS, too_slow
from sre_services.sources.failures import not_understood
from sre_services.sources.settings import Settings
from sre_services.timespan import Window

_RECENT = timedelta(hours=6)
_REMEMBERED_SECONDS = 300.0
_SHORTEST_WAIT, _LONGEST_WAIT = 0.1, 1.0

type Row = Mapping[str, str]


@dataclass(frozen=True)
class Insights:
    """Queries over some log groups, each within `seconds`."""

    client: AwsClient
    groups: Sequence[str]
    seconds: float = LONGEST_SECONDS

    def ask(self, query: str, window: Window, groups: Sequence[str] = ()) -> list[Row]:
        """Run a query and return its rows. Raises Refused, also when it takes too long: it is then stopped."""
        until = time.monotonic() + self.seconds
        return self._wait(self._start(query, window, groups), until)

    def try_all(self, window: Window) -> None:
        """Start a query, look at it and stop it. Raises Refused where one of these is not possible."""
        query_id = self._start("fields @message | limit 1", window)
        self.client.call("get_query_results", "logs:GetQueryResults", queryId=query_id)
        try:
            self.client.call("stop_query", "logs:StopQuery", queryId=query_id)
        except Refused as refused:
            # AWS refuses to stop what has ended.
            if refused.problems[0].code != "SVC-SOURCE-ANSWER":
                raise

    def _start(self, query: str, window: Window, groups: Sequence[str] = ()) -> str:
        started = self.client.call(
            "start_query",
            "logs:StartQuery",
            logGroupNames=list(groups or self.groups),
            startTime=int(window.start.timestamp()),
            endTime=ceil(window.end.timestamp()),
            queryString=query,
        )
        return str(started["queryId"])

    def _wait(self, query_id: str, until: float) -> list[Row]:
        pause = _SHORTEST_WAIT
        while True:
            found = self.client.call("get_query_results", "logs:GetQueryResults", queryId=query_id)
            match found["status"]:
                case "Complete":
                    return [{cell["field"]: cell["value"] for cell in row} for row in found["results"]]
                case "Scheduled" | "Running" | "Unknown":
                    pass
                case status:
                    raise Refused(not_understood(self.client.name, self.client.region, f"The query ended as {status}."))
            if time.monotonic() + pause > until:
                self.client.call("stop_query", "logs:StopQuery", queryId=query_id)
                raise Refused(too_slow(self.seconds))
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_WAIT)


class CloudWatchLogs(FetchedLogs):
    """Reads the newest records that Insights' own filters leave."""

    MOST = f"{MOST_RESULTS:,} records"

    def __init__(self, insights: Insights, label: str) -> None:
        super().__init__()
        self._insights = insights
        self._label = label
        self._names: tuple[float, tuple[str, ...]] = (0.0, ())

    def services(self) -> tuple[str, ...]:
        if not self._label:
            return tuple(sorted(map(_last_part, self._insights.groups)))
        if self._names[0] < time.monotonic():
            window = Window(self.as_of - _RECENT, self.as_of)
            rows = self._insights.ask(write_names_query(self._label), window)
            self._names = (time.monotonic() + _REMEMBERED_SECONDS, tuple(sorted({self._service(row) for row in rows} - {""})))
        return self._names[1]

    def fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Fetched:
        if not services:
            return Fetched([])
        limit = newest or MOST_RESULTS
        # The values of a pod's field are more than the names of its workload, so that all are asked for.
        names = services if self._label not in ("", POD) else ()
        groups = [group for group in self._insights.groups if self._label or _last_part(group) in services]
        rows = self._insights.ask(write_query(where, limit, self._label, names), where.window, groups)
        records = sorted((record for row in rows if (record := self._record(row)).service in services), key=BY_TIME)
        return Fetched([records], ("CloudWatch",) if not newest and len(rows) >= limit else ())

    def check(self) -> Problem | None:
        """Explain why it can't be read; None where it can."""
        try:
            self._insights.try_all(Window(self.as_of - timedelta(minutes=1), self.as_of))
        except Refused as refused:
            return refused.problems[0]
        return None

    def _record(self, row: Row) -> LogRecord:
        try:
            moment = datetime.fromisoformat(row["@timestamp"]).replace(tzinfo=UTC)
            message = row["@message"]
        except (KeyError, ValueError) as fault:
            where = self._insights.client.region
            raise Refused(not_understood(self._insights.client.name, where, f"It is no result of Insights: {fault!r}.")) from None
        text, level = read_document(message)
        pod = row.get(POD) or row.get("@logStream", "")
        made = LogRecord(id=row.get("@ptr", ""), time=moment, service=self._service(row), pod=pod, level=level, message=text)
        return complete_record(replace(made, message=text.rstrip("\n")))

    def _service(self, row: Row) -> str:
        """Name the service of a record: by its log group, by a field, or by the workload of the pod in that field."""
        if not self._label:
            return _last_part(row.get("@log", ""))
        value = row.get(self._label) or row.get(quote_field(self._label), "")
        return workload_name(value) if self._label == POD else value


def open_provider(settings: Settings) -> CloudWatchLogs:
    """Open the log groups in `log_groups`, with commas; `label` names the field of their records that has the service."""
    groups = [name for name in settings.require("log_groups").split(",") if name]
    return CloudWatchLogs(Insights(AwsClient("logs", "CloudWatch Logs", settings), groups), settings.get("label"))


def _last_part(group: str) -> str:
    """Name a service by the last part of its log group; Insights writes the account before it."""
    return group.rpartition(":")[2].rpartition("/")[2]
