"""A case as a recording: what the services answer from."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

from evals.cases.case import Case
from evals.cases.cluster import build_lists, find_now, write_lists
from evals.cases.description import format_time
from evals.cases.logs import write_logs
from evals.cases.metrics import Names, write_metrics
from sre_services.recording import SHIPPED


def write_recording(case: Case, folder: Path) -> Path:
    """Write the recording of a case; its runbooks are those that ship."""
    lists = build_lists(case)
    end = max(find_now(case), case.collected, _last_measured(case))
    write_lists(folder / "kubernetes", lists)
    pods = {
        _workload(pod): str(pod["metadata"]["name"])
        for pod in reversed(lists["pods"])
        if pod["metadata"].get("namespace") == case.namespace
    }
    write_logs(case, folder / "logs", pods, end)
    nodes = {str(node["metadata"]["name"]) for node in lists["nodes"]}
    write_metrics(case, folder / "metrics", Names(case.namespace, pods, nodes), end)
    copytree(SHIPPED / "healthy" / "runbooks", folder / "runbooks", dirs_exist_ok=True)
    about = {
        "schema": 1,
        "name": case.name.replace("/", "-"),
        "namespace": case.namespace,
        "recorded_end": format_time(end),
        "description": "",
    }
    (folder / "recording.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def _last_measured(case: Case) -> datetime:
    """Return when the metrics end; long ago where there are none."""
    path = case.folder / "raw_data" / "metrics.csv"
    stamps = re.findall(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),", path.read_text(encoding="utf-8-sig"), re.MULTILINE) if path.is_file() else []
    return datetime.fromisoformat(max(stamps)).replace(tzinfo=case.zone) if stamps else case.collected - timedelta(days=1)


def _workload(pod: dict[str, Any]) -> str:
    """Return the workload of a pod, by its owner or by the labels and the name that controllers generate."""
    owner = next((owner["name"] for owner in pod["metadata"].get("ownerReferences", ())), "")
    name = str(pod["metadata"]["name"])
    return re.sub(r"-[a-z0-9]{6,10}$", "", owner) if owner else re.sub(r"-[a-z0-9]{6,10}-[a-z0-9]{5}$|-\d+$", "", name)
