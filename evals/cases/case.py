"""One labelled case: what its cache of tool answers holds, by kind of answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

from evals.cases.description import Block, parse_description, parse_table
from evals.score import Verdict

# Labels that differ from the published list of causes.
SPELLED = {"db_read_only": "db_readonly_mode", "gateway_misroute": "gateway_misrouted"}
_PLURALS = {
    "pod": "pods", "service": "services", "deployment": "deployments", "node": "nodes", "statefulset": "statefulsets",
    "daemonset": "daemonsets", "replicaset": "replicasets", "configmap": "configmaps", "pvc": "persistentvolumeclaims",
    "pv": "persistentvolumes", "serviceaccount": "serviceaccounts", "resourcequotas": "resourcequota", "event": "events",
}  # fmt: skip
_ZONE = re.compile(r"\d\d:\d\d:\d\d ([+-])(\d\d)(\d\d)\b")


@dataclass(frozen=True)
class Case:
    """A folder with metadata.json, tool_cache.json, and perhaps raw_data/alert.json, metrics.csv and logs.json."""

    folder: Path

    @property
    def name(self) -> str:
        return "/".join(self.folder.parts[-2:])

    @cached_property
    def metadata(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "metadata.json").read_text(encoding="utf-8")))

    @cached_property
    def cache(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "tool_cache.json").read_text(encoding="utf-8")))

    @property
    def namespace(self) -> str:
        return str(self.metadata["namespace"])

    @property
    def expected(self) -> Verdict:
        """Return the label; nothing for a healthy case."""
        result = self.metadata.get("result") or {}
        cause = str(result.get("root_cause", ""))
        return Verdict(SPELLED.get(cause, cause), str(result.get("fault_object", "")))

    @cached_property
    def zone(self) -> timezone:
        """Return the cluster's time zone, from the times that descriptions print."""
        found = _ZONE.search(next((str(text) for key, text in self.cache.items() if key.startswith("DescribeResource")), ""))
        if not found:
            return timezone(timedelta())
        return timezone((1 if found[1] == "+" else -1) * timedelta(hours=int(found[2]), minutes=int(found[3])))

    @cached_property
    def collected(self) -> datetime:
        """Return when the cache was filled."""
        stamp = str(self.cache.get("collection_timestamp", ""))
        try:
            return datetime.fromisoformat(stamp).replace(tzinfo=self.zone)
        except ValueError:
            return datetime(2026, 1, 1, tzinfo=self.zone)

    def described(self) -> Iterator[tuple[str, str, Block]]:
        """Yield kind, text and parsed text of each object that was described."""
        seen: set[tuple[str, str, str]] = set()
        for arguments, text in self._answers("DescribeResource"):
            kind = _plural(str(arguments.get("resource_type", "")))
            key = (kind, str(arguments.get("name", "")), str(arguments.get("namespace", "")))
            if key not in seen and str(text).lstrip().startswith("Name:"):
                seen.add(key)
                yield kind, str(text), parse_description(str(text))

    def listed(self, kind: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
        """Yield namespace and rows of each whole list of a kind."""
        for arguments, text in self._answers("GetResources"):
            whole = not any(arguments.get(name) for name in ("name", "output_wide", "show_labels", "label_selector"))
            if whole and _plural(str(arguments.get("resource_type", ""))) == kind:
                yield str(arguments.get("namespace", "")), parse_table(str(text))

    def manifests(self) -> Iterator[dict[str, Any]]:
        """Yield every object that an application's YAML declares."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        for _, text in self._answers("GetAppYAML"):
            try:
                documents = list(YAML(typ="safe", pure=True).load_all(StringIO(str(text))))
            except YAMLError:
                continue
            yield from (document for document in documents if isinstance(document, dict) and "kind" in document)

    def log_answers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield service and patterns of the logs."""
        for arguments, answer in self._answers("GetErrorLogs"):
            found = _parsed(answer)
            if isinstance(found, dict):
                yield str(arguments.get("service_name", "")), found

    def components(self) -> Iterator[tuple[str, str, str]]:
        """Yield node, component and the text of its unit's state."""
        for arguments, text in self._answers("CheckNodeServiceStatus"):
            yield str(arguments.get("node_name", "")), str(arguments.get("service_name", "")), str(text)

    def dependencies(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each service with those that it calls directly."""
        for arguments, text in self._answers("GetServiceDependencies"):
            down = str(text).partition("[Downstream")[2].splitlines()[1:]
            direct = [found[1] for line in down if (found := re.match(r"(?:[├└|+`]\S*|->|-)\s*([A-Za-z][\w.-]*)", line))]
            yield str(arguments.get("service_name", "")), direct

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts."""
        found: Any = next((_parsed(answer) for _, answer in self._answers("GetAlerts")), {})
        alerts = found.get("alerts", []) if isinstance(found, dict) else []
        return [alert for alert in alerts if isinstance(alert, dict)]

    def _answers(self, tool: str) -> Iterator[tuple[dict[str, Any], Any]]:
        for key, answer in self.cache.items():
            name, _, rest = key.partition(":")
            if name == tool:
                arguments = _parsed(rest)
                yield (arguments if isinstance(arguments, dict) else {}), answer


def find_cases(folder: Path) -> list[Case]:
    """Find all cases below a folder, in order of their names."""
    paths = sorted(folder.rglob("tool_cache.json"), key=lambda path: [part.zfill(6) if part.isdigit() else part for part in path.parts])
    return [Case(path.parent) for path in paths if (path.parent / "metadata.json").is_file()]


def _plural(kind: str) -> str:
    kind = kind.lower()
    return _PLURALS.get(kind, kind)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None
