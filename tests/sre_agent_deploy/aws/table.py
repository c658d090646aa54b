"""The errors of each operation: those that botocore's models name, and those of AWS's documentation (`errors/*.csv`)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "errors"
EVERY = "*"
NONE = "-"
# Services that have their own codes instead of AWS's common ones.
_APART = ("ec2", "s3")


@dataclass(frozen=True, order=True)
class Row:
    """One error of one operation, or of all of a service's."""

    operation: str
    code: str
    status: int


@cache
def documented(service: str) -> tuple[Row, ...]:
    """Read the rows of a service's table; none where its model lists all errors."""
    path = _FOLDER / f"{service}.csv"
    if not path.exists():
        return ()
    text = path.read_text(encoding="utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    unexplained = {row["source"] for row in rows if f"# {row['source']}: " not in text}
    assert not unexplained, f"{path}: say in its head what {unexplained} is"
    return tuple(Row(row["operation"], row["code"], int(row["http_status"] or 0)) for row in rows)


def modelled(client: Any, operation: str) -> tuple[Row, ...]:
    """List the errors that botocore's model names; a fault of the service is a 500 where the model has no status."""
    shapes = client.meta.service_model.operation_model(operation).error_shapes
    return tuple(Row(operation, str(shape.error_code), _status(shape)) for shape in shapes)


def own(client: Any, operation: str) -> tuple[Row, ...]:
    """List the errors that only this operation has."""
    named = [row for row in documented(_name(client)) if row.operation == operation and row.code != NONE]
    return tuple(sorted({*named, *modelled(client, operation)}))


def general(client: Any, operation: str) -> tuple[Row, ...]:
    """List the errors that every operation of the service has, as errors of this one."""
    common = () if _name(client) in _APART else documented("common")
    return tuple(Row(operation, row.code, row.status) for row in (*common, *documented(_name(client))) if row.operation == EVERY)


def _name(client: Any) -> str:
    return str(client.meta.service_model.service_name)


def _status(shape: Any) -> int:
    internal = shape.metadata.get("fault") or shape.name.startswith("Internal")
    return int(shape.metadata.get("error", {}).get("httpStatusCode") or (500 if internal else 400))
