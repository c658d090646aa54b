"""Logs of OpenSearch and Elasticsearch, which both have this API.

API: https://docs.opensearch.org/latest/api-reference/search-apis/search/
and https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-search
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_core.problem import Problem, Refused
from sre_services.logs.at_hand import Fetched, FetchedLogs
from sre_services.logs.kubectl_lines import complete_record, parse_level
from sre_services.logs.lines import read_document
from sre_services.logs.logql import WORDS
from sre_services.logs.model import LogFilter, LogRecord
from sre_services.logs.selection import BY_TIME
from sre_services.sources.background import wait_for
from sre_services.sources.client import SourceClient, open_client
from sre_services.sources.failures import not_understood
from sre_services.sources.settings import Settings
from sre_services.timespan import Window

# `index.max_result_window`: a request for more is refused.
_MOST = 10_000
_MOST_SERVICES = 1_000
_RECENT = timedelta(hours=6)
# The fields of Elastic's common schema, and those of Fluent Bit.
SERVICE_FIELD = "service.name"
_TEXTS, _PODS, _LEVELS = ("message", "log"), ("kubernetes.pod.name", "kubernetes.pod_name", "host.name"), ("log.level", "level")


class OpenSearch(FetchedLogs):
    """Reads the newest records that the search leaves."""

    MOST = f"{_MOST:,} records"

    def __init__(self, client: SourceClient, index: str, label: str) -> None:
        super().__init__()
        self._client = client
        self._path = f"/{index}/_search"
        self._label = label

    def services(self) -> tuple[str, ...]:
        window = Window(self.as_of - _RECENT, self.as_of)
        names = {"terms": {"field": self._label, "size": _MOST_SERVICES}}
        document = self._search({"size": 0, "query": _all_of([_within(window)]), "aggs": {"services": names}})
        try:
            return tuple(sorted(str(bucket["key"]) for bucket in document["aggregations"]["services"]["buckets"]))
        except (KeyError, TypeError) as fault:
            raise self._not_understood(fault) from None

    def fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Fetched:
        if not services:
            return Fetched([])
        limit = min(newest or _MOST, _MOST)
        filters = [_within(where.window), {"terms": {self._label: list(services)}}, *_of_levels(where)]
        document = self._search({"size": limit, "sort": [{"@timestamp": {"order": "desc"}}], "query": _all_of(filters)})
        try:
            found = [self._record(hit) for hit in document["hits"]["hits"]]
        except (KeyError, TypeError, ValueError, OverflowError) as fault:
            raise self._not_understood(fault) from None
        return Fetched([sorted(found, key=BY_TIME)], ("OpenSearch",) if not newest and len(found) >= limit else ())

    def check(self) -> Problem | None:
        """Explain why it can't be read; None where it can."""
        try:
            self.services()
        except Refused as refused:
            return refused.problems[0]
        return None

    def _search(self, body: Mapping[str, Any]) -> Any:
        return wait_for(self._client.post_json(self._path, body, permission=f"the search of {self._path.split('/')[1]}"))

    def _record(self, hit: Mapping[str, Any]) -> LogRecord:
        source = hit["_source"]
        text, level = read_document(_first(source, _TEXTS))
        named = parse_level(_first(source, _LEVELS))
        trace = _first(source, ("error.stack_trace",))
        made = LogRecord(
            id=str(hit["_id"]),
            time=_moment(source["@timestamp"]),
            service=_first(source, (self._label.removesuffix(".keyword"),)),
            pod=_first(source, _PODS),
            level=named if named in WORDS else level,
            message=f"{text}\n{trace}" if trace and trace not in text else text,
        )
        return complete_record(made)

    def _not_understood(self, fault: Exception) -> Refused:
        return Refused(not_understood(self._client.name, self._client.url, f"It is no answer of a search: {fault!r}."))


def open_provider(settings: Settings) -> OpenSearch:
    """Open the indices `index` at `url`; `label` names the field that has the service, which must be a keyword."""
    return OpenSearch(open_client(settings, "OpenSearch"), settings.require("index"), settings.get("label") or SERVICE_FIELD)


def _all_of(filters: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"bool": {"filter": list(filters)}}


def _within(window: Window) -> Mapping[str, Any]:
    times = {"gte": window.start.isoformat(), "lte": window.end.isoformat(), "format": "strict_date_optional_time_nanos"}
    return {"range": {"@timestamp": times}}


def _of_levels(where: LogFilter) -> list[Mapping[str, Any]]:
    """Select levels by their field, or by their words in the text. The filter is applied again to what comes."""
    if not where.levels or not where.levels <= WORDS.keys():
        return []
    words = [word for level in sorted(where.levels) for word in WORDS[level]]
    spelled = [spell(word) for spell in (str.upper, str.lower, str.capitalize) for word in words]
    named = [{"terms": {field: spelled}} for field in _LEVELS]
    written = {"multi_match": {"query": " ".join(words), "fields": list(_TEXTS)}}
    return [{"bool": {"should": [*named, written], "minimum_should_match": 1}}]


def _first(source: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the first of some fields that a record has: `a.b` is nested, or a name with a dot."""
    return next((str(value) for name in names if (value := _read(source, name)) not in (None, "")), "")


def _read(source: Any, name: str) -> Any:
    if not isinstance(source, Mapping):
        return None
    if name in source:
        return source[name]
    first, _, rest = name.partition(".")
    return _read(source.get(first), rest) if rest else None


def _moment(value: object) -> datetime:
    """Read a date as it was sent: ISO 8601, or milliseconds since 1970."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000, UTC)
    found = datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
